"""``poslab sim``: says what it lived through, and how to see a failing seed again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pos_lab import cli
from pos_lab.commands.sim import app
from tests.pos_lab.sim.mutants import MUTANTS

RUN = CliRunner()


def test_seeds_that_pass_are_counted() -> None:
    """Nobody would know whether anything had happened at all."""
    done = RUN.invoke(app, ["--seeds", "4", "--profile", "power", "--json"])
    document = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (document["passed"], document["seeds"], document["failed"]) == (True, 4, 0)
    assert document["kinds"]
    assert document["virtual_days"] > 0


def test_one_seed_is_the_same_in_any_way_of_asking() -> None:
    """A seed that failed among others would not fail alone."""
    alone = json.loads(RUN.invoke(app, ["--seed", "3", "--json"]).stdout)
    again = RUN.invoke(app, ["--seed", "3", "--profile", alone["profile"]]).stdout
    assert alone["digest"] in again


def test_a_failing_seed_is_told_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tester would have to ask a developer what has happened."""
    monkeypatch.chdir(tmp_path)
    mutant = MUTANTS["silence_is_no"]
    words = ["--seed", "0", "--seeds", "2", "--profile", mutant.profile]
    with mutant.at_work():
        told = RUN.invoke(app, [*words, "--shrink"])
        document = json.loads(RUN.invoke(app, [*words, "--json"]).stdout.splitlines()[0])
    assert told.exit_code == 1
    assert "FAILED" in told.stdout
    assert f"{document['violations'][0]['id']} does not hold" in told.stdout
    assert f"Play it again: {document['command']} --shrink" in told.stdout
    assert not document["passed"]


def test_a_profile_that_there_is_not_is_refused() -> None:
    """A typing error would run the wrong seeds for a night."""
    refused = RUN.invoke(app, ["--profile", "stormy"])
    assert refused.exit_code == 2
    assert "adversary" in refused.output


@pytest.mark.parametrize("words", [["--seeds", "2"], ["--shrink"], ["--resume", "t.json"], ["--scenario", "a.yaml"]])
def test_what_a_real_host_cannot_have_is_refused(words: list[str]) -> None:
    """Somebody would believe that the scenario had been played against their host."""
    refused = RUN.invoke(app, ["--host", "tcp://127.0.0.1:1", "--key-card", "card.json", *words])
    assert refused.exit_code == 2
    assert f"{words[0]}: has no use beside --host" in " ".join(refused.output.split())


@pytest.mark.parametrize("option", ["--elsewhere", "--believe-declines"])
def test_what_only_a_real_host_can_have_is_refused(option: str) -> None:
    """An option would be taken, and nothing of it done."""
    refused = RUN.invoke(app, [option])
    assert refused.exit_code == 2
    assert "goes with --host" in refused.output


def test_totals_that_cannot_be_kept_are_known_before(tmp_path: Path) -> None:
    """A night of seeds would be lived, and their figures lost."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    refused = RUN.invoke(cli.app, ["sim", "--seeds", "100000", "--resume", str(tmp_path / "file" / "totals.json")])
    assert refused.exit_code == 3
    assert "cannot be written" in refused.output


def test_several_processes_share_the_seeds() -> None:
    """A long run would use one core of many."""
    done = RUN.invoke(app, ["--seeds", "6", "--jobs", "2", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["seeds"] == 6
