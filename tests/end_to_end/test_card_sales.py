"""Cards of every kind at a real counter: terminal and host in one process, both ends of every cryptogram checked."""

from __future__ import annotations

import pytest

from firmware_sim.cards import FORCED_CODES, TEST_CARDS
from firmware_sim.line import Direction
from firmware_sim.power import PowerLost
from host.issuer import MAGIC_AMOUNTS, MASTER_KEY
from pos_lab.world import World
from protocol.codec import unseal
from protocol.crypto.cryptogram import arpc_1, card_key, session_key, verify_cryptogram
from protocol.emv import cryptogram_data, decode_chip_data
from protocol.fields import F
from protocol.kinds import identify
from protocol.message import Message
from protocol.responses import RESPONSES
from protocol.tlv import Node, value_of
from tests.end_to_end.shop import Till

PIN = "123456"


def passed(till: Till, kind: str) -> list[Message]:
    """What went over the line of a kind, "sale.request" or "sale.reply"."""
    messages = [unseal(each.payload).message for each in till.world.passed if each.terminal == till.device.name]
    return [message for message in messages if str(identify(message)) == kind]


def chip_of(message: Message) -> tuple[Node, ...]:
    """Field 55."""
    return decode_chip_data(message.octets(F.ICC))


@pytest.mark.parametrize(
    ("card", "entry_mode", "pin"),
    [
        ("debit", "072", False),
        ("debit:insert", "051", True),
        ("debit_second", "051", True),
        ("debit_stripe", "021", True),
        ("credit", "051", True),
        ("credit_second", "021", True),
        ("wearable", "072", False),
        ("scripted", "051", True),
    ],
)
async def test_swipe_chip_and_tap(till: Till, card: str, entry_mode: str, pin: bool) -> None:
    """A shop could take only one kind of card, or no issuer would ever know its own chips."""
    outcome = await till.sell(60_00, card)
    assert outcome.result == "approved", outcome
    request, reply = passed(till, "sale.request")[0], passed(till, "sale.reply")[0]
    assert request.text(F.ENTRY_MODE) == entry_mode
    assert request.has(F.PIN_BLOCK) is pin
    if entry_mode.startswith("02"):
        assert not request.has(F.ICC)
        assert not reply.has(F.ICC)
    else:
        chip, told = chip_of(request), chip_of(reply)
        plain = TEST_CARDS[card.partition(":")[0]]
        key = session_key(card_key(MASTER_KEY, plain.pan, "01"), value_of(chip, 0x9F36))
        assert verify_cryptogram(key, cryptogram_data(chip), value_of(chip, 0x9F26))
        assert value_of(told, 0x91) == arpc_1(key, value_of(chip, 0x9F26), b"00") + b"00"
    assert (await till.do("settle")).detail["balanced"] == "yes"
    await till.assert_sound()


async def test_a_copied_chip_is_refused(till: Till) -> None:
    """A copied card would pay."""
    outcome = await till.sell(60_00, "counterfeit")
    assert (outcome.result, outcome.code, outcome.reason) == ("refused", "A7", "card.cryptogram")
    assert outcome.remedy_en == "use another card"
    assert not passed(till, "sale.reply")[0].has(F.ICC)
    await till.assert_sound()


async def test_a_cryptogram_that_was_changed_on_its_way_is_refused(till: Till) -> None:
    """A till that was tampered with could reuse a cryptogram for another amount."""
    session = till.device.terminal.session
    assert (await till.do("sign_in")).is_good
    real = session.ask

    async def spoilt(kind_name, fields=None, **options):  # type: ignore[no-untyped-def]
        if kind_name == "sale":
            chip = bytearray(fields[F.ICC])
            chip[3] ^= 1
            fields = {**fields, F.ICC: bytes(chip)}
        return await real(kind_name, fields, **options)

    session.ask = spoilt  # type: ignore[method-assign]
    outcome = await till.sell(60_00, "credit")
    assert (outcome.result, outcome.code) == ("refused", "A7")
    await till.assert_sound()


@pytest.mark.parametrize(
    ("fault", "card", "reason"),
    [
        ("reader.removed_before_online", "credit", "terminal.card_removed"),
        ("reader.malformed_tlv", "credit", "terminal.chip_data"),
        ("reader.malformed_tlv", "debit", "terminal.chip_data"),
        ("reader.chip_refuses", "credit", "terminal.card_refused"),
    ],
)
@pytest.mark.feature("F")
async def test_fault_before_the_host_is_asked(till: Till, fault: str, card: str, reason: str) -> None:
    """A card that was never read would be charged."""
    assert (await till.do("sign_in")).is_good
    till.device.hardware.faults.arm(fault)
    outcome = await till.sell(60_00, card)
    assert (outcome.result, outcome.reason) == ("refused", reason)
    assert passed(till, "sale.request") == []
    assert (await till.sell(60_00, card)).is_good
    await till.assert_sound()


@pytest.mark.parametrize("fault", ["reader.removed_after_online", "reader.chip_declines"])
@pytest.mark.feature("F")
async def test_fault_after_the_host_approved(till: Till, fault: str) -> None:
    """The customer would pay for a sale to which the card said no."""
    till.device.hardware.faults.arm(fault)
    outcome = await till.sell(60_00, "credit")
    assert (outcome.result, outcome.reason) == ("unknown", "terminal.card_declined")
    assert await till.captured() != {}
    await till.resolve()
    reversal = passed(till, "sale_reversal.request")[0]
    assert reversal.text(F.RESPONSE_CODE) == "96"
    assert [node.tag for node in chip_of(reversal)] == [0x95, 0x9F1E, 0x9F10, 0x9F36]
    assert await till.captured() == {}
    await till.assert_sound()


