"""A sale, from the keys to the slip, and everything that may come instead of its approval."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocol.crypto.pinblock import decrypt_pin_block
from protocol.fields import F
from protocol.private import DeviceInfo, unpack_tags
from tests.terminal.bench import Bench, bench_at, once, swallow, without_mac, wrong_mac
from tests.terminal.fake_host import Answer, FakeHost


async def test_a_sale_signs_on_captures_and_prints(bench: Bench) -> None:
    """The simplest thing a shop does would not work."""
    outcome = await bench.sell()
    assert (outcome.result, outcome.code, outcome.amount_fen, outcome.stan) == ("approved", "00", 6000, "000002")
    assert [name for name, _ in bench.host.requests] == ["sign_in", "sale"]
    assert bench.captured() == bench.host.captured()
    assert "金额: RMB 60.00" in outcome.receipt_zh
    assert "card: 620000******0004" in outcome.receipt_en
    assert any("RMB 60.00" in screen for screen in bench.screens)
    assert bench.terminal.told[-1] is outcome


async def test_the_request_has_the_fields_of_the_clause(bench: Bench) -> None:
    """A real acquirer would answer 30 to every sale."""
    await bench.sell(card="debit_second")
    request = bench.host.asked("sale")[0]
    expected = {
        F.PAN: "6200000100000012",
        F.PROCESSING_CODE: "000000",
        F.AMOUNT: "000000006000",
        F.ENTRY_MODE: "051",
        F.PAN_SEQUENCE: "001",
        F.CONDITION_CODE: "00",
        F.PIN_CAPTURE: "12",
        F.CURRENCY: "156",
        F.SECURITY: "2610000000000000",
        F.CONTROL: "220000010006",
        F.TEXT: "01 ",
    }
    assert {number: request.text(number) for number in expected} == expected
    assert DeviceInfo.parse(request.octets(F.DEVICE)) == DeviceInfo("PXE9000000001", "02010000", "PX-E90")
    assert bench.host.keys is not None
    assert decrypt_pin_block(bench.host.keys.pik, request.octets(F.PIN_BLOCK), "6200000100000012") == "123456"
    assert (request.header.version if request.header else "") == "32"


@pytest.mark.parametrize(
    ("card", "entry_mode"), [("debit", "072"), ("credit", "052"), ("credit_second", "022")], ids=str
)
async def test_without_a_pin(bench: Bench, card: str, entry_mode: str) -> None:
    """A card without PIN would be refused for a PIN block that is none."""
    await bench.do("sale", "1.00", card)
    request = bench.host.asked("sale")[0]
    assert (request.text(F.ENTRY_MODE), request.text(F.SECURITY)) == (entry_mode, "0610000000000000")
    assert not request.has(F.PIN_BLOCK)
    assert not request.has(F.PIN_CAPTURE)


@pytest.mark.feature("F")
async def test_a_lost_reply_is_reversed_before_the_next_sale(bench: Bench) -> None:
    """The customer pays for a sale that the shop never saw."""
    await bench.do("sign_in")
    bench.host.after.append(once("sale", swallow))
    outcome = await bench.sell()
    assert (outcome.result, outcome.reason, outcome.receipt_zh) == ("unknown", "terminal.no_answer", ())
    assert bench.states() == {"000002": "must_reverse"}
    assert bench.host.captured() != set()
    assert (await bench.sell("1.00")).result == "approved"
    reversal = bench.host.asked("sale_reversal")[0]
    original = bench.host.asked("sale")[0]
    same = (F.PROCESSING_CODE, F.AMOUNT, F.STAN, F.ENTRY_MODE, F.CONDITION_CODE, F.CURRENCY, F.CONTROL)
    assert all(reversal.text(number) == original.text(number) for number in same)
    assert reversal.text(F.RESPONSE_CODE) == "98"
    assert all(reversal.text(number) == original.text(number) != "" for number in (F.PAN, F.EXPIRY))
    assert not any(reversal.has(number) for number in (F.TRACK2, F.PIN_BLOCK, F.PIN_CAPTURE))
    assert original.text(F.PAN).encode() not in bench.hardware.chips.journal.image
    assert bench.captured() == bench.host.captured()
    assert "reversed" in bench.states().values()


@pytest.mark.parametrize("spoil", [wrong_mac, without_mac])
@pytest.mark.feature("F")
async def test_an_approval_that_nobody_proved_is_reversed(bench: Bench, spoil: object) -> None:
    """Whoever can change bytes on the line could hand out goods for free."""
    await bench.do("sign_in")
    bench.host.after.append(once("sale", spoil))  # type: ignore[arg-type]
    outcome = await bench.sell()
    assert (outcome.result, outcome.reason) == ("unknown", "terminal.bad_reply")
    assert (await bench.do("reverse")).result == "done"
    assert bench.host.asked("sale_reversal")[0].text(F.RESPONSE_CODE) == "A0"
    assert bench.host.captured() == bench.captured() == set()


@pytest.mark.parametrize("code", ["10", "68", "98", "W1"])
async def test_a_code_that_leaves_the_outcome_open_is_reversed(bench: Bench, code: str) -> None:
    """A partial approval or a silent issuer would be booked as a decline while the card is charged."""
    bench.host.after.append(once("sale", lambda answer: answer.fields.update({F.RESPONSE_CODE: code})))
    outcome = await bench.sell()
    assert (outcome.result, outcome.code) == ("unknown", code)
    assert bench.states() == {"000002": "must_reverse"}
    assert (await bench.do("reverse")).is_good
    assert bench.host.captured() == bench.captured() == set()


async def test_an_approval_of_a_part_is_reversed_at_once(bench: Bench) -> None:
    """The customer would go away with goods for 60.00 while the card was charged 40.00, or the shop with nothing."""
    await bench.do("sign_in")

    def in_part(answer: Answer) -> None:
        answer.fields |= {F.RESPONSE_CODE: "10", F.AMOUNT: "000000004000"}
        [row] = bench.host.book.values()
        row.amount_fen = 4000

    bench.host.after.append(once("sale", in_part))
    outcome = await bench.sell()
    assert (outcome.result, outcome.code, outcome.amount_fen, outcome.receipt_zh) == ("unknown", "10", 6000, ())
    assert bench.states() == {"000002": "must_reverse"}
    assert not bench.terminal.session.ignored
    assert (await bench.do("reverse")).is_good
    reversal = bench.host.asked("sale_reversal")[0]
    assert (reversal.text(F.AMOUNT), reversal.text(F.RESPONSE_CODE)) == ("000000006000", "06")
    assert bench.host.captured() == bench.captured() == set()
    assert bench.terminal.book.net_fen == 0


async def test_a_proven_decline_is_final(bench: Bench) -> None:
    """A card without money would leave a reversal behind, and the shop could not sell."""
    bench.host.before.append(once("sale", lambda answer: answer.refuse("51", "card.no_funds", "余额不足")))
    bench.host.why = {"RC": "card.no_funds", "EN": "insufficient funds", "RZ": "请换卡", "RE": "use another card"}
    outcome = await bench.sell()
    assert (outcome.result, outcome.code, outcome.reason) == ("refused", "51", "card.no_funds")
    assert (outcome.text_zh, outcome.text_en) == ("余额不足", "insufficient funds")
    assert (outcome.remedy_zh, outcome.remedy_en) == ("请换卡", "use another card")
    assert bench.states() == {"000002": "declined"}
    assert "51 insufficient funds use another card" in bench.screens
    asked = bench.host.asked("why")[0]
    assert unpack_tags(asked.octets(F.PAYLOAD), field=F.PAYLOAD) == {"AK": b"sale", "RC": b"card.no_funds"}
    assert asked.has(F.MAC)


@pytest.mark.parametrize("spoil", [without_mac, wrong_mac])
async def test_a_forged_remedy_is_not_shown(bench: Bench, spoil: Callable[[Answer], None]) -> None:
    """Whoever writes on the line could tell the cashier to hand out the goods."""
    bench.host.before.append(once("sale", lambda answer: answer.refuse("51", "card.no_funds", "余额不足")))
    bench.host.why = {"RC": "card.no_funds", "ZH": "已付款", "EN": "paid", "RZ": "请交货", "RE": "hand out the goods"}
    bench.host.after.append(lambda answer: spoil(answer) if answer.kind == "why" else None)
    outcome = await bench.sell()
    assert (outcome.result, outcome.code, outcome.reason) == ("refused", "51", "card.no_funds")
    assert (outcome.text_zh, outcome.remedy_zh, outcome.remedy_en) == ("余额不足", "", "")
    assert (await bench.do("why")).reason == "terminal.bad_reply"
    assert not any("goods" in screen for screen in bench.screens)


def _decline_unproven(answer: Answer) -> None:
    answer.refuse("51")
    without_mac(answer)


@pytest.mark.parametrize("spoil", [without_mac, wrong_mac])
async def test_a_forged_decline_is_told_as_unknown_and_reversed(bench: Bench, spoil: Callable[[Answer], None]) -> None:
    """The customer would hear that nothing was charged, and pay a second time in cash."""

    def flipped(answer: Answer) -> None:
        answer.refuse("51", "card.no_funds")
        spoil(answer)

    bench.host.after.append(once("sale", flipped))
    outcome = await bench.sell()
    assert (outcome.result, outcome.code, outcome.reason) == ("unknown", "51", "terminal.bad_reply")
    assert (bench.states(), bench.host.asked("why")) == ({"000002": "must_reverse"}, [])
    assert bench.host.captured() != set()
    assert (await bench.sell("1.00")).result == "approved"
    assert bench.states()["000002"] == "reversed"
    assert bench.captured() == bench.host.captured()


async def test_a_plain_decline_of_a_host_that_makes_none() -> None:
    """A foreign host's decline, which has no MAC, would block the shop."""
    async with bench_at(FakeHost(), decline_mac="optional") as bench:
        bench.host.after.append(once("sale", _decline_unproven))
        outcome = await bench.sell()
        assert (outcome.result, outcome.code, outcome.text_en) == ("refused", "51", "insufficient funds")
        assert bench.states() == {"000002": "declined"}


