"""TABLE RESPONSES."""

from __future__ import annotations

import re

import pytest

from protocol.responses import RESPONSES, Action, ResponseClass, response


@pytest.mark.parametrize("code", RESPONSES)
def test_every_code_says_something_in_both_languages(code: str) -> None:
    """The operator would stand before a bare number."""
    row = RESPONSES[code]
    assert row.code == code
    assert re.fullmatch(r"[0-9A-Z]{2}", code)
    assert row.chinese
    assert not row.chinese.isascii()
    assert row.english.isascii()
    assert row.english


def test_what_is_an_approval() -> None:
    """Goods would be handed over for a declined card, or for less money than they cost."""
    assert [row.code for row in RESPONSES.values() if row.approved] == ["00", "11", "16", "A2", "A4", "A5", "A6"]
    assert all((row.group is ResponseClass.SUCCESS) == row.approved for row in RESPONSES.values() if row.code != "10")


def test_the_codes_are_those_of_the_specification() -> None:
    """A refusal of a real host would be shown as unknown."""
    known = """
    00 01 02 03 04 05 06 07 09 10 11 12 13 14 15 16 19 20 21 22 23 25 30 31 33 34 35 36 37 38 39 40 41 42 43 44 51 52 53
    54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 75 77 79 90 91 92 94 95 96 97 98 99 A0 A1 A2 A3 A4 A5 A6 A7 W1
    """
    assert list(RESPONSES) == known.split()


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("77", Action.SIGN_ON_AGAIN),
        ("A0", Action.SIGN_ON_AGAIN),
        ("99", Action.SIGN_ON_AGAIN),
        ("95", Action.BATCH_UPLOAD),
        ("41", Action.KEEP_CARD),
        ("97", Action.CALL_ACQUIRER),
        ("58", Action.CALL_ACQUIRER),
        ("91", Action.TRY_LATER),
        ("13", Action.TRY_AGAIN),
        ("79", Action.UPLOAD_OFFLINE),
        ("51", Action.FAIL),
        ("10", Action.ACCEPT_PART),
    ],
)
def test_what_the_terminal_does(code: str, action: Action) -> None:
    """A terminal would go on with keys that the host has thrown away, or settle a batch that does not agree."""
    assert response(code).action is action


@pytest.mark.parametrize("code", ["", "Z9", "0", "停"])
def test_an_unknown_code_is_a_failure(code: str) -> None:
    """A code of a newer host would be taken for an approval."""
    row = response(code)
    assert (row.approved, row.group, row.action) == (False, ResponseClass.FAILED, Action.FAIL)
