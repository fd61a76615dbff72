"""The route of one money request: make ready, journal, send, judge.

Rules owned here: what must be in order before money may move, in this order (decision 4, J8); the line is open before
anything is journaled; PENDING is durable before the first byte leaves (J1).
"""

from __future__ import annotations

from collections.abc import Mapping

from protocol.elements import Value
from terminal.emv_kernel import ChipTransaction
from terminal.explain import explain
from terminal.flows.pause import tell_pause
from terminal.flows.resolve import resolve
from terminal.flows.settle import finish
from terminal.flows.sign_in import sign_in
from terminal.flows.signature import signing
from terminal.flows.training import practise
from terminal.money import take
from terminal.outcome import Outcome, local
from terminal.records import Opened
from terminal.session import Session, silent
from terminal.transaction import Transaction


def not_now(session: Session) -> str:
    """Why no new business is taken at all, a reason of LOCAL; empty where it may be."""
    if session.book.is_handing_over:
        return "swap.under_way"
    if session.book.paused:
        return "terminal.paused"
    return "terminal.announcement_unread" if session.book.announcements else ""


async def make_ready(session: Session, flow: str) -> Outcome | None:
    """See to it that new business may go out; the refusal of ``flow`` where it may not, else None."""
    if session.book.training:
        return None
    if reason := not_now(session):
        return local(flow, reason)
    if pending := await resolve(session, flow):
        return pending
    if session.book.settling and not (await finish(session)).is_good:
        return local(flow, "terminal.settlement_pending")
    if not session.journal.has_room(session.settings.journal_limit):
        return local(flow, session.journal.no_room)
    if not session.is_signed_on and not (outcome := await sign_in(session)).is_good:
        return outcome.of(flow)
    await tell_pause(session)  # the host would still refuse what was resumed here
    unreached = await session.connect()
    return silent(flow, unreached) if unreached else None


async def transact(
    session: Session, row: Transaction, fields: Mapping[int, Value], chip: ChipTransaction | None = None
) -> Outcome:
    """Send a money request under the next STAN and tell how it ended, which a ``chip`` has a word in."""
    if session.book.training:
        return practise(session, row)
    row = row.model_copy(update={"signature": signing(session, row)})
    session.journal.append(Opened(row=row))
    session.show("处理中", "processing")
    answer = await session.ask(row.kind, fields, stan=row.stan, batch=row.batch, capability=row.capability)
    return await explain(session, take(session, row, answer, chip))
