"""Signed commands: announced, fetched, acknowledged, never repeated (product decision 10); and the why query."""

from __future__ import annotations

import pytest

from host.errors import AdminError
from host.policy import Commands, Policy
from protocol.command import NONCE_BYTES, RemoteCommand, check_answer, open_command
from protocol.crypto.signing import SIGNATURE_BYTES
from protocol.errors import SignatureError
from protocol.fields import F
from protocol.header import FETCH_COMMANDS, NO_REQUIREMENT
from protocol.message import Message
from protocol.private import pack_tags
from tests.host.wire import Lab, Wire, refusal


def nibble(reply: Message) -> str:
    """What the reply's header asks for."""
    assert reply.header is not None
    return reply.header.processing_requirement


def fetched(wire: Wire) -> bytes:
    """The document of the oldest command, empty where none waits."""
    return wire.tags(wire.send(wire.management("command_fetch"))).get("CM", b"")


def opened(wire: Wire, document: bytes) -> RemoteCommand:
    """The command, as the device checks it; the host gives out none that has expired."""
    command = open_command(document, wire.host_public_key, serial_number=wire.serial_number)
    assert command.issued_at <= wire.lab.now.timestamp() < command.expires_at
    return command


def test_an_answer_proves_that_it_is_one_to_this_fetch(active: Wire) -> None:
    """A device whose memory was put back would carry out what somebody kept (T12, C2)."""
    active.lab.act("retire_model", model=active.model)
    proofs = set[bytes]()
    for nonce in (bytes(NONCE_BYTES), b"12345678"):
        tags = active.tags(active.send(active.management("command_fetch", pack_tags([("NC", nonce)]))))
        check_answer(tags["CM"], nonce, tags["AP"], active.host_public_key)
        proofs.add(tags["AP"])
        for document, told, proof in (
            (tags["CM"] + b" ", nonce, tags["AP"]),
            (tags["CM"], b"87654321", tags["AP"]),
            (tags["CM"], nonce, b""),
            (tags["CM"], nonce, tags["CM"][-SIGNATURE_BYTES:]),
        ):
            with pytest.raises(SignatureError) as caught:
                check_answer(document, told, proof, active.host_public_key)
            assert caught.value.code == "replayed"
    assert len(proofs) == 2
    assert active.tags(active.send(active.management("command_fetch"))).keys() == {"CM"}
    short = active.send(active.management("command_fetch", pack_tags([("NC", b"short")])))
    assert refusal(short).reason == "message.malformed"


def acknowledge(wire: Wire, counter: int | str) -> Message:
    """Tell the host that a command was carried out."""
    return wire.send(wire.management("command_ack", pack_tags([("CN", str(counter).encode()), ("RS", b"done")])))


def test_a_notice_is_announced_fetched_acknowledged_and_not_repeated(active: Wire) -> None:
    """The merchant would learn of the stop on the day when the terminal stops, or be told every five minutes."""
    active.lab.act("retire_model", model=active.model)
    assert nibble(active.send(active.management("echo"))) == FETCH_COMMANDS
    document = fetched(active)
    notice = opened(active, document)
    assert (notice.kind, notice.serial_number, notice.counter) == ("notice", active.serial_number, 1)
    assert notice.body["stop_at"] == "2026-06-06"
    assert active.serial_number in notice.body["text_zh"]
    assert fetched(active) == document  # not acknowledged yet: the reply may have been lost
    assert nibble(acknowledge(active, notice.counter)) == NO_REQUIREMENT
    assert fetched(active) == b""
    assert nibble(active.send(active.management("echo"))) == NO_REQUIREMENT
    [row] = active.lab.rows("commands")
    assert (row["state"], row["result"]) == ("acknowledged", "done")


def test_a_notice_is_for_one_device_only(lab: Lab) -> None:
    """One recorded notice would stop every terminal of the shop."""
    first, second = Wire(lab).on_counter(), Wire(lab, "PXE90-0002", "10000002").on_counter()
    lab.act("retire_model", model=first.model)
    document = fetched(first)
    with pytest.raises(SignatureError) as refused:
        opened(second, document)
    assert refused.value.code == "other_device"


def test_a_command_that_nobody_fetched_expires(lab: Lab) -> None:
    """A terminal that lay in a drawer for a year would carry out an order of last year."""
    lab.policy = Policy(commands=Commands(ttl_s=3_600))
    wire = Wire(lab).on_counter()
    lab.act("retire_model", model=wire.model)
    lab.later(seconds=3_599)
    assert fetched(wire)
    lab.later(seconds=1)
    assert fetched(wire) == b""
    assert nibble(wire.send(wire.management("echo"))) == NO_REQUIREMENT


