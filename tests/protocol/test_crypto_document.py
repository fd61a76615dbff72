"""The canonical JSON under a signature."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto.document import Form, Nested, Text, Whole, read_document, write_document
from protocol.errors import DecodeError, EncodeError

FORM: Form = {"name": Text(), "count": Whole(0, 9), "more": Nested()}
SPELT = '{"count":1,"more":{"a":"甲","b":"é"},"name":"n"}'


def test_one_spelling() -> None:
    """A command signed on one machine would not verify on another."""
    document = {"name": "n", "more": {"b": "é", "a": "甲"}, "count": 1}
    assert write_document(document, FORM) == SPELT.encode()
    assert read_document(SPELT.encode(), FORM) == document


@given(
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    count=st.integers(0, 9),
    more=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(codec="utf-8"))),
)
def test_round_trip(name: str, count: int, more: dict[str, str]) -> None:
    """A notice with an unusual character would never arrive."""
    document = {"name": name, "count": count, "more": more}
    assert read_document(write_document(document, FORM), FORM) == document


@pytest.mark.parametrize(
    "spelling",
    [
        "",
        "{",
        "[]",
        "null",
        "1",
        SPELT + " ",
        " " + SPELT,
        "\ufeff" + SPELT,
        SPELT.replace(":1", ": 1"),
        SPELT.replace(":1", ":1.0"),
        SPELT.replace(":1", ":1.5"),
        SPELT.replace(":1", ":01"),
        SPELT.replace(":1", ":10"),
        SPELT.replace(":1", ":-1"),
        SPELT.replace(":1", ":-0"),
        SPELT.replace(":1", ":1e0"),
        SPELT.replace(":1", ":NaN"),
        SPELT.replace(":1", ":Infinity"),
        SPELT.replace(":1", ":true"),
        SPELT.replace(":1", ":null"),
        SPELT.replace(":1", ':"1"'),
        SPELT.replace(":1", ":" + "9" * 5000),
        SPELT.replace('"count":1', '"count":1,"count":1'),
        SPELT.replace('"count":1', '"count":2,"count":1'),
        SPELT.replace('"count":1,', ""),
        SPELT.replace('"name"', '"nama"'),
        SPELT.replace("}}", '},"zeal":1}').replace('"n"}', '"n","zeal":1}'),
        SPELT.replace('"n"', '""'),
        SPELT.replace('"n"', '"\\u006e"'),
        SPELT.replace('"n"', '"\\ud800"'),
        SPELT.replace('"a":"甲"', '"a":NaN'),
        SPELT.replace('{"a":"甲","b":"é"}', "[]"),
        SPELT.replace('{"a":"甲","b":"é"}', "[" * 100_000),
        '{"more":{},"count":1,"name":"n"}',
    ],
)
def test_other_spellings_refused(spelling: str) -> None:
    """Two readers of one signed document would do two different things."""
    with pytest.raises(DecodeError):
        read_document(spelling.encode(), FORM)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "gb18030"])
def test_other_encodings_refused(encoding: str) -> None:
    """A notice would be shown in the wrong characters."""
    with pytest.raises(DecodeError):
        read_document(SPELT.encode(encoding), FORM)


@given(st.binary(max_size=80))
def test_random_bytes_refused(spelling: bytes) -> None:
    """Noise on the line would crash the terminal instead of being refused."""
    with pytest.raises(DecodeError):
        read_document(spelling, FORM)


@pytest.mark.parametrize(
    "change",
    [
        {"count": True},
        {"count": 1.0},
        {"count": 10},
        {"name": ""},
        {"name": 1},
        {"name": "\ud800"},
        {"more": []},
        {"more": {"a": b"bytes"}},
        {"more": {"a": float("nan")}},
        {"zeal": 1},
    ],
)
def test_what_cannot_be_signed(change: dict[str, object]) -> None:
    """The host would sign what no terminal can read."""
    with pytest.raises(EncodeError):
        write_document({"name": "n", "count": 1, "more": {}} | change, FORM)
