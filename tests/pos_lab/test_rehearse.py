"""``poslab rehearse``: a campaign over a simulated fleet, its figures, checks and reports (product G13, T, N, X3)."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from host.policy import DAY_S
from pos_lab.cli import app
from pos_lab.rehearsal.examination import CHECKS, examine
from pos_lab.rehearsal.fleet import build
from pos_lab.rehearsal.office import Office
from pos_lab.rehearsal.plan import Behaviour, Course, Fleet, Rehearsal, load_list
from pos_lab.rehearsal.play import Play
from pos_lab.sim.chance import Streams
from protocol.money import yuan

RUN = CliRunner()
SMALL = ["--terminals", "14", "--days", "42", "--sales", "1", "--on-wire", "6", "--seed", "5"]
LIST = "model,brand,family,stop_date,reason\nPX-S03,百富,traditional,2026-05-01,memory\n"


def run(directory: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pos_lab", "rehearse", *words],
        cwd=directory, env={**os.environ, "PYTHONPATH": str(Path.cwd()), **environment}, text=True, capture_output=True,
        check=False,
    )  # fmt: skip


@dataclass(frozen=True)
class Reports:
    """Everything that one rehearsal wrote."""

    document: dict[str, Any]
    html: str
    tables: dict[str, str]

    def rows(self, name: str) -> list[dict[str, str]]:
        """A CSV file by column."""
        return list(csv.DictReader(io.StringIO(self.tables[name])))


def reports(directory: Path, **environment: str) -> Reports:
    """The small rehearsal as a process."""
    done = run(directory, *SMALL, "--html", "report.html", "--csv", "figures", "--json", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    tables = {file.name: file.read_text() for file in sorted((directory / "figures").iterdir())}
    return Reports(json.loads(done.stdout), (directory / "report.html").read_text(), tables)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Played once for all who only look."""
    return reports(tmp_path_factory.mktemp("small"), PYTHONHASHSEED="1", TZ="UTC")


def test_the_same_seed_gives_the_same_bytes(small: Reports, tmp_path: Path) -> None:
    """Two planners would argue over two plans that are one."""
    assert reports(tmp_path, PYTHONHASHSEED="2", TZ="America/New_York") == small


@pytest.mark.feature("G13", "T1", "N10")
def test_a_rehearsal_tells_what_would_happen(small: Reports) -> None:
    """Whoever plans would learn only on the day how many shops stand still."""
    told = small.document
    assert told["passed"]
    assert [check["check"] for check in told["checks"]] == list(CHECKS)
    assert all(check["checked"] and not check["violated"] for check in told["checks"])
    assert len(told["timeline"]) == 42
    states = {name for day in told["timeline"] for name in ("notified", "suspended", "stopped", "swapped") if day[name]}
    assert states == {"notified", "suspended", "stopped", "swapped"}
    assert told["totals"]["swaps"] == sum(row["swaps"] for row in told["hours"]) > 0
    assert told["totals"]["refused"] == sum(told["totals"]["refusals"].values()) > 0
    assert told["fleet"]["on_wire"] + told["fleet"]["rows_only"] == told["fleet"]["terminals"] == 14
    assert all(day["unpaid_fen"] > 0 for day in told["timeline"])


@pytest.mark.parametrize(("file", "name"), [("timeline.csv", "timeline"), ("hours.csv", "hours")])
def test_csv_and_json_say_the_same(small: Reports, file: str, name: str) -> None:
    """The figures in the spreadsheet would be others than those in the report."""
    assert small.rows(file) == [{key: str(value) for key, value in row.items()} for row in small.document[name]]


def test_a_table_without_rows_has_its_columns(tmp_path: Path) -> None:
    """A spreadsheet would refuse the file of a campaign without a swap."""
    (tmp_path / "none.yaml").write_text("rehearsal: x\nfleet: {others: 1}\n", encoding="utf-8")
    words = ["--days", "2", "--terminals", "2", "--on-wire", "0", "--csv", "figures"]
    done = run(tmp_path, "none.yaml", *words, "--lang", "en")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "figures" / "hours.csv").read_text() == "hour,swaps,missed,capacity\n"
    assert " … " not in done.stdout
    assert "money waiting" in done.stdout


def test_a_summary_has_every_sum(small: Reports) -> None:
    """Somebody would have to add up days by hand."""
    facts = {row["name"]: row["value"] for row in small.rows("summary.csv")}
    for name in ("swaps", "missed", "refused_fen", "waiting_most_fen", "notices_sms"):
        assert facts[f"totals.{name}"] == str(small.document["totals"][name])


