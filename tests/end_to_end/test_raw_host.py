"""Sign-ons of real terminals, sent raw to a running host: 97 while the terminal is unknown, then 00 with keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.codec import unpack, unseal
from protocol.crypto.keys import unpack_working_keys
from protocol.fields import F
from protocol.kinds import Identity, identify, missing_fields
from protocol.message import Message
from protocol.private import RefusalText
from tests.end_to_end.shop import HostCommand, call, poslab, serving
from tests.vectors import Vector, shared_vectors

ENVELOPE = bytes.fromhex("6000030000603200000000")
GOLDEN = bytes.fromhex(
    "0800" "0020000000C00012" "000007" "3930303030303031" "383938393030303030303030303031" "0011" "00000001003" "0"
    "0003" "303120"
)  # fmt: skip
"""A sign-on of terminal 90000001 of merchant 898900000000001, written by hand from CUP 3.2; operator 01."""

SESSION_KEYS = {"001": 8, "003": 16, "004": 16}
"""60.3 of the sign-on: bytes of the MAC key that it asks for (CUP 5.2)."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostCommand]:
    """One host for all; each message is of another terminal."""
    with serving(tmp_path_factory.mktemp("raw")) as host:
        yield host


def payload_of(vector: Vector) -> bytes:
    """TPDU, header and body, as they were recorded, or with an envelope where the body alone was."""
    raw = bytes.fromhex(vector["hex"])
    raw = raw[2:] if vector["inputs"]["has_length_prefix"] else raw
    return raw if vector["inputs"]["has_tpdu_and_header"] else ENVELOPE + raw


def is_sign_on(payload: bytes) -> bool:
    """Is this the request of a sign-on?"""
    return str(identify(unseal(payload).message)) == "sign_in.request"


def assert_well_formed(reply: Message, request: Message, code: str) -> None:
    """An 0810 that answers just this request, with all that a sign-on's reply must have."""
    assert (reply.mti, reply.text(F.RESPONSE_CODE)) == ("0810", code)
    for number in (F.STAN, F.TERMINAL_ID, F.MERCHANT_ID):
        assert reply.text(number) == request.text(number)
    identity = identify(reply)
    assert str(identity) == "sign_in.reply"
    assert isinstance(identity, Identity)
    assert missing_fields(identity, reply) == []
    assert reply.tpdu is not None
    assert request.tpdu is not None
    assert (reply.tpdu.source, reply.tpdu.destination) == (request.tpdu.destination, request.tpdu.source)


def sign_on_life(host: HostCommand, payload: bytes) -> None:
    """Unknown, registered by the administrator while the host runs, then served."""
    request = unseal(payload).message
    refused = unseal(call(host.port, payload)).message
    assert_well_formed(refused, request, "97")
    assert RefusalText.parse(refused.text(F.TEXT)).reason == "terminal.unknown"
    assert not refused.has(F.PAYLOAD)

    terminal_id, merchant_id = request.text(F.TERMINAL_ID), request.text(F.MERCHANT_ID)
    registered = host.admin("register", terminal_id, merchant_id)
    card = host.admin("key-card", registered["serial_number"], "--unmask")

    served = unseal(call(host.port, payload)).message
    assert_well_formed(served, request, "00")
    keys = unpack_working_keys(bytes.fromhex(card["tmk"]), served.octets(F.PAYLOAD))
    network = request.text(F.CONTROL)[8:11]
    assert len(keys.pik) == len(keys.mak) == SESSION_KEYS[network]
    assert (keys.tdk is not None) == (network == "004")


def test_a_sign_on_written_by_hand_is_served(host: HostCommand) -> None:
    """A terminal of another maker, bought in a shop, could not sign on."""
    assert unpack(GOLDEN).text(F.TERMINAL_ID) == "90000001"
    sign_on_life(host, ENVELOPE + GOLDEN)


def test_a_sign_on_through_a_dial_up_concentrator_is_served(host: HostCommand) -> None:
    """A shop whose line puts monitoring data into every message would be told that its terminal is broken (CUP 1.6)."""
    body = GOLDEN.replace(b"90000001", b"90000002")
    plain, marked = (call(host.port, ENVELOPE[:5] + block + ENVELOPE[5:] + body) for block in (b"", b"LRI" + bytes(30)))
    told, asked = unseal(marked).message, unpack(body)
    assert_well_formed(told, Message(asked.mti, asked.fields, unseal(ENVELOPE + body).message.tpdu), "97")
    assert told.header == unseal(plain).message.header


def test_real_sign_ons_are_served(host: HostCommand) -> None:
    """Terminals that work with real acquirers would be told that nobody understands them."""
    payloads = {vector["id"]: payload_of(vector) for vector in shared_vectors("message", "cup")}
    sign_ons = {name: payload for name, payload in payloads.items() if is_sign_on(payload)}
    assert len(sign_ons) >= 5
    for payload in sign_ons.values():
        sign_on_life(host, payload)


def test_the_key_card_goes_into_a_file_of_the_users_own(host: HostCommand, tmp_path: Path) -> None:
    """Anybody on the machine could read the master key of a terminal."""
    host.admin("register", "90000002", "898900000000002", "--serial-number", "RAW0000002")
    shown = poslab("admin", "key-card", "RAW0000002", "--db", str(host.database), "--json", cwd=tmp_path)
    assert (shown.returncode, json.loads(shown.stdout)["error"]["code"]) == (2, "unmask")
    card = tmp_path / "card.json"
    answer = host.admin("key-card", "RAW0000002", "--out", str(card))
    assert answer == {"written": str(card)}
    assert card.stat().st_mode & 0o077 == 0
