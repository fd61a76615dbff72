"""Asks the cardholder to sign what was approved, and brings the signature to the host (CUP 6).

Rules owned here: a signature is durable before it is uploaded; it is sent once and at most RESENDS_MAX times more, then
it is on paper; nothing that becomes of it changes money (invariant G3); those that wait outlive batch and power (G5).
"""

from __future__ import annotations

import logging
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Final

from firmware_sim.errors import NotRecorded, PadError, SecureModuleError
from protocol.elements import Value
from protocol.errors import EncodeError
from protocol.feature_code import feature_code
from protocol.fields import F
from protocol.private.receipt import pack_receipt
from protocol.signature import SIGNED, is_signed
from protocol.tlv import decode
from terminal.book import Signature
from terminal.flows.sign_in import sign_in
from terminal.flows.slips import print_paper_slip
from terminal.outcome import local
from terminal.records import SignatureGivenUp, SignatureSent, SignatureTaken, SignatureTried
from terminal.session import Session, Silence
from terminal.transaction import Key, Signing, Transaction

log = logging.getLogger("poslab.terminal")
RESENDS_MAX: Final = 3
UPLOAD_S_MAX: Final = 5.0
"""How long an upload may keep the next customer waiting."""
STORED: Final = "94"
"""The refusal of a signature that the host has already (CUP 6)."""
_CHIP_TAGS: Final = {
    0x50: "application_label",
    0x84: "application_id",
    0x9F26: "cryptogram",
    0x9F37: "unpredictable_number",
    0x82: "interchange_profile",
    0x95: "verification_results",
    0x9B: "status_information",
    0x9F36: "transaction_counter",
}


def signing(session: Session, row: Transaction) -> Signing:
    """How a transaction that is about to leave will be signed."""
    settings = session.settings
    if row.kind not in SIGNED:
        return Signing.NONE
    free_fen = settings.no_signature_limit_fen if settings.no_signature else 0
    signed = is_signed(row.kind, row.entry_mode, row.amount_fen, free_fen=free_fen)
    if not signed or row.amount_fen <= settings.signature_above_fen:
        return Signing.FREE
    return Signing.DUE if session.board.signature_pad else Signing.PAPER


async def sign(session: Session) -> None:
    """Ask for the signature of everything that was approved and is not signed; money stays as it is, whatever comes."""
    for row in session.book.signatures_due:
        try:
            await _ask(session, row)
        except (PadError, EncodeError, NotRecorded) as error:
            log.info("%s is signed on paper: %s", row.stan, error)
            give_up(session, row.key, error.code)


async def flush(session: Session) -> None:
    """Bring every signature that waits to the host, or give it up: before a settlement, a swap, a stop.

    Where there is no line or no sign-on, they go on waiting.
    """
    for key in [row.key for row in session.book.signatures]:
        while (waiting := _waiting(session, key)) is not None:
            if not _may_send(session) and not (await sign_in(session)).is_good:
                return
            if not await _upload(session, waiting):
                return


async def upload(session: Session, keys: Iterable[Key]) -> None:
    """Send each of these signatures once, while nothing else is to be done.

    On a network that would take longer than UPLOAD_S_MAX for one, the next sale goes first: it waits for settlement.
    """
    for key in keys:
        waiting = _waiting(session, key)
        if waiting is None:
            continue
        if session.board.line.network.takes_s(len(waiting.image) + len(waiting.receipt)) > UPLOAD_S_MAX:
            session.show("网络慢，签名稍后上送", "the network is slow: the signature is sent later")
            return
        if not _may_send(session) or not await _upload(session, waiting):
            return


def give_up(session: Session, key: Key, reason: str) -> None:
    """Write down that a signature is on paper, where there is room, and let the cashier know in any case."""
    try:
        session.note("signature on paper", f"{key.batch}/{key.stan}: {reason}")
        session.journal.append(SignatureGivenUp(batch=key.batch, stan=key.stan, reason=reason))
    except NotRecorded as error:
        log.warning("%s is signed on paper, and there is no room to say so: %s", key.stan, error)
    session.tell(local("signature", "signature.paper", batch=key.batch, stan=key.stan, why=reason))


