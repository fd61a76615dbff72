"""Scenarios in virtual time: they end as in real time, at once and the same every time, and their faults happen."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from host.policy import Policy
from pos_lab.scenario.files import scenario_files, shipped
from pos_lab.scenario.loader import load_scenario
from pos_lab.scenario.runner import Runner
from pos_lab.scenario.steps import STEPS
from pos_lab.scenario.story import ScenarioResult
from pos_lab.sim.occasions import OCCASIONS
from pos_lab.sim.scenario_run import play_virtually
from pos_lab.world import Over
from tests.end_to_end.shop import poslab

FILES = scenario_files([str(shipped(""))])
OPEN = """scenario: case
title: case
terminals:
  till: {serial_number: PX01, model: PX-E90, firmware: 2.1.0, terminal_id: 10000001, merchant_id: 898000000000001}
%s
steps:
  - order: {terminal: till}
  - load_keys: {terminal: till}
  - ship: {terminal: till}
  - deliver: {terminal: till}
  - submit: {terminal: till, name: shop, contact: someone, telephone: "10000000001", address: 1 Laboratory Road}
  - review: {terminal: till}
  - sign_in: {terminal: till}
"""
SALES = """  - sale: {terminal: till, amount: 60.00}
    expect: {outcome: approved}
  - sale: {terminal: till, amount: 70.00}
    expect: {outcome: approved}
