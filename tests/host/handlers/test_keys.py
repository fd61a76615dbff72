"""A master key over the line: who gets one, and that nobody else does (CUP 3.7, 5.1; faults A07, A14)."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from host.errors import AdminError
from host.transport_key import make_transport_key
from protocol.crypto.key import MasterKey
from protocol.crypto.keys import check_value
from protocol.crypto.tmk_download import pack_master_key, transport_key
from protocol.crypto.tmk_exchange import unpack_answer, unpack_signed_key
from protocol.errors import KeyLoadError
from protocol.fields import F
from protocol.message import Message
from tests.host.wire import Lab, Wire, fresh_bytes, refusal

TRANSPORT = MasterKey(b"transport key 16")
ADMINS = "PXE90-0001"


@pytest.fixture
def registered(lab: Lab) -> Wire:
    return Wire(lab).register()


def ask(wire: Wire, **options: Any) -> Message:
    """A download as a device does it: the RSA key, then the master key under a transport key."""
    offered = wire.send(wire.management("rsa_key"))
    assert offered.text(F.RESPONSE_CODE) == "00", refusal(offered)
    to = unpack_signed_key(offered.octets(F.PAYLOAD), wire.host_public_key)
    return wire.send(wire.management("master_key", pack_master_key(to, TRANSPORT, fresh_bytes()), **options))


def test_a_device_that_proves_its_keys_gets_its_master_key(wire: Wire) -> None:
    """A terminal could not change its master key without a visit of the depot."""
    reply = ask(wire)
    assert reply.text(F.RESPONSE_CODE) == "00"
    assert unpack_answer(TRANSPORT, reply.octets(F.PAYLOAD)) == wire.tmk
    assert [row["act"] for row in wire.lab.rows("audit", actor=wire.serial_number)] == ["master key download"]
    wire.sell(100)


@pytest.mark.parametrize("proof", ["nothing", "a MAC of nobody", "keys of before the sign-off"])
def test_a_terminal_id_alone_gets_no_key(wire: Wire, proof: str) -> None:
    """Whoever reads the number on a receipt could be that terminal (A07)."""
    if proof == "a MAC of nobody":
        wire.keys = Wire(wire.lab).keys
    elif proof == "keys of before the sign-off":
        wire.send(wire.management("sign_off"))
    reply = ask(wire, mac=proof != "nothing")
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("58", "key.download_closed")
    assert not reply.has(F.PAYLOAD)


def test_an_administrator_opens_the_download_for_a_while(registered: Wire) -> None:
    """A new terminal could never get its first key, or its id be good for one for ever."""
    lab = registered.lab
    assert refusal(ask(registered)).reason == "key.download_closed"
    loaded = lab.act("allow_download", serial_number=ADMINS, hours=2)
    assert loaded["host_public_key"] == registered.host_public_key.hex().upper()
    assert "tmk" not in loaded
    lab.later(hours=1, minutes=59)
    assert unpack_answer(TRANSPORT, ask(registered).octets(F.PAYLOAD)) == registered.tmk
    lab.later(minutes=1)
    assert refusal(ask(registered)).reason == "key.download_closed"
    lab.act("allow_download", serial_number=ADMINS)
    lab.act("allow_download", serial_number=ADMINS, hours=0)
    assert refusal(ask(registered)).reason == "key.download_closed"
    for hours in (-1, 169):
        with pytest.raises(AdminError, match="hours"):
            lab.act("allow_download", serial_number=ADMINS, hours=hours)


def test_the_same_answer_as_often_as_it_is_asked_for(wire: Wire) -> None:
    """A reply that was lost would leave the terminal with one master key and the host with another (A14)."""
    assert {unpack_answer(TRANSPORT, ask(wire).octets(F.PAYLOAD)) for _ in range(3)} == {wire.tmk}


def test_a_renewed_master_key_locks_nobody_out(wire: Wire) -> None:
    """The old working keys would die with the master key, and a pending reversal with them (K2)."""
    renewed = wire.lab.act("renew_tmk", serial_number=ADMINS)
    sold = wire.sell(100)
    refused = wire.send(wire.sign_in())
    assert refused.text(F.RESPONSE_CODE) == "00"
    with pytest.raises(KeyLoadError):
        wire.sign_on()
    wire.lab.act("allow_download", serial_number=ADMINS)
    wire.tmk = unpack_answer(TRANSPORT, ask(wire).octets(F.PAYLOAD))
    assert check_value(wire.tmk).hex().upper() == renewed["check_value"]
    wire.sign_on()
    assert wire.code(wire.reversal(100, sold.stan)) == "00"


def test_a_device_that_proves_keys_needs_no_administrator_after_a_renewal(wire: Wire) -> None:
    """Every change of a master key would need two people."""
    wire.lab.act("renew_tmk", serial_number=ADMINS)
    with pytest.raises(KeyLoadError):
        wire.sign_on()
    new = unpack_answer(TRANSPORT, ask(wire).octets(F.PAYLOAD))
    assert new != wire.tmk


@pytest.mark.parametrize("act", ["lose", "tamper"])
def test_a_device_that_is_gone_gets_no_key(wire: Wire, act: str) -> None:
    """A stolen terminal would be given the key that it needs."""
    wire.lab.act("allow_download", serial_number=ADMINS)
    wire.lab.act(act, serial_number=ADMINS)
    for kind in ("rsa_key", "master_key"):
        assert wire.code(wire.management(kind)) == "97"


def test_a_transport_key_for_another_host_is_told(wire: Wire) -> None:
    """The terminal would load rubbish, or the host fall over."""
    other = transport_key(rsa.generate_private_key(65537, 2048), bytes(5), b"\1")
    asked = pack_master_key(other, TRANSPORT, fresh_bytes())
    assert wire.reason(wire.management("master_key", asked)) == "key.transport_key"


@pytest.mark.parametrize("payload", [b"", b"\xdf", b"\xdf\x23\x01\x00"])
def test_what_is_no_transport_key_is_malformed(wire: Wire, payload: bytes) -> None:
    """A damaged request would stop the host."""
    assert wire.code(wire.management("master_key", payload)) == "30"


def test_the_rsa_key_stays_the_same(wire: Wire) -> None:
    """A download that began before the host was started again could not end."""
    before = wire.send(wire.management("rsa_key")).octets(F.PAYLOAD)
    wire.lab.reopen()
    assert wire.send(wire.management("rsa_key")).octets(F.PAYLOAD) == before


def test_a_seed_is_one_key() -> None:
    """Two hosts would share a key, or one host have two."""
    keys = [make_transport_key(seed) for seed in (b"one", b"one", b"two")]
    numbers = [key.private_numbers() for key in keys]
    assert numbers[0] == numbers[1] != numbers[2]
    assert {key.key_size for key in keys} == {2048}
