"""Every invariant of the design is asked of every world, or proven by a test elsewhere; and each is alive."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pos_lab.sim.checker.evidence import Damage
from pos_lab.sim.checker.examiner import Examiner
from pos_lab.sim.checker.invariants import INVARIANTS
from pos_lab.sim.run import run_seed
from tests.pos_lab.sim.mutants import MUTANTS

ROOT = Path(__file__).parents[3]
COUNTS = {"M": 15, "S": 10, "J": 9, "I": 7, "L": 9, "C": 5, "K": 5, "F": 5, "W": 3, "G": 5, "P": 4, "D": 5}
"""The sections of the design and how many invariants they have."""
IDS = tuple(f"{section}{number}" for section, count in COUNTS.items() for number in range(1, count + 1))
ELSEWHERE = {
    "P3": "tests/pos_lab/test_logs.py::test_a_hostile_name_is_one_line_of_text",
    "P4": "tests/host/web/test_api.py::test_no_get_changes_anything",
    "D1": "tests/pos_lab/sim/test_seeds.py::test_the_same_seed_is_the_same_run_everywhere",
    "D5": "tests/pos_lab/sim/test_time.py::test_clocks_that_jump_by_years_move_no_money",
}
"""What no world can be asked, or not one alone: the test that asks it."""


def test_the_design_has_as_many() -> None:
    """A section would be forgotten with all that it says."""
    assert len(IDS) == 82


def test_every_invariant_is_asked_or_proven_elsewhere() -> None:
    """The proof would be of what was easy to prove."""
    asked = {invariant.id for invariant in INVARIANTS}
    assert asked | ELSEWHERE.keys() == set(IDS)
    assert not asked & ELSEWHERE.keys()


def test_the_table_is_in_the_order_of_the_design() -> None:
    """The page of reference would have to be searched for what stands beside it in the design."""
    order = [IDS.index(invariant.id) for invariant in INVARIANTS]
    assert order == sorted(order)


@pytest.mark.parametrize("where", ELSEWHERE.values())
def test_what_proves_the_others_is_there(where: str) -> None:
    """A test would be renamed away, and an invariant be proven by nothing."""
    file, _, name = where.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_invariant_has_a_bug_that_it_finds_by_itself() -> None:
    """An invariant that never fails may be one that cannot."""
    killed = {name for mutant in MUTANTS.values() for name in mutant.ids}
    assert {invariant.id for invariant in INVARIANTS} <= killed
    assert killed <= {invariant.id for invariant in INVARIANTS}
    assert len(MUTANTS) >= 40


def test_worlds_ask_every_invariant(monkeypatch: pytest.MonkeyPatch) -> None:
    """The examiner would be deaf to a whole kind of event, and every invariant that is asked at it hold for ever."""
    heard: set[type[object]] = set()
    ask = Examiner._ask

    def listening(self: Examiner, event: object) -> None:
        heard.add(type(event))
        ask(self, event)

    monkeypatch.setattr(Examiner, "_ask", listening)
    for seed in range(6):
        run_seed(seed, "everything")
    damage = {Damage}  # which no sound device shows
    assert heard >= {invariant.event for invariant in INVARIANTS} - damage
