"""A terminal whose case is opened: in every state, the keys go, the money stays in its journal (K4, A13)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from firmware_sim.errors import NvramFull, SecureModuleError
from firmware_sim.faults import Faults
from firmware_sim.key_memory import BAD_LOADS_MAX, BAD_MACS_MAX, TAMPER_FAULT
from firmware_sim.secure_module import KeyState
from protocol.fields import F
from terminal.flows import FLOWS
from terminal.outcome import LOCAL
from terminal.session import Session
from terminal.tamper import AFTER_TAMPER, ALARMS, MODULE_REFUSALS, module_refusal
from tests.terminal.bench import Bench, bench_at, once, swallow, wrong_mac
from tests.terminal.fake_host import Answer, FakeHost

# flow -> words that it takes
WORDS: dict[str, tuple[str, ...]] = {
    "sale": ("60.00", "debit", "123456"),
    "void": ("000002",),
    "refund": ("60.00", "debit", "000000000001", "0301"),
}


class TamperAt(Faults):
    """The case is opened at the ``number``-th use of the secure module from now; ``uses`` counts them."""

    def __init__(self, number: int = 0) -> None:
        super().__init__()
        self.number, self.uses = number, 0

    def fires(self, name: str) -> bool:
        if name != TAMPER_FAULT:
            return super().fires(name)
        self.uses += 1
        return self.uses == self.number


@pytest.fixture
async def opened() -> AsyncIterator[Bench]:
    """A terminal with a sale and a pending reversal whose case was opened."""
    async with bench_at(FakeHost()) as bench:
        await bench.sell()
        bench.host.after.append(once("sale", swallow))
        await bench.sell()
        bench.hardware.open_case()
        yield bench


@pytest.mark.parametrize("reboots", [False, True])
@pytest.mark.feature("G12")
async def test_an_opened_terminal_refuses_what_needs_keys(opened: Bench, reboots: bool) -> None:
    """A cashier would sell on a device that may have a skimmer in it."""
    if reboots:
        opened.restart()
    asked = len(opened.host.requests)
    for name in FLOWS.keys() - AFTER_TAMPER:
        outcome = await opened.terminal.run(name)
        assert (outcome.result, outcome.reason) == ("refused", "terminal.tampered"), name
        assert outcome.text_zh == LOCAL["terminal.tampered"].chinese
    assert len(opened.host.requests) == asked
    assert any("the case was opened" in screen for screen in opened.screens)


def test_what_is_left_is_there() -> None:
    """A name of no flow would leave nothing."""
    assert AFTER_TAMPER.issubset(FLOWS)
    assert LOCAL.keys() >= set(MODULE_REFUSALS.values())


async def test_journal_and_reversals_stay_readable(opened: Bench) -> None:
    """The shop's sales would be gone with the keys, and nobody know whom to pay back."""
    before = opened.states()
    assert sorted(before.values()) == ["captured", "must_reverse"]
    amounts = [row.amount_fen for row in opened.terminal.book.rows.values()]
    opened.restart()
    assert opened.states() == before
    assert [row.amount_fen for row in opened.terminal.book.rows.values()] == amounts
    assert (await opened.do("notices")).is_good
    assert (await opened.do("echo")).is_good
    assert (await opened.do("status")).is_good
    assert (await opened.do("reprint")).is_good
    assert (await opened.do("clear_reversal")).is_good
    assert sorted(opened.states().values()) == ["captured", "cleared"]


async def test_the_alarm_is_shown_once_a_boot_and_noted_once(opened: Bench) -> None:
    """The alarm would scroll away, or fill the audit trail."""
    alarm = next(row for row in ALARMS if row.name == "tampered")
    for boot in range(1, 4):
        opened.restart()
        for _ in range(2):
            await opened.do("echo")
        assert opened.screens.count(alarm.english) == boot
    assert [event.detail for event in opened.terminal.book.events if event.what == "security alarm"] == ["tampered"]
    assert alarm.chinese in [shown.zh for shown in opened.hardware.shown]


