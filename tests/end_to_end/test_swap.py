"""A swap between two whole devices and a real host, and the power going at every point of it, on either device."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.cards import TEST_CARDS
from firmware_sim.chip import BLANK, Chip
from firmware_sim.chips import SIZES, Chips
from firmware_sim.fuse import Fuse
from firmware_sim.power import Phase, Power, cuts
from firmware_sim.secure_module import KeyState
from host.policy import Activation, Policy
from pos_lab.world import Device, Over, World, world
from protocol.crypto.derived import PROOF_BYTES, Purpose, is_proof
from terminal.book import Book, Operator
from terminal.outcome import Outcome
from terminal.records import OperatorKept, PauseSet
from tests.end_to_end.shop import Till, struck

pytestmark = pytest.mark.feature("X2", "X6", "X12")

_numbers = count(1)
SALT, DIGEST = "5a" * 16, "c3" * 32
SHOPS_AT_ONCE, PAIRS_MIN = 10, 200
NOTICE = {"title_zh": "通知", "title_en": "notice", "text_zh": "请续约", "text_en": "renew"}
Act = Callable[["Swap"], Awaitable[object]]


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A host for many shops. A first sale activates; a reply that comes is waited for as long as it takes."""
    monkeypatch.setattr("pos_lab.world.REPLY_TIMEOUT_S", 30.0)
    async with world({}, Policy(activation=Activation(turnover_fen=1)), Over.MEMORY, tmp_path, seed=7) as built:
        yield built


@dataclass
class Swap:
    """A shop with an old device in service, a new one in its box, and a swap that was ordered."""

    world: World
    old: Till
    new: Device
    before: Book
    keys: set[bytes] = field(default_factory=set)

    @classmethod
    async def ordered(cls, lab: World) -> Swap:
        """A settled batch, an open one with a void and a lost reply, an operator, an unread notice, parameters."""
        number = next(_numbers)
        old = await Till.open(lab, number)
        old.device.hardware.chip_memories = {}  # the cards of another shop are in use elsewhere just now
        old.device.power_cycle()
        serial_number = old.device.member.serial_number
        box = old.device.member.model_copy(update={"serial_number": f"NEW{number:09d}"})
        new = lab.add(f"box_{number}", box)
        await lab.act("order", serial_number=box.serial_number, model=box.model)
        await lab.load_keys(new.name)
        for act in ("ship", "deliver"):
            await lab.act(act, serial_number=box.serial_number)
        assert (await old.sell(60_00)).is_good
        assert (await old.do("settle")).is_good
        assert (await old.sell(1_00)).is_good
        assert (await old.sell(2_34, "credit")).is_good
        assert (await old.do("void", list(old.sold)[-1])).is_good
        journal = old.device.terminal.session.journal
        journal.append(OperatorKept(operator=Operator(number="01", salt=SALT, digest=DIGEST)))
        old.device.hardware.faults.arm("line.drop_request")
        with old.impatient(0.02):
            assert (await old.do("qr_sale", "60.00", f"6200{number:015d}")).result == "unknown"
        await lab.act("announce", serial_number=serial_number, **NOTICE)
        assert (await old.do("commands")).is_good
        await lab.act("begin_swap", serial_number=serial_number, successor=box.serial_number)
        return cls(lab, old, new, old.device.terminal.book)

    @property
    def serial_number(self) -> str:
        return self.old.device.member.serial_number

    async def standing(self) -> dict[str, Any]:
        result = await self.world.act("swaps", serial_number=self.serial_number)
        found: dict[str, Any] = result["swaps"][-1]  # type: ignore[index]
        return found

    async def hand_over(self) -> Outcome:
        """At the old device."""
        module = self.old.device.terminal.board.secure_module
        if module.key_state is KeyState.WORKING:
            self.keys |= {bytes(key) for slot, key in module._memory.ring.keys.items() if slot != "host_public"}
        return await self.old.do("hand_over")

    async def take_over(self) -> Outcome:
        """At the new device."""
        return await self.new.terminal.do("take_over")


