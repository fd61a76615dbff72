"""The merchant's form: its entries in field 62 of a registration, and by what a device knows its own in the reply.

Rules owned here: TABLE FORM_TAGS. Before the first sign-on neither message has a MAC, and none has a STAN, so the reply
says of the form that waits at the host which one it is and its digest. A bit that fell over on the way, and a form that
was held back and came after its correction, show in that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from protocol.private.tags import number_tag

FORM_TAGS: Final[Mapping[str, str]] = MappingProxyType(
    {"name": "NA", "contact": "CO", "telephone": "TE", "address": "AD"}
)
"""Entry of the form -> its tag in field 62."""
_DIGEST_BYTES: Final = 2
"""So few that it shows a change on the way, and confirms no guess at what stands in the form: anybody may ask."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The form that waits for its review.

    ``number`` counts the forms of a terminal; a correction before the review has that of the form whose place it takes.
    ``digest`` is over the number and the entries.
    """

    number: int
    digest: bytes

    @classmethod
    def of(cls, number: int, form: Mapping[str, str]) -> Waiting:
        """What is told of a form; of its entries those of FORM_TAGS count."""
        entries = "\n".join((str(number), *(form[entry] for entry in FORM_TAGS)))
        return cls(number, hashlib.sha256(entries.encode()).digest()[:_DIGEST_BYTES])

    @classmethod
    def read(cls, tags: Mapping[str, bytes]) -> Waiting | None:
        """The same from the tags of field 62; None where a foreign host tells none. Raises DecodeError."""
        return cls(number_tag(tags, "FN"), tags["FD"]) if "FD" in tags else None

    @property
    def tags(self) -> list[tuple[str, bytes]]:
        """Those of field 62 that tell it."""
        return [("FN", str(self.number).encode("ascii")), ("FD", self.digest)]
