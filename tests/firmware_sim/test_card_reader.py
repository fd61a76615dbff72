"""Reading cards: in every way that the model has, and in every way that this can go wrong."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import pytest

from firmware_sim.card_reader import MALFORMED, CardReader, ChipLink, Presented, Way
from firmware_sim.cards import TEST_CARDS, EntryMode
from firmware_sim.chip_card import CDOL_1, CDOL_2, PDOL, ChipMemory
from firmware_sim.errors import CardError, DeviceError, EntryTimeout
from firmware_sim.faults import Faults
from firmware_sim.models import MODELS, Model
from firmware_sim.power import Power, PowerLost
from protocol.errors import DecodeError
from protocol.tlv import decode, value_of

FIRST = bytes(sum(length for _, length in CDOL_1))
SECOND = bytes(10) + b"00" + bytes(sum(length for _, length in CDOL_2) - 12)
OPTIONS = bytes(sum(length for _, length in PDOL))
DEBIT, CREDIT = TEST_CARDS["debit"], TEST_CARDS["credit"]


class Counter:
    """A reader on the counter, its faults and its slot."""

    def __init__(self, power: Power, fresh: Callable[[int], bytes]) -> None:
        self.power = power
        self.faults = Faults()
        self.slot: deque[Presented] = deque()
        self.memories: dict[str, ChipMemory] = {}
        self._fresh = fresh

    def reader(self, **model: bool) -> CardReader:
        """The reader of a model that differs so."""
        built: Model = replace(MODELS["PX-E90"], **model)  # type: ignore[arg-type]
        return CardReader(self.power, self.faults, built, self.slot, self.memories, self._fresh)

    async def insert(self) -> ChipLink:
        """The chip of a card that was put into a reader."""
        reader = self.reader()
        reader.present(CREDIT)
        link = (await reader.read_card(0)).chip
        assert link is not None
        return link


@pytest.fixture
def counter(power: Power, fresh: Callable[[int], bytes]) -> Counter:
    return Counter(power, fresh)


async def test_a_card_is_read_once(counter: Counter) -> None:
    """The next customer would pay with the card of the one before."""
    reader = counter.reader()
    reading = asyncio.create_task(reader.read_card(1))
    await asyncio.sleep(0)
    reader.present(DEBIT, Way.SWIPE)
    assert (await reading).track2 == DEBIT.track2
    with pytest.raises(EntryTimeout):
        await reader.read_card(0.01)


async def test_the_last_card_counts(counter: Counter) -> None:
    """A card that was taken away would be charged."""
    reader = counter.reader()
    reader.present(DEBIT)
    reader.present(CREDIT, Way.SWIPE)
    assert (await reader.read_card(0)).track2 == CREDIT.track2
    reader.present(DEBIT)
    reader.remove()
    with pytest.raises(EntryTimeout):
        await reader.read_card(0.01)


async def test_a_card_stays_in_the_slot_through_a_cut(counter: Counter) -> None:
    """After a power cut the cashier would have to ask for a card that is still in the device."""
    old = counter.reader()
    old.present(CREDIT)
    counter.power.cut()
    with pytest.raises(PowerLost):
        await old.read_card(0)
    counter.power.switch_on()
    assert (await counter.reader().read_card(0)).entry_mode is EntryMode.CHIP


async def test_every_way_that_a_card_can_be_read(counter: Counter) -> None:
    """A dual card would be charged by its stripe only."""
    reader = counter.reader()
    read = {}
    for way in Way:
        reader.present(DEBIT, way)
        read[way] = await reader.read_card(0)
    assert [reading.entry_mode.value for reading in read.values()] == ["02", "05", "07"]
    assert [reading.chip is None for reading in read.values()] == [True, False, False]
    reader.present(DEBIT)
    assert (await reader.read_card(0)).entry_mode is EntryMode.CONTACTLESS


async def test_one_way_after_the_other(counter: Counter) -> None:
    """A scenario could not play the cashier who swipes what the chip reader cannot read."""
    reader = counter.reader()
    reader.present(CREDIT, Way.INSERT, Way.SWIPE)
    assert [(await reader.read_card(0)).entry_mode for _ in range(2)] == [EntryMode.CHIP, EntryMode.MAGNETIC]


async def test_a_model_reads_what_it_can(counter: Counter) -> None:
    """A scenario would wait for a tap that the model cannot see."""
    reader = counter.reader(contactless=False)
    with pytest.raises(DeviceError, match="no contactless reader"):
        reader.present(DEBIT, Way.TAP)
    reader.present(DEBIT)
    assert (await reader.read_card(0)).entry_mode is EntryMode.CHIP
    stripes = counter.reader(contactless=False, chip=False)
    assert stripes.reads == {EntryMode.MAGNETIC}
    stripes.present(CREDIT)
    assert (await stripes.read_card(0)).entry_mode is EntryMode.MAGNETIC
    with pytest.raises(DeviceError, match="no chip reader"):
        stripes.present(CREDIT, Way.INSERT)
    with pytest.raises(DeviceError, match="cannot read the card wearable"):
        stripes.present(TEST_CARDS["wearable"])
    with pytest.raises(DeviceError, match="nothing chip"):
        reader.present(TEST_CARDS["debit_stripe"], Way.INSERT)


async def test_the_counter_of_a_chip_outlives_reader_and_power(counter: Counter) -> None:
    """A card would make the same cryptogram twice."""
    for at in (1, 2):
        link = await counter.insert()
        link.start(b"")
        assert counter.memories["credit"].atc == at
        counter.power.cut()
        counter.power.switch_on()


async def test_a_card_that_was_taken_out_answers_no_more(counter: Counter) -> None:
    """A sale would go on with a card that its holder has in hand."""
    reader = counter.reader()
    reader.present(CREDIT)
    link = (await reader.read_card(0)).chip
    assert link is not None
    link.select()
    reader.remove()
    for ask in (link.select, link.records, lambda: link.run(b"\x04\xda")):
        with pytest.raises(CardError) as gone:
            ask()
        assert gone.value.code == "card_removed"


async def test_a_link_ends_with_the_power(counter: Counter) -> None:
    """A program of before the cut would talk to the chip."""
    link = await counter.insert()
    counter.power.cut()
    for ask in (link.select, lambda: link.request(FIRST), lambda: link.run(b"\x04\xda")):
        with pytest.raises(PowerLost):
            ask()


def test_unpredictable_numbers_are_fresh(counter: Counter) -> None:
    """Cryptograms could be made ahead."""
    reader = counter.reader()
    numbers = {reader.unpredictable_number() for _ in range(5)}
    assert len(numbers) == 5
    assert {len(number) for number in numbers} == {4}


# faults


@pytest.mark.feature("F")
async def test_fault_swipe_error_and_chip_mute(counter: Counter) -> None:
    """A worn card would be charged with whatever the head made of it."""
    reader = counter.reader()
    for fault, way, code in (
        ("reader.swipe_error", Way.SWIPE, "card_unreadable"),
        ("reader.chip_mute", Way.INSERT, "chip_mute"),
    ):
        counter.faults.arm(fault)
        reader.present(CREDIT, way, way)
        with pytest.raises(CardError) as unread:
            await reader.read_card(0)
        assert (unread.value.code, counter.faults.fired[fault]) == (code, 1)
        assert (await reader.read_card(0)).entry_mode is way.entry_mode


@pytest.mark.feature("F")
async def test_fault_a_tap_is_torn(counter: Counter) -> None:
    """Half a tap would be charged."""
    reader = counter.reader()
    reader.present(DEBIT)
    link = (await reader.read_card(0)).chip
    assert link is not None
    counter.faults.arm("reader.torn")
    link.select()
    with pytest.raises(CardError) as torn:
        link.start(OPTIONS)
    assert (torn.value.code, counter.faults.fired["reader.torn"]) == ("card_torn", 1)


@pytest.mark.feature("F")
async def test_fault_the_card_is_taken_out_early(counter: Counter) -> None:
    """A scenario could not play the hurried customer."""
    for fault, before in (("reader.removed_before_online", True), ("reader.removed_after_online", False)):
        link = await counter.insert()
        link.start(b"")
        counter.faults.arm(fault)
        if not before:
            link.request(FIRST)
        with pytest.raises(CardError) as gone:
            link.request(FIRST) if before else link.complete(SECOND, approved=True)
        assert (gone.value.code, counter.faults.fired[fault]) == ("card_removed", 1)


async def test_fault_the_chip_says_no(counter: Counter) -> None:
    """Nobody would see what a terminal does with a chip that disagrees."""
    link = await counter.insert()
    link.start(b"")
    counter.faults.arm("reader.chip_refuses")
    assert _kind(link.request(FIRST)) == b"\x00"
    assert _kind(link.request(FIRST)) == b"\x80"
    counter.faults.arm("reader.chip_declines")
    assert _kind(link.complete(SECOND, approved=True)) == b"\x00"
    assert _kind(link.complete(SECOND, approved=True)) == b"\x40"
    assert counter.faults.fired == {"reader.chip_refuses": 1, "reader.chip_declines": 1}


def _kind(answer: bytes) -> bytes:
    return value_of(decode(value_of(decode(answer), 0x77)), 0x9F27)


async def test_fault_malformed_answers_are_each_malformed(counter: Counter) -> None:
    """A fault that sends good data would prove nothing."""
    counter.faults.arm("reader.malformed_tlv", times=None)
    link = await counter.insert()
    asks: list[tuple[Callable[[], bytes], int]] = [
        (link.select, 0x6F),
        (lambda: link.start(b""), 0x77),
        (link.records, 0x70),
        (lambda: link.request(FIRST), 0x77),
    ]
    for ask, template in asks:
        for _ in MALFORMED:
            with pytest.raises(DecodeError):
                value_of(decode(ask()), template)
    assert counter.faults.fired["reader.malformed_tlv"] == len(asks) * len(MALFORMED)
    counter.faults.disarm("reader.malformed_tlv")
    assert value_of(decode(link.select()), 0x6F)
