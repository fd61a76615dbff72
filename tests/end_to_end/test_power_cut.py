"""The power goes at every operation of the terminal's memory and every sending: before it, within it, after it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.faults import Faults
from firmware_sim.line import Direction, Traffic
from firmware_sim.power import Phase, PowerLost, cuts, kind_of
from host.policy import Activation, Policy
from pos_lab.world import Over, World, world
from terminal.transaction import State
from tests.end_to_end.shop import Till, struck

Act = Callable[[Till], Awaitable[object]]
_numbers = count(1)
SALE_FEN = 60_00


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A host for many terminals. A first sale activates; a reply that comes is waited for as long as it takes."""
    monkeypatch.setattr("pos_lab.world.REPLY_TIMEOUT_S", 30.0)
    async with world({}, Policy(activation=Activation(turnover_fen=1)), Over.MEMORY, tmp_path, seed=7) as built:
        yield built


async def _nothing(till: Till) -> None:
    """The terminal stands on the counter and was never used."""


async def _signed_on(till: Till) -> None:
    assert (await till.do("sign_in")).is_good


async def _sold(till: Till) -> None:
    assert (await till.sell(SALE_FEN)).is_good
    assert (await till.sell(1, "credit")).is_good


async def _sell(till: Till) -> None:
    await till.sell(SALE_FEN)


async def _lose_reply_and_reverse(till: Till) -> None:
    """The cashier waits in vain, then reverses."""
    till.device.hardware.faults.arm("line.drop_reply")
    with till.impatient():
        assert (await till.sell(SALE_FEN)).result == "unknown"
    await till.do("reverse")


async def _void(till: Till) -> None:
    await till.do("void", next(iter(till.sold)))


async def _refund(till: Till) -> None:
    sale = till.device.terminal.told[0]
    await till.do("refund", "10.00", "debit", sale.rrn, f"{till.world.now():%m%d}")


async def _settle(till: Till) -> None:
    await till.do("settle")


async def _hold(till: Till) -> None:
    await till.do("preauth", "60.00", "credit", "")


async def _held(till: Till) -> None:
    await _sold(till)
    await _hold(till)


async def _completed(till: Till) -> None:
    await _held(till)
    await _about_hold("completion")(till)


def _about_hold(flow: str) -> Act:
    async def act(till: Till) -> None:
        held = next(row for row in till.device.terminal.book.rows.values() if row.kind == "preauth")
        await till.do(flow, "60.00", "credit", held.auth_id, held.date)

    return act


def _of_last(flow: str, *words: str) -> Act:
    """A flow that names what was sold last by its STAN."""

    async def act(till: Till) -> None:
        await till.do(flow, list(till.sold)[-1], *words)

    return act


async def _sell_offline(till: Till) -> None:
    await till.do("offline_sale", "50.00", "credit")
    await till.do("reverse")


async def _scan(till: Till) -> None:
    await till.do("qr_sale", "60.00", f"6200{next(_numbers):015d}")


CASES: dict[str, tuple[Act, Act]] = {
    "sign-on and sale": (_nothing, _sell),
    "sale": (_signed_on, _sell),
    "lost reply and reversal": (_signed_on, _lose_reply_and_reverse),
    "void": (_sold, _void),
    "refund": (_sold, _refund),
    "settlement": (_sold, _settle),
    "hold": (_sold, _hold),
    "end of a hold": (_held, _about_hold("preauth_void")),
    "completion": (_held, _about_hold("completion")),
    "completion advice": (_held, _about_hold("completion_advice")),
    "completion void": (_completed, _of_last("completion_void")),
    "offline sale and upload": (_sold, _sell_offline),
    "tip": (_sold, _of_last("tip_adjustment", "0.01")),
    "scan": (_sold, _scan),
}


async def _till(lab: World, prepare: Act) -> Till:
    till = await Till.open(lab, next(_numbers))
    await prepare(till)
    return till


async def _points(lab: World, prepare: Act, act: Act) -> list[str]:
    """What ``act`` passes where nothing goes wrong."""
    till = await _till(lab, prepare)
    with till.device.hardware.power.watched() as points:
        await act(till)
    await till.assert_sound()
    return points


