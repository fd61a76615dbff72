"""The adaptive binary arithmetic coder of JBIG (T.82 6.8), which is also that of JPEG.

Rules owned here: the registers A and C, conditional exchange, carries, that zero bytes at the end of coded data are not
sent: a decoder reads zeros for ever, and that a pixel which is told beforehand costs nothing: the interval of the other
colour is empty. What a context is, and which marker ends coded data, is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from protocol.jbig.probabilities import AFTER_LESS, AFTER_MORE, INTERVAL

CONTEXT_BITS: Final = 10
CONTEXTS: Final = 1 << CONTEXT_BITS

DIFFERENTIAL_BITS: Final = 12
"""Bits of a context in a differential layer; above them stands what is told of the pixel."""
CODED, ASK, WHITE, BLACK = range(4)
"""Nothing is told; that depends on the two pixels to the left; the colour is told."""

_CONTEXT: Final = CONTEXTS - 1
_WHOLE: Final = 0x10000
_HALF: Final = 0x8000

# The encoder's C, from below: 16 bits beside A, 3 that catch most carries, the byte to come, a carry.
_BYTE_AT: Final = 19
_CARRY: Final = 1 << (_BYTE_AT + 8)
_FIRST_BYTE_BITS: Final = 11

# The decoder keeps a byte of look-ahead below the 16 bits of C that stand beside A, and A is scaled to match.
_AHEAD_BITS: Final = 8
_AHEAD_HALF: Final = _HALF << _AHEAD_BITS

# States beside the learned ones: of two the less probable interval is empty, of one it is more than A ever is, so that
# all three need no look in the loop but where A is small anyhow.
_STATE_WHITE: Final = len(INTERVAL)
_STATE_BLACK: Final = _STATE_WHITE + 1
_STATE_ASK: Final = _STATE_WHITE + 2
_AHEAD_INTERVAL: Final = tuple(size << _AHEAD_BITS for size in (*INTERVAL, 0, 0, _WHOLE << 1))
_DIFFERENTIAL: Final = (1 << DIFFERENTIAL_BITS) - 1
_FRESH_DIFFERENTIAL: Final = b"".join(
    bytes((state,)) * (_DIFFERENTIAL + 1) for state in (0, _STATE_ASK, _STATE_WHITE, _STATE_BLACK)
)


def fresh_states() -> bytearray:
    """What is believed of every context at the top of an image: white, hardly."""
    return bytearray(CONTEXTS)


def fresh_differential_states() -> bytearray:
    """The same for a differential layer, with the states of pixels that are told."""
    return bytearray(_FRESH_DIFFERENTIAL)


class ArithmeticEncoder:
    """Codes the symbols of one stripe; ``states`` are learned and outlive it."""

    def __init__(self, states: bytearray) -> None:
        self._states = states
        self._a, self._c, self._bits_to_byte = _WHOLE, 0, _FIRST_BYTE_BITS
        self._out = bytearray()

    def encode(self, symbols: Iterable[int]) -> None:
        """Code pixels in their contexts; a symbol is pixel << CONTEXT_BITS | context."""
        states, out = self._states, self._out
        a, c, bits_to_byte = self._a, self._c, self._bits_to_byte
        for symbol in symbols:
            context = symbol & _CONTEXT
            state = states[context]
            size = INTERVAL[state]
            a -= size
            if symbol >> CONTEXT_BITS == state & 1:
                if a >= _HALF:
                    continue
                states[context] = AFTER_MORE[state]
                exchanged = a < size
            else:
                states[context] = AFTER_LESS[state]
                exchanged = a >= size
            if exchanged:
                c += a
                a = size
            while a < _HALF:
                a <<= 1
                c <<= 1
                bits_to_byte -= 1
                if not bits_to_byte:
                    if c >= _CARRY:
                        _carry(out)
                    out.append(c >> _BYTE_AT & 0xFF)
                    c &= (1 << _BYTE_AT) - 1
                    bits_to_byte = 8
        self._a, self._c, self._bits_to_byte = a, c, bits_to_byte

    def finish(self) -> bytes:
        """The coded data: of all values in the final interval the one that ends in most zeros, without these."""
        c = (self._c + self._a - 1) & ~(_WHOLE - 1)
        if c < self._c:
            c += _HALF
        c <<= self._bits_to_byte
        if c >= _CARRY:
            _carry(self._out)
        self._out += (c >> (_BYTE_AT - 8) & 0xFFFF).to_bytes(2, "big")
        return bytes(self._out.rstrip(b"\0"))


class ArithmeticDecoder:
    """Decodes the symbols of one stripe from ``data``; ``states`` are learned and outlive it."""

    def __init__(self, data: bytes, states: bytearray) -> None:
        self._states = states
        self._data, self._position = data, 3
        self._a, self._c, self._bits_ahead = _WHOLE << _AHEAD_BITS, int.from_bytes(data[:3].ljust(3, b"\0"), "big"), 8

    def decode(self, contexts: list[int], marks: Sequence[tuple[int, int]] = (), forecasts: bytes = b"") -> bytes:
        """Return a pixel, a byte 0 or 1, for each context.

        A black pixel shows itself to those that come later: every (distance, bit) of ``marks`` sets ``bit`` in the
        context ``distance`` places on, if there is one; ``contexts`` is changed on the way. ``forecasts`` has for each
        pixel CODED, WHITE or BLACK, two bits each, for every value of the two lowest bits of its context.
        """
        states, data = self._states, self._data
        a, c, bits_ahead, position = self._a, self._c, self._bits_ahead, self._position
        count = len(contexts)
        contexts += [0] * max((distance for distance, _ in marks), default=0)
        pixels = bytearray(count)
        for x in range(count):
            context = contexts[x]
            state = states[context]
            size = _AHEAD_INTERVAL[state]
            a -= size
            pixel = state & 1
            while c >= a or a < _AHEAD_HALF:
                if a < 0:  # ASK
                    told = forecasts[x] >> 2 * (context & 3) & 3
                    context = told << DIFFERENTIAL_BITS | context & _DIFFERENTIAL
                    a += size
                    state = states[context]
                    size = _AHEAD_INTERVAL[state]
                    a -= size
                    pixel = state & 1
                    continue
                below = c < a
                if below is (a < size):
                    states[context] = AFTER_LESS[state]
                    pixel ^= 1
                else:
                    states[context] = AFTER_MORE[state]
                if not below:
                    c -= a
                    a = size
                while a < _AHEAD_HALF:
                    a <<= 1
                    c <<= 1
                    bits_ahead -= 1
                    if not bits_ahead:
                        if position < len(data):
                            c |= data[position]
                            position += 1
                        bits_ahead = 8
                break
            if pixel:
                pixels[x] = 1
                for distance, bit in marks:
                    contexts[x + distance] |= bit
        self._a, self._c, self._bits_ahead, self._position = a, c, bits_ahead, position
        return bytes(pixels)


def _carry(out: bytearray) -> None:
    last = len(out) - 1
    while out[last] == 0xFF:
        out[last] = 0
        last -= 1
    out[last] += 1
