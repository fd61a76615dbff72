"""One device of a shop: its hardware, its application while the power is on, and what is left when it goes.

Rules owned here: after a power cut only what the NVRAM holds comes back, and the boot may be cut as anything else; a
device restarts by itself for new firmware; TABLE DEVICE_FAULTS, what befalls a device besides a power cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from firmware_sim.board import Hardware
from firmware_sim.boot import Outcome as Boot
from firmware_sim.errors import BootFailed, DeviceError, NvramCorrupt, SecureModuleError
from firmware_sim.faults import FAULT_POINTS
from firmware_sim.power import Phase, PowerLost
from pos_lab.cashier import PIN
from terminal.app import Terminal
from terminal.errors import JournalUnreadable, TransitionRefused
from terminal.outcome import Outcome
from terminal.settings import Settings

if TYPE_CHECKING:
    from pos_lab.sim.world import SimWorld

CUT_WITHIN: Final = 80
"""Among how many operations from now a planned power cut falls."""
CUT_AGAIN: Final = "power.cut_again"
BOOT_WITHIN: Final = 12
"""Among how many operations of a boot the next cut falls."""
DARK_S: Final = (0.5, 120.0)
BOOTS_MAX: Final = 20
LASTING: Final = frozenset({"journal.erase_fails", "secure_module.tamper", "firmware.trial_crashes"})
PART_FAULTS: Final = tuple(name for name, point in FAULT_POINTS.items() if point.takes(None) and name not in LASTING)
"""What can be armed and leaves the device as it was; what lasts is a row of DEVICE_FAULTS."""
_HOUR_S: Final = 3_600


class Device:
    """Made with its ``hardware`` for the shop ``shop`` of a world; ``told`` hears what its cashier is told."""

    def __init__(
        self,
        world: SimWorld,
        shop: str,
        hardware: Hardware,
        settings: Settings,
        chance: Random,
        told: Callable[[Device, Outcome, tuple[str, ...]], None],
    ) -> None:
        self.world = world
        self.shop = shop
        self.hardware = hardware
        self.settings = settings
        self.chance = chance
        self.is_watched = False
        self.last_sent = b""
        self._paper_read = 0
        self._told = told
        self._strikes: Callable[[str], bool] = _never
        self._terminal: Terminal | None = None
        self._in_use = asyncio.Lock()

    @property
    def serial_number(self) -> str:
        """Who it is."""
        return self.hardware.serial_number

    @property
    def runs_new_firmware(self) -> bool:
        """Does it run other firmware than that of the factory, and keep it?"""
        if self._terminal is None or not self.hardware.power.is_on:
            return False
        board = self._terminal.board
        return board.running.version != self.hardware.model.factory_firmware and not board.update.on_trial

    async def terminal(self) -> Terminal:
        """The application, switched on where the power is off; recovery may be cut as anything else."""
        for _ in range(BOOTS_MAX):
            if self._terminal is not None and self.hardware.power.is_on:
                return self._terminal
            self._look()  # what was written until the power went is no work of the boot
            try:
                self._terminal = Terminal(self.hardware, self.settings)
            except PowerLost:
                self.world.sometimes("cut_during_recovery")
                await self._dark("in the boot")
            except (BootFailed, NvramCorrupt, JournalUnreadable, TransitionRefused, DeviceError) as error:
                invariant = "F1" if isinstance(error, BootFailed) else "J5"
                self.world.broken(self.shop, f"{invariant}: the terminal does not start any more: {error}")
            else:
                self.world.note(self.shop, "boot", f"epoch {self.hardware.power.epoch}")
                if self._terminal.board.running.outcome is Boot.REVERT:
                    self.world.sometimes("firmware_reverted")
                if abs(self._terminal.book.clock_offset_s) > _HOUR_S:
                    self.world.sometimes("clock_was_wrong")
                if self.is_watched:
                    self.world.examiner.booted(self.settings.terminal_id)
                self._look()
        raise AssertionError("a device that is cut at every boot")

    async def play(self, flow: str, *words: str) -> Outcome | None:
        """Let the cashier do something; None where the power went meanwhile. New firmware is started behind it.

        Whoever else wants the device meanwhile waits.
        """
        async with self._in_use:
            return await self._play(flow, *words)

    async def _play(self, flow: str, *words: str) -> Outcome | None:
        terminal = await self.terminal()
        seen = len(terminal.told)
        self.world.note(self.shop, "intent", " ".join((flow, *(word for word in words if word != PIN))))
        try:
            outcome = await terminal.do(flow, *words)
        except PowerLost:
            outcome = None
        finally:
            self._read_paper()
            for told in terminal.told[seen:]:
                self._told(self, told, words)
        if not self.hardware.power.is_on:
            await self._dark(flow)
        elif terminal.reboot_due:
            self.hardware.cut_power()
            await self._dark("for new firmware")
        return outcome

    async def load_card(self, card: Mapping[str, object]) -> None:
        """The depot loads a key card; a device whose case was opened takes none."""
        terminal = await self.terminal()
        tmk, host_key = bytes.fromhex(str(card["tmk"])), bytes.fromhex(str(card["host_public_key"]))
        self.world.keep_secret(f"a master key of {self.shop}", tmk)
        try:
            terminal.board.secure_module.inject_tmk(tmk, host_key)
        except PowerLost:
            await self._dark("while keys are loaded")
        except SecureModuleError as error:
            self.world.note(self.shop, "no keys", error.code)

    async def _dark(self, where: str) -> None:
        """The power is gone: the examiner looks at what is left, then it comes back."""
        if self._terminal is not None and self._terminal.session.journal.book.unresolved:
            self.world.sometimes("cut_while_reversal_pends")
        self._terminal = None
        self.world.note(self.shop, "dark", where)
        self._look()
        await asyncio.sleep(self.chance.uniform(*DARK_S))
        if self._strikes(CUT_AGAIN):
            self.hardware.power.cut_at(self.chance.randint(1, BOOT_WITHIN), Phase.AFTER)

    def _look(self) -> None:
        if self.is_watched:
            self.world.examiner.look_at(self.settings.terminal_id)
        self.world.examiner.look_at_device(self.serial_number)

    def _read_paper(self) -> None:
        """What has come out of the printer since is in somebody's hands."""
        lines = self.hardware.paper[self._paper_read :]
        self._paper_read += len(lines)
        if self.is_watched:
            self.world.examiner.printed(self.settings.terminal_id, lines)

    def pull(self) -> None:
        """The plug is pulled."""
        if self.hardware.power.is_on:
            self.hardware.power.cut()

    def suffer(self, strikes: Callable[[str], bool]) -> None:
        """Plan what ``strikes`` says befalls this device while it does the next thing."""
        self._strikes = strikes
        for kind, fault in DEVICE_FAULTS.items():
            if strikes(kind):
                fault.strike(self)

    def heal(self) -> None:
        """Nothing fails at this device any more; what is worn or erased stays so."""
        self.hardware.power.spare()
        self.hardware.power.plug()
        for name in self.hardware.faults.armed:
            if name not in LASTING:
                self.hardware.faults.disarm(name)


