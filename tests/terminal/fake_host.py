"""A host that is only a function from request payload to reply payload, with a book of its own.

It knows one terminal; what comes under a good MAC is answered under one, with the keys of the request, and a terminal
that has keys must use them (``demands_mac``). Rules let a test answer, change or swallow what it wants. Where it
swallows a reply it hangs up, so that no test waits for a timeout.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from protocol.codec import seal, unseal
from protocol.command import RemoteCommand, prove_answer, sign_command
from protocol.crypto import signing
from protocol.crypto.keys import WorkingKeys, pack_working_keys
from protocol.crypto.mac import cup_ecb_mac, verify_cup_ecb_mac
from protocol.elements import Value
from protocol.fields import F
from protocol.framing import Len2Framer
from protocol.header import Header, Tpdu
from protocol.kinds import Identity, Kind, identify, missing_fields
from protocol.message import Message
from protocol.private import (
    FORM_TAGS,
    Control,
    Original,
    RefusalText,
    Totals,
    Waiting,
    pack_tags,
    unpack_tags,
    unpack_upload,
)
from terminal.transaction import Key

TMK = bytes(range(16))
SIGNING_KEY = b"S" * 32
HOST_PUBLIC_KEY = signing.public_key(SIGNING_KEY)
BALANCED = "1"
BALANCE_FEN = 12_345
DEBITS = (
    "sale", "qr_sale", "moto_sale", "completion", "completion_advice", "offline_sale", "offline_adjustment",
    "tip_adjustment",
)  # fmt: skip


@dataclass
class Row:
    """What the host holds of a transaction."""

    kind: str
    amount_fen: int
    state: str
    original: Key | None = None
    auth_id: str = ""


@dataclass
class Answer:
    """A reply under way, for a rule to change."""

    kind: str
    request: Message
    fields: dict[int, Value]
    mak: bytes = b""
    """The key of its MAC; without one it has none."""
    requirement: str = "0"
    swallow: bool = False
    hang_up: bool = False

    def refuse(self, code: str, reason: str = "", chinese: str = "") -> None:
        self.fields[F.RESPONSE_CODE] = code
        self.fields[F.TEXT] = str(RefusalText(reason, chinese))
        self.fields.pop(F.PAYLOAD, None)


Rule = Callable[[Answer], None]


@dataclass
class FakeHost:
    """``book`` is its ledger; ``before`` rules refuse before the book is touched, ``after`` rules spoil the answer."""

    batch: str = "000001"
    serial: int = 0
    number: int = 0
    date: str = "0301"
    time: str = "100000"
    demands_mac: bool = True
    keys: WorkingKeys | None = None
    book: dict[Key, Row] = field(default_factory=dict)
    stored: dict[tuple[str, Key, bytes], dict[int, Value]] = field(default_factory=dict)
    closed: dict[str, bool] = field(default_factory=dict)
    uploaded: dict[str, int] = field(default_factory=dict)
    requests: list[tuple[str, Message]] = field(default_factory=list)
    before: list[Rule] = field(default_factory=list)
    after: list[Rule] = field(default_factory=list)
    commands: dict[int, bytes] = field(default_factory=dict)
    acknowledged: dict[int, str] = field(default_factory=dict)
    read: dict[int, int] = field(default_factory=dict)
    """Counter of a notice -> when it was read."""
    pauses: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    standing: str = "delivered"
    form_number: int = 0
    tells_form: bool = True
    """Does it say which form waits?"""
    reports: list[tuple[str, str]] = field(default_factory=list)
    image: bytes = b""
    signatures: dict[Key, bytes] = field(default_factory=dict)
    offered: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    asks: list[Message] = field(default_factory=list)
    """What the host asks the terminal, sent before its next reply."""
    answers: list[Message] = field(default_factory=list)
    """What the terminal said to that."""
    hangs_up: bool = False

    # what tests ask

    def asked(self, kind: str) -> list[Message]:
        """The requests of a kind, in order."""
        return [message for name, message in self.requests if name == kind]

    def captured(self) -> set[tuple[Key, int]]:
        """What counts and stands."""
        return {
            (key, row.amount_fen)
            for key, row in self.book.items()
            if row.state == "captured" and row.kind in (*DEBITS, "refund")
        }

    def command(self, kind: str, body: dict[str, str], serial_number: str, **changes: Any) -> bytes:
        """A signed document."""
        counter = max(self.commands, default=0) + 1
        command = RemoteCommand(kind, serial_number, counter, 1, 4_000_000_000, body)
        return sign_command(replace(command, **changes), SIGNING_KEY)

    def enqueue(self, kind: str, body: dict[str, str], serial_number: str) -> None:
        """A command waits."""
        self.commands[max(self.commands, default=0) + 1] = self.command(kind, body, serial_number)

    # the wire

    def answer(self, payload: bytes) -> bytes:
        """The reply to a payload, b"" for none."""
        unsealed = unseal(payload)
        request = unsealed.message
        identity = identify(request)
        assert identity is not None, request.mti
        assert not missing_fields(Identity(identity.kind, is_request=True), request)
        name = identity.kind.name
        self.requests.append((name, request))
        keys = self.keys
        mac_ok = bool(unsealed.mac and keys and verify_cup_ecb_mac(keys.mak, unsealed.mac_input, unsealed.mac))
        fields: dict[int, Value] = {
            number: request.fields[number]
            for number in (F.PROCESSING_CODE, F.AMOUNT, F.STAN, F.TERMINAL_ID, F.MERCHANT_ID, F.CURRENCY, F.CONTROL)
            if request.has(number)
        }
        fields |= {F.LOCAL_DATE: self.date, F.LOCAL_TIME: self.time, F.RESPONSE_CODE: "00", F.TEXT: "CUP"}
        reply = Answer(name, request, fields, keys.mak if keys and mac_ok else b"")
        reply.requirement = "E" if self.commands else "0"
        if self._wants_mac(identity.kind, bool(unsealed.mac)) and not mac_ok:
            reply.refuse("A0", "message.mac", "MAC校验错")
        for rule in list(self.before):
            rule(reply)
        key = Key(Control.parse(request.text(F.CONTROL)).batch, request.text(F.STAN))
        content = bytes(str(sorted(request.without(F.MAC, F.PIN_BLOCK).fields.items())), "utf-8")
        if reply.fields[F.RESPONSE_CODE] == "00":
            if (name, key, content) in self.stored:
                reply.fields = dict(self.stored[name, key, content])
            else:
                getattr(self, f"_{name}")(reply, key)
                if request.has(F.STAN):
                    self.stored[name, key, content] = dict(reply.fields)
        for rule in list(self.after):
            rule(reply)
        self.hangs_up = reply.swallow or reply.hang_up
        return b"" if reply.swallow else self._seal(identity.kind.reply_mti, reply)

    def _wants_mac(self, kind: Kind, came: bool) -> bool:
        """A why query is answered to everybody; other kinds that may have a MAC need it where there are keys, but for a
        status, which a device without keys uploads as well."""
        if kind.name == "why":
            return False
        is_due = self.demands_mac and self.keys is not None and kind.name != "status_upload"
        return kind.has_mac or (kind.may_mac and (came or is_due))

    def _seal(self, mti: str, reply: Answer) -> bytes:
        message = Message(mti, reply.fields, Tpdu(), Header(processing_requirement=reply.requirement))
        return seal(message, (lambda data: cup_ecb_mac(reply.mak, data)) if reply.mak else None)

    # the kinds

    def _sign_in(self, reply: Answer, key: Key) -> None:
        self.serial += 1
        seed = bytes([self.serial])
        self.keys = WorkingKeys(pik=seed * 16, mak=(seed * 15) + b"\1", tdk=seed * 16)
        reply.fields[F.CONTROL] = f"00{self.batch}{reply.request.text(F.CONTROL)[8:11]}"
        reply.fields[F.PAYLOAD] = pack_working_keys(TMK, self.keys)

    def _sign_off(self, reply: Answer, key: Key) -> None:
        self.keys = None

    def _echo(self, reply: Answer, key: Key) -> None:
        """Nothing to do."""

    _status_upload = _echo
    _script_result = _echo
    _cashier_sign_in = _echo

    def _sale(self, reply: Answer, key: Key) -> None:
        if key in self.book:
            reply.refuse("12", "transaction.reversed")
            return
        self._capture(reply, key, None)

    _preauth = _additional_preauth = _qr_sale = _moto_sale = _offline_sale = _completion = _completion_advice = _sale

    def _balance(self, reply: Answer, key: Key) -> None:
        reply.fields[F.ADDITIONAL_AMOUNT] = f"1002156C{BALANCE_FEN:012d}"

    def _refund(self, reply: Answer, key: Key) -> None:
        self._capture(reply, key, None)

    def _preauth_void(self, reply: Answer, key: Key) -> None:
        auth_id = reply.request.text(F.AUTH_ID)
        held = [at for at, row in self.book.items() if (row.kind, row.auth_id) == ("preauth", auth_id)]
        self._take_back(reply, key, held[0] if held else Key("", ""), "voided")

    def _sale_void(self, reply: Answer, key: Key) -> None:
        original = Original.parse(reply.request.text(F.ORIGINAL))
        self._take_back(reply, key, Key(original.batch, original.stan), "voided")

    _moto_sale_void = _completion_void = _sale_void

    def _tip_adjustment(self, reply: Answer, key: Key) -> None:
        original = Original.parse(reply.request.text(F.ORIGINAL))
        self._take_back(reply, key, Key(original.batch, original.stan), "adjusted")

    _offline_adjustment = _tip_adjustment

    def _take_back(self, reply: Answer, key: Key, at: Key, state: str) -> None:
        if self.book.get(at, Row("", 0, "")).state != "captured":
            reply.refuse("25", "original.not_found")
            return
        self.book[at].state = state
        self._capture(reply, key, at)

    def _capture(self, reply: Answer, key: Key, original: Key | None) -> None:
        self.number += 1
        auth_id = f"{self.number:06d}"
        self.book[key] = Row(reply.kind, int(reply.request.text(F.AMOUNT)), "captured", original, auth_id)
        reply.fields[F.RRN] = f"{self.number:012d}"
        reply.fields[F.AUTH_ID] = auth_id
        if reply.kind == "qr_sale":
            reply.fields[F.DEVICE] = pack_tags([("A4", f"{self.number:020d}".encode())])

    def _sale_reversal(self, reply: Answer, key: Key) -> None:
        kind = reply.kind.removesuffix("_reversal")
        row = self.book.setdefault(key, Row(kind, int(reply.request.text(F.AMOUNT)), "tombstone"))
        if row.state == "captured":
            row.state = "reversed"
            if row.original:
                self.book[row.original].state = "captured"

    _sale_void_reversal = _preauth_reversal = _additional_preauth_reversal = _preauth_void_reversal = _sale_reversal
    _completion_reversal = _completion_void_reversal = _qr_sale_reversal = _moto_sale_reversal = _sale_reversal
    _moto_sale_void_reversal = _sale_reversal

    def _signature_upload(self, reply: Answer, key: Key) -> None:
        request = reply.request
        assert self.book[key].amount_fen == int(request.text(F.AMOUNT))
        assert key not in self.signatures
        self.signatures[key] = request.octets(F.PAYLOAD)

    def _settlement(self, reply: Answer, key: Key) -> None:
        theirs = Totals.parse(reply.request.text(F.TOTALS)).domestic
        ours = {is_debit: [0, 0] for is_debit in (True, False)}
        for at, amount_fen in self.captured():
            if at.batch == key.batch:
                ours[self.book[at].kind in DEBITS][0] += amount_fen
                ours[self.book[at].kind in DEBITS][1] += 1
        told = [[theirs.debit_fen, theirs.debit_count], [theirs.credit_fen, theirs.credit_count]]
        agree = told == [ours[True], ours[False]]
        result = BALANCED if agree else "2"
        group = reply.request.text(F.TOTALS)[:30]
        reply.fields[F.TOTALS] = f"{group}{result}{'0' * 30}{BALANCED}"
        if agree:
            self._close(key.batch, balanced=True)
        else:
            reply.refuse("95", "settlement.unbalanced", "对账不平")

    def _batch_upload(self, reply: Answer, key: Key) -> None:
        for item in unpack_upload(reply.request.text(F.TOTALS)):
            self.uploaded[item.stan] = item.amount_fen

    def _batch_end(self, reply: Answer, key: Key) -> None:
        if key.batch not in self.closed:
            self._close(key.batch, balanced=False)

    def _close(self, batch: str, *, balanced: bool) -> None:
        self.closed[batch] = balanced
        self.batch = f"{int(batch) + 1:06d}"

    def _why(self, reply: Answer, key: Key) -> None:
        if self.why:
            reply.fields[F.PAYLOAD] = pack_tags([(tag, text.encode("gb18030")) for tag, text in self.why.items()])

    def _command_fetch(self, reply: Answer, key: Key) -> None:
        if self.commands:
            document = self.commands[min(self.commands)]
            nonce = unpack_tags(reply.request.octets(F.PAYLOAD), field=F.PAYLOAD)["NC"]
            proof = prove_answer(document, nonce, SIGNING_KEY)
            reply.fields[F.PAYLOAD] = pack_tags([("CM", document), ("AP", proof)])

    def _command_ack(self, reply: Answer, key: Key) -> None:
        tags = unpack_tags(reply.request.octets(F.PAYLOAD), field=F.PAYLOAD)
        counter = int(tags["CN"])
        if tags["RS"] == b"read":
            assert counter in self.acknowledged
            self.read[counter] = int(tags["RT"])
            return
        self.acknowledged[counter] = tags["RS"].decode()
        self.commands.pop(counter, None)
        reply.requirement = "E" if self.commands else "0"

    def _pause(self, reply: Answer, key: Key) -> None:
        self.pauses.append(unpack_tags(reply.request.octets(F.PAYLOAD), field=F.PAYLOAD)["PA"].decode())

    def _registration(self, reply: Answer, key: Key) -> None:
        if payload := reply.request.octets(F.PAYLOAD):
            tags = unpack_tags(payload, field=F.PAYLOAD)
            self.forms.append({tag: value.decode("gb18030") for tag, value in tags.items()})
            self.form_number += self.standing != "submitted"
            self.standing = "submitted"
        told = [("ST", self.standing.encode())]
        if self.standing == "submitted" and self.tells_form:
            form = {name: self.forms[-1][tag] for name, tag in FORM_TAGS.items()}
            told += Waiting.of(self.form_number, form).tags
        if self.standing == "rejected":
            told += [("RZ", "地址".encode("gb18030")), ("RE", b"the address")]
        reply.fields[F.PAYLOAD] = pack_tags(told)

    def _firmware_query(self, reply: Answer, key: Key) -> None:
        if self.offered:
            reply.fields[F.PAYLOAD] = pack_tags([(tag, text.encode()) for tag, text in self.offered.items()])

    def _firmware_chunk(self, reply: Answer, key: Key) -> None:
        offset = unpack_tags(reply.request.octets(F.PAYLOAD), field=F.PAYLOAD)["OF"]
        data = self.image[int(offset) : int(offset) + 900]
        reply.fields[F.PAYLOAD] = pack_tags([("OF", offset), ("DA", data)])

    def _firmware_report(self, reply: Answer, key: Key) -> None:
        tags = unpack_tags(reply.request.octets(F.PAYLOAD), field=F.PAYLOAD)
        self.reports.append((tags["VN"].decode(), tags["RS"].decode()))


class Connection(asyncio.Protocol):
    """Serves one connection of the fake host."""

    def __init__(self, host: FakeHost) -> None:
        self._host = host
        self._framer = Len2Framer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        for payload in self._framer.feed(data):
            identity = identify(message := unseal(payload).message)
            if identity and not identity.is_request:
                self._host.answers.append(message)
                continue
            while self._host.asks:
                self._transport.write(self._framer.wrap(seal(self._host.asks.pop(0))))
            reply = self._host.answer(payload)
            if reply and not self._transport.is_closing():
                self._transport.write(self._framer.wrap(reply))
            if self._host.hangs_up:
                self._transport.close()
