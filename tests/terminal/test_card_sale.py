"""Swipe, chip and tap: what is asked of the cardholder, what the chip has a word in, and what may go wrong with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from firmware_sim.card_reader import MALFORMED
from firmware_sim.cards import TEST_CARDS
from firmware_sim.errors import DeviceError, UnknownName
from firmware_sim.keypad import Key
from firmware_sim.power import cuts
from host.issuer import SCRIPT, answer_chip, find_issuer, proves_chip
from protocol.emv import decode_chip_data
from protocol.fields import F
from protocol.message import Message
from protocol.private import Original
from protocol.tlv import Node, encode, value_of
from terminal.chip_objects import REQUEST_TAGS, SCRIPT_TAGS
from terminal.outcome import Outcome
from tests.terminal.bench import Bench, bench_at, once, swallow
from tests.terminal.fake_host import Answer, FakeHost

PIN = "123456"


def chip_of(request: Message) -> tuple[Node, ...]:
    """Field 55."""
    return decode_chip_data(request.octets(F.ICC))


def proven(spoil: Callable[[bytes], bytes] = lambda told: told, script: bytes = b"") -> Callable[[Answer], None]:
    """A rule: the card's issuer proves itself to the chip, as ``spoil`` leaves it."""

    def rule(answer: Answer) -> None:
        request = answer.request
        if answer.kind != "sale" or not request.has(F.ICC):
            return
        issuer = find_issuer(request.text(F.PAN))
        assert issuer is not None
        code = str(answer.fields[F.RESPONSE_CODE])
        told = answer_chip(
            issuer, request.text(F.PAN), request.text(F.PAN_SEQUENCE), chip_of(request), code, approved=code == "00"
        )
        answer.fields[F.ICC] = spoil(told) + script

    return rule


# what goes out


@pytest.mark.parametrize(
    ("amount", "card", "pin", "entry_mode"),
    [
        ("60.00", "debit", PIN, "072"),
        ("300.00", "debit", "", "072"),
        ("300.01", "debit", PIN, "071"),
        ("300.01", "magic", PIN, "071"),
        ("300.01", "magic", "", "072"),
        ("60.00", "debit:insert", PIN, "051"),
        ("60.00", "debit_second", PIN, "051"),
        ("60.00", "credit", "", "052"),
        ("60.00", "credit", PIN, "051"),
        ("60.00", "debit_stripe", PIN, "021"),
        ("60.00", "credit_second", "", "022"),
        ("60.00", "wearable", "", "072"),
    ],
)
async def test_how_a_card_is_read_and_its_holder_verified(
    bench: Bench, amount: str, card: str, pin: str, entry_mode: str
) -> None:
    """A stolen debit card would pay without its PIN, or a small tap wait for one."""
    outcome = await bench.do("sale", amount, card, pin)
    assert outcome.result == "approved"
    request = bench.host.asked("sale")[0]
    assert request.text(F.ENTRY_MODE) == entry_mode
    assert request.text(F.CONTROL)[11:] == "6"
    assert request.has(F.PIN_BLOCK) is request.has(F.PIN_CAPTURE) is (entry_mode[2] == "1")
    assert request.has(F.ICC) is request.has(F.PAN_SEQUENCE) is (entry_mode[:2] != "02")
    plain = TEST_CARDS[card.partition(":")[0]]
    assert request.text(F.PAN) == plain.pan
    assert request.text(F.TRACK2).startswith(f"{plain.pan}D")
    assert request.text(F.SECURITY)[:2] == ("26" if request.has(F.PIN_BLOCK) else "06")


@pytest.mark.parametrize(
    ("amount", "card"), [("60.00", "debit_second"), ("60.00", "debit_stripe"), ("300.01", "debit")]
)
async def test_a_debit_card_needs_its_pin(bench: Bench, amount: str, card: str) -> None:
    """Whoever finds a debit card could pay with it."""
    outcome = await bench.do("sale", amount, card)
    assert (outcome.result, outcome.reason) == ("refused", "terminal.pin_required")
    assert bench.host.asked("sale") == []
    assert bench.terminal.book.rows == {}


