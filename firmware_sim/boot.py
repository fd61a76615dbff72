"""Which firmware runs after power-on.

Rules owned here: TABLE BOOT. Every boot of an image that is not confirmed yet is counted in the record before the image
runs, so that one that crashes, hangs or loses the power three times gives way to the confirmed one, as it does at once
where it may not run or the record takes no more; nothing runs that the vendor did not sign for this model, whose bytes
have changed, or that breaks BOOT_RULES; the security counter rises on confirmation only, else a revert could lock the
device out.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from firmware_sim.admission import BOOT_RULES, Device, admit
from firmware_sim.errors import BootFailed, NvramWorn, UpdateRefused
from firmware_sim.flash import Flash, Slots, SlotState
from firmware_sim.models import Model
from firmware_sim.profiles import PROFILES, Profile
from protocol.errors import SignatureError
from protocol.image import Manifest, open_image


class Outcome(Enum):
    """How the boot went: the confirmed image, one on trial, or back from one that was not confirmed."""

    NORMAL = "normal"
    TEST = "test"
    REVERT = "revert"


@dataclass(frozen=True, slots=True)
class Choice:
    """Run the image in ``slot`` after the record of the slots became ``then``."""

    slot: int
    outcome: Outcome
    then: Slots


_E, _C, _S = SlotState.EMPTY, SlotState.CONFIRMED, SlotState.STAGED
_T1, _T2, _T3 = SlotState.TRIED_ONCE, SlotState.TRIED_TWICE, SlotState.TRIED_THRICE

# states of slot 0 and slot 1 -> what to run; a pair without a row has no firmware in force, and nothing runs
BOOT: Final[Mapping[Slots, Choice]] = {
    (_C, _E): Choice(0, Outcome.NORMAL, (_C, _E)),
    (_C, _S): Choice(1, Outcome.TEST, (_C, _T1)),
    (_C, _T1): Choice(1, Outcome.TEST, (_C, _T2)),
    (_C, _T2): Choice(1, Outcome.TEST, (_C, _T3)),
    (_C, _T3): Choice(0, Outcome.REVERT, (_C, _E)),
    (_E, _C): Choice(1, Outcome.NORMAL, (_E, _C)),
    (_S, _C): Choice(0, Outcome.TEST, (_T1, _C)),
    (_T1, _C): Choice(0, Outcome.TEST, (_T2, _C)),
    (_T2, _C): Choice(0, Outcome.TEST, (_T3, _C)),
    (_T3, _C): Choice(1, Outcome.REVERT, (_E, _C)),
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

    @property
    def profile(self) -> Profile:
        """How it behaves."""
        return PROFILES[self.manifest.profile]


def boot(flash: Flash, *, vendor_public_key: bytes, model: Model) -> Running:
    """Choose by BOOT, verify, and return what runs; raises BootFailed when nothing may run, PowerLost."""
    record = flash.record
    choice = BOOT.get(record.slots)
    if choice is None:
        raise BootFailed("no firmware in the device", hint="the factory image was never written")
    if choice.outcome is Outcome.TEST:
        try:
            flash.save(replace(record, slots=choice.then))
            return Running(_verified(flash, choice.slot, vendor_public_key, model), choice.slot, choice.outcome)
        except (SignatureError, UpdateRefused, NvramWorn) as error:
            record = record.counting(error.code)
            choice = BOOT[record.with_state(choice.slot, _T3).slots]  # it is not tried again
    if choice.then != flash.record.slots:
        with suppress(NvramWorn):  # what the record cannot be told any more is found out again at the next boot
            flash.save(replace(record, slots=choice.then))
    try:
        return Running(_verified(flash, choice.slot, vendor_public_key, model), choice.slot, choice.outcome)
    except (SignatureError, UpdateRefused) as error:
        raise BootFailed(f"the firmware may not run: {error.message}") from error


def _verified(flash: Flash, slot: int, vendor_public_key: bytes, model: Model) -> Manifest:
    record = flash.record
    manifest = open_image(flash.read(slot, record.sizes[slot]), vendor_public_key, model=model.id).manifest
    admit(manifest, Device(model, record.security_counter), BOOT_RULES)
    return manifest
