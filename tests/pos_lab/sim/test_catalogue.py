"""The fault catalogue: every row is brought about in worlds, or by a test that there is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import pos_lab.scenario
from pos_lab.sim.catalogue import ELSEWHERE, IDS, WORKLOAD
from pos_lab.sim.faults import KINDS

ROOT = Path(__file__).parents[3]
NOTHING_TO_TRY = {"U10"}
"""Rows about what the product does not have."""


def test_every_row_is_brought_about_or_explained() -> None:
    """A fault that everybody takes for tried would never have happened anywhere."""
    in_worlds = {row for kind in KINDS.values() for row in kind.rows.split()} | WORKLOAD.keys()
    assert len(IDS) == len(set(IDS)) == 142
    assert in_worlds | ELSEWHERE.keys() == set(IDS)
    assert not in_worlds & ELSEWHERE.keys()
    assert {identifier for identifier, row in ELSEWHERE.items() if not row.tests} == NOTHING_TO_TRY


@pytest.mark.parametrize("identifier", ELSEWHERE)
def test_what_shows_a_row_elsewhere_is_there(identifier: str) -> None:
    """A test would be renamed or moved away, and a fault be tried by nobody."""
    for test in ELSEWHERE[identifier].tests.split():
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
        assert name in {getattr(node, "name", "") for node in ast.walk(tree)}


def test_no_text_of_a_scenario_is_run_as_a_pattern() -> None:
    """A scenario could keep the machine busy for ever with a pattern whose cost doubles at each letter (X07)."""
    files = [*Path(pos_lab.scenario.__path__[0]).rglob("*.py")]
    assert files
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.module == "re")
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
                assert isinstance(node.args[0], ast.Constant), f"{file.name}:{node.lineno}"
