"""Records that survive: every cut of every operation, the limits, and what must not pass for a record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.chip import BLANK, PAGE_BYTES, SECTOR_BYTES, Chip
from firmware_sim.errors import NvramCorrupt, NvramFull, NvramWorn
from firmware_sim.faults import Faults
from firmware_sim.nvram import PAYLOAD_BYTES_MAX, RECORD_OVERHEAD_BYTES, Nvram
from firmware_sim.power import Phase, Power, PowerLost, kind_of

CHIP_BYTES = 2 * SECTOR_BYTES
HEADER_BYTES = 16
LONG = bytes(range(1, 256)) + b"R\xff" * 200
"""A record in three pages."""
TORN_BYTES = {"program": range(PAGE_BYTES), "erase": (0, 1, 15, 16, 17, 200, 256, 2048, 4095)}


def powered() -> Power:
    power = Power()
    power.switch_on()
    return power


def reopened(image: bytes) -> Nvram:
    return Nvram(Chip.holding(image), powered())


def filled(*payloads: bytes, size_bytes: int = CHIP_BYTES, **more: int) -> tuple[Chip, Power, Nvram]:
    chip, power = Chip(size_bytes, name="journal", **more), powered()
    nvram = Nvram(chip, power)
    for payload in payloads:
        nvram.append(payload)
    return chip, power, nvram


Cut = tuple[int, Phase, int | None, int]


def cuts_of(points: list[str]) -> Iterator[Cut]:
    """Each point, phase and torn byte, with each subset of what no barrier keeps lost: number, phase, bytes, lost."""
    unkept = 0
    for number, point in enumerate(points, 1):
        kind = kind_of(point)
        here = unkept + (kind in TORN_BYTES)
        for lost in range(1 << unkept):
            yield number, Phase.BEFORE, None, lost
        for lost in range(1 << here):
            yield from ((number, Phase.TORN, torn, lost) for torn in TORN_BYTES.get(kind, ()))
            yield number, Phase.AFTER, None, lost
        unkept = here if kind in TORN_BYTES else 0


def interrupted(work: Callable[[Nvram], None], chip: Chip) -> Iterator[tuple[str, bytes]]:
    """Run ``work`` once per cut of it; tell what each left on the chip."""
    image = chip.image
    power, chip = powered(), Chip.holding(image)
    nvram = Nvram(chip, power)
    with power.watched() as points:
        work(nvram)
    for number, phase, torn, lost in cuts_of(points):
        chip, power = Chip.holding(image), powered()
        nvram = Nvram(chip, power)
        power.cut_at(number, phase, torn_bytes=torn, lost=lost)
        with pytest.raises(PowerLost):
            work(nvram)
        yield f"{points[number - 1]} {number} {phase.value} {torn} without {lost:b}", chip.image


def test_records_come_back_from_bytes_alone() -> None:
    """The morning after, the terminal would not know yesterday's sales."""
    chip, _, nvram = filled(b"one", b"", b"three" * 20)
    assert nvram.records() == reopened(chip.image).records() == (b"one", b"", b"three" * 20)


@pytest.mark.parametrize("payload", [b"the sale \0\xff\xff", LONG], ids=["short", "long"])
@pytest.mark.parametrize("in_front", range(0, PAGE_BYTES, 24))
def test_every_cut_of_an_append_leaves_a_prefix_and_a_sound_next_append(payload: bytes, in_front: int) -> None:
    """A plug pulled while a sale is journalled would cost the sales before it, or turn up half a sale."""
    before = (b"first", b"s" * in_front)
    chip, _, _ = filled(*before)
    left = set()
    for where, image in interrupted(lambda nvram: nvram.append(payload), chip):
        if image in left:
            continue
        left.add(image)
        nvram = reopened(image)
        assert nvram.records() in (before, (*before, payload)), where
        known = nvram.records()
        nvram.append(b"n")
        assert nvram.records() == (*known, b"n"), where
    assert len(left) > len(payload)