async def test_an_alarm_without_room_for_its_note_is_shown(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full memory could not be read any more, and the sales in it would be lost with the keys."""

    def full(session: Session, what: str, detail: str, *, operator: str = "") -> None:
        raise NvramFull(f"{what} does not fit")

    await bench.sell()
    monkeypatch.setattr(Session, "note", full)
    bench.hardware.open_case()
    bench.restart()
    assert ALARMS[0].english in bench.screens
    assert len(bench.terminal.book.money) == 1


async def test_the_case_is_opened_at_every_use_of_the_module() -> None:
    """Somewhere in a sale, an open case would bring the cashier a wrong answer, or the money out of the journal."""
    told, number = [], 0
    while True:
        number += 1
        async with bench_at(FakeHost()) as bench:
            await bench.sell()
            faults = TamperAt()
            bench.hardware.faults = faults
            bench.restart()
            faults.uses, faults.number = 0, number
            outcome = await bench.sell()
            if faults.uses < number:
                break
            assert bench.terminal.board.secure_module.key_state is KeyState.TAMPERED
            assert bench.terminal.board.secure_module.counters["key_use"] == 0
            assert not bench.hardware.chips.keys.image.strip(b"\xff")
            told.append(outcome.result)
            states = bench.states()
            if outcome.result == "approved":
                assert len(bench.host.captured()) == 2
            elif outcome.result == "refused":
                assert outcome.reason == "terminal.tampered"
                assert len(bench.host.captured()) == 1, "refused, and yet the money went"
            else:
                assert states["000003"] == "must_reverse"
            bench.restart()
            assert (await bench.sell()).reason == "terminal.tampered"
            assert bench.states()["000002"] == "captured"
            assert len(bench.states()) in (1, 2)
    assert set(told) >= {"refused", "unknown"}
    assert number > 5


async def test_the_case_is_opened_while_a_pause_is_told_late() -> None:
    """What follows a flow by itself would crash the till, on the very device that has to show the alarm.

    Seed 13200 of the simulation: the case was opened as the terminal told which notices were read.
    """
    number, opened, told = 0, 0, set[str]()
    while opened == number:
        number += 1
        async with bench_at(FakeHost()) as bench:
            await bench.sell()
            bench.host.after.append(once("pause", swallow))
            await bench.do("pause")
            assert not bench.terminal.book.pause_told
            faults = TamperAt()
            bench.hardware.faults = faults
            bench.restart()
            faults.uses, faults.number = 0, number
            await bench.do("reverse")
            if faults.uses < number:
                continue
            opened += 1
            assert ALARMS[0].english in bench.screens
            told.add(bench.terminal.told[-1].reason)
            assert len(bench.terminal.book.money) == 1
    assert "terminal.tampered" in told


async def _prepared(bench: Bench, flow: str) -> None:
    """A sale in the batch; for a reversal, one that waits."""
    await bench.sell()
    if flow == "reverse":
        bench.host.after.append(once("sale", swallow))
        await bench.sell()


@pytest.mark.parametrize("flow", ["sign_in", "sale", "void", "refund", "settle", "reverse", "sign_off", "commands"])
async def test_no_flow_loses_a_row_or_breaks_off_where_the_case_is_opened(flow: str) -> None:
    """Money would be at the host and in no journal, or the screen show a traceback (A13)."""
    number = opened = 0
    while opened == number:
        number += 1
        async with bench_at(FakeHost()) as bench:
            await _prepared(bench, flow)
            before = bench.states()
            faults = TamperAt()
            bench.hardware.faults = faults
            bench.restart()
            faults.uses, faults.number = 0, number
            outcome = await bench.do(flow, *WORDS.get(flow, ()))
            if faults.uses < number:
                assert outcome.reason != "terminal.tampered"
                continue
            opened += 1
            assert outcome.is_good or outcome.result in ("refused", "unknown"), outcome
            bench.restart()
            assert bench.terminal.board.secure_module.key_state is KeyState.TAMPERED
            rows = bench.terminal.book.rows
            unknown = {key for key, row in rows.items() if row.state in ("must_reverse", "pending")}
            closed = {batch.batch for batch in bench.terminal.book.closed}
            for key, _ in bench.host.captured():
                known = key in rows and rows[key].state in ("captured", "voided")
                assert known or key in unknown or key.batch in closed, (number, key)
            assert closed or before.keys() <= bench.states().keys()
    assert opened


async def test_the_case_is_opened_while_a_reply_is_awaited(bench: Bench) -> None:
    """A reply that proves nothing any more would be told as an approval."""
    await bench.do("sign_in")
    bench.host.after.append(once("sale", lambda answer: bench.hardware.open_case()))
    outcome = await bench.sell()
    assert (outcome.result, outcome.reason) == ("unknown", "terminal.bad_reply")
    assert list(bench.states().values()) == ["must_reverse"]
    assert any("the case was opened" in screen for screen in bench.screens)


async def test_bad_macs_in_a_row_end_the_session(bench: Bench) -> None:
    """C4: somebody on the line would guess at the MAC of an approval until it fits."""
    await bench.do("sign_in")
    module = bench.terminal.board.secure_module
    for _ in range(BAD_MACS_MAX - 1):
        module.verify_mac(b"guessed", b"00000000")
    bench.host.after.append(once("echo", wrong_mac))
    assert (await bench.do("echo")).is_good, "an echo proves nothing and needs no proof"
    assert (module.key_state, module.counters["keys_given_up"]) == (KeyState.TMK, 1)
    assert any("one bad MAC came after the other" in screen for screen in bench.screens)
    assert (await bench.sell()).result == "approved"


async def test_keys_that_are_gone_in_the_middle_are_told(bench: Bench) -> None:
    """A traceback would be all that the cashier sees."""
    await bench.do("sign_in")
    module = bench.terminal.board.secure_module
    real = module.seal

    def gone(plaintext: bytes) -> bytes:
        module.erase_working_keys()
        return real(plaintext)

    module.seal = gone  # type: ignore[method-assign, assignment]
    outcome = await bench.sell()
    assert (outcome.result, outcome.reason) == ("refused", "terminal.keys_gone")


def test_a_fault_of_the_module_that_nobody_expects_is_not_hidden() -> None:
    """A defect of the program would look like a refusal."""
    with pytest.raises(SecureModuleError, match="odd"):
        module_refusal("sale", SecureModuleError("odd", code="odd"))


def damage(answer: Answer) -> None:
    """The keys come with one bit wrong."""
    field62 = answer.fields[F.PAYLOAD]
    assert isinstance(field62, bytes)
    answer.fields[F.PAYLOAD] = field62[:-1] + bytes([field62[-1] ^ 1])


async def test_bad_keys_lock_the_loading_in_the_end(bench: Bench) -> None:
    """Whoever answers for the host could feed the terminal keys all night."""
    bench.host.after.append(lambda answer: damage(answer) if answer.kind == "sign_in" else None)
    for _ in range(BAD_LOADS_MAX):
        assert (await bench.do("sign_in")).reason == "terminal.bad_keys"
    bench.restart()
    asked = len(bench.host.asked("sign_in"))
    assert (await bench.do("sign_in")).reason == "terminal.keys_locked"
    assert len(bench.host.asked("sign_in")) == asked
    assert any("loading is locked" in screen for screen in bench.screens)
