"""The signature pad: strokes of a pen become a bi-level image of 240 x 80 pixels, and that a JBIG image (CUP 6).

Rules owned here: TABLE SIGNATURES, scribbles for tests; TABLE SEGMENTS, how the feature code is drawn into the image,
13 x 13 pixels a character, in the middle; a pad takes in so many points and no more, whatever the pen does; an image
that does not fit into field 62 is no signature.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, cycle, pairwise
from typing import Final

from firmware_sim.errors import EntryCancelled, PadError
from firmware_sim.faults import Faults
from firmware_sim.inbox import Inbox
from firmware_sim.power import Power, Powered
from protocol.jbig.bitmap import Bitmap, pack_row
from protocol.jbig.encoder import encode

Point = tuple[int, int]
"""Columns from the left and rows from the top."""
Strokes = Iterable[Iterable[Point]]
"""Where the pen was, from each touch to where it was lifted."""

WIDTH: Final = 240
HEIGHT: Final = 80
POINTS_MAX: Final = 2000
"""What the pad takes in of one signature."""
IMAGE_BYTES_MAX: Final = 999
"""What field 62 holds of an image."""
CELL: Final = 13
_LEFT, _TOP, _MIDDLE, _RIGHT, _BOTTOM = 3, 1, 6, 9, 11

_STROKES_OF: Final[Mapping[str, tuple[Point, Point]]] = {
    "a": ((_LEFT, _TOP), (_RIGHT, _TOP)),
    "b": ((_RIGHT, _TOP), (_RIGHT, _MIDDLE)),
    "c": ((_RIGHT, _MIDDLE), (_RIGHT, _BOTTOM)),
    "d": ((_LEFT, _BOTTOM), (_RIGHT, _BOTTOM)),
    "e": ((_LEFT, _MIDDLE), (_LEFT, _BOTTOM)),
    "f": ((_LEFT, _TOP), (_LEFT, _MIDDLE)),
    "g": ((_LEFT, _MIDDLE), (_RIGHT, _MIDDLE)),
}
SEGMENTS: Final[Mapping[str, str]] = {
    "0": "abcdef", "1": "bc", "2": "abdeg", "3": "abcdg", "4": "bcfg", "5": "acdfg", "6": "acdefg", "7": "abc",
    "8": "abcdefg", "9": "abcdfg", "A": "abcefg", "B": "cdefg", "C": "adef", "D": "bcdeg", "E": "adefg", "F": "aefg",
}  # fmt: skip
"""Hexadecimal digit -> the strokes of a seven-segment display that draw it."""

SIGNATURES: Final[Mapping[str, Sequence[Sequence[Point]]]] = {
    "wave": (((20, 40), (50, 15), (80, 60), (110, 20), (140, 60), (170, 15), (220, 45)),),
    "cross": (((60, 10), (180, 70)), ((180, 10), (60, 70))),
    "loop": (
        ((30, 60), (70, 12), (110, 55), (80, 68), (60, 30), (140, 22), (150, 60), (210, 60)),
        ((40, 70), (200, 66)),
    ),
    "initials": (
        ((30, 15), (30, 65), (60, 65)),
        ((90, 65), (110, 15), (130, 65)),
        ((98, 45), (122, 45)),
        ((150, 15), (150, 65), (185, 55), (160, 40), (185, 25), (150, 15)),
    ),
}


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature: ``bitmap`` of 240 x 80 pixels, and ``image``, the same as JBIG, at most 999 bytes."""

    bitmap: Bitmap = field(repr=False)
    image: bytes = field(repr=False)


