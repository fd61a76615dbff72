"""What each key of the secure module is for: one key, one use (invariant K1).

Rules owned here: TABLE KEY_SLOTS, which operation may use which slot; TABLE SUITES, how the working keys of a sign-on
are used, by the algorithm that came with them (CUP 5.2 to 5.6). A key ring is replaced whole, never changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from firmware_sim.errors import SecureModuleError
from protocol.crypto.cipher import SM4, TDES, BlockCipher
from protocol.crypto.key import MacKey, MasterKey, PinKey, TrackKey
from protocol.crypto.keys import WorkingKeys, check_value
from protocol.crypto.mac import MAC_ALGORITHMS, MacAlgorithm
from protocol.crypto.pinblock import PIN_FORMATS, PinFormat

TMK_BYTES: Final = 16
HOST_KEY_BYTES: Final = 32


class Slot(StrEnum):
    """A place for one key."""

    TMK = "tmk"
    PIK = "pik"
    MAK = "mak"
    TDK = "tdk"
    HOST_PUBLIC = "host_public"
    STORAGE = "storage"


class Operation(StrEnum):
    """What the secure module does with a key."""

    LOAD_KEYS = "load working keys"
    MAC = "make a MAC"
    VERIFY_MAC = "verify a MAC"
    PIN_BLOCK = "encrypt a PIN"
    ENCRYPT_TRACK = "encrypt a track"
    VERIFY_HOST = "verify what the host signed"
    SEAL = "seal card data"
    UNSEAL = "unseal card data"
    SEAL_BACKUP = "seal a backup under a key derived for it"
    OPEN_BACKUP = "open a backup under a key derived for it"
    PROVE = "prove a statement under a key derived for it"


class Algorithm(StrEnum):
    """The algorithm of a set of working keys; the names are those of ``Model.algorithms``."""

    DES = "des"
    TDES = "3des"
    SM4 = "sm4"


@dataclass(frozen=True, slots=True)
class KeySlot:
    """A row of KEY_SLOTS; ``kind`` is the type of its key."""

    use: str
    kind: type[bytes]
    operations: frozenset[Operation]
    is_working: bool = False


KEY_SLOTS: Final[Mapping[Slot, KeySlot]] = MappingProxyType(
    {
        Slot.TMK: KeySlot(
            "master",
            MasterKey,
            frozenset({Operation.LOAD_KEYS, Operation.SEAL_BACKUP, Operation.OPEN_BACKUP, Operation.PROVE}),
        ),
        Slot.PIK: KeySlot("PIN", PinKey, frozenset({Operation.PIN_BLOCK}), is_working=True),
        Slot.MAK: KeySlot("MAC", MacKey, frozenset({Operation.MAC, Operation.VERIFY_MAC}), is_working=True),
        Slot.TDK: KeySlot("track", TrackKey, frozenset({Operation.ENCRYPT_TRACK}), is_working=True),
        Slot.HOST_PUBLIC: KeySlot("host's public", bytes, frozenset({Operation.VERIFY_HOST})),
        Slot.STORAGE: KeySlot("storage", bytes, frozenset({Operation.SEAL, Operation.UNSEAL})),
    }
)


@dataclass(frozen=True, slots=True)
class Suite:
    """A row of SUITES: how keys are wrapped and tracks encrypted, how MACs and PIN blocks are made."""

    cipher: BlockCipher
    mac: MacAlgorithm
    pin_format: PinFormat


_DES: Final = Suite(TDES, MAC_ALGORITHMS["cup-ecb"], PIN_FORMATS["x98"])
SUITES: Final[Mapping[Algorithm, Suite]] = MappingProxyType(
    {
        Algorithm.DES: _DES,
        Algorithm.TDES: _DES,
        Algorithm.SM4: Suite(SM4, MAC_ALGORITHMS["cup-sm4"], PIN_FORMATS["sm4"]),
    }
)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys that are loaded, by slot; ``algorithm`` is that of the working keys, for a ring that has some."""

    keys: Mapping[Slot, bytes] = field(repr=False)
    algorithm: Algorithm = Algorithm.TDES

    @property
    def suite(self) -> Suite:
        """How the working keys are used."""
        return SUITES[self.algorithm]

    def get(self, slot: Slot, operation: Operation) -> bytes:
        """Return the key of ``slot`` for ``operation``; raises SecureModuleError "key_use" and "no_key"."""
        if operation not in KEY_SLOTS[slot].operations:
            raise SecureModuleError(
                f"the {KEY_SLOTS[slot].use} key may not {operation}", hint="one key, one use", code="key_use"
            )
        if slot not in self.keys:
            raise SecureModuleError(
                f"no {slot.upper()} is loaded", hint="inject the master key, sign on", code="no_key"
            )
        return self.keys[slot]

    def check_values(self) -> Mapping[str, str]:
        """Slot name -> check value, 8 hex digits, of every secret key that a host knows too (CUP 5.2)."""
        ciphers = {slot: self.suite.cipher if row.is_working else TDES for slot, row in KEY_SLOTS.items()}
        shown = (slot for slot in (Slot.TMK, Slot.PIK, Slot.MAK, Slot.TDK) if slot in self.keys)
        return {slot.upper(): check_value(self.keys[slot], ciphers[slot]).hex().upper() for slot in shown}

    def with_working(self, keys: WorkingKeys, algorithm: Algorithm) -> KeyRing:
        """Return the ring with the working keys of a sign-on in place of others, and its master key if it has one."""
        found = {Slot.TMK: keys.tmk, Slot.PIK: keys.pik, Slot.MAK: keys.mak, Slot.TDK: keys.tdk}
        loaded = {slot: key for slot, key in found.items() if key}
        return KeyRing({**self.without_working().keys, **loaded}, algorithm)

    def without_working(self) -> KeyRing:
        """Return the ring without working keys."""
        return KeyRing({slot: key for slot, key in self.keys.items() if not KEY_SLOTS[slot].is_working})

    def with_master(self, key: bytes, host_public_key: bytes) -> KeyRing:
        """Return the ring with another master key and host; working keys were wrapped by the former one and go.

        Raises SecureModuleError "key_length".
        """
        if len(key) != TMK_BYTES or len(host_public_key) != HOST_KEY_BYTES:
            raise SecureModuleError(
                f"a master key has {TMK_BYTES} bytes, a host key {HOST_KEY_BYTES}", code="key_length"
            )
        kept = self.without_working().keys
        return KeyRing({**kept, Slot.TMK: MasterKey(key), Slot.HOST_PUBLIC: host_public_key})

    def spelt(self) -> dict[str, object]:
        """The ring for JSON: for the sealed store and nobody else."""
        return {"keys": {slot: key.hex() for slot, key in self.keys.items()}, "algorithm": self.algorithm}
