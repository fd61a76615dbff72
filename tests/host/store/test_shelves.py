"""What the writer keeps in memory, and everything that must take it off again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from host.decision import Delete, Insert, Update, Write
from host.store import shelves
from host.store.shelves import Shelves


def filled() -> Shelves:
    """Two terminals under their ids, a hold of the first, a merchant."""
    kept = Shelves()
    for number in (1, 2):
        kept.get("terminals", f"T{number}", lambda number=number: (SimpleNamespace(serial_number=f"S{number}"),))  # type: ignore[misc]
    kept.get("holds", "S1", lambda: ("a hold",))
    kept.get("merchants", "M1", lambda: "a merchant")
    return kept


def left(kept: Shelves) -> set[str]:
    """What is still kept."""
    gone = object()
    places = [("terminals", "T1"), ("terminals", "T2"), ("holds", "S1"), ("merchants", "M1")]
    return {key for table, key in places if _look(kept, table, key, gone) is not gone}


def _look(kept: Shelves, table: str, key: str, gone: object) -> object:
    try:
        return kept.get(table, key, _absent)
    except LookupError:
        return gone


def _absent() -> object:
    raise LookupError


@pytest.mark.parametrize(
    ("write", "remains"),
    [
        (Update("terminals", {"serial_number": "S1"}, {"state": "stopped"}), {"T2", "S1", "M1"}),
        (Update("terminals", {"serial_number": "S3"}, {"terminal_id": "T2"}), {"T1", "S1", "M1"}),
        (Insert("terminals", {"serial_number": "S3", "terminal_id": "T1"}), {"T2", "S1", "M1"}),
        (Update("terminals", {"model": "X"}, {"firmware": "1"}), {"S1", "M1"}),
        (Update("holds", {"number": 7}, {"released_at": 1}), {"T1", "T2", "M1"}),
        (Insert("holds", {"serial_number": "S2"}), {"T1", "T2", "S1", "M1"}),
        (Delete("merchants", {"merchant_id": "M1"}), {"T1", "T2", "S1"}),
        (Insert("postings", {"amount_fen": 1}), {"T1", "T2", "S1", "M1"}),
    ],
)
def test_a_write_takes_off_what_it_changes(write: Write, remains: set[str]) -> None:
    """A terminal that was stopped would sell on from memory."""
    kept = filled()
    kept.forget(write)
    assert left(kept) == remains
    assert kept.changed is (write.table != "postings")


def test_somebody_elses_write_takes_off_everything() -> None:
    """A second host would answer from yesterday."""
    kept = filled()
    kept.heed(1)
    assert left(kept) == set()


def test_our_own_write_takes_off_no_more_than_itself() -> None:
    """Every sign-on would empty the memory of its own host."""
    kept = filled()
    kept.bumped(1)
    kept.heed(1)
    assert left(kept) == {"T1", "T2", "S1", "M1"}
    kept.bumped(3)  # somebody else's write was between
    kept.heed(3)
    assert left(kept) == set()


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host would grow with every stranger's terminal id."""
    monkeypatch.setattr(shelves, "ROWS_MAX", 3)
    kept = Shelves()
    for number in range(20):
        kept.get("merchants", str(number), lambda: None)
        assert sum(map(len, kept._kept.values())) <= 3


def test_what_stands_is_bounded_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger who names every till with every merchant would fill the memory of the host, without one row more."""
    monkeypatch.setattr(shelves, "ROWS_MAX", 3)
    kept, made = Shelves(), []
    for number in range(20):
        kept.standing("T1", ("", f"M{number}"), lambda number=number: made.append(number), lambda: True)  # type: ignore[misc]
        assert sum(map(len, kept._standing.values())) <= 3
    kept.standing("T1", ("", "M19"), lambda: made.append(19), lambda: True)
    assert made == list(range(20)), "what is kept is not made again"
