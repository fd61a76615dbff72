"""Offline sales, adjustments, codes, telephone orders and balances at the terminal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocol.fields import F
from protocol.private import pack_tags
from terminal.flows import FLOWS
from terminal.flows.offline import ADJUSTABLE
from terminal.flows.undo import VOIDS
from terminal.money import FLOW_OF
from terminal.transaction import MOVES_ORIGINAL, SIGNS, State
from tests.terminal.bench import Bench, bench_at, once, swallow, without_mac, wrong_mac
from tests.terminal.fake_host import DEBITS, Answer, FakeHost

CODE = "6200123456789012345"
PAN = "6200000200000003"
Rule = Callable[[Answer], None]


def test_the_tables_know_each_other() -> None:
    """A new kind would be sold and never counted, or undone at one end only."""
    assert dict.fromkeys(DEBITS, 1) | {"refund": -1} == SIGNS
    voids = {void: kind for rows in VOIDS.values() for kind, void in rows.items()}
    assert set(MOVES_ORIGINAL) == {*voids, *ADJUSTABLE, "preauth_void"}
    assert {kind for rows in VOIDS.values() for kind in rows} | {
        kind for row in ADJUSTABLE.values() for kind in row
    } == {*DEBITS}
    assert {FLOW_OF.get(kind, kind) for kind in (*SIGNS, *MOVES_ORIGINAL)} <= set(FLOWS)


# offline sales


async def signed_on(bench: Bench) -> None:
    assert (await bench.do("sign_in")).result == "done"


def unplug(bench: Bench) -> None:
    """The line is dead."""
    bench.hardware.faults.arm("line.no_signal", times=None)


async def test_an_offline_sale_asks_nobody(bench: Bench) -> None:
    """A bakery with a dead line would send its customers away."""
    await signed_on(bench)
    outcome = await bench.do("offline_sale", "50.00", "credit")
    assert (outcome.flow, outcome.result, outcome.stan) == ("offline_sale", "approved", "000002")
    assert "金额: RMB 50.00" in outcome.receipt_zh
    assert outcome.text_zh.endswith("待上送")
    assert [name for name, _ in bench.host.requests] == ["sign_in"]
    assert bench.states() == {"000002": "offline"}


async def test_it_is_uploaded_before_the_next_business(bench: Bench) -> None:
    """The host would learn of it after the batch was closed, or never (CUP 7.14)."""
    await signed_on(bench)
    await bench.do("offline_sale", "50.00", "credit")
    await bench.do("offline_sale", "20.00", "credit_second")
    assert (await bench.sell("1.00")).result == "approved"
    assert [name for name, _ in bench.host.requests] == ["sign_in", "offline_sale", "offline_sale", "sale"]
    request = bench.host.asked("offline_sale")[0]
    assert (request.mti, request.text(F.ENTRY_MODE), request.text(F.PAN)) == ("0220", "052", PAN)
    assert request.text(F.ORIGINAL)[-2:] == "02"
    assert not request.has(F.PIN_BLOCK)
    assert not request.has(F.TRACK2)
    assert bench.states() == {"000002": "captured", "000003": "captured", "000004": "captured"}
    assert bench.captured() == bench.host.captured()
    told = [(outcome.flow, outcome.result) for outcome in bench.terminal.told]
    assert told[1:] == [*[("offline_sale", "approved")] * 2, *[("upload", "done")] * 2, ("sale", "approved")]


async def test_a_settlement_uploads_first(bench: Bench) -> None:
    """A day of offline sales would be missing from the day's total."""
    await signed_on(bench)
    await bench.do("offline_sale", "50.00", "credit")
    settled = await bench.do("settle")
    assert (settled.detail["balanced"], settled.detail["debit_fen"]) == ("yes", "5000")
    assert bench.host.closed == {"000001": True}


