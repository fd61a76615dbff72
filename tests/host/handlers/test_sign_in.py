"""Sign-on, sign-off and the window of two key versions (CUP 5.2; invariants K1, K2)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocol.codec import unseal
from protocol.crypto.keys import KEY_CIPHERS, KEY_LAYOUTS, unpack_working_keys
from protocol.fields import F
from protocol.header import Header, Tpdu
from protocol.message import Message
from protocol.private import Batches, Control
from protocol.private.security import pack_security, pack_sm4_pin
from tests.host.wire import DEBIT, Lab, Wire, refusal
from tests.vectors import shared_vectors


@pytest.mark.parametrize(
    ("network", "lengths"),
    [("001", (8, 8, 0)), ("003", (16, 16, 0)), ("004", (16, 16, 16)), ("005", (16, 16, 0)), ("006", (16, 16, 16))],
)
def test_a_sign_on_gives_the_keys_that_it_asks_for(lab: Lab, network: str, lengths: tuple[int, int, int]) -> None:
    """A terminal of an older make could not work."""
    wire = Wire(lab).register()
    wire.sign_on(network)
    assert wire.keys is not None
    assert (len(wire.keys.pik), len(wire.keys.mak), len(wire.keys.tdk or b"")) == lengths
    wire.sell(100, pin="123456")
    assert wire.reason(wire.sale(100, pin="654321")) == "card.wrong_pin"


def test_keys_of_two_ciphers_count_until_the_first_good_frame(wire: Wire) -> None:
    """A terminal whose sign-on for SM4 was lost would be refused with the 3DES keys that it still has."""
    wire.send(wire.sign_in("006"))
    wire.sell(100, pin="123456")
    wire.sign_on("006")
    wire.sell(100, pin="123456")


def test_a_wide_pin_block_under_3des_is_no_pin_block(wire: Wire) -> None:
    """A PIN that nobody can read would be taken for none, and the sale be approved."""
    fields = wire.money(100, DEBIT, wire.stan(), pin="123456")
    del fields[F.PIN_BLOCK]
    security = pack_security("sm4", with_pin=True, encrypts_tracks=False)
    fields |= {F.SECURITY: security, F.PRIVATE57: pack_sm4_pin(bytes(16))}
    assert wire.reason(wire.build("sale", fields)) == "card.pin_block"


def test_a_sign_on_tells_the_batch(active: Wire) -> None:
    """A device that lost its memory would sell into a closed batch."""
    reply = active.send(active.build("sign_in", {F.STAN: active.stan(), F.TEXT: "001"}, batch="000777"))
    assert Control.parse(reply.text(F.CONTROL)).batch == "000002"


def test_a_terminal_that_knows_our_extensions_hears_what_the_host_has_heard(active: Wire, lab: Lab) -> None:
    """A batch whose digits changed on the way would count as told, and the host hold the shop for old books."""
    new = Wire(lab, "PXE90-0003", "10000003", "898100000000003").register()
    assert new.send(new.sign_in()).octets(F.DEVICE) == bytes(Batches("000001", "000001")), "already in its first one"
    reply = active.send(active.build("sign_in", {F.STAN: active.stan(), F.TEXT: "001"}, batch="000777"))
    assert reply.octets(F.DEVICE) == bytes(Batches("000777", "000002")) == b"BT012000777000002"
    foreign = Wire(lab, "PXE90-0002", "10000002", "898100000000002", extended=False).activated()
    assert not foreign.send(foreign.sign_in()).has(F.DEVICE)


def test_a_lost_sign_on_reply_locks_nobody_out(wire: Wire) -> None:
    """The host has new keys, the terminal the old ones: its reversal would be refused for ever."""
    wire.send(wire.sign_in())
    sold = wire.sell(100)
    assert wire.code(wire.reversal(100, sold.stan)) == "00"


def test_the_keys_that_a_terminal_has_outlive_every_sign_on_that_it_hears_no_reply_to(active: Wire) -> None:
    """A till on a bad line would be locked out of what it must finish, its wipe among it, where it may not sign on."""
    for _ in range(3):
        active.send(active.sign_in())  # the host has new keys, and nobody hears of them
        assert active.code(active.management("command_fetch")) == "00"
    had = active.keys
    active.sign_on()
    active.sell(100)
    active.keys = had
    assert active.code(active.sale(100)) == "A0", "once it has proven new ones they are dead"


def test_the_old_keys_die_with_the_first_good_frame_under_the_new(wire: Wire) -> None:
    """Keys that were replaced because somebody may know them would be good for ever."""
    old = wire.keys
    wire.sign_on()
    new, wire.keys = wire.keys, old
    wire.sell(100)
    wire.keys = new
    wire.sell(100)
    wire.keys = old
    assert wire.reason(wire.sale(100)) == "message.mac"


def test_the_old_keys_die_with_a_repetition_under_the_new(wire: Wire) -> None:
    """A terminal that asks again what it asked before its sign-on would leave the old keys good for who knows them.

    Seed 1526 (network): the settlement came again under the new keys and got the stored reply.
    """
    stan, old = wire.stan(), wire.keys
    assert wire.code(wire.sale(100, stan=stan)) == "00"
    wire.sign_on()
    assert wire.code(wire.sale(100, stan=stan)) == "00", "the stored reply, under the new keys"
    wire.keys = old
    assert wire.reason(wire.sale(100)) == "message.mac"


def test_the_old_keys_die_with_a_refusal_under_the_new(wire: Wire) -> None:
    """A terminal that used a number twice would leave the old keys good for who knows them."""
    stan, old = wire.stan(), wire.keys
    wire.sell(100, stan=stan)
    wire.sign_on()
    assert wire.reason(wire.sale(200, stan=stan)) == "request.key_reused"
    wire.keys = old
    assert wire.reason(wire.sale(100)) == "message.mac"


def test_only_the_last_two_versions_count(wire: Wire) -> None:
    """A pile of keys would be good at once."""
    for _ in range(2):
        wire.send(wire.sign_in())
    assert wire.reason(wire.sale(100)) == "message.mac"
    wire.sign_on()
    wire.sell(100)


@pytest.mark.parametrize("kind", ["sale", "sale_reversal", "settlement", "command_fetch", "firmware_query"])
def test_after_a_sign_off_nothing_is_believed(active: Wire, kind: str) -> None:
    """A terminal that was closed in the evening would sell at night under its old keys."""
    assert active.code(active.management("sign_off")) == "00"
    row = active.lab.terminal(active.serial_number)
    assert (row["signed_on"], row["working_keys"], row["previous_keys"]) == (False, b"", b"")
    ask: dict[str, Callable[[], bytes | Message]] = {
        "sale": lambda: active.sale(100),
        "sale_reversal": lambda: active.reversal(100, "000001"),
        "settlement": active.settle,
    }
    payload = ask.get(kind, lambda: active.management(kind))()
    reply = payload if isinstance(payload, Message) else active.send(payload)
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("77", "terminal.not_signed_on")


def test_before_a_sign_on_nothing_is_believed(lab: Lab) -> None:
    """A terminal without keys would sell under a MAC of zeros."""
    wire = Wire(lab).register()
    assert wire.reason(wire.sale(100)) == "terminal.not_signed_on"


def test_keys_are_another_ones_at_every_sign_on(wire: Wire) -> None:
    """Keys that come again are keys that somebody has recorded."""
    seen = {wire.keys}
    for _ in range(5):
        wire.sign_on()
        seen.add(wire.keys)
    assert len(seen) == 6


def test_keys_survive_a_restart(wire: Wire) -> None:
    """Every terminal would have to sign on again when the host was started again."""
    wire.lab.reopen()
    wire.sell(100)


@pytest.mark.parametrize("told", ["", "PXE90-9999"])
def test_a_bound_terminal_must_be_the_device_that_it_was_sold_as(lab: Lab, told: str) -> None:
    """Somebody would work under the shop's terminal id with a device of his own."""
    wire = Wire(lab).register()
    wire.serial_number = told
    assert wire.reason(wire.sign_in()) == "terminal.other_device"


