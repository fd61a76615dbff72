"""Firmware update: download in chunks, verify, stage, boot on trial, confirm.

Rules owned here: chunks come in order and a download goes on after a power cut where it stopped, for the same image
only; an image is staged when the vendor signed it for this model, every byte is there, it is newer than what runs and
its security counter was not withdrawn; whether money is in flight is the application's to say, and then nothing is
staged (product F4); the running image is confirmed by the application, once it works.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from firmware_sim.boot import Running
from firmware_sim.errors import UpdateRefused
from firmware_sim.flash import Download, Flash, Slots, SlotState
from protocol.errors import ProtocolError
from protocol.image import Manifest, open_image, parse_version


class Update:
    """The way to the next firmware, from the running one."""

    def __init__(
        self, flash: Flash, running: Running, *, vendor_public_key: bytes, model: str, update_in_place: bool
    ) -> None:
        self._flash = flash
        self._running = running
        self._vendor_public_key = vendor_public_key
        self._model = model
        self._update_in_place = update_in_place
        self._free = 1 - running.slot

    @property
    def download(self) -> Download | None:
        """The download under way; its ``offset`` is the next byte to ask for."""
        return self._flash.record.download

    @property
    def on_trial(self) -> bool:
        """Whether the running image waits for ``confirm``."""
        return self._flash.record.slots[self._running.slot] is SlotState.TRIED

    def begin(self, sha256: str, size: int) -> Download:
        """Start the download of an image of ``size`` bytes, or go on with it if it is the one under way.

        ``sha256`` is over the whole image, 64 lower-case hex digits. Raises UpdateRefused: "not_in_place", "busy" (an
        image waits for its boot or its confirmation), "too_large".
        """
        record = self._flash.record
        if not self._update_in_place:
            raise _refused("not_in_place", "this model is updated by the service only")
        if record.slots[self._free] is not SlotState.EMPTY:
            raise _refused("busy", "another image waits for its boot or its confirmation")
        if not 0 < size <= self._flash.slot_bytes:
            raise _refused("too_large", f"an image of {size} bytes, a slot has {self._flash.slot_bytes}")
        if record.download is None or (record.download.sha256, record.download.size) != (sha256, size):
            self._flash.save(replace(record, download=Download(sha256, size)))
        return self._under_way()

    def write(self, offset: int, chunk: bytes) -> Download:
        """Add the next chunk, durable on return; raises UpdateRefused: "no_download", "offset", "too_large"."""
        download = self._under_way()
        if offset != download.offset:
            raise _refused("offset", f"a chunk for offset {offset}, {download.offset} is next")
        if offset + len(chunk) > download.size:
            raise _refused("too_large", f"{offset + len(chunk)} bytes of an image of {download.size}")
        self._flash.write(self._free, offset, chunk)
        self._flash.save(replace(self._flash.record, download=replace(download, offset=offset + len(chunk))))
        return self._under_way()

    def stage(self, *, money_in_flight: bool) -> Manifest:
        """Let the next boot try the downloaded image; returns what it states.

        Raises UpdateRefused: "money_in_flight", "no_download", "incomplete", "hash", "not_newer", "security_counter",
        and SignatureError when it is not the vendor's for this model. A download that can never be staged is dropped.
        """
        if money_in_flight:
            raise _refused("money_in_flight", "a reversal or a batch is open")
        download = self._under_way()
        if download.offset < download.size:
            raise _refused("incomplete", f"{download.offset} of {download.size} bytes are here")
        dropped = replace(self._flash.record, download=None)
        try:
            manifest = self._acceptable(self._flash.read(self._free, download.size), download.sha256)
        except (UpdateRefused, ProtocolError):
            self._flash.save(dropped)
            raise
        self._flash.save(replace(dropped.with_size(self._free, download.size), slots=self._with_free(SlotState.STAGED)))
        return manifest

    def confirm(self) -> None:
        """Keep the image that runs on trial; raises UpdateRefused "not_on_trial"."""
        if not self.on_trial:
            raise _refused("not_on_trial", "the running image is confirmed already")
        manifest, slot = self._running.manifest, self._running.slot
        slots: Slots = (SlotState.CONFIRMED, SlotState.EMPTY) if slot == 0 else (SlotState.EMPTY, SlotState.CONFIRMED)
        record = self._flash.record
        counter = max(record.security_counter, manifest.security_counter)
        self._flash.save(replace(record, slots=slots, security_counter=counter))

    def _under_way(self) -> Download:
        if self._flash.record.download is None:
            raise _refused("no_download", "no download is under way")
        return self._flash.record.download

    def _with_free(self, state: SlotState) -> Slots:
        first, second = self._flash.record.slots
        return (first, state) if self._free == 1 else (state, second)

    def _acceptable(self, image: bytes, sha256: str) -> Manifest:
        if hashlib.sha256(image).hexdigest() != sha256:
            raise _refused("hash", "the image is not the one that was announced")
        manifest = open_image(image, self._vendor_public_key, model=self._model).manifest
        if parse_version(manifest.version) <= parse_version(self._running.version):
            raise _refused("not_newer", f"{manifest.version} is not newer than {self._running.version}")
        if manifest.security_counter < self._flash.record.security_counter:
            raise _refused("security_counter", "its security counter was withdrawn")
        return manifest


def _refused(code: str, message: str) -> UpdateRefused:
    return UpdateRefused(message, code=code)
