"""One request, one reply: what else arrives on the line, the host's time, the device's parts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from firmware_sim.errors import DeviceError, UnknownName
from firmware_sim.faults import Hold
from protocol.codec import seal
from protocol.elements import Value
from protocol.errors import EncodeError
from protocol.exchange import Event
from protocol.fields import F
from protocol.header import Header, Tpdu
from protocol.message import Message
from protocol.private import Batches
from terminal.errors import WordsWrong
from tests.terminal.bench import Bench, bench_at, once
from tests.terminal.fake_host import Answer, FakeHost


@pytest.mark.feature("F")
async def test_a_late_approval_changes_nothing(bench: Bench) -> None:
    """The terminal would print a slip for a sale that is about to be reversed."""
    await bench.do("sign_in")
    hold = Hold()
    bench.hardware.faults.arm("line.hold_reply", hold)
    with bench.impatient():
        assert (await bench.sell()).result == "unknown"
    hold.release()
    await asyncio.sleep(0.01)
    assert bench.states() == {"000002": "must_reverse"}
    assert (await bench.do("reverse")).result == "done"
    assert bench.captured() == bench.host.captured() == set()


def _other_stan(answer: Answer) -> None:
    answer.fields[F.STAN] = "000999"
    answer.hang_up = True


def _other_amount(answer: Answer) -> None:
    answer.fields[F.AMOUNT] = "000000000001"
    answer.hang_up = True


def _other_terminal(answer: Answer) -> None:
    answer.fields[F.TERMINAL_ID] = "10000002"
    answer.hang_up = True


@pytest.mark.parametrize("spoil", [_other_stan, _other_amount, _other_terminal])
@pytest.mark.feature("F")
async def test_somebody_elses_reply(bench: Bench, spoil: object) -> None:
    """The shop would take another terminal's approval for its own (I4)."""
    await bench.do("sign_in")
    bench.host.after.append(once("sale", spoil))  # type: ignore[arg-type]
    assert (await bench.sell()).result == "unknown"
    assert bench.states() == {"000002": "must_reverse"}
    assert bench.terminal.session.ignored == {Event.FOREIGN: 1}


def _asked_by_host(code: str = "301", terminal: str = "10000001") -> Message:
    merchant = "898100000000001"
    fields: dict[int, Value] = {F.TERMINAL_ID: terminal, F.MERCHANT_ID: merchant, F.CONTROL: f"00000001{code}"}
    return Message("0820", fields, Tpdu(destination="0000", source="0003"), Header())


async def test_the_host_asks_whether_the_terminal_is_there(bench: Bench) -> None:
    """A host that tests its lines would take the terminal out of service, or a sale would be lost to the question."""
    await bench.do("sign_in")
    bench.host.asks.append(_asked_by_host())
    assert (await bench.sell()).result == "approved"
    await asyncio.sleep(0.01)
    (answer,) = bench.host.answers
    assert (answer.mti, answer.text(F.RESPONSE_CODE), answer.text(F.CONTROL)) == ("0830", "00", "00000001301")
    assert answer.tpdu == Tpdu(destination="0003", source="0000")
    assert not bench.terminal.session.ignored


@pytest.mark.parametrize(
    "asked", [_asked_by_host("362"), _asked_by_host(terminal="10000002")], ids=["kind", "terminal"]
)
async def test_what_else_the_host_asks_is_ignored(bench: Bench, asked: Message) -> None:
    """A stranger on the line could make the terminal do what only its operator may."""
    await bench.do("sign_in")
    bench.host.asks.append(asked)
    assert (await bench.sell()).result == "approved"
    assert bench.host.answers == []
    assert bench.terminal.session.ignored == {Event.REQUEST: 1}


async def test_a_line_in_loopback_is_no_host(bench: Bench) -> None:
    """A loop plug would be shown as a host that answers."""
    bench.host.after.append(once("echo", lambda answer: setattr(answer, "hang_up", True)))
    bench.hardware.faults.arm("line.replace_reply", lambda payload: seal(bench.host.asked("echo")[0]))
    assert (await bench.do("echo")).result != "done"
    assert bench.host.answers == []
    assert bench.terminal.session.ignored == {Event.FOREIGN: 1}