def test_commands_come_oldest_first_under_rising_counters(active: Wire) -> None:
    """A resume that overtakes a suspend would leave the terminal suspended."""
    for sooner in range(3):
        active.lab.act("retire_model", model=active.model, stop_days=97 - sooner)
    counters: list[int] = []
    while document := fetched(active):
        counters.append(opened(active, document).counter)
        acknowledge(active, counters[-1])
    assert counters == [1, 2, 3]


@pytest.mark.parametrize("counter", ["", "-1", "1e3", "٣", "9" * 400, "１"])
def test_an_acknowledgement_of_no_counter_is_malformed(active: Wire, counter: str) -> None:
    """One terminal with a broken program would fill the host's log with crashes."""
    payload = pack_tags([("CN", counter.encode("gb18030")), ("RS", b"done")])
    reply = active.send(active.management("command_ack", payload))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("30", "message.malformed")


def test_an_acknowledgement_of_an_unknown_command_changes_nothing(active: Wire) -> None:
    """A terminal could take commands away from itself before they were made."""
    active.lab.act("retire_model", model=active.model)
    assert acknowledge(active, 9_999_999_999).text(F.RESPONSE_CODE) == "00"
    assert opened(active, fetched(active)).counter == 1


def test_a_terminal_without_the_extension_is_asked_for_nothing(lab: Lab) -> None:
    """A terminal of another make would stumble over a nibble that its standard does not know."""
    wire = Wire(lab, extended=False).on_counter()
    lab.act("retire_model", model=wire.model)
    assert nibble(wire.send(wire.management("echo"))) == NO_REQUIREMENT


@pytest.mark.parametrize("kind", ["command_fetch", "command_ack", "firmware_query", "firmware_chunk"])
def test_commands_are_for_the_keeper_of_the_keys(active: Wire, kind: str) -> None:
    """Anybody who knows a terminal id could take its commands away."""
    active.keys = None
    assert active.reason(active.management(kind)) == "message.mac"


@pytest.mark.feature("F")
def test_a_diagnosis_is_ordered_kept_and_shown(active: Wire) -> None:
    """The desk would ask a device how it is and never see the answer."""
    assert active.lab.act("diagnose", serial_number=active.serial_number)["counter"] == 1
    assert opened(active, fetched(active)).kind == "diagnose"
    tags = [("CN", b"1"), ("RS", b"done"), ("ST", b"memory=good battery=low"), ("PW", b"plugged=no")]
    assert active.code(active.management("command_ack", pack_tags(tags))) == "00"
    at = int(active.lab.now.timestamp())
    shown = active.lab.act("show", serial_number=active.serial_number)
    assert shown["diagnosis"] == [
        {"section": "self_test", "at": at, "memory": "good", "battery": "low"},
        {"section": "power", "at": at, "plugged": "no"},
    ]
    assert shown["commands"] == []
    acknowledge(active, 1)
    assert active.lab.act("show", serial_number=active.serial_number)["diagnosis"] == shown["diagnosis"]


def test_a_diagnosis_that_is_none_is_malformed(active: Wire) -> None:
    """A terminal could write what it likes into what the desk reads."""
    payload = pack_tags([("CN", b"1"), ("RS", b"done"), ("ST", b"=HYPERLINK()")])
    reply = active.send(active.management("command_ack", payload))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("30", "message.malformed")
    assert active.lab.rows("diagnoses") == []


def test_a_device_that_knows_no_commands_is_not_diagnosed(lab: Lab) -> None:
    """An order that nobody can fetch would wait for ever."""
    wire = Wire(lab, extended=False).on_counter()
    with pytest.raises(AdminError) as refused:
        lab.act("diagnose", serial_number=wire.serial_number)
    assert refused.value.code == "not_extended"
    assert lab.rows("commands") == []


# the why query


def test_why_answers_nothing_where_a_sale_would_be_let_through(active: Wire) -> None:
    """A healthy terminal would show a reason for nothing."""
    reply = active.send(active.management("why"))
    assert (reply.text(F.RESPONSE_CODE), reply.octets(F.PAYLOAD)) == ("00", b"")


