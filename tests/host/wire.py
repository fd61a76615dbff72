"""A host on the bench and a terminal that is only a wire: it builds payloads with keys of its own and reads replies.

The terminal keeps no journal and obeys nobody: a test says exactly which bytes go out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from host.acquirer import Acquirer, Answer
from host.admin.acts import perform
from host.policy import Policy
from host.store.database import Store, open_store
from protocol.codec import Unsealed, seal, unseal
from protocol.crypto.cipher import SM4
from protocol.crypto.key import MacKey
from protocol.crypto.keys import KEY_CIPHERS, WorkingKeys, unpack_working_keys
from protocol.crypto.mac import cup_ecb_mac, cup_sm4_mac
from protocol.crypto.pinblock import PIN_FORMATS, encrypt_pin_block
from protocol.elements import Value
from protocol.fields import F
from protocol.image import version_digits
from protocol.kinds import KINDS
from protocol.message import Message
from protocol.private import (
    Control,
    DeviceInfo,
    GroupTotals,
    Original,
    RefusalText,
    Totals,
    UploadItem,
    keys_digest,
    pack_sequence_number,
    pack_tags,
    pack_upload,
    unpack_tags,
)
from protocol.private.security import pack_security, pack_sm4_pin

DEBIT, CREDIT, FOREIGN = "6200000100000004", "6200000200000003", "6200000900000006"
POOR, STOLEN, EXPIRED, STRANGER = "6200000300000002", "6200000400000001", "6200000500000000", "6299999900000001"
PIN = "123456"
START = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
MODEL, FORM = (
    "PX-E90",
    {"name": "街角便利店", "contact": "王小明", "telephone": "13000000000", "address": "实验路一号院"},
)
WAIT_S = 20


def fresh_bytes(seed: str = "") -> Callable[[int], bytes]:
    """Chance that comes out the same every time."""
    numbers = count()
    return lambda size: hashlib.shake_256(f"{seed}{next(numbers)}".encode()).digest(size)


class Lab:
    """A host on a database of its own, with a clock that stands still until it is moved.

    The database is the file ``path``, unless a ``url`` names another; its key lies beside that file.
    """

    def __init__(self, path: Path, policy: Policy | None = None, seed: str = "", *, url: str = "") -> None:
        self.path = path
        self.url = url or str(path)
        self._key_file = path.with_name(path.name + ".key")
        self.policy = policy or Policy()
        self.now = START
        self.store: Store = open_store(self.url, fresh_bytes(seed), key_file=self._key_file)
        self.acquirer = Acquirer(self.store, self.policy, lambda: self.now)

    def act(self, name: str, /, *, actor: str = "admin", **arguments: Any) -> dict[str, Any]:
        """An administrative act."""
        return perform(self.store, name, self.now, policy=self.policy, actor=actor, **arguments)

    def later(self, **duration: float) -> None:
        """Time passes for everybody."""
        self.now += timedelta(**duration)

    def answer(self, payload: bytes) -> Answer:
        """What the host answers once it is durable."""
        return self.acquirer.submit(payload).result(WAIT_S)

    def reply(self, payload: bytes) -> Message:
        """The same, read."""
        return unseal(self.answer(payload).payload).message

    def rows(self, table: str, **matches: object) -> list[dict[str, Any]]:
        """Rows as they lie in the store."""
        return self.store.run(lambda books: books.rows(table, **matches))

    def terminal(self, serial_number: str) -> dict[str, Any]:
        """The row of one terminal."""
        return self.rows("terminals", serial_number=serial_number)[0]

    def reopen(self) -> None:
        """The host is started again on the same database."""
        self.store.close()
        self.store = open_store(self.url, fresh_bytes("reopened"), key_file=self._key_file)
        self.acquirer = Acquirer(self.store, self.policy, lambda: self.now)

    def violations(self) -> list[str]:
        """What the host's own proof of its ledger finds."""
        found: list[str] = self.act("verify")["violations"]
        return found


@dataclass(frozen=True)
class Sold:
    """A sale that was approved, as a terminal would keep it."""

    batch: str
    stan: str
    amount_fen: int
    pan: str
    rrn: str


