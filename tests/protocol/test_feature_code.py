"""The feature code of a signature."""

from __future__ import annotations

import pytest

from protocol.errors import EncodeError
from protocol.feature_code import feature_code
from tests.vectors import shared_vector


@pytest.mark.parametrize(
    ("date", "rrn", "code"),
    [
        ("0508", "123456789012", "53708226"),
        ("0000", "123456789012", "56788226"),
        ("", "123456789012", "56788226"),
        ("0000", "000000000000", "00000000"),
        ("1231", "999999999999", "8BA80000"),
    ],
)
def test_feature_code(date: str, rrn: str, code: str) -> None:
    """A signature could not be told to belong to its slip."""
    assert feature_code(date, rrn) == code


def test_shared_vector() -> None:
    """A signature could not be told to belong to its slip."""
    vector = shared_vector("esign-feature-1")
    assert feature_code(vector["inputs"]["f15"], vector["inputs"]["f37"]) == vector["computed"]


@pytest.mark.parametrize(
    ("date", "rrn", "field"),
    [
        ("508", "123456789012", 15),
        ("05080", "123456789012", 15),
        ("05O8", "123456789012", 15),
        ("０５０８", "123456789012", 15),
        ("9999", "123456789012", 15),
        ("1301", "123456789012", 15),
        ("0230", "123456789012", 15),
        ("0001", "123456789012", 15),
        ("0100", "123456789012", 15),
        ("0508", "12345678901", 37),
        ("0508", "1234567890123", 37),
        ("0508", "tWK0l0PGf7Ly", 37),
        ("0508", "１２３４５６７８９０１２", 37),
        ("0508", "", 37),
    ],
)
def test_what_has_no_feature_code(date: str, rrn: str, field: int) -> None:
    """A slip would carry a code that no other program finds again."""
    with pytest.raises(EncodeError) as caught:
        feature_code(date, rrn)
    assert caught.value.field == field
