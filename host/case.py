"""One request before the engine: what came, what the store knows of it, and what the rules may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from host.holds import in_force
from host.keys import KeyDesk, MacCheck
from host.policy import Policy
from host.records import (
    Alert,
    Batch,
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
from protocol.fields import F
from protocol.kinds import KINDS, Kind
from protocol.message import Message
from protocol.private import Control, DeviceInfo, unpack_sequence_number
from protocol.private.security import unpack_sm4_pin


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a known kind; ``fingerprint`` stands for its content, ``device`` is who it says that it is.

    ``firmware`` is the dotted version that a device of ours tells, else empty.
    """

    kind: Kind
    message: Message
    control: Control
    device: DeviceInfo
    fingerprint: bytes
    firmware: str = ""

    @property
    def key(self) -> dict[str, object]:
        """Terminal id, batch and STAN: what names a transaction (invariants, vocabulary)."""
        return {"terminal_id": self.terminal_id, "batch": self.control.batch, "stan": self.stan}

    @property
    def terminal_id(self) -> str:
        """Field 41."""
        return self.message.text(F.TERMINAL_ID)

    @property
    def serial_number(self) -> str:
        """Who the device says that it is: field 59, else field 62 of a sign-on; empty where it does not say."""
        told = self.message.octets(F.PAYLOAD) if self.kind.name == "sign_in" else b""
        return self.device.serial_number or unpack_sequence_number(told)

    @property
    def stan(self) -> str:
        """Field 11."""
        return self.message.text(F.STAN)

    @property
    def amount_fen(self) -> int:
        """Field 4."""
        return int(self.message.text(F.AMOUNT) or 0)

    @property
    def pin_block(self) -> bytes:
        """Field 52, else that of SM4 in field 57, as field 53 says; empty where no PIN was entered (CUP 2.3, 5.3)."""
        message = self.message
        return message.octets(F.PIN_BLOCK) or unpack_sm4_pin(message.text(F.SECURITY), message.octets(F.PRIVATE57))

    @property
    def pan(self) -> str:
        """The card's number from field 2, else from track 2 left of the separator; empty where neither came."""
        return self.message.text(F.PAN) or self.message.text(F.TRACK2).partition("D")[0]

    @property
    def payer(self) -> str:
        """The card's number, else the code that a customer showed (field 59, tag A3)."""
        return self.pan or self.device.payment_code


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the store knows of a request, read in the transaction that will write the decision.

    ``tenant`` is the device that the terminal id belongs to, where that is not the device that speaks. ``number`` is
    unique and becomes RRN and authorisation id. ``wrong_pins`` came one after the other from the card of this request.
    ``followers`` are the rows about the ``original``, without one those about the row that is to be reversed;
    ``code_used`` tells whether the customer's code has paid before. ``day_fen`` and ``day_count`` are what the terminal
    has sold today, where a limit asks for it; ``progress`` is how far it has come with its last update. ``peer`` is the
    other device of a ``swap``, whose ``batch`` and ``rows`` are then those of the till that changes hands.
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


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a gate or a handler may look at. ``now`` is aware; nothing here reads a clock.

    ``fenced`` tells that another line has taken over the terminal since this one spoke for it.
    """

    request: Request
    snapshot: Snapshot
    mac: MacCheck
    policy: Policy
    keys: KeyDesk
    now: datetime
    fenced: bool = False
    policy_version: int = 0

    @property
    def at(self) -> int:
        """``now`` in epoch seconds."""
        return int(self.now.timestamp())

    @property
    def terminal(self) -> Terminal:
        """The terminal; gates have made sure that there is one."""
        if self.snapshot.terminal is None:
            raise LookupError("a handler was asked before the gates")
        return self.snapshot.terminal

    @property
    def merchant(self) -> Merchant:
        """The merchant; gates have made sure that there is one."""
        if self.snapshot.merchant is None:
            raise LookupError("a handler was asked before the gates")
        return self.snapshot.merchant

    @property
    def holds(self) -> tuple[Hold, ...]:
        """Every hold that stands now, the gravest first."""
        terminal = replace(self.terminal, firmware=self.firmware) if self.snapshot.holds else self.terminal
        return in_force(self.snapshot.holds, terminal, self.snapshot.merchant, self.policy, self.at, self.snapshot.plan)

    @property
    def is_repeated(self) -> bool:
        """Did this very request come before, and is its reply stored?"""
        stored = self.snapshot.stored
        return stored is not None and stored.fingerprint == self.request.fingerprint

    @property
    def is_extended(self) -> bool:
        """Does the device know our extensions, as it says now or once said under a good MAC?"""
        return self.terminal.extended or (self.mac.good and bool(self.request.device.model))

    @property
    def firmware(self) -> str:
        """The firmware version that runs, as the device says under a good MAC, else as it last said."""
        told = self.request.firmware
        return told if told and self.mac.good else self.terminal.firmware

    def asked_as(self, kind: str) -> Case:
        """The same case, had it been a request of another kind."""
        return replace(self, request=replace(self.request, kind=KINDS[kind]))
