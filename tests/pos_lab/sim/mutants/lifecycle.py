"""Bugs that break invariants of lifecycle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from host import engine as _engine
from host.admin import ending as _ending
from host.decision import Decision, Delete, Insert
from host.lifecycle import PERMITS, State
from host.policy import Activation
from protocol.money import yuan
from tests.pos_lab.sim.mutants.mutant import Mutant
from tests.pos_lab.sim.mutants.parts import GatesWithout, case_with


def _activate_early(case: Any, decision: Decision) -> Any:
    policy = case.policy.model_copy(update={"activation": Activation(turnover_fen=5_000)})
    return _activate(case_with(case, policy=policy), decision)


def _activate_never(case: Any, decision: Decision) -> list[Any]:
    return []


def _about_nobody(actor: str, serial_number: str, act: str, detail: str, at: int) -> Insert:
    return Insert("audit", {"at": at, "actor": actor, "serial_number": "", "act": act, "detail": detail})


def _one_yuan_more(fen: int) -> str:
    return yuan(fen + 100)


def _nothing_refused(case: Any, gates: Any) -> None:
    return None


def _one_forgotten(desk: Any, title: str, kind: str, subject: str, dated: Any) -> int:
    number = _begin(desk, title, kind, subject, dated)
    for item in dated[-1:]:
        desk.books.write(Delete("campaign_items", {"campaign": number, "serial_number": item.serial_number}))
    return number


_activate = _engine._activate
_begin = _ending.begin


LIFECYCLE: Final[Mapping[str, Mutant]] = {
    "moved_by_nobody": Mutant(
        "a terminal moves on and nobody says who moved it", "adversary", "L1", {"host.retirement.audit": _about_nobody}
    ),
    "activated_early": Mutant(
        "a terminal is activated by half", "calm", "L2", {"host.engine._activate": _activate_early},
        seed=5,
    ),
    "activated_never": Mutant(
        "a terminal is never activated", "calm", "L2", {"host.engine._activate": _activate_never}
    ),
    "turnover_counted_apart": Mutant(
        "a terminal is told a turnover that a counter of its own has", "calm", "L3",
        {"host.gates.yuan": _one_yuan_more},
        seed=13,
    ),
    "hold_ignored": Mutant(
        "a suspended terminal sells", "adversary", "L4", {"host.gates._asked": GatesWithout("held")}
    ),
    "any_firmware_sells": Mutant(
        "a terminal sells under firmware that is too old or blocked", "adversary", "L4",
        {"host.gates._asked": GatesWithout("firmware")},
        seed=2,
    ),
    "stop_ignored": Mutant(
        "a stopped terminal sells", "adversary", "L5",
        {"host.gates._asked": GatesWithout("stopped", "not activated")},
        seed=6,
    ),
    "stop_strands": Mutant(
        "a stopped terminal may not even settle", "adversary", "L6",
        {"host.gates.PERMITS": {**PERMITS, State.STOPPED: frozenset()}},
        seed=6,
    ),
    "why_is_silent": Mutant(
        "a stopped terminal is told that nothing stands against it", "adversary", "L7",
        {"host.handlers.commands.first_refusal": _nothing_refused},
    ),
    "pause_for_ever": Mutant(
        "the host keeps a pause that is over", "calm", "L8", {"host.handlers.pause.lift": lambda *about: []},
        seed=6,
    ),
    "campaign_forgets": Mutant(
        "a campaign loses one of its terminals", "calm", "L9", {"host.admin.ending.begin": _one_forgotten},
        seed=4,
    ),
}  # fmt: skip
