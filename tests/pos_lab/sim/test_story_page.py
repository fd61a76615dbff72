"""A seed as a page: verdict, both books, the diagram; nothing secret, nothing from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pos_lab.commands.sim import app
from pos_lab.sim.both_books import BookRow
from pos_lab.sim.log import Event
from pos_lab.sim.run import Result, run_seed
from pos_lab.sim.sequence import LANES, diagram
from pos_lab.sim.story_page import story_page
from tests.pos_lab.sim.mutants import MUTANTS

RUN = CliRunner()


class Markup(HTMLParser):
    """What a page is made of: tags that would reach out, words of cells, whether every tag is closed."""

    VOID = frozenset({"meta", "input", "br", "path", "rect", "line", "circle", "polyline"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.reaching: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe") or any(name in ("src", "href") for name, _ in attrs):
            self.reaching.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def fails(tmp_path: Path, *words: str) -> tuple[str, str]:
    """A failing seed: what was told, and its page."""
    mutant = MUTANTS["silence_is_no"]
    page = tmp_path / "story.html"
    with mutant.at_work():
        done = RUN.invoke(app, ["--seed", "0", "--profile", mutant.profile, "--html", str(page), *words])
    assert done.exit_code == 1
    return done.stdout, page.read_text()


def test_a_failing_seed_is_a_page_that_an_examiner_could_sign(tmp_path: Path) -> None:
    """A tester would read forty lines of a log to see which row is wrong."""
    told, page = fails(tmp_path, "--shrink", "--lang", "en")
    command = re.search(r"Play it again: (.*)", told)
    assert command is not None
    assert f"The story as a page: {tmp_path / 'story.html'}" in told
    assert f"<code>{command[1]}</code>" in page
    violated = re.search(r"(\S+) does not hold: (.*)\.\n +(.*)", told)
    assert violated is not None
    assert all(words in page for words in violated.groups())
    assert re.search(r'class="(failed|passed) named"', page)
    markup = Markup(page)
    assert (markup.reaching, markup.open) == ([], [])
    assert '<html lang="en">' in page


def test_each_of_many_failing_seeds_has_its_own_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second failure would write over the first."""
    monkeypatch.chdir(tmp_path)
    with MUTANTS["silence_is_no"].at_work():
        told = RUN.invoke(app, ["--seeds", "4", "--profile", "network"]).stdout
        RUN.invoke(app, ["--seeds", "4", "--profile", "network", "--html", "x/story.html"])
    seeds = re.findall(r"^seed ([0-9]+) .* FAILED", told, re.MULTILINE)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.html")}
    assert len(seeds) > 1
    assert found == {name.format(seed) for seed in seeds for name in ("report/seed_{}.html", "x/story_{}.html")}


def test_a_seed_that_passes_is_told_where_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A customer who wants to see a good run would be shown nothing, or a night would fill the disk with pages."""
    monkeypatch.chdir(tmp_path)
    assert RUN.invoke(app, ["--seeds", "2", "--profile", "calm"]).exit_code == 0
    assert list(tmp_path.rglob("*.html")) == []
    assert RUN.invoke(app, ["--seed", "1", "--profile", "calm", "--html", "good.html"]).exit_code == 0
    page = Path("good.html").read_text()
    assert "the two books agree" in page
    assert "0210" in page
    assert not re.search(r"(?<![0-9])62[0-9]{14,17}(?![0-9])", page)


def result(*events: Event, **changes: object) -> Result:
    """A run of which only the events matter."""
    row = BookRow("20000001", "000001", "000002", "sale", "captured", 100, "captured", 100, ("approved",))
    given: dict[str, object] = {
        "seed": 1, "profile": "calm", "digest": "", "virtual_s": 1.0, "faults": (), "intents": (), "fired": {},
        "markers": {}, "acts": {}, "results": {}, "violations": (), "events": events, "books": (row,),
    }  # fmt: skip
    return Result(**{**given, **changes})  # type: ignore[arg-type]


def test_what_people_type_stays_text_and_cards_are_masked() -> None:
    """A payment code in an intent would stand in a report that is mailed around."""
    code = "6212345678901234567"
    page = story_page(result(Event(0.0, "t1", "intent", f"qr_sale 1.00 {code} <b>")), "poslab sim", "en")
    assert code not in page
    assert "621234*********4567" in page
    assert "&lt;b&gt;" in page
    assert "<b>&lt;" not in page


def test_a_power_cut_is_a_dark_band_until_the_next_boot() -> None:
    """Nobody would see that a terminal said nothing because it was off."""
    events = [Event(1.0, "t1", "dark", "sale"), Event(2.0, "host", "commit", "1 rows"), Event(9.0, "t1", "boot", "2")]
    picture = diagram(events, frozenset())
    [band] = re.findall(r'<rect class="dark" x="[0-9]+" y="([0-9]+)" width="[0-9]+" height="([0-9]+)"', picture)
    rows = [int(y) for y in re.findall(r'class="time" x="[0-9]+" y="([0-9]+)"', picture)]
    assert int(band[0]) < rows[0] < rows[1] < int(band[0]) + int(band[1]) < rows[2] + 4
    assert picture.count('class="dark"') == 1


@pytest.mark.parametrize(
    ("name", "lane"), [("net.lost@t1#1", "line"), ("uart.break@t1#1", "line"), ("disk.full@host#1", "store"),
                       ("power.cut@t1#1", "terminal"), ("host.crash_after_commit@host#1", "host")],
)  # fmt: skip
def test_a_fault_stands_in_the_lane_where_it_strikes(name: str, lane: str) -> None:
    """A lost message would look like a fault of the terminal."""
    picture = diagram([Event(0.0, "t1", "fault", name)], frozenset())
    lanes = [int(x) for x in re.findall(r'class="lane" x1="([0-9]+)"', picture)]
    [left] = re.findall(r'class="fault-mark" d="M([0-9]+),', picture)
    assert int(left) + 6 == lanes[list(LANES).index(lane)]
    assert name in picture


def test_books_that_differ_are_told_apart() -> None:
    """A sale that one end lost would be called agreed."""
    row = BookRow("20000001", "000001", "000002", "sale", "captured", 100, "captured", 100, ())
    assert row.agrees
    for till, till_fen, host, host_fen, agrees in (
        ("captured", 100, "captured", 101, False),
        ("captured", 100, "", 0, False),
        ("", 0, "captured", 100, False),
        ("reversed", 100, "tombstone", 100, True),
        ("declined", 100, "", 0, True),
    ):
        changed = BookRow("20000001", "000001", "000002", "sale", till, till_fen, host, host_fen, ())
        assert changed.agrees is agrees, changed


def test_a_run_keeps_its_books_only_where_they_are_told() -> None:
    """A night of a hundred thousand seeds would fill the memory."""
    assert run_seed(1, "calm").books == ()
    assert run_seed(1, "calm", with_books=True).books
