"""A policy as a file: read with its mistakes in place, recognised, written out, taken over by a host that runs."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from host.policy import (
    Activation,
    Combination,
    Gates,
    Limits,
    Mandate,
    Models,
    Policy,
    Section,
    Window,
    key_of,
)
from pos_lab.cli import app
from pos_lab.policy_file import as_yaml, is_policy, load_policy
from pos_lab.scenario.errors import ScenarioErrors

RICH = Policy(
    activation=Activation(turnover_fen=5_050, reading="gross", deadline_s=90 * 86_400, reward_fen=1),
    limits=Limits(daily_fen=10_000, daily_count=7),
    models=Models(capabilities=("sm4", "chip"), families_refused=("mpos",)),
    mandates=(Mandate(region="44", since_at=1_798_732_800, security_level=4),),
    compatibility=(Combination(model="PX-E90", firmware_from="2.0.0", protocols=("31", "32")),),
    maintenance=(Window(daily_s=9_000, lasts_s=1_800, name="夜间"), Window(begins_at=1_798_732_800, lasts_s=60)),
    gates=Gates(certificate=True, held=False),
)

MISTAKES = """\
activasion: {turnover: 1.00}
limits: {sinlge: 5.00, daily: x}
gates: {certificat: yes, held: maybe}
maintenance:
  - {lasts: 30m}
  - {daily: "25:00", lasts: 2d}
models: {capabilities: [sm5]}
mandates: [{region: abc, since: 2027-13-01}]
"""
FOUND = (
    (1, 1, "did you mean 'activation'?"),
    (2, 10, "did you mean 'single'?"),
    (2, 31, "'x' is not an amount"),
    (3, 9, "did you mean 'certificate'?"),
    (3, 32, "neither yes nor no"),
    (5, 5, "either 'begins' or 'daily'"),
    (6, 13, "'25:00' is not a time of day"),
    (6, 29, "at most"),
    (7, 25, "did you mean 'sm4'?"),
    (8, 21, "region"),
    (8, 33, "is not a day"),
)


def written(directory: Path, text: str) -> str:
    """A file of this text."""
    file = directory / "rules.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.mark.feature("POLICY")
def test_every_mistake_is_told_at_its_place(tmp_path: Path) -> None:
    """A tester would mend one mistake after another, or play under rules that nobody wrote."""
    with pytest.raises(ScenarioErrors) as refused:
        load_policy(written(tmp_path, MISTAKES))
    errors = refused.value.errors
    assert [(error.line, error.column) for error in errors] == [(line, column) for line, column, _ in FOUND]
    for error, (*_, said) in zip(errors, FOUND, strict=True):
        assert said in str(error)


@pytest.mark.feature("POLICY")
@pytest.mark.parametrize("policy", [Policy(), RICH], ids=["plain", "rich"])
def test_what_is_written_out_is_read_the_same(tmp_path: Path, policy: Policy) -> None:
    """A host of its own process would play other rules than the laboratory."""
    file = written(tmp_path, as_yaml(policy))
    assert load_policy(file) == policy
    assert is_policy(file)
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


@given(st.integers(1, 9_999_999_999), st.integers(0, 3650 * 86_400), st.integers(0, 10**6))
def test_every_figure_survives_being_written(fen: int, seconds: int, number: int) -> None:
    """An odd figure would be rounded on its way into a file."""
    figures = Activation(turnover_fen=fen, deadline_s=seconds)
    policy = Policy(activation=figures, limits=Limits(single_fen=fen, daily_fen=fen, daily_count=number))
    lines = dict(line.strip().split(": ") for line in as_yaml(policy).splitlines()[:10] if ": " in line)
    again = Activation.model_validate({key: lines[key].strip('"') for key in ("turnover", "deadline")})
    assert (again.turnover_fen, again.deadline_s) == (fen, seconds)


def test_no_two_figures_of_a_section_are_written_alike() -> None:
    """One key would stand for two figures."""
    sections = [Policy, *Section.__subclasses__()]
    for section in sections:
        keys = [key_of(name) for name in section.model_fields]
        assert len(keys) == len(set(keys)), section


@pytest.mark.feature("POLICY")
def test_check_tells_a_policy_from_a_scenario(tmp_path: Path) -> None:
    """A tester would be told that a policy has no steps."""
    good = CliRunner().invoke(app, ["check", "--lang", "en", written(tmp_path, "limits: {single: 5.00}\n")])
    assert (good.exit_code, good.output) == (0, f"{tmp_path}/rules.yaml: a policy, right (limits)\n")
    bad = CliRunner().invoke(app, ["check", "--json", written(tmp_path, "limits: {sinlge: 5.00}\n")])
    assert bad.exit_code == 2
    assert "did you mean 'single'?" in bad.output
    other = CliRunner().invoke(app, ["check", written(tmp_path, "scenario: x\nlimits: {}\n")])
    assert "unknown key 'limits'" in other.output


@pytest.mark.feature("POLICY")
async def test_a_running_host_reads_its_file_again_at_a_signal(tmp_path: Path) -> None:
    """Every change of a rule would cost a restart, or a slip in the file the host."""
    from pos_lab.host_process import HostProcess

    file = Path(written(tmp_path, "limits: {single: 5.00}\n"))
    host = await HostProcess.start(tmp_path / "host.db", policy=file)
    try:
        assert newest(tmp_path) == (1, 500)
        file.write_text("limits: {sinlge: 7.00}\n")
        host._process.send_signal(signal.SIGHUP)
        assert await said(tmp_path, "is not taken over")
        file.write_text("limits: {single: 7.00}\n")
        host._process.send_signal(signal.SIGHUP)
        assert await said(tmp_path, "version 2")
        assert newest(tmp_path) == (2, 700)
    finally:
        await host.stop()


def newest(directory: Path) -> tuple[int, int]:
    """The version in force and its single limit in fen."""
    with sqlite3.connect(directory / "host.db") as connection:
        rows = connection.execute("SELECT version, content FROM policies ORDER BY version DESC").fetchall()
    connection.close()
    return rows[0][0], Policy.model_validate_json(rows[0][1]).limits.single_fen


async def said(directory: Path, words: str) -> bool:
    """Wait until the host's log says so."""
    for _ in range(200):
        if words in (directory / "host.log").read_text(encoding="utf-8"):
            return True
        await asyncio.sleep(0.05)
    return False
