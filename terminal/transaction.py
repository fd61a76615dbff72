"""TABLE TRANSITIONS: the life of one transaction in the terminal's book; TABLE JUDGEMENTS: what a reply does to it.

Rules owned here: an outcome that nobody proved is doubt, and doubt is reversed, never guessed (CUP 7.2, invariants C5
and M10). A refund or an advice has no reversal: it stays pending and the same request is sent until it is answered (CUP
3.1). TABLE SIGNS: what a captured row counts; TABLE MOVES_ORIGINAL: what an approval does to the row that it is about.
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
    """Where a transaction stands.

    OFFLINE was approved here and the host does not know it yet; ADJUSTED gave way to a row with another amount; CLEARED
    was dropped by a supervisor with its outcome unknown.
    """

    PENDING = "pending"
    CAPTURED = "captured"
    DECLINED = "declined"
    MUST_REVERSE = "must_reverse"
    REVERSED = "reversed"
    VOIDED = "voided"
    OFFLINE = "offline"
    ADJUSTED = "adjusted"
    CLEARED = "cleared"


class Event(StrEnum):
    """What moves it."""

    APPROVE = "approve"
    DECLINE = "decline"
    DOUBT = "doubt"
    RESEND = "resend"
    REVERSE = "reverse"
    VOID = "void"
    ADJUST = "adjust"
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
        State.OFFLINE: {
            Event.APPROVE: State.CAPTURED,
            Event.DECLINE: State.DECLINED,
            Event.RESEND: State.OFFLINE,
            Event.CLEAR: State.CLEARED,
        },
        State.MUST_REVERSE: {Event.REVERSE: State.REVERSED, Event.CLEAR: State.CLEARED},
        State.CAPTURED: {Event.VOID: State.VOIDED, Event.ADJUST: State.ADJUSTED},
        State.DECLINED: {},
        State.REVERSED: {},
        State.VOIDED: {},
        State.ADJUSTED: {},
        State.CLEARED: {},
    }
)
UNRESOLVED: Final = frozenset({State.PENDING, State.OFFLINE, State.MUST_REVERSE})

_DEBITS: Final = (
    "sale", "qr_sale", "moto_sale", "completion", "completion_advice", "offline_sale", "offline_adjustment",
    "tip_adjustment",
)  # fmt: skip
SIGNS: Final[Mapping[str, int]] = MappingProxyType({**dict.fromkeys(_DEBITS, 1), "refund": -1})
"""What a captured row adds to the batch's net; a kind that is not here moves no money of its own."""

MOVES_ORIGINAL: Final[Mapping[str, Event]] = MappingProxyType(
    {
        "sale_void": Event.VOID,
        "moto_sale_void": Event.VOID,
        "preauth_void": Event.VOID,
        "completion_void": Event.VOID,
        "offline_adjustment": Event.ADJUST,
        "tip_adjustment": Event.ADJUST,
    }
)
UNKNOWN_NUMBER: Final = "000000"
"""Stands for a batch or a STAN that nobody here knows (CUP 2.6)."""


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
FAILED: Final = "96"
FOREIGN: Final = frozenset({"VIS", "MCC", "MAE", "JCB", "DCC", "AMX"})
"""Card organisations in field 63 of a reply whose cards are settled apart (CUP 2.7)."""

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
NOT_COMPLETED: Final = Judgement(Event.DOUBT, FAILED)
"""The host approved, and the card was gone or did not agree."""
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


class Signing(StrEnum):
    """How the cardholder signs: not at all, not for so little, not yet, on the pad, with the host, on paper."""

    NONE = ""
    FREE = "free"
    DUE = "due"
    CAPTURED = "captured"
    UPLOADED = "uploaded"
    PAPER = "paper"


class Key(NamedTuple):
    """What names a transaction of one terminal: the STAN alone wraps (invariants, vocabulary)."""

    batch: str
    stan: str


class Transaction(BaseModel):
    """One row of the book. ``card`` is the masked PAN; ``card_sealed``, hex, only the secure module can read.

    ``capability`` is 60.4 and 60.5 where they are not the usual ones. ``chip`` is what is kept of a chip's objects, and
    ``script`` field 55 of a script result that was not told yet, both hex, neither with card data.

    ``original_*`` name what a void, a refund or a completion is about; ``date`` MMDD and ``time`` hhmmss are the
    host's; ``tries`` counts fruitless reversals up to the alarm; ``order`` is what a QR partner calls the payment.
    ``settlement_date`` is field 15, MMDD; ``printed`` once both copies of the slip came out whole.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    batch: str
    stan: str
    amount_fen: int
    entry_mode: str
    capability: str = ""
    card: str = ""
    card_sealed: str = Field("", repr=False)
    sequence: str = ""
    chip: str = ""
    script: str = ""
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
    organisation: str = ""
    order: str = ""
    settlement_date: str = ""
    signature: Signing = Signing.NONE
    printed: bool = False

    @property
    def is_foreign(self) -> bool:
        """Does the card count as a foreign one (CUP 2.8)?"""
        return self.organisation in FOREIGN

    @property
    def sign(self) -> int:
        """What it counts where it is captured: 1, -1 or 0."""
        return SIGNS.get(self.kind, 0)

    @property
    def key(self) -> Key:
        """Batch and STAN."""
        return Key(self.batch, self.stan)

    @property
    def original_key(self) -> Key | None:
        """The key of the row that it is about, where that is known here."""
        known = self.original_stan not in ("", UNKNOWN_NUMBER)
        return Key(self.original_batch, self.original_stan) if known else None

    @property
    def row(self) -> Kind:
        """Its row of KINDS."""
        return KINDS[self.kind]

    def moved(self, event: Event, **changes: str) -> Transaction:
        """The row after ``event``; empty changes keep what was known. Raises TransitionRefused."""
        known = {name: value for name, value in changes.items() if value}
        return self.model_copy(update={**known, "state": step(self.state, event)})
