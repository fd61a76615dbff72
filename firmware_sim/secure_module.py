"""The secure module: keys go in and never come out.

Rules owned here: the lattice of KeyState; working keys are all loaded or none; the PIN key makes PIN blocks only, the
MAC key MACs only; a PIN comes from the secure entry and is overwritten after its one use; everything stored is sealed
under the fuse key of the device and bound to its serial number. No method returns a key, no repr shows one, and no
stored byte is one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import NoReturn

from firmware_sim.chip import Chip
from firmware_sim.errors import SecureModuleError
from firmware_sim.keypad import SecureEntry, wipe
from firmware_sim.nvram import Nvram
from firmware_sim.power import Power, Powered
from protocol.crypto import vault
from protocol.crypto.key import MacKey, PinKey
from protocol.crypto.keys import check_value, unpack_working_keys
from protocol.crypto.mac import cup_ecb_mac, verify_cup_ecb_mac
from protocol.crypto.pinblock import encrypt_pin_block
from protocol.errors import KeyLoadError

STORAGE_BANK_BYTES = 4 * 1024
TMK_BYTES = 16
HOST_KEY_BYTES = 32

_CARD_DATA = b"card data of "
_KEYS = b"keys of "


class KeyState(StrEnum):
    """Which keys are loaded: none, the master key, or also the working keys of a sign-on (CUP 5.1)."""

    NONE = "none"
    TMK = "tmk"
    WORKING = "working"


@dataclass(frozen=True, slots=True)
class _Keys:
    """What is stored; an empty key is one that is not loaded."""

    storage: bytes = field(repr=False)
    tmk: bytes = field(repr=False, default=b"")
    pik: bytes = field(repr=False, default=b"")
    mak: bytes = field(repr=False, default=b"")
    tdk: bytes = field(repr=False, default=b"")
    host_public: bytes = field(repr=False, default=b"")


class SecureModule(Powered):
    """The keys of one device, on their own ``chip``; at birth it makes a storage key from ``fresh(n)``, n random bytes.

    Raises SecureModuleError "foreign_storage" when the chip belongs to another device.
    """

    def __init__(
        self,
        power: Power,
        chip: Chip,
        *,
        fuse_key: bytes,
        serial_number: str,
        secure_entry: SecureEntry,
        fresh: Callable[[int], bytes],
    ) -> None:
        super().__init__(power)
        self._fuse_key = fuse_key
        self._owner = serial_number.encode()
        self._secure_entry = secure_entry
        self._fresh = fresh
        self._nvram = Nvram(chip, power)
        stored = self._nvram.records()
        if stored:
            self._keys = self._unsealed(stored[-1])
        else:
            self._store(_Keys(storage=fresh(vault.KEY_BYTES)))

    def __reduce__(self) -> NoReturn:
        raise SecureModuleError("a secure module cannot be copied")

    @property
    def key_state(self) -> KeyState:
        """Which keys are loaded."""
        self._check()
        if self._keys.mak:
            return KeyState.WORKING
        return KeyState.TMK if self._keys.tmk else KeyState.NONE

    @property
    def host_public_key(self) -> bytes:
        """The 32 bytes that verify the host's signed commands, empty before the master key was injected."""
        self._check()
        return self._keys.host_public

    def check_values(self) -> Mapping[str, str]:
        """Return key name -> check value, 8 hex digits, of the loaded keys, for display (CUP 5.2)."""
        self._check()
        named = {"TMK": self._keys.tmk, "PIK": self._keys.pik, "MAK": self._keys.mak, "TDK": self._keys.tdk}
        return {name: check_value(key).hex().upper() for name, key in named.items() if key}

    def inject_tmk(self, key: bytes, host_public_key: bytes) -> None:
        """Load the master key, 16 bytes, and the host's Ed25519 key, 32 bytes; working keys are erased.

        Raises SecureModuleError "key_length".
        """
        if len(key) != TMK_BYTES or len(host_public_key) != HOST_KEY_BYTES:
            raise SecureModuleError(
                f"a master key has {TMK_BYTES} bytes, a host key {HOST_KEY_BYTES}", code="key_length"
            )
        self._store(_Keys(storage=self._keys.storage, tmk=key, host_public=host_public_key))

    def load_working_keys(self, field62: bytes) -> None:
        """Load the keys of a sign-on reply: all of them, when every check value is right, or none (CUP 5.2).

        Raises KeyLoadError, and SecureModuleError "no_key" before the master key was injected.
        """
        keys = unpack_working_keys(self._key("tmk"), field62)
        self._store(
            replace(self._keys, tmk=keys.tmk or self._keys.tmk, pik=keys.pik, mak=keys.mak, tdk=keys.tdk or b"")
        )

    def erase_working_keys(self) -> None:
        """Forget the working keys, also what the chip had of them."""
        self._store(replace(self._keys, pik=b"", mak=b"", tdk=b""))

    def mac(self, data: bytes) -> bytes:
        """Return the 8 bytes of field 64 over ``data`` (CUP 5.4); raises SecureModuleError "no_key"."""
        return cup_ecb_mac(MacKey(self._key("mak")), data)

    def verify_mac(self, data: bytes, mac: bytes) -> bool:
        """Whether ``mac`` is the field 64 of ``data`` (CUP 5.4); raises SecureModuleError "no_key"."""
        return verify_cup_ecb_mac(MacKey(self._key("mak")), data, mac)

    def pin_block(self, pan: str) -> bytes:
        """Return the 8 bytes of field 52 for the PIN that waits in the secure entry, and forget it (CUP 5.3).

        Raises SecureModuleError "no_key" and "no_pin", EncodeError on a malformed PAN; the PIN is gone in any case.
        """
        self._check()
        pin = self._secure_entry.take()
        try:
            key = self._key("pik")
            if not pin:
                raise SecureModuleError("no PIN was entered", code="no_pin")
            return encrypt_pin_block(PinKey(key), pin.decode("ascii"), pan)
        finally:
            wipe(pin)

    def seal(self, plaintext: bytes) -> bytes:
        """Return ``plaintext`` sealed under the storage key of this device: card data for the journal."""
        self._check()
        return vault.seal(self._keys.storage, self._fresh(vault.NONCE_BYTES), plaintext, _CARD_DATA + self._owner)

    def unseal(self, sealed: bytes) -> bytes:
        """Return what ``seal`` was given; raises KeyLoadError "vault" on bytes that this device did not seal."""
        self._check()
        return vault.unseal(self._keys.storage, sealed, _CARD_DATA + self._owner)

    def _key(self, name: str) -> bytes:
        self._check()
        key: bytes = getattr(self._keys, name)
        if not key:
            raise SecureModuleError(
                f"no {name.upper()} is loaded", hint="inject the master key, sign on", code="no_key"
            )
        return key

    def _store(self, keys: _Keys) -> None:
        """Make ``keys`` the only ones, durably; ``rewrite`` leaves nothing of the former ones on the chip."""
        stated = json.dumps({name: key.hex() for name, key in asdict(keys).items()}).encode()
        nonce = self._fresh(vault.NONCE_BYTES)
        self._nvram.rewrite([vault.seal(self._fuse_key, nonce, stated, _KEYS + self._owner)])
        self._keys = keys

    def _unsealed(self, sealed: bytes) -> _Keys:
        try:
            stated = vault.unseal(self._fuse_key, sealed, _KEYS + self._owner)
        except KeyLoadError as error:
            raise SecureModuleError(
                "the stored keys are another device's", hint="each device keeps its own files", code="foreign_storage"
            ) from error
        return _Keys(**{name: bytes.fromhex(key) for name, key in json.loads(stated).items()})
