"""Text in columns: Chinese characters are two wide, and never cut in half."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.text import columns_of, lines_of


@pytest.mark.parametrize(("text", "columns"), [("", 0), ("abc", 3), ("请刷卡", 6), ("￥60", 4), ("e\u0301", 1)])
def test_columns(text: str, columns: int) -> None:
    """A slip would run over the edge of the paper."""
    assert columns_of(text) == columns


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("12345", ["1234", "5"]),
        ("a请刷卡", ["a请", "刷卡"]),
        ("请\n\n刷", ["请", "", "刷"]),
        ("1234\n", ["1234", ""]),
    ],
)
def test_lines(text: str, lines: list[str]) -> None:
    """A wide character at the edge would be lost."""
    assert list(lines_of(text, 4)) == lines


@given(st.text(max_size=60), st.integers(2, 20))
def test_nothing_is_lost_and_nothing_is_too_wide(text: str, columns: int) -> None:
    """An amount would lose its last digit."""
    lines = list(lines_of(text, columns))
    assert "".join(lines) == text.replace("\n", "")
    assert all(columns_of(line) <= columns for line in lines)
