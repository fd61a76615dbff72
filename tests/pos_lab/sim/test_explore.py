"""Scenarios under the faults of many seeds: what a fault may break is no violation, what money may not bear is one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pos_lab.scenario.files import scenario_files, shipped
from pos_lab.sim.explore import explore
from pos_lab.sim.shrink import shrink
from pos_lab.sim.subject import Subject
from tests.end_to_end.shop import poslab
from tests.pos_lab.sim.mutants import MUTANTS
from tests.pos_lab.sim.test_scenario_virtual import SALES, written

FILES = scenario_files([str(shipped(""))])
STORY = SALES + "  - void: {terminal: till, of: first}\n  - settle: {terminal: till}\n"
STORY = STORY.replace("amount: 60.00}", "amount: 60.00, as: first}")
SEEDS_MAX = 40


@pytest.mark.parametrize("file", FILES, ids=lambda file: Path(file).stem)
def test_a_shipped_scenario_holds_where_nothing_fails(file: str) -> None:
    """Every seed would find what the examiner misunderstands, and nothing else."""
    assert [(found.id, found.finding) for found in explore(file, 0, "calm").violations] == []


@pytest.mark.parametrize("profile", ["network", "adversary"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: Path(file).stem)
def test_a_shipped_scenario_holds_under_faults(file: str, profile: str) -> None:
    """A tester would look for money that nobody has lost.

    A stranger's copies were refused under an RRN of their own each time (I1: bad_day, seed 0); a spare device was
    blamed for what the broken one had not reversed (M12: repair, seeds 1 and 3).
    """
    results = [explore(file, seed, profile) for seed in range(4)]
    assert [(result.seed, result.violations) for result in results if not result.passed] == []


@pytest.mark.parametrize("profile", ["network", "power", "storage", "adversary", "everything"])
def test_what_a_fault_may_break_is_no_violation(profile: str, tmp_path: Path) -> None:
    """A sale that was not approved in a storm would be told as lost money."""
    results = [explore(written(tmp_path, STORY), seed, profile) for seed in range(6)]
    assert [(result.seed, result.violations) for result in results if not result.passed] == []
    assert sum(len(result.faults) for result in results) > 6
    assert any({"unknown", "refused"} & result.results.keys() for result in results)


def test_a_seed_is_the_same_story_again(tmp_path: Path) -> None:
    """A finding could not be shown to anybody."""
    file = written(tmp_path, STORY)
    one, two, other = (explore(file, seed, "everything") for seed in (3, 3, 4))
    assert (one.digest, one.faults) == (two.digest, two.faults)
    assert one.digest != other.digest


def test_what_the_scenario_states_happens_as_well(tmp_path: Path) -> None:
    """The seeds would explore another story than the one that was written."""
    file = written(tmp_path, STORY, "[{kind: net.lost, at: 1}]")
    assert explore(file, 0, "calm").faults == ("net.lost@till#1",)


def test_a_depot_that_was_interrupted_loads_the_keys_again(tmp_path: Path) -> None:
    """A seed would blame the terminal for a key that nobody loaded."""
    loaded = "  - load_keys: {terminal: till}\n"
    file = Path(written(tmp_path, "  - settle: {terminal: till}\n"))
    cut = loaded + "    faults: [{kind: power.cut, at: 1}]\n"
    file.write_text(file.read_text(encoding="utf-8").replace(loaded, cut), encoding="utf-8")
    result = explore(str(file), 0, "calm")
    assert (result.faults, result.violations) == (("power.cut@till#1",), ())


def test_a_story_without_its_registration_ends(tmp_path: Path) -> None:
    """Shrinking takes out whatever it can: it would end in a stack trace at the step that registers the device."""
    file = written(tmp_path, STORY)
    registration = next(step for step in explore(file, 0, "calm").intents if "line" in step)
    result = explore(file, 0, "calm", suppressed=frozenset({registration}))
    assert result.violations == ()
    assert registration not in result.intents


def test_a_bug_is_found_and_made_small(tmp_path: Path) -> None:
    """A host that loses money would pass every seed, or nobody could see why it does not."""
    file = written(tmp_path, STORY)
    with MUTANTS["silence_is_no"].at_work():
        failing = next(result for seed in range(SEEDS_MAX) if not (result := explore(file, seed, "network")).passed)
        small = shrink(failing, Subject(scenario=file))
    assert {found.id for found in failing.violations} & {"M1", "M4"}
    assert small.result.violations[0].id == failing.violations[0].id
    assert len(small.result.faults) <= 2
    assert len(small.result.intents) < len(failing.intents)


def test_a_story_that_crashes_is_told_with_its_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night of seeds would end at the first defect, and nobody know at which seed."""

    def stumble(*_: object) -> None:
        raise KeyError("read")

    monkeypatch.setattr("terminal.app.tell_read", stumble)
    (found,) = explore(written(tmp_path, STORY), 3, "calm").violations
    assert (found.id, "KeyError in stumble (test_explore.py:" in found.finding) == ("D4", True)


def test_the_command_line_explores_a_scenario(tmp_path: Path) -> None:
    """A tester would need a developer to try his story under faults."""
    file = written(tmp_path, STORY)
    done = poslab("sim", "--scenario", file, "--seeds", "5", "--profile", "network", "--json", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert (done.returncode, document["passed"], document["seeds"]) == (0, True, 5)
    assert document["kinds"]
    assert Subject(scenario=file).command(explore(file, 2, "power")) == (
        f"poslab sim --seed 2 --profile power --scenario {file}"
    )


def test_a_scenario_with_mistakes_is_told_before_any_seed(tmp_path: Path) -> None:
    """A night of seeds would end in a stack trace."""
    refused = poslab("sim", "--scenario", written(tmp_path, "  - setle: {terminal: till}\n"), cwd=tmp_path)
    assert refused.returncode == 2
    assert "did you mean 'settle'?" in refused.stderr
