"""Keys that know their use: a PIN key never makes a MAC (CUP 5.1).

Rules owned here: TABLE KEY_TYPES, one type a use; a key of one use is refused for every other; no key is ever shown.
A ``Key`` is its clear bytes, so that it can be compared, wrapped and held like them. Bytes without a use are taken as
what the caller says they are: keys that were typed, or read from a store that keeps each under its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final

from protocol.errors import KeyLoadError


class KeyUse(StrEnum):
    """What a key may be used for: CUP 5.1, and EMV Book 2 A1 for the three of a chip's issuer."""

    TMK = "TMK"
    PIK = "PIK"
    MAK = "MAK"
    TDK = "TDK"
    ISSUER = "issuer key"
    CARD = "card key"
    SESSION = "session key"


class Key(bytes):
    """Clear key bytes of one use; the text of a key is the name of its type."""

    use: ClassVar[KeyUse]

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    __str__ = __repr__


class MasterKey(Key):
    """Wraps working keys, nothing else."""

    use = KeyUse.TMK


class PinKey(Key):
    """Encrypts PIN blocks, nothing else."""

    use = KeyUse.PIK


class MacKey(Key):
    """Makes message authentication codes, nothing else."""

    use = KeyUse.MAK


class TrackKey(Key):
    """Encrypts track windows, nothing else."""

    use = KeyUse.TDK


class IssuerKey(Key):
    """Derives the keys of an issuer's cards, nothing else."""

    use = KeyUse.ISSUER


class CardKey(Key):
    """Derives the session keys of one card, nothing else."""

    use = KeyUse.CARD


class SessionKey(Key):
    """Makes the cryptograms of one transaction of a card, nothing else."""

    use = KeyUse.SESSION


KEY_TYPES: Final[Mapping[KeyUse, type[Key]]] = MappingProxyType(
    {kind.use: kind for kind in (MasterKey, PinKey, MacKey, TrackKey, IssuerKey, CardKey, SessionKey)}
)


def require_use(key: bytes, use: KeyUse) -> None:
    """Raise KeyLoadError "key_use" when ``key`` is a Key of another use than ``use``."""
    if isinstance(key, Key) and key.use is not use:
        raise KeyLoadError(f"a {key.use} was given where a {use} is due", hint="one key, one use", code="key_use")