class _Page(HTMLParser):
    """What is in a page: its cells, and whatever would leave it."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.reaching: list[str] = []
        self.svg = 0
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.svg += tag == "svg"
        self._in_cell = tag in ("td", "dd")
        if tag in ("script", "link", "img", "iframe") or any(name in ("src", "href", "onclick") for name, _ in attrs):
            self.reaching.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell and data.strip():
            self.cells.append(data.strip())


def test_the_page_stands_alone_and_its_figures_are_in_the_document(small: Reports) -> None:
    """A report would be empty at a customer without internet, or would state what no file has."""
    page = _Page()
    page.feed(small.html)
    assert (page.reaching, page.svg) == ([], 5)
    assert "url(" not in small.html.replace("url(#", "")

    def numbers(value: Any) -> Iterator[str]:
        if isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                yield from numbers(inner)
        else:
            yield from (str(value), yuan(value) if type(value) is int else "")

    known = set(numbers(small.document))
    figures = [cell for cell in page.cells if re.fullmatch(r"[0-9][0-9.-]*", cell)]
    assert len(figures) > 500
    assert set(figures) <= known


@pytest.mark.parametrize("language", ["zh", "en"])
def test_people_are_told_in_their_language(language: str, tmp_path: Path) -> None:
    """A planner in Shanghai would read English, one in London Chinese."""
    (tmp_path / "models.csv").write_text(LIST)
    words = [str(tmp_path / "models.csv"), "--terminals", "1", "--days", "40", "--sales", "0", "--lang", language]
    done = RUN.invoke(app, ["rehearse", *words])
    assert done.exit_code == 0, done.output
    assert ("每台终端的结局与计划相符" if language == "zh" else "each terminal ends where its plan says") in done.stdout


CAMPAIGN = """\
rehearsal: nobody reads
models: [models.csv]
begins: 2026-06-01
days: 45
course: {stop: 40d, grace: 10d, suspend: none, waves: 1, capacity: 0}
fleet: {terminals: 4, others: 0, on_wire: 4, sales: 1, per_merchant: 1}
behaviours:
  - {name: deaf, share: 1, reads: 0}
