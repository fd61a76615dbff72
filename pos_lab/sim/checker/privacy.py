"""The canary scan (P1): card numbers and keys must stand nowhere, in no spelling that a program would leave.

Rules owned here: TABLE SPELLINGS.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from pos_lab.sim.checker.evidence import Evidence, Searched
from pos_lab.sim.checker.invariant import Invariant

_BLANK: Final = (b"\xff" * 64, bytes(64))
SPELLINGS: Final[Mapping[str, Callable[[bytes], bytes]]] = MappingProxyType(
    {
        "as it is": bytes,
        "in BCD": lambda secret: bytes.fromhex(secret.decode()) if secret.isdigit() else secret,
        "in hex": lambda secret: secret.hex().encode(),
        "in capital hex": lambda secret: secret.hex().upper().encode(),
        "in base64": lambda secret: b64encode(secret)[: len(secret) // 3 * 4],
        "reversed": lambda secret: secret[::-1],
    }
)
"""How a secret may be written down; digits in BCD have an even number of them."""


def leaks(places: Mapping[str, bytes], secrets: Mapping[str, bytes]) -> Iterator[str]:
    """A sentence for each secret, by name, that one of the places holds."""
    found = {place: squeezed(content) for place, content in places.items()}
    for name, secret in secrets.items():
        spelt = {spell(secret): how for how, spell in SPELLINGS.items()}
        for place, content in found.items():
            yield from (f"{place} holds {name} {how}" for how in _held(content, spelt))


def _left(evidence: Evidence, event: Searched) -> Iterator[str]:
    return leaks(event.places, event.secrets)


def _held(content: bytes, spelt: Mapping[bytes, str]) -> list[str]:
    return [how for secret, how in spelt.items() if secret in content]


def squeezed(content: bytes) -> bytes:
    """Without what is blank, which holds nothing and takes most of the time."""
    for blank in _BLANK:
        content = content.replace(blank, b"")
    return content


PRIVACY: Final = (Invariant("P1", Searched, "no card number and no key stands anywhere", _left),)
