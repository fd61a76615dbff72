"""Every row of FAULT_POINTS on a whole terminal: the point fires, and happens what its text says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final

import pytest

from firmware_sim.boot import Outcome as Boot
from firmware_sim.clock import STEPS
from firmware_sim.errors import SecureModuleError
from firmware_sim.faults import FAULT_POINTS, Hold
from firmware_sim.key_memory import TAMPER_FAULT
from firmware_sim.keypad import PIN_FAULTS
from firmware_sim.power import Cause, PowerLost
from firmware_sim.printer import CUT_HERE
from firmware_sim.secure_module import KeyState
from protocol.exchange import Event
from protocol.fields import F
from protocol.jbig.decoder import decode
from protocol.tlv import value_of
from terminal.outcome import Outcome
from terminal.receipts import DUPLICATE
from terminal.records import StanTaken, spell
from terminal.transaction import Signing
from tests.terminal.bench import Bench, bench_at, make_image
from tests.terminal.fake_host import FakeHost
from tests.terminal.test_card_sale import chip_of, proven
from tests.terminal.test_firmware import offer

PIN: Final = "123456"
MODEL: Final = "PX-A920"
"""It has every part: reader, printer, pad, battery."""
VERSION: Final = "5.3.0"
IMAGE: Final = make_image(VERSION, model=MODEL)
TIMEOUT_S: Final = 0.02

Arm = Callable[..., None]
Driver = Callable[[Bench, Arm], Awaitable[None]]
"""Arms the fault when all is ready, then lets it happen and looks at what it did."""


@pytest.mark.parametrize("name", FAULT_POINTS)
async def test_a_fault_does_what_its_row_says(name: str) -> None:
    """A tester would rehearse a failure that never happens, and trust the verdict."""
    assert name in DRIVERS, f"nobody drives {name}: {FAULT_POINTS[name].what}"
    async with bench_at(FakeHost(), model=MODEL) as bench:
        assert (await bench.do("sign_in")).is_good
        faults = bench.hardware.faults
        await DRIVERS[name](bench, partial(faults.arm, name))
        assert faults.fired == {name: 1}
        assert faults.armed == ()


def test_every_driver_has_its_point() -> None:
    """A driver of a fault that was renamed would prove nothing."""
    assert DRIVERS.keys() == FAULT_POINTS.keys()


# the line


async def _ask_in_vain(bench: Bench) -> Outcome:
    with bench.impatient():
        outcome = await bench.sell()
    assert (outcome.result, outcome.reason) == ("unknown", "terminal.no_answer")
    return outcome


async def _reverse(bench: Bench) -> None:
    """What is in doubt is undone, and both books agree."""
    assert (await bench.do("reverse")).is_good
    assert bench.is_resolved()
    assert bench.captured() == bench.host.captured() == set()


async def _lost_request(bench: Bench, arm: Arm) -> None:
    arm()
    await _ask_in_vain(bench)
    assert (bench.host.asked("sale"), bench.host.book) == ([], {})
    await _reverse(bench)


async def _lost_reply(bench: Bench, arm: Arm) -> None:
    arm()
    await _ask_in_vain(bench)
    assert len(bench.host.captured()) == 1
    await _reverse(bench)


async def _held_reply(bench: Bench, arm: Arm) -> None:
    hold = Hold()
    arm(hold)
    sale = asyncio.create_task(bench.sell())
    await hold.caught()
    assert (len(bench.host.captured()), sale.done(), bench.captured()) == (1, False, set())
    hold.release()
    assert (await sale).result == "approved"


async def _replaced_reply(bench: Bench, arm: Arm) -> None:
    replaced: list[bytes] = []

    def garble(reply: bytes) -> bytes:
        replaced.append(reply)
        return b"garbage"

    arm(garble)
    await _ask_in_vain(bench)
    assert (len(replaced), bench.terminal.session.ignored[Event.FOREIGN]) == (1, 1)
    await _reverse(bench)


async def _no_line(bench: Bench, arm: Arm) -> None:
    bench.terminal.board.line.close()
    arm()
    assert (await bench.sell()).reason == "terminal.no_line"
    assert (bench.host.asked("sale"), bench.terminal.book.rows) == ([], {})
    assert (await bench.sell()).result == "approved"


async def _line_breaks(bench: Bench, arm: Arm) -> None:
    arm()
    assert (await bench.sell()).reason == "terminal.no_answer"
    assert not bench.terminal.board.line.is_open
    assert len(bench.host.asked("sale")) == 1
    await _reverse(bench)


# memory


def _records(bench: Bench) -> tuple[bytes, ...]:
    return bench.terminal.board.nvram.records()


async def _stuck_bit(bench: Bench, arm: Arm) -> None:
    record = StanTaken(stan=bench.terminal.book.next_stan)
    expected, journal = (*_records(bench), spell(record)), bench.hardware.chips.journal
    erasures = sum(journal.wear)
    arm()
    bench.terminal.session.journal.append(record)
    assert _records(bench) == expected
    assert sum(journal.wear) > erasures, "the record moved to cells that take it"
    bench.restart()
    assert _records(bench) == expected


async def _erase_fails(bench: Bench, arm: Arm) -> None:
    book = bench.terminal.book
    arm()
    bench.terminal.session.journal.compact()
    assert bench.terminal.board.nvram.is_worn
    assert (await bench.sell()).reason == "terminal.memory_worn"
    assert bench.terminal.book == book


async def _spoilt_image(bench: Bench, arm: Arm) -> None:
    """The free slot held something before: it is erased, then programmed."""
    body = offer(bench.host, IMAGE, VERSION)
    bench.host.image = bytes(len(IMAGE))
    assert (await bench.do("update")).reason == "update.hash"
    bench.host.image = IMAGE
    arm()
    assert (await bench.do("update")).reason == "update.hash"
    assert (await bench.do("update")).code == "staged"
    bench.restart()
    assert bench.terminal.board.running.version == body["version"]


async def _crash_on_trial(bench: Bench, arm: Arm) -> None:
    offer(bench.host, IMAGE, VERSION)
    assert (await bench.do("update")).code == "staged"
    arm()
    bench.terminal.reboot()
    running = bench.terminal.board.running
    assert (running.version, running.outcome, bench.hardware.power.last_cut) == (VERSION, Boot.TEST, Cause.CRASH)
    bench.restart()
    bench.restart()
    assert bench.terminal.board.running.outcome is Boot.REVERT, "the crash was one of its three boots"


# power, clock, watchdog


async def _brown_out(bench: Bench, arm: Arm) -> None:
    arm()
    with pytest.raises(PowerLost):
        await bench.terminal.do("sale", "60.00", "debit", PIN)
    assert (bench.hardware.power.last_cut, bench.host.asked("sale")) == (Cause.BROWN_OUT, [])
    bench.restart()
    await _reverse(bench)


async def _dead_cell(bench: Bench, arm: Arm) -> None:
    arm()
    clock = bench.restart().board.clock
    assert (clock.is_set, clock.now().year) == (False, 2000)
    await bench.do("sign_in")
    assert clock.is_set


async def _frozen(bench: Bench, arm: Arm) -> None:
    clock, hour = bench.terminal.board.clock, timedelta(hours=1)
    arm()
    shown = clock.now()
    bench.now += hour
    assert clock.now() == shown
    bench.now += hour
    assert clock.now() == shown + hour, "it goes on from where it stood"


def _step(name: str) -> Driver:
    async def driver(bench: Bench, arm: Arm) -> None:
        clock = bench.terminal.board.clock
        before = clock.now()
        arm()
        assert clock.now() - before == clock.now() - before == STEPS[name]

    return driver


async def _hang(bench: Bench, arm: Arm) -> None:
    watchdog = bench.terminal.board.watchdog
    arm()
    with watchdog.watch(TIMEOUT_S):
        watchdog.kick()
        assert bench.hardware.power.is_on
    await asyncio.sleep(3 * TIMEOUT_S)
    assert (bench.hardware.power.is_on, bench.hardware.power.last_cut) == (False, Cause.WATCHDOG)
    bench.restart()
    assert (await bench.sell()).result == "approved"


# the card


def _tried_again(card: str, shown: str) -> Driver:
    async def driver(bench: Bench, arm: Arm) -> None:
        arm()
        assert (await bench.sell(card=card)).result == "approved"
        assert shown in bench.screens

    return driver


async def _mute(bench: Bench, arm: Arm) -> None:
    arm()
    assert (await bench.do("sale", "60.00", "credit:insert+swipe")).result == "approved"
    [request] = bench.host.asked("sale")
    assert (request.text(F.ENTRY_MODE), request.has(F.ICC)) == ("022", False)


def _not_sent(reason: str) -> Driver:
    async def driver(bench: Bench, arm: Arm) -> None:
        arm()
        outcome = await bench.sell(card="credit")
        assert (outcome.result, outcome.reason) == ("refused", reason)
        assert (bench.host.asked("sale"), bench.terminal.book.rows) == ([], {})
        assert (await bench.sell(card="credit")).result == "approved"

    return driver


def _not_completed(*, declined: bool) -> Driver:
    """The chip says no in its own data, 9F10, or is gone before it can."""

    async def driver(bench: Bench, arm: Arm) -> None:
        bench.host.after.append(proven())
        arm()
        outcome = await bench.sell(card="credit")
        assert (outcome.result, outcome.reason) == ("unknown", "terminal.card_declined")
        assert len(bench.host.captured()) == 1
        await _reverse(bench)
        [reversal] = bench.host.asked("sale_reversal")
        assert (value_of(chip_of(reversal), 0x9F10)[4] == 0x20) is declined

    return driver


# paper, pen, PIN, case


def _on_paper(reason: str, share: float) -> Driver:
    """The sale stands; of its first slip came that share."""

    async def driver(bench: Bench, arm: Arm) -> None:
        arm()
        outcome = await bench.sell(card="credit")
        assert outcome.result == "approved"
        told = bench.terminal.told[-1]
        assert (told.flow, told.reason, bool(told.remedy_zh)) == ("print", reason, True)
        assert bench.captured() == bench.host.captured() != set()
        came = list(bench.hardware.paper)
        assert CUT_HERE not in came
        row = bench.terminal.book.find(outcome.stan)
        assert row is not None
        assert not row.printed
        bench.restart()
        assert f"the slip of {row.stan} may not be whole: reprint it" in bench.screens
        bench.hardware.paper.clear()
        assert (await bench.do("reprint")).is_good
        whole = bench.hardware.paper
        assert whole[-2:] == [DUPLICATE, CUT_HERE]
        assert share * len(whole) - 4 < len(came) <= share * len(whole)

    return driver


def _unsigned(why: str) -> Driver:
    async def driver(bench: Bench, arm: Arm) -> None:
        arm()
        outcome = await bench.do("sale", "60.00", "credit", PIN, "wave")
        row = bench.terminal.book.find(outcome.stan)
        assert row is not None
        assert (outcome.result, row.signature) == ("approved", Signing.PAPER)
        [told] = [told for told in bench.terminal.told if told.flow == "signature"]
        assert (told.reason, told.detail["why"]) == ("signature.paper", why)
        assert bench.host.asked("signature_upload") == []
        assert bench.terminal.book.events[-1].detail == f"{row.batch}/{row.stan}: {why}"

    return driver


async def _endless(bench: Bench, arm: Arm) -> None:
    arm()
    assert (await bench.do("sale", "60.00", "credit", PIN, "wave")).result == "approved"
    [upload] = bench.host.asked("signature_upload")
    assert decode(upload.octets(F.PAYLOAD))


def _no_pin(name: str) -> Driver:
    async def driver(bench: Bench, arm: Arm) -> None:
        entry = bench.terminal.board.keypad._secure_entry
        arm()
        outcome = await bench.sell(card="debit_stripe")
        assert (outcome.result, bench.host.asked("sale"), entry.take()) == ("cancelled", [], bytearray())
        assert bench.terminal.board.secure_module.counters[name.partition(".")[2]] == 1
        assert (await bench.sell(card="debit_stripe")).result == "approved"

    return driver


async def _open_case(bench: Bench, arm: Arm) -> None:
    assert (await bench.sell()).result == "approved"
    book, chips = bench.terminal.book, bench.hardware.chips
    arm()
    with pytest.raises(SecureModuleError, match="opened"):
        bench.terminal.board.secure_module.mac(b"data")
    assert (chips.fuse.is_erased, set(chips.keys.image)) == (True, {0xFF})
    assert bench.terminal.board.secure_module.key_state is KeyState.TAMPERED
    bench.restart()
    assert bench.terminal.book.rows == book.rows
    assert (await bench.sell()).reason == "terminal.tampered"


DRIVERS: Final[dict[str, Driver]] = {
    "line.drop_request": _lost_request,
    "line.drop_reply": _lost_reply,
    "line.hold_reply": _held_reply,
    "line.replace_reply": _replaced_reply,
    **dict.fromkeys(("line.no_signal", "line.busy", "line.no_carrier"), _no_line),
    "line.breaks": _line_breaks,
    "journal.stuck_bit": _stuck_bit,
    "journal.erase_fails": _erase_fails,
    "slots.stuck_bit": _spoilt_image,
    "slots.erase_fails": _spoilt_image,
    "firmware.trial_crashes": _crash_on_trial,
    "power.brown_out": _brown_out,
    "clock.dead_cell": _dead_cell,
    "clock.frozen": _frozen,
    **{name: _step(name) for name in STEPS},
    "watchdog.hang": _hang,
    "reader.swipe_error": _tried_again("credit_second:swipe+swipe", "swipe the card again"),
    "reader.torn": _tried_again("debit:tap+tap", "tap the card again"),
    "reader.chip_mute": _mute,
    "reader.chip_refuses": _not_sent("terminal.card_refused"),
    "reader.removed_before_online": _not_sent("terminal.card_removed"),
    "reader.malformed_tlv": _not_sent("terminal.chip_data"),
    "reader.chip_declines": _not_completed(declined=True),
    "reader.removed_after_online": _not_completed(declined=False),
    "printer.out_of_paper": _on_paper("terminal.out_of_paper", 0),
    "printer.overheated": _on_paper("terminal.overheated", 0),
    "printer.jam": _on_paper("terminal.jam", 0.5),
    "pad.cancelled": _unsigned("cancelled"),
    "pad.no_touch": _unsigned("timeout"),
    "pad.empty": _unsigned("empty"),
    "pad.endless": _endless,
    **{name: _no_pin(name) for name in PIN_FAULTS},
    TAMPER_FAULT: _open_case,
}
