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


def test_only_00_is_an_approval() -> None:
    """Goods would be handed over for a declined card."""
    assert [row.code for row in RESPONSES.values() if row.approved] == ["00"]


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("77", Action.SIGN_ON_AGAIN),
        ("A0", Action.SIGN_ON_AGAIN),
        ("99", Action.SIGN_ON_AGAIN),
        ("95", Action.BATCH_UPLOAD),
        ("41", Action.KEEP_CARD),
        ("97", Action.FAIL),
        ("58", Action.FAIL),
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
