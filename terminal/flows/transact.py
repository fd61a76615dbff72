"""The route of one money request: make ready, journal, send, judge.

Rules owned here: what must be in order before money may move, in this order (decision 4, J8); the line is open before
anything is journaled; PENDING is durable before the first byte leaves (J1).
"""

from __future__ import annotations

from collections.abc import Mapping

from protocol.elements import Value
from terminal.explain import explain
from terminal.flows.resolve import resolve
from terminal.flows.settle import finish
from terminal.flows.sign_in import sign_in
from terminal.money import take
from terminal.outcome import Outcome, local
from terminal.records import Opened
from terminal.session import Session
from terminal.transaction import Transaction


async def make_ready(session: Session, flow: str) -> Outcome | None:
    """See to it that new business may go out; the refusal of ``flow`` where it may not, else None."""
    if pending := await resolve(session, flow):
        return pending
    if session.book.settling and not (await finish(session)).is_good:
        return local(flow, "terminal.settlement_pending")
    if not session.journal.has_room(session.settings.journal_limit):
        return local(flow, "terminal.journal_full")
    if not session.is_signed_on and not (outcome := await sign_in(session)).is_good:
        return outcome.of(flow)
    return None if await session.connect() else local(flow, "terminal.no_line")


async def transact(session: Session, row: Transaction, fields: Mapping[int, Value]) -> Outcome:
    """Send a money request under the next STAN and tell how it ended."""
    session.journal.append(Opened(row=row))
    session.show("处理中", "processing")
    answer = await session.ask(row.kind, fields, stan=row.stan, batch=row.batch)
    return await explain(session, take(session, row, answer))
