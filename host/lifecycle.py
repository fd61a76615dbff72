"""The administrative life of a terminal: TABLE TRANSITIONS and TABLE PERMITS.

Three axes are kept apart (product decision 11): the administrative state lives here as one state machine, the holds are
a set beside it (``host.holds``), and connectivity is only observed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from protocol.downloads import DOWNLOAD_OF
from protocol.kinds import KINDS


class State(StrEnum):
    """Where a terminal stands."""

    ORDERED = "ordered"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    SUBMITTED = "submitted"
    REJECTED = "rejected"
    REGISTERED = "registered"
    ACTIVATED = "activated"
    RETIRING = "retiring"
    STOPPED = "stopped"
    RETIRED = "retired"
    REPLACED = "replaced"
    LOST = "lost"
    TAMPERED = "tampered"


CHINESE_STATES: Final[Mapping[State, str]] = MappingProxyType(
    {
        State.ORDERED: "已订购",
        State.SHIPPED: "已发货",
        State.DELIVERED: "已送达",
        State.SUBMITTED: "待审核",
        State.REJECTED: "已驳回",
        State.REGISTERED: "已注册",
        State.ACTIVATED: "已激活",
        State.RETIRING: "退役中",
        State.STOPPED: "已停用",
        State.RETIRED: "已退役",
        State.REPLACED: "已替换",
        State.LOST: "已挂失",
        State.TAMPERED: "被拆动",
    }
)


class Event(StrEnum):
    """What moves it."""

    SHIP = "ship"
    DELIVER = "deliver"
    SUBMIT = "submit"
    REJECT = "reject"
    APPROVE = "approve"
    ACTIVATE = "activate"
    PLAN = "plan"
    KEEP = "keep"
    STOP = "stop"
    RETIRE = "retire"
    REPLACE = "replace"
    TAKE_OVER = "take over"
    LOSE = "lose"
    TAMPER = "tamper"
    REFURBISH = "refurbish"


_OUT_OF_SERVICE: Final = {Event.REPLACE: State.REPLACED, Event.LOSE: State.LOST, Event.TAMPER: State.TAMPERED}

TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = MappingProxyType(
    {
        State.ORDERED: {Event.SHIP: State.SHIPPED},
        State.SHIPPED: {Event.DELIVER: State.DELIVERED},
        State.DELIVERED: {Event.SUBMIT: State.SUBMITTED, Event.TAKE_OVER: State.REGISTERED},
        State.SUBMITTED: {Event.REJECT: State.REJECTED, Event.APPROVE: State.REGISTERED},
        State.REJECTED: {Event.SUBMIT: State.SUBMITTED},
        State.REGISTERED: {
            Event.ACTIVATE: State.ACTIVATED,
            Event.PLAN: State.RETIRING,
            Event.STOP: State.STOPPED,
            **_OUT_OF_SERVICE,
        },
        State.ACTIVATED: {Event.PLAN: State.RETIRING, Event.STOP: State.STOPPED, **_OUT_OF_SERVICE},
        State.RETIRING: {Event.KEEP: State.REGISTERED, Event.STOP: State.STOPPED, **_OUT_OF_SERVICE},
        State.STOPPED: {Event.RETIRE: State.RETIRED, **_OUT_OF_SERVICE},
        State.RETIRED: {},
        State.REPLACED: {Event.REFURBISH: State.ORDERED},
        State.LOST: {Event.REPLACE: State.REPLACED},
        State.TAMPERED: {Event.REPLACE: State.REPLACED},
    }
)


def step(state: State, event: Event) -> State | None:
    """The next state, or None where the event has no place in this state."""
    return TRANSITIONS[state].get(event)


ALL_KINDS: Final = frozenset(
    {
        "sign_in", "sign_off", "echo", "status_upload", "sale", "sale_void", "refund", "sale_reversal",
        "sale_void_reversal", "settlement", "batch_upload", "batch_end", "why", "command_fetch", "command_ack",
        "firmware_query", "firmware_chunk", "firmware_report", "script_result", "rsa_key",
        "master_key",
        "balance", "qr_sale", "qr_sale_reversal", "moto_sale", "moto_sale_reversal", "moto_sale_void",
        "moto_sale_void_reversal", "preauth", "preauth_reversal", "additional_preauth", "additional_preauth_reversal",
        "preauth_void", "preauth_void_reversal", "completion", "completion_reversal", "completion_advice",
        "completion_void", "completion_void_reversal", "offline_sale", "offline_adjustment", "tip_adjustment",
        "signature_upload", "cashier_sign_in", "registration", "pause", "swap_query", "swap_report",
    }
    | DOWNLOAD_OF.keys()
)  # fmt: skip
"""The kinds that this host serves; every other kind of the protocol gets 40 before any gate is asked."""

REVERSALS: Final = frozenset(name for name in ALL_KINDS if KINDS[name].undoes)
NEEDS_ACTIVATION: Final = frozenset({"refund", "preauth", "additional_preauth"})
INQUIRIES: Final = frozenset({"balance"})
NEW_BUSINESS: Final = frozenset(name for name in ALL_KINDS if KINDS[name].moves_money) - REVERSALS | INQUIRIES
FINISHING: Final = REVERSALS | {"batch_end", "swap_query"}
"""What a device that is gone may still bring to an end."""

HEARD_BARE: Final = frozenset({"status_upload"})
"""What is heard without a MAC from a device whose keys may be gone, and believed with one."""

DRAIN: Final = ALL_KINDS - NEW_BUSINESS
"""What a suspended or stopped terminal may still send (product decision 5)."""

REGISTERING: Final = frozenset({"registration", "swap_query"})
"""All that a terminal may send before it is registered."""

_NOTHING: Final[frozenset[str]] = frozenset()
PERMITS: Final[Mapping[State, frozenset[str]]] = MappingProxyType(
    {
        State.ORDERED: _NOTHING,
        State.SHIPPED: _NOTHING,
        State.DELIVERED: REGISTERING,
        State.SUBMITTED: REGISTERING,
        State.REJECTED: REGISTERING,
        State.REGISTERED: ALL_KINDS - NEEDS_ACTIVATION,
        State.ACTIVATED: ALL_KINDS,
        State.RETIRING: ALL_KINDS,
        State.STOPPED: DRAIN,
        State.RETIRED: FINISHING,
        State.REPLACED: FINISHING,
        State.LOST: FINISHING,
        State.TAMPERED: FINISHING,
    }
)

UNREGISTERED: Final = frozenset(state for state, kinds in PERMITS.items() if kinds <= REGISTERING)
ABSENT: Final = frozenset({State.RETIRED, State.REPLACED, State.LOST, State.TAMPERED})
IN_SERVICE: Final = frozenset({State.REGISTERED, State.ACTIVATED, State.RETIRING})
