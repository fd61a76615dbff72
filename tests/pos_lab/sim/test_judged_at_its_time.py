"""The examiner judges what was done by what could be known then, not by what the books and clocks say later."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from random import Random

import pytest

from firmware_sim.board import Hardware
from firmware_sim.chip import Chip
from firmware_sim.models import MODELS
from firmware_sim.nvram import Nvram
from firmware_sim.power import Power
from host.refusals import Refused
from host.reply import refusal_text
from host.transactions import LATE_REVERSAL
from host.written import CHINA_TIME
from pos_lab.sim.checker.device import DeviceReader, Maker, Memory
from pos_lab.sim.checker.examiner import Examiner
from pos_lab.sim.checker.ledger import WATCHED
from pos_lab.vendor import VENDOR_PUBLIC_KEY, make_image
from protocol.codec import seal
from protocol.command import RemoteCommand, sign_command
from protocol.crypto import signing
from protocol.crypto.keys import make_working_keys, pack_working_keys
from protocol.elements import Value
from protocol.fields import F
from protocol.message import Message
from protocol.money import yuan
from protocol.private import pack_tags
from terminal.book import Accepted
from terminal.records import CommandAccepted, spell

TILL, BATCH = "20000001", "000001"
OLD, NEW = "SIM000000001", "SIM900000001"
MODEL = MODELS["PX-S80"]
HOST_KEY = bytes(range(32))
TMK = bytes(range(16))
ISSUED_AT = 1_800_000_000
DAY_S = 86_400
TTL_S = 180 * DAY_S


class Desk:
    """A host's tables and clock, and an examiner who looks at both."""

    def __init__(self) -> None:
        self.now_s = ISSUED_AT
        self.driver = sqlite3.connect(":memory:", isolation_level=None)
        for table, (size, columns) in WATCHED.items():
            key = ", ".join(columns[:size])
            self.driver.execute(f"CREATE TABLE {table} ({', '.join(columns)}, PRIMARY KEY ({key}))")
        self.examiner = Examiner(self.driver, now_s=lambda: self.now_s)
        self.examiner.fit(TILL, OLD)

    def write(self, table: str, **row: object) -> None:
        """A row goes in; what it does not say is empty."""
        columns = WATCHED[table][1]
        values = [row.get(name, "") for name in columns]
        self.driver.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", values)

    def register(self) -> None:
        """A terminal that has sold nothing yet."""
        self.write("merchants", debit_bp=0, debit_cap_fen=0)
        self.write("terminals", serial_number=OLD, terminal_id=TILL, state="registered", activated_at=None)

    def activate(self) -> None:
        """Its turnover has been reached, the host says."""
        self.driver.execute("UPDATE terminals SET state = 'activated', activated_at = 1")

    def take(self, stan: str, fen: int, kind: str = "sale", state: str = "captured", batch: str = BATCH) -> None:
        """A transaction of the terminal goes in."""
        row = {"kind": kind, "state": state, "amount_fen": fen, "fee_fen": 0, "card_type": "debit"}
        self.write("transactions", terminal_id=TILL, batch=batch, stan=stan, serial_number=OLD, **row)

    def refuse(self, stan: str) -> None:
        """The host keeps the answer to a pre-authorisation."""
        self.write("replies", terminal_id=TILL, batch=BATCH, stan=stan, mti="0100")

    def tell_turnover(self, stan: str, fen: int) -> None:
        """The host lets go the answer that the terminal is not activated yet."""
        refused = Refused("terminal.not_activated", {"turnover": yuan(fen), "required": "100.00"})
        fields: dict[int, Value] = {F.STAN: stan, F.RESPONSE_CODE: refused.code, F.TEXT: refusal_text(refused)}
        self.let_go(seal(Message("0110", {**fields, F.TERMINAL_ID: TILL, F.CONTROL: f"10{BATCH}"})))

    def let_go(self, payload: bytes) -> None:
        """The host lets an answer go."""
        self.examiner.replied(len(payload).to_bytes(2, "big") + payload)

    def found(self, *ids: str) -> list[str]:
        """What of these invariants does not hold, once the last commit is seen."""
        self.examiner.look_at_ledger()
        return [violation.id for violation in self.examiner.violations if violation.id in ids]


def test_a_sale_activates_though_the_same_commit_holds_its_reversal() -> None:
    """A host with a slow disk would be accused: the sale and what undoes it waited for one commit, in their order."""
    desk = Desk()
    desk.register()
    assert not desk.found("L2")
    desk.take("000001", 4_999)
    desk.take("000002", 12_345)
    desk.activate()
    desk.driver.execute("UPDATE transactions SET state = 'reversed' WHERE stan = '000002'")
    assert not desk.found("L2")


