"""TABLE TRANSITIONS: the life of one transaction in the terminal's book; TABLE JUDGEMENTS: what a reply does to it.

Rules owned here: an outcome that nobody proved is doubt, and doubt is reversed, never guessed (CUP 7.2, invariants C5
and M10). A refund has no reversal: it stays pending and the same request is sent until it is answered (CUP 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from protocol.kinds import KINDS, Kind
from terminal.errors import TransitionRefused


class State(StrEnum):
    """Where a transaction stands. CLEARED was dropped by a supervisor with its outcome unknown."""

    PENDING = "pending"
    CAPTURED = "captured"
    DECLINED = "declined"
    MUST_REVERSE = "must_reverse"
    REVERSED = "reversed"
    VOIDED = "voided"
    CLEARED = "cleared"


class Event(StrEnum):
    """What moves it."""

    APPROVE = "approve"
    DECLINE = "decline"
    DOUBT = "doubt"
    RESEND = "resend"
    REVERSE = "reverse"
    VOID = "void"
    CLEAR = "clear"


TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = MappingProxyType(
    {
        State.PENDING: {
            Event.APPROVE: State.CAPTURED,
            Event.DECLINE: State.DECLINED,
            Event.DOUBT: State.MUST_REVERSE,
            Event.RESEND: State.PENDING,
            Event.CLEAR: State.CLEARED,
        },
        State.MUST_REVERSE: {Event.REVERSE: State.REVERSED, Event.CLEAR: State.CLEARED},
        State.CAPTURED: {Event.VOID: State.VOIDED},
        State.DECLINED: {},
        State.REVERSED: {},
        State.VOIDED: {},
        State.CLEARED: {},
    }
)
UNRESOLVED: Final = frozenset({State.PENDING, State.MUST_REVERSE})


def step(state: State, event: Event) -> State:
    """The next state; raises TransitionRefused where the event has no place in this state."""
    following = TRANSITIONS[state].get(event)
    if following is None:
        raise TransitionRefused(f"{event} has no place in a transaction that is {state}")
    return following


class Mac(Enum):
    """What field 64 of a reply proves."""

    GOOD = "good"
    BAD = "bad"
    ABSENT = "absent"


class Judgement(NamedTuple):
    """The event, and the reason that a reversal will give in field 39 (CUP 7.2)."""

    event: Event
    reason: str = ""


NO_REPLY: Final = "98"
BAD_MAC: Final = "A0"
OTHER: Final = "06"

# approved, MAC -> what happens, where every reply needs its MAC
JUDGEMENTS: Final[Mapping[tuple[bool, Mac], Judgement]] = MappingProxyType(
    {
        (True, Mac.GOOD): Judgement(Event.APPROVE),
        (True, Mac.BAD): Judgement(Event.DOUBT, BAD_MAC),
        (True, Mac.ABSENT): Judgement(Event.DOUBT, BAD_MAC),
        (False, Mac.GOOD): Judgement(Event.DECLINE),
        (False, Mac.BAD): Judgement(Event.DOUBT, BAD_MAC),
        (False, Mac.ABSENT): Judgement(Event.DOUBT, OTHER),
    }
)
SILENCE: Final = Judgement(Event.DOUBT, NO_REPLY)
_BELIEVED: Final = Judgement(Event.DECLINE)


def judge(kind: Kind, *, approved: bool, mac: Mac, decline_needs_mac: bool, leaves_doubt: bool = False) -> Judgement:
    """What the reply to a money request of ``kind`` does; ``leaves_doubt`` is what its response code says."""
    if leaves_doubt:
        return in_doubt(kind, Judgement(Event.DOUBT, OTHER))
    if not approved and mac is Mac.ABSENT and not decline_needs_mac:
        return _BELIEVED
    return in_doubt(kind, JUDGEMENTS[approved, mac])


def in_doubt(kind: Kind, judgement: Judgement) -> Judgement:
    """The same judgement, but a kind without a reversal is sent again instead."""
    if judgement.event is Event.DOUBT and not kind.reversal:
        return Judgement(Event.RESEND)
    return judgement


class Key(NamedTuple):
    """What names a transaction of one terminal: the STAN alone wraps (invariants, vocabulary)."""

    batch: str
    stan: str


class Transaction(BaseModel):
    """One row of the book. ``card`` is the masked PAN; ``card_sealed``, hex, only the secure module can read.

    ``original_*`` name what a void or a refund is about; ``date`` MMDD and ``time`` hhmmss are the host's; ``tries``
    counts fruitless reversals up to the alarm.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    batch: str
    stan: str
    amount_fen: int
    entry_mode: str
    card: str = ""
    card_sealed: str = Field("", repr=False)
    original_batch: str = ""
    original_stan: str = ""
    original_date: str = ""
    original_rrn: str = ""
    original_auth_id: str = ""
    state: State = State.PENDING
    reason: str = ""
    tries: int = 0
    code: str = ""
    rrn: str = ""
    auth_id: str = ""
    date: str = ""
    time: str = ""

    @property
    def key(self) -> Key:
        """Batch and STAN."""
        return Key(self.batch, self.stan)

    @property
    def row(self) -> Kind:
        """Its row of KINDS."""
        return KINDS[self.kind]

    def moved(self, event: Event, **changes: str) -> Transaction:
        """The row after ``event``; empty changes keep what was known. Raises TransitionRefused."""
        known = {name: value for name, value in changes.items() if value}
        return self.model_copy(update={**known, "state": step(self.state, event)})