@pytest.mark.parametrize(("amount", "asked"), [("10.00", False), ("10.01", True)])
async def test_the_limit_of_taps_without_a_pin_is_a_setting(amount: str, asked: bool) -> None:
    """An acquirer could not lower the limit after a wave of thefts."""
    async with bench_at(FakeHost(), no_pin_limit_fen=1000) as bench:
        await bench.do("sale", amount, "debit", PIN)
        assert bench.host.asked("sale")[0].has(F.PIN_BLOCK) is asked


async def test_every_tap_needs_a_pin_where_the_acquirer_says_so() -> None:
    """A shop that is not allowed to sell without PIN would."""
    async with bench_at(FakeHost(), no_pin=False) as bench:
        await bench.do("sale", "0.01", "debit", PIN)
        assert bench.host.asked("sale")[0].has(F.PIN_BLOCK)


@pytest.mark.parametrize("card", ["credit", "debit"])
async def test_field_55_has_what_the_clause_wants(bench: Bench, card: str) -> None:
    """The issuer would refuse every chip for what is missing."""
    await bench.do("sale", "60.00", card)
    request = bench.host.asked("sale")[0]
    chip = chip_of(request)
    assert tuple(node.tag for node in chip) == REQUEST_TAGS
    told = {f"{node.tag:X}": node.octets.hex().upper() for node in chip}
    expected = {
        "9F27": "80", "9F36": "0001", "9A": "260301", "9C": "00", "9F02": "000000006000", "5F2A": "0156",
        "9F1A": "0156", "9F03": "0" * 12, "9F33": "E068C8", "9F35": "22", "9F09": "0030", "9F41": "00000002",
    }  # fmt: skip
    assert {tag: told[tag] for tag in expected} == expected
    assert bytes.fromhex(told["9F1E"]) == b"00000001"
    assert told["95"] == ("0000000000" if card == "debit" else "0000008000")
    assert proves_chip(request.text(F.PAN), request.text(F.PAN_SEQUENCE), 6000, chip)


async def test_no_two_sales_have_one_cryptogram(bench: Bench) -> None:
    """An old request could be sent again in another sale."""
    for _ in range(3):
        await bench.do("sale", "60.00", "credit")
    chips = [chip_of(request) for request in bench.host.asked("sale")]
    assert len({value_of(chip, 0x9F26) for chip in chips}) == 3
    assert len({value_of(chip, 0x9F37) for chip in chips}) == 3
    assert [value_of(chip, 0x9F36)[1] for chip in chips] == [1, 2, 3]


async def test_an_expired_card_is_told_in_its_results(bench: Bench) -> None:
    """The issuer would not see that the terminal saw it."""
    await bench.do("sale", "60.00", "expired")
    assert value_of(chip_of(bench.host.asked("sale")[0]), 0x95)[1] & 0x40


# the chip's word


async def test_a_proven_approval_is_a_sale(bench: Bench) -> None:
    """No chip would ever agree."""
    bench.host.after.append(proven())
    outcome = await bench.do("sale", "60.00", "credit")
    assert outcome.result == "approved"
    row = bench.terminal.book.rows["000001", "000002"]  # type: ignore[index]
    kept = decode_chip_data(bytes.fromhex(row.chip))
    assert value_of(kept, 0x9F27) == b"\x40"
    assert value_of(kept, 0x50) == b"LAB CREDIT"
    assert bench.captured() == bench.host.captured()


