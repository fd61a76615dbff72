"""Whole worlds: no seed finds a difference between the books, and every seed is the same run again."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from pos_lab.sim.faults import KINDS
from pos_lab.sim.markers import MARKERS, Sightings
from pos_lab.sim.profiles import PROFILES
from pos_lab.sim.run import Result, run_seed
from pos_lab.sim.world import Scale, SimWorld
from terminal.idle import Idle
from terminal.session import Session

ROOT = Path(__file__).parents[3]
SEEDS = 500
CHUNK = 25
SHORT = Scale(shops_max=2, intents=4)
"""The worlds of the short form; ``poslab sim`` lives larger ones."""


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_no_seed_finds_a_difference(first: int) -> None:
    """A customer would be charged for what the shop never sold, or the shop would sell for nothing."""
    failed = [result for seed in range(first, first + CHUNK) if not (result := run_seed(seed, scale=SHORT)).passed]
    assert not failed, [(result.seed, result.profile, result.violations[0]) for result in failed]


def test_calm_worlds_do_business_and_others_suffer() -> None:
    """The proof would be of shops that sell nothing, or of days on which nothing happens."""
    calm = [run_seed(seed, "calm") for seed in range(6)]
    assert min(result.results.get("approved", 0) for result in calm) >= 3
    assert sum(result.results["approved"] for result in calm) > 40
    assert not any(result.faults for result in calm)
    rough = [run_seed(seed, "everything") for seed in range(15)]
    assert median(len(result.faults) for result in rough) >= 12
    kinds: Counter[str] = sum((Counter(result.fired) for result in rough), Counter())
    assert len(kinds) > 60
    sold = [result.results.get("approved", 0) for result in rough]
    assert sum(map(bool, sold)) >= 10, "in most of the worst worlds something is sold"
    assert sum(sold) >= 2 * len(rough)


def test_every_kind_of_a_profile_is_known_and_some_profile_has_it() -> None:
    """A fault would be counted under a name that no table explains, or never happen."""
    used = {kind for rates in PROFILES.values() for kind in rates}
    assert used == set(KINDS)


def test_worlds_live_through_the_life_of_terminals() -> None:
    """The books would be proven for tills that nobody ever updates, swaps, stops or replaces."""
    results = [run_seed(seed) for seed in range(100, 140)]
    acts: Counter[str] = sum((Counter(result.acts) for result in results), Counter())
    markers: Counter[str] = sum((Counter(result.markers) for result in results), Counter())
    assert acts.keys() >= {"hold", "release", "announce", "recommend_firmware", "begin_swap", "replace", "renew_tmk"}
    assert acts.keys() >= {"publish_parameters", "publish_policy", "amend_rate", "clock_advance", "payout"}
    assert markers.keys() >= {"swap_taken_over", "swap_wiped", "command_carried_out", "parameters_downloaded"}
    assert markers.keys() >= {"device_written_off", "offline_uploaded", "reversal_repeated", "firmware_refused"}
    assert markers.keys() <= MARKERS.keys()


def test_a_marker_without_a_row_is_a_mistake() -> None:
    """A misspelt marker would be waited for in vain."""
    with pytest.raises(KeyError):
        Sightings().sometimes("pigs_fly")


SCRIPT = """
import sys
from pos_lab.sim.run import run_seed
from pos_lab.sim.world import Scale, SimWorld
for seed in range(20):
    print(seed, run_seed(seed, "everything", scale=Scale(2, 6)).digest)
"""


def _digests(folder: Path, **variables: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_same_seed_is_the_same_run_everywhere(tmp_path: Path) -> None:
    """A seed that fails on one machine could not be looked at on another."""
    here = _digests(ROOT, PYTHONHASHSEED="0", TZ="UTC")
    there = _digests(tmp_path, PYTHONHASHSEED="4711", TZ="America/New_York")
    assert here == there
    assert len(set(here.split())) == 2 * 20


def test_a_seed_is_the_same_run_after_others() -> None:
    """What one world leaves in the process would change the next one."""

    def lived(seed: int) -> Result:
        return run_seed(seed, "everything")

    alone = lived(3)
    lived(4)
    again = lived(3)
    assert (alone.digest, alone.faults) == (again.digest, again.faults)
    assert alone.digest != run_seed(3, "everything", suppressed=frozenset(alone.faults[:1])).digest


def test_no_garbage_is_collected_inside_a_world_and_none_is_left_behind() -> None:
    """Seeds would take a tenth longer, or a long run would fill the memory of the machine."""
    collected: list[int] = []
    watching = lambda phase, info: collected.append(info["generation"]) if phase == "stop" else None  # noqa: E731
    others = _worlds()
    run_seed(0, "calm", scale=SHORT)
    gc.callbacks.append(watching)
    try:
        run_seed(0, "calm", scale=SHORT)
    finally:
        gc.callbacks.remove(watching)
    assert gc.isenabled()
    assert len(collected) <= 2
    assert _worlds() <= others


def _worlds() -> set[SimWorld]:
    """Those that are still in the memory of this process, which may be another test's."""
    return {one for one in gc.get_objects() if isinstance(one, SimWorld)}


def test_a_world_that_breaks_off_is_told_by_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of 200,000 seeds would end at the first crash, and nobody could play it again."""

    def stumble(session: Session, row: object = None) -> None:
        raise KeyError("read")

    monkeypatch.setattr("terminal.app.tell_read", stumble)
    (found,) = run_seed(0, "calm", scale=Scale(1, 4)).violations
    assert found.id == "D4"
    assert re.fullmatch(r"KeyError in stumble \(test_seeds\.py:[0-9]+\): 'read'", found.finding)


def test_a_traceback_in_a_world_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A till would fill its log with tracebacks whenever nobody looks, and every seed pass."""

    def stumble(idle: Idle) -> None:
        raise KeyError("screen")

    monkeypatch.setattr(Idle, "_rest_again", stumble)
    found = run_seed(0, "calm", scale=Scale(1, 4)).violations
    assert [(each.id, each.finding) for each in found] == [("D4", "KeyError in a callback: 'screen'")]
