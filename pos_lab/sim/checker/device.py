"""A device as the bytes of its chips show it: its keys under the fuse, its slots of firmware.

Rules owned here: the ring of keys as it is sealed under the fuse; the record of the slots, and which of them runs after
a boot; of what stood there earlier, only what later questions need is kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from zlib import crc32

from pos_lab.sim.checker.bank import records_of
from protocol.crypto import vault
from protocol.crypto.key import MacKey
from protocol.crypto.mac import MAC_ALGORITHMS
from protocol.errors import KeyLoadError, SignatureError
from protocol.image import Manifest, open_image

FUSE_KEY_BYTES: Final = 32
BLANK: Final = b"\xff"
TRIED: Final = frozenset({"tried_once", "tried_twice", "tried_thrice"})
_MACS: Final = {"sm4": MAC_ALGORITHMS["cup-sm4"], "3des": MAC_ALGORITHMS["cup-ecb"], "des": MAC_ALGORITHMS["cup-ecb"]}


@dataclass(frozen=True, slots=True)
class Memory:
    """A chip: ``read(offset, length)`` gives its bytes as they are now."""

    read: Callable[[int, int], bytes]
    size_bytes: int

    @property
    def image(self) -> bytes:
        """All of it."""
        return self.read(0, self.size_bytes)


@dataclass(frozen=True, slots=True)
class Maker:
    """Whose signature firmware for ``model`` must bear."""

    model: str
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys of a device by slot, and the algorithm of its working keys."""

    keys: Mapping[str, bytes] = field(repr=False, default_factory=dict)
    algorithm: str = "3des"

    @property
    def is_working(self) -> bool:
        """Are there keys of a sign-on?"""
        return "mak" in self.keys

    def made(self, mac_input: bytes, mac: bytes) -> bool:
        """Is this the MAC of these bytes under this ring's key?"""
        return self.is_working and is_mac(self.keys["mak"], self.algorithm, mac_input, mac)


def is_mac(mak: bytes, algorithm: str, mac_input: bytes, mac: bytes) -> bool:
    """Is this the MAC of these bytes under a key?"""
    return _MACS[algorithm].make(MacKey(mak), mac_input) == mac


@dataclass(frozen=True, slots=True)
class Slots:
    """What the record of the slots says: states, sizes of the images, the security counter."""

    states: tuple[str, str]
    sizes: tuple[int, int]
    security_counter: int

    @property
    def running(self) -> int:
        """The slot that runs: the one on trial, else the one in force; -1 where there is none."""
        tried = [slot for slot, state in enumerate(self.states) if state in TRIED]
        kept = [slot for slot, state in enumerate(self.states) if state == "confirmed"]
        return (tried or kept or [-1])[0]


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """The keys of a device are others than before."""

    serial_number: str
    before: Ring
    after: Ring


@dataclass(frozen=True, slots=True)
class Flashed:
    """The record of a device's slots says something else than before."""

    serial_number: str
    before: Slots
    after: Slots


@dataclass(frozen=True, slots=True)
class Opened:
    """The fuse of a device is erased: its case was opened, or it was wiped."""

    serial_number: str


class DeviceReader:
    """Reads the chips of one device; ``look`` tells what is new since the last time.

    ``ring`` are the keys in force, ``known_keys`` every key that it ever had, ``nonces`` those under which it sealed
    them, with what they sealed, ``times_altered`` how often the fuse or the memory of the keys was seen to be another.
    ``memories`` are its chips: ``journal``, ``keys``, ``slot_record`` and ``slots``.
    """

    def __init__(
        self, serial_number: str, fuse: Callable[[], bytes], memories: Mapping[str, Memory], maker: Maker
    ) -> None:
        self.serial_number = serial_number
        self.ring = Ring()
        self.slots = Slots(("empty", "empty"), (0, 0), 0)
        self.is_opened = False
        self.times_altered = 0
        self.known_keys: set[bytes] = set()
        self.nonces: dict[bytes, bytes] = {}
        self.reused_nonces: list[str] = []
        self._fuse = fuse
        self.memories = memories
        self._maker = maker
        self._keys_seen = self._slots_seen = b""
        self._version = ""
        self._slot_records: list[bytes] = []

    def look(self) -> Iterator[Rekeyed | Flashed | Opened]:
        """What has changed."""
        yield from self._look_at_keys()
        yield from self._look_at_slots()

    def manifest(self, slot: int) -> Manifest:
        """What the image in a slot states, whole and signed for this model; raises SignatureError where it is not."""
        chip = self.memories["slots"]
        whole = chip.read(slot * (chip.size_bytes // 2), self.slots.sizes[slot])
        return open_image(whole, self._maker.public_key, model=self._maker.model).manifest

    @property
    def version(self) -> str:
        """The version of the firmware that runs, "" where none may."""
        if not self._version and self.slots.running >= 0:
            with suppress(SignatureError):
                self._version = self.manifest(self.slots.running).version
        return self._version

    @property
    def key_bytes_left(self) -> int:
        """How many bytes of the memory for keys are not blank."""
        return len(self.memories["keys"].image.replace(BLANK, b""))

    def _look_at_keys(self) -> Iterator[Rekeyed | Opened]:
        fuse, image = self._fuse(), self.memories["keys"].image
        if fuse + image == self._keys_seen:
            return
        self._keys_seen = fuse + image
        self.times_altered += 1
        key, crc = fuse[:FUSE_KEY_BYTES], fuse[FUSE_KEY_BYTES:]
        if crc32(key).to_bytes(4, "big") != crc:
            if not self.is_opened:
                self.is_opened = True
                yield Opened(self.serial_number)
            return
        ring = self._unsealed(key, records_of(image))
        if ring != self.ring:
            before, self.ring = self.ring, ring
            yield Rekeyed(self.serial_number, before, ring)

    def _unsealed(self, key: bytes, records: list[bytes]) -> Ring:
        if not records:
            return self.ring
        sealed = records[-1]
        if self.nonces.setdefault(sealed[: vault.NONCE_BYTES], sealed) != sealed:
            self.reused_nonces.append("its keys")
        try:
            stated = json.loads(vault.unseal(key, sealed, b"keys of " + self.serial_number.encode()))
        except KeyLoadError:
            return Ring()
        keys = {slot: bytes.fromhex(spelt) for slot, spelt in stated["keys"].items()}
        self.known_keys.update(bytes(key) for key in keys.values())
        return Ring(keys, stated["algorithm"])

    def _look_at_slots(self) -> Iterator[Flashed]:
        image = self.memories["slot_record"].image
        if image == self._slots_seen:
            return
        self._slots_seen = image
        records = records_of(image)
        known = len(self._slot_records)
        new = records[known:] if records[:known] == self._slot_records else records
        self._slot_records = records
        for record in new:
            before, self.slots = self.slots, _slots(json.loads(record))
            if before != self.slots:
                self._version = ""
                yield Flashed(self.serial_number, before, self.slots)


def _slots(stated: Mapping[str, Any]) -> Slots:
    (first, second), (size, other) = stated["slots"], stated["sizes"]
    return Slots((first, second), (size, other), stated["security_counter"])