"""


def written(folder: Path, steps: str, faults: str = "") -> str:
    """A scenario in a file: a till that was opened, and these steps."""
    file = folder / "case.yaml"
    file.write_text((OPEN % (f"faults: {faults}" if faults else "")) + steps, encoding="utf-8")
    return str(file)


def played(file: str, seed: int = 0) -> ScenarioResult:
    """What came of a scenario in virtual time."""
    return play_virtually(load_scenario(file, STEPS, Policy), STEPS, seed, lambda step: None)


def said(result: ScenarioResult) -> str:
    """Everything that its steps said."""
    return "\n".join(step.message.en for step in result.steps)


@pytest.mark.parametrize("file", FILES, ids=lambda file: Path(file).stem)
def test_a_shipped_scenario_ends_as_in_real_time(file: str) -> None:
    """A tester would have to know which stories may be played without waiting."""
    result = played(file)
    assert [(step.line, step.message.en) for step in result.steps if step.verdict != "passed"] == []
    assert all(fact.agrees for fact in result.facts.values())


def test_the_same_seed_is_the_same_run(tmp_path: Path) -> None:
    """What somebody saw once could not be looked at again."""
    file = written(tmp_path, SALES, "[{kind: net.delayed, rate: 0.5}, {kind: net.duplicated, rate: 0.5}]")
    digests = [played(file, seed).digest for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


def test_a_run_is_told_as_in_real_time_and_is_the_same_in_another_process(tmp_path: Path) -> None:
    """The reports of a build server would lack what was played in virtual time, or differ from build to build."""
    file = written(tmp_path, SALES, "[{kind: net.chunked, rate: 0.5}]")
    reports = ("--html", "report.html", "--junit", "report.xml")
    one = poslab("run", file, "--virtual", "--json", *reports, cwd=tmp_path, PYTHONHASHSEED="1", TZ="UTC")
    two = poslab("run", file, "--virtual", "--json", cwd=tmp_path, PYTHONHASHSEED="2", TZ="Asia/Tokyo")
    told, again = json.loads(one.stdout), json.loads(two.stdout)
    assert (one.returncode, told["verdict"], told["seed"]) == (0, "passed", 0)
    assert told.pop("duration_s") != again.pop("duration_s")
    assert told == again
    assert len(told["scenarios"][0]["digest"]) == 64
    assert "net.chunked@till#1" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<testsuite " in (tmp_path / "report.xml").read_text(encoding="utf-8")


def test_waiting_takes_no_time(tmp_path: Path) -> None:
    """Who plays a night of silence would wait for the morning."""
    silence = "    expect: {outcome: unknown}\n  - reverse: {terminal: till}\n".join(
        ["  - sale: {terminal: till, amount: 1.00, fault: line.drop_reply}\n"] * 20 + [""]
    )
    result = played(written(tmp_path, silence))
    assert result.verdict == "passed"
    assert result.virtual_s > 20 * 2.0 > result.duration_s


@pytest.mark.parametrize("kind", OCCASIONS)
def test_every_kind_of_fault_happens(kind: str, tmp_path: Path) -> None:
    """A fault that never comes would prove that nothing can happen."""
    result = played(written(tmp_path, SALES, f"[{{kind: {kind}, rate: 1.0}}]"))
    assert f"{kind}@" in said(result)


def test_a_fault_comes_at_the_occasion_that_is_named(tmp_path: Path) -> None:
    """A tester would think that the reply was lost, and it was the request."""
    steps = "".join(
        f"  - sale: {{terminal: till, amount: {amount}.00, as: sale{amount}}}\n"
        f"    faults: [{{kind: net.lost, at: {at}, terminal: till}}]\n"
        "    expect: {outcome: unknown}\n"
        "  - reverse: {terminal: till}\n"
        for amount, at in ((60, 1), (70, 2))
    )
    result = played(written(tmp_path, steps + "  - books_agree: {terminal: till}\n"))
    assert result.verdict == "passed"
    requests, replies = (
        [sum(message.direction == way for message in step.evidence) for step in result.steps if step.name == "sale"]
        for way in ("request", "response")
    )
    assert (requests, replies) == ([1, 1], [0, 0])
    assert said(result).count("net.lost@till") == 2


def test_the_example_of_the_documentation_plays(tmp_path: Path) -> None:
    """The first thing that an author tries would fail."""
    page = (Path(__file__).parents[3] / "docs" / "scenarios.md").read_text(encoding="utf-8")
    block = next(part for part in page.split("```") if part.startswith("\nfaults:"))
    faults, _, steps = block.partition("steps:\n")
    file = tmp_path / "case.yaml"
    file.write_text(OPEN % faults + steps, encoding="utf-8")
    result = played(str(file))
    assert (result.verdict, said(result)) == ("passed", said(result))
    assert {"net.lost@till#1", "host.crash_after_commit@host#1"} <= set(said(result).replace(")", " ").split())


def test_a_host_dies_and_the_next_step_waits_for_it(tmp_path: Path) -> None:
    """The story would end where the host's night begins."""
    steps = (
        "  - sale: {terminal: till, amount: 60.00}\n"
        "    faults: [{kind: host.crash_after_commit}]\n"
        "    expect: {outcome: unknown}\n"
        "  - show: {terminal: till}\n"
        "  - reverse: {terminal: till}\n"
        "  - books_agree: {terminal: till}\n"
    )
    result = played(written(tmp_path, steps))
    assert (result.verdict, "host.crash_after_commit@host#1" in said(result)) == ("passed", True)


@pytest.mark.parametrize("at_the_top", [False, True])
def test_a_fault_that_never_came_is_an_error(tmp_path: Path, at_the_top: bool) -> None:
    """A green story would prove nothing."""
    faults = "[{kind: net.lost, at: 99}]"
    beside = "" if at_the_top else f"    faults: {faults}\n"
    steps = "  - echo: {terminal: till}\n" + beside
    result = played(written(tmp_path, steps, faults if at_the_top else ""))
    assert result.verdict == "error"
    assert "net.lost never came" in result.steps[-1].message.en


def test_faults_without_virtual_time_are_told_what_to_type(tmp_path: Path) -> None:
    """A tester would see a calm run and believe that nothing can break it."""
    file = written(tmp_path, SALES, "[{kind: net.lost, rate: 0.5}]")
    refused = poslab("run", file, cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"{file}:5:")
    assert f"type: poslab run {file} --virtual" in refused.stderr