async def _nothing(swap: Swap) -> None:
    """It was only ordered."""


async def _hand_over(swap: Swap) -> None:
    await swap.hand_over()


async def _handed_over(swap: Swap) -> None:
    assert (await swap.hand_over()).is_good


async def _take_over(swap: Swap) -> None:
    await swap.take_over()


async def _taken_over(swap: Swap) -> None:
    await _handed_over(swap)
    assert (await swap.take_over()).is_good


# what has happened before, what happens then, whether it happens at the old device
CASES: dict[str, tuple[Act, Act, bool]] = {
    "hand over": (_nothing, _hand_over, True),
    "take over": (_handed_over, _take_over, False),
}


def _device(swap: Swap, *, at_old: bool) -> Device:
    return swap.old.device if at_old else swap.new


async def _finish(swap: Swap) -> None:
    """Each device is asked again until the swap is over."""
    for flow in (swap.hand_over, swap.take_over, swap.hand_over):
        for _ in range(3):
            outcome = await flow()
            if outcome.is_good or outcome.reason == "swap.restored_already":
                break
        else:
            raise AssertionError(outcome)


async def _assert_swapped(swap: Swap) -> None:
    """The money of both is the money of before, the shop has its things, and the old device nothing."""
    standing = await swap.standing()
    assert standing["state"] == "wiped"
    assert standing["certificate"]["serial_number"] == swap.serial_number
    before, after = swap.before, swap.new.terminal.book
    assert not after.rows
    closed = {batch.batch: batch.debit_fen - batch.credit_fen for batch in after.closed}
    assert sum(closed.values()) == sum(row.debit_fen - row.credit_fen for row in before.closed) + before.net_fen
    assert sum((await swap.old.captured()).values()) == sum(closed.values())
    assert await swap.old.broken_promises() == []
    assert [(row.title_en, row.read) for row in after.announcements] == [("notice", False)]
    assert {number: row.has_password for number, row in after.operators.items()} == {"01": False}
    assert after.batch > max(closed)
    _assert_wiped(swap)


def _assert_wiped(swap: Swap) -> None:
    device = swap.old.device
    chips, module = device.hardware.chips, device.terminal.board.secure_module
    assert module.key_state is KeyState.TAMPERED
    assert not chips.keys.image.strip(BLANK)
    assert not chips.fuse.image.strip(b"\0")
    written = (chip.image.strip(BLANK) for chip in (chips.journal, chips.keys, chips.slot_record))
    image = BLANK.join((*written, chips.fuse.image))
    secrets = [*swap.keys, *(card.pan.encode() for card in TEST_CARDS.values())]
    assert len(swap.keys) >= 4
    for secret in secrets:
        for form in (secret, secret[::-1], secret.hex().encode(), secret.hex().upper().encode(), b64encode(secret)):
            assert form not in image
    for card in TEST_CARDS.values():
        assert bytes.fromhex(card.pan) not in image
    assert len(device.terminal.board.nvram.records()) == 1
    assert device.terminal.book == Book(swap=device.terminal.book.swap)


