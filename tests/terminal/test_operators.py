"""Who may do what: log-on, roles, the supervisor's password, the audit trail."""

from __future__ import annotations

import pytest

from firmware_sim.power import cuts
from terminal.book import EVENTS_KEPT, ROUTINE
from terminal.flows import FLOWS
from terminal.flows.audit import masked
from terminal.operators import ROLES, Role, is_fit, role_of
from terminal.outcome import Outcome
from tests.terminal.bench import Bench, bench_at, once, swallow
from tests.terminal.fake_host import FakeHost

BOSS, CASHIER, OTHER = "246810", "135791", "975314"


async def staffed(bench: Bench) -> None:
    """A supervisor and a cashier who has logged on."""
    assert (await bench.do("log_on", "00", BOSS, BOSS)).result == "done"
    assert (await bench.do("add_operator", "01", "112233")).result == "done"
    assert (await bench.do("log_on", "01", "112233", CASHIER, CASHIER)).result == "done"


async def unresolved(bench: Bench) -> None:
    """A sale whose reversal nobody answers."""
    bench.host.after.append(once("sale", swallow))
    bench.host.before.append(lambda answer: answer.refuse("96") if answer.kind == "sale_reversal" else None)
    await bench.sell()
    assert bench.terminal.book.unresolved


def reasons(*outcomes: Outcome) -> list[str]:
    return [outcome.reason for outcome in outcomes]


def test_every_role_is_of_a_flow_and_its_usage_says_so() -> None:
    """A flow would ask for a password that nobody can give."""
    assert set(ROLES) <= set(FLOWS)
    for name, flow in FLOWS.items():
        takes_password = any(entry.argument == "password" for entry in flow.entries)
        assert takes_password is (role_of(name) is Role.SUPERVISOR), name


@pytest.mark.parametrize(
    ("chosen", "fit"),
    [
        ("246810", True), ("135790864213", True), ("000000", False), ("123456", False), ("890123", False),
        ("654321", False), ("24681", False), ("2468101214161", False), ("24681a", False), ("２４６８１０", False),
        ("", False),
    ],
)  # fmt: skip
def test_which_passwords_may_be_chosen(chosen: str, fit: bool) -> None:
    """Everybody's first guess would open the supervisor's menu."""
    assert is_fit(chosen) is fit


async def test_nobody_is_asked_before_a_supervisor_is_set_up(bench: Bench) -> None:
    """A shop that sets up nobody could not clear a reversal."""
    await unresolved(bench)
    assert (await bench.do("clear_reversal")).result == "done"


async def test_a_setting_asks_from_the_first_day() -> None:
    """The terminal would be open to everybody until somebody thinks of it."""
    async with bench_at(FakeHost(), supervisor="always") as bench:
        assert reasons(await bench.do("audit"), await bench.sell(), await bench.do("status")) == [
            "terminal.no_supervisor", "terminal.log_on_first", "",
        ]  # fmt: skip
        await staffed(bench)
        assert (await bench.sell()).result == "approved"


async def test_the_first_supervisor_chooses_a_password(bench: Bench) -> None:
    """A default password would be known to the whole trade (O09)."""
    for words in (("123456", "123456"), (BOSS, OTHER), (BOSS,)):
        assert (await bench.do("log_on", "00", *words)).result in ("refused", "cancelled")
        assert not bench.terminal.book.operators
    assert (await bench.do("log_on", "00", BOSS, BOSS)).detail["operator"] == "00"
    assert (await bench.do("log_on", "00", BOSS)).result == "done"
    assert (await bench.do("log_on", "00", OTHER, OTHER)).reason == "terminal.wrong_password"


async def test_there_is_one_first_supervisor(bench: Bench) -> None:
    """A cashier could make themselves the supervisor behind the back of the one that there is."""
    await bench.do("log_on", "00", BOSS, BOSS)
    for words in (("add_operator", "00", OTHER), ("remove_operator", "00")):
        assert (await bench.do(*words)).reason == "terminal.no_operator"
    bench.restart()
    assert (await bench.do("log_on", "00", OTHER, OTHER)).reason == "terminal.wrong_password"
    events = [(event.what, event.operator) for event in bench.terminal.book.events if event.detail == "00"]
    assert events == [("operator set up", "00"), ("log on", "00")]


async def test_nobody_becomes_an_operator_unseen() -> None:
    """The power would be pulled right after a password was set, and the audit trail know nothing of it."""
    async with bench_at(FakeHost()) as dry:
        with dry.hardware.power.watched() as points:
            await dry.do("log_on", "00", BOSS, BOSS)
    for number, phase in cuts(points):
        async with bench_at(FakeHost()) as bench:
            bench.hardware.power.cut_at(number, phase)
            await bench.do_or_die("log_on", "00", BOSS, BOSS)
            seen = [event.what for event in bench.terminal.book.events]
            assert "operator set up" in seen or not bench.terminal.book.operators, (number, phase)


