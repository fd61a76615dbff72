"""The first life, as its users play it: by the runner, by ``poslab run`` and by ``poslab demo``."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest

from firmware_sim.cards import TEST_CARDS
from host.admin.acts import perform
from host.policy import Policy
from host.store.database import open_store
from pos_lab.host_process import HostProcess
from pos_lab.scenario import runner
from pos_lab.scenario.files import FIRST_LIFE, shipped
from pos_lab.scenario.loader import load_scenario
from pos_lab.scenario.report.document import run_document
from pos_lab.scenario.report.html import html_report
from pos_lab.scenario.report.junit import junit_xml
from pos_lab.scenario.runner import Runner
from pos_lab.scenario.steps import STEPS
from pos_lab.scenario.story import RunResult, ScenarioResult
from pos_lab.wall_clock import fresh_bytes, wall_clock
from pos_lab.world import Over, Passed, World, world
from protocol.codec import unseal
from protocol.crypto.keys import unpack_working_keys
from protocol.errors import KeyLoadError, TransportError
from protocol.fields import F
from protocol.kinds import identify
from tests.end_to_end.shop import POSLAB, WAIT_S, environment, is_closed, port_of, poslab, until

SEED: Final = 20260301


@dataclass
class Life:
    """A life that was played, and what passed on its lines and lay in its key cards."""

    result: ScenarioResult
    passed: list[Passed]
    tmks: list[bytes]

    def reports(self) -> dict[str, str]:
        """Everything that is handed on."""
        run = RunResult((self.result,), SEED, self.result.duration_s, self.result.virtual_s)
        return {
            "json": json.dumps(run_document(run), ensure_ascii=False),
            "html": html_report(run, "zh"),
            "junit": junit_xml(run),
        }

    def secrets(self) -> set[str]:
        """Every secret of the run, in hex or as it is written; a digit string stands for its BCD as well."""
        secrets = {key.hex() for key in self.tmks}
        for payload in (passed.payload for passed in self.passed):
            message = unseal(payload).message
            secrets |= {message.text(number) for number in (F.PAN, F.TRACK2, F.TRACK3)}
            secrets |= {message.octets(F.PIN_BLOCK).hex()}
            if str(identify(message)) == "sign_in.reply" and (wrapped := message.octets(F.PAYLOAD)):
                secrets |= {wrapped.hex(), *self._clear_keys(wrapped)}
        for card in TEST_CARDS.values():
            secrets |= {card.pan, card.track2}
        return {secret for secret in secrets if secret}

    def _clear_keys(self, wrapped: bytes) -> set[str]:
        for tmk in self.tmks:
            with suppress(KeyLoadError):
                keys = unpack_working_keys(tmk, wrapped)
                return {key.hex() for key in (keys.pik, keys.mak, keys.tdk) if key}
        raise AssertionError("working keys that no key card opens")


async def _play(over: Over, place: Path, monkeypatch: pytest.MonkeyPatch) -> Life:
    built: list[World] = []

    @asynccontextmanager
    async def listening(*arguments: Any) -> AsyncIterator[World]:
        async with world(*arguments) as made:
            built.append(made)
            yield made

    monkeypatch.setattr(runner, "world", listening)
    scenario = load_scenario(str(shipped(FIRST_LIFE)), STEPS, Policy)
    told: list[str] = []
    result = await Runner(STEPS, over, SEED).run(scenario, lambda step: told.append(step.name), place)
    assert told == [step.verb for step in scenario.steps]
    store = open_store(str(place / "host.db"), fresh_bytes, create=False)
    serials = [member.serial_number for member in scenario.terminals.values()]
    cards = [perform(store, "key_card", wall_clock(), serial_number=serial) for serial in serials]
    store.close()
    return Life(result, built[0].passed, [bytes.fromhex(str(card["tmk"])) for card in cards])


@pytest.mark.parametrize("over", [Over.MEMORY, Over.TCP])
async def test_every_step_passes_and_nothing_secret_is_handed_on(
    over: Over, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The life would end at a step; or the report that proves it would give away cards and keys."""
    life = await _play(over, tmp_path, monkeypatch)
    assert [(step.line, step.message.en) for step in life.result.steps if step.verdict != "passed"] == []
    assert life.result.verdict == "passed"
    assert all(fact.agrees for fact in life.result.facts.values())
    assert life.result.virtual_s > 90 * 86_400
    secrets = life.secrets()
    assert len(secrets) > 20
    for name, report in life.reports().items():
        squeezed = re.sub(r"\s", "", report).lower()
        for secret in secrets:
            for form in (secret.lower(), secret.encode().hex()):
                assert form not in squeezed, f"{name} holds a secret of {len(secret)} characters"


async def test_a_run_gives_its_port_back(tmp_path: Path) -> None:
    """The next run would find the port taken, or a host that nobody ends."""
    async with world({}, Policy(), Over.PROCESS, tmp_path, SEED) as built:
        port = port_of(built.url)
        assert not is_closed(port)
    assert is_closed(port)


async def test_a_host_that_cannot_start_says_why(tmp_path: Path) -> None:
    """A demo that cannot begin would end in a page of Python."""
    (tmp_path / "host.db").mkdir()
    with pytest.raises(TransportError, match=r"the host did not start: .*is a directory"):
        await HostProcess.start(tmp_path / "host.db")


