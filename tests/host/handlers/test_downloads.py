"""What the host hands out to terminals, and what it asks them for in its headers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.downloads import CONTENTS
from host.errors import AdminError
from host.policy import Downloads, Policy
from protocol.downloads import DOWNLOADS, Form
from protocol.fields import F
from protocol.message import Message
from protocol.private import BinPage, pack_parameters, unpack_contactless, unpack_rates, unpack_status
from protocol.tlv import encode
from tests.host.wire import CREDIT, Lab, Wire, refusal

BINS = [f"62{number:04d}" for number in range(150)]


def ask(wire: Wire, kind: str, payload: bytes = b"") -> bytes:
    """Field 62 of an answer that is good."""
    reply = wire.send(wire.management(kind, payload))
    assert reply.text(F.RESPONSE_CODE) == "00", refusal(reply).reason
    return reply.octets(F.PAYLOAD)


def nibble(reply: Message) -> str:
    """What the header asks for."""
    assert reply.header
    return reply.header.processing_requirement


def publish(lab: Lab, name: str, content: Any) -> int:
    """A newer version."""
    version: int = lab.act("publish_parameters", name=name, content=json.dumps(content).encode())["version"]
    return version


def due(wire: Wire) -> str:
    """What is due, as the store has it."""
    return str(wire.lab.terminal(wire.serial_number)["due"])


def bins_of(wire: Wire, kind: str) -> list[str]:
    """All pages of a BIN table."""
    found: list[str] = []
    while True:
        raw = ask(wire, kind, f"{len(found):03d}".encode())
        if raw == b"0":
            return found
        page = BinPage.parse(raw)
        found += page.bins
        if page.flag == "1":
            return found
        assert int(page.last) == len(found) - 1


def fetched(wire: Wire, name: str) -> Any:
    """A download as a terminal would read it, without its end."""
    row = DOWNLOADS[name]
    if row.form is Form.PAGED:
        return bins_of(wire, row.fetch)
    if row.form is Form.LISTED:
        names: list[Any] = []
        while True:
            raw = ask(wire, row.query, f"1{len(names):02d}".encode())
            names += row.names_in(raw[1:])
            if raw[:1] != b"2":
                break
        return [ask(wire, row.fetch, encode(name))[1:].hex().upper() for name in names]
    raw = ask(wire, row.fetch)
    if name == "rates":
        return unpack_rates(raw)
    if name == "contactless":
        return unpack_contactless(raw)
    return {code: value.rstrip() for code, value in unpack_status(raw)[1].items()}


@pytest.mark.parametrize("name", DOWNLOADS)
def test_what_is_embedded_comes_whole(wire: Wire, name: str) -> None:
    """A terminal would work with half of a table."""
    expected = CONTENTS[name]
    if name == "parameters" and isinstance(expected, dict):
        expected = {**expected, "22": "街角便利店"}
    assert fetched(wire, name) == expected
    ask(wire, DOWNLOADS[name].end)
    assert wire.lab.rows("fetches", name=name)[0]["fetched"] == 1


def test_a_newer_version_is_asked_for_until_it_was_fetched(wire: Wire) -> None:
    """A terminal would go on with limits that were lowered months ago."""
    publish(wire.lab, "contactless", {"FF8058": "000000010000"})
    publish(wire.lab, "no_pin_bins", BINS)
    assert nibble(wire.send(wire.management("echo"))) == "9"
    assert nibble(wire.send(wire.sale(100))) == "9"
    assert fetched(wire, "contactless") == {"FF8058": "000000010000"}
    assert nibble(wire.send(wire.management("contactless_parameters_end"))) == "B"
    assert fetched(wire, "no_pin_bins") == BINS
    assert nibble(wire.send(wire.management("no_pin_bins_end"))) == "0"
    assert due(wire) == ""
    versions = {row["name"]: row["fetched"] for row in wire.lab.act("parameters")["fetched"]}
    assert versions == {"contactless": 2, "no_pin_bins": 2}


def test_what_is_published_in_between_makes_no_mixture(wire: Wire) -> None:
    """Half of a BIN table would be of yesterday and half of today, and nobody would ask for it again."""
    publish(wire.lab, "bin_blacklist", BINS)
    first = BinPage.parse(ask(wire, "bin_blacklist", b"000"))
    publish(wire.lab, "bin_blacklist", ["629999"])
    second = BinPage.parse(ask(wire, "bin_blacklist", b"070"))
    assert [*first.bins, *second.bins] == BINS[:140]
    ask(wire, "bin_blacklist_end")
    assert due(wire) == "7"
    assert fetched(wire, "bin_blacklist") == ["629999"]
    ask(wire, "bin_blacklist_end")
    assert due(wire) == ""


def test_an_end_without_a_beginning_ends_nothing(wire: Wire) -> None:
    """A terminal that skipped the download would count as up to date."""
    publish(wire.lab, "rates", {"840": "67100000"})
    ask(wire, "rates_end")
    assert due(wire) == "8"


def test_old_parameters_stop_the_sale_where_the_policy_says_so(wire: Wire) -> None:
    """G7: a terminal could ignore what the acquirer must enforce."""
    publish(wire.lab, "parameters", {"12": "60"})
    assert wire.code(wire.sale(100)) == "00"
    wire.lab.policy = wire.lab.acquirer.policy = Policy(downloads=Downloads(required=True))
    reply = wire.send(wire.sale(100))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("77", "terminal.parameters_old")
    assert nibble(reply) == "1"
    wire.lab.act("ask_for", serial_number=wire.serial_number, name="status")
    fetched(wire, "parameters")
    ask(wire, "parameters_end")
    assert wire.code(wire.sale(100, CREDIT)) == "00"


def test_a_refusal_for_old_tables_names_a_table(wire: Wire) -> None:
    """A terminal that is asked for something else first, and cannot do it, would sell no more."""
    wire.sell(100)
    wire.lab.policy = wire.lab.acquirer.policy = Policy(downloads=Downloads(required=True))
    publish(wire.lab, "contactless", {"FF8054": "0"})
    wire.lab.act("ask_for", serial_number=wire.serial_number, name="status")
    wire.lab.act("diagnose", serial_number=wire.serial_number)
    assert due(wire) == "29"
    assert nibble(wire.send(wire.sale(100))) == "9"


def test_a_terminal_is_asked_for_other_things(wire: Wire) -> None:
    """The acquirer could neither renew the keys of a running terminal nor learn its state."""
    for name in ("sign_in", "status", "configuration"):
        wire.lab.act("ask_for", serial_number=wire.serial_number, name=name)
    assert due(wire) == "23D"
    ask(wire, "status_upload", b"011")
    assert due(wire) == "3D"
    ask(wire, "status_upload", b"011" + pack_parameters({"12": "60"}))
    assert due(wire) == "3"
    assert nibble(wire.sign_on()) == "0"


def test_commands_that_wait_keep_no_download_back(wire: Wire) -> None:
    """A command that cannot be carried out for weeks would keep the tables of a terminal old."""
    publish(wire.lab, "contactless", {"FF8054": "0"})
    wire.sell(100)
    wire.lab.act("diagnose", serial_number=wire.serial_number)
    assert nibble(wire.send(wire.management("echo"))) == "E"
    assert nibble(wire.send(wire.management("command_fetch"))) == "9"


def test_a_device_ordered_later_is_asked_as_well(lab: Lab) -> None:
    """A new terminal would keep what its factory knew."""
    Wire(lab).order()
    publish(lab, "no_pin_blacklist", ["62000001"])
    late = Wire(lab, "PXE90-0002", "10000002", "898100000000002").on_counter()
    assert due(late) == "C"


def test_the_cashier_is_on_record(wire: Wire) -> None:
    """Nobody could say who worked at the till."""
    assert wire.code(wire.build("cashier_sign_in", {F.TEXT: "07 "})) == "00"
    assert wire.lab.rows("audit", act="cashier")[0]["detail"] == "07"


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("no_pin_bins", b""),
        ("no_pin_bins", b"0x0"),
        ("ca_key_query", b"200"),
        ("ca_key", b""),
        ("aid", b"\x9f\x06\x05"),
    ],
)
def test_a_request_that_names_nothing(wire: Wire, kind: str, payload: bytes) -> None:
    """A broken terminal would bring the host down."""
    assert wire.code(wire.management(kind, payload)) == "30"


def test_what_is_not_there_is_said(wire: Wire) -> None:
    """A terminal would store an empty object as a key."""
    assert ask(wire, "aid", bytes.fromhex("9F0605A000000003")) == b"0"
    assert ask(wire, "ca_key_query", b"199") == b"0"


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("parameters", b"{", "no terminal parameters"),
        ("parameters", b"[]", "a mapping"),
        ("parameters", b'{"99": "1"}', "no parameter"),
        ("parameters", b'{"12": 60}', "texts"),
        ("parameters", b'{"12": "600"}', "3 bytes"),
        ("contactless", b'{"FF": "1"}', "no contactless"),
        ("rates", b'{"840": "1"}', "eight"),
        ("no_pin_bins", b'{"62": ""}', "a list"),
        ("no_pin_bins", b'["62", "62"]', "twice"),
        ("no_pin_bins", b'["6x"]', "digits"),
        ("applications", b'["9F0605A000000003", "9F0605A000000003"]', "twice"),
        ("applications", b'["zz"]', "hex"),
        ("ca_keys", b'["9F0605A000000003"]', ""),
        ("ca_keys", json.dumps([str(CONTENTS["ca_keys"][0])[:-2] + "00"]).encode(), "check value"),  # type: ignore[index]
    ],
)
def test_what_no_terminal_could_read_is_not_published(lab: Lab, name: str, content: bytes, what: str) -> None:
    """Every terminal in the field would be sent what it cannot use."""
    with pytest.raises(AdminError) as error:
        lab.act("publish_parameters", name=name, content=content)
    assert error.value.code == "content"
    assert what in str(error.value)
    assert lab.rows("downloads") == []


@pytest.mark.parametrize("act", ["publish_parameters", "ask_for"])
def test_a_name_that_nothing_has(wire: Wire, act: str) -> None:
    """A slip of the pen would ask the terminals for nothing, unnoticed."""
    given: dict[str, Any] = {"content": b"{}"} if act == "publish_parameters" else {"serial_number": wire.serial_number}
    with pytest.raises(AdminError) as error:
        wire.lab.act(act, name="contactles", **given)
    assert error.value.code == "unknown_download"
    assert "contactless" in error.value.hint