async def test_a_swap_from_order_to_certificate(lab: World) -> None:
    """The shop would stand there without a till, or with two; or its keys lie in a container."""
    swap = await Swap.ordered(lab)
    tmk = bytes.fromhex(str((await lab.act("key_card", serial_number=swap.serial_number))["tmk"]))
    assert (await swap.take_over()).reason == "swap.old_not_ready"
    assert (await swap.hand_over()).is_good
    assert (await swap.standing())["state"] == "backed up"
    assert (await swap.old.sell(1)).reason == "swap.under_way"
    assert (await swap.take_over()).is_good
    assert (await swap.standing())["state"] == "restored"
    assert (await swap.old.do("sign_in")).reason == "terminal.replaced"
    assert (await swap.hand_over()).is_good
    await _assert_swapped(swap)
    row = (await lab.read(lambda books: books.rows("swaps", serial_number=swap.serial_number)))[0]
    stated, proof = row["certificate"][:-PROOF_BYTES], row["certificate"][-PROOF_BYTES:]
    assert is_proof(tmk, Purpose.CERTIFICATE, stated, proof)
    assert row["backup"] == b""
    new = Till(lab, swap.new)
    assert (await new.sell(5_00)).reason == "terminal.announcement_unread"
    assert (await new.device.terminal.run("acknowledge", enter="")).is_good
    assert (await new.sell(5_00)).is_good
    assert (await new.do("settle")).detail["balanced"] == "yes"
    swap.old.device.power_cycle()
    assert "this device is wiped" in swap.old.device.hardware.shown[-1].en
    assert (await swap.hand_over()).is_good
    for flow in ("sign_in", "sale", "status", "why", "take_over"):
        assert (await swap.old.device.terminal.run(flow)).reason == "swap.wiped"
    assert (await lab.act("verify"))["violations"] == []


async def test_a_swap_that_is_called_off_leaves_everything_as_it_was(lab: World) -> None:
    """A merchant who thinks again would have a terminal that does not sell."""
    swap = await Swap.ordered(lab)
    assert (await swap.hand_over()).is_good
    await lab.act("cancel_swap", serial_number=swap.serial_number)
    assert (await swap.take_over()).reason == "swap.cancelled"
    assert (await swap.old.sell(1)).reason == "swap.under_way"
    assert (await swap.hand_over()).reason == "swap.cancelled"
    assert (await swap.old.device.terminal.run("acknowledge", enter="")).is_good
    assert (await swap.old.sell(1)).is_good
    await swap.old.assert_sound()
    assert swap.old.device.terminal.book.operators["01"].digest == DIGEST


async def test_the_pause_goes_with_the_till(lab: World) -> None:
    """A shop that is closed would open itself by a swap."""
    swap = await Swap.ordered(lab)
    swap.old.device.terminal.session.journal.append(PauseSet(on=True))
    await _taken_over(swap)
    assert swap.new.terminal.book.paused
    assert (await Till(lab, swap.new).sell(1)).reason == "terminal.paused"


async def test_a_pause_that_the_host_never_heard_of_is_told_by_the_new_device(lab: World) -> None:
    """The new till would be closed at the counter, and open at the acquirer's office."""
    swap = await Swap.ordered(lab)
    swap.old.device.terminal.session.journal.append(PauseSet(on=True))
    with pytest.MonkeyPatch.context() as unheard:
        unheard.setattr("terminal.app.tell_pause", _nothing)
        await _taken_over(swap)
    assert (await lab.act("show", serial_number=swap.new.member.serial_number))["holds"] == []
    assert (await Till(lab, swap.new).sell(1)).reason == "terminal.paused"
    assert (await lab.act("show", serial_number=swap.new.member.serial_number))["holds"] == ["merchant"]
    assert swap.new.terminal.book.pause_told


async def test_a_merchant_pauses_where_the_till_is(lab: World) -> None:
    """The host would hold a new till that says it is open, for the pause was said at the old one behind its backup."""
    swap = await Swap.ordered(lab)
    assert (await swap.hand_over()).is_good
    assert (await swap.old.do("pause")).reason == "swap.under_way"
    assert (await swap.take_over()).is_good
    shown = await lab.act("show", serial_number=swap.new.member.serial_number)
    assert (swap.new.terminal.book.paused, shown["holds"]) == (False, [])
    assert (await swap.new.terminal.do("pause")).detail["told"] == "yes"


async def _points(lab: World, name: str) -> list[str]:
    """What is passed where nothing goes wrong."""
    prepare, act, at_old = CASES[name]
    swap = await Swap.ordered(lab)
    await prepare(swap)
    with _device(swap, at_old=at_old).hardware.power.watched() as points:
        await act(swap)
    await _finish(swap)
    await _assert_swapped(swap)
    return points