def _never(kind: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class DeviceFault:
    """A row of DEVICE_FAULTS: rows of the catalogue, what happens in words, and what does it."""

    rows: str
    english: str
    strike: Callable[[Device], None]


def _cut(device: Device) -> None:
    chance = device.chance
    device.hardware.power.cut_at(chance.randint(1, CUT_WITHIN), chance.choice((Phase.BEFORE, Phase.AFTER)))


def _torn(device: Device) -> None:
    chance = device.chance
    device.hardware.power.cut_at(
        chance.randint(1, CUT_WITHIN), Phase.TORN, torn_bytes=chance.randint(0, 256), lost=chance.getrandbits(8)
    )


def _at_once(device: Device) -> None:
    later_s = device.chance.choice((device.chance.uniform(0, 1), device.chance.uniform(0, 40)))
    device.world.loop.call_later(later_s, device.pull)


def _part(device: Device) -> None:
    name = device.chance.choice(PART_FAULTS)
    device.world.count(name)
    device.hardware.faults.arm(name)


def _tampered(device: Device) -> None:
    """The case is opened, whatever the device does, even where its power is off."""
    if device.chance.random() < 0.5:
        device.hardware.faults.arm("secure_module.tamper")
    else:
        device.world.loop.call_later(device.chance.uniform(0, 60), _opened, device)


def _opened(device: Device) -> None:
    power = device.hardware.power
    if power.is_on and device.chance.random() < 0.5:
        power.cut_at(device.chance.randint(1, 4), Phase.AFTER)
    try:
        device.hardware.open_case()
    except PowerLost:
        device.world.sometimes("cut_during_erasure")


def _battery_dead(device: Device) -> None:
    """The battery that keeps keys and journal is empty: the device forgets everything."""
    world = device.world
    if "journal.erase_fails" in device.hardware.faults.armed:
        return  # memory that is worn and blank takes nothing: such a device never starts again
    if device.is_watched:
        world.examiner.write_off(device.settings.terminal_id)
    device.pull()
    _opened(device)
    device.hardware.chips.journal.blank()


def _worn(device: Device) -> None:
    if device.hardware.power.is_on:
        device.hardware.faults.arm("journal.erase_fails", times=None)


def _short_journal(device: Device) -> None:
    """Set up anew, for a few transactions only; it counts from the next boot on."""
    limit = device.chance.randint(1, 4)
    device.settings = device.settings.model_copy(update={"journal_limit": limit, "offline_max": limit})
    device.pull()


def _stepped(device: Device) -> None:
    days = device.chance.choice((-3_650, -366, -1, 1, 366, 3_650))
    device.hardware.crystal.step(timedelta(days=days, seconds=device.chance.randint(-60, 60)))


def _drifting(device: Device) -> None:
    device.hardware.crystal.drift(device.chance.choice((-50_000.0, -100.0, 100.0, 50_000.0)))


def _on_battery(device: Device) -> None:
    """Unplugged with a battery that is nearly empty; somebody plugs it in later."""
    power = device.hardware.power
    if power.has_battery and power.is_plugged:
        power.unplug()
        power.drain(device.chance.uniform(86, 99))
        device.world.loop.call_later(device.chance.uniform(30, 600), power.plug)


def _crashing(device: Device) -> None:
    """The next firmware that is tried crashes, once, or until it is given up."""
    device.hardware.faults.arm("firmware.trial_crashes", times=device.chance.choice((1, 3)))


DEVICE_FAULTS: Final[Mapping[str, DeviceFault]] = MappingProxyType(
    {
        "power.cut": DeviceFault(
            "T01 T02 T03 T04 T05 T06 T08 A11 A13", "the plug is pulled at an operation of a chip or a part", _cut
        ),
        "power.torn": DeviceFault(
            "T07 T09 A11", "the plug is pulled inside a write, and what no barrier held is lost", _torn
        ),
        "power.at_once": DeviceFault("T03 T17 O08", "the plug is pulled at any instant", _at_once),
        "part": DeviceFault("T15 P01 P02 P03 P04 P05 C02 C07", "a part of the device fails", _part),
        "device.tampered": DeviceFault("A13", "the case is opened, with the power on or off", _tampered),
        "device.battery_dead": DeviceFault("T11 T13", "its battery dies, and with it keys and journal", _battery_dead),
        "device.worn": DeviceFault("T10", "the journal's memory cannot be erased any more", _worn),
        "device.short_journal": DeviceFault("T14", "the journal is set up for a few transactions", _short_journal),
        "clock.stepped": DeviceFault("C01 C02 C03", "the device's clock jumps, by up to ten years", _stepped),
        "clock.drifting": DeviceFault("C04", "the device's clock runs fast or slow, by up to five percent", _drifting),
        "power.battery_low": DeviceFault("T16", "the device is off the mains, its battery nearly empty", _on_battery),
        "firmware.crashes": DeviceFault("A12", "firmware on trial crashes", _crashing),
    }
)
"""In the order in which they are drawn."""