async def _cut_and_recover(till: Till, act: Act, number: int, phase: Phase) -> None:
    with struck(till.device.hardware.power, number, phase):
        await act(till)
    till.device.hardware.faults = Faults()  # what the line still had in store hits nobody else
    till.device.power_cycle()


async def _captured_there(till: Till) -> set[tuple[str, str, int]]:
    """Holds and voids as well as money: what stands of the open batch in the host's book (invariants M1, M2)."""
    book, terminal_id = till.device.terminal.book, till.device.member.terminal_id
    rows: list[dict[str, Any]] = await till.world.read(
        lambda books: books.rows("transactions", terminal_id=terminal_id, batch=book.batch, state="captured")
    )
    return {(row["stan"], row["kind"], row["amount_fen"]) for row in rows}


def _captured_here(till: Till) -> set[tuple[str, str, int]]:
    rows = till.device.terminal.book.rows.values()
    return {(row.stan, row.kind, row.amount_fen) for row in rows if row.state is State.CAPTURED}


async def _end_the_day(till: Till) -> None:
    """Nothing is pending, both books agree, the next customer is served and the batch balances."""
    await till.resolve()
    await till.assert_sound()
    assert await _captured_there(till) == _captured_here(till)
    assert (await till.sell(1_23)).is_good
    settled = await till.do("settle")
    assert settled.detail.get("balanced") == "yes", settled
    await till.assert_sound()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.feature("F")
async def test_both_books_agree_after_a_cut_at_every_point(lab: World, name: str) -> None:
    """A plug that is pulled would take a customer's money and give the shop nothing, or the other way round."""
    prepare, act = CASES[name]
    points = await _points(lab, prepare, act)
    assert {"journal.program", "journal.barrier", "line.send"} <= set(points)
    for number, phase in cuts(points):
        till = await _till(lab, prepare)
        await _cut_and_recover(till, act, number, phase)
        try:
            await _end_the_day(till)
        except AssertionError as error:
            raise AssertionError(f"cut {phase.value} {points[number - 1]}, point {number}: {error}") from error
    assert (await lab.act("verify"))["violations"] == []


async def _recover(till: Till) -> None:
    till.device.power_cycle()
    await till.resolve()


async def test_a_second_cut_in_the_recovery_changes_nothing(lab: World) -> None:
    """A shop with a bad plug would lose what one cut alone does not take."""
    prepare, act = CASES["sale"]
    points = await _points(lab, prepare, act)
    for first, point in enumerate(points, 1):
        if kind_of(point) not in ("barrier", "send"):
            continue
        till = await _till(lab, prepare)
        with struck(till.device.hardware.power, first, Phase.AFTER):
            await act(till)
        with till.device.hardware.power.watched() as recovery:
            await _recover(till)
        for second, phase in cuts(recovery):
            till = await _till(lab, prepare)
            power = till.device.hardware.power
            with struck(power, first, Phase.AFTER):
                await act(till)
            with struck(power, second, phase):
                await _recover(till)
            till.device.power_cycle()
            await _end_the_day(till)
    assert (await lab.act("verify"))["violations"] == []


@pytest.mark.parametrize("name", CASES)
async def test_both_books_agree_after_a_cut_at_every_message(lab: World, name: str) -> None:
    """A plug that is pulled while the line is busy would leave a sale that only one book knows."""
    prepare, act = CASES[name]
    messages = await _messages(lab, prepare, act)
    assert messages >= 2
    for number in range(1, messages + 1):
        till = await _till(lab, prepare)
        hardware = till.device.hardware
        hardware.on_traffic = _after(number, hardware.cut_power)
        with pytest.raises(PowerLost):
            await act(till)
        hardware.on_traffic = _after(0, hardware.cut_power)
        hardware.faults = Faults()
        till.device.power_cycle()
        await _end_the_day(till)
    assert (await lab.act("verify"))["violations"] == []


async def _messages(lab: World, prepare: Act, act: Act) -> int:
    till = await _till(lab, prepare)
    before = len(lab.passed)
    await act(till)
    return len(lab.passed) - before


def _after(number: int, cut: Callable[[], None]) -> Traffic:
    """Cut when the ``number``-th message passes, in whichever direction."""
    passing = count(1)

    def listen(direction: Direction, payload: bytes) -> None:
        if next(passing) == number:
            cut()

    return listen
