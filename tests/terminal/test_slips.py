"""Slips: what is on them, who gets them, what a bad printer does, reprints; and practice, which leaves no trace."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from firmware_sim.power import cuts
from firmware_sim.printer import CUT_HERE
from protocol.emv import decode_chip_data
from protocol.kinds import KINDS
from terminal.flows import FLOWS
from terminal.flows.training import BARRED, PRACTISED, is_barred
from terminal.receipts import CHIP_LINES, DUPLICATE, PRACTICE, Copy, slips
from terminal.settings import Settings
from terminal.transaction import SIGNS, Event, Signing, Transaction
from tests.terminal.bench import Bench, bench_at
from tests.terminal.fake_host import FakeHost

PIN = "123456"
SMART, OLD = "PX-A920", "PX-S80"
SETTINGS = Settings(terminal_id="10000001", merchant_id="898100000000001", merchant_name="街角便利店")


@pytest.fixture
async def shop() -> AsyncIterator[Bench]:
    """A model with printer and pad."""
    async with bench_at(FakeHost(), model=SMART, manual_entry=True) as built:
        yield built


def printed(bench: Bench) -> list[list[str]]:
    """The slips that came out whole."""
    slips: list[list[str]] = [[]]
    for line in bench.hardware.paper:
        if line == CUT_HERE:
            slips.append([])
        else:
            slips[-1].append(line)
    return slips[:-1]


def row_of(signature: Signing, kind: str = "sale") -> Transaction:
    row = Transaction(kind=kind, batch="000001", stan="000002", amount_fen=6000, entry_mode="051", signature=signature)
    return row.moved(Event.APPROVE, rrn="000000000001", settlement_date="0301")


@pytest.mark.parametrize(
    ("signature", "merchant", "cardholder"),
    [
        (Signing.NONE, "", ""),
        (Signing.FREE, "免签: 交易金额未超过300.00元，无需签名", "免签: 交易金额未超过300.00元，无需签名"),
        (Signing.DUE, "交易特征码: 03010001", "交易特征码: 03010001"),
        (Signing.CAPTURED, "持卡人已电子签名", "持卡人已电子签名"),
        (Signing.UPLOADED, "持卡人已电子签名", "持卡人已电子签名"),
        (Signing.PAPER, "持卡人签名: ________________", "交易特征码: 03010001"),
    ],
)
def test_how_a_slip_is_signed(signature: Signing, merchant: str, cardholder: str) -> None:
    """The shop would have a slip without a line to sign on, or the customer would sign twice."""
    for copy, expected in ((Copy.MERCHANT, merchant), (Copy.CARDHOLDER, cardholder)):
        chinese, english = slips(row_of(signature), SETTINGS, copy)
        assert len(chinese) == len(english)
        assert chinese[-1] == copy.value[0]
        assert not expected or expected in chinese
        assert DUPLICATE not in chinese
        assert ("持卡人签名: ________________" in chinese) is (expected.startswith("持卡人签名"))


@pytest.mark.parametrize("kind", [name for name in SIGNS if name != "tip_adjustment"] + ["sale_void", "preauth"])
def test_every_kind_has_a_slip_under_its_name(kind: str) -> None:
    """A customer who gets money back would hold the slip of a sale."""
    row = row_of(Signing.NONE, kind)
    chinese, english = slips(row, SETTINGS, duplicate=True)
    assert (chinese[0], english[0]) == (row.row.chinese, row.row.english)
    assert chinese[-1] == english[-1] == DUPLICATE


async def test_both_copies_are_printed_after_the_signature(shop: Bench) -> None:
    """The merchant's slip would ask for a pen although the pad has the signature."""
    outcome = await shop.do("sale", "60.00", "credit", PIN, "loop")
    merchant, cardholder = printed(shop)
    assert (merchant[-1], cardholder[-1]) == ("商户存根", "持卡人存根")
    assert "持卡人已电子签名" in merchant
    row = shop.terminal.book.find(outcome.stan)
    assert row is not None
    assert row.printed
    chip = {node.tag for node in decode_chip_data(bytes.fromhex(row.chip))}
    assert {0x84, 0x95, 0x9F36} <= chip
    labels = {**CHIP_LINES, 0x9F26: "TC"}
    assert chip >= CHIP_LINES.keys()
    assert all(any(line.startswith(f"{label}: ") for line in merchant) for label in labels.values())
    assert not any("6200000200000003" in line for line in shop.hardware.paper)


async def test_without_a_pad_the_merchants_copy_is_signed() -> None:
    """A shop with an old model would have no signature at all."""
    async with bench_at(FakeHost(), model=OLD, slip_language="en") as bench:
        assert (await bench.do("sale", "60.00", "credit", PIN)).is_good
        merchant, cardholder = printed(bench)
        assert "signature: ________________" in merchant
        assert "signature: ________________" not in cardholder
        assert merchant[0] == "sale"


async def test_a_signature_that_is_given_up_is_asked_for_on_paper(shop: Bench) -> None:
    """Neither the host nor the shop would have the customer's signature."""
    shop.host.before.append(lambda answer: answer.refuse("96") if answer.kind == "signature_upload" else None)
    assert (await shop.do("sale", "60.00", "credit", PIN)).is_good
    shop.hardware.paper.clear()
    assert (await shop.do("settle")).is_good
    paper, totals = printed(shop)
    assert {"持卡人签名: ________________", DUPLICATE} <= set(paper)
    assert totals[0] == "结算总计单"
    assert {"借记: 1 / 60.00", "贷记: 0 / 0.00", "净额: RMB 60.00", "结果: 对账平"} <= set(totals)