async def _check_reversed(bench: Bench, reason: str = "96") -> Message:
    """The sale is told as unknown, is reversed with what is kept of the chip, and stands in no book."""
    assert bench.states() == {"000002": "must_reverse"}
    assert (await bench.do("reverse")).is_good
    reversal = bench.host.asked("sale_reversal")[0]
    assert reversal.text(F.RESPONSE_CODE) == reason
    assert bench.captured() == bench.host.captured() == set()
    return reversal


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: told[:-3] + bytes((told[-3] ^ 1,)) + told[-2:],
        lambda told: told[:-1],
        lambda told: b"\x91\x80",
    ],
    ids=["wrong ARPC", "short", "no data"],
)
async def test_an_approval_that_the_chip_does_not_believe_is_reversed(
    bench: Bench, spoil: Callable[[bytes], bytes]
) -> None:
    """The customer would be charged for a sale to which the card said no."""
    bench.host.after.append(proven(spoil))
    outcome = await bench.do("sale", "60.00", "credit")
    assert (outcome.result, outcome.reason, outcome.stan) == ("unknown", "terminal.card_declined", "000002")
    assert outcome.receipt_zh == ()
    await _check_reversed(bench)


@pytest.mark.parametrize("fault", ["reader.chip_declines", "reader.removed_after_online"])
async def test_fault_after_the_answer_the_sale_is_reversed(bench: Bench, fault: str) -> None:
    """A customer who pulls out the card would have paid for nothing."""
    bench.hardware.faults.arm(fault)
    bench.host.after.append(proven())
    outcome = await bench.do("sale", "60.00", "credit")
    assert (outcome.result, outcome.reason) == ("unknown", "terminal.card_declined")
    reversal = await _check_reversed(bench)
    request = chip_of(bench.host.asked("sale")[0])
    chip = chip_of(reversal)
    assert [node.tag for node in chip] == [0x95, 0x9F1E, 0x9F10, 0x9F36]
    assert reversal.text(F.PAN_SEQUENCE) == "001"
    for tag in (0x9F1E, 0x9F36):
        assert value_of(chip, tag) == value_of(request, tag)
    declined = value_of(chip, 0x9F10)[4] == 0x20
    assert declined is (fault == "reader.chip_declines")
    assert bench.hardware.faults.fired[fault] == 1


async def test_a_lost_reply_is_told_to_the_chip_and_reversed_with_its_data(bench: Bench) -> None:
    """The issuer could not tell which transaction of the card is undone."""
    await bench.do("sign_in")
    bench.host.after.append(once("sale", swallow))
    assert (await bench.do("sale", "60.00", "credit")).reason == "terminal.no_answer"
    reversal = await _check_reversed(bench, "98")
    assert value_of(chip_of(reversal), 0x9F10)[4] == 0x20


async def test_a_decline_is_final_whatever_the_chip_does(bench: Bench) -> None:
    """A card pulled out after a decline would leave a reversal."""
    bench.hardware.faults.arm("reader.removed_after_online")
    bench.host.before.append(once("sale", lambda answer: answer.refuse("51", "card.no_funds")))
    outcome = await bench.do("sale", "60.00", "credit")
    assert (outcome.result, outcome.code) == ("refused", "51")
    assert bench.states() == {"000002": "declined"}


async def test_the_reversal_of_a_tap_names_it(bench: Bench) -> None:
    """The issuer could not tell which transaction of the card is undone."""
    await bench.do("sign_in")
    bench.host.after.append(once("sale", swallow))
    await bench.sell()
    chip = chip_of(await _check_reversed(bench, "98"))
    assert value_of(chip, 0x9F36) == b"\0\1"


# what may go wrong before anything is sent


@pytest.mark.parametrize(
    ("fault", "card", "reason"),
    [
        ("reader.removed_before_online", "credit", "card_removed"),
        ("reader.chip_refuses", "credit", "card_refused"),
        ("reader.malformed_tlv", "credit", "chip_data"),
        ("reader.malformed_tlv", "debit", "chip_data"),
    ],
)
async def test_fault_before_the_request_nothing_is_sent(bench: Bench, fault: str, card: str, reason: str) -> None:
    """A card that was never read would be charged, or leave a reversal."""
    await bench.do("sign_in")
    bench.hardware.faults.arm(fault)
    outcome = await bench.do("sale", "60.00", card)
    assert (outcome.result, outcome.reason) == ("refused", f"terminal.{reason}")
    assert (bench.host.asked("sale"), bench.terminal.book.rows) == ([], {})
    assert bench.hardware.faults.fired[fault] == 1
    assert (await bench.do("sale", "60.00", card)).result == "approved"


