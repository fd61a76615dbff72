"""The terminal's book: everything it knows, as one value. ``terminal.records`` folds records into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from protocol.private import GroupTotals, Totals, keys_digest
from terminal.transaction import UNKNOWN_NUMBER, UNRESOLVED, Key, Signing, State, Transaction

FIRST_BATCH: Final = "000001"
NUMBER_MAX: Final = 999_999
CLOSED_KEPT: Final = 50
EVENTS_KEPT: Final = 50
ROUTINE: Final = frozenset({"log on", "log off", "wrong password", "chip not proven"})
"""Lines of the audit trail that make room first, so that nobody pushes out what counts by logging on and off."""
NOTICES_KEPT: Final = 20


def following(number: str) -> str:
    """The next STAN or batch number, six digits; 999999 is followed by 000001 (CUP 7.8, 7.10)."""
    return f"{int(number) % NUMBER_MAX + 1:06d}"


class Entry(BaseModel):
    """What all values in the book share."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Settling(Entry):
    """A settlement under way under ``stan``; ``balanced`` is None until the host has compared the totals."""

    stan: str
    balanced: bool | None = None


class ClosedBatch(Entry):
    """What stays of a settled batch; ``digest``, hex, is ``keys_digest`` over its captured rows."""

    batch: str
    debit_fen: int
    debit_count: int
    credit_fen: int
    credit_count: int
    digest: str
    balanced: bool
    at: int


class Accepted(Entry):
    """A command of the host that was verified; ``result`` is empty until it was carried out."""

    counter: int
    kind: str
    body: dict[str, str]
    result: str = ""


class Notice(Entry):
    """What the host wants the merchant to know; ``read_at`` is when somebody asked for it, in epoch seconds.

    One that ``must_confirm``, an announcement, is read once somebody has pressed enter on it. ``read_told`` says that
    the host knows.
    """

    counter: int
    title_zh: str
    title_en: str
    text_zh: str
    text_en: str
    reason: str = ""
    stop_at: str = ""
    must_confirm: bool = False
    read_at: int | None = None
    read_told: bool = False

    @property
    def read(self) -> bool:
        """Did somebody ask for it, or confirm it?"""
        return self.read_at is not None


class Signature(Entry):
    """A signature that the host does not have yet; ``image`` (JBIG) and ``receipt`` (field 55) are base64.

    It outlives its batch (invariant G5). ``date`` is field 15 of the approval, ``tries`` counts uploads in vain.
    """

    batch: str
    stan: str
    amount_fen: int
    rrn: str
    date: str = ""
    image: str = Field(repr=False)
    receipt: str = Field("", repr=False)
    tries: int = 0

    @property
    def key(self) -> Key:
        """Batch and STAN of what was signed for."""
        return Key(self.batch, self.stan)


class Downloaded(Entry):
    """A table of ``protocol.downloads`` as it came, whole: ``items`` by code, BIN or name of an object.

    ``at`` is epoch seconds, ``version`` stands for the content.
    """

    name: str
    at: int
    version: str
    items: dict[str, str]


class Happening(Entry):
    """A line of the audit trail: ``at`` in epoch seconds of the board's clock, ``operator`` "" for nobody."""

    at: int
    what: str
    detail: str
    operator: str = ""


class Operator(Entry):
    """Who may log on; ``salt`` and ``digest`` (scrypt) are hex. ``must_change``: somebody else chose the password."""

    number: str
    salt: str = Field(repr=False)
    digest: str = Field(repr=False)
    must_change: bool = False

    @property
    def has_password(self) -> bool:
        """Not yet, where the device before had this operator: passwords do not travel."""
        return bool(self.digest)


class Swap(Entry):
    """This device's part in swap ``number``, in which ``peer`` is the other device.

    ``sha256`` is that of the backup, sealed as it was sent, or opened as it came; ``certificate``, hex, what a wiped
    device has to show.
    """

    number: int
    peer: str
    stage: Literal["handing_over", "wiping", "wiped", "taken_over"]
    sha256: str = ""
    certificate: str = ""