@pytest.mark.parametrize("spoil", [swallow, wrong_mac, without_mac])
async def test_an_upload_that_is_not_answered_is_sent_again_unchanged(bench: Bench, spoil: Rule) -> None:
    """A customer would pay the bread twice, or the baker never get the money."""
    await signed_on(bench)
    await bench.do("offline_sale", "50.00", "credit")
    bench.host.after.append(once("offline_sale", spoil))
    assert (await bench.do("settle")).reason == "terminal.offline_pending"
    assert bench.states() == {"000002": "offline"}
    bench.restart()
    assert (await bench.do("settle")).result == "done"
    first, second = bench.host.asked("offline_sale")
    assert dict(first.without(F.MAC).fields) == dict(second.without(F.MAC).fields)


async def test_an_upload_in_vain_alarms_and_a_supervisor_may_drop_it(bench: Bench) -> None:
    """A till would refuse to sell for ever, and nobody know why."""
    await signed_on(bench)
    await bench.do("offline_sale", "50.00", "credit")
    bench.host.after.append(lambda answer: swallow(answer) if answer.kind == "offline_sale" else None)
    for _ in range(3):
        assert (await bench.sell()).reason == "terminal.offline_pending"
    assert "alarm: offline sale 000002 cannot be resolved" in bench.screens
    assert (await bench.do("clear_reversal")).detail["stans"] == "000002"
    assert bench.states() == {"000002": "cleared"}
    assert "was offline" in bench.terminal.book.events[-1].detail


async def test_an_upload_that_is_refused_is_written_down(bench: Bench) -> None:
    """A baker would wait for money that nobody pays."""
    await signed_on(bench)
    sold = await bench.do("offline_sale", "50.00", "credit")
    bench.host.before.append(once("offline_sale", lambda answer: answer.refuse("43", "card.stolen", "被窃卡")))
    assert (await bench.sell("1.00")).result == "approved"
    upload = bench.terminal.told[-2]
    assert (upload.flow, upload.result, upload.code, upload.stan) == ("upload", "refused", "43", sold.stan)
    assert bench.states()[sold.stan] == "declined"
    event = bench.terminal.book.events[-1]
    assert (event.what, event.detail) == ("offline sale refused", "offline_sale 000001/000002 5000 fen, code 43")
    assert bench.captured() == bench.host.captured()


@pytest.mark.parametrize("code", ["77", "A0", "99"])
async def test_a_host_that_wants_a_sign_on_first_declines_no_upload(bench: Bench, code: str) -> None:
    """Bread that was eaten would not be paid because a key was changed."""
    await signed_on(bench)
    await bench.do("offline_sale", "50.00", "credit")
    bench.host.before.append(once("offline_sale", lambda answer: answer.refuse(code)))
    assert (await bench.sell("1.00")).result == "approved"
    assert bench.states() == {"000002": "captured", "000004": "captured"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("200.00", "credit"), ""),
        (("200.01", "credit"), "terminal.above_floor_limit"),
        (("0.00", "credit"), "terminal.amount"),
        (("50.00", "debit:insert"), "terminal.online_only"),
        (("50.00", "debit:tap"), ""),
        (("50.00", "expired"), "terminal.card_expired"),
    ],
    ids=str,
)
async def test_what_is_sold_offline(bench: Bench, words: tuple[str, str], reason: str) -> None:
    """An expired card, or one that needs its PIN, would be good wherever the line is down."""
    await signed_on(bench)
    outcome = await bench.do("offline_sale", *words)
    assert outcome.reason == reason
    assert bool(bench.terminal.book.rows) is not bool(reason)


async def test_nothing_is_sold_offline_before_the_sign_on(bench: Bench) -> None:
    """A till that the host never saw would sell."""
    assert (await bench.do("offline_sale", "1.00", "credit")).reason == "terminal.not_signed_on"