async def _ask(session: Session, row: Transaction) -> None:
    pad = session.board.signature_pad
    if pad is None:
        raise PadError("the pad is gone", code="no_pad")
    code = feature_code(row.settlement_date, row.rrn)
    keypad = session.board.keypad
    keypad.clear()  # a key that was pressed while the host was asked is no answer to this
    session.show(f"请签名\n{code}", f"please sign\n{code}")
    with keypad.escaping(pad.interrupt):
        signed = await pad.capture(session.settings.entry_timeout_s, feature_code=code)
    signature = Signature(
        batch=row.batch,
        stan=row.stan,
        amount_fen=row.amount_fen,
        rrn=row.rrn,
        date=row.settlement_date,
        image=b64encode(signed.image).decode("ascii"),
        receipt=b64encode(_receipt(session, row)).decode("ascii"),
    )
    session.journal.append(SignatureTaken(signature=signature))
    session.show("签名已保存", "the signature is kept")


def _receipt(session: Session, row: Transaction) -> bytes:
    """Field 55: the slip as tagged values, at most 255 bytes of them."""
    at = session.board.clock.now()
    objects = {node.tag: node.octets for node in decode(bytes.fromhex(row.chip))}
    return pack_receipt(
        [
            ("merchant_name", session.settings.merchant_name.encode("gb18030")[:40]),
            ("transaction_type", row.row.chinese.encode("gb18030")),
            ("date_time", bytes.fromhex(f"{at:%Y}{row.date}{row.time}") if row.date and row.time else b""),
            ("authorisation_id", row.auth_id.encode("ascii")),
            ("organisation", row.organisation.encode("ascii")),
            ("amount_approved", f"{row.amount_fen:012d}".encode("ascii")),
            *((key, objects.get(tag, b"")) for tag, key in _CHIP_TAGS.items()),
        ]
    )


def _waiting(session: Session, key: Key) -> Signature | None:
    return next((row for row in session.book.signatures if row.key == key), None)


def _may_send(session: Session) -> bool:
    return session.can_seal and not session.sign_on_again


async def _upload(session: Session, signature: Signature) -> bool:
    """Send a signature once; whether the next one may follow, for there is a line and a host that hears."""
    session.show(f"上送签名{signature.stan}", f"uploading the signature of {signature.stan}")
    stored = await _is_stored(session, signature)
    if stored is None:
        return False
    batch, stan = signature.key
    if stored:
        session.journal.append(SignatureSent(batch=batch, stan=stan))
    elif signature.tries < RESENDS_MAX:
        session.journal.append(SignatureTried(batch=batch, stan=stan))
    else:
        give_up(session, signature.key, "not_taken")
        if row := session.book.rows.get(signature.key):
            print_paper_slip(session, row)
    return True


async def _is_stored(session: Session, signature: Signature) -> bool | None:
    """Whether the host says so, and proves who it is; None where nothing left the device."""
    fields: dict[int, Value] = {
        F.AMOUNT: f"{signature.amount_fen:012d}",
        F.RRN: signature.rrn,
        F.ICC: b64decode(signature.receipt),
        F.PAYLOAD: b64decode(signature.image),
    }
    if signature.date:
        fields[F.SETTLEMENT_DATE] = signature.date
    try:
        answer = await session.ask("signature_upload", fields, stan=signature.stan, batch=signature.batch)
    except SecureModuleError as error:
        log.warning("the signature of %s cannot be sent: %s", signature.stan, error)
        return None
    if isinstance(answer, Silence):
        return False if answer.sent else None
    said = answer.response.approved or answer.response.code == STORED
    return said and session.believes(answer)
