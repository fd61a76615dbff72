"""The key card: what ``poslab admin key-card`` writes and ``poslab terminal`` loads. It holds a clear key."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from firmware_sim.secure_module import SecureModule
from protocol.crypto.keys import check_value
from protocol.errors import KeyLoadError


@dataclass(frozen=True, slots=True)
class KeyCard:
    """The device and the till that it is for, its master key and the host's public key."""

    serial_number: str
    model: str
    terminal_id: str
    merchant_id: str
    tmk: bytes = field(repr=False)
    host_public_key: bytes

    @classmethod
    def read(cls, path: Path) -> KeyCard:
        """A card from its file. Raises OSError, and KeyLoadError for a file that is no key card."""
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            names = ("serial_number", "model", "terminal_id", "merchant_id")
            serial_number, model, terminal_id, merchant_id = (str(card[name]) for name in names)
            tmk, host_public_key = (bytes.fromhex(card[name]) for name in ("tmk", "host_public_key"))
            read = cls(serial_number, model, terminal_id, merchant_id, tmk, host_public_key)
        except (ValueError, KeyError, TypeError):
            raise KeyLoadError(
                f"{path} is no key card", hint="poslab admin key-card SERIAL --out FILE writes one"
            ) from None
        if (len(read.tmk), len(read.host_public_key)) != (16, 32):
            raise KeyLoadError(f"{path} holds keys of the wrong length", hint="a TMK has 16 bytes, a public key 32")
        return read

    def load(self, module: SecureModule) -> bool:
        """Load the keys where the module has others or none; tells whether it did. Working keys go with a change."""
        if module.check_values().get("TMK") == check_value(self.tmk).hex().upper():
            return False
        module.inject_tmk(self.tmk, self.host_public_key)
        return True