"""


def campaign(directory: Path, text: str = CAMPAIGN, models: str = LIST) -> str:
    """A campaign and its list as files; where the first is."""
    (directory / "models.csv").write_text(models)
    (directory / "campaign.yaml").write_text(text)
    return str(directory / "campaign.yaml")


def test_merchants_are_as_the_file_says(tmp_path: Path) -> None:
    """The rehearsal would be of somebody else's merchants."""
    done = RUN.invoke(app, ["rehearse", campaign(tmp_path), "--json"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["ends"], told["begins"]) == (0, {"stopped": 4}, "2026-06-01")
    assert told["totals"]["refusals"] == {"terminal.stopped": 4 * 5}
    assert told["totals"]["swaps"] == told["totals"]["read"] == 0
    assert told["totals"]["notices_sms"] == 4 * 4
    assert told["plan"]["models"] == 1


def test_merchants_who_come_are_swapped_and_go_on_selling(tmp_path: Path) -> None:
    """Every swap would be told as a loss."""
    eager = CAMPAIGN.replace("deaf, share: 1, reads: 0", "eager, share: 1").replace("capacity: 0", "capacity: 1")
    told = json.loads(RUN.invoke(app, ["rehearse", campaign(tmp_path, eager), "--json"]).stdout)
    assert (told["passed"], told["ends"], told["totals"]["missed"]) == (True, {"swapped": 4}, 0)
    assert told["totals"]["sales"] == 4 * 45
    assert all(day["swaps"] <= 1 for day in told["timeline"])


WRONG = {
    "key": (CAMPAIGN.replace("days: 45", "dayz: 45"), LIST, r"campaign\.yaml:4:1: unknown key 'dayz' \(did you mean"),
    "value": (CAMPAIGN.replace("reads: 0", "reads: 2"), LIST, r"campaign\.yaml:8:35: .*'2' is not a level"),
    "shares": (CAMPAIGN.replace("share: 1", "share: 0"), LIST, r"the shares of behaviours sum to nothing"),
    "successor": (
        CAMPAIGN.replace("per_merchant: 1", "successor: PX-S03"), LIST, r"PX-S03 is on the list itself",
    ),
    "line": (CAMPAIGN, LIST + "PX-S04,百富,smart,tomorrow,memory\n", r"models\.csv: line 3: 'tomorrow' is no day"),
    "twice": (CAMPAIGN, LIST + LIST.splitlines()[1], r"models\.csv: line 3: 'PX-S03' is in line 2"),
    "columns": (CAMPAIGN, "model;brand\n", r"models\.csv: line 1: the columns are wrong"),
    "no list": (CAMPAIGN.replace("models.csv", "other.csv"), LIST, r"other\.csv: No such file"),
    "too soon": (CAMPAIGN.replace("stop: 40d", "stop: 20d"), LIST, r"would stop on .*30 days at least"),
    "no room": (
        CAMPAIGN.replace("capacity: 0", "capacity: 1").replace("terminals: 4", "terminals: 60"), LIST,
        r"1 swaps a day leave 21 terminals without an appointment",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_its_place(name: str, tmp_path: Path) -> None:
    """A slip in a file of two hundred lines would be looked for until the evening."""
    text, models, wanted = WRONG[name]
    done = RUN.invoke(app, ["rehearse", campaign(tmp_path, text, models)])
    assert done.exit_code == 2
    assert re.search(wanted, done.output), done.output


@pytest.mark.parametrize("name", WRONG)
def test_a_check_refuses_what_a_rehearsal_refuses(name: str, tmp_path: Path) -> None:
    """A file that is called right would stop the night's job that was to play it."""
    text, models, wanted = WRONG[name]
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.mkdir()
    wrong.mkdir()
    done = RUN.invoke(app, ["check", campaign(wrong, text, models), campaign(right), "--lang", "en"])
    assert done.exit_code == 2
    assert re.search(wanted, done.output), done.output
    assert re.search(r"campaign\.yaml:[1-9][0-9]*:[1-9]", done.output), done.output
    assert "a campaign, right" in done.output


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("successor", "successor:"),
        ("too soon", "stop:"),
        ("no room", "capacity:"),
        ("twice", "models:"),
        ("no list", "models:"),
    ],
)
def test_a_check_points_at_what_is_to_be_changed(name: str, key: str, tmp_path: Path) -> None:
    """Of a file of two hundred lines all would be read."""
    text, models, _ = WRONG[name]
    done = RUN.invoke(app, ["check", campaign(tmp_path, text, models), "--json"])
    [told] = json.loads(done.stdout)["errors"]
    assert text.splitlines()[told["line"] - 1][told["column"] - 1 :].startswith(key)


@pytest.mark.parametrize(("text", "status"), [(CAMPAIGN, 0), (CAMPAIGN.replace("days", "dayz"), 2)])
def test_a_campaign_is_checked_without_playing_it(text: str, status: int, tmp_path: Path) -> None:
    """A slip would be found by the night's job that was to play it."""
    done = RUN.invoke(app, ["check", campaign(tmp_path, text), "--lang", "en"])
    assert done.exit_code == status
    assert ("a campaign, right (1 models)" if status == 0 else "unknown key 'dayz'") in done.output


def test_two_campaigns_are_refused(tmp_path: Path) -> None:
    """The second would be dropped without a word."""
    file = campaign(tmp_path)
    assert RUN.invoke(app, ["rehearse", file, file]).exit_code == 2


def test_a_report_that_cannot_be_written_is_known_before(tmp_path: Path) -> None:
    """After an hour somebody would read that the folder is missing."""
    (tmp_path / "file").write_text("")
    done = RUN.invoke(app, ["rehearse", "--html", str(tmp_path / "file" / "report.html")])
    assert (done.exit_code, "cannot be written" in done.output) == (3, True)


def test_somebody_who_stops_it_leaves_nothing_behind(tmp_path: Path) -> None:
    """A half-written report would be taken for a whole one."""
    words = ["--terminals", "100", "--days", "365", "--html", "report.html", "--csv", "figures"]
    with subprocess.Popen(
        [sys.executable, "-m", "pos_lab", "rehearse", *words],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path.cwd())}, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            while not (tmp_path / "figures").exists():
                assert process.poll() is None
                time.sleep(0.05)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in error
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_does_not_hold_fails_with_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rehearsal that went wrong would be filed as a success."""
    monkeypatch.setattr(Play, "_settle", lambda play: None)
    done = RUN.invoke(app, ["rehearse", campaign(tmp_path), "--lang", "en"])
    assert done.exit_code == 1
    assert "batch 50000000/000001 holds" in done.stdout
    assert "and was not paid" in done.stdout
    assert done.stdout.rstrip().endswith("failed")


# the examiner


@pytest.fixture(scope="module")
def played() -> Iterator[Play]:
    """A rehearsal that has everything: on the wire and rows, swapped, stopped, exempt, lost."""
    behaviours = (
        Behaviour(name="comes", share=2),
        Behaviour(name="deaf", share=2, reads=0.0),
        Behaviour(name="robbed", share=1, reads=0.0, loses=1.0),
        Behaviour(name="gone", share=1, reads=0.0, loses=1.0, sells=False),
    )
    fleet = Fleet(terminals=20, on_wire=10, sales=1, others=0.1)
    course = Course(stop_s=36 * DAY_S, exempt=0.06, capacity=4)
    rehearsal = Rehearsal(days=40, fleet=fleet, course=course, behaviours=behaviours)
    models, streams = load_list(()), Streams(3)
    office = Office(streams.of("host").randbytes, rehearsal.policy, rehearsal.begins_at)
    play = Play(office, rehearsal, models, build(office, rehearsal, models, streams), streams)
    play.begin()
    play.live(lambda day: None)
    yield play
    office.close()


@contextmanager
def changed(play: Play, *statements: str) -> Iterator[None]:
    """The database as a broken host would have left it."""
    driver = play.office.database.driver
    driver.execute("BEGIN")
    try:
        for statement in statements:
            assert driver.execute(statement).rowcount, statement
        yield
    finally:
        driver.execute("ROLLBACK")


def broken(play: Play) -> set[str]:
    """The checks that do not hold."""
    return {check.name for check in examine(play) if not check.passed}


def test_an_honest_host_passes_every_check(played: Play) -> None:
    """The examiner would cry wolf until nobody listens."""
    assert broken(played) == set()
    assert sorted({*played.chronicle.today.states} - {"planned"}) == ["exempt", "gone", "stopped", "swapped"]


ONE = "WHERE serial_number = (SELECT min(serial_number) FROM campaign_items WHERE state = '{}')"
CAPTURED = "(SELECT min(rowid) FROM transactions WHERE state = 'captured')"
DAMAGE = {
    "ends": (f"UPDATE terminals SET state = 'activated' {ONE.format('stopped')}",),
    "stops": (f"UPDATE audit SET at = at - 86400 {ONE.format('stopped')} AND act = 'stop'",),
    "notices": (f"DELETE FROM notices {ONE.format('stopped')} AND step = 'T-7'",),
    "barrier": (f"UPDATE transactions SET at = at + 86400 * 365 WHERE rowid = {CAPTURED}",),
    "books": (f"UPDATE transactions SET amount_fen = amount_fen + 1, fee_fen = fee_fen + 1 WHERE rowid = {CAPTURED}",),
    "money": ("UPDATE batches SET paid_at = NULL WHERE rowid = (SELECT min(rowid) FROM batches)",),
    "two_people": ("UPDATE proposals SET decided_by = person WHERE act = 'start_campaign'",),
}
"""Check -> what a defect of the host would leave in the database."""


@pytest.mark.feature("T7", "N3")
@pytest.mark.parametrize("name", DAMAGE)
def test_each_check_finds_what_it_is_for(played: Play, name: str) -> None:
    """Ten thousand shops would be rehearsed on, and one that stays unpaid or untold would not be seen."""
    with changed(played, *DAMAGE[name]):
        assert name in broken(played)


def spoil_sums(play: Play) -> None:
    play.chronicle.today.states = {"stopped": 1}


def spoil_capacity(play: Play) -> None:
    for shop in play.shops:
        if shop.swapped_at:
            shop.swapped_at = play.begins + DAY_S


def spoil_answers(play: Play) -> None:
    play.chronicle.refusals["host.failure"] += 1


@pytest.mark.feature("X3")
@pytest.mark.parametrize(
    ("name", "spoil"), [("sums", spoil_sums), ("capacity", spoil_capacity), ("answers", spoil_answers)]
)
def test_what_people_did_is_examined_too(played: Play, name: str, spoil: Callable[[Play], None]) -> None:
    """More swaps than the depot can do would be promised."""
    spoil(played)
    assert name in broken(played)


@pytest.mark.parametrize(("step", "steps"), [("disturbed", ("22",)), ("limit", ())])
def test_a_merchant_is_not_disturbed(played: Play, step: str, steps: tuple[str, ...]) -> None:
    """A shop would get a text message in the night, or every hour."""
    late = "sent_at - (sent_at + 8 * 3600) % 86400 + 22 * 3600"
    at_night = f"UPDATE inbox SET sent_at = {late} WHERE rowid = (SELECT min(rowid) FROM inbox WHERE channel = 'sms')"
    often = f"UPDATE inbox SET sent_at = (SELECT min(sent_at) FROM inbox) {ONE.format('stopped')}"
    with changed(played, at_night if steps else often):
        found = next(check for check in examine(played) if check.name == "notices")
    assert any(step in told or "within the window" in told for told in found.violations)