async def test_a_cashier_changes_the_first_password(bench: Bench) -> None:
    """The supervisor could sell in the cashier's name."""
    await bench.do("log_on", "00", BOSS, BOSS)
    await bench.do("add_operator", "01", "112233")
    for new in (("112233", "112233"), ("111111", "111111"), (CASHIER, OTHER)):
        assert (await bench.do("log_on", "01", "112233", *new)).reason == "terminal.password_unfit"
    assert bench.terminal.session.operator == "00"
    assert (await bench.do("log_on", "01", "112233", CASHIER, CASHIER)).result == "done"
    assert (await bench.do("log_on", "01", "112233")).reason == "terminal.wrong_password"
    assert (await bench.do("log_on", "01", CASHIER)).result == "done"


async def test_the_operator_is_named_to_the_host(bench: Bench) -> None:
    """The acquirer would hold the wrong cashier responsible (CUP 2.7)."""
    await staffed(bench)
    assert (await bench.sell()).result == "approved"
    assert bench.host.asked("sale")[-1].text(63)[:3] == "01 "
    assert (await bench.do("log_off")).detail["operator"] == "01"
    assert (await bench.sell()).reason == "terminal.log_on_first"
    assert (await bench.do("settle")).result == "done"


async def test_a_power_cut_logs_everybody_off(bench: Bench) -> None:
    """Who pulls the plug would work in somebody else's name."""
    await staffed(bench)
    bench.restart()
    assert (await bench.sell()).reason == "terminal.log_on_first"
    assert (await bench.do("log_on", "01", CASHIER)).result == "done"
    assert (await bench.sell()).result == "approved"


async def test_a_cashier_needs_the_supervisor_to_clear_a_reversal(bench: Bench) -> None:
    """Whoever stands at the till could make a pending reversal disappear."""
    await staffed(bench)
    await unresolved(bench)
    assert reasons(await bench.do("clear_reversal"), await bench.do("clear_reversal", OTHER)) == [
        "terminal.supervisor_needed", "terminal.wrong_password",
    ]  # fmt: skip
    assert bench.terminal.book.unresolved
    assert (await bench.do("clear_reversal", BOSS)).result == "done"
    act, cleared = bench.terminal.book.events[-2:]
    assert (act.what, act.detail, act.operator) == ("supervisor", "clear_reversal", "00")
    assert (cleared.what, cleared.operator) == ("reversal cleared", "01")


async def test_the_password_comes_before_what_the_flow_asks(bench: Bench) -> None:
    """The amount of a refund would be taken for the password, and lock the supervisor out."""
    await staffed(bench)
    await bench.sell()
    rrn = next(iter(bench.terminal.book.rows.values())).rrn
    await bench.do("settle")
    assert (await bench.do("refund", "10.00", "debit", rrn, "0301")).reason == "terminal.supervisor_needed"
    assert (await bench.do("refund", "10.00", "debit", rrn, "0301", BOSS)).result == "approved"
    await bench.do("log_on", "00", BOSS)
    assert (await bench.do("refund", "10.00", "debit", rrn, "0301")).result == "approved"


async def test_the_supervisor_types_the_password_at_the_keypad(bench: Bench) -> None:
    """A real keypad has no command line to put it on."""
    await staffed(bench)
    bench.terminal.board.keypad.press(BOSS)
    assert (await bench.terminal.run("audit")).result == "done"
    assert (await bench.terminal.run("audit")).reason == "terminal.entry_timeout"
    bench.terminal.board.keypad.cancel()
    assert (await bench.terminal.run("audit")).reason == "terminal.cancelled"


async def test_three_wrong_passwords_lock(bench: Bench) -> None:
    """A cashier would guess the supervisor's password in an afternoon."""
    await staffed(bench)
    told = [await bench.do("audit", OTHER) for _ in range(3)]
    assert reasons(*told) == ["terminal.wrong_password"] * 2 + ["terminal.password_locked"]
    assert [outcome.detail.get("tries_left") for outcome in told] == ["2", "1", None]
    assert (
        reasons(await bench.do("audit", BOSS), await bench.do("log_on", "00", BOSS)) == ["terminal.password_locked"] * 2
    )
    last = bench.terminal.book.events[-1]
    assert (last.what, last.detail, last.operator) == ("password locked", "operator 00, audit", "01")
    assert (await bench.sell()).result == "approved"
    bench.restart()
    assert (await bench.do("log_on", "00", BOSS)).result == "done"


async def test_a_good_password_forgives_the_wrong_ones(bench: Bench) -> None:
    """Three slips in a year would lock the supervisor out."""
    await staffed(bench)
    for _ in range(2):
        await bench.do("audit", OTHER)
        await bench.do("audit", OTHER)
        assert (await bench.do("audit", BOSS)).result == "done"


