"""The laboratory's certification authority: whose keys the cards are made under, and which the host publishes.

Rules owned here: TABLE CA_KEYS and what became of each. The keys are invented and made from their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from protocol.crypto.rsa import PrivateKey, lab_key

RID: Final = bytes.fromhex("A000000333")


@dataclass(frozen=True, slots=True)
class CaKey:
    """A key of the authority: ``index`` of tag 8F, ``modulus_bytes``, ``expiry`` YYYYMMDD; published or not.

    ``skip`` is where ``lab_key`` finds its primes.
    """

    index: int
    modulus_bytes: int
    expiry: str
    skip: tuple[int, int]
    published: bool = True

    @property
    def private(self) -> PrivateKey:
        """Both halves."""
        return lab_key(b"CA key %d of the lab" % self.index, self.modulus_bytes, self.skip)


CA_KEYS: Final[Mapping[int, CaKey]] = MappingProxyType(
    {
        row.index: row
        for row in (
            CaKey(1, 128, "20351231", (224, 284)),
            CaKey(2, 144, "20351231", (376, 24)),
            CaKey(3, 128, "20201231", (198, 74)),
            CaKey(9, 128, "20351231", (386, 594), published=False),
        )
    }
)
"""In use; in use and longer; run out; known to nobody but who made it."""

REVOKED_SERIAL: Final = bytes.fromhex("0BAD00")
REVOKED: Final = (RID + b"\x01" + REVOKED_SERIAL).hex().upper()
"""The one certificate that was called back: RID, index of the CA key, serial number (EMV Book 2, 5.1.2)."""
