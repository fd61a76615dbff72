"""The power goes at every point of a sale, a reversal, a void, a refund and a settlement: before, within, after."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from firmware_sim.cards import TEST_CARDS
from firmware_sim.power import Phase, PowerLost, cuts
from protocol.fields import F
from terminal.records import fold, read
from terminal.recovery import recover
from tests.terminal.bench import Bench, bench_at, once, swallow
from tests.terminal.fake_host import Answer, FakeHost

PIN = "918273645091"
PAYMENT_CODE = "6200123456789012345"
BLANK = b"\xff" * 64
Play = Callable[[Bench], Awaitable[object]]


def _decline(answer: Answer) -> None:
    answer.refuse("51", "card.no_funds")


async def _approved(bench: Bench) -> None:
    await bench.do_or_die("sale", "60.00", "debit", PIN)


async def _lost(bench: Bench) -> None:
    bench.host.after.append(once("sale", swallow))
    await bench.do_or_die("sale", "60.00", "debit", PIN)


async def _declined(bench: Bench) -> None:
    bench.host.before.append(once("sale", _decline))
    await bench.do_or_die("sale", "60.00", "debit", PIN)


async def _reversal(bench: Bench) -> None:
    await _lost(bench)
    await bench.do_or_die("reverse")


async def _lost_reversal(bench: Bench) -> None:
    await _lost(bench)
    bench.host.after.append(once("sale_reversal", swallow))
    await bench.do_or_die("reverse")


async def _void(bench: Bench) -> None:
    await bench.do_or_die("void", "000002")


async def _lost_void(bench: Bench) -> None:
    bench.host.after.append(once("sale_void", swallow))
    await bench.do_or_die("void", "000002")


async def _refund(bench: Bench) -> None:
    bench.host.after.append(once("refund", swallow))
    await bench.do_or_die("refund", "1.00", "debit", "000000000001", "0301")


async def _settlement(bench: Bench) -> None:
    await bench.do_or_die("settle")


async def _lost_settlement(bench: Bench) -> None:
    bench.host.after.append(once("settlement", swallow))
    bench.host.after.append(once("batch_end", swallow))
    await bench.do_or_die("settle")


async def _unbalanced(bench: Bench) -> None:
    bench.host.before.append(once("settlement", lambda answer: answer.refuse("95", "settlement.unbalanced")))
    await bench.do_or_die("settle")


async def _hold(bench: Bench) -> None:
    await bench.do_or_die("preauth", "60.00", "credit", PIN)


async def _completed(bench: Bench) -> None:
    await _hold(bench)
    await _about_hold("completion")(bench)


def _about_hold(kind: str, *, lose: bool = False) -> Play:
    """What follows the hold that stands."""

    async def play(bench: Bench) -> None:
        if lose:
            bench.host.after.append(once(kind, swallow))
        held = next(row for row in bench.terminal.book.rows.values() if row.kind == "preauth")
        pin = [PIN] if kind == "additional_preauth" else []
        await bench.do_or_die(kind, "60.00", "credit", held.auth_id, held.date, *pin)

    return play


async def _offline_sales(bench: Bench) -> None:
    await bench.do_or_die("offline_sale", "50.00", "credit")
    await bench.do_or_die("offline_sale", "20.00", "credit_second")


def _losing(kind: str, *words: str) -> Play:
    """A flow, while the first reply to a kind is lost."""

    async def play(bench: Bench) -> None:
        bench.host.after.append(once(kind, swallow))
        await bench.do_or_die(*words)

    return play


def _doing(*words: str) -> Play:
    async def play(bench: Bench) -> None:
        await bench.do_or_die(*words)

    return play


PLAYS: dict[str, Play] = {
    "approved": _approved,
    "lost reply": _lost,
    "declined": _declined,
    "reversal": _reversal,
    "lost reversal": _lost_reversal,
    "void": _void,
    "lost void": _lost_void,
    "refund": _refund,
    "settlement": _settlement,
    "lost settlement": _lost_settlement,
    "unbalanced": _unbalanced,
    "hold": _hold,
    "lost hold": _losing("preauth", "preauth", "60.00", "credit", PIN),
    **{
        f"{what}{kind}": _about_hold(kind, lose=bool(what))
        for kind in ("additional_preauth", "preauth_void", "completion", "completion_advice")
        for what in ("", "lost ")
    },
    "completion void": _doing("completion_void", "000004"),
    "lost completion void": _losing("completion_void", "completion_void", "000004"),
    "offline sales": _offline_sales,
    "upload": _doing("reverse"),
    "lost upload": _losing("offline_sale", "reverse"),
    "upload and settlement": _doing("settle"),
    "offline adjustment": _doing("offline_adjustment", "000003", "49.00"),
    "lost offline adjustment": _losing("offline_adjustment", "offline_adjustment", "000003", "49.00"),
    "tip": _doing("tip_adjustment", "000002", "11.00"),
    "lost tip": _losing("tip_adjustment", "tip_adjustment", "000002", "11.00"),
    "scan": _doing("qr_sale", "60.00", PAYMENT_CODE),
    "lost scan": _losing("qr_sale", "qr_sale", "60.00", PAYMENT_CODE),
    "balance": _doing("balance", "credit", PIN),
}
PREPARED: dict[str, Play] = {
    **{
        name: _hold
        for name in PLAYS
        if name.split()[-1] in ("additional_preauth", "preauth_void", "completion", "completion_advice")
    },
    **dict.fromkeys(("completion void", "lost completion void"), _completed),
    **{name: _offline_sales for name in PLAYS if "upload" in name or "adjustment" in name},
}
"""What has happened before the power is at risk."""


async def begin(bench: Bench, name: str = "") -> None:
    await bench.do("sign_in")
    assert (await bench.sell("10.00", "credit", PIN)).result == "approved"
    if name in PREPARED:
        await PREPARED[name](bench)


async def _points(name: str) -> list[str]:
    async with bench_at(FakeHost()) as bench:
        await begin(bench, name)
        with bench.hardware.power.watched() as points:
            await PLAYS[name](bench)
        return points


@pytest.mark.parametrize("name", PLAYS)
async def test_a_cut_at_every_point(name: str) -> None:
    """One power cut in a thousand would cost the shop or the customer the price of a sale."""
    play = PLAYS[name]
    points = await _points(name)
    assert {"journal.program", "journal.barrier"} <= set(points)
    assert ("line.send" in points) is (name != "offline sales")
    for number, phase in cuts(points):
        async with bench_at(FakeHost()) as bench:
            await begin(bench, name)
            bench.hardware.power.cut_at(number, phase)
            await play(bench)
            bench.host.after.clear()
            bench.host.before.clear()
            if bench.hardware.power.is_on:
                bench.restart()
            await check_recovery(bench)
            await quiesce(bench)
            where = f"{name}, {phase.value} {points[number - 1]}, point {number}"
            assert bench.is_resolved(), where
            batch = bench.terminal.book.batch
            assert bench.captured() == {row for row in bench.host.captured() if row[0].batch == batch}, where
            assert {row.batch for row in bench.terminal.book.closed} == set(bench.host.closed), where
            assert batch == bench.host.batch, where
            _no_card_data(bench)


async def check_recovery(bench: Bench) -> None:
    """Recovering twice is recovering once."""
    book = fold(map(read, bench.terminal.board.nvram.records()))
    assert recover(book) == []
    assert book == bench.terminal.book
    bench.restart()
    assert bench.terminal.book == book


async def quiesce(bench: Bench) -> None:
    """Faults are over: everything is resolved, and an interrupted settlement finished."""
    assert (await bench.do("reverse")).result == "done"
    if bench.terminal.book.settling:
        assert (await bench.do("settle")).result == "done"


def _no_card_data(bench: Bench) -> None:
    chips = bench.hardware.chips
    # A search of the whole chips, which are all but blank, would take longer than the sale.
    image = BLANK.join(filter(None, (chips.journal.image + chips.keys.image).split(BLANK)))
    for card in TEST_CARDS.values():
        for canary in (card.pan, card.track2, card.track2.replace("D", "="), card.pan[::-1]):
            assert canary.encode() not in image
            assert canary.encode().hex().encode() not in image
        assert bytes.fromhex(card.pan) not in image
    for request in (*bench.host.asked("sale"), *bench.host.asked("refund")):
        block = request.octets(F.PIN_BLOCK)
        assert not block or (block not in image and block.hex().encode() not in image)
    assert PIN.encode() not in image


async def _interrupted(bench: Bench, *, torn: int) -> None:
    """A sale is cut off: at its point ``torn``, in the middle of a record, or, with 0, as the host answers."""
    await begin(bench)
    if torn:
        bench.hardware.power.cut_at(torn, Phase.TORN)
    else:
        bench.host.after.append(once("sale", lambda answer: bench.hardware.cut_power()))
    with pytest.raises(PowerLost):
        await bench.terminal.do("sale", "60.00", "debit", PIN)


@pytest.mark.parametrize("is_torn", [False, True], ids=["clean", "torn"])
async def test_a_cut_in_the_recovery(is_torn: bool) -> None:
    """A shop with a bad socket would lose the reversal in the second power cut."""
    points = await _points("approved")
    torn = points.index("journal.program", points.index("line.send")) + 1 if is_torn else 0
    async with bench_at(FakeHost()) as bench:
        await _interrupted(bench, torn=torn)
        with bench.hardware.power.watched() as recovery:
            bench.restart()
    assert len(recovery) > 1
    for number, phase in cuts(recovery):
        async with bench_at(FakeHost()) as bench:
            await _interrupted(bench, torn=torn)
            bench.hardware.power.cut_at(number, phase)
            with pytest.raises(PowerLost):
                bench.restart()
            bench.restart()
            assert bench.states()["000003"] == "must_reverse"
            await check_recovery(bench)
            await quiesce(bench)
            assert bench.captured() == bench.host.captured()


async def test_the_power_goes_while_the_host_answers(bench: Bench) -> None:
    """The host captures a sale whose terminal is dark: both books must say the same in the morning."""
    await begin(bench)
    bench.host.after.append(once("sale", lambda answer: bench.hardware.cut_power()))
    assert await bench.do_or_die("sale", "60.00", "debit", PIN) is None
    assert bench.states()["000003"] == "must_reverse"
    assert bench.terminal.book.rows["000001", "000003"].reason == "98"  # type: ignore[index]
    await quiesce(bench)
    assert bench.captured() == bench.host.captured()


async def test_stans_are_never_used_twice(bench: Bench) -> None:
    """A sale would be swallowed as the repetition of another one."""
    await begin(bench)
    used: list[str] = []
    for operation in (1, 2, 1, 2, 1):
        bench.hardware.power.cut_at(operation, Phase.AFTER, of="barrier")
        await bench.do_or_die("sale", "1.00", "debit")
        await quiesce(bench)
    used = [message.text(F.STAN) for kind, message in bench.host.requests if kind in ("sale", "sign_in")]
    assert len(used) == len(set(used))