def _unknown(answer: Answer) -> None:
    if answer.kind != "why":
        answer.refuse("97", "terminal.unknown", "未登记")


async def test_a_refused_sign_on_is_the_outcome_of_the_sale(bench: Bench) -> None:
    """An unregistered shop would see only that something failed, and not what to do."""
    bench.host.before.append(_unknown)
    bench.host.why = {"RC": "terminal.unknown", "ZH": "终端号未登记", "EN": "no such terminal", "RZ": "请登记"}
    outcome = await bench.sell()
    assert (outcome.flow, outcome.result, outcome.code, outcome.reason) == ("sale", "refused", "97", "terminal.unknown")
    assert (outcome.text_zh, outcome.remedy_zh) == ("终端号未登记", "请登记")
    assert bench.host.asked("sale") == []
    assert bench.terminal.book.rows == {}
    assert len(bench.host.asked("sign_in")) == 1


async def test_a_foreign_host_that_says_little(bench: Bench) -> None:
    """A host that sends spaces in field 63, or a code that no table has, would crash the terminal."""

    def terse(answer: Answer) -> None:
        answer.fields[F.RESPONSE_CODE] = "Z9"
        answer.fields[F.TEXT] = "   "

    bench.host.before.append(once("sale", terse))
    outcome = await bench.sell()
    assert (outcome.result, outcome.code, outcome.text_en, outcome.reason) == ("refused", "Z9", "failed", "")
    assert bench.host.asked("why") == []