def test_every_cut_of_a_rewrite_leaves_the_old_or_the_new() -> None:
    """A plug pulled while the batch is put away would lose unsettled sales or bring settled ones back."""
    old, new = (b"settled", LONG * 9, b"unsettled"), (b"unsettled", LONG)
    chip, _, _ = filled(*old, size_bytes=4 * SECTOR_BYTES)
    seen, left = set(), set()
    for where, image in interrupted(lambda nvram: nvram.rewrite(new), chip):
        if image in left:
            continue
        left.add(image)
        nvram = reopened(image)
        known = nvram.records()
        assert known in (old, new), where
        seen.add(known)
        nvram.append(b"next")
        assert nvram.records() == (*known, b"next"), where
    assert seen == {old, new}


@pytest.mark.parametrize("in_front", [0, PAGE_BYTES - 40])
def test_a_cut_in_the_repair_of_a_torn_tail_is_repaired_too(in_front: int) -> None:
    """A shop with a loose plug would end with a terminal that does not start."""
    before = (b"first", b"s" * in_front)
    for torn in (1, 8, 20):
        chip, power, nvram = filled(*before)
        power.cut_at(1, Phase.TORN, torn_bytes=torn)
        with pytest.raises(PowerLost):
            nvram.append(LONG)
        image, dry = chip.image, powered()
        with dry.watched() as points:
            Nvram(Chip.holding(image), dry)
        for number, phase, torn_again, lost in cuts_of(points):
            chip, power = Chip.holding(image), powered()
            power.cut_at(number, phase, torn_bytes=torn_again, lost=lost)
            with pytest.raises(PowerLost):
                Nvram(chip, power)
            assert reopened(chip.image).records() == before


def test_every_cut_of_the_first_start_leaves_an_empty_journal() -> None:
    """A device unplugged while it is unpacked would have to go back to the factory."""
    blank, dry = Chip(CHIP_BYTES), powered()
    with dry.watched() as points:
        Nvram(Chip.holding(blank.image), dry)
    for number, phase, torn, lost in cuts_of(points):
        chip, power = Chip.holding(blank.image), powered()
        power.cut_at(number, phase, torn_bytes=torn, lost=lost)
        with pytest.raises(PowerLost):
            Nvram(chip, power)
        assert reopened(chip.image).records() == ()


@pytest.mark.parametrize("lost", range(1 << 2))
def test_nothing_stands_behind_a_page_that_never_came(lost: int) -> None:
    """Sales behind a lost page would have to be dropped silently, or the device could not start."""
    chip, power, nvram = filled(b"first")
    power.cut_at(1, Phase.BEFORE, of="barrier", lost=lost)
    with pytest.raises(PowerLost):
        nvram.append(LONG)
    assert chip.read(HEADER_BYTES + 16, 2) == b"RC"
    assert [bool(chip.read(page * PAGE_BYTES, PAGE_BYTES).strip(BLANK)) for page in (1, 2)] == [
        not lost & 1, not lost & 2,
    ]  # fmt: skip
    assert reopened(chip.image).records() in ((b"first",), (b"first", LONG))


