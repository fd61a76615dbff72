"""The tables and pure functions: transitions, judgements, amounts, times, slips, settings, flows."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import pytest
from pydantic import ValidationError

from protocol.kinds import KINDS
from terminal.book import following
from terminal.clock import host_time
from terminal.errors import TerminalError, TransitionRefused
from terminal.flows import FLOWS
from terminal.flows.entry import parse_amount
from terminal.outcome import LOCAL, local
from terminal.receipts import slips
from terminal.settings import Settings
from terminal.transaction import TRANSITIONS, Event, Judgement, Mac, State, Transaction, judge, step

SALE = Transaction(kind="sale", batch="000001", stan="000002", amount_fen=6000, entry_mode="071")
SETTINGS = {"terminal_id": "10000001", "merchant_id": "898100000000001"}


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_every_pair_is_a_row_or_refused(state: State, event: Event) -> None:
    """A reversed sale could become captured again."""
    if event in TRANSITIONS[state]:
        assert step(state, event) is TRANSITIONS[state][event]
    else:
        with pytest.raises(TransitionRefused) as raised:
            step(state, event)
        assert isinstance(raised.value, TerminalError)
        assert raised.value.code == "transition"


def test_final_states_are_final() -> None:
    """Money that was given back would be taken again."""
    assert [state for state, row in TRANSITIONS.items() if not row] == [
        State.DECLINED,
        State.REVERSED,
        State.VOIDED,
        State.ADJUSTED,
        State.CLEARED,
    ]


@pytest.mark.parametrize(("approved", "mac", "needs_mac"), list(product([True, False], Mac, [True, False])))
def test_judgements(approved: bool, mac: Mac, needs_mac: bool) -> None:
    """An unproven answer would decide about money."""
    judged = judge(KINDS["sale"], approved=approved, mac=mac, decline_needs_mac=needs_mac)
    refund = judge(KINDS["refund"], approved=approved, mac=mac, decline_needs_mac=needs_mac)
    if approved and mac is Mac.GOOD:
        assert judged == refund == Judgement(Event.APPROVE)
    elif not approved and (mac is Mac.GOOD or (mac is Mac.ABSENT and not needs_mac)):
        assert judged == refund == Judgement(Event.DECLINE)
    else:
        assert judged.event is Event.DOUBT
        assert judged.reason == ("06" if mac is Mac.ABSENT and not approved else "A0")
        assert refund == Judgement(Event.RESEND)


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("60.00", 6000),
        ("60", 6000),
        ("0.01", 1),
        ("99999999.99", 9_999_999_999),
        ("19.99", 1999),
        *((text, 0) for text in ("", "0", "0.00", "100000000", "1.5", "1.555", "-1", "1,00", " 1", "01")),
        *((text, 0) for text in ("１.00", "٦.00", "1e3", "1_0", "1.00\n")),
    ],
)
def test_amounts(text: str, fen: int) -> None:
    """A float or a foreign digit would charge another amount."""
    assert parse_amount(text) == fen


@pytest.mark.parametrize(
    ("date", "time", "near", "expected"),
    [
        ("0301", "100000", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("1231", "235959", datetime(2026, 1, 1, tzinfo=UTC), datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("0101", "000000", datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("0229", "000000", datetime(2027, 3, 1, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC)),
        ("0229", "000000", datetime(2026, 3, 1, tzinfo=UTC), None),
        ("1332", "000000", datetime(2026, 3, 1, tzinfo=UTC), None),
        ("0301", "246060", datetime(2026, 3, 1, tzinfo=UTC), None),
        ("", "", datetime(2026, 3, 1, tzinfo=UTC), None),
    ],
)
def test_the_hosts_time_gets_the_nearest_year(date: str, time: str, near: datetime, expected: datetime | None) -> None:
    """On new year's eve the clock would jump a year, and every notice expire."""
    assert host_time(date, time, near) == expected


def test_numbers_wrap_to_one() -> None:
    """After 999999 sales the terminal would send STAN 000000, which no host takes."""
    assert [following(number) for number in ("000000", "000001", "999998", "999999")] == [
        "000001",
        "000002",
        "999999",
        "000001",
    ]


def test_no_slip_before_the_capture() -> None:
    """A customer would leave with a slip for a sale that failed."""
    with pytest.raises(ValueError, match="pending"):
        slips(SALE, Settings(**SETTINGS))
    captured = SALE.moved(Event.APPROVE, rrn="000000000001", date="0301", time="100000")
    chinese, english = slips(captured, Settings(**SETTINGS, merchant_name="街角便利店"))
    assert (chinese[0], chinese[1], english[0]) == ("消费", "商户: 街角便利店", "sale")
    assert "date and time: 03-01 10:00:00" in english
    assert len(chinese) == len(english)


@pytest.mark.parametrize(
    "wrong",
    [
        {"terminal_id": "1"},
        {"reply_timeout_s": 0},
        {"network": "002"},
        {"journal_limit": 0},
        {"journal_limit": 1000},
        {"colour": "red"},
    ],
    ids=str,
)
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    """A mistyped terminal id would be found out at the host's till."""
    with pytest.raises(ValidationError):
        Settings(**(SETTINGS | wrong))


def test_every_setting_and_flow_has_its_help() -> None:
    """`--help` would leave the reader alone."""
    assert all(row.description for row in Settings.model_fields.values())
    for name, flow in FLOWS.items():
        assert flow.usage.split()[0] == name
        assert len(flow.usage.split()) == 1 + len(flow.entries)
        assert flow.english
        assert flow.chinese


def test_every_local_reason_has_both_texts() -> None:
    """The cashier would see an empty screen."""
    for reason in LOCAL:
        outcome = local("sale", reason)
        assert outcome.text_zh
        assert outcome.text_en
        assert bool(outcome.remedy_zh) == bool(outcome.remedy_en)


def test_card_data_stays_out_of_print() -> None:
    """A log line would hold the customer's card."""
    row = SALE.model_copy(update={"card_sealed": "ab" * 40, "card": "620000******0004"})
    assert "abab" not in repr(row)
