"""Groups of fields that the rows of KINDS share (CUP 3.5, 3.6)."""

from __future__ import annotations

from typing import Final

from protocol.fields import F
from protocol.kinds.kind import Presence

IDS: Final = (F.TERMINAL_ID, F.MERCHANT_ID, F.CONTROL)
STAMP: Final = (F.LOCAL_TIME, F.LOCAL_DATE)
PRIVATE: Final = (F.ISSUER_DATA, F.PRIVATE57, F.PRIVATE58, F.DEVICE)
"""Private fields that any acquirer may use in any financial message (CUP 2.9)."""

MONEY: Final = (
    F.PROCESSING_CODE, F.AMOUNT, F.STAN, F.ENTRY_MODE, F.CONDITION_CODE, F.TERMINAL_ID, F.MERCHANT_ID, F.CURRENCY,
    F.CONTROL, F.MAC,
)  # fmt: skip
CARD: Final = (F.PAN, F.EXPIRY, F.PAN_SEQUENCE, F.PIN_CAPTURE, F.TRACK2, F.TRACK3, F.PIN_BLOCK, F.SECURITY)
EXTRAS: Final = (*PRIVATE, F.PAYLOAD, *STAMP)
"""What terminals put into a financial request beside what CUP 3.5 names."""

PURCHASE: Final = Presence(MONEY, (*CARD, F.ICC, F.TOTALS, F.ADDITIONAL_AMOUNT, *EXTRAS), (F.TEXT,))
INQUIRY: Final = Presence(
    tuple(number for number in MONEY if number != F.AMOUNT), (*CARD, F.AMOUNT, F.ICC, *EXTRAS), (F.TEXT,)
)
UNDO: Final = Presence((*MONEY, F.RRN, F.ORIGINAL), (*CARD, F.AUTH_ID, F.ICC, *EXTRAS), (F.TEXT,))
HOLD_UNDO: Final = Presence((*MONEY, F.AUTH_ID, F.ORIGINAL), (*CARD, F.RRN, F.ICC, *EXTRAS), (F.TEXT,))
"""What ends a pre-authorisation names it by its authorisation id (CUP 3.5)."""

ADVICE: Final = Presence(MONEY, (*CARD, F.RRN, F.AUTH_ID, F.TOTALS, F.ICC, *EXTRAS, F.ORIGINAL), (F.TEXT,))
REVERSAL: Final = Presence(
    (*MONEY, F.RESPONSE_CODE),
    (
        F.PAN, F.EXPIRY, F.PAN_SEQUENCE, F.AUTH_ID, F.RRN, F.SECURITY, F.ICC, *EXTRAS, F.ORIGINAL, F.TEXT,
    ),
)  # fmt: skip

_REPLY: Final = (
    F.PROCESSING_CODE, F.AMOUNT, F.STAN, *STAMP, F.RRN, F.TERMINAL_ID, F.MERCHANT_ID, F.CURRENCY, F.CONTROL,
)  # fmt: skip
_REPLY_DUE: Final = (F.PAN, F.SETTLEMENT_DATE, F.CONDITION_CODE, F.ACQUIRER, F.ADDITIONAL_RESPONSE, F.TEXT)
_REPLY_MAY: Final = (
    F.EXPIRY, F.PAN_SEQUENCE, F.AUTH_ID, F.SECURITY, F.ADDITIONAL_AMOUNT, F.ICC, *PRIVATE, F.PAYLOAD, F.MAC,
)  # fmt: skip
MONEY_REPLY: Final = Presence(_REPLY, _REPLY_MAY, _REPLY_DUE)
INQUIRY_REPLY: Final = Presence(
    tuple(number for number in _REPLY if number != F.AMOUNT), (F.AMOUNT, *_REPLY_MAY), _REPLY_DUE
)
REVERSAL_REPLY: Final = Presence(
    _REPLY, (*_REPLY_MAY, F.ADDITIONAL_RESPONSE, F.TEXT), (F.PAN, F.SETTLEMENT_DATE, F.CONDITION_CODE, F.ACQUIRER)
)
NETWORK_REPLY: Final = Presence(IDS, (F.STAN, *STAMP, F.ACQUIRER, F.RRN, F.PAYLOAD, F.TEXT, F.MAC))
BATCH_REPLY: Final = Presence((F.STAN, *STAMP, *IDS), (F.TOTALS, F.TEXT), (F.ACQUIRER, F.RRN))
