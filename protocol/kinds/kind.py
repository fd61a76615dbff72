"""A row of KINDS, and the table that knows a message by its rows.

Rules owned here: how a message is recognised. MTI, 60.1, 60.3 and field 3 name a row; where several rows share them,
one with a mark that fits wins over the one without marks. A variant is no kind of its own: it is another way to send
its kind, told to people and counted for presence, and programs see the kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from types import MappingProxyType
from typing import Final

from protocol.fields import F, Mask
from protocol.message import Message


@dataclass(frozen=True)
class Presence:
    """The fields that must and may be there, field 39 of a reply aside.

    ``due`` is what the specification demands too and real peers leave out: its absence is no fault.
    """

    must: tuple[int, ...]
    may: tuple[int, ...] = ()
    due: tuple[int, ...] = ()

    @cached_property
    def named(self) -> frozenset[int]:
        """Every field that may be there."""
        return frozenset((*self.must, *self.due, *self.may))

    @cached_property
    def in_order(self) -> tuple[int, ...]:
        """The fields that must be there, by number."""
        return tuple(sorted({*self.must}))


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells a row from others with the same codes: a field that begins with one of ``starts``."""

    number: int
    starts: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """A row of KINDS. ``type_code`` is 60.1, ``networks`` the possible 60.3, ``reversal`` the kind that undoes it.

    ``other_mtis`` are accepted beside ``mti`` (CUP 10). A row without ``processing_code`` whose request carries field 3
    takes any. ``condition_code`` is what field 25 says, empty where there is none or it is the original's.
    One of ``marks`` must fit where there are any. A row with ``variant_of`` is a variant of that kind.
    ``has_mac`` says that the dialect protects the kind; ``may_mac`` that it does not and that devices of ours do, since
    whoever reaches the port could else settle a batch or end a session (an extension).
    """

    name: str
    chinese: str
    english: str
    mti: str
    type_code: str
    networks: tuple[str, ...]
    request: Presence
    reply: Presence
    processing_code: str = ""
    condition_code: str = ""
    has_mac: bool = False
    may_mac: bool = False
    reversal: str = ""
    undoes: str = ""
    advances_stan: bool = True
    other_mtis: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    variant_of: str = ""
    masks: tuple[tuple[int, Mask], ...] = ()
    extension: bool = False
    clause: str = "CUP 3.2"

    @cached_property
    def reply_mti(self) -> str:
        """The MTI of the reply to a request with ``mti``."""
        return reply_mti(self.mti)

    @cached_property
    def moves_money(self) -> bool:
        """Sales, holds, voids, refunds and what undoes them carry processing code and amount under a MAC."""
        return self.has_mac and {F.PROCESSING_CODE, F.AMOUNT} <= set(self.request.must)

    @property
    def takes_any_code(self) -> bool:
        """Does field 3 repeat an original's?"""
        return not self.processing_code and F.PROCESSING_CODE in self.request.named


