"""Which firmware runs after power-on.

Rules owned here: TABLE BOOT. A staged image is marked as tried before it runs, so that a second boot without a
confirmation goes back to the confirmed one; nothing runs that the vendor did not sign for this model, whose bytes have
changed, or whose security counter is below the stored one; that counter rises on confirmation only, else a revert could
lock the device out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from firmware_sim.errors import BootFailed
from firmware_sim.flash import Flash, Slots, SlotState
from protocol.errors import ProtocolError
from protocol.image import Manifest, open_image


class Outcome(Enum):
    """How the boot went: the confirmed image, a staged one on trial, or back from one that was not confirmed."""

    NORMAL = "normal"
    TEST = "test"
    REVERT = "revert"


@dataclass(frozen=True, slots=True)
class Choice:
    """Run the image in ``slot`` after the record of the slots became ``then``."""

    slot: int
    outcome: Outcome
    then: Slots


_E, _C, _S, _T = SlotState.EMPTY, SlotState.CONFIRMED, SlotState.STAGED, SlotState.TRIED

# states of slot 0 and slot 1 -> what to run; a pair without a row has no firmware in force, and nothing runs
BOOT: Mapping[Slots, Choice] = {
    (_C, _E): Choice(0, Outcome.NORMAL, (_C, _E)),
    (_C, _S): Choice(1, Outcome.TEST, (_C, _T)),
    (_C, _T): Choice(0, Outcome.REVERT, (_C, _E)),
    (_E, _C): Choice(1, Outcome.NORMAL, (_E, _C)),
    (_S, _C): Choice(0, Outcome.TEST, (_T, _C)),
    (_T, _C): Choice(1, Outcome.REVERT, (_E, _C)),
}


@dataclass(frozen=True, slots=True)
class Running:
    """The firmware that runs: what its image states, the slot it is in, and how the boot came to it."""

    manifest: Manifest
    slot: int
    outcome: Outcome

    @property
    def version(self) -> str:
        return self.manifest.version


def boot(flash: Flash, *, vendor_public_key: bytes, model: str) -> Running:
    """Choose by BOOT, verify, and return what runs; raises BootFailed when nothing may run, PowerLost."""
    choice = BOOT.get(flash.record.slots)
    if choice is None:
        raise BootFailed("no firmware in the device", hint="the factory image was never written")
    if choice.then != flash.record.slots:
        flash.save(replace(flash.record, slots=choice.then))
    try:
        manifest = _verified(flash, choice.slot, vendor_public_key, model)
    except ProtocolError as error:
        if choice.outcome is not Outcome.TEST:
            raise BootFailed(f"the firmware may not run: {error.message}") from error
        return boot(flash, vendor_public_key=vendor_public_key, model=model)  # its slot is TRIED now: reverts
    return Running(manifest, choice.slot, choice.outcome)


def _verified(flash: Flash, slot: int, vendor_public_key: bytes, model: str) -> Manifest:
    manifest = open_image(flash.read(slot, flash.record.sizes[slot]), vendor_public_key, model=model).manifest
    if manifest.security_counter < flash.record.security_counter:
        raise ProtocolError("its security counter was withdrawn", code="security_counter")
    return manifest