@pytest.mark.parametrize("told", ["", "12345678"])
def test_an_unbound_terminal_id_takes_the_device_at_hand(lab: Lab, told: str) -> None:
    """A real terminal could not be attached without knowing its serial number beforehand."""
    lab.act("add_model", model="PX-E90", brand="brand", family="family")
    lab.act("register", terminal_id="10000001", merchant_id="898100000000001", tmk="11" * 16)
    wire = Wire(lab, told, extended=False)
    wire.tmk = b"\x11" * 16
    wire.sign_on()
    wire.sell(100)


def test_the_device_of_another_terminal_is_not_the_one_at_hand(lab: Lab) -> None:
    """A terminal that belongs to one shop would work as the till of another."""
    wire = Wire(lab).on_counter()
    lab.act("register", terminal_id="10000002", merchant_id="898100000000002")
    wire.terminal_id, wire.merchant_id = "10000002", "898100000000002"
    assert wire.reason(wire.sign_in()) == "terminal.other_device"


def test_real_sign_ons_are_refused_while_unknown_and_get_keys_once_registered(lab: Lab) -> None:
    """The lab would understand only itself, and no real terminal."""
    tmk = "0123456789ABCDEFFEDCBA9876543210"
    lab.act("add_model", model="PX-E90", brand="brand", family="family")
    count = 0
    for vector in shared_vectors("message", "cup"):
        raw, shape = bytes.fromhex(vector["hex"]), vector["inputs"]
        raw = raw[2:] if shape["has_length_prefix"] else raw
        payload = raw if shape["has_tpdu_and_header"] else bytes(Tpdu()) + bytes(Header()) + raw
        asked = unseal(payload).message
        if asked.mti != "0800" or asked.text(F.CONTROL)[8:11] not in KEY_LAYOUTS:
            continue
        count += 1
        assert lab.reply(payload).text(F.RESPONSE_CODE) == "97", vector["id"]
        till = {"terminal_id": asked.text(F.TERMINAL_ID), "merchant_id": asked.text(F.MERCHANT_ID)}
        lab.act("register", tmk=tmk, **till)
        reply = lab.reply(payload)
        assert (reply.mti, reply.text(F.RESPONSE_CODE)) == ("0810", "00"), vector["id"]
        cipher = KEY_CIPHERS[asked.text(F.CONTROL)[8:11]]
        unpack_working_keys(bytes.fromhex(tmk), reply.octets(F.PAYLOAD), cipher)
    assert count == 5
