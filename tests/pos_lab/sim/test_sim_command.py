"""``poslab sim``: says what it lived through, and how to see a failing seed again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

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


def test_several_processes_share_the_seeds() -> None:
    """A long run would use one core of many."""
    done = RUN.invoke(app, ["--seeds", "6", "--jobs", "2", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["seeds"] == 6
