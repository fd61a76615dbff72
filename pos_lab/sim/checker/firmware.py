"""Invariants F: what may run on a device, and when it may change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pos_lab.sim.checker.device import TRIED, Flashed
from pos_lab.sim.checker.evidence import Evidence, Quiet, Sent
from pos_lab.sim.checker.invariant import Invariant
from pos_lab.sim.checker.ledger import Change
from pos_lab.sim.checker.talk import Talk, device_of
from protocol.errors import DecodeError, SignatureError
from protocol.image import version_digits, version_from_digits

STAGED: Final = "staged"
CONFIRMED: Final = "confirmed"


def _always_bootable(evidence: Evidence, event: Flashed | Quiet) -> Iterator[str]:
    """A device that does not start at all is told by the world under the same id."""
    talks = evidence.talks.values() if isinstance(event, Quiet) else [evidence.talks[event.serial_number]]
    for talk in talks:
        kept = [slot for slot, state in enumerate(talk.device.slots.states) if state == CONFIRMED]
        if not any(_is_whole(talk, slot) for slot in kept):
            yield f"{talk.device.serial_number} has no whole firmware to go back to"


def _is_whole(talk: Talk, slot: int) -> bool:
    try:
        talk.device.manifest(slot)
    except SignatureError:
        return False
    return True


def _signed_for_model(evidence: Evidence, event: Flashed) -> Iterator[str]:
    device = evidence.talks[event.serial_number].device
    for slot, (before, after) in enumerate(zip(event.before.states, event.after.states, strict=True)):
        if before == after or after not in (STAGED, CONFIRMED):
            continue
        try:
            device.manifest(slot)
        except SignatureError as error:
            yield f"{event.serial_number} has {after} an image that its maker did not sign for it: {error.code}"


def _no_downgrade(evidence: Evidence, event: Flashed) -> Iterator[str]:
    before, after = event.before, event.after
    if after.security_counter < before.security_counter:
        yield (
            f"{event.serial_number} has the security counter {after.security_counter} behind {before.security_counter}"
        )
    kept = any(state == CONFIRMED != was for state, was in zip(after.states, before.states, strict=True))
    if after.security_counter > before.security_counter and not kept:
        yield f"{event.serial_number} raises its security counter for firmware that it has not kept"
    talk = evidence.talks[event.serial_number]
    if after.states[after.running] in TRIED and _is_whole(talk, after.running):
        counter = talk.device.manifest(after.running).security_counter
        if counter < after.security_counter:
            yield f"{event.serial_number} tries firmware of counter {counter}, {after.security_counter} is its least"


def _no_money_in_flight(evidence: Evidence, event: Flashed) -> Iterator[str]:
    staged = [
        slot
        for slot, (before, after) in enumerate(zip(event.before.states, event.after.states, strict=True))
        if after == STAGED != before
    ]
    terminal_id = next((key for key, serial in evidence.serial_of.items() if serial == event.serial_number), "")
    till = evidence.tills.get(terminal_id)
    if not staged or till is None:
        return
    if till.unresolved:
        yield f"{event.serial_number} is to start other firmware, and {'/'.join(till.unresolved[0])} is not resolved"
    talk = evidence.talks[event.serial_number]
    if till.open_rows and _is_whole(talk, staged[0]) and _is_whole(talk, event.after.running):
        new, old = talk.device.manifest(staged[0]), talk.device.manifest(event.after.running)
        if new.journal_format != old.journal_format:
            yield f"{event.serial_number} is to start firmware that reads another journal than that of its open batch"


def _told_is_run(evidence: Evidence, event: Sent) -> Iterator[str]:
    talk = evidence.talk(event.terminal_id)
    info = device_of(event.fact)
    if talk is None or info.serial_number != talk.device.serial_number or not info.version:
        return
    try:
        version = version_from_digits(info.version)
    except DecodeError:
        version = info.version
    if version != talk.device.version:
        yield f"{info.serial_number} says that it runs {version}, and its slots say {talk.device.version or 'nothing'}"
    talk.say(event.fact)


def _learnt_from_it(evidence: Evidence, event: Change) -> Iterator[str]:
    """The host believes a version from frames under a good MAC alone."""
    if event.table != "terminals" or not event.before or not event.after:
        return
    version, talk = event.after["firmware"], evidence.talks.get(event.after["serial_number"])
    if talk and version not in ("", event.before["firmware"]) and version_digits(version) not in talk.versions:
        yield f"the host has {version} of {event.after['serial_number']}, which never said so under its MAC"


FIRMWARE: Final = (
    Invariant("F1", Flashed, "a device can always start what it has kept", _always_bootable),
    Invariant("F1", Quiet, "and can in the end", _always_bootable),
    Invariant("F2", Flashed, "only what the maker signed for the model is staged and kept", _signed_for_model),
    Invariant("F3", Flashed, "nothing older runs, and only what is kept bars what is older", _no_downgrade),
    Invariant("F4", Flashed, "no firmware changes while money is in flight", _no_money_in_flight),
    Invariant("F5", Sent, "a device says what it runs", _told_is_run),
    Invariant("F5", Change, "and the host knows it from itself", _learnt_from_it),
)