def test_a_lost_page_in_the_middle_is_told() -> None:
    """A dead page would silently drop every sale from there on."""
    chip, _, _ = filled(*(b"%02d" % number * 40 for number in range(30)), size_bytes=64 * SECTOR_BYTES)
    for page in range(1, 7):
        image = bytearray(chip.image)
        image[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = BLANK * PAGE_BYTES
        with pytest.raises(NvramCorrupt):
            reopened(bytes(image))


def test_torn_bytes_that_look_like_a_record_never_become_one() -> None:
    """A sale that was never journalled would appear after the next one, and be settled."""
    twin, _, twin_nvram = filled(b"A")
    twin_nvram.append(b"forged")
    forged = twin.read(HEADER_BYTES + 16, RECORD_OVERHEAD_BYTES + len(b"forged"))
    payload = b"A" + BLANK * 7 + forged + bytes(10) + b"end"
    for torn in range(RECORD_OVERHEAD_BYTES + len(payload)):
        chip, power, nvram = filled()
        power.cut_at(1, Phase.TORN, torn_bytes=torn)
        with pytest.raises(PowerLost):
            nvram.append(payload)
        again = reopened(chip.image)
        again.append(b"A")
        assert again.records() == (b"A",)


def test_stale_records_of_an_earlier_generation_stay_dead() -> None:
    """Records that were put away months ago would come back behind new ones of the same length."""
    chip, _, nvram = filled(b"aaaa", b"bbbb")
    nvram.rewrite([])
    nvram.rewrite([])
    nvram.append(b"cccc")
    assert reopened(chip.image).records() == (b"cccc",)


def test_a_rewrite_leaves_nothing_of_the_past_on_the_chip() -> None:
    """What was erased could be read from the chip of a discarded device."""
    chip, _, nvram = filled(b"old secret")
    nvram.rewrite([b"new"])
    assert b"old secret" not in chip.image


@pytest.mark.parametrize("at", [HEADER_BYTES, HEADER_BYTES + 2, HEADER_BYTES + 5, HEADER_BYTES + RECORD_OVERHEAD_BYTES])
def test_damage_in_the_middle_is_told_and_not_dropped(at: int) -> None:
    """One bad cell would silently drop every sale behind it."""
    chip, _, _ = filled(b"first", b"second", b"third")
    image = bytearray(chip.image)
    image[at] ^= 0x41
    with pytest.raises(NvramCorrupt):
        reopened(bytes(image))


def test_records_that_changed_places_are_told() -> None:
    """Somebody could cut a sale out of the journal, or put it in twice."""
    chip, _, _ = filled(b"one", b"two", b"six")
    image, size = chip.image, 16
    first, second = (image[HEADER_BYTES + n * size : HEADER_BYTES + (n + 1) * size] for n in (0, 1))
    for forged in (second + first, second, first + first):
        with pytest.raises(NvramCorrupt):
            reopened((image[:HEADER_BYTES] + forged + image[HEADER_BYTES + 2 * size :]).ljust(CHIP_BYTES, BLANK))


def test_a_damaged_bank_header_is_told() -> None:
    """The device would start as if it were new, with unsettled sales in it."""
    chip, _, _ = filled(b"first")
    with pytest.raises(NvramCorrupt, match="neither bank"):
        reopened(b"X" + chip.image[1:])


def test_room_at_the_limit_and_one_byte_over() -> None:
    """A sale would be approved with no room to journal it, or refused while there is room."""
    chip, power = Chip(CHIP_BYTES), powered()
    nvram = Nvram(chip, power, reserve_bytes=100)
    room = nvram.room_bytes
    assert room == CHIP_BYTES // 2 - HEADER_BYTES - RECORD_OVERHEAD_BYTES - 100
    image, operations = chip.image, power.operations
    with pytest.raises(NvramFull):
        nvram.append(bytes(room + 1))
    assert (chip.image, power.operations) == (image, operations)
    nvram.append(b"x" * room)
    assert nvram.room_bytes == 0
    with pytest.raises(NvramFull):
        nvram.append(b"")
    reserved = nvram.reserved_room_bytes
    assert reserved == 96 - RECORD_OVERHEAD_BYTES
    with pytest.raises(NvramFull):
        nvram.append(bytes(reserved + 1), reserved=True)
    nvram.append(b"r" * reserved, reserved=True)
    assert nvram.reserved_room_bytes == 0
    with pytest.raises(NvramFull):
        nvram.append(b"", reserved=True)
    assert len(reopened(chip.image).records()) == 2


def test_rewrite_at_the_limit_and_one_byte_over() -> None:
    """Putting the journal in order would fail half way, or overrun into the other bank."""
    chip, _, nvram = filled(b"kept")
    most = CHIP_BYTES // 2 - HEADER_BYTES - RECORD_OVERHEAD_BYTES
    with pytest.raises(NvramFull):
        nvram.rewrite([bytes(most + 1)])
    assert reopened(chip.image).records() == (b"kept",)
    nvram.rewrite([b"x" * most])
    assert reopened(chip.image).records() == (b"x" * most,)


def test_the_longest_record() -> None:
    """A length of more than 16 bits would be written as a short one."""
    nvram = Nvram(Chip(64 * SECTOR_BYTES), powered())
    assert nvram.room_bytes == PAYLOAD_BYTES_MAX
    with pytest.raises(NvramFull):
        nvram.append(bytes(PAYLOAD_BYTES_MAX + 1))
    with pytest.raises(NvramFull):
        nvram.rewrite([bytes(PAYLOAD_BYTES_MAX + 1)])
    nvram.append(b"x" * PAYLOAD_BYTES_MAX)


def worn(*payloads: bytes) -> tuple[Chip, Nvram]:
    """Memory whose old bank could not be erased any more when the journal was put in order."""
    chip, _, nvram = filled(b"old secret", *payloads, cycles_max=1)
    nvram.rewrite(payloads)
    nvram.rewrite(payloads)
    assert not nvram.is_worn
    nvram.rewrite(payloads)
    return chip, nvram


def test_worn_memory_keeps_what_it_holds_and_takes_no_second_life() -> None:
    """A terminal that is too old would lose its unsettled sales instead of refusing the next one."""
    chip, nvram = worn(b"unsettled")
    assert nvram.is_worn
    assert b"secret" not in chip.image
    nvram.append(b"reversed")
    image = chip.image
    with pytest.raises(NvramWorn):
        nvram.rewrite([])
    assert chip.image == image
    again = Nvram(chip, powered())
    assert again.is_worn
    assert again.records() == nvram.records() == (b"unsettled", b"reversed")
    again.append(b"settled")
    assert Nvram(chip, powered()).records() == (b"unsettled", b"reversed", b"settled")


def test_a_torn_tail_in_worn_memory_can_be_read_and_nothing_be_added() -> None:
    """A plug pulled in the last days of a terminal would take its journal with it."""
    chip, _ = worn(b"unsettled")
    power = powered()
    nvram = Nvram(chip, power)
    power.cut_at(1, Phase.TORN)
    with pytest.raises(PowerLost):
        nvram.append(b"torn")
    again = Nvram(chip, powered())
    assert (again.records(), again.room_bytes, again.reserved_room_bytes) == ((b"unsettled",), 0, 0)
    with pytest.raises(NvramFull):
        again.append(b"", reserved=True)


def test_a_torn_tail_in_memory_that_takes_nothing_any_more_can_be_read_fault() -> None:
    """A till whose last cell wears out as the plug is pulled would not start again, with its sales inside."""
    faults, chip, power = Faults(), Chip(CHIP_BYTES, name="journal"), powered()
    nvram = Nvram(chip, power)
    nvram.append(b"unsettled")
    power.cut_at(1, Phase.TORN)
    with pytest.raises(PowerLost):
        nvram.append(b"torn")
    faults.arm("journal.stuck_bit", times=None)
    again = Nvram(chip, powered(), faults=faults)
    assert (again.is_worn, again.records(), again.reserved_room_bytes) == (True, (b"unsettled",), 0)


def test_a_record_that_a_cell_did_not_take_moves_with_those_before_it_fault() -> None:
    """A sale would be acknowledged that nobody can read in the evening."""
    faults = Faults()
    for times, bank in ((1, 1), (2, 0)):
        chip, power = Chip(CHIP_BYTES, name="journal"), powered()
        nvram = Nvram(chip, power, faults=faults)
        nvram.append(b"first")
        faults.arm("journal.stuck_bit", times=times)
        nvram.append(LONG)
        assert nvram.records() == reopened(chip.image).records() == (b"first", LONG)
        assert chip.read(bank * SECTOR_BYTES, SECTOR_BYTES) != BLANK * SECTOR_BYTES or times == 2
    assert faults.fired["journal.stuck_bit"] == 3


def test_cells_that_take_nothing_any_more_are_told_fault() -> None:
    """The terminal would take sales that it cannot journal."""
    faults = Faults()
    chip = Chip(CHIP_BYTES, name="journal")
    nvram = Nvram(chip, powered(), faults=faults)
    nvram.append(b"first")
    faults.arm("journal.stuck_bit", times=None)
    with pytest.raises(NvramWorn):
        nvram.append(b"sale")
    assert (nvram.is_worn, nvram.room_bytes, nvram.records()) == (True, 0, (b"first",))
    assert reopened(chip.image).records() == (b"first",)
    with pytest.raises(NvramWorn):
        Nvram(Chip(CHIP_BYTES, name="journal"), powered(), faults=faults)


def test_a_bank_that_took_half_and_cannot_be_erased_again_fault() -> None:
    """Half of the new records would stand where nobody can take them away, and be trusted."""
    faults = Faults()
    chip = Chip(CHIP_BYTES, name="journal")
    nvram = Nvram(chip, powered(), faults=faults)
    nvram.append(b"first")
    faults.arm("journal.stuck_bit")
    faults.arm("journal.erase_fails")
    with pytest.raises(NvramWorn):
        nvram.rewrite([b"second"])
    assert nvram.is_worn
    assert nvram.records() == reopened(chip.image).records() == (b"first",)


def test_a_bank_that_cannot_be_erased_fault() -> None:
    """Wear-out could not be rehearsed without erasing a hundred thousand times."""
    faults = Faults()
    chip = Chip(CHIP_BYTES, name="journal")
    nvram = Nvram(chip, powered(), faults=faults)
    nvram.append(b"secret")
    faults.arm("journal.erase_fails")
    nvram.rewrite([b"kept"])
    assert (nvram.is_worn, nvram.records(), faults.fired["journal.erase_fails"]) == (True, (b"kept",), 1)
    assert b"secret" not in chip.image


def test_an_old_epoch_neither_reads_nor_writes() -> None:
    """The program that lost its power would still see, and change, the journal."""
    chip, power, nvram = filled(b"first")
    image = chip.image
    power.cut()
    for use in (nvram.records, lambda: nvram.append(b"x"), lambda: nvram.rewrite([]), lambda: nvram.room_bytes):
        with pytest.raises(PowerLost):
            use()
    assert chip.image == image


def test_a_file_holds_the_same_records(tmp_path: Path) -> None:
    """The journal of `poslab terminal` would differ from the one that the laboratory tests."""
    chip = Chip.open(tmp_path / "journal", CHIP_BYTES)
    Nvram(chip, powered()).append(b"sale")
    chip.close()
    assert Nvram(Chip.open(tmp_path / "journal", CHIP_BYTES), powered()).records() == (b"sale",)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_history_of_writes_and_cuts_keeps_every_acknowledged_record(data: st.DataObject) -> None:
    """Over months of loose plugs, a sale that was acknowledged would be gone."""
    chip, power = Chip(CHIP_BYTES), Power()
    expected: tuple[bytes, ...] = ()
    for _ in range(data.draw(st.integers(1, 6))):
        power.switch_on()
        power.cut_at(
            data.draw(st.integers(1, 14)), data.draw(st.sampled_from(Phase)), lost=data.draw(st.integers(0, 15))
        )
        flying = expected
        try:
            nvram = Nvram(chip, power)
            assert nvram.records() in (expected, flying)
            for _ in range(data.draw(st.integers(0, 5))):
                if data.draw(st.booleans()):
                    payload = data.draw(st.binary(max_size=12)) * data.draw(st.integers(1, 60))
                    flying = (*expected, payload)
                    nvram.append(payload)
                else:
                    flying = expected[len(expected) // 2 :]
                    nvram.rewrite(flying)
                expected = flying
            power.cut()
        except PowerLost:
            pass
        known = reopened(chip.image).records()
        assert known in (expected, flying)
        expected = known
