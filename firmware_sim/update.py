"""Firmware update: download in chunks, verify, stage, boot on trial, confirm.

Rules owned here: chunks come in order and a download goes on after a power cut where it stopped, for the same image
only and if all that came is still there; an image is staged when the vendor signed it for this model, every byte is
there and it keeps STAGE_RULES; whether money is in flight or a batch is open is the application's to say: with money in
flight nothing is staged, and while a batch is open nothing that keeps its journal in another format (product F4);
nothing is begun or staged on a low battery; the running image is confirmed by the application, once it works. Every
refusal is counted in the record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from zlib import crc32

from firmware_sim.admission import STAGE_RULES, Device, admit
from firmware_sim.boot import Running
from firmware_sim.errors import UpdateRefused
from firmware_sim.flash import Download, Flash, SlotState
from firmware_sim.models import Model
from protocol.errors import SignatureError
from protocol.image import Manifest, open_image

ON_TRIAL: Final = frozenset({SlotState.TRIED_ONCE, SlotState.TRIED_TWICE, SlotState.TRIED_THRICE})


class Update:
    """The way to the next firmware, from the running one.

    ``now`` is the board's time, None where its clock was never set; ``battery_low`` whether there is too little left to
    write an image.
    """

    def __init__(
        self,
        flash: Flash,
        running: Running,
        *,
        vendor_public_key: bytes,
        model: Model,
        now: Callable[[], datetime | None],
        battery_low: Callable[[], bool],
    ) -> None:
        self._flash = flash
        self._running = running
        self._vendor_public_key = vendor_public_key
        self._model = model
        self._now = now
        self._battery_low = battery_low
        self._free = 1 - running.slot

    @property
    def download(self) -> Download | None:
        """The download under way; its ``offset`` is the next byte to ask for."""
        return self._flash.record.download

    @property
    def on_trial(self) -> bool:
        """Whether the running image waits for ``confirm``."""
        return self._flash.record.slots[self._running.slot] in ON_TRIAL

    @property
    def refused(self) -> Mapping[str, int]:
        """How often what was refused, by code, in the life of the device."""
        return self._flash.record.refused

    def begin(self, sha256: str, size: int) -> Download:
        """Start the download of an image of ``size`` bytes, or go on with it if it is the one under way.

        ``sha256`` is over the whole image, 64 lower-case hex digits. Raises UpdateRefused: "not_in_place",
        "battery_low", "busy" (an image waits for its boot or its confirmation), "too_large".
        """
        record = self._flash.record
        if not self._model.update_in_place:
            raise self._refused("not_in_place", "this model is updated by the service only")
        self._need_power()
        if record.slots[self._free] is not SlotState.EMPTY:
            raise self._refused("busy", "another image waits for its boot or its confirmation")
        if not 0 < size <= self._flash.slot_bytes:
            raise self._refused("too_large", f"an image of {size} bytes, a slot has {self._flash.slot_bytes}")
        if not self._continues(record.download, sha256, size):
            self._flash.save(replace(record, download=Download(sha256, size)))
        return self._under_way()

    def write(self, offset: int, chunk: bytes) -> Download:
        """Add the next chunk, durable on return; raises UpdateRefused: "no_download", "offset", "too_large"."""
        download = self._under_way()
        if offset != download.offset:
            raise self._refused("offset", f"a chunk for offset {offset}, {download.offset} is next")
        if offset + len(chunk) > download.size:
            raise self._refused("too_large", f"{offset + len(chunk)} bytes of an image of {download.size}")
        self._flash.write(self._free, offset, chunk)
        longer = replace(download, offset=offset + len(chunk), crc=crc32(chunk, download.crc))
        self._flash.save(replace(self._flash.record, download=longer))
        return longer

    def stage(self, *, money_in_flight: bool, batch_open: bool) -> Manifest:
        """Let the next boot try the downloaded image; returns what it states.

        Raises UpdateRefused: "money_in_flight", "battery_low", "no_download", "incomplete", "batch_open", after which
        the download waits; and "hash", a code of STAGE_RULES, or SignatureError when the image is not the vendor's for
        this model, after which the download is gone.
        """
        if money_in_flight:
            raise self._refused("money_in_flight", "a reversal is open")
        self._need_power()
        download = self._under_way()
        if download.offset < download.size:
            raise self._refused("incomplete", f"{download.offset} of {download.size} bytes are here")
        record = self._flash.record
        try:
            manifest = self._acceptable(self._flash.read(self._free, download.size), download.sha256)
        except (UpdateRefused, SignatureError) as error:
            self._flash.save(replace(record.counting(error.code), download=None))
            raise
        if batch_open and manifest.journal_format != self._running.manifest.journal_format:
            raise self._refused("batch_open", "it reads another journal than the one with the open batch")
        staged = record.with_size(self._free, download.size).with_state(self._free, SlotState.STAGED)
        self._flash.save(replace(staged, download=None))
        return manifest

    def confirm(self) -> None:
        """Keep the image that runs on trial; raises UpdateRefused "not_on_trial"."""
        if not self.on_trial:
            raise self._refused("not_on_trial", "the running image is confirmed already")
        record = self._flash.record
        counter = max(record.security_counter, self._running.manifest.security_counter)
        kept = record.with_state(self._running.slot, SlotState.CONFIRMED).with_state(self._free, SlotState.EMPTY)
        self._flash.save(replace(kept, security_counter=counter))

    def _continues(self, download: Download | None, sha256: str, size: int) -> bool:
        """Is this the download under way, and is what came of it still there?"""
        if download is None or (download.sha256, download.size) != (sha256, size):
            return False
        return crc32(self._flash.read(self._free, download.offset)) == download.crc

    def _under_way(self) -> Download:
        if self._flash.record.download is None:
            raise self._refused("no_download", "no download is under way")
        return self._flash.record.download

    def _need_power(self) -> None:
        if self._battery_low():
            raise self._refused("battery_low", "the battery is too low to write firmware")

    def _acceptable(self, image: bytes, sha256: str) -> Manifest:
        if hashlib.sha256(image).hexdigest() != sha256:
            raise UpdateRefused("the image is not the one that was announced", code="hash")
        manifest = open_image(image, self._vendor_public_key, model=self._model.id).manifest
        now = self._now()
        now_s = None if now is None else int(now.timestamp())
        device = Device(self._model, self._flash.record.security_counter, self._running.version, now_s)
        admit(manifest, device, STAGE_RULES)
        return manifest

    def _refused(self, code: str, message: str) -> UpdateRefused:
        """The refusal, counted."""
        self._flash.save(self._flash.record.counting(code))
        return UpdateRefused(message, code=code)