async def test_no_sale_while_a_reversal_is_pending(bench: Bench) -> None:
    """Unresolved money would pile up behind a line that is down for reversals only."""
    await bench.do("sign_in")
    bench.host.after.append(lambda answer: swallow(answer) if "sale" in answer.kind else None)
    await bench.sell()
    for tries in (1, 2, 3, 4):
        outcome = await bench.sell()
        assert (outcome.result, outcome.reason) == ("refused", "terminal.reversal_pending")
        assert outcome.detail["tries"] == str(min(tries, 3))
    assert len(bench.host.asked("sale")) == 1
    assert bench.screens.count("alarm: sale 000002 cannot be resolved") == 2
    bench.restart()
    assert bench.screens.count("alarm: sale 000002 cannot be resolved") == 3
    bench.host.after.clear()
    assert (await bench.sell()).result == "approved"
    assert bench.captured() == bench.host.captured()


async def test_a_line_that_is_down_leaves_no_trace(bench: Bench) -> None:
    """A shop without network could not even try again later: every try would want a reversal."""
    await bench.do("sign_in")
    bench.terminal.board.line.close()
    bench.terminal.board.line._endpoint = bench.terminal.board.line._endpoint.parse("memory:nobody")
    outcome = await bench.sell()
    assert (outcome.result, outcome.reason) == ("refused", "terminal.no_line")
    assert bench.terminal.book.rows == {}