class SignaturePad(Powered):
    """A pad with a pen; what is signed may come ahead of the question."""

    def __init__(self, power: Power, faults: Faults) -> None:
        super().__init__(power)
        self._faults = faults
        self._signed: Inbox[Strokes | PadError] = Inbox(power)

    def sign(self, strokes: Strokes) -> None:
        """Sign and confirm; points beside the pad are drawn at its edge."""
        self._signed.put(strokes)

    def cancel(self) -> None:
        """Press cancel instead of signing."""
        self._signed.put(_cancelled())

    def interrupt(self, error: EntryCancelled) -> None:
        """Let who waits for a signature hear that the cashier pressed the cancel key."""
        self._signed.interrupt(_cancelled())

    def clear(self) -> None:
        """Forget what was signed ahead."""
        self._signed.clear()

    async def capture(self, timeout_s: float | None = None, *, feature_code: str = "") -> Signature:
        """Return the signature, with ``feature_code``, hexadecimal digits, drawn into it (CUP 6).

        Raises PowerLost, and PadError "cancelled", "timeout", "empty", or "too_large" for a scribble that no
        field 62 can carry.
        """
        strokes = await self._strokes(timeout_s)
        if isinstance(strokes, PadError):
            raise strokes
        drawn = _bounded(strokes)
        if not any(drawn):
            raise PadError("nothing was signed", hint="sign on the screen", code="empty")
        canvas = [bytearray(WIDTH) for _ in range(HEIGHT)]
        _draw_code(canvas, feature_code)
        for stroke in drawn:
            _draw(canvas, stroke)
        bitmap = Bitmap(WIDTH, HEIGHT, b"".join(pack_row(bytes(row)) for row in canvas))
        image = encode(bitmap)
        if len(image) > IMAGE_BYTES_MAX:
            hint = f"at most {IMAGE_BYTES_MAX} can be sent"
            raise PadError(f"the signature takes {len(image)} bytes", hint=hint, code="too_large")
        return Signature(bitmap, image)

    async def _strokes(self, timeout_s: float | None) -> Strokes | PadError:
        self._check()
        late = PadError("nobody signed in time", code="timeout")
        if self._faults.fires("pad.cancelled"):
            return _cancelled()
        if self._faults.fires("pad.empty"):
            return ()
        if self._faults.fires("pad.endless"):
            return (cycle(chain.from_iterable(SIGNATURES["loop"])),)
        if self._faults.fires("pad.no_touch"):
            return late
        try:
            return await self._signed.take(timeout_s)
        except TimeoutError:
            return late


def _cancelled() -> PadError:
    return PadError("the cardholder does not sign", code="cancelled")


def _bounded(strokes: Strokes) -> list[list[Point]]:
    """The strokes up to the point that is one too many."""
    drawn: list[list[Point]] = []
    left = POINTS_MAX
    for stroke in strokes:
        points = [point for _, point in zip(range(left), stroke, strict=False)]
        drawn.append(points)
        left -= max(1, len(points))
        if left <= 0:
            break
    return drawn


def _draw_code(canvas: list[bytearray], code: str) -> None:
    left, top = (WIDTH - CELL * len(code)) // 2, (HEIGHT - CELL) // 2
    for place, digit in enumerate(code):
        for segment in SEGMENTS[digit]:
            for x, y in _line(*_STROKES_OF[segment]):
                canvas[top + y][left + place * CELL + x] = 1


def _draw(canvas: list[bytearray], stroke: Sequence[Point]) -> None:
    """Draw with a pen of 2 x 2 pixels."""
    inside = [(min(max(x, 0), WIDTH - 2), min(max(y, 0), HEIGHT - 2)) for x, y in stroke]
    for start, end in pairwise([*inside[:1], *inside]):
        for x, y in _line(start, end):
            canvas[y][x : x + 2] = canvas[y + 1][x : x + 2] = b"\1\1"


def _line(start: Point, end: Point) -> Iterator[Point]:
    """The pixels from ``start`` to ``end``."""
    (x, y), (to_x, to_y) = start, end
    steps = max(abs(to_x - x), abs(to_y - y))
    yield start
    for step in range(1, steps + 1):
        yield x + round((to_x - x) * step / steps), y + round((to_y - y) * step / steps)