def test_what_comes_behind_the_activation_does_not_activate() -> None:
    """A host could activate whom it likes, if only enough is sold before anybody looks."""
    desk = Desk()
    desk.register()
    desk.take("000001", 4_999)
    desk.activate()
    desk.take("000002", 12_345)
    assert desk.found("L2") == ["L2"]


@pytest.mark.parametrize(("back_fen", "findings"), [(6_000, []), (1_000, ["L2"])])
def test_what_was_taken_back_after_its_batch_is_no_turnover(back_fen: int, findings: list[str]) -> None:
    """A host would be accused of an activation that is not due: the sale was reversed behind the close of its batch."""
    desk = Desk()
    desk.register()
    desk.take("000001", 6_000)
    desk.take("900001", back_fen, kind=LATE_REVERSAL, batch="000002")
    desk.take("000002", 5_000, batch="000002")
    assert desk.found("L2") == findings


def test_a_refund_takes_no_turnover_away() -> None:
    """A shop that gave money back would be a stranger to its examiner, and to nobody else."""
    desk = Desk()
    desk.register()
    desk.take("000001", 12_000)
    desk.take("000002", 6_000, kind="refund")
    desk.activate()
    assert not desk.found("L2")


def test_a_kept_refusal_tells_the_turnover_of_its_day() -> None:
    """A recorded request would bring its sender an accused host: the answer is that of a device that is gone since."""
    desk = Desk()
    desk.register()
    desk.refuse("000002")
    assert not desk.found("L3")
    desk.take("000003", 9_999)
    assert not desk.found("L3")
    desk.tell_turnover("000002", 0)
    desk.examiner.fit(TILL, NEW)
    desk.tell_turnover("000002", 0)
    assert not desk.found("L3")


def test_a_refusal_that_waited_for_its_commit_is_not_out_of_date() -> None:
    """What was sold on another line while a slow disk held the answer back would count as not told."""
    desk = Desk()
    desk.register()
    desk.take("000001", 1_000)
    desk.refuse("000002")
    desk.take("000003", 2_000)
    assert not desk.found("L3")
    desk.tell_turnover("000002", 1_000)
    assert not desk.found("L3")
    desk.tell_turnover("000002", 3_000)
    assert desk.found("L3") == ["L3"]


@pytest.mark.parametrize(("sold_fen", "told_fen"), [(0, 5_000), (9_999, 0), (5_000, 5_100)])
def test_another_turnover_than_the_books_have_is_found(sold_fen: int, told_fen: int) -> None:
    """A merchant would be told that so much is missing, and reach it in vain; nothing sold counts like something."""
    desk = Desk()
    desk.register()
    if sold_fen:
        desk.take("000001", sold_fen)
    desk.refuse("000002")
    assert not desk.found("L3")
    desk.tell_turnover("000002", told_fen)
    assert desk.found("L3") == ["L3"]


class Till:
    """A device with its keys that hears answers and takes the commands in them, whatever they say."""

    def __init__(self, desk: Desk) -> None:
        hardware = Hardware.make(
            MODEL,
            OLD,
            factory_image=make_image(MODEL, MODEL.factory_firmware),
            vendor_public_key=VENDOR_PUBLIC_KEY,
            url="memory:host",
            now=lambda: datetime(2026, 3, 14, tzinfo=CHINA_TIME),
            fresh=Random(1).randbytes,
        )
        chips = hardware.chips
        names = ("journal", "keys", "slot_record", "slots")
        memories = {name: Memory(getattr(chips, name).read, getattr(chips, name).size_bytes) for name in names}
        self.desk = desk
        self.module = hardware.power_on().secure_module
        self.module.inject_tmk(TMK, signing.public_key(HOST_KEY))
        self.module.load_working_keys(pack_working_keys(TMK, make_working_keys("003", Random(2).randbytes)))
        desk.examiner.know(DeviceReader(OLD, lambda: chips.fuse.image, memories, Maker(MODEL.id, VENDOR_PUBLIC_KEY)))
        power, journal = Power(), Chip(64 * 1024)
        power.switch_on()
        self.journal = Nvram(journal, power)
        desk.examiner.watch(TILL, journal.read, journal.size_bytes)
        desk.examiner.look_at(TILL)

    def answer(self, *tags: tuple[str, bytes], network: str = "910") -> bytes:
        """What the host says to it under its keys."""
        fields: dict[int, Value] = {F.TERMINAL_ID: TILL, F.RESPONSE_CODE: "00", F.CONTROL: f"00{BATCH}{network}"}
        stamp = datetime.fromtimestamp(self.desk.now_s, CHINA_TIME)
        fields |= {F.LOCAL_TIME: f"{stamp:%H%M%S}", F.LOCAL_DATE: f"{stamp:%m%d}"}
        if tags:
            fields[F.PAYLOAD] = pack_tags(tags)
        return seal(Message("0810", {**fields, F.MAC: bytes(8)}), self.module.mac)

    def hear(self, payload: bytes) -> None:
        """An answer arrives."""
        self.desk.examiner.received(TILL, payload)

    def take(self) -> None:
        """It writes down the command that came."""
        self.journal.append(spell(CommandAccepted(command=Accepted(counter=1, kind="diagnose", body={}))))
        self.desk.examiner.look_at(TILL)