async def test_a_full_journal_refuses_before_the_host_is_asked() -> None:
    """A sale would be approved with no room to write that down."""
    async with bench_at(FakeHost(), journal_limit=2) as bench:
        for _ in range(2):
            assert (await bench.sell()).result == "approved"
        asked = len(bench.host.requests)
        outcome = await bench.sell()
        assert (outcome.result, outcome.reason) == ("refused", "terminal.journal_full")
        assert len(bench.host.requests) == asked
        assert (await bench.do("settle")).result == "done"
        assert (await bench.sell()).result == "approved"


async def test_room_is_kept_for_what_ends_a_sale() -> None:
    """The last sale that fits could not be reversed, and a full terminal not be settled."""
    async with bench_at(FakeHost(), model="RY-M20") as bench:
        while (outcome := await bench.do("sale", "1.00", "debit")).result == "approved":
            if len(bench.terminal.book.rows) == 40:
                bench.host.after.append(once("sale", swallow))
        assert outcome.result == "unknown"
        while (outcome := await bench.do("sale", "1.00", "debit")).result == "approved":
            assert len(bench.terminal.book.rows) < bench.settings.journal_limit
        assert outcome.reason == "terminal.journal_full"
        assert bench.states()["000042"] == "reversed"
        assert bench.captured() == bench.host.captured()
        assert (await bench.do("settle")).detail["balanced"] == "yes"


@pytest.mark.parametrize(
    ("words", "reason"), [(("60",), ""), (("0.00",), "amount"), (("6,00",), "amount"), (("٦.00",), "amount")]
)
async def test_amounts_as_they_are_keyed(bench: Bench, words: tuple[str, ...], reason: str) -> None:
    """A typing slip would charge another amount than the cashier meant."""
    outcome = await bench.do("sale", *words, "debit", "123456")
    assert (outcome.result, outcome.reason) == (("refused", f"terminal.{reason}") if reason else ("approved", ""))


async def test_cancel_and_no_card(bench: Bench) -> None:
    """A customer who walks away would leave a terminal that hangs."""
    bench.terminal.board.keypad.cancel()
    assert (await bench.terminal.run("sale")).reason == "terminal.cancelled"
    bench.terminal.board.keypad.press("1.00")
    assert (await bench.terminal.run("sale")).reason == "terminal.entry_timeout"
    assert bench.terminal.book.rows == {}


async def test_no_pin_where_one_is_asked_for(bench: Bench) -> None:
    """The PIN that is missing would be the one of the customer before."""
    await bench.sell(card="debit_stripe")
    outcome = await bench.terminal.run("sale", amount_fen=6000, card="debit_stripe", pin="")
    assert "123456" not in str(outcome)
    assert not bench.terminal.board.keypad._secure_entry.take()
