"""What a device writes while it starts: the examiner tells work that is done again from news about its keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from random import Random

import pytest

from firmware_sim.board import Hardware
from firmware_sim.models import MODELS
from host.store.schema import TABLES
from host.written import CHINA_TIME
from pos_lab.sim.checker.device import DeviceReader, Maker, Memory
from pos_lab.sim.checker.examiner import Examiner
from pos_lab.sim.run import run_seed
from pos_lab.sim.world import Scale
from pos_lab.vendor import VENDOR_PUBLIC_KEY, make_image
from protocol.crypto.keys import make_working_keys, pack_working_keys
from protocol.errors import KeyLoadError
from terminal.app import Terminal
from terminal.settings import Settings

MODEL = MODELS["PX-S80"]
SERIAL_NUMBER = "SIM000000001"
SETTINGS = Settings(terminal_id="20000001", merchant_id="898100000000001")
TMK = bytes(range(16))


class Bench:
    """A device that starts again and again, and an examiner who looks at every boot."""

    def __init__(self) -> None:
        self.hardware = Hardware.make(
            MODEL,
            SERIAL_NUMBER,
            factory_image=make_image(MODEL, MODEL.factory_firmware),
            vendor_public_key=VENDOR_PUBLIC_KEY,
            url="memory:host",
            now=lambda: datetime(2026, 3, 14, tzinfo=CHINA_TIME),
            fresh=Random(1).randbytes,
        )
        chips = self.hardware.chips
        memories = {
            name: Memory(getattr(chips, name).read, getattr(chips, name).size_bytes)
            for name in ("journal", "keys", "slot_record", "slots")
        }
        maker = Maker(MODEL.id, VENDOR_PUBLIC_KEY)
        driver = sqlite3.connect(":memory:")
        for name, table in TABLES.items():
            driver.execute(f"CREATE TABLE {name} ({', '.join(column.name for column in table.columns)})")
        self.examiner = Examiner(driver)
        driver.close()
        self.examiner.watch(SETTINGS.terminal_id, chips.journal.read, chips.journal.size_bytes)
        self.examiner.fit(SETTINGS.terminal_id, SERIAL_NUMBER)
        self.examiner.know(DeviceReader(SERIAL_NUMBER, lambda: chips.fuse.image, memories, maker))

    def boot(self) -> Terminal:
        """Switch it off and on."""
        self.hardware.cut_power()
        self.examiner.look_at(SETTINGS.terminal_id)
        terminal = Terminal(self.hardware, SETTINGS)
        self.examiner.booted(SETTINGS.terminal_id)
        return terminal

    @property
    def found(self) -> list[str]:
        """The invariants that do not hold."""
        return [violation.id for violation in self.examiner.violations]


def _open_case(bench: Bench, terminal: Terminal) -> None:
    bench.hardware.open_case()


def _guess_keys(bench: Bench, terminal: Terminal) -> None:
    module, wrong = terminal.board.secure_module, pack_working_keys(bytes(16), make_working_keys("003", bytes))
    while not module.is_locked:
        with suppress(KeyLoadError):
            module.load_working_keys(wrong)


@pytest.mark.parametrize("happens", [_open_case, _guess_keys])
def test_a_boot_says_what_befell_the_keys(happens: Callable[[Bench, Terminal], None]) -> None:
    """A device that notes at power-on that somebody has been at its keys would be accused of recovering twice."""
    bench = Bench()
    bench.boot().board.secure_module.inject_tmk(TMK, VENDOR_PUBLIC_KEY)
    happens(bench, bench.boot())
    assert [event.what for event in bench.boot().book.events] == ["security alarm"]
    bench.boot()
    assert bench.found == []


def test_an_alarm_is_noted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device whose case was opened would fill its journal with every boot, until it starts no more."""
    bench = Bench()
    _open_case(bench, bench.boot())
    bench.boot()
    assert bench.found == []
    monkeypatch.setattr("terminal.app.sound", lambda session: session.note("security alarm", "tampered"))
    bench.boot()
    assert bench.found == ["J9"]


@pytest.mark.parametrize("seed", [21406, 25104])
def test_seeds_that_opened_a_case_between_two_boots_pass(seed: int) -> None:
    """A shop would hear that its device is at fault, when it had done right to write down that its case was opened.

    21406 (power), 25104 (everything): nobody worked with the till between two boots, and its case was opened (J9).
    """
    assert run_seed(seed, "", scale=Scale(2, 14)).passed
