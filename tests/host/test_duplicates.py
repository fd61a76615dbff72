"""A request that comes twice (product decision 9; invariants I1 to I3, M3, M10) and one that was touched."""

from __future__ import annotations

import pytest

from host.policy import Downloads, Policy
from protocol.codec import unseal
from protocol.fields import F
from tests.host.wire import CREDIT, DEBIT, Wire, refusal, totals_of


def test_the_same_sale_gets_the_same_bytes_and_is_captured_once(active: Wire) -> None:
    """A guest whose frame was repeated by the line would pay twice."""
    payload = active.sale(1_234, CREDIT)
    first = active.lab.answer(payload).payload
    active.lab.later(minutes=5)
    assert active.lab.answer(payload).payload == first
    assert len(active.lab.rows("postings", stan=active.lab.rows("transactions")[-1]["stan"])) == 2
    assert active.lab.violations() == []


@pytest.mark.parametrize("kind", ["sale", "sale_void", "refund", "sale_reversal", "sale_void_reversal"])
def test_every_kind_that_moves_money_is_answered_once(active: Wire, kind: str) -> None:
    """A refund whose reply got lost would be paid out a second time."""
    sold = active.sell(5_000)
    stan = active.stan()
    active.send(active.void(active.sell(700), stan=stan))
    payload = {
        "sale": lambda: active.sale(100),
        "sale_void": lambda: active.void(sold),
        "refund": lambda: active.refund(sold, 5_000),
        "sale_reversal": lambda: active.reversal(5_000, sold.stan),
        "sale_void_reversal": lambda: active.reversal(700, stan, kind="sale_void_reversal"),
    }[kind]()
    first = active.lab.answer(payload).payload
    ledger, postings = active.lab.rows("transactions"), active.lab.rows("postings")
    assert unseal(first).message.text(F.RESPONSE_CODE) == "00"
    assert active.lab.answer(payload).payload == first
    assert (ledger, postings) == (active.lab.rows("transactions"), active.lab.rows("postings"))


@pytest.mark.parametrize("event", ["stop", "hold", "batch close", "retire model", "merchant's other terminal"])
def test_the_answer_stays_whatever_happened_since(active: Wire, event: str) -> None:
    """A sale that was approved would be told a second time as refused: the guest has the goods, the slip says no."""
    lab, payload = active.lab, active.sale(1_234)
    first = lab.answer(payload).payload
    if event == "stop":
        lab.act("stop", serial_number=active.serial_number)
    elif event == "hold":
        lab.act("hold", serial_number=active.serial_number, reason="fraud")
    elif event == "batch close":
        assert active.settle().text(F.RESPONSE_CODE) == "00"
    elif event == "retire model":
        lab.act("retire_model", model=active.model, grace_days=0, stop_days=0)
        lab.later(days=1)
    else:
        Wire(lab, "PXE90-0002", "10000002").on_counter().sell(99)
    assert lab.answer(payload).payload == first


def test_the_answer_survives_a_restart(active: Wire) -> None:
    """A host that was started again would charge the guest again."""
    payload = active.sale(1_234)
    first = active.lab.answer(payload).payload
    active.lab.reopen()
    assert active.lab.answer(payload).payload == first


def test_a_refusal_is_repeated_too(active: Wire) -> None:
    """A sale refused on hold would come through as a repetition once the hold is lifted, when the guest has left."""
    payload = active.sale(1_234)
    active.lab.act("hold", serial_number=active.serial_number, reason="dispute")
    first = active.lab.answer(payload).payload
    active.lab.act("release", serial_number=active.serial_number, reason="dispute")
    assert unseal(first).message.text(F.RESPONSE_CODE) == "58"
    assert active.lab.answer(payload).payload == first


@pytest.fixture
def behind(active: Wire) -> Wire:
    """A terminal whose tables are old, under rules that let it sell no more until it has signed on and fetched them."""
    active.lab.act("publish_parameters", name="rates", content=b'{"840": "67100000"}')
    active.lab.policy = active.lab.acquirer.policy = Policy(downloads=Downloads(required=True))
    return active


@pytest.mark.parametrize("kind", ["sale", "preauth", "offline_sale"])
def test_a_copy_of_what_wanted_a_sign_on_first_is_not_decided(behind: Wire, kind: str) -> None:
    """The cashier was told no, the guest paid cash; a copy that the line had kept would charge his card all the same.

    Seed 305135 (network, 3 shops of 60): one of two copies of a sale was answered 77, other rules came into force, and
    the second one was captured.
    """
    payload = behind.build(kind, behind.money(1_234, CREDIT, behind.stan()))
    first = behind.lab.answer(payload).payload
    assert refusal(unseal(first).message).reason == "terminal.parameters_old"
    behind.lab.policy = behind.lab.acquirer.policy = Policy()
    ledger = behind.lab.rows("transactions")
    assert behind.lab.answer(payload).payload == first
    behind.sign_on()
    assert behind.lab.answer(payload).payload == first, "nor while the old keys still serve"
    assert behind.lab.rows("transactions") == ledger


