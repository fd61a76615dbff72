"""The guard by itself: who is barred, who is not, and who is a clone."""

from __future__ import annotations

import pytest

from host.guard import BARS, CLONE_TURNS, FORGIVEN_AFTER_S, REMEMBERED_MAX, Guard, Line

AT = 1_000_000
GOOD, OTHER, FORGED = "PXE90-0001", "PXE90-0002", "PXE90-0003"
PAIR, ADDRESS = BARS["terminal"], BARS["address"]


def try_until_barred(guard: Guard, line: Line, serial_number: str = FORGED, at: int = AT) -> str:
    """Wrong MACs in a row until one bars; returns the alarm."""
    for _ in range(PAIR.wrong_macs - 1):
        assert guard.wrong(line, serial_number, at) == ""
    return guard.wrong(line, serial_number, at)


def test_wrong_macs_in_a_row_bar_and_alarm() -> None:
    """A MAC of 32 bits would be found by trying."""
    guard, line = Guard(), Line("a", "10.0.0.9")
    assert "barred for 1 s" in try_until_barred(guard, line)
    assert guard.is_barred(line, FORGED, AT)
    assert guard.is_barred(Line("b", "10.0.0.9"), FORGED, AT)
    assert not guard.is_barred(line, FORGED, AT + PAIR.first_s)


def test_the_back_off_grows_to_its_bound_and_is_forgiven() -> None:
    """An attacker would try as fast on the second day, or a shop with a fault would be shut for hours."""
    guard, line, at, waits = Guard(), Line("a", "10.0.0.9"), AT, []
    for _ in range(8):
        alarm = try_until_barred(guard, line, at=at)
        waits.append(int(alarm.split("barred for ")[1].split()[0]))
        at += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    at += FORGIVEN_AFTER_S + 1
    assert "barred for 1 s" in try_until_barred(guard, line, at=at)


def test_a_good_mac_begins_the_count_again() -> None:
    """A shop with a bad line would be barred for five faults in a week."""
    guard, line = Guard(), Line("a", "10.0.0.9")
    for _ in range(10):
        assert guard.wrong(line, GOOD, AT) == ""
        guard.good(line, GOOD)


def test_the_good_terminals_behind_the_same_address_go_on() -> None:
    """One attacker in a shopping centre would take every till there off the net."""
    guard, till, attacker = Guard(), Line("a", "10.0.0.9"), Line("b", "10.0.0.9")
    guard.good(till, GOOD)
    guard.good(Line("c", "10.0.0.9"), OTHER)
    for number in range(ADDRESS.wrong_macs):
        guard.wrong(attacker, f"guess{number}", AT)
    assert guard.is_barred(attacker, "guess99", AT)
    assert not guard.is_barred(till, GOOD, AT)
    assert not guard.is_barred(Line("d", "10.0.0.9"), OTHER, AT), "it has proven itself from there"
    assert not guard.is_barred(Line("e", "10.0.0.8"), "guess99", AT)


def test_who_forges_a_terminal_does_not_bar_the_real_one() -> None:
    """Anybody who reads a serial number off a receipt could shut the shop."""
    guard, till, attacker = Guard(), Line("a", "10.0.0.9"), Line("b", "10.0.0.9")
    guard.good(till, GOOD)
    try_until_barred(guard, attacker, GOOD)
    assert guard.is_barred(attacker, GOOD, AT)
    assert not guard.is_barred(till, GOOD, AT)


def test_a_line_that_has_proven_itself_is_barred_too_when_it_goes_wrong() -> None:
    """A stolen till could try MACs for ever on one connection."""
    guard, till = Guard(), Line("a", "10.0.0.9")
    guard.good(till, GOOD)
    try_until_barred(guard, till, GOOD)
    assert guard.is_barred(till, GOOD, AT)


def test_wrong_macs_of_an_address_far_apart_bar_nobody() -> None:
    """A centre with a thousand tills would be barred for its ordinary faults."""
    guard, line = Guard(), Line("a", "10.0.0.9")
    for number in range(3 * ADDRESS.wrong_macs):
        guard.wrong(line, f"till{number}", AT + number * ADDRESS.within_s)
    assert not guard.is_barred(line, "another", AT + 3 * ADDRESS.wrong_macs * ADDRESS.within_s)


def test_the_memory_is_bounded() -> None:
    """A flood of invented serial numbers would eat the host's memory."""
    guard, line = Guard(), Line("a", "10.0.0.9")
    for number in range(REMEMBERED_MAX + 10):
        guard.wrong(line, f"invented{number}", AT + number * 60)
    assert guard._pairs.known(("invented0", line.address)) is None
    assert guard._pairs.known((f"invented{REMEMBERED_MAX + 9}", line.address)) is not None


@pytest.mark.parametrize(("pause_s", "alarms"), [(10, 1), (FORGIVEN_AFTER_S + 1, 0)])
@pytest.mark.feature("X11")
def test_two_devices_that_take_turns_are_a_clone(pause_s: int, alarms: int) -> None:
    """A copied till would sell for a stranger; or a till whose network changes twice a day would be called a clone."""
    guard, told, at = Guard(), [], AT
    for _ in range(CLONE_TURNS + 1):
        guard.late(GOOD)
        told.append(guard.taken_over(GOOD, at))
        at += pause_s
    assert sum(bool(alarm) for alarm in told) == alarms


def test_a_device_that_only_connects_again_is_no_clone() -> None:
    """Every till with a new connection for every sale would raise alarms."""
    guard = Guard()
    assert [guard.taken_over(GOOD, AT + number) for number in range(10)] == [""] * 10