# the program


@dataclass
class Desk:
    """Where a user stands, with a folder for temporary files of their own."""

    here: Path
    temporary: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the program in a process group of its own, as a shell does."""
        return subprocess.Popen(
            [*POSLAB, *words],
            cwd=self.here,
            env=environment(TMPDIR=str(self.temporary)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def play(self, *words: str) -> tuple[int, str, str]:
        """Run it to its end, after which nothing of it is left."""
        process = self.start(*words)
        out, err = process.communicate(timeout=WAIT_S)
        self.assert_clean(process)
        return process.returncode, out, err

    def assert_clean(self, process: subprocess.Popen[str]) -> None:
        """No process of it runs on, and no temporary file is left."""
        until(lambda: not _group_lives(process.pid), "every process of the demo ends")
        assert list(self.temporary.iterdir()) == []


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An empty folder."""
    desk = Desk(tmp_path / "here", tmp_path / "tmp")
    desk.here.mkdir()
    desk.temporary.mkdir()
    yield desk
    shutil.rmtree(tmp_path)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_demo_tells_its_story_and_leaves_only_its_report(desk: Desk) -> None:
    """A stranger who tries the program would see no verdict, or find rubbish afterwards."""
    status, out, err = desk.play("demo")
    assert (status, err) == (0, "")
    verdict, lasted, report = out.splitlines()[-3:]
    assert re.fullmatch(r"verdict: passed  \(\d+ passed\)", verdict)
    assert re.match(r"duration: [0-9.]+ s", lasted)
    assert report == "report: report/first_life.html"
    html = (desk.here / "report/first_life.html").read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>") or html.lower().startswith("<!doctype html>")
    assert (
        re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)[^"']+|url\((?!["']?(?:#|data:))|@import|https?://""", html)
        == []
    )
    assert [str(path.relative_to(desk.here)) for path in desk.here.rglob("*") if path.is_file()] == [
        "report/first_life.html"
    ]


def test_the_demo_speaks_chinese(desk: Desk) -> None:
    """A Chinese merchant's engineer would get an English story."""
    status, out, _ = desk.play("demo", "--lang", "zh", "--html", "life.html")
    assert status == 0
    assert "一台终端的一生" in out
    assert out.splitlines()[-3].startswith("结论")
    assert 'lang="zh' in (desk.here / "life.html").read_text(encoding="utf-8")


def test_the_demo_for_programs_is_one_document(desk: Desk) -> None:
    """A script could not read the verdict for all the talk around it."""
    status, out, err = desk.play("demo", "--json")
    assert (status, err) == (0, "")
    document = json.loads(out)
    assert document["verdict"] == "passed"
    assert document["invariants"]["violated"] == []
    assert {step["verdict"] for scenario in document["scenarios"] for step in scenario["steps"]} == {"passed"}


@pytest.mark.parametrize("whole_group", [True, False], ids=["Ctrl-C", "only the demo"])
def test_an_interrupted_demo_leaves_no_host(desk: Desk, whole_group: bool) -> None:
    """A host would run on after Ctrl-C and hold its port and its database for ever."""
    process = desk.start("demo")
    assert process.stdout is not None
    while "✓" not in process.stdout.readline():
        assert process.poll() is None
    _interrupt(desk, process, whole_group=whole_group)


@pytest.mark.parametrize("whole_group", [True, False], ids=["Ctrl-C", "only the demo"])
def test_a_demo_that_is_interrupted_while_its_host_starts(desk: Desk, whole_group: bool) -> None:
    """The impatient user would leave a host behind that nobody knows of."""
    process = desk.start("demo")
    until(lambda: list(desk.temporary.glob("*/host.db.key")), "the host begins to start")
    _interrupt(desk, process, whole_group=whole_group)


def _interrupt(desk: Desk, process: subprocess.Popen[str], *, whole_group: bool) -> None:
    if whole_group:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 130
    assert "Traceback" not in err
    desk.assert_clean(process)


BROKEN: Final = {
    "another turnover": ("{state: registered, turnover: 60.00}", "{state: registered, turnover: 60.01}", "turnover"),
    "a sale that should fail": (
        "amount: 60.00, card: debit, as: first}\n",
        "amount: 60.00, card: debit, as: first}\n    expect: {outcome: refused}\n",
        "outcome",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_expectation_fails_the_run(tmp_path: Path, name: str) -> None:
    """A regression would be reported as passed."""
    right, wrong, key = BROKEN[name]
    text = shipped(FIRST_LIFE).read_text(encoding="utf-8")
    assert text.count(right) == 1
    (tmp_path / "broken.yaml").write_text(text.replace(right, wrong), encoding="utf-8")
    done = poslab("run", "broken.yaml", "--junit", "out.xml", cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(rf"^ +{key}: expected .+, .+$", done.stdout, re.MULTILINE)
    assert re.search(r"^verdict: failed  \(.*1 failed.*skipped\)$", done.stdout, re.MULTILINE)
    (suite,) = ET.parse(tmp_path / "out.xml").getroot().iter("testsuite")
    assert suite.get("failures") == "1"
