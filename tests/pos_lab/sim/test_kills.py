"""The kill-anywhere matrix: every point is cut, every cut is played, and what does not hold is told with its cut."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pos_lab.commands.run import app
from pos_lab.sim import kills
from pos_lab.sim.kills import Standing, kills_of, named, pairs_of, played, points_of
from pos_lab.sim.matrix import text
from tests.end_to_end.shop import poslab
from tests.pos_lab.sim.mutants import MUTANTS
from tests.pos_lab.sim.test_scenario_virtual import written

STORY = "  - sale: {terminal: till, amount: 60.00}\n  - settle: {terminal: till}\n"
POINTS = {
    "journal.program", "journal.barrier", "keys.program", "line.send", "line.receive", "display.show",
    "host.before_commit", "host.after_commit", "host.reply",
}  # fmt: skip


@pytest.fixture
def story(tmp_path: Path) -> str:
    """A sale, and the settlement."""
    return written(tmp_path, STORY)


def test_the_dry_run_counts_every_kind_of_point(story: str) -> None:
    """A cut that nobody thought of would be the one in the field."""
    points = points_of(story, 0)
    assert {point.name for point in points} >= POINTS
    assert [point.number for point in points] == list(range(1, len(points) + 1))
    both, terminal, host = (kills_of(points, victims) for victims in ("both", "terminal", "host"))
    assert len(both) == len(terminal) + len(host)
    assert {kill.point.where for kill in terminal} == {"till"}
    assert {kill.point.where for kill in host} == {"host"}
    assert {kill.phase.value for kill in terminal} == {"before", "torn", "after"}


def test_a_printed_line_is_a_point(tmp_path: Path) -> None:
    """A half slip would never be looked at."""
    printing = Path(written(tmp_path, STORY)).read_text(encoding="utf-8").replace("PX-E90", "PX-A920")
    (tmp_path / "printing.yaml").write_text(printing, encoding="utf-8")
    assert "printer.line" in {point.name for point in points_of(str(tmp_path / "printing.yaml"), 0)}


def test_each_phase_of_a_sale_has_its_outcome(story: str) -> None:
    """The table would not say what a cut means for the shop."""
    sale = [kill for kill in kills_of(points_of(story, 0), "both") if kill.point.verb == "sale"]
    rows = {kill: played(story, 0, kill)[0] for kill in sale[:: max(1, len(sale) // 12)]}
    assert {row.verdict for row in rows.values()} == {"ok"}
    assert len({(row.told, row.books) for row in rows.values()}) >= 3
    sent = next(kill for kill in sale if kill.point.name == "line.send" and kill.phase.value == "after")
    row, _ = played(story, 0, sent)
    assert row.told == ()
    assert [(book.kind, book.amount_fen, book.till) for book in row.books] == [("sale", 6_000, "reversed")]
    captured = [row for row in rows.values() if row.books == (Standing("sale", 6_000, "captured", "captured"),)]
    assert captured
    chosen = [*captured, row]
    table = {language: "\n".join(text(chosen, language)) for language in ("zh", "en")}
    assert "消费 60.00: 已入账 / 已入账" in table["zh"]
    assert "sale 60.00: captured / captured" in table["en"]
    assert ("告知：无" in table["zh"], "told: nothing" in table["en"]) == (True, True)
    assert not re.search("[a-z]+ 60.00|told:|behind|message|before the", table["zh"])


def test_the_second_cut_falls_into_the_recovery(story: str) -> None:
    """A shop with a bad socket would lose the reversal in the second power cut."""
    points = points_of(story, 0)
    sent = next(kill for kill in kills_of(points, "terminal") if kill.point.name == "line.receive")
    rows = []
    for row in pairs_of(story, 0, sent, "terminal"):
        assert row.second is not None
        assert row.second.point.number > sent.point.number
        rows.append(row)
        if len(rows) == 6:
            break
    assert {row.verdict for row in rows} == {"ok"}
    assert len({row.name for row in rows}) == 6


def test_a_bug_is_found_by_its_cut(story: str) -> None:
    """The matrix would be green whatever the terminal forgets."""
    with MUTANTS["journal_after_send"].at_work():
        cuts = [kill for kill in kills_of(points_of(story, 0), "terminal") if kill.point.name == "line.send"]
        found = [row for kill in cuts if (row := played(story, 0, kill)[0]).violations]
    assert found
    assert {violation.id for row in found for violation in row.violations} & {"J1", "M1"}


def test_a_cut_behind_which_the_story_crashes_is_a_row(story: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix would end at the first defect, and nobody know at which cut."""
    kill = next(kill for kill in kills_of(points_of(story, 0), "terminal") if kill.point.name == "line.send")

    def stumble(*_: object) -> None:
        raise KeyError("read")

    monkeypatch.setattr("terminal.app.tell_read", stumble)
    row, _ = played(story, 0, kill)
    assert [violation.id for violation in row.violations] == ["D4"]
    assert "KeyError in stumble (test_kills.py:" in row.violations[0].finding


