"""Every naive bug is found, by an invariant that is meant to find it: the proof is alive."""

from __future__ import annotations

import ast
from pathlib import Path
from unittest.mock import patch

import pytest

import pos_lab.sim.checker
from pos_lab.sim.run import Result, run_seed
from pos_lab.sim.shrink import shrink
from pos_lab.sim.story import story
from tests.pos_lab.sim.mutants import MUTANTS, SEEDS


def _found(name: str) -> list[Result]:
    """Seeds that fail, until every invariant has found the bug that must."""
    mutant, left, failing = MUTANTS[name], set(MUTANTS[name].ids), list[Result]()
    for seed in range(mutant.seed, mutant.seed + SEEDS):
        result = mutant.lived(seed)
        if ids := left & {violation.id for violation in result.violations}:
            failing.append(result)
            left -= ids
        if not left:
            return failing
    raise AssertionError(f"{name} is not found by {', '.join(sorted(left))} in {SEEDS} seeds")


@pytest.mark.parametrize("name", MUTANTS)
def test_the_bug_is_found(name: str) -> None:
    """A bug that is known from the field would pass the proof, or be found by chance by what is not meant to."""
    assert _found(name)


def test_without_a_bug_the_same_seeds_pass() -> None:
    """The proof would find fault with a sound host, and nobody would listen to it any more."""
    seeds = {(mutant.seed, mutant.profile) for mutant in MUTANTS.values()}
    assert all(run_seed(seed, profile).passed for seed, profile in sorted(seeds))


def test_small_journals_alone_break_nothing() -> None:
    """The room that a journal leaves to reversals would be missed because it is small, not because nobody asked."""
    with patch("firmware_sim.chips.SIZES", MUTANTS["no_room_asked"].patches["firmware_sim.chips.SIZES"]):
        assert all(run_seed(seed, "calm").passed for seed in range(4))


def test_an_adjustment_of_a_closed_batch_is_in_order() -> None:
    """A host that keeps its closed batches as they are would be found fault with, and not that which edits them."""
    mutant = MUTANTS["closed_batch_edited"]
    sound = {target: bug for target, bug in mutant.patches.items() if "BatchState" not in target}
    with mutant._replace(patches=sound).at_work():
        result = run_seed(mutant.seed, mutant.profile, scale=mutant.scale, until=mutant.ids)
    assert "S6" not in {violation.id for violation in result.violations}


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
        result = next(result for seed in range(SEEDS) if not (result := run_seed(seed, mutant.profile)).passed)
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
    ours = {"host", "terminal", "firmware_sim", "pos_lab", "tests"}
    files = [*Path(pos_lab.sim.checker.__file__).parent.rglob("*.py")]
    assert len(files) > 10
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [node.module or ""]
            for name in names:
                is_own = name.startswith("pos_lab.sim.checker.")
                assert name.partition(".")[0] not in ours or is_own, f"{file.name} imports {name}"
