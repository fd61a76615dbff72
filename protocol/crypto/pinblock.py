"""The ANSI X9.8 PIN block with PAN that fills field 52 (CUP 5.3).

Rules owned here: a PIN has 4 to 12 digits; the block is ``0n`` + PIN + F…, XORed with ``0000`` + the 12 PAN digits left
of the check digit. No error text carries a digit of either.
"""

from __future__ import annotations

from protocol.crypto import tdes
from protocol.errors import DecodeError, EncodeError

PIN_DIGITS_MIN = 4
PIN_DIGITS_MAX = 12
PAN_DIGITS_MIN = 13
PAN_DIGITS_MAX = 19
_FIELD = 52


def clear_pin_block(pin: str, pan: str) -> bytes:
    """Return the 8 clear bytes of ``pin`` bound to ``pan`` (CUP 5.3); raises EncodeError on a malformed PIN or PAN."""
    if not (PIN_DIGITS_MIN <= len(pin) <= PIN_DIGITS_MAX and pin.isascii() and pin.isdigit()):
        raise EncodeError("a PIN has 4 to 12 digits", field=_FIELD)
    return (int(f"0{len(pin):X}{pin:F<14}", 16) ^ _pan_part(pan)).to_bytes(8, "big")


def encrypt_pin_block(pik: bytes, pin: str, pan: str) -> bytes:
    """Return field 52, 8 bytes, under ``pik`` of 8 or 16 bytes; raises EncodeError and KeyLoadError (CUP 5.3)."""
    return tdes.encryptor(pik)(clear_pin_block(pin, pan))


def decrypt_pin_block(pik: bytes, block: bytes, pan: str) -> str:
    """Return the PIN in the 8 bytes of field 52 (CUP 5.3).

    Raises DecodeError "pin_block" when they are no PIN block for this key and PAN, EncodeError on a malformed PAN.
    """
    if len(block) != tdes.BLOCK_BYTES:
        raise _no_pin_block()
    digits = f"{int.from_bytes(tdes.decryptor(pik)(block), 'big') ^ _pan_part(pan):016X}"
    length = int(digits[:2], 16)
    pin = digits[2 : 2 + length]
    if not PIN_DIGITS_MIN <= length <= PIN_DIGITS_MAX or not pin.isdigit() or digits[2 + length :].strip("F"):
        raise _no_pin_block()
    return pin


def _pan_part(pan: str) -> int:
    if not (PAN_DIGITS_MIN <= len(pan) <= PAN_DIGITS_MAX and pan.isascii() and pan.isdigit()):
        raise EncodeError("a PAN has 13 to 19 digits", field=_FIELD)
    return int(pan[-13:-1], 16)


def _no_pin_block() -> DecodeError:
    return DecodeError(
        "not a PIN block",
        field=_FIELD,
        hint="another PIN key or another card number than the terminal used",
        code="pin_block",
    )