def test_a_cut_has_a_name(story: str) -> None:
    """What was found could not be played again."""
    points = points_of(story, 0)
    kill = kills_of(points, "both")[5]
    assert named(points, kill.name) == kill
    for wrong in ("0:after", "99999:after", "x", "1:sideways"):
        with pytest.raises(ValueError, match=r"there is no point|cannot be cut"):
            named(points, wrong)


def test_the_command_line_writes_the_table_in_every_form(story: str, tmp_path: Path) -> None:
    """A tester would copy a terminal's lines into a spreadsheet by hand."""
    words = ("--virtual", "--kill-at", "every", "--kill", "host", "--csv", "cuts.csv", "--html", "cuts.html")
    done = poslab("run", story, *words, "--json", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert (done.returncode, document["passed"], document["interrupted"]) == (0, True, False)
    assert document["played"] == document["cuts"] == len(document["rows"]) > 5
    assert {row["point"] for row in document["rows"]} == {"host.before_commit", "host.after_commit", "host.reply"}
    assert {row["verdict"] for row in document["rows"]} == {"ok"}
    with (tmp_path / "cuts.csv").open(encoding="utf-8", newline="") as file:
        assert [row["cut"] for row in csv.DictReader(file)] == [row["cut"] for row in document["rows"]]
    assert "host.before_commit" in (tmp_path / "cuts.html").read_text(encoding="utf-8")
    once = poslab("run", story, "--virtual", "--kill-at", document["rows"][0]["cut"], cwd=tmp_path)
    assert once.returncode == 0
    assert "line 14: sale" in once.stdout or "line 13: sign_in" in once.stdout or "message" in once.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--kill-at", "every"), "--virtual"),
        (("--virtual", "--pairs"), "goes with --kill-at"),
        (("--virtual", "--jobs", "2"), "--jobs: goes with --kill-at"),
        (("--virtual", "--kill", "host"), "--kill: goes with --kill-at"),
        (("--virtual", "--kill-at", "1:after", "--pairs"), "--pairs: goes with --kill-at every"),
        (("--virtual", "--kill-at", "every", "--junit", "cuts.xml"), "--csv"),
        (("--virtual", "--kill-at", "9999:after"), "there is no point 9999"),
        (("--virtual", "--kill-at", "1:after+1:after"), "does not follow"),
    ],
)
def test_a_wrong_call_is_told(story: str, words: tuple[str, ...], told: str) -> None:
    """A long run would begin, and be another one than was meant."""
    refused = CliRunner().invoke(app, [story, *words])
    assert refused.exit_code == 2
    assert told in " ".join(refused.output.split())


def test_faults_that_would_not_happen_are_refused(story: str, tmp_path: Path) -> None:
    """A tester would believe that the cuts were played under the faults of the story."""
    written = Path(story).read_text(encoding="utf-8").replace("\nsteps:", "\nfaults: [{kind: net.lost, at: 2}]\nsteps:")
    (tmp_path / "faults.yaml").write_text(written, encoding="utf-8")
    refused = poslab("run", "faults.yaml", "--virtual", "--kill-at", "every", cwd=tmp_path)
    assert refused.returncode == 2
    assert "faults: do not happen beside --kill-at" in refused.stderr


def test_a_violation_fails_and_is_told_with_its_command(story: str) -> None:
    """A build server would go on with a terminal that loses money."""
    with MUTANTS["journal_after_send"].at_work():
        points = points_of(story, 0)
        cuts = (kill for kill in kills_of(points, "terminal") if kill.point.name == "line.send")
        name = next(kill.name for kill in cuts if played(story, 0, kill)[0].violations)
        told = CliRunner().invoke(app, [story, "--virtual", "--kill-at", name])
    assert told.exit_code == 1
    assert f"poslab run {story} --virtual --seed 0 --kill-at {name}" in told.output
    assert "DOES NOT HOLD" in told.output


def test_who_interrupts_sees_what_there_is(story: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of cuts would be lost with Ctrl-C."""
    count = 0

    def interrupted(*args: Any) -> Any:
        nonlocal count
        count += 1
        if count > 3:
            raise KeyboardInterrupt
        return played(*args)

    monkeypatch.setattr(kills, "played", interrupted)
    told = CliRunner().invoke(app, [story, "--virtual", "--kill-at", "every", "--json"])
    document = json.loads(told.stdout)
    assert (told.exit_code, document["interrupted"], document["played"]) == (130, True, 3)
