"""The board: every device of one power epoch, wired; and the hardware that outlives it.

Rules owned here: a board is made from the hardware alone, so whatever a program knew is gone with its board; the secure
entry is known to the keypad and the secure module only; the factory image is written once, into a device without one;
opening the case erases the keys, whether a board runs or not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from firmware_sim import key_store
from firmware_sim.boot import boot
from firmware_sim.card_reader import CardReader, Presented
from firmware_sim.chip_card import ChipMemory
from firmware_sim.chips import SIZES, Chips
from firmware_sim.clock import BoardClock, Crystal
from firmware_sim.display import Display, Shown
from firmware_sim.errors import DeviceError
from firmware_sim.faults import Faults
from firmware_sim.flash import Flash, FlashRecord, SlotState
from firmware_sim.keypad import Keypad, SecureEntry
from firmware_sim.line import Direction, Line, Traffic
from firmware_sim.models import Model
from firmware_sim.network import NETWORKS, Network
from firmware_sim.nvram import Nvram
from firmware_sim.power import Cause, Power
from firmware_sim.printer import Printer
from firmware_sim.secure_module import SecureModule
from firmware_sim.signature_pad import SignaturePad
from firmware_sim.update import Update
from firmware_sim.watchdog import Watchdog
from protocol.crypto.vault import KEY_BYTES
from protocol.image import open_image

RESERVE_BYTES = 4 * 1024
"""Room in the journal that ordinary records leave to reversals."""


def _unheard(direction: Direction, payload: bytes) -> None:
    """Nobody records the traffic."""


@dataclass
class Hardware:
    """What survives a power cut, and what the laboratory keeps of the device.

    ``now`` is aware time, ``fresh(n)`` gives n random bytes, ``url`` is the host's endpoint. ``on_traffic``,
    ``faults``, ``network``, ``shown`` and ``paper`` are the laboratory's; they may be changed and read at any time.
    ``chip_memories`` is what the chips of its cards remember, by name: devices may share it, as they do the cards.
    ``power`` is where the supply fails, ``crystal`` where the clock goes wrong.
    """

    model: Model
    serial_number: str
    chips: Chips
    vendor_public_key: bytes
    url: str
    now: Callable[[], datetime] = field(repr=False)
    fresh: Callable[[int], bytes] = field(repr=False)
    on_traffic: Traffic = field(default=_unheard, repr=False)
    power: Power = field(default_factory=Power)
    faults: Faults = field(default_factory=Faults)
    network: Network = NETWORKS["direct"]
    card_slot: deque[Presented] = field(default_factory=deque)
    chip_memories: dict[str, ChipMemory] = field(default_factory=dict)
    shown: list[Shown] = field(default_factory=list, repr=False)
    paper: list[str] = field(default_factory=list, repr=False)
    crystal: Crystal = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.crystal = Crystal(lambda: self.now())

    @classmethod
    def make(
        cls,
        model: Model,
        serial_number: str,
        *,
        factory_image: bytes,
        vendor_public_key: bytes,
        url: str,
        now: Callable[[], datetime],
        fresh: Callable[[int], bytes],
        directory: Path | None = None,
    ) -> Hardware:
        """Return a device as the factory ships it, or, from ``directory``, as it was left there.

        Raises SignatureError when the vendor did not sign ``factory_image`` for this model, ChipError and ChipInUse.
        """
        chips = Chips.in_memory(model, fresh) if directory is None else Chips.open(directory, model, fresh)
        try:
            _install(chips, factory_image, vendor_public_key, model)
        except Exception:
            chips.close()
            raise
        power = Power(has_battery=model.battery)
        return cls(model, serial_number, chips, vendor_public_key, url, now, fresh, power=power)

    def power_on(self) -> Board:
        """Boot and return the board of a new power epoch.

        Raises BootFailed, NvramCorrupt or SecureModuleError when the device cannot start, PowerLost when a planned cut
        falls into the boot; the power is off again then. A device whose firmware crashes restarts by itself.
        """
        self.power.switch_on()
        try:
            board = Board(self)
            while board.update.on_trial and self.faults.fires("firmware.trial_crashes"):
                self.power.cut(Cause.CRASH)
                self.power.switch_on()
                board = Board(self)
            return board
        except Exception:
            self.power.cut()
            raise

    def cut_power(self) -> None:
        """End the power epoch now: the old board is dead, its connection is torn down."""
        self.power.cut()

    def open_case(self) -> None:
        """Open the case: every key is erased at once, on battery where the power is off; the journal is not touched.

        Raises PowerLost when a planned cut falls into it, ChipError.
        """
        key_store.tamper(self.chips.fuse, self.chips.keys, self.power)

    def refurbish(self) -> None:
        """What the depot does to a device for its next life: the case is opened, which erases every key, the journal is
        erased, and the secure module gets a new fuse; the firmware stays. Raises ChipError.
        """
        self.power.cut()
        self.open_case()
        self.chips.journal.blank()
        self.chips.fuse.burn(self.fresh(KEY_BYTES))

    def close(self) -> None:
        """Cut the power and let go of the files."""
        self.power.cut()
        self.chips.close()


class Board:
    """The devices of one power epoch; ``running`` is the firmware that booted."""

    def __init__(self, hardware: Hardware) -> None:
        power, model, chips = hardware.power, hardware.model, hardware.chips
        self.model = model
        self.serial_number = hardware.serial_number
        self.power = power
        self.faults = hardware.faults
        self.fresh = hardware.fresh
        self._chips = chips
        # first of all: an erasure of keys that a power cut interrupted is finished before anything else
        secure_entry = SecureEntry()
        self.secure_module = SecureModule(
            power,
            chips.keys,
            fuse=chips.fuse,
            serial_number=self.serial_number,
            secure_entry=secure_entry,
            fresh=hardware.fresh,
            faults=hardware.faults,
            algorithms=model.algorithms,
        )
        flash = Flash(chips.slots, chips.slot_record, power, hardware.faults)
        self.running = boot(flash, vendor_public_key=hardware.vendor_public_key, model=model)
        self.update = Update(
            flash,
            self.running,
            vendor_public_key=hardware.vendor_public_key,
            model=model,
            now=lambda: self.clock.now() if self.clock.is_set else None,
            battery_low=lambda: power.is_low,
        )
        self.nvram = Nvram(chips.journal, power, reserve_bytes=RESERVE_BYTES, faults=hardware.faults)
        self.keypad = Keypad(power, secure_entry, hardware.faults)
        self.clock = BoardClock(power, hardware.faults, hardware.crystal)
        self.watchdog = Watchdog(power, hardware.faults)
        self.display = Display(power, model, hardware.shown)
        self.card_reader = CardReader(
            power, hardware.faults, model, hardware.card_slot, hardware.chip_memories, hardware.fresh
        )
        self.printer = Printer(power, hardware.faults, hardware.paper) if model.printer else None
        self.signature_pad = SignaturePad(power, hardware.faults) if model.signature_pad else None
        self.line = Line(
            power,
            hardware.faults,
            hardware.url,
            lambda direction, payload: hardware.on_traffic(direction, payload),
            links=model.links,
            network=lambda: hardware.network,
        )

    def clear_entries(self) -> None:
        """Forget what was keyed and signed ahead, and give the card back."""
        self.keypad.clear()
        self.card_reader.remove()
        if self.signature_pad is not None:
            self.signature_pad.clear()

    def wear(self) -> dict[str, int]:
        """Chip -> how often its most used sector was erased."""
        return {name: max(getattr(self._chips, name).wear) for name in SIZES}


def _install(chips: Chips, image: bytes, vendor_public_key: bytes, model: Model) -> None:
    """Write the factory image, confirmed, into a device that has no firmware yet."""
    manifest = open_image(image, vendor_public_key, model=model.id).manifest
    factory = Power()
    factory.switch_on()
    flash = Flash(chips.slots, chips.slot_record, factory)
    if flash.record != FlashRecord():
        return
    if len(image) > flash.slot_bytes:
        raise DeviceError(f"a factory image of {len(image)} bytes, a slot has {flash.slot_bytes}")
    flash.write(0, 0, image)
    flash.save(
        FlashRecord(
            slots=(SlotState.CONFIRMED, SlotState.EMPTY),
            sizes=(len(image), 0),
            security_counter=manifest.security_counter,
        )
    )
