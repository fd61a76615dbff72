"""How a swap stands, as the host says it: asked for, or told after a report of what was done here.

Rules owned here: where there are keys, only what the host proves counts; a host that proves nothing may hold other keys
since a sign-on whose reply was lost, so that the device signs on and asks once more; the order to wipe proves itself,
for whoever has given its till away signs on no more, and the host may have none of its keys since a sign-off whose
reply was lost; an answer that makes no sense is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocol.elements import Value
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.image import SHA256
from protocol.private import number_tag, text_tag
from protocol.responses import Action
from protocol.swap import NUMBER_MAX, Report, Role, SwapState
from terminal.explain import unapproved
from terminal.flows.sign_in import sign_in
from terminal.flows.wipe import why_refused
from terminal.outcome import Outcome, local
from terminal.session import Reply, Session, Silence

_ORDERS: Final = frozenset({SwapState.RESTORED, SwapState.WIPED})
"""The new device has everything: the old one is to be wiped."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the host says: swap ``number``, how far it is, this device's ``role``, the other device.

    ``received`` bytes of the backup ``sha256`` came; ``order`` is the order to wipe, empty while there is none.
    """

    number: int
    state: SwapState
    role: Role
    peer: str
    received: int
    sha256: str
    order: bytes


async def ask_standing(session: Session, flow: str, *tags: tuple[str, bytes]) -> Standing | Outcome:
    """How the swap stands; where there are keys, the host proves that it says so, or why there are no others."""
    if not session.profile.extensions:
        return local(flow, "terminal.no_extension")
    fields: dict[int, Value] = {F.PAYLOAD: session.pack(tags)} if tags else {}
    answer = await session.ask("swap_query", fields)
    if _is_unproven(session, answer):
        if not (outcome := await sign_in(session)).is_good:
            return outcome.of(flow)
        answer = await session.ask("swap_query", fields)
    return await _read(session, flow, answer)


async def report(session: Session, flow: str, what: Report, *tags: tuple[str, bytes]) -> Standing | Outcome:
    """Tell what was done here; how the swap stands then."""
    payload = session.pack([("OP", what.encode()), *tags])
    answer = await session.ask("swap_report", {F.PAYLOAD: payload})
    if isinstance(answer, Reply) and answer.response.action is Action.SIGN_ON_AGAIN:
        if not (outcome := await sign_in(session)).is_good:
            return outcome.of(flow)
        answer = await session.ask("swap_report", {F.PAYLOAD: payload})
    return await _read(session, flow, answer)


def _is_unproven(session: Session, answer: Reply | Silence) -> bool:
    """Does the host agree, and not prove that it is the host, though this device could tell?"""
    if not isinstance(answer, Reply) or not answer.response.approved or not session.can_seal:
        return False
    return not session.believes(answer) and not _is_order(session, answer)


def _is_order(session: Session, answer: Reply) -> bool:
    """Is it the order to wipe this device, and nothing that the host has not signed with it?"""
    kept = session.book.swap
    try:
        told = _told(answer)
    except DecodeError:
        return False
    if kept is None or (told.role, told.number) != (Role.OLD, kept.number) or told.state not in _ORDERS:
        return False
    return not why_refused(session, kept.model_copy(update={"peer": told.peer, "sha256": told.sha256}), told.order)


async def _read(session: Session, flow: str, answer: Reply | Silence) -> Standing | Outcome:
    if not isinstance(answer, Reply) or not answer.response.approved:
        return await unapproved(session, flow, answer)
    if _is_unproven(session, answer):
        return local(flow, "terminal.bad_reply")
    try:
        return _told(answer)
    except DecodeError:
        return local(flow, "terminal.bad_reply")


def _told(answer: Reply) -> Standing:
    """Raises DecodeError."""
    tags = answer.tags()
    number, sha256 = number_tag(tags, "SW"), text_tag(tags, "SH")
    try:
        state, role = SwapState(text_tag(tags, "ST")), Role(text_tag(tags, "RO"))
    except ValueError as error:
        raise DecodeError(f"no standing of a swap: {error}", field=F.PAYLOAD, code="tags") from None
    if not 0 < number <= NUMBER_MAX or not (sha256 == "" or SHA256.admits(sha256)):
        raise DecodeError("no standing of a swap: its number or digest is none", field=F.PAYLOAD, code="tags")
    return Standing(number, state, role, text_tag(tags, "PE"), number_tag(tags, "RC"), sha256, tags.get("WO", b""))
