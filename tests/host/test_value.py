"""Values: what may be relied on though the machine does not freeze them."""

from __future__ import annotations

from dataclasses import field, replace

from host.value import value


@value
class Point:
    """A value."""

    x: int
    secret: bytes = field(default=b"", repr=False)


def test_a_value_is_compared_hashed_and_shown_by_its_fields() -> None:
    """Two readings of one row would differ, and a secret stand in the log."""
    assert Point(1, b"k") == Point(1, b"k") != Point(2, b"k")
    assert len({Point(1), Point(1), Point(2)}) == 2
    assert replace(Point(1, b"k"), x=3) == Point(3, b"k")
    assert "k" not in repr(Point(1, b"kkkk"))
    assert not hasattr(Point(1), "__dict__")