async def test_fault_every_malformed_answer_of_a_chip_is_refused(bench: Bench) -> None:
    """A broken or hostile card would crash the till."""
    await bench.do("sign_in")
    bench.hardware.faults.arm("reader.malformed_tlv", times=len(MALFORMED))
    reasons = {(await bench.do("sale", "60.00", "credit")).reason for _ in MALFORMED}
    assert reasons == {"terminal.chip_data"}
    assert bench.terminal.book.rows == {}


@pytest.mark.parametrize("good", range(6))
async def test_fault_malformed_at_each_step(bench: Bench, monkeypatch: pytest.MonkeyPatch, good: int) -> None:
    """A chip that breaks in the middle would be sold to, or not be reversed."""
    await bench.do("sign_in")
    bench.host.after.append(proven())
    bench.hardware.faults.arm("reader.malformed_tlv")
    fires, left = bench.hardware.faults.fires, iter([False] * good)
    monkeypatch.setattr(
        bench.hardware.faults,
        "fires",
        lambda name: next(left, True) and fires(name) if name == "reader.malformed_tlv" else fires(name),
    )
    outcome = await bench.do("sale", "60.00", "credit")
    assert outcome.reason == ("terminal.chip_data" if good < 5 else "terminal.card_declined")
    assert bench.hardware.faults.fired["reader.malformed_tlv"] == 1
    assert (await bench.do("reverse")).is_good
    assert bench.captured() == bench.host.captured() == set()


async def test_fault_a_card_that_is_never_read_ends_the_sale(bench: Bench) -> None:
    """The till would ask for the same card for ever."""
    bench.hardware.faults.arm("reader.swipe_error", times=None)
    outcome = await bench.do("sale", "60.00", "credit_second:swipe+swipe+swipe")
    assert (outcome.result, outcome.reason) == ("refused", "terminal.card_unreadable")
    assert bench.hardware.faults.fired["reader.swipe_error"] == 3


async def test_a_card_with_a_chip_is_not_swiped(bench: Bench) -> None:
    """A copied stripe would pay in place of the chip."""
    assert (await bench.do("sale", "60.00", "credit:swipe+insert")).result == "approved"
    assert "insert the card" in bench.screens
    assert bench.host.asked("sale")[0].text(F.ENTRY_MODE) == "052"
    outcome = await bench.do("sale", "60.00", "credit:swipe+swipe+swipe")
    assert outcome.reason == "terminal.chip_first"


async def test_fault_a_mute_chip_falls_back_to_its_stripe(bench: Bench) -> None:
    """The issuer could not tell a broken chip from a copied stripe (CUP 2.5)."""
    controls = []
    for _ in range(3):
        bench.hardware.faults.arm("reader.chip_mute")
        assert (await bench.do("sale", "60.00", "credit:insert+swipe")).result == "approved"
        controls.append(bench.host.asked("sale")[-1].text(F.CONTROL)[11:])
    assert (await bench.do("sale", "60.00", "credit")).result == "approved"
    bench.hardware.faults.arm("reader.chip_mute")
    bench.host.after.append(once("sale", swallow))
    await bench.do("sale", "60.00", "credit:insert+swipe")
    controls.append(bench.host.asked("sale")[-1].text(F.CONTROL)[11:])
    assert controls == ["51", "52", "52", "51"]
    assert bench.host.asked("sale")[0].text(F.ENTRY_MODE) == "022"
    assert not bench.host.asked("sale")[0].has(F.ICC)
    await bench.do("reverse")
    assert bench.host.asked("sale_reversal")[0].text(F.CONTROL) == bench.host.asked("sale")[-1].text(F.CONTROL)