def test_what_is_sent_again_behind_the_sign_on_that_was_wanted_is_decided_once(behind: Wire) -> None:
    """An offline sale could never be booked, or would be booked twice."""
    lab, fields = behind.lab, behind.money(1_234, CREDIT, behind.stan())
    old = behind.build("offline_sale", fields)
    assert behind.code(old) == "77"
    behind.sign_on()
    assert behind.code(behind.build("offline_sale", fields)) == "77", "the tables are as old as before"
    lab.policy = lab.acquirer.policy = Policy()
    behind.sign_on()
    payload = behind.build("offline_sale", fields)
    first = lab.answer(payload).payload
    assert unseal(first).message.text(F.RESPONSE_CODE) == "00"
    assert lab.answer(payload).payload == first
    behind.sign_on()
    again = unseal(lab.answer(behind.build("offline_sale", fields)).payload).message
    assert again.without(F.MAC) == unseal(first).message.without(F.MAC)
    assert behind.code(old) == "A0"
    assert len(lab.rows("transactions", kind="offline_sale")) == 1
    assert lab.violations() == []


def test_a_device_that_was_lost_since_sells_nothing_by_sending_again(behind: Wire) -> None:
    """What it had been refused would be the one thing that a stolen device still sells."""
    lab, fields = behind.lab, behind.money(1_234, CREDIT, behind.stan())
    assert behind.code(behind.build("sale", fields)) == "77"
    behind.sign_on()
    lab.policy = lab.acquirer.policy = Policy()
    lab.act("lose", serial_number=behind.serial_number)
    assert behind.reason(behind.build("sale", fields)) == "terminal.lost"
    assert lab.rows("transactions", batch=behind.batch) == []


@pytest.mark.parametrize("act", ["lose", "tamper"])
def test_who_may_not_sign_on_any_more_is_told_so(behind: Wire, act: str) -> None:
    """A device would keep its offline sale for ever, and settle, update and hand over nothing for its sake."""
    lab = behind.lab
    payload = behind.build("offline_sale", behind.money(1_234, CREDIT, behind.stan()))
    assert behind.code(payload) == "77"
    lab.act(act, serial_number=behind.serial_number)
    reason = behind.reason(payload)
    assert reason in ("terminal.lost", "terminal.tampered")
    lab.policy = lab.acquirer.policy = Policy()
    assert behind.reason(payload) == reason


def test_the_keys_of_who_is_told_again_to_sign_on_serve_on(behind: Wire) -> None:
    """A reversal could not be brought to its end: two sign-ons unheard, and the keys that the terminal has are gone."""
    sold = behind.lab.rows("transactions")
    payload = behind.build("offline_sale", behind.money(1_234, CREDIT, behind.stan()))
    first = behind.lab.answer(payload).payload
    for _ in range(3):
        behind.send(behind.sign_in("003"))
        assert behind.lab.answer(payload).payload == first
    assert behind.lab.rows("transactions") == sold


def test_a_pin_that_could_not_be_read_is_refused_for_good(active: Wire) -> None:
    """A sale that stands in the books as declined would be told to be another one."""
    stan = active.stan()
    fields = active.money(500, CREDIT, stan) | {F.PIN_BLOCK: b"12345678"}
    first = active.send(active.build("sale", fields))
    assert refusal(first).reason == "card.pin_block"
    active.sign_on()
    again = active.send(active.build("sale", fields))
    assert again.without(F.MAC) == first.without(F.MAC)


def test_after_a_new_sign_on_the_answer_is_the_same_under_the_new_keys(active: Wire) -> None:
    """A reversal that was answered into the void would be sent for ever: the terminal could not believe the answer."""
    sold = active.sell(5_000)
    payload = active.reversal(5_000, sold.stan)
    first = unseal(active.lab.answer(payload).payload)
    active.sign_on()
    active.sell(1)
    again = unseal(active.lab.answer(active.reversal(5_000, sold.stan)).payload)
    assert again.message.without(F.MAC) == first.message.without(F.MAC)
    assert active.has_good_mac(again)


@pytest.mark.parametrize("change", ["amount", "card", "currency", "entry mode"])
def test_the_same_number_with_other_content_is_refused(active: Wire, change: str) -> None:
    """A terminal that lost its counter would have a sale of 9 yuan approved as one of 900."""
    stan = active.stan()
    active.sell(1_234, DEBIT, stan=stan)
    fields = active.money(1_235 if change == "amount" else 1_234, CREDIT if change == "card" else DEBIT, stan)
    if change == "currency":
        fields[F.CURRENCY] = "840"
    if change == "entry mode":
        fields[F.ENTRY_MODE] = "051"
    before = active.lab.rows("transactions"), active.lab.rows("postings"), active.lab.rows("replies")
    reply = active.send(active.build("sale", fields))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("94", "request.key_reused")
    assert before == (active.lab.rows("transactions"), active.lab.rows("postings"), active.lab.rows("replies"))