@pytest.mark.feature("T10")
def test_why_tells_reason_texts_remedy_and_contact(active: Wire) -> None:
    """The merchant would read 58 and not know whom to call."""
    active.lab.act("hold", serial_number=active.serial_number, reason="arrears")
    told = {tag: value.decode("gb18030") for tag, value in active.tags(active.send(active.management("why"))).items()}
    assert told == {
        "RC": "hold.arrears",
        "CD": "58",
        "ZH": "终端暂停：欠费",
        "EN": "on hold: arrears",
        "RZ": "请缴清欠费",
        "RE": "pay what is owed",
        "CZ": "收单机构客服",
        "CE": "the acquirer's service desk",
    }


@pytest.mark.parametrize("stage", ["unknown", "ordered", "stopped", "replaced"])
@pytest.mark.feature("T10")
def test_why_answers_who_is_refused_for_being_who_it_is(lab: Lab, stage: str) -> None:
    """The terminal that needs the reason most would be refused the reason as well."""
    wire = Wire(lab)
    if stage != "unknown":
        wire.order()
    if stage in ("stopped", "replaced"):
        lab.act("submit", serial_number=wire.serial_number, name="店铺", contact="王小明",
                telephone="13000000000", address="实验路一号院")  # fmt: skip
        lab.act("review", serial_number=wire.serial_number)
    if stage == "stopped":
        lab.act("stop", serial_number=wire.serial_number, why="contract ended")
    if stage == "replaced":
        lab.act("order", serial_number="NEW-1", model=wire.model)
        lab.act("ship", serial_number="NEW-1")
        lab.act("deliver", serial_number="NEW-1")
        lab.act("replace", serial_number=wire.serial_number, successor="NEW-1")
    expected = {
        "unknown": "terminal.unknown",
        "ordered": "terminal.not_registered",
        "stopped": "terminal.stopped",
        "replaced": "terminal.replaced",
    }
    assert wire.tags(wire.send(wire.management("why")))["RC"].decode() == expected[stage]


TEXTS = {"title_zh": "公告", "title_en": "News", "text_zh": "请更换纸卷。", "text_en": "Change the paper roll."}


def read(wire: Wire, counter: int, at: bytes) -> Message:
    """Tell the host when a notice was read."""
    tags = [("CN", str(counter).encode()), ("RS", b"read"), ("RT", at)]
    return wire.send(wire.management("command_ack", pack_tags(tags)))


def notices(wire: Wire) -> list[tuple[str, str, int | None]]:
    """What the desk sees of them."""
    shown = wire.lab.act("show", serial_number=wire.serial_number)["notices"]
    return [(row["kind"], row["state"], row["read_at"]) for row in shown]


@pytest.mark.feature("U11")
def test_an_announcement_is_delivered_stored_and_read(active: Wire) -> None:
    """The acquirer could not show that the merchant knew (N10, U11)."""
    assert active.lab.act("announce", **TEXTS)["told"] == [active.serial_number]
    assert notices(active) == [("announcement", "waiting", None)]
    command = opened(active, fetched(active))
    assert (command.kind, command.body) == ("announcement", TEXTS)
    assert notices(active) == [("announcement", "delivered", None)]
    acknowledge(active, 1)
    assert notices(active) == [("announcement", "acknowledged", None)]
    for _ in range(2):
        assert read(active, 1, b"1772359200").text(F.RESPONSE_CODE) == "00"
    assert notices(active) == [("announcement", "acknowledged", 1_772_359_200)]
    assert fetched(active) == b""


@pytest.mark.parametrize("at", [b"", b"soon", b"-1", b"12345678901"])
def test_an_instant_that_is_none(active: Wire, at: bytes) -> None:
    """A notice would count as read at no time at all."""
    active.lab.act("announce", **TEXTS)
    acknowledge(active, 1)
    assert refusal(read(active, 1, at)).reason == "message.malformed"
    assert notices(active)[0][2] is None


def test_who_is_told(lab: Lab) -> None:
    """News for one shop would stop the sales of all others."""
    first, second = Wire(lab).on_counter(), Wire(lab, "PXE90-0002", "10000002", extended=False).on_counter()
    fetched(first)  # under its MAC, by which the host learns what it knows
    assert lab.act("announce", **TEXTS, serial_number=second.serial_number)["told"] == []
    assert lab.act("announce", **TEXTS, model=first.model)["told"] == [first.serial_number]
    for wrong in ({"serial_number": "NOBODY"}, {"model": "PX-0"}, {"text_en": "x" * 900}, {"title_zh": "a\nb"}):
        with pytest.raises(AdminError):
            lab.act("announce", **(TEXTS | wrong))
    assert len(lab.rows("commands")) == 1