@pytest.mark.parametrize(
    ("has", "card", "entry_mode", "capability"),
    [
        ({"chip": False, "contactless": False}, "credit", "022", "2"),
        ({"contactless": False}, "debit", "051", "5"),
    ],
    ids=["stripe", "chip"],
)
async def test_a_reader_says_what_it_can(
    bench: Bench, has: dict[str, bool], card: str, entry_mode: str, capability: str
) -> None:
    """A device without an antenna would ask for a tap, and the acquirer doubt its swipes."""
    bench.hardware.model = replace(bench.hardware.model, **has)  # type: ignore[arg-type]
    bench.restart()
    pin = PIN if entry_mode[2] == "1" else ""
    assert (await bench.do("sale", "60.00", card, pin)).result == "approved"
    request = bench.host.asked("sale")[0]
    assert (request.text(F.ENTRY_MODE), request.text(F.CONTROL)[11:]) == (entry_mode, capability)
    with pytest.raises(DeviceError, match="reader"):
        await bench.do("sale", "60.00", "debit:tap")


@pytest.mark.parametrize(
    ("card", "hint"), [("credit:swype", "did you mean 'swipe'"), ("credit:insert+", "swipe"), ("dedit", "did you mean")]
)
async def test_a_card_or_a_way_that_there_is_not(bench: Bench, card: str, hint: str) -> None:
    """A mistyped scenario would pay with another card."""
    with pytest.raises(UnknownName) as unknown:
        await bench.do("sale", "60.00", card)
    assert hint in unknown.value.hint


async def test_a_card_left_over_is_not_the_next_customers(bench: Bench) -> None:
    """The next customer would pay with the card of the one before."""
    assert (await bench.do("sale", "60.00", "credit:insert+swipe")).result == "approved"
    bench.terminal.board.keypad.press("1.00")
    assert (await bench.terminal.run("sale")).reason == "terminal.entry_timeout"


async def test_a_card_may_be_pulled_out_while_the_host_answers(bench: Bench) -> None:
    """The sale would count as made although the chip never agreed."""
    await bench.do("sign_in")
    bench.host.after.append(proven())
    bench.host.after.append(once("sale", lambda answer: bench.terminal.board.card_reader.remove()))
    outcome = await bench.do("sale", "60.00", "credit")
    assert (outcome.result, outcome.reason) == ("unknown", "terminal.card_declined")
    await _check_reversed(bench)


# scripts


def order_of(bench: Bench) -> list[str]:
    """What was asked of the host, but for the signatures of what was sold before."""
    return [name for name, _ in bench.host.requests if name != "signature_upload"]


async def test_a_script_result_is_told_before_anything_else(bench: Bench) -> None:
    """The issuer would not know whether its order reached the card."""
    bench.host.after.append(proven(script=SCRIPT))
    assert (await bench.do("sale", "60.00", "credit")).result == "approved"
    assert bench.hardware.chip_memories["credit"].scripts == [bytes.fromhex("04DA9F580105")]
    assert len(bench.terminal.book.scripts_due) == 1
    bench.restart()
    await bench.do("sale", "1.00", "debit")
    assert order_of(bench) == ["sign_in", "sale", "script_result", "sale"]
    told = bench.host.asked("script_result")[0]
    assert (told.mti, told.text(F.CONTROL)) == ("0620", "0000000195150")
    assert Original.parse(told.text(F.ORIGINAL)) == Original("000001", "000002", "0301")
    assert told.text(F.PROCESSING_CODE) == "000000"
    chip = chip_of(told)
    assert tuple(node.tag for node in chip) == SCRIPT_TAGS
    assert value_of(chip, 0xDF31).hex() == "2000000001"
    assert bench.terminal.book.scripts_due == ()
    await bench.do("settle")
    assert len(bench.host.asked("script_result")) == 1


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (encode([Node(0x72, (Node(0x86, b"\x84\x1e\0\0\0"),))]), "1100000000"),
        (encode([Node(0x71, (Node(0x9F18, b"\0\0\0\7"), Node(0x86, bytes.fromhex("04DA9F580105"))))]), "1100000007"),
        (SCRIPT + SCRIPT, "2000000001" * 2),
    ],
    ids=["unknown command", "before the proof", "two"],
)
async def test_how_scripts_went(bench: Bench, script: bytes, told: str) -> None:
    """The issuer would take a failed order for a done one."""
    bench.host.after.append(proven(script=script))
    assert (await bench.do("sale", "60.00", "credit")).result == "approved"
    await bench.do("settle")
    chip = chip_of(bench.host.asked("script_result")[0])
    assert value_of(chip, 0xDF31).hex() == told
    assert bool(value_of(chip, 0x95)[4] & 0x30) is told.startswith("11")


