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


def leaks(places: Mapping[str, bytes], secrets: Mapping[str, bytes]) -> Iterator[str]:
    """A sentence for each secret, by name, that one of the places, which are ``squeezed``, holds."""
    for name, secret in secrets.items():
        spelt = {spell(secret): how for how, spell in SPELLINGS.items()}
        for place, content in places.items():
            yield from (f"{place} holds {name} {how}" for how in _held(content, spelt))


def _left(evidence: Evidence, event: Searched) -> Iterator[str]:
    return leaks(event.places, event.secrets)


def _held(content: bytes, spelt: Mapping[bytes, str]) -> list[str]:
    return [how for secret, how in spelt.items() if secret in content]


def squeezed(content: bytes, harmless: Iterable[bytes] = ()) -> bytes:
    """Without what is ``harmless`` though it may look like a secret, and blank pages, which take most of the time.

    A total of 50,000 yuan in BCD, with its length of 62 digits in front, is a card number.
    """
    pages = (content[begin : begin + _PAGE_BYTES] for begin in range(0, len(content), _PAGE_BYTES))
    content = b"".join(page for page in pages if page not in _BLANK)
    for each in harmless:
        content = content.replace(each, b"")
    return content


PRIVACY: Final = (Invariant("P1", Searched, "no card number and no key stands anywhere", _left),)
