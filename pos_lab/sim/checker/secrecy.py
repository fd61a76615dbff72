"""Invariant P2: what proves a card or its holder is gone once it was used.

What journals keep of a card until settlement is number and expiry, sealed; nothing else may be under that seal. Tracks
and PIN blocks that passed on the wire are looked for with the card numbers and keys of P1 (``privacy``): the last eight
of a world, since each costs a search of all that is left.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from pos_lab.sim.checker.evidence import Entered, Evidence
from pos_lab.sim.checker.invariant import Invariant, spelt
from protocol.crypto import vault
from protocol.errors import KeyLoadError

KEPT: Final = 2
"""Number and expiry."""


def _kept_of_card(evidence: Evidence, event: Entered) -> Iterator[str]:
    row, talk = event.record.get("row", {}), evidence.talk(event.terminal_id)
    storage = talk.device.ring.keys.get("storage") if talk else None
    sealed = bytes.fromhex(row.get("card_sealed", ""))
    if talk is None or storage is None or not sealed:
        return
    try:
        kept = json.loads(vault.unseal(storage, sealed, b"card data of " + talk.device.serial_number.encode()))
    except KeyLoadError:
        kept = []
    if len(kept) != KEPT or not all(text.isdigit() for text in kept if text):
        yield f"{spelt((event.terminal_id, row['batch'], row['stan']))} keeps more of its card than number and expiry"


SECRECY: Final = (Invariant("P2", Entered, "of a card its number and expiry are kept, sealed", _kept_of_card),)