async def test_a_script_result_is_sent_once_whatever_is_answered(bench: Bench) -> None:
    """A lost answer would hold up the shop, or be told for ever (CUP 7.22)."""
    bench.host.after.append(proven(script=SCRIPT))
    await bench.do("sale", "60.00", "credit")
    bench.host.after.append(once("script_result", swallow))
    assert (await bench.do("sale", "1.00", "debit")).result == "approved"
    await bench.do("settle")
    assert len(bench.host.asked("script_result")) == 1


async def test_a_script_result_wants_a_sign_on(bench: Bench) -> None:
    """A terminal that signed off in the evening would never tell what the card did."""
    bench.host.after.append(proven(script=SCRIPT))
    await bench.do("sale", "60.00", "credit")
    await bench.do("sign_off")
    await bench.do("sale", "1.00", "debit")
    assert order_of(bench)[-4:] == ["sign_off", "sign_in", "script_result", "sale"]
    await bench.do("sale", "60.00", "credit")
    await bench.do("sign_off")
    bench.host.before.append(lambda answer: answer.refuse("97") if answer.kind == "sign_in" else None)
    await bench.do("sale", "1.00", "debit")
    assert len(bench.host.asked("script_result")) == len(bench.terminal.book.scripts_due) == 1


async def test_a_script_result_waits_for_the_line(bench: Bench) -> None:
    """A shop without network would lose what the issuer waits for."""
    bench.host.after.append(proven(script=SCRIPT))
    await bench.do("sale", "60.00", "credit")
    line = bench.terminal.board.line
    line.close()
    known = line._endpoint
    line._endpoint = known.parse("memory:nobody")
    await bench.do("reverse")
    assert len(bench.terminal.book.scripts_due) == 1
    line._endpoint = known
    await bench.do("reverse")
    assert bench.terminal.book.scripts_due == ()
    assert len(bench.host.asked("script_result")) == 1


async def _play_scripted(bench: Bench) -> None:
    bench.host.after.append(proven(script=SCRIPT))
    await bench.do_or_die("sale", "60.00", "credit", PIN)
    await bench.do_or_die("sale", "1.00", "debit")


async def test_a_cut_at_every_point_of_a_chip_sale_and_its_script() -> None:
    """One power cut in a thousand would cost the shop or the customer the price of a sale."""
    async with bench_at(FakeHost()) as bench:
        await bench.do("sign_in")
        with bench.hardware.power.watched() as points:
            await _play_scripted(bench)
    assert points
    for number, phase in cuts(points):
        async with bench_at(FakeHost()) as bench:
            await bench.do("sign_in")
            bench.hardware.power.cut_at(number, phase)
            await _play_scripted(bench)
            bench.host.after.clear()
            bench.restart()
            assert (await bench.do("reverse")).is_good
            where = f"{number} {points[number - 1]} {phase}"
            assert bench.captured() == bench.host.captured(), where
            assert bench.terminal.book.scripts_due == (), where
            assert len({message.text(F.ORIGINAL) for message in bench.host.asked("script_result")}) <= 1, where
            assert (await bench.do("settle")).detail["balanced"] == "yes", where


# what stays


