"""Compares the batch with the host's book, uploads it where they differ, and closes it (CUP 7.12, 7.13).

Rules owned here: the STAN of a settlement is durable before it is sent and stays the same until the batch is closed, so
that a lost answer is asked for again (decision 7), but where the host has something else under it; meanwhile the batch
takes no row; nothing unresolved is settled, and nothing without keys, whose MAC the dialect does not ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from protocol.elements import Value
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.kinds import KINDS
from protocol.money import yuan
from protocol.private import UPLOAD_ITEMS_PER_MESSAGE, Totals, UploadItem, pack_upload
from terminal.book import ClosedBatch
from terminal.explain import explain, unapproved
from terminal.flows.resolve import resolve
from terminal.flows.sign_in import REUSED_CODE, sign_in
from terminal.flows.signature import flush
from terminal.money import RENMINBI, unseal_card
from terminal.outcome import Outcome, done, local
from terminal.receipts import totals_slip
from terminal.records import BatchClosed, SettlementAnswered, SettlementAsked
from terminal.session import Reply, Session, Silence, refused, silent

BALANCED: Final = 1
UNBALANCED_CODE: Final = "95"
CARD_GROUP: Final = {False: "00", True: "01"}
ONLINE: Final = 1
UPLOAD_ORDER: Final[Mapping[str, int]] = MappingProxyType(
    {"offline_sale": 0, "offline_adjustment": 0, "tip_adjustment": 0, "refund": 2, "completion_advice": 3}
)
"""Kind to its place in a batch upload, offline sales first; what is not here went online (CUP 7.13)."""
_END: Final = {True: "207", False: "202"}


async def settle(session: Session) -> Outcome:
    """Settle the open batch, or go on with a settlement that was interrupted."""
    if pending := await resolve(session, "settle"):
        return pending
    if stopped := await _signed_on(session):
        return stopped
    await flush(session)
    if session.book.settling is None:
        session.journal.append(SettlementAsked(stan=session.book.next_stan))
    return await finish(session)


async def finish(session: Session) -> Outcome:
    """Bring the settlement that is under way as far as the host lets it."""
    settling = session.book.settling
    if settling is None:
        raise LookupError("no settlement is under way")
    if stopped := await _signed_on(session):
        return stopped
    balanced = settling.balanced
    if balanced is None:
        compared = await _compare(session, settling.stan)
        if isinstance(compared, Outcome):
            return compared
        balanced = compared
    if stopped := await _conclude(session, balanced=balanced):
        return stopped
    return _close(session, balanced=balanced)


async def _signed_on(session: Session) -> Outcome | None:
    """See to it that there are keys; an outcome where there are none to be had."""
    if session.is_signed_on or (outcome := await sign_in(session)).is_good:
        return None
    return outcome.of("settle")


async def _compare(session: Session, stan: str) -> bool | Outcome:
    """Whether both books agree, as the host says; an outcome where it does not say."""
    answer = await _ask(session, stan)
    if session.sign_on_again and (await sign_in(session)).is_good:
        answer = await _ask(session, stan)
    if isinstance(answer, Reply) and answer.response.code == REUSED_CODE and session.believes(answer):
        stan = session.book.next_stan
        session.journal.append(SettlementAsked(stan=stan))
        answer = await _ask(session, stan)
    if isinstance(answer, Silence):
        return silent("settle", answer)
    if not answer.response.approved and answer.response.code != UNBALANCED_CODE:
        return await explain(session, refused("settle", answer))
    if not session.believes(answer):
        return local("settle", "terminal.bad_reply")
    balanced = answer.response.approved and _results(answer) <= {BALANCED}
    session.journal.append(SettlementAnswered(balanced=balanced))
    return balanced


async def _ask(session: Session, stan: str) -> Reply | Silence:
    fields: dict[int, Value] = {F.TOTALS: str(session.book.totals), F.CURRENCY: RENMINBI}
    if session.profile.extensions:
        fields[F.PAYLOAD] = session.pack([("KD", session.book.digest)])
    return await session.ask("settlement", fields, stan=stan)


def _results(reply: Reply) -> set[int]:
    """The results of the card groups; none where a foreign host leaves field 48 out."""
    if not reply.message.has(F.TOTALS):
        return set()
    try:
        totals = Totals.parse(reply.message.text(F.TOTALS))
    except DecodeError:
        return set()
    return {totals.domestic.result, totals.foreign.result}


async def _conclude(session: Session, *, balanced: bool) -> Outcome | None:
    """Upload what differs, then say that this was all; an outcome where the host did not take it."""
    items = [] if balanced else _items(session)
    for at in range(0, len(items), UPLOAD_ITEMS_PER_MESSAGE):
        digits = pack_upload(items[at : at + UPLOAD_ITEMS_PER_MESSAGE])
        if stopped := await _tell(session, "batch_upload", digits, KINDS["batch_upload"].networks[0]):
            return stopped
    return await _tell(session, "batch_end", f"{len(items):04d}", _END[balanced])


async def _tell(session: Session, kind: str, digits: str, network: str) -> Outcome | None:
    answer = await session.ask(kind, {F.TOTALS: digits}, stan=session.take_stan(), network=network)
    if not isinstance(answer, Reply) or not answer.response.approved:
        return await unapproved(session, "settle", answer)
    return None if session.believes(answer) else local("settle", "terminal.bad_reply")


def _items(session: Session) -> list[UploadItem]:
    """One for each row that counts, in the order of CUP 7.13; what a code paid has no card."""
    return [
        UploadItem(
            CARD_GROUP[row.is_foreign],
            row.stan,
            unseal_card(session, row)[0] if row.card_sealed else "",
            row.amount_fen,
        )
        for row in sorted(session.book.money, key=lambda row: UPLOAD_ORDER.get(row.kind, ONLINE))
    ]


def _close(session: Session, *, balanced: bool) -> Outcome:
    book, totals = session.book, session.book.together
    summary = ClosedBatch(
        batch=book.batch,
        debit_fen=totals.debit_fen,
        debit_count=totals.debit_count,
        credit_fen=totals.credit_fen,
        credit_count=totals.credit_count,
        digest=book.digest.hex(),
        balanced=balanced,
        at=int(session.board.clock.now().timestamp()),
    )
    session.journal.append(BatchClosed(summary=summary))
    session.journal.compact()
    zh, en = ("对账平", "balanced") if balanced else ("对账不平，已上送", "not balanced, uploaded")
    net = yuan(book.net_fen)
    chinese, english = totals_slip(summary, book.net_fen, session.settings)
    told = done(
        "settle",
        f"批次{book.batch}已结算（{zh}）净额{net}元",
        f"batch {book.batch} is settled ({en}), net {net} yuan",
        batch=book.batch,
        balanced="yes" if balanced else "no",
        debit_fen=str(totals.debit_fen),
        debit_count=str(totals.debit_count),
        credit_fen=str(totals.credit_fen),
        credit_count=str(totals.credit_count),
        net_fen=str(book.net_fen),
    )
    return replace(told, receipt_zh=chinese, receipt_en=english)
