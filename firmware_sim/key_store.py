"""Where the keys of the secure module lie: sealed under the fuse, on a chip of their own, or nowhere any more.

Rules owned here: what is stored is sealed under the fuse key and bound to the serial number; a save replaces everything
and leaves nothing of what was there before; ``tamper`` erases the fuse, which makes the rest unreadable at once, and
then the chip. An erasure that was cut off begins again at the next boot, before anything else (invariant K4).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from firmware_sim.chip import Chip
from firmware_sim.errors import SecureModuleError
from firmware_sim.fuse import Fuse
from firmware_sim.key_slots import KEY_SLOTS, Algorithm, KeyRing, Slot
from firmware_sim.nvram import Nvram
from firmware_sim.port import Port
from firmware_sim.power import Power
from protocol.crypto import vault
from protocol.errors import KeyLoadError

_CONTEXT: Final = b"keys of "


@dataclass(frozen=True, slots=True)
class Stored:
    """Everything that the secure module remembers: its keys, and how many key loads went wrong one after the other."""

    ring: KeyRing = field(repr=False)
    bad_loads: int = 0


class KeyStore:
    """The store of one power epoch; ``fresh(n)`` gives n random bytes.

    At birth it makes a storage key. Raises SecureModuleError "foreign_storage" when the chip belongs to another device.
    """

    def __init__(
        self, power: Power, chip: Chip, fuse: Fuse, *, serial_number: str, fresh: Callable[[int], bytes]
    ) -> None:
        self._fuse = fuse
        self._context = _CONTEXT + serial_number.encode()
        self._fresh = fresh
        self._nvram = Nvram(chip, power)
        if not self._nvram.records():
            self.save(Stored(KeyRing({Slot.STORAGE: fresh(vault.KEY_BYTES)})))

    def load(self) -> Stored:
        """Return what was saved last."""
        try:
            stated = vault.unseal(self._fuse.key, self._nvram.records()[-1], self._context)
        except KeyLoadError as error:
            raise SecureModuleError(
                "the stored keys are another device's", hint="each device keeps its own files", code="foreign_storage"
            ) from error
        stored = json.loads(stated)
        keys = {Slot(slot): KEY_SLOTS[Slot(slot)].kind(bytes.fromhex(key)) for slot, key in stored["keys"].items()}
        return Stored(KeyRing(keys, Algorithm(stored["algorithm"])), stored["bad_loads"])

    def save(self, stored: Stored) -> None:
        """Make ``stored`` all there is, durable on return; a cut leaves the former content or this one."""
        stated = json.dumps({**stored.ring.spelt(), "bad_loads": stored.bad_loads}).encode()
        self._nvram.rewrite([vault.seal(self._fuse.key, self._fresh(vault.NONCE_BYTES), stated, self._context)])


def tamper(fuse: Fuse, chip: Chip, power: Power) -> None:
    """The case is opened: erase every key, with the power or, where it is off, on battery.

    Raises PowerLost when a planned cut falls into it: the fuse is gone by then, and ``resume`` does the rest.
    """
    fuse.erase()
    if power.is_on:
        _erase(chip, power)
    else:
        battery = Power()
        battery.switch_on()
        _erase(chip, battery)


def resume(fuse: Fuse, chip: Chip, power: Power) -> None:
    """Finish at boot what a power cut interrupted; nothing is done to a device whose case was never opened."""
    if fuse.is_erased:
        _erase(chip, power)


def _erase(chip: Chip, power: Power) -> None:
    Port(chip, power).clear(0, chip.size_bytes)
