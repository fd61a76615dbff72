"""The program memory of a device without the rest of its board: two slots, their record, a vendor who signs images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from firmware_sim.boot import Running, boot
from firmware_sim.chip import Chip
from firmware_sim.faults import Faults
from firmware_sim.flash import RECORD_BANK_BYTES, SLOTS, Flash, FlashRecord, Slots, SlotState
from firmware_sim.models import MODELS, Model
from firmware_sim.power import Power
from firmware_sim.update import Update
from protocol.crypto import signing
from protocol.image import build_image

VENDOR_KEY: Final = hashlib.sha256(b"vendor").digest()
VENDOR_PUBLIC_KEY: Final = signing.public_key(VENDOR_KEY)
MODEL: Final = replace(MODELS["PX-E90"], slot_kib=4)
CHUNK_BYTES: Final = 150


def make_image(version: str, *, payload: bytes = b"program", **stated: Any) -> bytes:
    """A signed image; its security counter is 1 unless stated."""
    manifest = {"model": MODEL.id, "security_counter": 1, "private_key": VENDOR_KEY} | stated
    return build_image(version=version, payload=payload, **manifest)


def sha256(image: bytes) -> str:
    return hashlib.sha256(image).hexdigest()


class Memory:
    """What survives: ``slots``, ``record`` and the image that the factory wrote."""

    def __init__(self, factory_image: bytes, model: Model = MODEL) -> None:
        self.model = model
        self.power = Power()
        self.slots = Chip(SLOTS * model.slot_kib * 1024, name="slots")
        self.record = Chip(2 * RECORD_BANK_BYTES, name="slot_record")
        self.now: datetime | None = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
        self.battery_low = False
        self.faults = Faults()
        self.put((SlotState.CONFIRMED, SlotState.EMPTY), (factory_image, b""))

    def put(self, slots: Slots, images: Sequence[bytes], security_counter: int = 1) -> None:
        """Write slots and record as if some history had led there."""
        self.power.switch_on()
        flash = Flash(self.slots, self.record, self.power)
        for slot, image in enumerate(images):
            flash.write(slot, 0, image)
        flash.save(FlashRecord(slots, (len(images[0]), len(images[1])), security_counter))
        self.power.cut()

    def power_on(self) -> Update:
        """Boot; what booted is in ``running``."""
        self.power.switch_on()
        try:
            self.flash = Flash(self.slots, self.record, self.power, self.faults)
            self.running: Running = boot(self.flash, vendor_public_key=VENDOR_PUBLIC_KEY, model=self.model)
        except Exception:
            self.power.cut()
            raise
        return Update(
            self.flash,
            self.running,
            vendor_public_key=VENDOR_PUBLIC_KEY,
            model=self.model,
            now=lambda: self.now,
            battery_low=lambda: self.battery_low,
        )

    def restart(self) -> Update:
        """The power goes, if it is on, and comes back."""
        if self.power.is_on:
            self.power.cut()
        return self.power_on()


def download(update: Update, image: bytes, announced: str = "") -> None:
    """Bring the image into the device, from wherever it stopped."""
    under_way = update.begin(announced or sha256(image), len(image))
    while under_way.offset < under_way.size:
        under_way = update.write(under_way.offset, image[under_way.offset : under_way.offset + CHUNK_BYTES])


def stage(update: Update, image: bytes, announced: str = "") -> None:
    """Download the image and let the next boot try it."""
    download(update, image, announced)
    update.stage(money_in_flight=False, batch_open=False)
