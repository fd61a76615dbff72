"""The merchant's own pause: durable, told to the host, and no obstacle to what drains the terminal."""

from __future__ import annotations

import pytest

from firmware_sim.power import cuts
from terminal.book import Swap
from terminal.outcome import Outcome
from terminal.records import SwapKept
from tests.terminal.bench import Bench, bench_at, once, swallow, without_mac, wrong_mac
from tests.terminal.fake_host import Answer, FakeHost

NEW_BUSINESS = [
    ("sale", "60.00", "debit", "123456"),
    ("preauth", "60.00", "credit", "123456"),
    ("offline_sale", "10.00", "credit"),
    ("balance", "debit", "123456"),
    ("qr_sale", "60.00", "6200123456789012345"),
    ("void", "000002"),
    ("tip_adjustment", "000002", "61.00"),
]


async def paused(bench: Bench) -> Outcome:
    await bench.do("sign_in")
    await bench.sell()
    return await bench.do("pause")


async def test_a_paused_terminal_sells_nothing_and_drains(bench: Bench) -> None:
    """The shop would close with a till that still sells, or with money that nobody can settle."""
    outcome = await paused(bench)
    assert (outcome.result, outcome.detail["told"]) == ("done", "yes")
    seen = len(bench.host.requests)
    for words in NEW_BUSINESS:
        refused = await bench.do(*words)
        assert (refused.result, refused.reason) == ("refused", "terminal.paused"), words
        assert refused.text_zh == "商户已暂停营业"
        assert refused.remedy_en == "resume"
    assert len(bench.host.requests) == seen
    for drain in ("reverse", "settle", "status", "why", "commands", "reprint", "notices"):
        assert (await bench.do(drain)).reason != "terminal.paused"
    assert bench.host.closed == {"000001": True}
    bench.restart()
    assert (await bench.sell()).reason == "terminal.paused"
    assert (await bench.do("resume")).result == "done"
    assert (await bench.sell()).result == "approved"
    assert bench.host.pauses == ["1", "0"]
    assert [event.detail for event in bench.terminal.book.events if event.what == "merchant's pause"] == ["on", "off"]


async def test_a_pause_holds_without_the_host(bench: Bench) -> None:
    """A broken line would keep the shop open."""
    await bench.do("sign_in")
    bench.host.after.append(once("pause", swallow))
    assert (await bench.do("pause")).detail["told"] == "no"
    assert (await bench.sell()).reason == "terminal.paused"
    assert bench.host.pauses == ["1", "1"]  # told again as soon as there was something to do
    assert bench.terminal.book.pause_told


@pytest.mark.parametrize("spoil", [without_mac, wrong_mac], ids=["no MAC", "wrong MAC"])
async def test_an_answer_that_proves_nothing_is_not_believed(bench: Bench, spoil: object) -> None:
    """Somebody on the line would keep the host from hearing that the shop is open again."""
    await bench.do("sign_in")
    bench.host.after.append(once("pause", spoil))  # type: ignore[arg-type]
    assert (await bench.do("pause")).detail["told"] == "no"
    assert not bench.terminal.book.pause_told
    await bench.do("echo")
    assert bench.terminal.book.pause_told


async def test_the_host_hears_of_the_end_before_the_next_sale(bench: Bench) -> None:
    """The first customer of the morning would be refused by a host that still holds the pause."""
    await paused(bench)
    bench.host.before.append(lambda answer: answer.refuse("96") if answer.kind == "pause" else None)
    assert (await bench.do("resume")).detail["told"] == "no"
    bench.host.before.clear()

    def held(answer: Answer) -> None:
        if answer.kind == "sale" and bench.host.pauses[-1] == "1":
            answer.refuse("58", "hold.merchant")

    bench.host.before.append(held)
    assert (await bench.sell()).result == "approved"


async def test_a_new_device_resumes_what_its_predecessor_paused(bench: Bench) -> None:
    """A hold that follows the till could not be lifted where the merchant is."""
    await bench.do("sign_in")
    assert (await bench.do("resume")).detail["told"] == "yes"
    assert bench.host.pauses == ["0"]


@pytest.mark.parametrize("flow", ["pause", "resume"])
async def test_a_till_that_goes_is_neither_paused_nor_resumed(bench: Bench, flow: str) -> None:
    """The shop would be closed at the host and open on the new device, whose backup is older than the pause."""
    await bench.do("sign_in")
    if flow == "resume":
        await bench.do("pause")
    said, paused = list(bench.host.pauses), bench.terminal.book.paused
    bench.terminal.session.journal.append(SwapKept(swap=Swap(number=7, peer="NEW", stage="handing_over")))
    outcome = await bench.do(flow)
    assert (outcome.flow, outcome.result, outcome.reason) == (flow, "refused", "swap.under_way")
    assert (bench.terminal.book.paused, bench.host.pauses) == (paused, said)
    bench.terminal.session.journal.append(SwapKept(swap=None))
    assert (await bench.do(flow)).detail["told"] == "yes", "the swap was cancelled"


async def test_old_firmware_pauses_by_itself() -> None:
    """A device that knows no extension would wait for an answer that never comes."""
    async with bench_at(FakeHost(), profile="no_commands") as bench:
        assert (await paused(bench)).result == "done"
        assert (await bench.sell()).reason == "terminal.paused"
        assert bench.host.asked("pause") == []


async def test_practice_goes_on_in_a_pause(bench: Bench) -> None:
    """A new cashier could not be trained while the shop is closed."""
    await paused(bench)
    await bench.do("training", "on")
    assert (await bench.sell()).detail == {"training": "on"}


@pytest.mark.parametrize("flow", ["pause", "resume"])
async def test_a_cut_at_every_point(flow: str) -> None:
    """A power cut would leave a shop that believes it is open and a host that does not, for ever."""
    async with bench_at(FakeHost()) as bench:
        await paused(bench)
        if flow == "pause":
            await bench.do("resume")
        with bench.hardware.power.watched() as points:
            await bench.do(flow)
    assert {"journal.program", "journal.barrier", "line.send"} <= set(points)
    for number, phase in cuts(points):
        async with bench_at(FakeHost()) as bench:
            await paused(bench)
            if flow == "pause":
                await bench.do("resume")
            bench.hardware.power.cut_at(number, phase)
            await bench.do_or_die(flow)
            if bench.hardware.power.is_on:
                bench.restart()
            await bench.do("echo")
            await bench.do("sign_in")
            assert bench.terminal.book.pause_told
            assert bench.host.pauses[-1] == str(int(bench.terminal.book.paused))


async def test_a_pause_before_the_first_sign_on_signs_on(bench: Bench) -> None:
    """The host would hear of the pause with the first sale, which never comes."""
    assert (await bench.do("pause")).detail["told"] == "yes"
    assert [kind for kind, _ in bench.host.requests] == ["sign_in", "pause"]


async def test_an_opened_device_tells_nobody(bench: Bench) -> None:
    """A device without keys would crash on what it cannot prove."""
    await bench.do("sign_in")
    bench.host.after.append(once("pause", swallow))
    await bench.do("pause")
    bench.terminal.board.secure_module.tamper()
    assert (await bench.do("echo")).result == "done"
    assert (await bench.do("resume")).reason == "terminal.tampered"
    assert bench.host.pauses == ["1"]
