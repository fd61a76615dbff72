"""Every naive bug is found, by an invariant that is meant to find it: the proof is alive."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import pos_lab.sim.checker
from pos_lab.sim.checker.invariants import INVARIANTS
from pos_lab.sim.run import Result, run_seed
from pos_lab.sim.shrink import shrink
from pos_lab.sim.story import story
from tests.pos_lab.sim.mutants import MUTANTS

SEEDS = 160


def _first_failing(name: str) -> Result:
    mutant = MUTANTS[name]
    for seed in range(mutant.first_seed, mutant.first_seed + SEEDS):
        result = run_seed(seed, mutant.profile)
        if not result.passed:
            return result
    raise AssertionError(f"{name} is not found by {SEEDS} seeds")


@pytest.mark.parametrize("name", MUTANTS)
def test_the_bug_is_found(name: str) -> None:
    """A bug that is known from the field would pass the proof."""
    with MUTANTS[name].at_work():
        result = _first_failing(name)
    assert result.violations[0].id in MUTANTS[name].caught_by.split()


def test_without_a_bug_the_same_seeds_pass() -> None:
    """The proof would find fault with a sound host, and nobody would listen to it any more."""
    seeds = {(mutant.first_seed, mutant.profile) for mutant in MUTANTS.values()}
    assert all(run_seed(seed, profile).passed for seed, profile in sorted(seeds))


def test_bugs_are_put_in_for_a_block_only() -> None:
    """A bug of a test would stay at work in all tests behind it."""
    from host.handlers import undo

    usual = undo._tombstone
    with MUTANTS["no_tombstone"].at_work():
        assert undo._tombstone is not usual
    assert undo._tombstone is usual


def test_a_failing_seed_is_made_small_and_told() -> None:
    """Whoever looks at a failing seed would have to read a hundred events of which three matter."""
    mutant = MUTANTS["reversed_unanswered"]
    with mutant.at_work():
        result = _first_failing("reversed_unanswered")
        shrunk = shrink(result)
    assert shrunk.result.violations[0].id == result.violations[0].id
    assert len(shrunk.result.faults) < len(result.faults)
    assert len(shrunk.result.intents) <= len(result.intents)
    told = "\n".join(story(shrunk.result, "poslab sim --seed 1"))
    assert "M12 does not hold" in told
    assert "poslab sim --seed 1" in told
    assert "──▶ 0200" in told
    with pytest.raises(ValueError, match="has not failed"):
        shrink(run_seed(0, "calm"))


def test_the_examiner_knows_nothing_of_those_it_examines() -> None:
    """A mistake of the host's would be made by its examiner too, and never be found."""
    allowed = ("pos_lab.sim.checker", "protocol.", "__future__")
    for file in Path(pos_lab.sim.checker.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                ours = node.module.partition(".")[0] in ("host", "terminal", "firmware_sim", "pos_lab")
                assert not ours or node.module.startswith(allowed), f"{file.name} imports {node.module}"


def test_most_invariants_are_killed_by_a_mutant() -> None:
    """An invariant that never fails may be one that cannot."""
    killed = {name for mutant in MUTANTS.values() for name in mutant.caught_by.split()}
    unproven = {invariant.id for invariant in INVARIANTS} - killed
    assert unproven <= {"M3"}