async def test_nothing_is_sold_offline_while_something_is_open(bench: Bench) -> None:
    """Sales would pile up behind a reversal that nobody resolves (decision 4)."""
    bench.host.after.append(once("sale", swallow))
    assert (await bench.sell()).result == "unknown"
    assert (await bench.do("offline_sale", "1.00", "credit")).reason == "terminal.reversal_pending"
    assert (await bench.do("reverse")).result == "done"
    assert (await bench.do("offline_sale", "1.00", "credit")).result == "approved"
    bench.host.after.append(once("settlement", swallow))
    assert (await bench.do("settle")).result == "unknown"
    assert (await bench.do("offline_sale", "1.00", "credit")).reason == "terminal.settlement_pending"


async def test_only_so_many_wait() -> None:
    """A till with a cut cable would sell on credit all year (invariant M15)."""
    async with bench_at(FakeHost(), offline_max=2) as bench:
        await signed_on(bench)
        for _ in range(2):
            assert (await bench.do("offline_sale", "1.00", "credit")).result == "approved"
        assert (await bench.do("offline_sale", "1.00", "credit")).reason == "terminal.offline_full"
        assert (await bench.do("reverse")).result == "done"
        assert (await bench.do("offline_sale", "1.00", "credit")).result == "approved"


async def test_a_full_journal_sells_nothing_offline() -> None:
    """A sale would be made that cannot be written down (J8)."""
    async with bench_at(FakeHost(), journal_limit=1) as bench:
        await bench.sell("1.00")
        assert (await bench.do("offline_sale", "1.00", "credit")).reason == "terminal.journal_full"


# adjustments


async def test_a_tip_takes_the_place_of_the_sale(bench: Bench) -> None:
    """A guest would pay the meal twice, once with the tip and once without."""
    sold = await bench.sell("100.00", "credit", "")
    outcome = await bench.do("tip_adjustment", sold.stan, "110.00")
    assert (outcome.flow, outcome.result, outcome.amount_fen) == ("tip_adjustment", "approved", 11_000)
    request = bench.host.asked("tip_adjustment")[0]
    assert (request.mti, request.text(F.ORIGINAL)) == ("0220", f"000001{sold.stan}0301")
    assert (request.text(F.RRN), request.text(F.PAN)) == (sold.rrn, PAN)
    assert bench.states() == {sold.stan: "adjusted", outcome.stan: "captured"}
    assert bench.captured() == bench.host.captured()
    assert bench.terminal.book.net_fen == 11_000
    assert (await bench.do("tip_adjustment", sold.stan, "111.00")).reason == "terminal.original_undone"
    assert (await bench.do("void", sold.stan)).reason == "terminal.original_undone"
    assert (await bench.do("void", outcome.stan)).result == "approved"
    assert bench.captured() == bench.host.captured() == set()


async def test_an_offline_sale_is_uploaded_before_it_is_adjusted(bench: Bench) -> None:
    """The host would hear of the correction first, and know nothing to correct."""
    await signed_on(bench)
    sold = await bench.do("offline_sale", "50.00", "credit")
    assert (await bench.do("offline_adjustment", sold.stan, "45.00")).result == "approved"
    assert [name for name, _ in bench.host.requests][-2:] == ["offline_sale", "offline_adjustment"]
    assert bench.host.asked("offline_adjustment")[0].text(F.ORIGINAL)[-2:] == "02"
    assert bench.captured() == bench.host.captured()
    assert bench.terminal.book.net_fen == 4_500


async def test_a_lost_adjustment_is_sent_again(bench: Bench) -> None:
    """A lost reply would leave the tip in one book only."""
    sold = await bench.sell("100.00", "credit", "")
    bench.host.after.append(once("tip_adjustment", swallow))
    assert (await bench.do("tip_adjustment", sold.stan, "110.00")).result == "unknown"
    assert bench.states()[sold.stan] == "captured"
    assert (await bench.do("settle")).result == "done"
    assert bench.host.closed == {"000001": True}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("x", "1.00"), "terminal.entry"),
        (("2", "x"), "terminal.amount"),
        (("9", "1.00"), "terminal.original_not_found"),
        (("2", "1.00"), "terminal.original_not_found"),
    ],
)
async def test_adjustments_of_nothing(bench: Bench, words: tuple[str, str], reason: str) -> None:
    """A mistyped number would change somebody else's bill."""
    await bench.sell("100.00", "credit", "")
    assert (await bench.do("offline_adjustment", *words)).reason == reason
    assert not bench.host.asked("offline_adjustment")