async def test_the_journal_keeps_no_card_data(bench: Bench) -> None:
    """Who steals a terminal would have the cards of a whole day."""
    bench.host.after.append(proven(script=SCRIPT))
    names = ("debit", "credit", "debit_second", "debit_stripe")
    for name in names:
        assert (await bench.do("sale", "60.00", name, PIN)).result == "approved"
    image = bench.hardware.chips.journal.image
    for name in names:
        card = TEST_CARDS[name]
        for secret in (card.pan, card.track2):
            packed = bytes.fromhex(secret if len(secret) % 2 == 0 else secret + "F")
            for spelt in (secret.encode(), packed, packed.hex().encode(), packed.hex().upper().encode()):
                assert spelt not in image


async def test_cards_are_asked_for_while_the_flow_waits(bench: Bench) -> None:
    """A cashier at a real counter types first and takes the card then."""
    await bench.do("sign_in")
    board = bench.terminal.board
    bench.terminal.session.settings = bench.settings.model_copy(update={"entry_timeout_s": 5})
    selling = asyncio.create_task(bench.terminal.run("sale"))
    presses: list[Callable[[], None]] = [
        lambda: board.keypad.press("60.00"),
        lambda: board.card_reader.present(TEST_CARDS["debit_second"]),
        lambda: board.keypad.enter_pin(PIN),
    ]
    for press in presses:
        await asyncio.sleep(0.01)
        press()
    assert (await selling).result == "approved"


async def asked_for_a_card(bench: Bench, flow: str = "sale") -> asyncio.Task[Outcome]:
    """A flow that waits for a card, with all the time in the world."""
    bench.terminal.session.settings = bench.settings.model_copy(update={"entry_timeout_s": 5})
    waiting = asyncio.create_task(bench.terminal.run(flow))
    if flow != "balance":
        await asyncio.sleep(0)
        bench.terminal.board.keypad.press("60.00")
    while bench.screens[-1] != "present the card":
        await asyncio.sleep(0)
    return waiting


@pytest.mark.parametrize("flow", ["sale", "balance", "preauth", "refund"])
async def test_the_cancel_key_ends_the_wait_for_a_card(bench: Bench, flow: str) -> None:
    """A customer who changes their mind would block the till until the time is up."""
    waiting = await asked_for_a_card(bench, flow)
    bench.terminal.board.keypad.strike(Key.CANCEL)
    assert (await waiting).reason == "terminal.cancelled"
    assert bench.terminal.board.keypad.on_key is not None
    assert (await bench.sell()).result == "approved"  # and nothing of it is left


async def test_cancel_also_ends_the_second_try(bench: Bench) -> None:
    """After a bad swipe there would be no way back."""
    bench.hardware.faults.arm("reader.swipe_error")
    waiting = await asked_for_a_card(bench)
    bench.terminal.board.card_reader.present(TEST_CARDS["debit_stripe"])
    while bench.screens[-1] != "swipe the card again":
        await asyncio.sleep(0)
    bench.terminal.board.keypad.cancel()
    assert (await waiting).reason == "terminal.cancelled"


async def test_a_card_that_is_there_is_read_before_a_later_cancel(bench: Bench) -> None:
    """A cancel that was meant for a later question would throw the card out."""
    keypad = bench.terminal.board.keypad
    keypad.press("60.00")
    keypad.cancel()
    bench.terminal.board.card_reader.present(TEST_CARDS["debit_second"])
    keypad.enter_pin(PIN)
    assert (await bench.terminal.run("sale")).result == "approved"


async def test_keys_do_not_hurry_the_card(bench: Bench) -> None:
    """Somebody who leans on the keys would end the sale, and nobody there would keep it open for ever."""
    waiting = await asked_for_a_card(bench)
    bench.terminal.board.keypad.strike(Key.ENTER)
    bench.terminal.board.card_reader.present(TEST_CARDS["debit"])
    assert (await waiting).result == "approved"
    assert (await bench.do("sale", "60.00", "debit:insert")).reason in ("terminal.pin_required", "terminal.cancelled")
    bench.terminal.session.settings = bench.settings.model_copy(update={"entry_timeout_s": 0.1})
    assert (await bench.terminal.run("balance")).reason == "terminal.entry_timeout"