class Wire:
    """One terminal at one lab. ``extended`` terminals name model and version in field 59, as ours do."""

    def __init__(
        self,
        lab: Lab,
        serial_number: str = "PXE90-0001",
        terminal_id: str = "10000001",
        merchant_id: str = "898100000000001",
        *,
        model: str = MODEL,
        firmware: str = "2.1.0",
        extended: bool = True,
    ) -> None:
        self.lab, self.serial_number = lab, serial_number
        self.terminal_id, self.merchant_id = terminal_id, merchant_id
        self.model, self.firmware, self.extended = model, firmware, extended
        self.batch, self.numbers = "000001", count(1)
        self.tmk = self.host_public_key = b""
        self.keys: WorkingKeys | None = None
        self.network = "003"

    # the paper life

    def order(self, **changes: str) -> Wire:
        """Ordered, shipped and delivered, with the key card loaded."""
        self.lab.act("add_model", model=self.model, brand="百富", family="e_sign")
        till = {"merchant_id": self.merchant_id, "terminal_id": self.terminal_id} | changes
        self.lab.act("order", serial_number=self.serial_number, model=self.model, **till)
        self.load_card()
        self.lab.act("ship", serial_number=self.serial_number)
        self.lab.act("deliver", serial_number=self.serial_number)
        return self

    def load_card(self) -> None:
        """The depot loads the keys."""
        card = self.lab.act("key_card", serial_number=self.serial_number)
        self.tmk, self.host_public_key = bytes.fromhex(card["tmk"]), bytes.fromhex(card["host_public_key"])

    def register(self) -> Wire:
        """Ordered and registered."""
        self.order()
        self.lab.act("submit", serial_number=self.serial_number, **FORM)
        self.lab.act("review", serial_number=self.serial_number)
        return self

    def on_counter(self) -> Wire:
        """Registered and signed on."""
        self.register().sign_on()
        return self

    def activated(self) -> Wire:
        """Signed on and activated, with an empty batch: the activating turnover was settled."""
        self.on_counter()
        self.sell(self.lab.policy.activation.turnover_fen)
        assert self.settle().text(F.RESPONSE_CODE) == "00"
        return self

    # building

    def stan(self) -> str:
        """The next trace number."""
        return f"{next(self.numbers):06d}"

    def build(
        self, kind_name: str, fields: dict[int, Value], *, network: str = "", batch: str = "", mac: bool | None = None
    ) -> bytes:
        """A payload of a kind; ``mac`` overrides whether it has a field 64: ours add it where the dialect has none."""
        kind = KINDS[kind_name]
        control = Control(kind.type_code, batch or self.batch, network or kind.networks[0])
        common: dict[int, Value] = {
            F.TERMINAL_ID: self.terminal_id,
            F.MERCHANT_ID: self.merchant_id,
            F.CONTROL: str(control),
        }
        if kind.processing_code:
            common[F.PROCESSING_CODE] = kind.processing_code
        if self.serial_number:
            common[F.DEVICE] = self.device()
        message = Message(kind.mti, common | fields)
        with_mac = kind.has_mac or (kind.may_mac and self.extended and bool(self.keys)) if mac is None else mac
        return seal(message, self.make_mac if with_mac else None)

    def device(self) -> bytes:
        """Field 59."""
        if not self.extended:
            return bytes(DeviceInfo(self.serial_number))
        return bytes(DeviceInfo(self.serial_number, version_digits(self.firmware), self.model))

    def make_mac(self, data: bytes) -> bytes:
        """Field 64 under the terminal's key, or under none where it has not signed on."""
        make = cup_sm4_mac if self.has_sm4 else cup_ecb_mac
        return make(self.keys.mak if self.keys else MacKey(bytes(16)), data)

    @property
    def has_sm4(self) -> bool:
        """Are its keys those of SM4?"""
        return KEY_CIPHERS[self.network] is SM4

    def sale(self, amount_fen: int, pan: str = DEBIT, *, stan: str = "", pin: str = "", **options: Any) -> bytes:
        """A sale."""
        return self.build("sale", self.money(amount_fen, pan, stan or self.stan(), pin), **options)

    def money(self, amount_fen: int, pan: str, stan: str, pin: str = "") -> dict[int, Value]:
        """The fields of every kind that moves money."""
        fields: dict[int, Value] = {
            F.AMOUNT: f"{amount_fen:012d}",
            F.STAN: stan,
            F.ENTRY_MODE: "072",
            F.CONDITION_CODE: "00",
            F.CURRENCY: "156",
        }
        if pan:
            fields |= {F.PAN: pan, F.TRACK2: f"{pan}D30122010000000000000"}
        if pin and self.keys and self.has_sm4:
            block = PIN_FORMATS["sm4"].encrypt(self.keys.pik, pin, pan, bytes)
            security = pack_security("sm4", with_pin=True, encrypts_tracks=False)
            fields |= {F.PIN_CAPTURE: "12", F.SECURITY: security, F.PRIVATE57: pack_sm4_pin(block)}
        elif pin and self.keys:
            block = encrypt_pin_block(self.keys.pik, pin, pan)
            fields |= {F.PIN_CAPTURE: "12", F.SECURITY: "2600000000000000", F.PIN_BLOCK: block}
        return fields

    def void(self, sold: Sold, *, stan: str = "", amount_fen: int | None = None, pan: str | None = None) -> bytes:
        """A void of a sale."""
        return self.build("sale_void", self._undo(sold, stan, amount_fen, pan))

    def refund(self, sold: Sold, amount_fen: int, *, stan: str = "", pan: str | None = None, **more: Value) -> bytes:
        """A refund of a sale."""
        fields = self._undo(sold, stan, amount_fen, pan)
        return self.build("refund", fields | {getattr(F, name): value for name, value in more.items()})

    def _undo(self, sold: Sold, stan: str, amount_fen: int | None, pan: str | None) -> dict[int, Value]:
        fields = self.money(
            sold.amount_fen if amount_fen is None else amount_fen, sold.pan if pan is None else pan, stan or self.stan()
        )
        return fields | {F.RRN: sold.rrn, F.ORIGINAL: str(Original(sold.batch, sold.stan, "0301"))}

    def reversal(
        self, amount_fen: int, stan: str, *, kind: str = "sale_reversal", batch: str = "", pan: str = DEBIT
    ) -> bytes:
        """A reversal of whatever was sent under ``stan``."""
        fields = self.money(amount_fen, "", stan) | {F.PAN: pan, F.RESPONSE_CODE: "98"}
        return self.build(kind, fields, batch=batch)

    def settlement(
        self,
        totals: Totals,
        *,
        stan: str = "",
        batch: str = "",
        digest_rows: Iterable[tuple[str, str, int]] | None = None,
        mac: bool | None = None,
    ) -> bytes:
        """A batch settlement; with ``digest_rows``, with the digest of our extension."""
        fields: dict[int, Value] = {
            F.STAN: stan or self.stan(),
            F.TOTALS: str(totals),
            F.CURRENCY: "156",
            F.TEXT: "001",
        }
        if digest_rows is not None:
            fields[F.PAYLOAD] = pack_tags([("KD", keys_digest(digest_rows))])
        return self.build("settlement", fields, batch=batch, mac=mac)

    def upload(self, rows: Iterable[tuple[str, int]], **options: Any) -> bytes:
        """One message of a batch upload: (STAN, fen) of at most eight rows."""
        items = [UploadItem("00", stan, DEBIT, amount_fen) for stan, amount_fen in rows]
        return self.build("batch_upload", {F.STAN: self.stan(), F.TOTALS: pack_upload(items)}, **options)

    def upload_end(self, rows: int, **options: Any) -> bytes:
        """The end of an upload of so many rows."""
        return self.build("batch_end", {F.STAN: self.stan(), F.TOTALS: f"{rows:04d}"}, **options)

    def management(self, kind: str, payload: bytes = b"", **options: Any) -> bytes:
        """A message without money: echo, status, sign-off, why, commands, firmware."""
        fields: dict[int, Value] = {F.STAN: self.stan()} if KINDS[kind].advances_stan else {}
        if payload:
            fields[F.PAYLOAD] = payload
        return self.build(kind, fields, **options)

    def sign_in(self, network: str = "003") -> bytes:
        """A sign-on that asks for double-length keys."""
        fields: dict[int, Value] = {F.STAN: self.stan(), F.TEXT: "001"}
        if self.serial_number:
            fields[F.PAYLOAD] = pack_sequence_number(self.serial_number)
        return self.build("sign_in", fields, network=network)

    # talking

    def send(self, payload: bytes) -> Message:
        """Ask and read the answer."""
        return self.lab.reply(payload)

    def code(self, payload: bytes) -> str:
        """Field 39 of the answer."""
        return self.send(payload).text(F.RESPONSE_CODE)

    def reason(self, payload: bytes) -> str:
        """Why the host says no, empty where it says yes."""
        return RefusalText.parse(self.send(payload).text(F.TEXT)).reason

    def sign_on(self, network: str = "003") -> Message:
        """Sign on and load the keys and the batch of the reply."""
        reply = self.send(self.sign_in(network))
        assert reply.text(F.RESPONSE_CODE) == "00", RefusalText.parse(reply.text(F.TEXT)).reason
        self.network = network
        self.keys = unpack_working_keys(self.tmk, reply.octets(F.PAYLOAD), KEY_CIPHERS[network])
        self.batch = Control.parse(reply.text(F.CONTROL)).batch
        return reply

    def sell(self, amount_fen: int, pan: str = DEBIT, *, stan: str = "", pin: str = "") -> Sold:
        """A sale that must be approved under a good MAC."""
        stan = stan or self.stan()
        unsealed = unseal(self.lab.answer(self.sale(amount_fen, pan, stan=stan, pin=pin)).payload)
        message = unsealed.message
        assert message.text(F.RESPONSE_CODE) == "00", RefusalText.parse(message.text(F.TEXT)).reason
        assert self.has_good_mac(unsealed)
        return Sold(self.batch, stan, amount_fen, pan, message.text(F.RRN))

    def has_good_mac(self, unsealed: Unsealed) -> bool:
        """Is the reply's MAC made under the keys that this terminal has?"""
        return unsealed.mac == self.make_mac(unsealed.mac_input)

    def settle(self) -> Message:
        """Settle with the totals that the host itself has, and go on with the next batch."""
        rows = self.lab.rows("transactions", terminal_id=self.terminal_id, batch=self.batch, state="captured")
        reply = self.send(self.settlement(totals_of(rows)))
        if reply.text(F.RESPONSE_CODE) == "00":
            self.batch = str(self.lab.terminal(self.serial_number)["batch"])
        return reply

    def tags(self, reply: Message) -> dict[str, bytes]:
        """The tagged values of field 62."""
        return unpack_tags(reply.octets(F.PAYLOAD), field=F.PAYLOAD)


def totals_of(rows: Iterable[dict[str, Any]]) -> Totals:
    """Totals by hand, from (kind, amount_fen, foreign_card) alone."""
    others = (
        "refund",
        "sale_void",
        "moto_sale_void",
        "completion_void",
        "preauth",
        "additional_preauth",
        "preauth_void",
        "late_reversal",
        "late_restoration",
    )

    def group(*, foreign: bool) -> GroupTotals:
        debit = [
            row["amount_fen"] for row in rows if row["kind"] not in others and bool(row["foreign_card"]) is foreign
        ]
        credit = [row["amount_fen"] for row in rows if row["kind"] == "refund" and bool(row["foreign_card"]) is foreign]
        return GroupTotals(sum(debit), len(debit), sum(credit), len(credit))

    rows = list(rows)
    return Totals(group(foreign=False), group(foreign=True))


def refusal(reply: Message) -> RefusalText:
    """Field 63 of a reply, read."""
    return RefusalText.parse(reply.text(F.TEXT))