# codes, telephone, balance


async def test_a_code_pays_and_is_kept_nowhere(bench: Bench) -> None:
    """A customer's code would lie in the journal for whoever steals the till."""
    outcome = await bench.do("qr_sale", "10.00", CODE)
    assert (outcome.flow, outcome.result) == ("qr_sale", "approved")
    request = bench.host.asked("qr_sale")[0]
    assert (request.text(F.ENTRY_MODE), request.has(F.PAN), request.has(F.TRACK2)) == ("032", False, False)
    assert request.octets(F.DEVICE).endswith(pack_tags([("A3", CODE.encode())]))
    assert outcome.detail["order"] == f"{1:020d}"
    assert f"订单号: {1:020d}" in outcome.receipt_zh
    image = bench.hardware.chips.journal.image
    assert CODE.encode() not in image
    assert bytes.fromhex(CODE + "0") not in image
    assert CODE not in repr(bench.terminal.told) + repr(bench.hardware.shown)
    assert bench.captured() == bench.host.captured()


async def test_a_lost_scan_is_reversed_without_the_code(bench: Bench) -> None:
    """A customer would pay for what was not handed over."""
    bench.host.after.append(once("qr_sale", swallow))
    assert (await bench.do("qr_sale", "10.00", CODE)).result == "unknown"
    assert (await bench.do("reverse")).result == "done"
    assert CODE.encode() not in bench.host.asked("qr_sale_reversal")[0].octets(F.DEVICE)
    assert bench.captured() == bench.host.captured() == set()


async def test_a_scan_is_voided_and_uploaded_without_a_card(bench: Bench) -> None:
    """A batch with scans in it could not be settled where the books differ."""
    first = await bench.do("qr_sale", "10.00", CODE)
    await bench.do("qr_sale", "20.00", "2800" + CODE[4:])
    await bench.sell("1.00")
    assert (await bench.do("void", first.stan)).result == "approved"
    bench.host.before.append(once("settlement", lambda answer: answer.refuse("95", "settlement.unbalanced")))
    assert (await bench.do("settle")).detail["balanced"] == "no"
    assert bench.host.uploaded == {"000003": 2_000, "000004": 100}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("x", CODE), "terminal.amount"),
        (("1.00", "123"), "terminal.payment_code"),
        (("1.00", "６" * 18), "terminal.payment_code"),
    ],
)
async def test_scans_that_make_no_sense(bench: Bench, words: tuple[str, str], reason: str) -> None:
    """A shopping list that was scanned would be sent to the host."""
    assert (await bench.do("qr_sale", *words)).reason == reason
    assert bench.host.requests == []


@pytest.mark.parametrize("order", [b"", b"A4", b"A4020\xff", pack_tags([("A4", b"\n" * 20)]), b"junk"])
async def test_an_order_number_that_is_none(bench: Bench, order: bytes) -> None:
    """A foreign host's field 59 would stop a sale that was approved."""

    def change(answer: Answer) -> None:
        answer.fields.pop(F.DEVICE)
        if order:
            answer.fields[F.DEVICE] = order

    bench.host.after.append(once("qr_sale", change))
    outcome = await bench.do("qr_sale", "10.00", CODE)
    assert (outcome.result, outcome.detail.get("order")) == ("approved", None)


async def test_a_number_is_keyed_only_where_that_is_allowed(bench: Bench) -> None:
    """Any cashier could charge a number read off a photograph (CUP 7.20)."""
    assert (await bench.do("moto_sale", "10.00", PAN, "3012")).reason == "terminal.no_manual_entry"
    assert bench.host.requests == []