@pytest.mark.feature("F")
async def test_garbage_on_the_line(bench: Bench) -> None:
    """One noisy byte would crash the terminal in the middle of a sale."""
    await bench.do("sign_in")
    bench.hardware.faults.arm("line.replace_reply", lambda payload: b"garbage")
    bench.host.after.append(once("sale", lambda answer: setattr(answer, "hang_up", True)))
    assert (await bench.sell()).result == "unknown"
    assert bench.terminal.session.ignored == {Event.FOREIGN: 1}


async def test_a_cancelled_sale_is_reversed(bench: Bench) -> None:
    """An operator who stops the laboratory in the middle of a sale would leave it in doubt for ever."""
    await bench.do("sign_in")
    hold = Hold()
    bench.hardware.faults.arm("line.hold_reply", hold)
    task = asyncio.create_task(bench.sell())
    await hold.caught()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.states() == {"000002": "pending"}
    assert (await bench.sell("1.00")).result == "approved"
    assert bench.captured() == bench.host.captured()


async def test_the_hosts_time_is_kept_across_power_cuts(bench: Bench) -> None:
    """Slips would carry a time that no bank statement has."""
    bench.host.date, bench.host.time = "0530", "120000"
    await bench.do("sign_in")
    expected = "2026-05-30T12:00:00+08:00"
    assert bench.terminal.board.clock.now().isoformat() == expected
    bench.restart()
    assert bench.terminal.board.clock.now().isoformat() == expected
    bench.now += timedelta(seconds=1)
    records = len(bench.terminal.board.nvram.records())
    await bench.do("echo")
    assert len(bench.terminal.board.nvram.records()) == records


async def test_nobody_else_sets_the_clock(bench: Bench) -> None:
    """Whoever writes on the line could let an old notice pass for a new one."""
    before = bench.terminal.board.clock.now()
    bench.host.date = "1111"
    await bench.do("echo")
    assert bench.terminal.board.clock.now() == before


async def test_status(bench: Bench) -> None:
    """The acquirer would not know that a printer is missing."""
    outcome = await bench.do("status")
    assert bench.host.asked("status_upload")[0].octets(F.PAYLOAD) == b"011021031051"
    told = [outcome.detail[name] for name in ("firmware", "signed_on", "batch")]
    assert told == ["2.1.0", "no", "000001"]


@pytest.mark.parametrize("flow", ["status", "configuration"])
async def test_a_status_is_proven_and_numbered(bench: Bench, flow: str) -> None:
    """One bit that fell over on the line would close the shop for a fault, and so would a copy of an older status."""
    await bench.do("sign_in")
    for _ in range(2):
        assert (await bench.do(flow)).result == "done"
    first, second = bench.host.asked("status_upload")
    assert first.has(F.MAC)
    assert first.text(F.STAN) < second.text(F.STAN)


@pytest.mark.parametrize("flow", ["status", "configuration"])
async def test_a_device_whose_memory_takes_nothing_tells_of_it(bench: Bench, flow: str) -> None:
    """The one device that must be exchanged would be the one that cannot say so."""
    await bench.do("sign_in")
    bench.hardware.faults.arm("journal.stuck_bit", times=None)
    assert (await bench.do(flow)).result == "done"
    [told] = bench.host.asked("status_upload")
    assert (told.has(F.MAC), told.has(F.STAN)) == (True, False)


async def test_the_line_is_opened_again_after_the_host_hung_up(bench: Bench) -> None:
    """A host that ends idle connections would end the shop's day."""
    assert (await bench.do("echo")).result == "done"
    wire = bench.terminal.board.line._wire
    assert wire is not None
    wire._transport.abort()
    await asyncio.sleep(0)
    assert (await bench.do("echo")).result == "done"


async def test_without_a_master_key() -> None:
    """A device from the box would send a sale that nobody can check."""
    async with bench_at(FakeHost()) as bench:
        bench.hardware.cut_power()
        bench.hardware.chips.keys.blank()
        bench.restart()
        assert (await bench.sell()).reason == "terminal.no_master_key"
        assert bench.host.requests == []


