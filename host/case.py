"""One request before the engine: what came, what the store knows of it, and what the rules may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from datetime import datetime
from typing import Any, Final, Literal, cast

from host.holds import in_force
from host.issuer import Issuer, find_issuer
from host.keys import KeyDesk, MacCheck
from host.lifecycle import ABSENT, HEARD_BARE
from host.policy import Policy
from host.records import (
    Alert,
    Batch,
    BatchState,
    DeviceModel,
    Fetch,
    FirmwareRelease,
    Hold,
    Merchant,
    PendingCommand,
    Plan,
    Progress,
    Published,
    StoredReply,
    Swap,
    Terminal,
    Transaction,
    TransactionState,
)
from host.refusals import Refused
from host.transactions import COMPLETIONS, LATE_REVERSAL
from host.value import value
from protocol.codec import unseal
from protocol.fields import F
from protocol.kinds import KINDS, Kind
from protocol.message import Message
from protocol.private import Control, DeviceInfo, unpack_sequence_number
from protocol.private.security import unpack_sm4_pin
from protocol.responses import RESPONSES, Action

SENT_AGAIN: Final = frozenset(code for code, row in RESPONSES.items() if row.action is Action.SIGN_ON_AGAIN)
"""Codes on which a terminal signs on, and may send the same request again. They answer copies of it until then: a sale
is over for the terminal that was told so, and whatever it was refused for may have changed when a copy comes. Behind
the sign-on they answer nothing any more, or an offline sale could never be booked, unless a row was written."""


class Request:
    """A request of a known kind; ``fingerprint`` stands for its content, ``device`` is who it says that it is.

    ``firmware`` is the dotted version that a device of ours tells, else empty. What gates and handlers ask for again
    and again is read out of the message once: ``terminal_id`` (field 41), ``merchant_id`` (42), ``stan`` (11),
    ``amount_fen`` (4). ``serial_number`` is who the device says that it is: field 59, else field 62 of a sign-on; empty
    where it does not say. ``pin_block`` is field 52, else that of SM4 in field 57, as field 53 says; empty where no PIN
    was entered (CUP 2.3, 5.3). ``pan`` is the card's number from field 2, else from track 2 left of the separator;
    ``payer`` is that, else the code that a customer showed (field 59, tag A3); empty where nothing came.
    """

    __slots__ = (
        "_issuer", "amount_fen", "control", "device", "fingerprint", "firmware", "kind", "merchant_id", "message",
        "pan", "payer", "pin_block", "serial_number", "stan", "terminal_id",
    )  # fmt: skip

    def __init__(
        self,
        kind: Kind,
        message: Message,
        control: Control,
        device: DeviceInfo,
        fingerprint: bytes,
        firmware: str = "",
    ) -> None:
        text, octets = message.text, message.octets
        self.kind: Final = kind
        self.message: Final = message
        self.control: Final = control
        self.device: Final = device
        self.fingerprint: Final = fingerprint
        self.firmware: Final = firmware
        self.terminal_id: Final = text(F.TERMINAL_ID)
        self.merchant_id: Final = text(F.MERCHANT_ID)
        self.stan: Final = text(F.STAN)
        self.amount_fen: Final = int(text(F.AMOUNT) or 0)
        self.pin_block: Final = octets(F.PIN_BLOCK) or unpack_sm4_pin(text(F.SECURITY), octets(F.PRIVATE57))
        self.pan: Final = text(F.PAN) or text(F.TRACK2).partition("D")[0]
        self.payer: Final = self.pan or device.payment_code
        told = unpack_sequence_number(octets(F.PAYLOAD)) if kind.name == "sign_in" else ""
        self.serial_number: Final = device.serial_number or told
        self._issuer: Issuer | Literal["unasked"] | None = "unasked"

    @property
    def issuer(self) -> Issuer | None:
        """Who issued the card; None where none came or nobody knows it."""
        if self._issuer == "unasked":
            self._issuer = find_issuer(self.pan)
        return self._issuer

    @property
    def key(self) -> dict[str, object]:
        """Terminal id, batch and STAN: what names a transaction (invariants, vocabulary)."""
        return {"terminal_id": self.terminal_id, "batch": self.control.batch, "stan": self.stan}

    def asked_as(self, kind: Kind) -> Request:
        """The same request, had it been one of another kind."""
        return Request(kind, self.message, self.control, self.device, self.fingerprint, self.firmware)


@value
class Standing:
    """What stands from one request of a till to the next: the part of its snapshot that seldom changes.

    ``worked_out`` is for what others work out of these rows alone, each under a name of its own.
    """

    terminal: Terminal | None
    tenant: Terminal | None
    merchant: Merchant | None
    model: DeviceModel | None = None
    holds: tuple[Hold, ...] = ()
    plan: Plan | None = None
    is_restored: bool = False
    worked_out: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@value
class Snapshot:
    """What the store knows of a request, read in the transaction that will write the decision.

    ``standing`` has those of its rows that were there for the last request too; None where nobody kept them.
    ``tenant`` is the device that the terminal id belongs to, where that is not the device that speaks. ``number`` is
    unique and becomes RRN and authorisation id. ``wrong_pins`` came one after the other from the card of this request.
    ``followers`` are the rows about the ``original``, without one those about the row that is to be reversed, but for
    completions that were taken back late; ``returned_fee_fen`` is what the original cost before the void that is to be
    reversed; ``code_used`` tells whether the customer's code has paid before. ``day_fen`` and ``day_count`` are what
    the terminal has sold today, where a limit asks for it; ``progress`` is how far it has come with its last update.
    ``peer`` is the other device of a ``swap``, whose ``batch`` and ``rows`` are then those of the till that changes
    hands.
    """

    terminal: Terminal | None = None
    tenant: Terminal | None = None
    merchant: Merchant | None = None
    model: DeviceModel | None = None
    holds: tuple[Hold, ...] = ()
    plan: Plan | None = None
    stored: StoredReply | None = None
    existing: Transaction | None = None
    original: Transaction | None = None
    followers: tuple[Transaction, ...] = ()
    returned_fee_fen: int = 0
    contested_fen: int = 0
    recent: tuple[Transaction, ...] = ()
    partner: str = ""
    spent_fen: int = 0
    alerts: tuple[Alert, ...] = ()
    code_used: bool = False
    day_fen: int = 0
    day_count: int = 0
    progress: Progress | None = None
    wrong_pins: int = 0
    turnover_fen: int = 0
    batch: Batch | None = None
    rows: tuple[Transaction, ...] = ()
    uploaded: tuple[tuple[str, int], ...] = ()
    commands: tuple[PendingCommand, ...] = ()
    release: FirmwareRelease | None = None
    read_image: Callable[[str, int, int], bytes] = field(default=lambda version, offset, size: b"", repr=False)
    published: tuple[Published, ...] = ()
    fetch: Fetch | None = None
    last_refusal: Refused | None = None
    forms: tuple[Mapping[str, Any], ...] = ()
    signing_key: bytes = field(default=b"", repr=False)
    swap: Swap | None = None
    peer: Terminal | None = None
    peer_holds: tuple[Hold, ...] = ()
    peer_commands: tuple[PendingCommand, ...] = ()
    number: int = 0
    is_restored: bool = False
    standing: Standing | None = None

    @property
    def refunded_fen(self) -> int:
        """What was given back of the original, or is contested or lost in a dispute."""
        return self._captured_fen("refund") + self._captured_fen(LATE_REVERSAL) + self.contested_fen

    @property
    def held_fen(self) -> int:
        """What the original holds, with all that was added to it."""
        return (self.original.amount_fen if self.original else 0) + self._captured_fen("additional_preauth")

    @property
    def is_completed(self) -> bool:
        """Was the hold completed once? Voiding the completion does not give the hold back (M9); reversing it does."""
        used = (TransactionState.CAPTURED, TransactionState.VOIDED)
        return any(row.kind in COMPLETIONS and row.state in used for row in self.followers)

    def _captured_fen(self, kind: str) -> int:
        return sum(
            row.amount_fen for row in self.followers if row.kind == kind and row.state is TransactionState.CAPTURED
        )


class Case:
    """Everything that a gate or a handler may look at. ``now`` is aware, ``at`` the same in epoch seconds; nothing here
    reads a clock.

    ``fenced`` tells that another line has taken over the terminal since this one spoke for it. ``terminal`` and
    ``merchant`` are those of the snapshot: the gates have made sure that there are any. ``firmware`` is the version
    that runs, as the device says under a good MAC, else as it last said. ``stored`` is the reply that a request under
    this STAN got before, where it still speaks.
    """

    __slots__ = (
        "_holds", "at", "fenced", "firmware", "keys", "mac", "merchant", "now", "policy", "policy_version", "request",
        "snapshot", "stored", "terminal",
    )  # fmt: skip

    def __init__(
        self,
        request: Request,
        snapshot: Snapshot,
        mac: MacCheck,
        policy: Policy,
        keys: KeyDesk,
        now: datetime,
        fenced: bool = False,
        policy_version: int = 0,
    ) -> None:
        self.request: Final = request
        self.snapshot: Final = snapshot
        self.mac: Final = mac
        self.policy: Final = policy
        self.keys: Final = keys
        self.now: Final = now
        self.at: Final = int(now.timestamp())
        self.fenced: Final = fenced
        self.policy_version: Final = policy_version
        self.terminal: Final = cast("Terminal", snapshot.terminal)
        self.merchant: Final = cast("Merchant", snapshot.merchant)
        known = snapshot.terminal.firmware if snapshot.terminal else ""
        self.firmware: Final = request.firmware if request.firmware and mac.good else known
        stored = snapshot.stored
        self.stored: Final = stored if stored and self._still_speaks(stored) else None
        self._holds: tuple[Hold, ...] | None = None

    def _still_speaks(self, stored: StoredReply) -> bool:
        """Is the reply that is stored under the STAN of the request, which is there for copies, an answer to it?

        Not to a device that could prove its STAN and does not. One that was told to sign on first, and nothing was
        written of its request, has the answer until it did: what it sends again under its new keys is decided, and a
        copy of what it sent under the old ones is not. Who may not sign on any more is told so instead.
        """
        if not self.mac.good:
            return not (self.request.kind.name in HEARD_BARE and self.terminal.extended)
        told = unseal(stored.reply)
        if self.snapshot.existing or told.message.text(F.RESPONSE_CODE) not in SENT_AGAIN:
            return True
        return self.terminal.state not in ABSENT and self.keys.check(self.terminal, told) is self.mac

    @property
    def holds(self) -> tuple[Hold, ...]:
        """Every hold that stands now, the gravest first."""
        if self._holds is None:
            snapshot = self.snapshot
            terminal = replace(self.terminal, firmware=self.firmware) if snapshot.holds else self.terminal
            self._holds = in_force(snapshot.holds, terminal, snapshot.merchant, self.policy, self.at, snapshot.plan)
        return self._holds

    @property
    def is_repeated(self) -> bool:
        """Did this very request come before, and is its reply stored?"""
        return self.stored is not None and self.stored.fingerprint == self.request.fingerprint

    @property
    def is_settled(self) -> bool:
        """Is the batch of the request closed, and another one open?"""
        batch = self.snapshot.batch
        return batch is not None and batch.state is BatchState.CLOSED and batch.batch != self.terminal.batch

    @property
    def ends_old_keys(self) -> bool:
        """Is it the first that came under the keys of the last sign-on, so that those before serve nobody any more?"""
        return self.mac is MacCheck.CURRENT and bool(self.terminal.previous_keys)

    @property
    def is_extended(self) -> bool:
        """Does the device know our extensions, as it says now or once said under a good MAC?"""
        return self.terminal.extended or (self.mac.good and bool(self.request.device.model))

    def asked_as(self, kind: str) -> Case:
        """The same case, had it been a request of another kind."""
        request = self.request.asked_as(KINDS[kind])
        return Case(
            request, self.snapshot, self.mac, self.policy, self.keys, self.now, self.fenced, self.policy_version
        )