def with_our_mac(row: Kind) -> Kind:
    """The row with a MAC that the dialect does not know: both directions may carry field 64."""
    request, reply = (
        presence if F.MAC in presence.named else replace(presence, may=(*presence.may, F.MAC))
        for presence in (row.request, row.reply)
    )
    return replace(row, request=request, reply=reply, may_mac=True)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a message is: a kind and a direction, and which variant of the kind. ``str`` gives ``sale.request``."""

    kind: Kind
    is_request: bool
    variant: Kind | None = None

    def __str__(self) -> str:
        return f"{self.kind.name}.{'request' if self.is_request else 'reply'}"

    @property
    def row(self) -> Kind:
        """The variant, else the kind: whose names and presence count."""
        return self.variant or self.kind

    @property
    def presence(self) -> Presence:
        """The fields due in this direction."""
        return self.row.request if self.is_request else self.row.reply


CodesOf = Callable[[Message], tuple[str, str]]


def control_codes(message: Message) -> tuple[str, str]:
    """60.1 and 60.3, empty where field 60 is too short (CUP 2.5)."""
    control = message.text(F.CONTROL)
    return control[:2], control[8:11]


_Codes = tuple[str, str, str, str]
_Marked = tuple[int, tuple[str, ...], Kind]
_Entry = tuple[Kind | None, tuple[_Marked, ...]]
_ANY_CODE: Final = "any"


class KindTable:
    """Rows by name, and messages by rows. ``codes_of`` reads type and network code where a dialect keeps them."""

    def __init__(self, rows: Iterable[Kind], codes_of: CodesOf = control_codes) -> None:
        self.rows: Final[Mapping[str, Kind]] = MappingProxyType({row.name: row for row in rows})
        self.codes_of: Final = codes_of
        kinds = self.rows.values()
        self.request_mtis: Final = frozenset(mti for row in kinds for mti in (row.mti, *row.other_mtis))
        self.mtis: Final = self.request_mtis | {reply_mti(mti) for mti in self.request_mtis}
        self._request_of: Final = {reply_mti(mti): mti for mti in self.request_mtis}
        self._identities: Final[dict[tuple[str, bool, str], Identity]] = {}
        self._entries: Final = _by_codes(row for row in kinds if not row.variant_of)
        self._variants: Final = {
            main: tuple(each for row in kinds if row.variant_of == main for each in _marks(row))
            for main in {row.variant_of for row in kinds} - {""}
        }

    def identify(self, message: Message) -> Identity | None:
        """The row that a message is, or None for a kind that the table does not hold."""
        mti = self._request_of.get(message.mti, message.mti)
        type_code, network = self.codes_of(message)
        code = message.text(F.PROCESSING_CODE)
        entry = self._entries.get((mti, type_code, network, code))
        entry = entry or self._entries.get((mti, type_code, network, _ANY_CODE))
        if entry is None:
            return None
        plain, marked = entry
        row = _bearer(marked, message) if marked else None
        row = row or plain
        if row is None:
            return None
        variants = self._variants.get(row.name)
        variant = _bearer(variants, message) if variants else None
        known = row.name, mti == message.mti, variant.name if variant else ""
        identity = self._identities.get(known)
        if identity is None:
            identity = self._identities[known] = Identity(row, known[1], variant)
        return identity


def _codes(row: Kind) -> list[_Codes]:
    """Every MTI, type, network code and processing code that the row goes by."""
    code = _ANY_CODE if row.takes_any_code else row.processing_code
    return [(mti, row.type_code, network, code) for mti in (row.mti, *row.other_mtis) for network in row.networks]


def _marks(row: Kind) -> list[_Marked]:
    return [(mark.number, mark.starts, row) for mark in row.marks]


def _by_codes(rows: Iterable[Kind]) -> dict[_Codes, _Entry]:
    """Codes to the row without marks, if there is one, and the marks of the others."""
    table: dict[_Codes, _Entry] = {}
    for row in rows:
        for codes in _codes(row):
            plain, marked = table.get(codes, (None, ()))
            table[codes] = (plain, (*marked, *_marks(row))) if row.marks else (row, marked)
    return table


def _bearer(marked: Iterable[_Marked], message: Message) -> Kind | None:
    """The first row of which the message bears a mark."""
    fields = message.fields
    for number, starts, row in marked:
        value = fields.get(number)
        if value and (value if isinstance(value, str) else value.decode("latin-1")).startswith(starts):
            return row
    return None


@cache
def reply_mti(mti: str) -> str:
    """A request's MTI plus ten (CUP 7.7)."""
    return f"{int(mti) + 10:04d}"


def missing_fields(identity: Identity, message: Message) -> list[int]:
    """The fields that must be there and are not, in order."""
    fields, due = message.fields, identity.presence.in_order
    must = due if identity.is_request else sorted({*due, *_answer(identity)})
    return [] if all(map(fields.get, must)) else [number for number in must if not fields.get(number)]


def foreign_fields(identity: Identity, message: Message) -> list[int]:
    """The fields that are there and that the kind does not name, in order."""
    known = {*identity.presence.named, *_answer(identity)}
    return [number for number in sorted(message.fields) if number not in known]


def _answer(identity: Identity) -> tuple[int, ...]:
    """Every reply answers with field 39, no request does unless its row says so."""
    return () if identity.is_request else (F.RESPONSE_CODE,)
