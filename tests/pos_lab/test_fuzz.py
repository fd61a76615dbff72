"""The fuzzer in short: every reader of the wire for a moment, and that it would find what is wrong."""

from __future__ import annotations

from random import Random

import pytest
from typer.testing import CliRunner

from pos_lab.fuzz import campaign as campaigns
from pos_lab.fuzz.__main__ import Target, app
from pos_lab.fuzz.campaign import campaign, run
from pos_lab.fuzz.grammar import draw_message, sample_of
from pos_lab.fuzz.mutation import MUTATIONS
from pos_lab.fuzz.targets import TARGETS, Input
from protocol.codec import unseal
from protocol.dialects import DIALECTS

RUNS = 1_500


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_found(target: str) -> None:
    """A message of a stranger would end the host, or be read in two ways."""
    was_read = 0
    for ran in campaign(target, 20_000, RUNS):
        assert ran.finding is None, ran.finding
        was_read += ran.was_read
    assert RUNS // 50 < was_read < RUNS, "input is neither all good nor all bad"


@pytest.mark.parametrize("name", DIALECTS)
def test_what_is_drawn_is_valid_and_its_fields_are_where_it_says(name: str) -> None:
    """The fuzzer would knock at the front door only: everything it makes would be refused at once."""
    chance, dialect = Random(5), DIALECTS[name]
    known = 0
    for _ in range(200):
        message = draw_message(chance, dialect)
        sample = sample_of(message, dialect)
        assert dict(unseal(sample.payload, dialect).message.fields) == dict(message.fields)
        assert [span.number for span in sample.spans] == sorted(message.fields)
        assert sample.spans[-1].end == len(sample.payload)
        known += dialect.kinds.identify(message) is not None
    assert known > 40


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_mutation_changes_something(name: str) -> None:
    """A way of going wrong would be on the list and never tried."""
    chance, dialect = Random(6), DIALECTS["cup"]
    sample = sample_of(draw_message(chance, dialect), dialect)
    assert any(MUTATIONS[name](chance, sample, sample.payload[::-1]) != sample.payload for _ in range(20))


def test_a_finding_tells_its_input_and_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody would know that there is a mistake and could not make it again."""

    def check(data: bytes) -> bool:
        if data[0] > 0xF0:
            raise KeyError("130")
        return True

    monkeypatch.setattr(campaigns, "TARGETS", {"codec": lambda chance: Input(chance.randbytes(4), check, "mine")})
    result = CliRunner().invoke(app, ["--target", "codec", "--seed", "7"])
    assert result.exit_code == 1
    what, data, again = result.stdout.splitlines()
    assert what == "codec (mine): KeyError: '130'"
    seed = int(again.split("--seed ")[1].split()[0])
    finding = run("codec", seed).finding
    assert finding is not None
    assert data == f"input: {finding.data.hex().upper()}"


def test_a_run_that_takes_much_memory_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four bytes that claim four gigabytes would take them."""
    monkeypatch.setattr(campaigns, "TARGETS", {"codec": lambda _: Input(b"x", lambda data: bool(data * 20_000_000))})
    finding = run("codec", campaigns.MEMORY_CHECK_EVERY).finding
    assert finding is not None
    assert finding.what.startswith("MemoryError")


def test_ctrl_c_ends_it_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who stops a night's run would lose its count under a traceback."""

    def interrupted(_: bytes) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(campaigns, "TARGETS", {"codec": lambda _: Input(b"", interrupted)})
    result = CliRunner().invoke(app, ["--target", "codec"])
    assert result.exit_code == 0
    assert "0 runs" in result.stdout
    assert "stopped" in result.stderr


def test_the_command_line_names_every_target() -> None:
    """A target could not be asked for by its name."""
    assert {*Target} == {*TARGETS, "all"}
    result = CliRunner().invoke(app, ["--runs", "50", "--target", "all"])
    assert result.exit_code == 0
    assert result.stdout.startswith("50 runs, ")