@pytest.mark.parametrize(("code", "findings"), [("00", []), ("11", []), ("A2", []), ("05", ["K3"])])
def test_keys_count_by_whatever_approval_they_came(code: str, findings: list[str]) -> None:
    """A till would be accused of keys that nobody told it: the 00 of its sign-on, which has no MAC, came as 11 (K3)."""
    desk = Desk()
    till = Till(desk)
    desk.examiner.violations.clear()
    keys = pack_working_keys(TMK, make_working_keys("003", Random(9).randbytes))
    said: dict[int, Value] = {F.TERMINAL_ID: TILL, F.CONTROL: f"00{BATCH}003", F.PAYLOAD: keys}
    desk.let_go(seal(Message("0810", {**said, F.RESPONSE_CODE: "00"})))
    till.hear(seal(Message("0810", {**said, F.RESPONSE_CODE: code})))
    till.module.load_working_keys(keys)
    desk.examiner.look_at(TILL)
    assert desk.found("K3") == findings


def _command(serial_number: str = OLD) -> tuple[str, bytes]:
    command = RemoteCommand("diagnose", serial_number, 1, ISSUED_AT, ISSUED_AT + TTL_S, {})
    return "CM", sign_command(command, HOST_KEY)


def test_a_device_cannot_know_that_the_clock_was_moved_on_behind_an_answer() -> None:
    """A terminal would be accused of a command that was good when the host let it go, and when it came."""
    desk = Desk()
    till = Till(desk)
    answer = till.answer(_command())
    desk.let_go(answer)
    desk.now_s += 400 * DAY_S
    desk.let_go(answer)  # told again, it says no more than it did
    bare = seal(Message("0810", {F.TERMINAL_ID: TILL, F.RESPONSE_CODE: "00", F.CONTROL: f"00{BATCH}301"}))
    desk.let_go(bare)
    for each in (bare, answer):  # by what nobody proves it sets no clock
        till.hear(each)
    till.take()
    assert not desk.found("C1", "C3")


@pytest.mark.parametrize("days", [181, 400, 3_650])
def test_an_answer_says_the_time_at_which_it_was_decided(days: int) -> None:
    """A terminal would be accused of a command that a slow disk held back while the clock was moved on.

    Seed 76878 (storage): the answer to its sale was decided, the clock moved on by years, and the answer let go (C3).
    """
    desk = Desk()
    till = Till(desk)
    answer = till.answer(_command())
    desk.now_s += days * DAY_S
    desk.let_go(answer)
    till.hear(answer)
    till.take()
    assert not desk.found("C1", "C3")


@pytest.mark.parametrize("days", [181, 400])
def test_a_command_that_the_host_hands_out_too_late_is_found(days: int) -> None:
    """A till would change its firmware by an order that was withdrawn long ago."""
    desk = Desk()
    till = Till(desk)
    desk.now_s += days * DAY_S
    answer = till.answer(_command())
    desk.let_go(answer)
    till.hear(answer)
    till.take()
    assert desk.found("C1", "C3") == ["C3"]


def test_a_command_that_somebody_kept_until_it_expired_is_found() -> None:
    """Who sits on a line could keep an order for a year and have it carried out by a till that knows the date."""
    desk = Desk()
    till = Till(desk)
    kept = till.answer(_command())
    desk.let_go(kept)
    desk.now_s += 400 * DAY_S
    echo = till.answer(network="301")
    desk.let_go(echo)
    till.hear(echo)
    till.hear(kept)
    till.take()
    assert desk.found("C1", "C3") == ["C3"]


@pytest.mark.parametrize(
    ("copies", "findings"),
    [
        ("good bad", []), ("bad good", []), ("bad", ["C1"]),
        ("good other", []), ("other good", []), ("other bad", ["C3"]), ("other", ["C3"]),
    ],
)  # fmt: skip
def test_another_copy_makes_no_command_worse(copies: str, findings: list[str]) -> None:
    """A terminal would be accused of the command that it took, because of one that it did not take.

    Seed 135318 (network): an answer came twice, the second time with another signature (C1).
    Seed 154001 (everything): an answer came twice, the second time with the command of another terminal, which says the
    same (C3).
    """
    desk = Desk()
    till = Till(desk)
    tag, document = _command()
    answers = {
        "good": till.answer((tag, document)),
        "bad": till.answer((tag, document[:-1] + b"\0")),
        "other": till.answer(_command(NEW)),
    }
    for each in copies.split():
        desk.let_go(answers[each])
        till.hear(answers[each])
    till.take()
    assert desk.found("C1", "C3") == findings