async def test_damaged_keys_are_not_loaded(bench: Bench) -> None:
    """Half-loaded keys would make every later MAC wrong (K3)."""
    bench.host.after.append(once("sign_in", lambda answer: answer.fields.update({F.PAYLOAD: bytes(60)})))
    outcome = await bench.sell()
    assert (outcome.result, outcome.reason) == ("refused", "terminal.bad_keys")
    assert bench.terminal.board.secure_module.key_state == "tmk"


def _batches(told: str, heard: str, opened: str) -> Callable[[Answer], None]:
    """A sign-on's reply with another batch in field 60, and what field 59 says."""

    def say(answer: Answer) -> None:
        network = answer.request.text(F.CONTROL)[8:]
        answer.fields |= {F.CONTROL: f"00{told}{network}", F.DEVICE: bytes(Batches(heard, opened))}

    return once("sign_in", say)


@pytest.mark.parametrize(
    "said",
    [("000001", "000101", "000001"), ("000101", "000001", "000001"), ("000001", "000001", "000101")],
    ids=["heard wrong", "told wrong", "told twice differently"],
)
async def test_a_batch_that_changed_on_the_way_is_noticed(bench: Bench, said: tuple[str, str, str]) -> None:
    """A bit that fell over in a message without MAC would put the shop into a batch that there is not, or stop it."""
    bench.host.after.append(_batches(*said))
    assert (await bench.do("sign_in")).reason == "terminal.bad_reply"
    assert bench.terminal.board.secure_module.key_state == "tmk"
    assert bench.terminal.book.batch == "000001"
    bench.host.after.append(_batches("000042", "000001", "000042"))
    assert (await bench.do("sign_in")).is_good
    assert bench.terminal.book.batch == "000042"


async def test_another_acquirers_field_59_is_no_reason(bench: Bench) -> None:
    """A terminal could not sign on to a host that puts something of its own there."""
    bench.host.after.append(once("sign_in", lambda answer: answer.fields.update({F.DEVICE: b"A4005hello"})))
    assert (await bench.do("sign_in")).is_good


async def test_a_sign_on_reply_without_batch(bench: Bench) -> None:
    """A host of few words could not be signed on to."""
    bench.host.after.append(once("sign_in", lambda answer: answer.fields.update({F.CONTROL: "00000000004"})))
    await bench.do("sign_in")
    assert bench.terminal.book.batch == "000001"


@pytest.mark.parametrize("words", [(), ("1.00",), ("1.00", "debit", "1234", "wave", "more")])
async def test_too_few_or_too_many_words(bench: Bench, words: tuple[str, ...]) -> None:
    """A typing error at the command line would hang, or sell something else."""
    if words:
        with pytest.raises(WordsWrong):
            await bench.do("sale", *words)
    else:
        assert (await bench.do("sale")).reason == "terminal.entry_timeout"
    assert bench.host.requests == []


async def test_names_that_nobody_knows(bench: Bench) -> None:
    """A misspelt flow or card would be a traceback."""
    with pytest.raises(UnknownName, match="settle"):
        await bench.do("settel")
    with pytest.raises(UnknownName, match="debit"):
        await bench.do("sale", "1.00", "debti")
    with pytest.raises(DeviceError, match="PIN"):
        await bench.do("sale", "1.00", "debit", "12")
    with pytest.raises(WordsWrong):
        await bench.terminal.run("sale", amount_fen=100, colour="red", card="debit")


async def test_run_takes_named_arguments(bench: Bench) -> None:
    """A scenario's sale would ask for another amount than it says."""
    outcome = await bench.terminal.run("sale", amount_fen=1, card="debit", pin="123456")
    assert (outcome.result, outcome.amount_fen) == ("approved", 1)


async def test_a_pin_does_not_wait_for_the_next_customer(bench: Bench) -> None:
    """The PIN of a customer whose sale was refused would be used for the next one."""
    bench.host.before.append(once("sign_in", lambda answer: answer.refuse("97", "terminal.unknown")))
    assert (await bench.sell()).result == "refused"
    assert (await bench.do("sale", "1.00", "debit")).result == "approved"
    assert not bench.host.asked("sale")[0].has(F.PIN_BLOCK)


async def test_a_setting_that_no_field_can_carry() -> None:
    """A mistyped serial number would be sent as something else."""
    async with bench_at(FakeHost()) as bench:
        with pytest.raises(EncodeError):
            await bench.terminal.session.ask("echo", {F.STAN: "not digits"})
