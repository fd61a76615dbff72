"""What the store holds, as frozen rows: one class a table, the same names as its columns.

Amounts are int fen, instants epoch seconds, batches and STANs six digits. Sealed keys and replies stay out of ``repr``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, fields
from enum import StrEnum
from functools import cache
from operator import attrgetter
from typing import Any, cast

from host.lifecycle import State
from host.value import value
from protocol.swap import Role, SwapState


@value
class Merchant:
    """A merchant and the rates signed at registration, in basis points and fen (product decision 8).

    Limits of 0 are the policy's. ``payout_card`` is the mask of the card that was bound for payouts. ``renewed_at`` is
    when the data were last approved, ``papers_until`` when the first paper runs out; ``warned_at`` when that was told.
    ``category`` is the MCC, with the one before it; ``amends_at`` is when the next amendment of a rate takes effect.
    """

    merchant_id: str
    name: str = ""
    contact: str = ""
    telephone: str = ""
    address: str = ""
    active: bool = False
    credit_bp: int = 60
    debit_bp: int = 50
    debit_cap_fen: int = 2500
    merchant_type: str = "lab"
    region: str = ""
    payout_card: str = ""
    single_fen: int = 0
    daily_fen: int = 0
    daily_count: int = 0
    renewed_at: int = 0
    papers_until: int | None = None
    warned_at: int | None = None
    scan_bp: int = 38
    unionpay_qr_bp: int = 60
    payout_term: str = "T+1"
    category: str = ""
    category_before: str = ""
    category_at: int = 0
    amends_at: int | None = None


@value
class Alert:
    """What a rule of risk found at a terminal; its state is one of ``host.risk``."""

    number: int
    serial_number: str
    rule: str
    evidence: str
    state: str
    at: int
    cleared_by: str = ""
    note: str = ""


@value
class DeviceModel:
    """A model of the catalogue; ``retired_at`` is when it may no longer sell, for ``retire_reason``.

    ``capabilities`` and ``blocked_firmware`` are words between blanks; a model without capabilities is not described.
    ``recommended_firmware`` is required from one instant on and forced from another (``host.rollout``). A model with a
    ``price_fen`` is offered in place of one that retires.
    """

    model: str
    brand: str
    family: str
    min_firmware: str = ""
    retired_at: int | None = None
    retire_reason: str = ""
    security_level: int = 0
    capabilities: str = ""
    certificate: str = ""
    certificate_until: int | None = None
    recommended_firmware: str = ""
    blocked_firmware: str = ""
    required_at: int | None = None
    forced_at: int | None = None
    price_fen: int = 0


@value
class Terminal:
    """A device by its serial number. ``bound`` asks the device to name that number at sign-on.

    Until the instant ``download_until`` it may fetch its master key over the line without proving its keys. ``due`` are
    the nibbles of what it was asked for in headers and has not done (CUP 1.9). ``line`` is the connection on which it
    proved its keys last, ``fence`` counts them (invariant I6). What it did before ``refurbished_at`` was another life.
    ``told_batch`` is the batch in which it said to be at its last sign-on. ``pause_word`` is batch and STAN of the last
    word of its merchant on a pause, ``status_word`` of its own on its parts, empty before the first under its keys.
    ``missed_sign_on`` says that it went on under its previous keys when newer ones had been issued, and so never got
    these.
    """

    serial_number: str
    model: str
    merchant_id: str
    terminal_id: str
    state: State
    bound: bool = True
    firmware: str = ""
    extended: bool = False
    batch: str = "000001"
    signed_on: bool = False
    why: str = ""
    tmk: bytes = field(default=b"", repr=False)
    working_keys: bytes = field(default=b"", repr=False)
    previous_keys: bytes = field(default=b"", repr=False)
    download_until: int = 0
    command_counter: int = 0
    replaced_by: str = ""
    due: str = ""
    activated_at: int | None = None
    registered_at: int | None = None
    activate_by: int | None = None
    fence: int = 0
    line: str = ""
    warranty_until: int | None = None
    refurbished_at: int = 0
    told_batch: str = ""
    pause_word: str = ""
    missed_sign_on: bool = False
    status_word: str = ""


@value
class Hold:
    """One reason for which a terminal may not sell, from ``since`` on, which may lie ahead; ``released_at`` ends it.

    So does ``until``, by itself. ``kinds`` are those that a partial hold is about, between blanks; none: all new
    business. ``version`` is the firmware that clears a security hold, ``owed_fen`` what clears arrears.
    """

    number: int
    serial_number: str
    reason: str
    note: str
    actor: str
    since: int
    released_at: int | None = None
    released_by: str = ""
    until: int | None = None
    kinds: str = ""
    version: str = ""
    owed_fen: int = 0

    def is_open(self, at: int) -> bool:
        """Does it hold at this instant, or will it?"""
        return self.released_at is None and (self.until is None or at < self.until)

    def stands(self, at: int) -> bool:
        """Does it hold at this instant?"""
        return self.is_open(at) and self.since <= at


@value
class Plan:
    """The dated end of a terminal that is in force: notice, grace, perhaps a suspension, then stop."""

    serial_number: str
    reason: str
    notice_at: int
    grace_until: int
    stop_at: int
    done_at: int | None = None
    campaign: int = 0
    suspend_at: int | None = None

    def is_due(self, at: int) -> bool:
        """Has the stop date come, and was nothing done about it?"""
        return self.done_at is None and self.stop_at <= at


class TransactionState(StrEnum):
    """Where a transaction stands in the host's book. A hold is CAPTURED as long as it stands, and moves no money."""

    CAPTURED = "captured"
    VOIDED = "voided"
    REVERSED = "reversed"
    ADJUSTED = "adjusted"
    EXPIRED = "expired"
    DECLINED = "declined"
    TOMBSTONE = "tombstone"


