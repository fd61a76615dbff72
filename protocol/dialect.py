"""What two sides must agree on before a body can be read: MTIs, form of the bitmap, and fields.

A dialect is data; another one is a patch: ``replace(CUP, name=..., fields={**CUP.fields, F.X: FieldSpec(...)})``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from protocol.elements import DIGITS, Bitmap, Body, Element, Fixed
from protocol.fields import FIELDS, FieldSpec
from protocol.header import REQUIREMENTS, Requirement
from protocol.kinds import CUP_KINDS, MTIS, KindTable
from protocol.plan import Plan


@dataclass(frozen=True, eq=False)
class Dialect:
    """``fields`` are rows by number, 2 to 64, or to 128 with a second bitmap; ``mtis`` every MTI that it reads.

    ``kinds`` tells what its messages are, ``requirements`` what the header of a reply may ask for.

    ``body`` is the construct of it all and the reference, ``plan`` the same made fast.
    """

    name: str
    fields: Mapping[int, FieldSpec] = field(repr=False)
    mtis: frozenset[str] = field(repr=False)
    mti: Element = field(default=Fixed(DIGITS, 4), repr=False)
    bitmap: Bitmap = Bitmap.BINARY
    kinds: KindTable = field(default=CUP_KINDS, repr=False)
    requirements: Mapping[str, Requirement] = field(default_factory=lambda: REQUIREMENTS, repr=False)
    body: Body = field(init=False, repr=False)
    plan: Plan = field(init=False, repr=False)

    def __post_init__(self) -> None:
        elements = {number: row.element for number, row in self.fields.items()}
        object.__setattr__(self, "body", Body(elements, self.mti, self.bitmap, self.mtis))
        object.__setattr__(self, "plan", Plan(self.body))


CUP: Final = Dialect("cup", FIELDS, MTIS)
"""The UnionPay POS dialect."""
