"""Bugs that break invariants of commands and keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from firmware_sim import key_memory as _key_memory
from firmware_sim.chip import Chip
from firmware_sim.fuse import Fuse
from firmware_sim.key_slots import Operation, Slot
from firmware_sim.port import Port
from firmware_sim.power import Power
from firmware_sim.secure_module import SecureModule
from host.store.books import Books
from protocol.command import RemoteCommand, open_command
from protocol.crypto import vault
from protocol.crypto.cipher import TDES
from protocol.crypto.key import PinKey
from protocol.crypto.keys import WorkingKeys, open_keys
from protocol.crypto.signing import SIGNATURE_BYTES
from terminal import transaction as _transaction
from terminal.transaction import Event, Judgement, Mac
from tests.pos_lab.sim.mutants.mutant import Mutant
from tests.pos_lab.sim.mutants.parts import world_of


def _signed_by_anybody(document: bytes, public_key: bytes, **names: Any) -> RemoteCommand:
    return RemoteCommand(**json.loads(document[:-SIGNATURE_BYTES]))


def _for_anybody(document: bytes, public_key: bytes, *, serial_number: str) -> RemoteCommand:
    stated = json.loads(document[:-SIGNATURE_BYTES])
    return open_command(document, public_key, serial_number=stated["serial_number"])


def _never(session: Any, command: RemoteCommand) -> bool:
    return False


def _unasked(document: bytes, nonce: bytes, proof: bytes, public_key: bytes) -> None:
    """Nobody looks whether it is the answer to this fetch."""


def _ever_waiting(self: Books, serial_number: str, at: int) -> Any:
    return _waiting(self, serial_number, 0)


def _never_alarmed(self: Any, line: Any, serial_number: str, at: int) -> str:
    return ""


def _any_key(self: Any, slot: Slot, operation: Operation) -> Any:
    if slot is not Slot.PIK:
        return _use(self, slot, operation)
    mak, suite = _use(self, Slot.MAK, Operation.MAC)
    return PinKey(mak), suite


def _old_keys_live(case: Any) -> list[Any]:
    return []


def _unchecked(tmk: bytes, field62: bytes, cipher: Any = TDES) -> WorkingKeys:
    return WorkingKeys(**{each.key.use.value.lower(): each.key for each in open_keys(tmk, field62, cipher)})


def _half_erased(fuse: Fuse, chip: Chip, power: Power) -> None:
    fuse.erase()
    if power.is_on:
        Port(chip, power).clear(0, chip.size_bytes // 2)


def _one_nonce(self: SecureModule, plaintext: bytes, slot: Slot = Slot.STORAGE) -> bytes:
    key, _ = self._memory.use(slot, Operation.SEAL)
    return vault.seal(key, bytes(vault.NONCE_BYTES), plaintext, b"card data of " + self._owner)


_waiting = Books.waiting_commands
_use = _key_memory.KeyMemory.use
_BAD_REFUSES: Final = {
    **_transaction.JUDGEMENTS,
    (True, Mac.BAD): Judgement(Event.DECLINE),
    (False, Mac.BAD): Judgement(Event.DECLINE),
}


_NO_PROOF: Final = {"terminal.flows.commands.check_answer": _unasked}
"""A kept document cannot be told for want of its proof alone, while the memory is no older one."""

KEYS: Final[Mapping[str, Mutant]] = {
    "command_unsigned": Mutant(
        "a command is believed whoever signed it", "adversary", "C1",
        {"terminal.flows.commands.open_command": _signed_by_anybody, **_NO_PROOF},
        seed=4,
    ),
    "command_again": Mutant(
        "a command is carried out as often as it comes", "adversary", "C2 L8",
        {
            "terminal.flows.commands._was_here": _never,
            **_NO_PROOF,
            **world_of("sale commands", "announce diagnose"),
        },
        seed=5,
    ),
    "command_for_another": Mutant(
        "a command is carried out by whoever gets it", "adversary", "C3",
        {
            "terminal.flows.commands.open_command": _for_anybody,
            **_NO_PROOF,
            **world_of("sale commands", "announce diagnose"),
        },
    ),
    "command_expired": Mutant(
        "a command is handed out and carried out for ever", "calm", "C3",
        {
            "terminal.flows.commands._has_expired": _never,
            "host.store.books.Books.waiting_commands": _ever_waiting,
            **world_of("sale commands", "announce diagnose pass_years"),
        },
        seed=7,
    ),
    "guesses_unlimited": Mutant(
        "nobody is cut off for guessing MACs", "adversary", "C4", {"host.guard.Guard.wrong": _never_alarmed},
        seed=4,
    ),
    "bad_mac_refuses": Mutant(
        "an answer with a wrong MAC counts as a refusal", "adversary", "C5",
        {"terminal.transaction.JUDGEMENTS": _BAD_REFUSES},
    ),
    "pin_under_mac_key": Mutant(
        "a PIN is encrypted under the key for MACs", "calm", "K1", {"firmware_sim.key_memory.KeyMemory.use": _any_key}
    ),
    "old_keys_live": Mutant(
        "old working keys are good for ever", "adversary", "K2", {"host.acquirer.old_keys_die": _old_keys_live},
        seed=16,
    ),
    "check_values_unread": Mutant(
        "keys are loaded whatever their check values", "network", "K3",
        {"firmware_sim.secure_module.unpack_working_keys": _unchecked},
        seed=30,
    ),
    "half_erased": Mutant(
        "half of the keys stays in a device that is opened", "power", "K4", {
            "firmware_sim.key_store.tamper": _half_erased,
            "firmware_sim.key_store.resume": lambda fuse, chip, power: None,
        },
        seed=5,
    ),
    "one_nonce": Mutant(
        "everything is sealed under one nonce", "calm", "K5",
        {"firmware_sim.secure_module.SecureModule.seal": _one_nonce},
    ),
}  # fmt: skip
