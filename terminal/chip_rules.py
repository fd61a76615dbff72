"""What a terminal knows of chip applications, and what it decides of one transaction (EMV Book 3, 10.7).

Rules owned here: action codes are compared bit by bit with the verification results, the acquirer's and the issuer's
alike: one bit that both have set is enough. What cannot go online is declined where it should and the default codes
say so too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from protocol.crypto.rsa import PublicKey

RESULTS_BYTES: Final = 5


@dataclass(frozen=True, slots=True)
class CaPublicKey:
    """A key of a certification authority, good until ``expiry``, YYYYMMDD."""

    key: PublicKey
    expiry: str


@dataclass(frozen=True, slots=True)
class ActionCodes:
    """Verification results, 5 bytes each, on which somebody wants a transaction declined, or online."""

    default: bytes
    denial: bytes
    online: bytes


ISSUERS_DEFAULT: Final = ActionCodes(b"\xff" * RESULTS_BYTES, bytes(RESULTS_BYTES), b"\xff" * RESULTS_BYTES)
"""The action codes of a chip that has none (EMV Book 3, 10.7)."""


@dataclass(frozen=True, slots=True)
class ChipRules:
    """``admits`` an application by its name, has its action ``codes``; ``ca_key`` by RID and index, None for none.

    ``revoked`` are certificates: RID, index and serial number in hex.
    """

    admits: Callable[[bytes], bool]
    codes: Callable[[bytes], ActionCodes]
    ca_key: Callable[[bytes, int], CaPublicKey | None]
    revoked: Collection[str]


def is_denied(results: bytes, *parties: ActionCodes) -> bool:
    """Is a transaction with these verification results declined at once?"""
    return any(_meets(results, codes.denial) for codes in parties)


def may_stay_offline(results: bytes, *parties: ActionCodes) -> bool:
    """May a transaction that cannot go online be approved?"""
    wants_online = any(_meets(results, codes.online) for codes in parties)
    declined = any(_meets(results, codes.default) for codes in parties)
    return not is_denied(results, *parties) and not (wants_online and declined)


def _meets(results: bytes, codes: bytes) -> bool:
    return any(result & code for result, code in zip(results, codes, strict=True))
