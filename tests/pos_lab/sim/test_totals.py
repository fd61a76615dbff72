"""Totals of long runs: they are gone on with where they were left, and never mixed with others."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

import pytest
from typer.testing import CliRunner

from pos_lab.commands.sim import app
from pos_lab.sim.faults import KINDS
from pos_lab.sim.markers import MARKERS
from pos_lab.sim.run import Result, run_seed
from pos_lab.sim.totals import Totals, TotalsError
from pos_lab.sim.world import Scale

RUN = CliRunner()
SMALL = ["--intents", "2", "--shops", "1"]


@pytest.fixture(scope="module")
def results() -> list[Result]:
    """A few seeds."""
    return [run_seed(seed, scale=Scale(1, 2)) for seed in range(5)]


def test_totals_are_the_same_in_one_go_or_in_two(results: list[Result], tmp_path: Path) -> None:
    """Who breaks a night off would count seeds twice, or lose those of the first half."""
    whole, path = Totals(0, "x"), tmp_path / "totals.json"
    for result in results:
        whole.add(result, 0.5)
    half = Totals(0, "x")
    for result in results[:2]:
        half.add(result, 0.5)
    half.save(path)
    rest = Totals.load(path, 0, "x", any_version=False)
    assert rest.next_seed == 2
    for result in results[2:]:
        rest.add(result, 0.5)
    assert rest.document() == whole.document()
    assert whole.faults_median == median(len(result.faults) for result in results)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("first", "asked", "content", "code"),
    [
        (1, "x", None, "other_question"),
        (0, "y", None, "other_question"),
        (0, "x", "{}", "totals"),
        (0, "x", "[1]", "totals"),
        (0, "x", "no json", "totals"),
    ],
)
def test_other_totals_are_refused(tmp_path: Path, first: int, asked: str, content: str | None, code: str) -> None:
    """Two runs of different seeds would become one figure."""
    path = tmp_path / "totals.json"
    Totals(0, "x").save(path)
    if content is not None:
        path.write_text(content)
    with pytest.raises(TotalsError) as refused:
        Totals.load(path, first, asked, any_version=True)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": "x"}, {"seeds": 10.5}, {"seeds": -5}, {"lasted_s": None}, {"lasted_s": float("nan")},
        {"virtual_s": "1"}, {"failures": None}, {"failures": "none"}, {"kinds": None}, {"kinds": {"net.lost": "1"}},
        {"kinds": {"net.lost": -1}}, {"faults": {"8": 1}}, {"faults": {"x": 2}}, {"faults": {}}, {"more": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_file_that_somebody_has_spoilt_is_refused(
    results: list[Result], change: dict[str, object], tmp_path: Path
) -> None:
    """Seeds would be counted that nobody has lived, or a night end in a stack trace."""
    totals, path = Totals(0, "x"), tmp_path / "totals.json"
    for result in results[:2]:
        totals.add(result, 0.5)
    totals.save(path)
    assert Totals.load(path, 0, "x", any_version=False).document() == totals.document()
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(TotalsError):
        Totals.load(path, 0, "x", any_version=True)


@pytest.mark.parametrize("left_out", ["version", "seeds", "kinds"])
def test_a_file_that_lacks_something_is_refused(left_out: str, tmp_path: Path) -> None:
    """Totals of an older version would be taken for those of this one."""
    path = tmp_path / "totals.json"
    Totals(0, "x").save(path)
    kept = json.loads(path.read_text())
    del kept[left_out]
    path.write_text(json.dumps(kept))
    with pytest.raises(TotalsError):
        Totals.load(path, 0, "x", any_version=True)


@pytest.mark.parametrize("content", ["[" * 100_000, ""], ids=["deep", "empty"])
def test_no_file_of_totals_ends_in_a_stack_trace(content: str, tmp_path: Path) -> None:
    """Whoever names a wrong file would be told of the program's inside."""
    path = tmp_path / "totals.json"
    path.write_text(content)
    for wrong in (path, tmp_path, Path("/dev/full")):
        with pytest.raises(TotalsError):
            Totals.load(wrong, 0, "x", any_version=True)


def test_another_version_of_the_code_is_refused_unless_told(tmp_path: Path) -> None:
    """Half of the seeds would have proven another program."""
    path = tmp_path / "totals.json"
    Totals(0, "x", version="of yesterday").save(path)
    with pytest.raises(TotalsError, match="another version"):
        Totals.load(path, 0, "x", any_version=False)
    assert Totals.load(path, 0, "x", any_version=True).version != "of yesterday"


def test_what_never_came_is_told_by_name(results: list[Result]) -> None:
    """A generator that has gone blind would go unnoticed."""
    totals = Totals(0, "x")
    missing = set(totals.missing())
    assert {f"fault {name}" for name in KINDS} | {f"marker {name}" for name in MARKERS} <= missing
    for result in results:
        totals.add(result, 0.0)
    assert {f"fault {name}" for result in results for name in result.fired} == {
        name for name in missing - set(totals.missing()) if name.startswith("fault")
    }


def test_the_command_goes_on_where_it_was_left(tmp_path: Path) -> None:
    """The same command again would begin from the first seed."""
    words = [*SMALL, "--resume", str(tmp_path / "totals.json"), "--json"]
    assert RUN.invoke(app, ["--seeds", "3", *words]).exit_code == 0
    document = json.loads(RUN.invoke(app, ["--seeds", "5", *words]).stdout)
    assert (document["seeds"], document["failed"]) == (5, 0)
    again = json.loads(RUN.invoke(app, ["--seeds", "5", *words]).stdout)
    assert again["kinds"] == document["kinds"]
    refused = RUN.invoke(app, ["--seeds", "9", "--profile", "power", *words])
    assert isinstance(refused.exception, TotalsError)


def test_an_interruption_leaves_whole_totals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a night would throw the night away."""
    from pos_lab.sim.subject import Subject

    lived, path = Subject.live, tmp_path / "totals.json"

    def interrupted(self: Subject, seed: int, *args: object, **more: object) -> Result:
        if seed == 2:
            raise KeyboardInterrupt
        return lived(self, seed, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Subject, "live", interrupted)
    RUN.invoke(app, ["--seeds", "4", *SMALL, "--resume", str(path)])
    assert json.loads(path.read_text())["seeds"] == 2


def test_what_never_came_fails_where_all_is_required() -> None:
    """A long run would pass though half of the faults never fired."""
    assert RUN.invoke(app, ["--seeds", "1", *SMALL]).exit_code == 0
    failed = RUN.invoke(app, ["--seeds", "1", *SMALL, "--require-all"])
    assert failed.exit_code == 1
    assert "FAILED, for these never came: fault" in failed.output
    assert not json.loads(RUN.invoke(app, ["--seeds", "1", *SMALL, "--require-all", "--json"]).stdout)["passed"]