async def test_a_sale_by_telephone() -> None:
    """A florist could not sell to somebody who calls."""
    async with bench_at(FakeHost(), manual_entry=True) as bench:
        for words in (
            ("x", PAN, "3012"),
            ("10.00", "620000020000000", "3012"),
            ("10.00", PAN[:-1] + "4", "3012"),
            ("10.00", PAN, "3013"),
        ):
            assert (await bench.do("moto_sale", *words)).reason in ("terminal.amount", "terminal.entry")
        sold = await bench.do("moto_sale", "10.00", PAN, "3012")
        assert (sold.result, sold.flow) == ("approved", "moto_sale")
        request = bench.host.asked("moto_sale")[0]
        assert (request.text(F.ENTRY_MODE), request.text(F.CONDITION_CODE)) == ("012", "08")
        assert (request.text(F.PAN), request.text(F.EXPIRY), request.has(F.TRACK2)) == (PAN, "3012", False)
        outcome = await bench.do("void", sold.stan)
        assert (outcome.flow, outcome.result) == ("void", "approved")
        assert bench.host.asked("moto_sale_void")[0].text(F.CONDITION_CODE) == "08"
        assert bench.captured() == bench.host.captured() == set()


@pytest.mark.parametrize(("card", "pin"), [("debit:insert", "123456"), ("credit", ""), ("debit:tap", "123456")])
async def test_the_balance_is_shown_and_not_written_down(bench: Bench, card: str, pin: str) -> None:
    """A customer could not ask before buying, or the till would keep what others have."""
    outcome = await bench.do("balance", card, pin)
    assert (outcome.result, outcome.detail["balance_fen"], outcome.receipt_zh) == ("done", "12345", ())
    assert "123.45 yuan are available" in bench.screens
    request = bench.host.asked("balance")[0]
    assert (request.text(F.PROCESSING_CODE), request.has(F.AMOUNT)) == ("310000", False)
    assert request.text(F.CONTROL)[11:] == "6"
    assert request.has(F.PIN_BLOCK) is bool(pin)
    assert bench.terminal.book.rows == {}
    assert (await bench.sell()).stan == "000003"


def _no_balance(answer: Answer) -> None:
    answer.fields.pop(F.ADDITIONAL_AMOUNT)


@pytest.mark.parametrize(
    ("spoil", "result", "reason"),
    [
        (swallow, "unknown", "terminal.no_answer"),
        (without_mac, "unknown", "terminal.bad_reply"),
        (_no_balance, "unknown", "terminal.bad_reply"),
        (lambda answer: answer.refuse("55", "card.wrong_pin"), "refused", "card.wrong_pin"),
    ],
)
async def test_a_balance_that_does_not_come(bench: Bench, spoil: Rule, result: str, reason: str) -> None:
    """A customer would be shown a number that anybody may have made up."""
    bench.host.after.append(once("balance", spoil))
    outcome = await bench.do("balance", "credit")
    assert (outcome.result, outcome.reason) == (result, reason)
    assert bench.terminal.book.unresolved == ()


@pytest.mark.parametrize("card", ["debit:insert", "debit:tap"])
async def test_a_balance_needs_the_pin_of_a_card_that_wants_one(bench: Bench, card: str) -> None:
    """A finder of a card would read its balance, and tapping it would be enough."""
    assert (await bench.do("balance", card)).reason == "terminal.pin_required"
    assert bench.host.requests == []


async def test_no_line_no_balance(bench: Bench) -> None:
    """A till would wait for ever."""
    await signed_on(bench)
    bench.terminal.board.line.close()
    unplug(bench)
    assert (await bench.do("balance", "credit")).reason == "terminal.no_line"
    assert (await bench.do("offline_sale", "1.00", "credit")).result == "approved"
    assert [row.state for row in bench.terminal.book.rows.values()] == [State.OFFLINE]
