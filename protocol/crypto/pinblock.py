"""PIN blocks: ANSI X9.8 of field 52, the SM4 forms, and ISO 9564-1 formats 0, 3 and 4 (CUP 5.3).

Rules owned here: TABLE PIN_FORMATS; a PIN has 4 to 12 digits; with ``n`` its length, the PIN part is ``0n`` + PIN + F…,
and the PAN part is the 12 PAN digits left of the check digit, right-justified. Format 3 fills with random A to F and
format 4 with random bytes, from ``fresh(n)`` = n random bytes. No error text carries a digit of a PIN or a PAN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from protocol.crypto.cipher import AES, SM4, TDES, BlockCipher
from protocol.crypto.key import PinKey
from protocol.errors import DecodeError, EncodeError

PIN_DIGITS_MIN: Final = 4
PIN_DIGITS_MAX: Final = 12
PAN_DIGITS_MIN: Final = 13
PAN_DIGITS_MAX: Final = 19
BLOCK_BYTES: Final = 8
_FIELD: Final = 52
_WIDE_DIGITS: Final = 32
_ZERO_BLOCK: Final = bytes(BLOCK_BYTES)
_LETTERS: Final = "ABCDEF"
_FILL_ENTROPY_BYTES: Final = 16

Fresh = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class PinFormat:
    """One form of PIN block: ``clear`` makes the block of a PIN and a PAN, ``read`` finds the PIN in it again.

    ``binds_pan`` says that the block depends on the PAN; otherwise the PAN is not looked at.
    """

    name: str
    cipher: BlockCipher
    binds_pan: bool
    clear: Callable[[str, str, Fresh], bytes]
    read: Callable[[bytes, str], str]

    def encrypt(self, pik: PinKey, pin: str, pan: str, fresh: Fresh) -> bytes:
        """Return the block under ``pik``; raises EncodeError on a malformed PIN or PAN and KeyLoadError (CUP 5.3)."""
        return self.seal(pik, self.clear(pin, pan, fresh), pan)

    def seal(self, pik: PinKey, clear: bytes, pan: str) -> bytes:
        """Return a clear block of this form under ``pik``; raises as ``encrypt`` does."""
        return self.cipher.encryptor(pik, PinKey.use)(clear)

    def decrypt(self, pik: PinKey, block: bytes, pan: str) -> str:
        """Return the PIN in a block; raises DecodeError "pin_block" when it is none for this key and PAN."""
        _check_length(block, self.cipher.block_bytes)
        return self.read(self.cipher.decryptor(pik, PinKey.use)(block), pan)


class Iso4Format(PinFormat):
    """ISO 9564-1 format 4: the PAN part is added between two encryptions, and carries the whole PAN."""

    __slots__ = ()

    def seal(self, pik: PinKey, clear: bytes, pan: str) -> bytes:
        encrypt = AES.encryptor(pik, PinKey.use)
        return encrypt(_xor(encrypt(clear), _iso4_pan_part(pan)))

    def decrypt(self, pik: PinKey, block: bytes, pan: str) -> str:
        _check_length(block, AES.block_bytes)
        decrypt = AES.decryptor(pik, PinKey.use)
        return self.read(decrypt(_xor(decrypt(block), _iso4_pan_part(pan))), pan)


def clear_pin_block(pin: str, pan: str) -> bytes:
    """Return the 8 clear bytes of ``pin`` bound to ``pan`` (CUP 5.3); raises EncodeError on a malformed PIN or PAN."""
    if not (PIN_DIGITS_MIN <= len(pin) <= PIN_DIGITS_MAX and pin.isascii() and pin.isdigit()):
        raise _no_pin()
    return (int(f"0{len(pin):X}{pin:F<14}", 16) ^ _pan_part(pan)).to_bytes(BLOCK_BYTES, "big")


def encrypt_pin_block(pik: PinKey, pin: str, pan: str) -> bytes:
    """Return field 52, 8 bytes, under ``pik`` of 8 or 16 bytes; raises EncodeError and KeyLoadError (CUP 5.3)."""
    return TDES.encryptor(pik, PinKey.use)(clear_pin_block(pin, pan))


def decrypt_pin_block(pik: PinKey, block: bytes, pan: str) -> str:
    """Return the PIN in the 8 bytes of field 52 (CUP 5.3).

    Raises DecodeError "pin_block" when they are no PIN block for this key and PAN, EncodeError on a malformed PAN.
    """
    _check_length(block, BLOCK_BYTES)
    return _read_pin(TDES.decryptor(pik, PinKey.use)(block), pan)


def _read_pin(clear: bytes, pan: str) -> str:
    return _pin_of(f"{int.from_bytes(clear, 'big') ^ _pan_part(pan):016X}", "0", "F")


def _clear_without_pan(pin: str, pan: str, fresh: Fresh) -> bytes:
    return bytes.fromhex(f"0{_checked(pin):F<15}")


def _clear_sm4(pin: str, pan: str, fresh: Fresh) -> bytes:
    return (int(f"0{_checked(pin):F<31}", 16) ^ _pan_part(pan)).to_bytes(SM4.block_bytes, "big")


def _read_sm4(clear: bytes, pan: str) -> str:
    return _pin_of(f"{int.from_bytes(clear, 'big') ^ _pan_part(pan):0{_WIDE_DIGITS}X}", "0", "F")


def _read_sm4_x98(clear: bytes, pan: str) -> str:
    if clear[BLOCK_BYTES:] != _ZERO_BLOCK:
        raise _no_pin_block()
    return _read_pin(clear[:BLOCK_BYTES], pan)


def _clear_iso3(pin: str, pan: str, fresh: Fresh) -> bytes:
    part = f"3{_checked(pin)}"
    # one big number cut into base-6 digits: no letter is likelier than another by more than 2 to the minus 100
    chance = int.from_bytes(fresh(_FILL_ENTROPY_BYTES), "big")
    for _ in range(2 * BLOCK_BYTES - len(part)):
        chance, letter = divmod(chance, len(_LETTERS))
        part += _LETTERS[letter]
    return (int(part, 16) ^ _pan_part(pan)).to_bytes(BLOCK_BYTES, "big")


def _read_iso3(clear: bytes, pan: str) -> str:
    return _pin_of(f"{int.from_bytes(clear, 'big') ^ _pan_part(pan):016X}", "3", _LETTERS)


def _clear_iso4(pin: str, pan: str, fresh: Fresh) -> bytes:
    return bytes.fromhex(f"4{_checked(pin):A<15}") + fresh(BLOCK_BYTES)


def _iso4_pan_part(pan: str) -> bytes:
    _pan_part(pan)
    return bytes.fromhex(f"{len(pan) - 12}{pan}".ljust(_WIDE_DIGITS, "0"))


def _pin_of(digits: str, control: str, filler: str) -> str:
    """The PIN in ``digits`` = control digit, length, PIN and filler up to the end; DecodeError when it is not so."""
    length = int(digits[1], 16)
    pin, rest = digits[2 : 2 + length], digits[2 + length :]
    if (
        digits[0] != control
        or not PIN_DIGITS_MIN <= length <= PIN_DIGITS_MAX
        or not pin.isdigit()
        or rest.strip(filler)
    ):
        raise _no_pin_block()
    return pin


def _checked(pin: str) -> str:
    """The length digit and the PIN."""
    if not (PIN_DIGITS_MIN <= len(pin) <= PIN_DIGITS_MAX and pin.isascii() and pin.isdigit()):
        raise _no_pin()
    return f"{len(pin):X}{pin}"


def _pan_part(pan: str) -> int:
    if not (PAN_DIGITS_MIN <= len(pan) <= PAN_DIGITS_MAX and pan.isascii() and pan.isdigit()):
        raise EncodeError("a PAN has 13 to 19 digits", field=_FIELD)
    return int(pan[-13:-1], 16)


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")


def _check_length(block: bytes, due_bytes: int) -> None:
    if len(block) != due_bytes:
        raise DecodeError(
            f"a PIN block of {len(block)} bytes, this form has {due_bytes}",
            field=_FIELD,
            hint="another form, or a block that was cut",
            code="pin_block",
        )


def _no_pin() -> EncodeError:
    return EncodeError("a PIN has 4 to 12 digits", field=_FIELD)


def _no_pin_block() -> DecodeError:
    return DecodeError(
        "not a PIN block",
        field=_FIELD,
        hint="another PIN key or another card number than the terminal used",
        code="pin_block",
    )


def _format(
    name: str,
    cipher: BlockCipher,
    clear: Callable[[str, str, Fresh], bytes],
    read: Callable[[bytes, str], str],
    *,
    binds_pan: bool = True,
    kind: type[PinFormat] = PinFormat,
) -> tuple[str, PinFormat]:
    return name, kind(name, cipher, binds_pan, clear, read)


PIN_FORMATS: Final[Mapping[str, PinFormat]] = MappingProxyType(
    dict(
        (
            _format("x98", TDES, lambda pin, pan, fresh: clear_pin_block(pin, pan), _read_pin),
            _format(
                "x98-nopan",
                TDES,
                _clear_without_pan,
                lambda clear, pan: _pin_of(clear.hex().upper(), "0", "F"),
                binds_pan=False,
            ),
            _format("sm4", SM4, _clear_sm4, _read_sm4),
            _format("sm4-x98", SM4, lambda pin, pan, fresh: clear_pin_block(pin, pan) + _ZERO_BLOCK, _read_sm4_x98),
            _format("iso0", TDES, lambda pin, pan, fresh: clear_pin_block(pin, pan), _read_pin),
            _format("iso3", TDES, _clear_iso3, _read_iso3),
            _format(
                "iso4",
                AES,
                _clear_iso4,
                lambda clear, pan: _pin_of(clear[:BLOCK_BYTES].hex().upper(), "4", "A"),
                kind=Iso4Format,
            ),
        )
    )
)
"""Name to format; "x98" and "iso0" are one block under two names (CUP 5.3, ISO 9564-1)."""
