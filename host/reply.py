"""Builds replies: what of the request comes back, what the host adds, and the refusal in field 63."""

from __future__ import annotations

from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Final

from host.case import Case
from host.decision import Decision
from host.downloads import overdue
from host.lifecycle import ABSENT, UNREGISTERED
from host.records import Terminal
from host.refusals import Refused
from protocol.downloads import DOWNLOAD_OF
from protocol.elements import Value
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.header import ENVELOPE_BYTES, ENVELOPES_MAX, FETCH_COMMANDS, NO_REQUIREMENT, TPDU_BYTES, Header, Tpdu
from protocol.kinds import KINDS, REQUEST_MTIS, reply_mti
from protocol.message import Message
from protocol.private import RefusalText

ECHOED: Final = frozenset(
    {
        F.PROCESSING_CODE, F.AMOUNT, F.STAN, F.CONDITION_CODE, F.TERMINAL_ID, F.MERCHANT_ID, F.CURRENCY, F.CONTROL,
    }
)  # fmt: skip
ORGANISATION: Final = "CUP"
PARAMETERS_OLD: Final = "terminal.parameters_old"
_DUE_FIRST: Final = DOWNLOAD_OF.keys() | {"command_fetch"}
_LAYOUTS_KEPT: Final = 256


def build_reply(case: Case, decision: Decision) -> Message:
    """The reply to a request of a known kind; its MAC is made when it is sealed."""
    kind, request = case.request.kind, case.request.message
    due, came = kind.reply.named, request.fields
    fields = {number: came[number] for number in _echoed(kind.name, request.numbers)}
    time, date = _stamps(case.at, case.now.tzinfo)
    fields |= {F.LOCAL_TIME: time, F.LOCAL_DATE: date, F.RESPONSE_CODE: decision.code}
    if F.RRN in due and case.snapshot.number:
        fields[F.RRN] = f"{case.snapshot.number:012d}"
    if F.ACQUIRER in due:
        fields[F.ACQUIRER] = case.policy.acquirer.id
    if F.SETTLEMENT_DATE in due:
        fields[F.SETTLEMENT_DATE] = date
    if decision.refused:
        fields[F.TEXT] = refusal_text(decision.refused)
    elif kind.moves_money:
        fields[F.TEXT] = ORGANISATION
    fields |= decision.fields
    return _answer(request, reply_mti(request.mti), fields, requirement(case, decision))


@lru_cache(_LAYOUTS_KEPT)
def _echoed(kind: str, numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Which of the request's fields come back."""
    return tuple(number for number in numbers if number in ECHOED and number in KINDS[kind].reply.named)


@lru_cache(1)
def _stamps(at: int, zone: tzinfo | None) -> tuple[str, str]:
    """Fields 12 and 13: the same for all replies of a second."""
    second = datetime.fromtimestamp(at, zone)
    return f"{second:%H%M%S}", f"{second:%m%d}"


def requirement(case: Case, decision: Decision) -> str:
    """The processing requirement: commands that wait, for a terminal that knows them (product decision 10), else what
    is due. Commands that cannot be carried out yet keep nothing back: what is due comes first in the answer to a fetch,
    to a download, and to a request that is refused for the lack of it.
    """
    terminal = case.snapshot.terminal
    if terminal is None or terminal.state in ABSENT | UNREGISTERED:
        return NO_REQUIREMENT
    if decision.refused and decision.refused.reason == PARAMETERS_OLD:
        return overdue(terminal.due)[0].requirement
    due = _due(terminal, decision)[:1]
    if not case.is_extended or (due and case.request.kind.name in _DUE_FIRST):
        return due or NO_REQUIREMENT
    waiting = len(case.snapshot.commands) - (case.request.kind.name == "command_ack")
    waiting += sum("document" in getattr(write, "row", {}) for write in decision.writes if write.table == "commands")
    return FETCH_COMMANDS if waiting > 0 else due or NO_REQUIREMENT


def _due(terminal: Terminal, decision: Decision) -> str:
    """What is due once the decision is written."""
    changes = [getattr(write, "changes", {}) for write in decision.writes if write.table == "terminals"]
    return next((str(change["due"]) for change in changes if "due" in change), terminal.due)


def bare_reply(request: Message, now: datetime, refused: Refused) -> Message:
    """The refusal of a message that never became a case: its kind or a sub-field is not known, or nothing is stored."""
    fields = {number: value for number, value in request.fields.items() if number in ECHOED}
    return _answer(request, reply_mti(request.mti), {**fields, **_refusal_fields(now, refused)}, NO_REQUIREMENT)


def malformed_reply(payload: bytes, error: DecodeError, now: datetime) -> Message | None:
    """The refusal of bytes that begin like a request and do not decode; None where they do not begin so."""
    mti = payload[ENVELOPE_BYTES : ENVELOPE_BYTES + 2].hex()
    if mti not in REQUEST_MTIS:
        return None
    tpdu, header = Tpdu.parse(payload[:TPDU_BYTES]), Header.parse(payload[TPDU_BYTES:ENVELOPE_BYTES])
    refused = Refused("message.malformed", {"what": str(error)})
    return _answer(Message(mti, {}, tpdu, header), reply_mti(mti), _refusal_fields(now, refused), NO_REQUIREMENT)


def refusal_text(refused: Refused) -> str:
    """Field 63 of a refusal."""
    return str(RefusalText(refused.reason, refused.texts()["zh"], ORGANISATION))


def _refusal_fields(now: datetime, refused: Refused) -> dict[int, Value]:
    return {
        F.LOCAL_TIME: f"{now:%H%M%S}",
        F.LOCAL_DATE: f"{now:%m%d}",
        F.RESPONSE_CODE: refused.code,
        F.TEXT: refusal_text(refused),
    }


def _answer(request: Message, mti: str, fields: dict[int, Value], nibble: str) -> Message:
    return Message(mti, fields, *_envelope(request.tpdu, request.header, nibble))


@lru_cache(ENVELOPES_MAX)
def _envelope(tpdu: Tpdu | None, header: Header | None, nibble: str) -> tuple[Tpdu, Header]:
    return (tpdu or Tpdu()).reply(), (header or Header()).reply(nibble)
