"""The answer to the signature of a cardholder: kept beside its transaction, whatever becomes of that (CUP 6).

Rules owned here: a signature belongs to one row of this terminal, of this amount and reference number; what does not
decode as a picture that a pad can make is none; of two for one row the first stays. Nothing here moves money (G3).
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from host.case import Case
from host.decision import Decision, Insert
from host.records import Transaction, TransactionState
from host.refusals import Refused
from protocol.errors import DecodeError, EncodeError
from protocol.feature_code import feature_code
from protocol.fields import F
from protocol.jbig.decoder import decode
from protocol.private.receipt import without_secrets
from protocol.signature import PAD_PIXELS_MAX, SIGNED

WHOLE = "800"
"""60.3 of a signature in one message; the chunks that others send are not served."""
_NEVER_APPROVED = (TransactionState.DECLINED, TransactionState.TOMBSTONE)


def signature_upload(case: Case) -> Decision:
    """Stores the image; a refusal is not remembered, so that it may be sent again. Raises DecodeError on a bad slip."""
    request, row = case.request, case.snapshot.existing
    if row is None or row.kind not in SIGNED or row.state in _NEVER_APPROVED or not _names(case, row):
        return _refuse("original.not_found")
    if request.amount_fen != row.amount_fen:
        return _refuse("original.other_amount")
    image = request.message.octets(F.PAYLOAD)
    if request.control.network != WHOLE or not _is_picture(image):
        return _refuse("signature.unreadable")
    stored = {
        **request.key,
        "serial_number": case.terminal.serial_number,
        "image": image,
        "sha256": hashlib.sha256(image).hexdigest(),
        "feature_code": _feature_code(request.message.text(F.SETTLEMENT_DATE), row),
        "receipt": without_secrets(request.message.octets(F.ICC)),
        "at": case.at,
    }
    return Decision(fields={F.RRN: row.rrn}, writes=(Insert("signatures", stored),))


def _names(case: Case, row: Transaction) -> bool:
    """Does the request name the row as its approval did, so that both ends have the same feature code?"""
    message = case.request.message
    date = f"{datetime.fromtimestamp(row.at, case.now.tzinfo):%m%d}"
    return message.text(F.RRN) in ("", row.rrn) and message.text(F.SETTLEMENT_DATE) in ("", date)


def _is_picture(image: bytes) -> bool:
    try:
        decode(image, pixels_max=PAD_PIXELS_MAX)
    except DecodeError:
        return False
    return True


def _feature_code(date: str, row: Transaction) -> str:
    try:
        return feature_code(date, row.rrn)
    except EncodeError:
        return ""


def _refuse(reason: str) -> Decision:
    return Decision(Refused(reason), remember=False)
