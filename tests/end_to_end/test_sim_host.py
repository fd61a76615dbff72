"""A host of somebody's own behind a faulty line, in real time: our host as a process, and calls that are refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from random import Random

import pytest

from pos_lab.key_card import KeyCard
from pos_lab.sim.gateway import WeatherLoop
from pos_lab.sim.trial import ASKED, Trial, TrialSettings
from pos_lab.wall_clock import wall_clock
from tests.end_to_end.shop import HostCommand, poslab, serving
from tests.pos_lab.sim.mutants import MUTANTS


def card_of(host: HostCommand, folder: Path, number: int) -> Path:
    """The key card of a new terminal, in a file of its own."""
    folder.mkdir()
    host.commission(folder, number)
    return folder / "card.json"


def test_our_own_host_holds_behind_a_faulty_line(tmp_path: Path) -> None:
    """An engineer would hear of a defect that his host does not have, or of none that it has."""
    with serving(tmp_path) as host:
        cards = [card_of(host, tmp_path / f"card{number}", number) for number in (1, 2)]
        words = [word for card in cards for word in ("--key-card", str(card))]
        asked = ("--host", host.url, *words, "--seconds", "4", "--timeout", "0.5", "--seed", "3")
        done = poslab("sim", *asked, "--json", cwd=tmp_path)
        captured = sum(len(host.captured(number)) for number in (1, 2))
    document = json.loads(done.stdout)
    assert (done.returncode, document["violations"]) == (0, [])
    assert document["faults"] > 0
    assert document["told"]["approved"] > 0
    assert captured > 0
    assert document["asked"] == sorted(ASKED)
    assert {"M1", "J3", "S1"} <= set(document["not_asked"])
    assert not set(document["asked"]) & set(document["not_asked"])
    assert [path.name for path in sorted(tmp_path.glob("till-*"))] == ["till-SHP000000001", "till-SHP000000002"]


def trial_of(host: HostCommand, card: Path, folder: Path) -> Trial:
    """A short trial in this process."""
    settings = TrialSettings(host.url, [KeyCard.read(card)], "calm", 1, 1.5, 1.0, folder)
    clock: Callable[[], datetime] = wall_clock
    return Trial(settings, clock, Random(1).randbytes)


def test_a_terminal_that_journals_too_late_is_found(tmp_path: Path) -> None:
    """The examiner would look on."""
    with serving(tmp_path) as host:
        trial = trial_of(host, card_of(host, tmp_path / "card", 3), tmp_path)
        with MUTANTS["journal_after_send"].at_work(), asyncio.Runner(loop_factory=WeatherLoop) as runner:
            runner.run(trial.run())
    assert "J1" in {found.id for found in trial.violations}


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("--host", "tcp://192.0.2.1:8583", "--key-card", "card.json"), 2, "--elsewhere"),
        (("--host", "serial:///dev/ttyUSB0", "--key-card", "card.json"), 2, "tcp:// or tls://"),
        (("--host", "tcp://127.0.0.1:9", "--profile", "power", "--key-card", "card.json"), 2, "network or calm"),
        (("--host", "tcp://127.0.0.1:9"), 2, "--key-card"),
        (("--host", "tcp://127.0.0.1:9", "--key-card", "no-card.json"), 2, "no-card.json"),
        (("--host", "tcp://127.0.0.1:9", "--key-card", "card.json"), 3, "cannot connect"),
    ],
)
def test_a_wrong_call_is_told(tmp_path: Path, words: tuple[str, ...], status: int, told: str) -> None:
    """Somebody's host would be put under fire by mistake, or nobody would know why nothing happens."""
    card = {
        "serial_number": "SHP000000001", "model": "PX-E90", "terminal_id": "40000001", "merchant_id": "897000000000001",
        "tmk": "00112233445566778899AABBCCDDEEFF", "host_public_key": "00" * 32,
    }  # fmt: skip
    (tmp_path / "card.json").write_text(json.dumps(card), encoding="utf-8")
    refused = poslab("sim", *words, "--seconds", "1", cwd=tmp_path)
    assert refused.returncode == status
    assert told in " ".join(refused.stderr.split())