async def test_a_supervisor_gives_a_locked_cashier_another_password(bench: Bench) -> None:
    """A cashier who forgot would stop the shop until the terminal is restarted."""
    await staffed(bench)
    for _ in range(3):
        outcome = await bench.do("log_on", "01", OTHER)
    assert outcome.reason == "terminal.password_locked"
    assert (await bench.do("add_operator", "01", "998877", BOSS)).result == "done"
    assert (await bench.do("log_on", "01", "998877", CASHIER, CASHIER)).result == "done"


async def test_operators_are_bounded_and_removed(bench: Bench) -> None:
    """A cashier who was dismissed would go on selling, or the journal fill up with names."""
    await staffed(bench)
    bad = [("00", "998877"), ("x1", "998877"), ("1", "998877")]
    assert {(await bench.do("add_operator", *words, BOSS)).reason for words in bad} == {"terminal.no_operator"}
    assert (await bench.do("add_operator", "02", "1", BOSS)).reason == "terminal.password_unfit"
    for number in range(2, 20):
        assert (await bench.do("add_operator", f"{number:02}", "998877", BOSS)).result == "done"
    assert (await bench.do("add_operator", "20", "998877", BOSS)).reason == "terminal.operators_full"
    assert {(await bench.do("remove_operator", number, BOSS)).reason for number in ("00", "20")} == {
        "terminal.no_operator"
    }
    assert (await bench.do("remove_operator", "01", BOSS)).result == "done"
    assert (await bench.sell()).reason == "terminal.log_on_first"
    assert (await bench.do("log_on", "01", CASHIER)).reason == "terminal.wrong_password"
    bench.terminal.session.journal.compact()
    bench.restart()
    assert sorted(bench.terminal.book.operators) == ["00", *(f"{number:02}" for number in range(2, 20))]


async def test_a_password_is_kept_as_a_hash_only(bench: Bench) -> None:
    """Who reads the memory of a discarded terminal would know a password that somebody uses elsewhere."""
    await staffed(bench)
    image = bench.hardware.chips.journal.image
    assert all(secret.encode() not in image for secret in (BOSS, CASHIER))
    assert all(secret not in repr(bench.terminal.book) for secret in (BOSS, CASHIER))
    boss, cashier = bench.terminal.book.operators.values()
    assert boss.salt != cashier.salt
    assert boss.digest not in repr(bench.terminal.book)


async def test_the_audit_trail_is_shown_masked(bench: Bench) -> None:
    """A card number that got into a remark would be read off the screen."""
    await bench.do("log_on", "00", BOSS, BOSS)
    bench.terminal.session.note("remark", "card 6200000100000004, STAN 000123")
    outcome = await bench.do("audit")
    assert outcome.detail["1"].endswith("00 supervisor: audit")
    assert outcome.detail["2"].endswith("00 remark: card 620000****0004, STAN 000123")
    assert any("620000****0004" in screen for screen in bench.screens)
    assert masked("000000000001 PXE9000000001") == "000000000001 PXE9000000001"


async def test_what_the_host_asks_for_needs_no_supervisor(bench: Bench) -> None:
    """Remote commands would wait until the supervisor is back from holiday."""
    await staffed(bench)
    bench.host.enqueue("diagnose", {}, "PXE9000000001")
    assert (await bench.sell()).result == "approved"
    assert bench.host.acknowledged == {1: "done"}


async def test_a_cut_while_operators_are_set_up() -> None:
    """A power cut would leave a supervisor whom nobody can log on."""
    async with bench_at(FakeHost()) as bench:
        with bench.hardware.power.watched() as points:
            await bench.do("log_on", "00", BOSS, BOSS)
            await bench.do("add_operator", "01", "112233")
    for number, phase in cuts(points):
        async with bench_at(FakeHost()) as bench:
            bench.hardware.power.cut_at(number, phase)
            await bench.do_or_die("log_on", "00", BOSS, BOSS)
            await bench.do_or_die("add_operator", "01", "112233", BOSS)
            if bench.hardware.power.is_on:
                bench.restart()
            again = (BOSS,) if "00" in bench.terminal.book.operators else (BOSS, BOSS)
            assert (await bench.do("log_on", "00", *again)).result == "done"
            assert (await bench.do("audit")).result == "done"


async def test_nobody_pushes_a_line_out_of_the_audit_trail(bench: Bench) -> None:
    """A cashier would hide what was done by logging on fifty times."""
    await staffed(bench)
    await bench.do("audit", BOSS)
    counted = [event for event in bench.terminal.book.events if event.what not in ROUTINE]
    for number in range(EVENTS_KEPT):
        await bench.do("log_on", f"{90 + number % 10}", OTHER)
        bench.restart()
    events = bench.terminal.book.events
    assert len(events) == EVENTS_KEPT
    assert [event for event in events if event.what not in ROUTINE] == counted
    assert events[-1].detail == "operator 99, log_on"
    for _ in range(EVENTS_KEPT):
        bench.terminal.session.note("remark", "of weight")
    assert {event.what for event in bench.terminal.book.events} == {"remark"}
