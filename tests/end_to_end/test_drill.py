"""The emergency stop that is drilled: every point of the protocol, a report, a timer (product T6)."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest
from typer.testing import CliRunner

from firmware_sim.network import NETWORKS
from host.policy import Activation, Gates, Policy
from pos_lab import drill as drilled
from pos_lab.commands.drill import app
from pos_lab.drill import STAGES, drill

LEAST_CUTS = 40


@pytest.mark.feature("T6", "K")
async def test_the_power_may_go_anywhere_between_the_order_and_the_wipe(tmp_path: Path) -> None:
    """A stop in an emergency is the one that nobody can try again: money would be lost, or keys left in a device."""
    report = await drill(tmp_path, network=NETWORKS["direct"], limit_s=600)
    assert (report.passed, report.failed, report.violations) == (True, (), ())
    assert {"line.send", "journal.barrier", "keys.erase"} <= set(report.points)
    assert len(report.runs) > LEAST_CUTS
    assert {run.phase for run in report.runs[1:]} == {"before", "after"}
    assert all(list(run.reached_s) == ["refused", "told", "settled", "handed over", "wiped"] for run in report.runs)


@pytest.mark.feature("T6")
@pytest.mark.parametrize(("words", "status"), [([], 0), (["--limit", "0.1"], 1)])
def test_the_report_is_for_people_and_for_programs(
    monkeypatch: pytest.MonkeyPatch, words: list[str], status: int
) -> None:
    """A pipeline could not tell whether the drill went well, nor a person why it did not."""
    due = drilled._due
    monkeypatch.setattr(drilled, "_due", lambda points, *, every: islice(due(points, every=every), 2))
    if words:
        monkeypatch.setattr(drilled.Run, "lasted_s", 1.0)
    told = json.loads(CliRunner().invoke(app, ["--json", *words]).stdout)
    assert (told["passed"], told["cuts"], len(told["failed"])) == (not status, 2, 3 if status else 0)
    assert [row["stage"] for row in told["stages"]] == ["refused", "told", "settled", "handed over", "wiped"]
    done = CliRunner().invoke(app, ["--lang", "zh", *words])
    assert done.exit_code == status
    assert ("结论：未通过" if status else "结论：通过") in done.stdout


@pytest.mark.feature("T6")
async def test_the_timer_of_a_drill_fails_what_is_too_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet would be said to stop in a minute, and need an hour."""
    monkeypatch.setattr(drilled, "_due", lambda points, *, every: [])
    report = await drill(tmp_path, network=NETWORKS["direct"], limit_s=1e-6)
    assert not report.passed
    assert [(run.point, run.finding) for run in report.failed] == [("nowhere", "")]
    assert report.failed[0].lasted_s == report.worst_s("wiped") > report.worst_s("settled") > 0


@pytest.mark.feature("T6")
async def test_a_host_that_sells_on_after_the_stop_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drill would say that all is well whatever the host does."""
    lax = Policy(activation=Activation(turnover_fen=1), gates=Gates(stopped=False))
    monkeypatch.setattr(drilled, "Policy", lambda **sections: lax)
    monkeypatch.setattr(drilled, "_due", lambda points, *, every: [])
    report = await drill(tmp_path, network=NETWORKS["direct"])
    [run] = report.failed
    assert run.finding.startswith("captured after the stop: ")


def test_every_operation_is_cut_where_that_is_asked_for() -> None:
    """A drill of everything would leave the chips out."""
    points = ["journal.program", "journal.barrier", "line.send", "keys.erase"]
    assert [number for number, _ in drilled._due(points, every=False)] == [2, 3]
    assert {number for number, _ in drilled._due(points, every=True)} == {1, 2, 3, 4}
    assert all(stage.chinese and stage.english for stage in STAGES)
