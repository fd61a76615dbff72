"""TABLE REFUSALS: every row is used, every reason that is used is a row, and every text reaches the terminal."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import host
from host.holds import HOLDS
from host.lifecycle import ABSENT
from host.refusals import ISSUER_CODES, REFUSALS, Refusal, Refused
from host.reply import refusal_text
from protocol.codec import seal, unseal
from protocol.fields import F
from protocol.message import Message
from protocol.private import TEXT_CHARSET, RefusalText
from protocol.responses import RESPONSES, ResponseClass

ROWS = list(REFUSALS.values())
WORDS = {
    "what": "field 4 (amount, fen) missing",
    "state": "submitted",
    "state_zh": "待审核",
    "batch": "000017",
    "successor": "PXE90-0002",
    "why": "ordered by the acquirer",
    "model": "PX-E90",
    "version": "2.1.0",
    "required": "2.2.0",
    "turnover": "99.99",
    "limit": "50000.00",
    "rest": "12.34",
    "least": "100.00",
    "got": "7",
    "due": "8",
}


def source() -> str:
    """The text of the host, without the table itself and what only describes it."""
    files = Path(str(host.__file__)).parent.rglob("*.py")
    return "\n".join(file.read_text(encoding="utf-8") for file in files if file.name != "refusals.py")


def named_reasons() -> set[str]:
    """Every reason that code names, spelled out or by its parts."""
    called = set(re.findall(r"(?:Refused|refuse)\(\s*\"([a-z_.]+)\"", source()))
    families = "transaction|request|card|qr|limit|amount|risk"
    chosen = set(re.findall(rf"(?:\"|refusal=\")((?:{families})\.[a-z_]+)\"", source()))
    forced = {f"issuer.{code.lower()}" for code in ISSUER_CODES if not RESPONSES[code].approved}
    made = {"partner.down", "partner.wrong"} | {f"terminal.{state}" for state in ABSENT}
    made |= {f"{word}.{reason}" for word in ("hold", "partial") for reason in HOLDS}
    return called | chosen | made | forced


def test_every_reason_in_the_code_is_a_row_and_every_row_is_named() -> None:
    """A refusal would end in a crash, or a text would be kept that nobody ever reads."""
    assert named_reasons() == set(REFUSALS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.reason)
def test_texts_take_their_words(row: Refusal) -> None:
    """The merchant would read a brace instead of the batch that is open."""
    texts = Refused(row.reason, WORDS).texts()
    assert all(texts.values())
    assert not any("{" in text for text in texts.values())
    assert texts["reason"] == row.reason
    assert RESPONSES[row.code].group is not ResponseClass.SUCCESS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.reason)
def test_chinese_and_english_want_the_same_words(row: Refusal) -> None:
    """One of the two languages would hide what the other tells."""
    wanted = [_words(row.chinese) | _words(row.remedy_chinese), _words(row.english) | _words(row.remedy_english)]
    assert wanted[0] == wanted[1] or row.reason == "currency.unsupported"


def _words(text: str) -> set[str]:
    """The names of the words in a text; ``state_zh`` is the Chinese of ``state``."""
    return {name.removesuffix("_zh") for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.reason)
def test_field_63_carries_reason_and_text_through_the_wire(row: Refusal) -> None:
    """The terminal would show a refusal without its reason."""
    refused = Refused(row.reason, WORDS)
    message = Message("0210", {F.RESPONSE_CODE: row.code, F.TEXT: refusal_text(refused)})
    arrived = RefusalText.parse(unseal(seal(message)).message.text(F.TEXT))
    assert arrived.reason == row.reason
    assert arrived.chinese
    assert refused.texts()["zh"].startswith(arrived.chinese)
    assert len(row.reason) <= 40


def test_a_long_text_is_cut_between_characters() -> None:
    """Half a character would make the whole reply unreadable."""
    refused = Refused("message.malformed", {"what": "域" * 200})
    raw = refusal_text(refused).encode(TEXT_CHARSET)
    assert len(raw) <= 123
    assert RefusalText.parse(refusal_text(refused)).chinese.startswith("报文错误")
