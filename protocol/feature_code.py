"""The 8 characters that tie a signature to its transaction: printed on the slip and drawn into the image (CUP 6)."""

from __future__ import annotations

from typing import Final

from protocol.checks import is_date
from protocol.errors import EncodeError
from protocol.fields import F

_DATE_DIGITS: Final = 4
_RRN_DIGITS: Final = 12
_NO_DATE: Final = "0000"


def feature_code(settlement_date: str, rrn: str) -> str:
    """Return the XOR of the halves of field 15 (MMDD, "" where the reply had none) and field 37, 8 hex characters.

    Raises EncodeError with the field that is not all digits, or no date (CUP 6).
    """
    date = settlement_date or _NO_DATE
    if not (len(date) == _DATE_DIGITS and date.isascii() and date.isdigit()):
        raise EncodeError("a settlement date has 4 digits", field=F.SETTLEMENT_DATE, hint="MMDD, or 0000")
    if date != _NO_DATE and not is_date(date):
        raise EncodeError(f"{date} is no settlement date", field=F.SETTLEMENT_DATE, hint="MMDD, or 0000")
    if not (len(rrn) == _RRN_DIGITS and rrn.isascii() and rrn.isdigit()):
        raise EncodeError("a feature code needs a retrieval reference number of 12 digits", field=F.RRN)
    digits = date + rrn
    return f"{int(digits[:8], 16) ^ int(digits[8:], 16):08X}"
