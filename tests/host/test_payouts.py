"""The day of a payout: T+0, D+0, T+1 (product M)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from host.payouts import TERMS, due_before, pay_day

pytestmark = pytest.mark.feature("M")
FRIDAY, SATURDAY, SUNDAY, MONDAY, TUESDAY = (date(2026, 3, day) for day in (6, 7, 8, 9, 10))
HOLIDAYS = {date(2026, 10, day) for day in range(1, 8)}


def settled_at(day: date, hour: int = 12) -> int:
    """Noon of a day in China."""
    return int(datetime(day.year, day.month, day.day, hour - 8, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("term", "settled", "due"),
    [
        ("T+0", FRIDAY, FRIDAY),
        ("T+0", SATURDAY, MONDAY),
        ("D+0", SATURDAY, SATURDAY),
        ("T+1", FRIDAY, MONDAY),
        ("T+1", SUNDAY, MONDAY),
        ("T+1", MONDAY, TUESDAY),
        ("T+1", date(2026, 9, 30), date(2026, 10, 8)),
        ("T+0", date(2026, 10, 1), date(2026, 10, 8)),
        ("D+0", date(2026, 10, 1), date(2026, 10, 1)),
    ],
)
def test_a_batch_is_due_on_its_day(term: str, settled: date, due: date) -> None:
    """A merchant would be paid on a Sunday by a bank that is closed, or a day late."""
    assert pay_day(term, settled_at(settled), HOLIDAYS) == due


def test_the_day_is_chinas() -> None:
    """A batch settled at one in the morning would count for the day before."""
    assert pay_day("D+0", int(datetime(2026, 3, 5, 17, 0, tzinfo=UTC).timestamp()), ()) == FRIDAY


def test_every_term_is_tried() -> None:
    """A term that nobody tried may pay never."""
    assert set(TERMS) == {"T+0", "D+0", "T+1"}


@pytest.mark.parametrize("term", sorted(TERMS))
def test_what_is_due_today_is_what_was_settled_before_an_instant(term: str) -> None:
    """The host would look for what is due in the wrong place, and a merchant wait for ever."""
    days = [date(2026, 9, 24) + timedelta(days=ahead) for ahead in range(21)]
    for today in days:
        before = due_before(term, today, HOLIDAYS)
        due = [day for day in days if pay_day(term, settled_at(day), HOLIDAYS) <= today]
        assert due == [day for day in days if settled_at(day) < before]