@pytest.mark.parametrize("name", ["hand over", "take over"])
async def test_a_cut_at_every_point_of_a_swap(lab: World, name: str) -> None:
    """A plug that is pulled during the swap would cost a batch or a till."""
    prepare, act, at_old = CASES[name]
    points = await _points(lab, name)
    assert {"journal.program", "line.send"} <= set(points)

    async def play(number: int, phase: Phase) -> None:
        swap = await Swap.ordered(lab)
        await prepare(swap)
        device = _device(swap, at_old=at_old)
        with struck(device.hardware.power, number, phase):
            await act(swap)
        device.power_cycle()
        try:
            await _finish(swap)
            await _assert_swapped(swap)
        except AssertionError as error:
            raise AssertionError(f"cut {phase.value} {points[number - 1]}, point {number}: {error}") from error

    due = list(cuts(points))
    for at in range(0, len(due), SHOPS_AT_ONCE):
        await asyncio.gather(*(play(number, phase) for number, phase in due[at : at + SHOPS_AT_ONCE]))
    assert (await lab.act("verify"))["violations"] == []


class Frozen:
    """The old device as it was before its wipe, to be wiped again and again; the host knows of the first time."""

    def __init__(self, swap: Swap) -> None:
        self._swap, chips = swap, swap.old.device.hardware.chips
        self._images = {name: getattr(chips, name).image for name in SIZES}
        self._fuse = chips.fuse.key

    async def thaw(self) -> Power:
        """It stands there again, switched on."""
        device = self._swap.old.device
        held = {name: Chip.holding(image, name=name) for name, image in self._images.items()}
        device.hardware.chips = Chips(**held, fuse=Fuse(self._fuse))
        device.power_cycle()
        return device.hardware.power


async def _resume(swap: Swap) -> None:
    """The device boots, which finishes a wipe that has begun, and is asked again."""
    swap.old.device.power_cycle()
    await swap.hand_over()


async def _before_wipe(lab: World) -> tuple[Swap, Frozen, list[str]]:
    swap = await Swap.ordered(lab)
    await _taken_over(swap)
    frozen = Frozen(swap)
    power = await frozen.thaw()
    with power.watched() as points:
        await _hand_over(swap)
    await _assert_swapped(swap)
    assert {"journal.program", "journal.erase", "keys.erase", "line.send"} <= set(points)
    return swap, frozen, points


async def test_a_cut_at_every_point_of_the_wipe(lab: World) -> None:
    """A device that is unplugged in its wipe would be sent away with its keys."""
    swap, frozen, points = await _before_wipe(lab)
    for number, phase in cuts(points):
        for lost in (0, ~0):
            power = await frozen.thaw()
            with struck(power, number, phase, lost=lost):
                await _hand_over(swap)
            await _resume(swap)
            _assert_wiped(swap)
            assert (await swap.standing())["state"] == "wiped"
    await _assert_swapped(swap)


async def _second_cuts(lab: World, worker: int) -> int:
    """One device's share of the pairs of cuts; how many these are."""
    swap, frozen, points = await _before_wipe(lab)
    pairs = 0
    for number in range(1 + worker, len(points) + 1, SHOPS_AT_ONCE):
        power = await frozen.thaw()
        with struck(power, number, Phase.AFTER):
            await _hand_over(swap)
        with power.watched() as recovery:
            await _resume(swap)
        for second, phase in cuts(recovery):
            power = await frozen.thaw()
            with struck(power, number, Phase.AFTER):
                await _hand_over(swap)
            with struck(power, second, phase):
                await _resume(swap)
            await _resume(swap)
            _assert_wiped(swap)
            pairs += 1
    await _assert_swapped(swap)
    return pairs


async def test_a_second_cut_in_the_wipe(lab: World) -> None:
    """A device that is unplugged twice would keep what the first cut spared."""
    pairs = await asyncio.gather(*(_second_cuts(lab, worker) for worker in range(SHOPS_AT_ONCE)))
    assert sum(pairs) > PAIRS_MIN
