"""A secure module with what it is wired to, rebuilt from its chip and its fuse at every ``reboot``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_sim.chip import SECTOR_BYTES, Chip
from firmware_sim.faults import Faults
from firmware_sim.fuse import Fuse
from firmware_sim.keypad import Keypad, SecureEntry
from firmware_sim.power import Power
from firmware_sim.secure_module import SecureModule
from protocol.crypto import signing
from protocol.crypto.key import MacKey, PinKey, TrackKey
from protocol.crypto.keys import WorkingKeys, pack_working_keys

TMK = bytes(range(16))
SIGNING_KEY = b"S" * 32
HOST_KEY = signing.public_key(SIGNING_KEY)
KEYS = WorkingKeys(pik=PinKey(b"P" * 8 + b"p" * 8), mak=MacKey(b"M" * 8 + b"m" * 8), tdk=TrackKey(b"T" * 8 + b"t" * 8))
FUSE_KEY = b"F" * 32
PAN = "6200000100000004"
PIN = "123456"
ALL_ALGORITHMS = frozenset({"des", "3des", "sm4"})


@dataclass
class SecureBench:
    """``chip``, ``fuse``, ``power`` and ``faults`` outlive a reboot; ``made`` keeps what ``fresh`` gave."""

    fresh: Callable[[int], bytes]
    chip: Chip = field(default_factory=lambda: Chip(2 * SECTOR_BYTES, name="keys"))
    fuse: Fuse = field(default_factory=lambda: Fuse(FUSE_KEY))
    power: Power = field(default_factory=Power)
    faults: Faults = field(default_factory=Faults)
    serial_number: str = "PXE9000000001"
    algorithms: frozenset[str] = ALL_ALGORITHMS
    made: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reboot()

    def reboot(self) -> SecureModule:
        """The power goes and comes back."""
        self.power.cut()
        self.power.switch_on()
        self.entry = SecureEntry()
        self.keypad = Keypad(self.power, self.entry, self.faults)
        self.module = SecureModule(
            self.power,
            self.chip,
            fuse=self.fuse,
            serial_number=self.serial_number,
            secure_entry=self.entry,
            fresh=self._fresh,
            faults=self.faults,
            algorithms=self.algorithms,
        )
        return self.module

    def load(self) -> SecureBench:
        """The depot injects the master key, and the terminal signs on."""
        self.module.inject_tmk(TMK, HOST_KEY)
        self.module.load_working_keys(pack_working_keys(TMK, KEYS))
        return self

    @property
    def secrets(self) -> list[bytes]:
        """Every key and PIN that is in the module, in the order it got them."""
        keys = [TMK, KEYS.pik, KEYS.mak, KEYS.tdk or b"", FUSE_KEY, PIN.encode()]
        return keys + [made for made in self.made if len(made) == 32]

    def _fresh(self, length: int) -> bytes:
        self.made.append(self.fresh(length))
        return self.made[-1]
