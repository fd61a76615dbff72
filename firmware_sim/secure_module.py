"""The secure module: keys go in and never come out.

Rules owned here: the lattice of KeyState; every operation names the slot whose key it uses, and TABLE KEY_SLOTS says
whether it may; working keys are all loaded or none, verified and durable before their first use (invariant K3); a PIN
comes from the secure entry and is overwritten after its one use; BAD_MACS_MAX bad MACs in a row end the working keys
(C4). No method returns a secret key, no repr shows one, and no stored byte is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, NoReturn

from firmware_sim.chip import Chip
from firmware_sim.errors import SecureModuleError
from firmware_sim.faults import Faults
from firmware_sim.fuse import Fuse
from firmware_sim.key_loader import KeyLoader
from firmware_sim.key_memory import BAD_LOADS_MAX, BAD_MACS_MAX, FAIL_COUNTERS, KeyMemory
from firmware_sim.key_slots import SUITES, Algorithm, Operation, Slot
from firmware_sim.keypad import SecureEntry, wipe
from firmware_sim.power import Power, Powered
from protocol.crypto import derived, vault
from protocol.crypto.cipher import TDES
from protocol.crypto.derived import Purpose
from protocol.crypto.key import MacKey, PinKey, TrackKey
from protocol.crypto.keys import SINGLE_BYTES, unpack_working_keys
from protocol.crypto.track import encrypt_track

STORAGE_BANK_BYTES: Final = 4 * 1024
_CARD_DATA: Final = b"card data of "


class KeyState(StrEnum):
    """Which keys are loaded: none, the master key, or also the working keys of a sign-on; or all were erased (K1)."""

    NONE = "none"
    TMK = "tmk"
    WORKING = "working"
    TAMPERED = "tampered"


class SecureModule(Powered):
    """The keys of one device, on their own ``chip`` under the ``fuse``; ``fresh(n)`` gives n random bytes.

    ``algorithms`` are those of the model; ``loader`` takes master keys. Every operation raises PowerLost in an old
    epoch, and SecureModuleError "tampered" once the case was opened. Raises SecureModuleError "foreign_storage" when
    the chip is another device's.
    """

    def __init__(
        self,
        power: Power,
        chip: Chip,
        *,
        fuse: Fuse,
        serial_number: str,
        secure_entry: SecureEntry,
        fresh: Callable[[int], bytes],
        faults: Faults,
        algorithms: frozenset[str],
    ) -> None:
        super().__init__(power)
        self._owner = serial_number.encode()
        self._secure_entry = secure_entry
        self._fresh = fresh
        self._algorithms = algorithms
        self._bad_macs = 0
        self._memory = KeyMemory(
            power, chip, fuse, serial_number=serial_number, fresh=fresh, faults=faults, forget=self._wipe
        )
        self.loader = KeyLoader(self._memory, fresh)

    def __reduce__(self) -> NoReturn:
        raise SecureModuleError("a secure module cannot be copied")

    # what may be known

    @property
    def key_state(self) -> KeyState:
        """Which keys are loaded; raises PowerLost only."""
        if self._memory.is_tampered:
            return KeyState.TAMPERED
        loaded = self._memory.loaded
        if Slot.MAK in loaded:
            return KeyState.WORKING
        return KeyState.TMK if Slot.TMK in loaded else KeyState.NONE

    @property
    def counters(self) -> Mapping[str, int]:
        """How often what went wrong, by the names of FAIL_COUNTERS; raises PowerLost only."""
        in_a_row = {"bad_key_loads_in_a_row": self._memory.bad_loads}
        counted = {**self._memory.counted, **self._secure_entry.failures, **in_a_row}
        return {name: counted.get(name, 0) for name in FAIL_COUNTERS}

    @property
    def is_locked(self) -> bool:
        """Whether no more keys can be loaded until the master key is injected anew; raises PowerLost only."""
        return self._memory.bad_loads >= BAD_LOADS_MAX

    @property
    def host_public_key(self) -> bytes:
        """The 32 bytes that verify the host's signed commands, empty before they were loaded."""
        return self._memory.ring.keys.get(Slot.HOST_PUBLIC, b"")

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm of the working keys."""
        return self._memory.ring.algorithm

    @property
    def encrypts_tracks(self) -> bool:
        """Whether a track key is loaded."""
        return Slot.TDK in self._memory.ring.keys

    def check_values(self) -> Mapping[str, str]:
        """Return key name -> check value, 8 hex digits, of the loaded keys, for display (CUP 5.2)."""
        return self._memory.ring.check_values()

    # keys come and go

    def inject_tmk(self, key: bytes, host_public_key: bytes) -> None:
        """Load the master key and the host's key from a key card. See ``KeyLoader.inject``."""
        self.loader.inject(key, host_public_key)

    def load_working_keys(self, field62: bytes, algorithm: Algorithm = Algorithm.TDES, slot: Slot = Slot.TMK) -> None:
        """Load the keys of a sign-on reply: all of them, when every check value is right, or none (CUP 5.2).

        ``algorithm`` says how the master key wraps them; of DES and 3DES, their length decides. Raises
        KeyLoadError (counted), and SecureModuleError "no_key", "locked", and "algorithm" for one that the model lacks.
        """
        tmk, _ = self._memory.use(slot, Operation.LOAD_KEYS)
        self._memory.require_unlocked()
        with self._memory.counting_bad_loads():
            keys = unpack_working_keys(tmk, field62, SUITES[algorithm].cipher)
        by_length = Algorithm.DES if len(keys.pik) == SINGLE_BYTES else Algorithm.TDES
        found = by_length if SUITES[algorithm].cipher is TDES else algorithm
        if found not in self._algorithms:
            raise SecureModuleError(f"this model does not know {found.upper()}", code="algorithm")
        self._memory.save(self._memory.ring.with_working(keys, found))
        self._bad_macs = 0

    def erase_working_keys(self) -> None:
        """Forget the working keys, also what the chip had of them."""
        self._memory.erase(self._memory.ring.without_working())

    def tamper(self) -> None:
        """The switch under the case: every key is erased, in memory and on the chip. Raises PowerLost, ChipError."""
        self._memory.tamper()

    # keys are used

    def mac(self, data: bytes, slot: Slot = Slot.MAK) -> bytes:
        """Return the 8 bytes of field 64 over ``data`` (CUP 5.4, 5.5).

        Raises SecureModuleError "no_key", and "key_use" (counted) for another slot than that of the MAC key.
        """
        key, suite = self._memory.use(slot, Operation.MAC)
        return suite.mac.make(MacKey(key), data)

    def verify_mac(self, data: bytes, mac: bytes, slot: Slot = Slot.MAK) -> bool:
        """Whether ``mac`` is the field 64 of ``data`` (CUP 5.4, 5.5); raises as ``mac``.

        BAD_MACS_MAX wrong ones in a row erase the working keys: nobody tries out MACs for long (invariant C4).
        """
        key, suite = self._memory.use(slot, Operation.VERIFY_MAC)
        if suite.mac.verify(MacKey(key), data, mac):
            self._bad_macs = 0
            return True
        self._memory.counted["bad_mac"] += 1
        self._bad_macs += 1
        if self._bad_macs >= BAD_MACS_MAX:
            self._memory.counted["keys_given_up"] += 1
            self.erase_working_keys()
        return False

    def pin_block(self, pan: str, slot: Slot = Slot.PIK) -> bytes:
        """Return the PIN block of the PIN that waits in the secure entry, and forget it (CUP 5.3).

        It has 8 bytes, 16 under SM4. Raises as ``mac``, SecureModuleError "no_pin", EncodeError on a malformed PAN; the
        PIN is gone in any case.
        """
        self._check()
        pin = self._secure_entry.take()
        try:
            key, suite = self._memory.use(slot, Operation.PIN_BLOCK)
            if not pin:
                raise SecureModuleError("no PIN was entered", code="no_pin")
            return suite.pin_format.encrypt(PinKey(key), pin.decode("ascii"), pan, self._fresh)
        finally:
            wipe(pin)

    def encrypt_track(self, track: str, slot: Slot = Slot.TDK) -> str:
        """Return ``track``, "D" its separator, with its window encrypted (CUP 5.6); raises as ``mac``, EncodeError."""
        key, suite = self._memory.use(slot, Operation.ENCRYPT_TRACK)
        return encrypt_track(TrackKey(key), track, suite.cipher)

    def seal(self, plaintext: bytes, slot: Slot = Slot.STORAGE) -> bytes:
        """Return ``plaintext`` sealed under the storage key of this device: card data for the journal.

        Raises SecureModuleError "key_use" (counted).
        """
        key, _ = self._memory.use(slot, Operation.SEAL)
        return vault.seal(key, self._fresh(vault.NONCE_BYTES), plaintext, _CARD_DATA + self._owner)

    def unseal(self, sealed: bytes, slot: Slot = Slot.STORAGE) -> bytes:
        """Return what ``seal`` was given; raises as it, and KeyLoadError "vault" on bytes of another device."""
        key, _ = self._memory.use(slot, Operation.UNSEAL)
        return vault.unseal(key, sealed, _CARD_DATA + self._owner)

    def seal_backup(self, content: bytes, context: bytes, slot: Slot = Slot.TMK) -> bytes:
        """Return ``content`` sealed for the host, the same bytes every time (``protocol.crypto.derived``).

        Raises SecureModuleError "no_key", and "key_use" (counted) for another slot than that of the master key.
        """
        tmk, _ = self._memory.use(slot, Operation.SEAL_BACKUP)
        return derived.seal_backup(tmk, content, context)

    def open_backup(self, sealed: bytes, context: bytes, slot: Slot = Slot.TMK) -> bytes:
        """Return what the host sealed for this device; raises as ``seal_backup``, and KeyLoadError "vault"."""
        tmk, _ = self._memory.use(slot, Operation.OPEN_BACKUP)
        return derived.open_backup(tmk, sealed, context)

    def prove(self, purpose: Purpose, statement: bytes, slot: Slot = Slot.TMK) -> bytes:
        """Return the 32 bytes by which this device states ``statement`` to its host; raises as ``seal_backup``."""
        tmk, _ = self._memory.use(slot, Operation.PROVE)
        return derived.prove(tmk, purpose, statement)

    def _wipe(self) -> None:
        """Overwrite what is secret and no stored key: the case was opened, or the power has gone."""
        self._secure_entry.wipe()
        self.loader.wipe()
