"""What is left to a terminal whose keys were erased: to say so, to show its journal, to be sent in (invariant K4).

Rules owned here: TABLE AFTER_TAMPER, the flows that need no key; TABLE MODULE_REFUSALS, what is told where the secure
module refuses in the middle of a flow; TABLE ALARMS, what the display and the audit trail say about keys.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from firmware_sim.errors import NotRecorded, SecureModuleError
from firmware_sim.secure_module import KeyState, SecureModule
from terminal.outcome import Outcome, local
from terminal.session import Session

log = logging.getLogger("poslab.terminal")
AFTER_TAMPER: Final = frozenset({"echo", "status", "why", "notices", "reprint", "clear_reversal"}) | {
    "log_on",
    "log_off",
    "audit",
}
"""Flows; every other one is refused at once."""

# code of a SecureModuleError -> reason of LOCAL
MODULE_REFUSALS: Final[Mapping[str, str]] = MappingProxyType(
    {"tampered": "terminal.tampered", "no_key": "terminal.keys_gone", "locked": "terminal.keys_locked"}
)
_AUDIT: Final = "security alarm"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A row of ALARMS: ``sounds`` says whether it is on."""

    name: str
    chinese: str
    english: str
    sounds: Callable[[SecureModule], bool]


ALARMS: Final = (
    Alarm(
        "tampered",
        "警报：机壳被打开，密钥已清除，请停用并联系收单机构",
        "alarm: the case was opened and the keys are erased, stop using it and call the acquirer",
        lambda module: module.key_state is KeyState.TAMPERED,
    ),
    Alarm(
        "locked",
        "警报：密钥多次装载失败，已锁定，请联系收单机构",
        "alarm: too many bad keys were loaded, loading is locked, call the acquirer",
        lambda module: module.is_locked,
    ),
    Alarm(
        "keys_given_up",
        "警报：连续收到错误MAC，工作密钥已清除",
        "alarm: one bad MAC came after the other, the working keys are erased",
        lambda module: module.counters["keys_given_up"] > 0,
    ),
)


def after_tamper(session: Session, flow: str) -> Outcome | None:
    """The refusal of a flow that needs keys which are gone for ever, else None."""
    if session.board.secure_module.key_state is KeyState.TAMPERED and flow not in AFTER_TAMPER:
        return local(flow, "terminal.tampered")
    return None


def module_refusal(flow: str, error: SecureModuleError) -> Outcome:
    """What is told where the secure module refused and nothing was sent; raises ``error`` where no row has its code."""
    reason = MODULE_REFUSALS.get(error.code)
    if reason is None:
        raise error
    return local(flow, reason)


def sound(session: Session) -> None:
    """Show every alarm that is on and that was not shown since power-on, and note it where there is room.

    A wiped device has none.
    """
    for alarm in () if session.book.is_wiped else ALARMS:
        if alarm.name not in session.alarmed and alarm.sounds(session.board.secure_module):
            session.alarmed.add(alarm.name)
            session.show(alarm.chinese, alarm.english)
            if all((event.what, event.detail) != (_AUDIT, alarm.name) for event in session.book.events):
                _note(session, alarm)


def _note(session: Session, alarm: Alarm) -> None:
    try:
        session.note(_AUDIT, alarm.name)
    except NotRecorded as error:  # what is in the memory must stay readable
        log.warning("the alarm %s is not in the audit trail: %s", alarm.name, error)
