"""What the depot loads: the key card with a clear key, or a card without, for a device that gets its key over the line.

``poslab admin key-card`` and ``poslab admin allow-download`` write one, ``poslab terminal`` loads it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from firmware_sim.secure_module import KeyState, SecureModule
from protocol.crypto.keys import check_value
from protocol.errors import KeyLoadError


@dataclass(frozen=True, slots=True)
class KeyCard:
    """The device and the till that it is for, the host's public key, and its master key, empty where it has none."""

    serial_number: str
    model: str
    terminal_id: str
    merchant_id: str
    tmk: bytes = field(repr=False)
    host_public_key: bytes

    @classmethod
    def read(cls, path: Path) -> KeyCard:
        """A card from its file. Raises OSError, and KeyLoadError for a file that is no key card, or a damaged one."""
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            names = ("serial_number", "model", "terminal_id", "merchant_id")
            serial_number, model, terminal_id, merchant_id = (str(card[name]) for name in names)
            tmk, host_public_key = bytes.fromhex(card.get("tmk", "")), bytes.fromhex(card["host_public_key"])
            stated = str(card.get("check_value", ""))
            read = cls(serial_number, model, terminal_id, merchant_id, tmk, host_public_key)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise KeyLoadError(
                f"{path} is no key card", hint="poslab admin key-card SERIAL --out FILE writes one"
            ) from None
        if len(read.tmk) not in (0, 16) or len(read.host_public_key) != 32:
            raise KeyLoadError(f"{path} holds keys of the wrong length", hint="a TMK has 16 bytes, a public key 32")
        if stated and stated.upper() != read.check_value:
            raise KeyLoadError(f"the master key in {path} was damaged", hint="write the card anew")
        return read

    @property
    def check_value(self) -> str:
        """That of the master key, 8 hex digits; empty without one."""
        return check_value(self.tmk).hex().upper() if self.tmk else ""

    def load(self, module: SecureModule) -> bool:
        """Load the keys where the module has others or none; tells whether it did. Working keys go with a change.

        A device whose case was opened takes none, and goes on showing its journal.
        """
        if module.key_state is KeyState.TAMPERED:
            return False
        if not self.tmk:
            is_new = module.host_public_key != self.host_public_key
            module.loader.load_host_key(self.host_public_key)
            return is_new
        if module.check_values().get("TMK") == self.check_value and not module.is_locked:
            return False
        module.inject_tmk(self.tmk, self.host_public_key)
        return True