@pytest.mark.parametrize("kind", ["sale_void", "refund"])
def test_the_number_of_a_sale_serves_no_other_kind(active: Wire, kind: str) -> None:
    """A refund under the number of a sale would end in a system error instead of an answer."""
    sold = active.sell(5_000)
    payload = active.void(sold, stan=sold.stan) if kind == "sale_void" else active.refund(sold, 1, stan=sold.stan)
    assert active.reason(payload) == "request.key_reused"
    assert active.lab.violations() == []


def test_a_pin_block_is_not_content(active: Wire) -> None:
    """A terminal that encrypts the PIN anew for a repetition would be taken for a cheat."""
    stan = active.stan()
    first = active.lab.answer(active.sale(500, stan=stan, pin="123456"))
    active.sign_on()
    again = unseal(active.lab.answer(active.sale(500, stan=stan, pin="123456")).payload).message
    assert again.without(F.MAC) == unseal(first.payload).message.without(F.MAC)


def test_the_stored_reply_is_given_to_the_keeper_of_the_keys_only(active: Wire) -> None:
    """A stranger who repeats a request with a MAC of his own would learn what it was answered."""
    stan = active.stan()
    active.sell(1_234, stan=stan)
    stranger = Wire(active.lab)
    stranger.batch = active.batch
    reply = active.lab.reply(stranger.sale(1_234, stan=stan))
    assert (reply.text(F.RESPONSE_CODE), reply.has(F.RRN), reply.has(F.AUTH_ID)) == ("A0", True, False)
    assert reply.text(F.RRN) != active.lab.rows("transactions", stan=stan)[0]["rrn"]


def test_a_wrong_mac_changes_nothing(active: Wire) -> None:
    """Anybody on the line could sell, or use up trace numbers."""
    before = {table: active.lab.rows(table) for table in ("transactions", "postings", "replies", "terminals")}
    payload = active.sale(1_234)
    reply = active.send(payload[:-1] + bytes([payload[-1] ^ 1]))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("A0", "message.mac")
    assert not reply.has(F.MAC)
    assert before == {table: active.lab.rows(table) for table in before}
    assert active.code(payload) == "00"


def test_no_flipped_bit_captures_another_amount(active: Wire) -> None:
    """Noise on the line would turn 12.34 into 812.34 and nobody would notice."""
    payload = active.sale(1_234)
    codes = set()
    for bit in range(8 * 11, 8 * len(payload)):
        touched = bytearray(payload)
        touched[bit // 8] ^= 1 << bit % 8
        answer = active.lab.answer(bytes(touched)).payload
        codes.add(unseal(answer).message.text(F.RESPONSE_CODE) if answer else "dropped")
    assert active.lab.rows("transactions", batch=active.batch) == []
    assert codes <= {"A0", "30", "40", "97", "03", "77", "dropped"}
    assert active.code(payload) == "00"
    assert active.lab.rows("transactions", batch=active.batch)[0]["amount_fen"] == 1_234


def test_a_flipped_bit_before_the_message_captures_no_other_amount(active: Wire) -> None:
    """The envelope is under no MAC; it must not be able to change what the MAC covers."""
    payload = active.sale(1_234)
    for bit in range(8 * 11):
        touched = bytearray(payload)
        touched[bit // 8] ^= 1 << bit % 8
        active.lab.answer(bytes(touched))
    assert [row["amount_fen"] for row in active.lab.rows("transactions", batch=active.batch)] == [1_234]


def test_a_settlement_that_comes_again_gets_the_same_bytes(active: Wire) -> None:
    """A lost reply to a settlement would close an empty batch behind the full one."""
    active.sell(1_000)
    payload = active.settlement(totals_of(active.lab.rows("transactions", batch=active.batch)))
    first = active.lab.answer(payload).payload
    active.lab.later(hours=9)
    assert active.lab.answer(payload).payload == first
    assert [row["batch"] for row in active.lab.rows("batches")] == ["000001", "000002"]


@pytest.mark.parametrize("change", ["firmware", "model hidden", "operator", "reason"])
def test_what_is_no_content_makes_no_other_request(active: Wire, change: str) -> None:
    """A terminal that was updated or changed its cashier between two tries would be told 94, and never finish."""
    sold = active.sell(5_000)
    fields = active.money(5_000, "", sold.stan) | {F.PAN: DEBIT, F.RESPONSE_CODE: "98", F.TEXT: "001"}
    first = unseal(active.lab.answer(active.build("sale_reversal", fields)).payload).message
    if change == "firmware":
        active.firmware = "2.2.0"
    elif change == "model hidden":
        active.extended = False
    else:
        fields |= {F.TEXT: "002"} if change == "operator" else {F.RESPONSE_CODE: "06"}
    ledger = active.lab.rows("transactions")
    assert active.send(active.build("sale_reversal", fields)) == first
    assert active.lab.rows("transactions") == ledger


def test_a_number_that_is_used_twice_is_on_record(active: Wire) -> None:
    """A terminal with a broken counter, or somebody who plays one, would go unnoticed."""
    stan = active.sell(1_234).stan
    assert active.reason(active.sale(1_235, stan=stan)) == "request.key_reused"
    [row] = active.lab.rows("audit", act="alarm")
    assert (row["actor"], row["serial_number"], row["detail"]) == ("host", active.serial_number, f"STAN {stan} reused")