@pytest.mark.parametrize("words", [("--over", "tcp"), ("--host", "tcp://127.0.0.1:1", "--db", "lab.db")])
def test_virtual_time_has_no_real_host(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Somebody would believe to have tested his own host."""
    refused = poslab("run", written(tmp_path, SALES), "--virtual", *words, cwd=tmp_path)
    assert refused.returncode == 2
    assert "--virtual" in refused.stderr


MISTAKES = {
    "[{kind: net.lots}]": "5:17: kind: there is no kind of fault 'net.lots' (did you mean 'net.lost'?)",
    "[{kind: uart.break}]": "5:17: kind: 'uart.break' does not happen in a scenario (the tills of a scenario",
    "[{kind: host.crash, terminal: till}]": "5:10: faults[0]: host.crash happens at the host (leave terminal out)",
    "[{kind: net.lost, terminal: toll}]": "5:37: terminal: there is no terminal 'toll' (did you mean 'till'?)",
    "[{kind: net.lost, rate: 2}]": "5:33: rate: '2' is not a level from 0 to 1 such as 0.3",
    "[{kind: net.lost, rate: 0}]": "5:10: faults[0]: rate is more than 0: this would never happen",
    "[{kind: net.lost, at: 0}]": "5:10: faults[0]: at is at least 1: the first occasion",
    "[{kind: net.lost, at: 1, rate: 0.1}]": "5:10: faults[0]: at and rate in one fault (write two faults)",
    "{kind: net.lost}": "5:9: faults: must be a list of faults (such as [{kind: net.lost, at: 1}])",
}


def test_mistakes_in_faults_are_told_by_line_and_field(tmp_path: Path) -> None:
    """The author would look for a typing error in a stack trace."""
    for number, (faults, told) in enumerate(MISTAKES.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        refused = poslab("check", written(folder, SALES, faults), cwd=tmp_path) if number < 2 else None
        found = refused.stderr + refused.stdout if refused else _mistakes(folder, faults)
        assert told in found, faults


def _mistakes(folder: Path, faults: str) -> str:
    from pos_lab.scenario.errors import ScenarioErrors

    with pytest.raises(ScenarioErrors) as caught:
        load_scenario(written(folder, SALES, faults), STEPS, Policy)
    return str(caught.value)


def test_a_step_inside_a_step_has_no_faults(tmp_path: Path) -> None:
    """They would be read, and never happen."""
    inner = "      before_reply: [{show: {terminal: till}, faults: [{kind: net.lost}]}]\n"
    step = "  - sale:\n      terminal: till\n      amount: 1.00\n" + inner
    (tmp_path / "one").mkdir()
    with pytest.raises(Exception, match="a step inside a step has no faults"):
        load_scenario(written(tmp_path / "one", step), STEPS, Policy)


def test_the_kinds_of_faults_are_listed(tmp_path: Path) -> None:
    """The author would have to read our source to know what can happen."""
    listed = [json.loads(line) for line in poslab("run", "--list-faults", "--json", cwd=tmp_path).stdout.splitlines()]
    assert [row["kind"] for row in listed] == list(OCCASIONS)
    assert {row["target"] for row in listed} == {"line", "device", "host"}


async def test_a_reply_that_never_comes_is_not_waited_for(tmp_path: Path) -> None:
    """A story in which a sale is refused at the till would hang for ever before its reply."""
    step = "  - sale:\n      terminal: till\n      amount: 1.00\n      before_reply: [{show: {terminal: till}}]\n"
    steps = "  - open_case: {terminal: till}\n" + step
    scenario = load_scenario(written(tmp_path, steps), STEPS, Policy)
    async with asyncio.timeout(20):
        result = await Runner(STEPS, Over.MEMORY, 1).run(scenario, lambda told: None)
    assert result.verdict == "error"
    assert "there was no reply, it was" in result.steps[-1].message.en


def test_a_forger_who_got_no_chance_goes_home(tmp_path: Path) -> None:
    """The next answer of the host would be forged in a step that says nothing of it."""
    steps = (
        "  - forge_notice: {terminal: till}\n"
        "    faults: [{kind: net.lost}]\n"
        "    expect: {outcome: unknown}\n"
        "  - commands: {terminal: till}\n"
        "    expect: {outcome: done}\n"
    )
    assert [step.message.en for step in played(written(tmp_path, steps)).steps if step.verdict != "passed"] == []