@value
class Transaction:
    """One row of the ledger, by (terminal id, batch, STAN). The card is a mask and a token, never a PAN.

    ``policy`` is the version of the rules under which it was decided (faults H19, invariant S7).
    """

    terminal_id: str
    batch: str
    stan: str
    serial_number: str
    merchant_id: str
    kind: str
    state: TransactionState
    amount_fen: int
    fee_fen: int = 0
    code: str = "00"
    card: str = ""
    card_token: str = ""
    card_type: str = ""
    foreign_card: bool = False
    rrn: str = ""
    auth_id: str = ""
    original_terminal_id: str = ""
    original_batch: str = ""
    original_stan: str = ""
    entry_mode: str = ""
    account: str = ""
    at: int = 0
    policy: int = 0


class BatchState(StrEnum):
    """A batch is open until its totals are compared; where they disagree it waits for the upload."""

    OPEN = "open"
    UPLOADING = "uploading"
    CLOSED = "closed"


@value
class Batch:
    """A settled or settling batch; ``paid_at`` is when its net was paid to the merchant."""

    terminal_id: str
    batch: str
    merchant_id: str
    state: BatchState
    balanced: bool = False
    settled_at: int | None = None
    paid_at: int | None = None


@value
class Owed:
    """What the acquirer owes a merchant for one closed batch; less than nothing where the merchant owes."""

    merchant_id: str
    terminal_id: str
    batch: str
    settled_at: int | None
    net_fen: int


@value
class Swap:
    """One device giving way to another. ``sha256`` and ``size`` are of the backup as the old device sends it.

    ``backup`` is what has come of it; once it is whole, its content under the host's own key. Fee, deposit, rates and
    appointment are as they were quoted when it was ordered, whatever the policy says since (product X4).
    """

    number: int
    serial_number: str
    successor: str
    state: SwapState
    actor: str = ""
    ordered_at: int = 0
    changed_at: int = 0
    sha256: str = ""
    size: int = 0
    backup: bytes = field(default=b"", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    merchant_id: str = ""
    fee_fen: int = 0
    deposit_fen: int = 0
    credit_bp: int = 0
    debit_bp: int = 0
    debit_cap_fen: int = 0
    appointment_at: int | None = None

    def role(self, serial_number: str) -> Role:
        """Which of the two a device is."""
        return Role.OLD if serial_number == self.serial_number else Role.NEW


@value
class StoredReply:
    """The answer that a repeated request gets again, byte for byte (product decision 9)."""

    terminal_id: str
    batch: str
    stan: str
    mti: str
    fingerprint: bytes
    reply: bytes = field(repr=False)


@value
class PendingCommand:
    """A signed command that waits for its terminal; ``read_at`` is when somebody there read it, if it is a notice."""

    serial_number: str
    counter: int
    kind: str
    document: bytes
    state: str
    created_at: int
    expires_at: int
    result: str = ""
    read_at: int | None = None


@value
class Published:
    """A version of a download, its content as JSON."""

    name: str
    version: int
    content: str
    at: int


@value
class Fetch:
    """Which version of a download a terminal has ``begun`` with, and which one it has ``fetched``, 0 for none yet."""

    serial_number: str
    name: str
    begun: int
    fetched: int
    at: int


@value
class Progress:
    """How far one terminal has come with an update: ``state`` is commanded, failed or installed."""

    serial_number: str
    version: str
    state: str
    failures: int
    at: int


@value
class FirmwareRelease:
    """A published image of a model."""

    model: str
    version: str
    size: int
    sha256: str


def columns(
    row: Transaction | Batch | Terminal | Merchant | DeviceModel | Progress | Plan | Hold | Fetch,
) -> dict[str, object]:
    """A row as column values."""
    names, values_of = _columns(cast("Any", type(row)))
    found = dict(zip(names, values_of(row), strict=True))
    if "state" in found:
        found["state"] = str(found["state"])  # the text itself: SQLite's driver takes three times as long for a member
    return found


@cache
def _columns(record: Any) -> tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]:
    names = tuple(each.name for each in fields(record))
    return names, attrgetter(*names)
