"""The canary scan (P1): card numbers and keys must stand nowhere, in no spelling that a program would leave.

Rules owned here: TABLE SPELLINGS.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from pos_lab.sim.checker.evidence import Evidence, Searched
from pos_lab.sim.checker.invariant import Invariant

_PAGE_BYTES: Final = 256
_GAP: Final = b" "
_BLANK: Final = (b"\xff" * _PAGE_BYTES, bytes(_PAGE_BYTES))
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


def leaks(places: Mapping[str, bytes], secrets: Mapping[str, bytes], harmless: Iterable[bytes] = ()) -> Iterator[str]:
    """A sentence for each secret, by name, that one of the places, which are ``squeezed``, holds.

    What is ``harmless`` may look like one: a total of 50,000 yuan in BCD, with its length of 62 digits in front, does.
    """
    for name, secret in secrets.items():
        spelt = {spell(secret): how for how, spell in SPELLINGS.items()}
        for place, content in places.items():
            yield from (f"{place} holds {name} {how}" for how in _held(content, spelt, harmless))


def _left(evidence: Evidence, event: Searched) -> Iterator[str]:
    return leaks(event.places, event.secrets, event.harmless)


def _held(content: bytes, spelt: Mapping[bytes, str], harmless: Iterable[bytes]) -> list[str]:
    found = [secret for secret in spelt if secret in content]
    for each in harmless if found else ():
        content = content.replace(each, _GAP)
    return [spelt[secret] for secret in found if secret in content]


def squeezed(content: bytes) -> bytes:
    """Without blank pages, which take most of the time."""
    pages = (content[begin : begin + _PAGE_BYTES] for begin in range(0, len(content), _PAGE_BYTES))
    return b"".join(page for page in pages if page not in _BLANK)


PRIVACY: Final = (Invariant("P1", Searched, "no card number and no key stands anywhere", _left),)
