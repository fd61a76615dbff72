"""Records that survive: every cut of every write, the limits, and what must not pass for a record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.chip import Chip
from firmware_sim.errors import NvramCorrupt, NvramFull
from firmware_sim.nvram import PAYLOAD_BYTES_MAX, RECORD_OVERHEAD_BYTES, Nvram
from firmware_sim.power import Phase, Power, PowerLost

CHIP_BYTES = 2 * 512
HEADER_BYTES = 12


def powered() -> Power:
    power = Power()
    power.switch_on()
    return power


def reopened(image: bytes) -> Nvram:
    return Nvram(Chip.holding(image), powered())


def filled(*payloads: bytes) -> tuple[Chip, Power, Nvram]:
    chip, power = Chip(CHIP_BYTES), powered()
    nvram = Nvram(chip, power)
    for payload in payloads:
        nvram.append(payload)
    return chip, power, nvram


def interrupted(work: Callable[[Nvram], None], *payloads: bytes) -> list[tuple[str, bytes]]:
    """Run ``work`` once per operation, phase and torn byte; return what each cut left on the chip."""
    chip, power, nvram = filled(*payloads)
    before, image = power.operations, chip.image
    sizes: list[int] = []
    write = chip.write

    def measured(offset: int, data: bytes) -> None:
        sizes.append(len(data))
        write(offset, data)

    chip.write = measured  # type: ignore[method-assign]
    work(nvram)
    left = []
    for operation in range(1, power.operations - before + 1):
        cuts: list[tuple[Phase, int | None]] = [(Phase.BEFORE, None), (Phase.AFTER, None)]
        cuts += [(Phase.TORN, torn) for torn in range(sizes[operation - 1])]
        for phase, torn in cuts:
            chip, power = Chip.holding(image), powered()
            nvram = Nvram(chip, power)
            power.cut_at(operation, phase, torn_bytes=torn)
            with pytest.raises(PowerLost):
                work(nvram)
            left.append((f"operation {operation} {phase.value} {torn}", chip.image))
    return left


def test_records_come_back_from_bytes_alone() -> None:
    """The morning after, the terminal would not know yesterday's sales."""
    chip, _, nvram = filled(b"one", b"", b"three" * 20)
    assert nvram.records() == reopened(chip.image).records() == (b"one", b"", b"three" * 20)


def test_every_cut_of_an_append_leaves_a_prefix_and_a_sound_next_append() -> None:
    """A plug pulled while a sale is journalled would cost the sales before it, or turn up half a sale."""
    for where, image in interrupted(lambda nvram: nvram.append(b"the sale \0\0\0"), b"first", b"second"):
        nvram = reopened(image)
        assert nvram.records() in ((b"first", b"second"), (b"first", b"second", b"the sale \0\0\0")), where
        known = nvram.records()
        nvram.append(b"n")
        assert nvram.records() == (*known, b"n"), where


def test_every_cut_of_a_rewrite_leaves_the_old_or_the_new() -> None:
    """A plug pulled while the batch is put away would lose unsettled sales or bring settled ones back."""
    old, new = (b"settled", b"unsettled"), (b"unsettled",)
    for where, image in interrupted(lambda nvram: nvram.rewrite(new), *old):
        nvram = reopened(image)
        known = nvram.records()
        assert known in (old, new), where
        nvram.append(b"next")
        assert nvram.records() == (*known, b"next"), where
    assert reopened(image).records() == new


def test_a_cut_in_the_repair_of_a_torn_tail_is_repaired_too() -> None:
    """A shop with a loose plug would end with a terminal that does not start."""
    chip, power, nvram = filled(b"first", b"second")
    power.cut_at(1, Phase.TORN)
    with pytest.raises(PowerLost):
        nvram.append(b"torn")
    image = chip.image
    dry = powered()
    Nvram(Chip.holding(image), dry)
    assert dry.operations > 1
    for operation in range(1, dry.operations + 1):
        for phase in Phase:
            chip, power = Chip.holding(image), powered()
            power.cut_at(operation, phase)
            with pytest.raises(PowerLost):
                Nvram(chip, power)
            assert reopened(chip.image).records() == (b"first", b"second")


def test_every_cut_of_the_first_start_leaves_an_empty_journal() -> None:
    """A device unplugged while it is unpacked would have to go back to the factory."""
    for torn in range(HEADER_BYTES):
        chip, power = Chip(CHIP_BYTES), powered()
        power.cut_at(1, Phase.TORN, torn_bytes=torn)
        with pytest.raises(PowerLost):
            Nvram(chip, power)
        assert reopened(chip.image).records() == ()


def test_torn_bytes_that_look_like_a_record_never_become_one() -> None:
    """A sale that was never journalled would appear after the next one, and be settled."""
    twin, _, twin_nvram = filled(b"A")
    twin_nvram.append(b"forged")
    forged = twin.read(HEADER_BYTES + RECORD_OVERHEAD_BYTES + 1, RECORD_OVERHEAD_BYTES + len(b"forged"))
    payload = b"A" + forged + bytes(10) + b"end"
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
    image, size = chip.image, RECORD_OVERHEAD_BYTES + 3
    first, second = (image[HEADER_BYTES + n * size : HEADER_BYTES + (n + 1) * size] for n in (0, 1))
    for forged in (second + first, second, first + first):
        with pytest.raises(NvramCorrupt):
            reopened((image[:HEADER_BYTES] + forged + image[HEADER_BYTES + 2 * size :]).ljust(CHIP_BYTES, b"\0"))


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
    assert reserved == 100 - RECORD_OVERHEAD_BYTES
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
    nvram = Nvram(Chip(4 * PAYLOAD_BYTES_MAX), powered())
    assert nvram.room_bytes == PAYLOAD_BYTES_MAX
    with pytest.raises(NvramFull):
        nvram.append(bytes(PAYLOAD_BYTES_MAX + 1))
    with pytest.raises(NvramFull):
        nvram.rewrite([bytes(PAYLOAD_BYTES_MAX + 1)])
    nvram.append(b"x" * PAYLOAD_BYTES_MAX)


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
        power.cut_at(data.draw(st.integers(1, 8)), data.draw(st.sampled_from(Phase)), torn_bytes=None)
        flying = expected
        try:
            nvram = Nvram(chip, power)
            assert nvram.records() in (expected, flying)
            for _ in range(data.draw(st.integers(0, 5))):
                if data.draw(st.booleans()):
                    payload = data.draw(st.binary(max_size=12))
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