async def test_the_power_goes_while_it_prints() -> None:
    """Half a slip would be all that the customer has, and the money be booked twice or not at all (T05, T06)."""
    async with bench_at(FakeHost(), model=SMART) as bench:
        await bench.do("sign_in")
        with bench.hardware.power.watched() as points:
            await bench.do("sale", "60.00", "credit", PIN)
    lines = [(number, phase) for number, phase in cuts(points) if points[number - 1] == "printer.line"]
    assert len(lines) > 40
    for number, phase in lines:
        async with bench_at(FakeHost(), model=SMART) as bench:
            await bench.do("sign_in")
            bench.hardware.power.cut_at(number, phase)
            assert await bench.do_or_die("sale", "60.00", "credit", PIN) is None
            assert bench.captured() == bench.host.captured() != set()
            assert any("reprint it" in screen for screen in bench.screens)
            assert (await bench.do("reprint", "2")).is_good
            assert printed(bench)[-1][-1] == DUPLICATE
            assert (await bench.do("settle")).detail["balanced"] == "yes"
            assert len(bench.host.asked("sale")) == 1


async def test_reprint_on_a_model_without_printer(bench: Bench) -> None:
    """The shop could not show the slip of a customer who comes back."""
    for amount in ("60.00", "61.00"):
        await bench.do("sale", amount, "credit", PIN)
    last, first = await bench.do("reprint"), await bench.do("reprint", "000002")
    assert "金额: RMB 61.00" in last.receipt_zh
    assert "金额: RMB 60.00" in first.receipt_zh
    assert last.receipt_en[-1] == DUPLICATE
    assert bench.hardware.shown[-1].en.endswith(DUPLICATE)
    assert bench.hardware.paper == []


@pytest.mark.parametrize(("stan", "reason"), [("9", "nothing_to_print"), ("1x", "entry"), ("", "nothing_to_print")])
async def test_what_cannot_be_reprinted(bench: Bench, stan: str, reason: str) -> None:
    """A slip would be handed out for a sale that never was."""
    await bench.do("sign_in")
    assert (await bench.do("reprint", stan)).reason == f"terminal.{reason}"


async def test_no_slip_of_a_voided_sale(bench: Bench) -> None:
    """A customer would leave with a good slip for what was taken back (M5)."""
    await bench.do("sale", "60.00", "credit", PIN)
    assert (await bench.do("void", "2")).is_good
    assert (await bench.do("reprint", "2")).reason == "terminal.nothing_to_print"
    assert (await bench.do("reprint")).receipt_en[0] == "sale void"


@pytest.mark.feature("X13")
async def test_practice_leaves_no_trace(shop: Bench) -> None:
    """A trainee's sale would be charged, or end up in the day's totals (X13)."""
    assert (await shop.do("sale", "60.00", "credit", PIN)).is_good
    assert (await shop.do("training", "on")).is_good
    before = shop.terminal.book
    asked = len(shop.host.requests)
    shop.hardware.paper.clear()
    shop.restart()
    for words in (
        ("sale", "1.00", "credit", PIN),
        ("qr_sale", "1.00", "6212345678901234"),
        ("preauth", "1.00", "credit", PIN),
        ("moto_sale", "1.00", "6200000100000004", "3012"),
        ("refund", "1.00", "credit", "000000000001", "0301"),
    ):
        outcome = await shop.do(*words)
        assert (outcome.result, outcome.stan, outcome.amount_fen) == ("done", "", 100), outcome
        assert outcome.receipt_en[0] == outcome.receipt_zh[-1] == PRACTICE
    assert shop.hardware.paper.count(PRACTICE) == 10
    assert all(screen.startswith("[TRAINING]") for screen in shop.screens[-4:])
    assert (await shop.do("settle")).reason == "terminal.training"
    assert len(shop.host.requests) == asked
    assert shop.terminal.book == before
    assert (await shop.do("training", "off")).is_good
    assert (await shop.do("sale", "1.00", "credit", PIN)).stan == "000003"
    assert (await shop.do("settle")).detail["debit_count"] == "2"


@pytest.mark.feature("X13")
async def test_practice_before_the_first_sign_on() -> None:
    """A shop could not practise before it has its keys."""
    async with bench_at(FakeHost(), with_keys=False) as bench:
        await bench.do("training", "on")
        assert (await bench.do("sale", "1.00", "credit", PIN)).result == "done"
        assert bench.host.requests == []
        assert (await bench.do("training", "perhaps")).reason == "terminal.entry"


def test_what_cannot_be_practised_waits() -> None:
    """A flow that somebody adds would move real money in a training."""
    barred = {name for name in FLOWS if is_barred(name)}
    money = {name for name in FLOWS if name in KINDS and KINDS[name].moves_money}
    assert barred == money - PRACTISED | BARRED
    assert FLOWS.keys() >= PRACTISED | BARRED
    assert not PRACTISED & BARRED
    assert {"offline_sale", "void", "completion", "settle"} <= barred
    assert not {"reverse", "sign_in", "training", "reprint", "sale"} & barred


@pytest.mark.feature("X13")
async def test_what_waits_is_refused_in_training(bench: Bench) -> None:
    """An offline sale in a training would be uploaded and charged."""
    assert (await bench.do("sign_in")).is_good
    await bench.do("training", "on")
    assert (await bench.do("offline_sale", "1.00", "credit")).reason == "terminal.training"
    assert bench.terminal.book.rows == {}
