"""The keys in force: in memory while the power lasts, in the store for ever, and nowhere once the case was opened.

Rules owned here: a change is durable before it is in use; every use of a key goes by TABLE KEY_SLOTS; TABLE
FAIL_COUNTERS, what goes wrong and is counted; BAD_LOADS_MAX key loads gone wrong in a row lock the loading, also across
power cuts; nothing of a key stays in memory when the power goes or the case is opened (invariant K4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from firmware_sim import key_store
from firmware_sim.chip import Chip
from firmware_sim.errors import SecureModuleError
from firmware_sim.faults import Faults
from firmware_sim.fuse import Fuse, tampered
from firmware_sim.key_slots import KeyRing, Operation, Slot, Suite
from firmware_sim.key_store import KeyStore, Stored
from firmware_sim.power import Power, Powered
from protocol.crypto import cipher
from protocol.errors import KeyLoadError

BAD_MACS_MAX: Final = 10
BAD_LOADS_MAX: Final = 10
TAMPER_FAULT: Final = "secure_module.tamper"

# what is counted -> what it says; all since power-on, but for the bad key loads in a row
FAIL_COUNTERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "key_use": "a key was asked to do what another key is for",
        "bad_mac": "a MAC was wrong",
        "keys_given_up": f"{BAD_MACS_MAX} MACs in a row were wrong, and the working keys erased",
        "bad_signature": "somebody else than the host offered an RSA key",
        "bad_key_load": "keys were damaged, or under another master key",
        "bad_key_loads_in_a_row": f"the same since the last good load, up to {BAD_LOADS_MAX}, which lock the loading",
        "pin_timeout": "nobody entered a PIN in time",
        "pin_cancelled": "the cardholder pressed cancel",
        "pin_pad_removed": "the PIN pad was unplugged",
        "key_flood": "keys came faster than they were taken",
    }
)


class KeyMemory(Powered):
    """The keys of one power epoch. ``forget`` callbacks overwrite what else is secret when the keys go.

    Raises SecureModuleError "foreign_storage" when the chip is another device's; a device whose case was opened has an
    empty memory, and its erasure is finished first.
    """

    def __init__(
        self,
        power: Power,
        chip: Chip,
        fuse: Fuse,
        *,
        serial_number: str,
        fresh: Callable[[int], bytes],
        faults: Faults,
        forget: Callable[[], None],
    ) -> None:
        super().__init__(power)
        self._chip = chip
        self._fuse = fuse
        self._faults = faults
        self._forget_others = forget
        self._stored: Stored | None = None
        self.counted: Counter[str] = Counter()
        key_store.resume(fuse, chip, power)
        if not fuse.is_erased:
            self._store = KeyStore(power, chip, fuse, serial_number=serial_number, fresh=fresh)
            self._stored = self._store.load()
            fuse.watch(self._forget)
            power.on_cut(self._forget)

    @property
    def is_tampered(self) -> bool:
        """Whether the case was ever opened; raises PowerLost."""
        self._check()
        return self._stored is None

    @property
    def loaded(self) -> frozenset[Slot]:
        """The slots that hold a key; raises PowerLost."""
        self._check()
        return frozenset(self._stored.ring.keys) if self._stored else frozenset()

    @property
    def bad_loads(self) -> int:
        """How many key loads went wrong since the last good one; raises PowerLost."""
        self._check()
        return self._stored.bad_loads if self._stored else 0

    @property
    def ring(self) -> KeyRing:
        """The keys; raises PowerLost, SecureModuleError "tampered"."""
        return self._contents().ring

    def require_intact(self) -> None:
        """Raise PowerLost, SecureModuleError "tampered"."""
        self._contents()

    def use(self, slot: Slot, operation: Operation) -> tuple[bytes, Suite]:
        """Return the key of ``slot`` for ``operation``, and how working keys are used.

        Raises SecureModuleError "tampered", "key_use" (counted) and "no_key".
        """
        ring = self.ring
        try:
            return ring.get(slot, operation), ring.suite
        except SecureModuleError as error:
            if error.code == "key_use":
                self.counted["key_use"] += 1
            raise

    def save(self, ring: KeyRing) -> None:
        """Let ``ring`` be in force, durably first. Raises as ``ring``, ChipError."""
        self._keep(replace(self._contents(), ring=ring, bad_loads=0))

    def erase(self, ring: KeyRing) -> None:
        """The same, of a ring with fewer keys: no load, so the count of bad ones stays."""
        self._keep(replace(self._contents(), ring=ring))

    def require_unlocked(self) -> None:
        """Raise SecureModuleError "locked" after too many bad loads."""
        if self.bad_loads >= BAD_LOADS_MAX:
            raise SecureModuleError("too many bad key loads", hint="inject the master key anew", code="locked")

    @contextmanager
    def counting_bad_loads(self) -> Iterator[None]:
        """Count a load that ends in KeyLoadError, durably: pulling the plug gives no new tries."""
        try:
            yield
        except KeyLoadError:
            contents = self._contents()
            self.counted["bad_key_load"] += 1
            self._keep(replace(contents, bad_loads=contents.bad_loads + 1))
            raise

    def tamper(self) -> None:
        """The switch under the case: every key is erased, in memory and on the chip. Raises PowerLost, ChipError."""
        self._check()
        key_store.tamper(self._fuse, self._chip, self._power)

    def _contents(self) -> Stored:
        self._check()
        if self._faults.fires(TAMPER_FAULT):
            self.tamper()
        if self._stored is None:
            raise tampered()
        return self._stored

    def _keep(self, stored: Stored) -> None:
        self._store.save(stored)
        self._stored = stored

    def _forget(self) -> None:
        self._stored = None
        self._forget_others()
        cipher.forget()
