"""The ways of a master key into the secure module: from a key card, in components, or over the line.

Rules owned here: a master key replaces everything that the former one protected; every key that people or the line
bring is verified by its check value before it counts (invariant K3), and until then nothing is changed; over the line
it comes under a transport key that was made here for this one download, for the host whose key the depot loaded.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.errors import SecureModuleError
from firmware_sim.key_components import Components, agrees
from firmware_sim.key_memory import KeyMemory
from firmware_sim.key_slots import HOST_KEY_BYTES, TMK_BYTES, KeyRing, Operation, Slot
from protocol.crypto.key import MasterKey
from protocol.crypto.keys import check_value
from protocol.crypto.tmk_download import pack_master_key
from protocol.crypto.tmk_exchange import unpack_answer, unpack_signed_key
from protocol.errors import KeyLoadError, SignatureError


class KeyLoader:
    """Loads keys into ``memory``; ``fresh(n)`` gives n random bytes. All raise as ``KeyMemory.ring`` does."""

    def __init__(self, memory: KeyMemory, fresh: Callable[[int], bytes]) -> None:
        self._memory = memory
        self._fresh = fresh
        self._components = Components()
        self._transport: MasterKey | None = None

    def inject(self, key: bytes, host_public_key: bytes) -> None:
        """Load a master key, 16 bytes, and the host's Ed25519 key, 32 bytes; raises SecureModuleError "key_length"."""
        self._memory.save(self._memory.ring.with_master(key, host_public_key))

    def load_host_key(self, host_public_key: bytes) -> None:
        """Load the host's Ed25519 key alone, for a device that gets its master key over the line.

        Keys under another host go. Raises SecureModuleError "key_length".
        """
        ring = self._memory.ring
        if len(host_public_key) != HOST_KEY_BYTES:
            raise SecureModuleError(f"a host key has {HOST_KEY_BYTES} bytes", code="key_length")
        if ring.keys.get(Slot.HOST_PUBLIC) != host_public_key:
            kept = {Slot.STORAGE: ring.keys[Slot.STORAGE], Slot.HOST_PUBLIC: host_public_key}
            self._memory.save(KeyRing(kept))

    def enter_component(self, component: bytes, stated: str) -> int:
        """Take one component of a master key from its custodian; returns how many there are. See ``Components``."""
        self._memory.require_intact()
        return self._components.enter(component, stated)

    def combine_components(self, host_public_key: bytes, stated: str) -> str:
        """Load the XOR of the components as the master key, once ``stated`` is its check value, which is returned.

        The components are gone in any case. Raises SecureModuleError "component_count" and "key_length", KeyLoadError
        "key_check_value" (counted).
        """
        self._memory.require_intact()
        key = self._components.combined()
        with self._memory.counting_bad_loads():
            if not agrees(key, stated):
                raise KeyLoadError("the check value of the TMK differs", code="key_check_value")
        self.inject(key, host_public_key)
        return _shown(key)

    def begin_download(self, field62: bytes, slot: Slot = Slot.HOST_PUBLIC) -> bytes:
        """Take the host's signed RSA key and return field 62 of the request for the master key (CUP 3.7, 5.1).

        It carries a transport key that lives until ``finish_download`` or the end of the power. Raises DecodeError,
        KeyLoadError "rsa_key", SignatureError (counted), SecureModuleError "no_key", "key_use" and "locked".
        """
        host_public_key, _ = self._memory.use(slot, Operation.VERIFY_HOST)
        self._memory.require_unlocked()
        try:
            to = unpack_signed_key(field62, host_public_key)
        except SignatureError:
            self._memory.counted["bad_signature"] += 1
            raise
        self._transport = MasterKey(self._fresh(TMK_BYTES))
        return pack_master_key(to, self._transport, self._fresh)

    def finish_download(self, field62: bytes) -> str:
        """Load the master key of the host's answer, and return its check value; working keys go.

        Raises DecodeError and KeyLoadError (counted), SecureModuleError "no_download"; nothing is changed then, and the
        download begins anew.
        """
        host_public_key = self._memory.ring.keys.get(Slot.HOST_PUBLIC, b"")
        transport, self._transport = self._transport, None
        if transport is None:
            raise SecureModuleError("no download of a master key is under way", code="no_download")
        with self._memory.counting_bad_loads():
            key = unpack_answer(transport, field62)
        self.inject(key, host_public_key)
        return _shown(key)

    def wipe(self) -> None:
        """Overwrite the components, drop the transport key."""
        self._components.wipe()
        self._transport = None


def _shown(key: bytes) -> str:
    return check_value(key).hex().upper()
