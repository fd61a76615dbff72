"""Bugs that break invariants of firmware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from firmware_sim.update import Update
from protocol.crypto.signing import SIGNATURE_BYTES
from protocol.image import _HEAD, Image, _lengths, _read, version_digits
from protocol.private import DeviceInfo
from terminal.session import Session
from tests.pos_lab.sim.mutants.mutant import Mutant
from tests.pos_lab.sim.mutants.parts import nothing_pending, world_of


def _over_itself(self: Update, offset: int, chunk: bytes) -> Any:
    self._flash.write(self._running.slot, offset, chunk)
    return _write(self, offset, chunk)


def _signed_by_anybody(image: bytes, public_key: bytes, *, model: str | None) -> Image:
    signed_bytes, _ = _lengths(image)
    return Image(_read(image[_HEAD.size : signed_bytes]), image[signed_bytes + SIGNATURE_BYTES :])


def _counted_early(self: Update, **names: bool) -> Any:
    manifest = _stage(self, **names)
    record = self._flash.record
    self._flash.save(replace(record, security_counter=record.security_counter + 1))
    return manifest


def _whatever_is_open(self: Update, *, money_in_flight: bool, batch_open: bool) -> Any:
    return _stage(self, money_in_flight=False, batch_open=False)


def _boasting(self: Session, payment_code: str = "") -> bytes:
    """What is staged is told as if it ran."""
    board, version = self.board, self.book.staged or self.board.running.version
    named = board.model.id if self.profile.extensions else ""
    return DeviceInfo(board.serial_number, version_digits(version), named, payment_code).pack(
        width=self.profile.tag_length_digits
    )


_write = Update.write
_stage = Update.stage


FIRMWARE: Final[Mapping[str, Mutant]] = {
    "updated_in_place": Mutant(
        "new firmware is written over the one that runs", "calm", "F1",
        {"firmware_sim.update.Update.write": _over_itself},
        seed=4,
    ),
    "any_maker": Mutant(
        "firmware may be anybody's", "calm", "F2", {
            "firmware_sim.update.open_image": _signed_by_anybody,
            "firmware_sim.boot.open_image": _signed_by_anybody,
            **world_of("sale update", "firmware"),
        },
        seed=2,
    ),
    "counted_early": Mutant(
        "the security counter rises before the firmware has proven itself", "calm", "F3",
        {"firmware_sim.update.Update.stage": _counted_early},
        seed=4,
    ),
    "older_welcome": Mutant(
        "withdrawn firmware is tried", "calm", "F3",
        {
            "firmware_sim.update.STAGE_RULES": (),
            "firmware_sim.boot.BOOT_RULES": (),
            **world_of("sale update", "firmware"),
        },
    ),
    "money_forgotten": Mutant(
        "firmware changes whatever is pending", "calm", "F4", {
            "firmware_sim.update.Update.stage": _whatever_is_open,
            "terminal.flows.firmware.resolve": nothing_pending,
            **world_of("sale offline_sale update", "firmware"),
        },
        seed=64,
    ),
    "version_boasted": Mutant(
        "a device says that it runs what it has only staged", "calm", "F5",
        {"terminal.session.Session.device": _boasting},
        seed=4,
    ),
}  # fmt: skip
