"""A till that is a wire: it builds and reads every byte itself, with keys and MAC of its own, and has no device.

Rules owned here: what it was told is its own book, ``rows`` by batch and STAN with the amount of what was approved,
``open`` by STAN those of the open batch; a reply whose MAC is wrong counts for nothing (``bad_macs``). Nothing here
asks the host's database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from firmware_sim.cards import TEST_CARDS
from protocol.codec import seal, unseal
from protocol.crypto.derived import Purpose, open_backup, prove, seal_backup
from protocol.crypto.keys import WorkingKeys, unpack_working_keys
from protocol.crypto.mac import cup_ecb_mac
from protocol.elements import Value
from protocol.fields import F
from protocol.header import Header, Tpdu
from protocol.image import version_digits
from protocol.kinds import KINDS
from protocol.message import Message
from protocol.private import (
    Control,
    DeviceInfo,
    GroupTotals,
    RefusalText,
    Totals,
    pack_sequence_number,
    pack_tags,
    unpack_tags,
)
from protocol.swap import CHUNK_BYTES, backup_context, claim_statement, pack_backup, unpack_backup
from protocol.wipe import WipeCertificate, make_certificate

Ask = Callable[[bytes], bytes]
"""Sends a payload and waits for the reply."""
_CARDS: Final = (TEST_CARDS["debit"], TEST_CARDS["credit"])
_VERSION: Final = version_digits("2.1.0")
_BACKUP: Final[Mapping[str, object]] = {
    "closed": [],
    "downloads": [],
    "events": [],
    "notices": [],
    "operators": ["00", "01"],
    "pause_told": True,
    "paused": False,
    "training": False,
}


class Unexpected(Exception):
    """The host answered what no healthy host answers; the text says what was asked and answered."""


@dataclass(slots=True)
class Till:
    """One device at its till. Amounts are in fen."""

    serial_number: str
    model: str
    terminal_id: str
    merchant_id: str
    tmk: bytes = field(repr=False)
    batch: str = "000001"
    rows: dict[tuple[str, str], int] = field(default_factory=dict)
    open: dict[str, int] = field(default_factory=dict)
    bad_macs: int = 0
    _keys: WorkingKeys | None = field(default=None, repr=False)
    _stan: int = 0
    _asked: tuple[str, str, int] = ("", "", 0)

    def sign_on(self, ask: Ask) -> None:
        """Fetch working keys and the number of the open batch. Raises Unexpected."""
        fields: dict[int, Value] = {
            F.STAN: self._next(),
            F.TEXT: "001",
            F.PAYLOAD: pack_sequence_number(self.serial_number),
        }
        reply = unseal(ask(self._build("sign_in", fields))).message
        self._must(reply, "sign-on")
        self._keys = unpack_working_keys(self.tmk, reply.octets(F.PAYLOAD))
        self.batch = Control.parse(reply.text(F.CONTROL)).batch

    def sale(self, amount_fen: int, card: int) -> bytes:
        """A sale as bytes; ``hear`` takes the answer."""
        stan, paying = self._next(), _CARDS[card % len(_CARDS)]
        self._asked = (self.batch, stan, amount_fen)
        fields: dict[int, Value] = {
            F.PAN: paying.pan,
            F.AMOUNT: f"{amount_fen:012d}",
            F.STAN: stan,
            F.ENTRY_MODE: "022",
            F.CONDITION_CODE: "00",
            F.TRACK2: paying.track2,
            F.CURRENCY: "156",
        }
        return self._build("sale", fields)

    def hear(self, payload: bytes) -> str:
        """What the host said to the sale: "" where it was approved, else the reason of the refusal."""
        unsealed = unseal(payload)
        message = unsealed.message
        if unsealed.mac != self._mac(unsealed.mac_input):
            self.bad_macs += 1
            return "mac.wrong"
        if message.text(F.RESPONSE_CODE) == "00":
            batch, stan, amount_fen = self._asked
            self.rows[batch, stan] = self.open[stan] = amount_fen
            return ""
        return RefusalText.parse(message.text(F.TEXT)).reason

    def settlement(self) -> bytes:
        """The settlement of the open batch by the till's own totals; ``settled`` takes the answer."""
        totals = Totals(GroupTotals(sum(self.open.values()), len(self.open), 0, 0), GroupTotals(0, 0, 0, 0))
        fields: dict[int, Value] = {F.STAN: self._next(), F.TOTALS: str(totals), F.CURRENCY: "156", F.TEXT: "001"}
        return self._build("settlement", fields)

    def settled(self, payload: bytes) -> int:
        """The batch is closed; returns what was in it, in fen. Raises Unexpected."""
        reply = unseal(payload).message
        self._must(reply, "settlement")
        amount_fen = sum(self.open.values())
        self.open.clear()
        self.batch = f"{int(self.batch) + 1:06d}"
        return amount_fen

    # the swap

    def hand_over(self, ask: Ask, number: int) -> str:
        """The old device's part up to its backup, with its batch settled; returns the digest. Raises Unexpected."""
        for said in ("drain", "settled"):
            self._must(self._report(ask, said), said)
        data = seal_backup(self.tmk, pack_backup(_BACKUP), backup_context(self.serial_number, number))
        sha256 = hashlib.sha256(data).hexdigest()
        for chunk in _chunks(data, sha256):
            self._must(self._report(ask, "backup", **chunk), "backup")
        return sha256

    def take_over(self, ask: Ask, old: Till, number: int) -> None:
        """The new device's part: claim, sign-on, backup; it goes on with the old one's book. Raises Unexpected."""
        statement = claim_statement(self.serial_number, old.serial_number, number)
        proof = prove(self.tmk, Purpose.CLAIM, statement)
        self._must(self._query(ask, CL=proof), "claim")
        self.sign_on(ask)
        data, size = b"", 1
        while len(data) < size:
            reply = self._report(ask, "fetch", OF=str(len(data)).encode())
            self._must(reply, "fetch")
            tags = unpack_tags(reply.octets(F.PAYLOAD), field=F.PAYLOAD)
            data, size = data + tags["DA"], int(tags["SZ"])
        content = open_backup(self.tmk, data, backup_context(self.serial_number, number))
        unpack_backup(content)
        self._must(self._report(ask, "restored", SH=hashlib.sha256(content).hexdigest().encode()), "restored")
        self.rows, self.bad_macs = old.rows, self.bad_macs + old.bad_macs

    def wipe(self, ask: Ask, successor: str, number: int, sha256: str, at: int) -> None:
        """The old device is wiped and certifies it. Raises Unexpected."""
        stated = WipeCertificate(self.serial_number, successor, number, sha256, at, "keys")
        certificate = make_certificate(stated, lambda text: prove(self.tmk, Purpose.CERTIFICATE, text))
        self._must(self._query(ask, CE=certificate), "wipe certificate")

    def _query(self, ask: Ask, **tags: bytes) -> Message:
        return unseal(ask(self._manage("swap_query", pack_tags(tags.items())))).message

    def _report(self, ask: Ask, said: str, **tags: bytes) -> Message:
        return unseal(ask(self._manage("swap_report", pack_tags([("OP", said.encode()), *tags.items()])))).message

    def _manage(self, kind: str, payload: bytes) -> bytes:
        fields: dict[int, Value] = {F.PAYLOAD: payload}
        if F.STAN in KINDS[kind].request.must:
            fields[F.STAN] = self._next()
        return self._build(kind, fields)

    # building

    def _build(self, name: str, fields: dict[int, Value]) -> bytes:
        kind = KINDS[name]
        network = "003" if name == "sign_in" else kind.networks[0]
        common: dict[int, Value] = {
            F.TERMINAL_ID: self.terminal_id,
            F.MERCHANT_ID: self.merchant_id,
            F.CONTROL: str(Control(kind.type_code, self.batch, network)),
            F.DEVICE: bytes(DeviceInfo(self.serial_number, _VERSION, self.model)),
        }
        if kind.processing_code:
            common[F.PROCESSING_CODE] = kind.processing_code
        message = Message(kind.mti, common | fields, Tpdu(), Header())
        with_mac = self._keys is not None and (kind.has_mac or kind.may_mac)
        return seal(message, self._mac if with_mac else None)

    def _mac(self, data: bytes) -> bytes:
        assert self._keys
        return cup_ecb_mac(self._keys.mak, data)

    def _next(self) -> str:
        self._stan += 1
        return f"{self._stan:06d}"

    def _must(self, reply: Message, what: str) -> None:
        if (code := reply.text(F.RESPONSE_CODE)) != "00":
            reason = RefusalText.parse(reply.text(F.TEXT)).reason
            raise Unexpected(f"{self.serial_number}: the {what} was answered {code} {reason}")


def _chunks(data: bytes, sha256: str) -> Iterator[dict[str, bytes]]:
    for at in range(0, len(data), CHUNK_BYTES):
        yield {
            "OF": str(at).encode(),
            "SZ": str(len(data)).encode(),
            "SH": sha256.encode(),
            "DA": data[at : at + CHUNK_BYTES],
        }