async def test_a_tap_torn_and_a_mute_chip_are_tried_again(till: Till) -> None:
    """A customer would be sent away for a worn card."""
    faults = till.device.hardware.faults
    faults.arm("reader.torn")
    assert (await till.sell(60_00, "debit:tap+tap")).is_good
    faults.arm("reader.chip_mute")
    assert (await till.sell(60_00, "credit:insert+swipe")).is_good
    tap, swipe = passed(till, "sale.request")
    assert (tap.text(F.ENTRY_MODE), swipe.text(F.ENTRY_MODE)) == ("072", "021")
    assert swipe.text(F.CONTROL)[11:] == "51"
    await till.assert_sound()


@pytest.mark.parametrize("code", FORCED_CODES)
async def test_every_answer_of_an_issuer_ends_well(till: Till, code: str) -> None:
    """An answer that nobody tried would leave one book with a sale and the other without."""
    outcome = await till.sell(60_00, f"forced_{code.lower()}")
    row = RESPONSES[code]
    expected = "approved" if row.approved else "unknown" if row.leaves_doubt else "refused"
    assert (outcome.result, outcome.code) == (expected, code)
    if not row.approved:
        assert outcome.remedy_en or row.leaves_doubt
    await till.resolve()
    assert (await till.do("settle")).is_good
    await till.assert_sound()


async def test_magic_amounts(till: Till) -> None:
    """A tester would need a card for every answer."""
    for fen in (51, 55, 41, 11):
        outcome = await till.sell(100_00 + fen, "magic")
        assert outcome.code == MAGIC_AMOUNTS[fen]
    assert (await till.sell(100_00, "magic")).is_good
    await till.assert_sound()


async def test_three_wrong_pins_lock_the_card(till: Till) -> None:
    """A thief could try all PINs at the counter."""
    told = [(await till.sell(60_00, "pin_thrice", "654321")).code for _ in range(3)]
    told.append((await till.sell(60_00, "pin_thrice")).code)
    assert told == ["55", "55", "38", "38"]
    assert (await till.sell(60_00, "debit_second")).is_good
    await till.assert_sound()


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("stolen", "43"),
        ("expired", "54"),
        ("lost", "41"),
        ("pin_locked", "38"),
        ("debit_poor", "51"),
        ("unknown_bin", "14"),
    ],
)
async def test_cards_that_are_refused(till: Till, card: str, code: str) -> None:
    """A tester could not provoke the refusal."""
    outcome = await till.sell(60_00, card)
    assert (outcome.result, outcome.code) == ("refused", code)
    await till.assert_sound()


async def test_foreign_cards_are_settled_apart(till: Till) -> None:
    """A tourist's card would make every settlement disagree."""
    for card in ("foreign", "credit", "foreign"):
        assert (await till.sell(60_00, card)).is_good
    settled = await till.do("settle")
    assert (settled.detail["balanced"], settled.detail["debit_count"]) == ("yes", "3")
    assert not passed(till, "batch_upload.request")
    await till.assert_sound()


async def test_a_script_result_reaches_the_issuer(till: Till) -> None:
    """The issuer would not know whether its order reached the card."""
    sold = await till.sell(60_00, "scripted")
    assert till.device.hardware.chip_memories["scripted"].scripts
    assert (await till.do("settle")).detail["balanced"] == "yes"
    rows = await till.world.read(lambda books: books.rows("audit", act="script result"))
    assert [row["detail"] for row in rows] == [f"000001/{sold.stan}: 2000000001"]
    await till.assert_sound()


async def test_a_card_is_one_card_at_two_tills(lab: World) -> None:
    """A card would make the same cryptogram at two tills."""
    tills = [await Till.open(lab, number) for number in (1, 2)]
    for till in tills:
        assert (await till.sell(60_00, "credit")).is_good
    counters = [value_of(chip_of(passed(till, "sale.request")[0]), 0x9F36) for till in tills]
    assert counters == [b"\0\1", b"\0\2"]


async def test_the_power_goes_while_the_chip_waits_for_the_answer(till: Till) -> None:
    """The host has sold, the chip has not agreed, and the till has forgotten."""
    assert (await till.do("sign_in")).is_good
    device = till.device

    def cut(direction: Direction, payload: bytes) -> None:
        if direction is Direction.RECEIVED and payload[11:13] == b"\x02\x10":
            device.hardware.cut_power()

    device.hardware.on_traffic = cut
    with pytest.raises(PowerLost):
        await till.sell(60_00, "credit")
    device.power_cycle()
    await till.resolve()
    assert await till.captured() == {}
    await till.assert_sound()


@pytest.mark.parametrize("card", ["credit", "combined:tap"])
async def test_an_offline_sale_is_uploaded_with_its_certificate(till: Till, card: str) -> None:
    """The issuer could not tell an honest offline sale from an invented one."""
    assert (await till.do("sign_in")).is_good
    assert (await till.do("offline_sale", "10.00", card)).result == "approved"
    assert (await till.do("settle")).detail["balanced"] == "yes"
    chip = chip_of(passed(till, "offline_sale.request")[0])
    assert value_of(chip, 0x9F27) == b"\x40"
    assert [message.text(F.RESPONSE_CODE) for message in passed(till, "offline_sale.reply")] == ["00"]
    await till.assert_sound()