class Form(Entry):
    """The merchant's form; ``state`` is what the host said of it last, "" while it is to be handed in.

    ``number`` tells which of the terminal's forms it is at the host, 0 where the host has not said.
    """

    name: str = Field(repr=False)
    contact: str = Field(repr=False)
    telephone: str = Field(repr=False)
    address: str = Field(repr=False)
    state: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Book:
    """``stan`` is the last one taken; ``rows`` are the transactions of the open batch, in the order of opening."""

    stan: str = "000000"
    batch: str = FIRST_BATCH
    signed_on: bool = False
    clock_offset_s: int = 0
    counter: int = 0
    staged: str = ""
    report: Key | None = None
    settling: Settling | None = None
    commands: tuple[Accepted, ...] = ()
    notices: tuple[Notice, ...] = ()
    closed: tuple[ClosedBatch, ...] = ()
    events: tuple[Happening, ...] = ()
    signatures: tuple[Signature, ...] = ()
    training: bool = False
    paused: bool = False
    pause_told: bool = True
    form: Form | None = None
    swap: Swap | None = None
    operators: Mapping[str, Operator] = field(default_factory=lambda: MappingProxyType({}))
    downloads: Mapping[str, Downloaded] = field(default_factory=lambda: MappingProxyType({}))
    rows: Mapping[Key, Transaction] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def next_stan(self) -> str:
        """The STAN that the next request takes."""
        return following(self.stan)

    @property
    def unresolved(self) -> tuple[Transaction, ...]:
        """Money whose outcome is not known at both ends yet."""
        return tuple(row for row in self.rows.values() if row.state in UNRESOLVED)

    @property
    def scripts_due(self) -> tuple[Transaction, ...]:
        """Transactions with an issuer's script whose result the host does not know yet."""
        return tuple(row for row in self.rows.values() if row.script)

    @property
    def is_handing_over(self) -> bool:
        """Does the till go to another device, so that no new business may begin here?"""
        return self.swap is not None and self.swap.stage == "handing_over"

    @property
    def is_wiped(self) -> bool:
        """Is everything gone but the certificate of it, or about to go?"""
        return self.swap is not None and self.swap.stage in ("wiping", "wiped")

    @property
    def last_good(self) -> Transaction | None:
        """The last transaction of the open batch that stands, None where there is none."""
        good = (State.CAPTURED, State.OFFLINE)
        return next((row for row in reversed(tuple(self.rows.values())) if row.state in good), None)

    @property
    def announcements(self) -> tuple[Notice, ...]:
        """Those that nobody has confirmed, oldest first."""
        return tuple(notice for notice in self.notices if notice.must_confirm and not notice.read)

    @property
    def signatures_due(self) -> tuple[Transaction, ...]:
        """What was approved and is not signed yet."""
        return tuple(row for row in self.rows.values() if row.state is State.CAPTURED and row.signature is Signing.DUE)

    @property
    def money(self) -> tuple[Transaction, ...]:
        """The captured rows of the open batch that count; a void or a hold moves no money of its own."""
        return tuple(row for row in self.rows.values() if row.state is State.CAPTURED and row.sign)

    @property
    def unsettled(self) -> tuple[Transaction, ...]:
        """What is lost with this memory: money that counts, and money whose outcome is not known at both ends."""
        return tuple({row.key: row for row in (*self.money, *self.unresolved)}.values())

    @property
    def net_fen(self) -> int:
        """Captured debits less captured refunds of the open batch."""
        return self.together.debit_fen - self.together.credit_fen

    @property
    def totals(self) -> Totals:
        """Field 48 of the settlement (CUP 2.8): refunds are credits, all others debits, each card group by itself."""
        domestic, foreign = ([row for row in self.money if row.is_foreign is wanted] for wanted in (False, True))
        return Totals(_group(domestic), _group(foreign))

    @property
    def together(self) -> GroupTotals:
        """The totals of both card groups."""
        return _group(self.money)

    @property
    def digest(self) -> bytes:
        """What the host compares besides the totals, since errors in sums may compensate."""
        return keys_digest((row.stan, row.row.type_code, row.amount_fen) for row in self.money)

    def about_hold(self, auth_id: str, date: str) -> dict[str, str]:
        """The columns by which a row names the pre-authorisation that it is about; an earlier batch's is not known."""
        held = next(
            (
                row.key
                for row in self.rows.values()
                if row.kind == "preauth" and row.state is State.CAPTURED and (row.auth_id, row.date) == (auth_id, date)
            ),
            Key(UNKNOWN_NUMBER, UNKNOWN_NUMBER),
        )
        return {
            "original_batch": held.batch,
            "original_stan": held.stan,
            "original_date": date,
            "original_auth_id": auth_id,
        }

    def find(self, stan: str) -> Transaction | None:
        """The transaction of the open batch with this STAN."""
        return self.rows.get(Key(self.batch, stan))


def _group(rows: Iterable[Transaction]) -> GroupTotals:
    rows = tuple(rows)
    debit, credit = ([row.amount_fen for row in rows if row.sign == sign] for sign in (1, -1))
    return GroupTotals(sum(debit), len(debit), sum(credit), len(credit))
