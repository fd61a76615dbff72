"""A message by field number: what is in it, what a copy keeps, and values that are made on demand."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import pytest

from protocol.codec import seal, unseal
from protocol.elements import Value
from protocol.header import Header, Tpdu
from protocol.message import Message
from tests.protocol.samples import SALE

TPDU = Tpdu(source="0042")
HEADER = Header(version="31", processing_requirement="3")
MESSAGE = Message("0200", {2: "6200000100000004", 4: "", 52: b"\1\2", 55: b""}, TPDU, HEADER)


class Arrived(bytearray):
    """Bytes whose end can be watched."""


def decoded(convert: Any, raw: Any = b"") -> Message:
    """A message whose fields ``convert`` makes when they are first asked for."""
    return Message.of_checked("0200", (11,), (convert, raw, None, None), TPDU, HEADER)


@pytest.mark.parametrize(
    ("number", "text", "octets", "has"),
    [
        (2, "6200000100000004", b"", True),
        (4, "", b"", False),
        (52, "", b"\1\2", True),
        (55, "", b"", False),
        (64, "", b"", False),
    ],
)
def test_a_field_is_asked_for_by_its_kind(number: int, text: str, octets: bytes, has: bool) -> None:
    """A sale without a PIN block would be sent to the issuer with an invented one, or stop the host."""
    assert (MESSAGE.text(number), MESSAGE.octets(number), MESSAGE.has(number)) == (text, octets, has)


@pytest.mark.parametrize(
    ("copy", "fields"),
    [
        (lambda: MESSAGE.with_fields({4: "000000000100", 64: b"12345678"}), {4: "000000000100", 64: b"12345678"}),
        (lambda: MESSAGE.without(2, 64), {2: None}),
        (lambda: MESSAGE.without(), {}),
    ],
)
def test_a_copy_keeps_everything_else(copy: Callable[[], Message], fields: dict[int, Value | None]) -> None:
    """A reversal made of a sale would go to another host, or would lose a field of the sale."""
    made = copy()
    expected = {number: value for number, value in {**MESSAGE.fields, **fields}.items() if value is not None}
    assert (made.mti, made.tpdu, made.header) == ("0200", TPDU, HEADER)
    assert made.fields == expected
    assert made.numbers == tuple(expected)


def test_a_message_does_not_change_with_what_it_was_made_of() -> None:
    """A reply would take an amount from the next sale of the same terminal."""
    fields: dict[int, Value] = {4: "000000006000"}
    message = Message("0210", fields)
    fields[4] = "000000000001"
    assert message.text(4) == "000000006000"
    with pytest.raises(TypeError):
        message.fields[4] = "000000000001"  # type: ignore[index]
    with pytest.raises(TypeError):
        unseal(seal(SALE)).message.fields[4] = "000000000001"  # type: ignore[index]


def test_values_are_made_once_and_their_bytes_let_go() -> None:
    """A host that keeps its open sales would keep the card data of each twice."""
    made = []

    def convert(raw: Arrived, *_: object) -> dict[int, Value]:
        made.append(len(raw))
        return {11: "000007"}

    raw = Arrived(b"0200")
    kept = weakref.ref(raw)
    message = decoded(convert, raw)
    del raw
    assert (message.numbers, made) == ((11,), [])
    assert message.text(11) == message.text(11) == "000007"
    assert made == [4]
    assert kept() is None


def test_two_threads_may_make_the_same_values() -> None:
    """A sale that one thread books while another shows it would stop the host."""

    def convert(*_: object) -> dict[int, Value]:
        if len(asked) < 2:
            asked.append(message)
            assert message.text(11) == "000007"
        return {11: "000007"}

    asked: list[Message] = []
    message = decoded(convert)
    assert message.text(11) == "000007"
    assert len(asked) == 2


def test_a_thread_that_comes_late_finds_the_values_made() -> None:
    """A sale that one thread books while another shows it would stop the host."""
    late: Any = Message.fields
    message = decoded(lambda *_: {11: "000007"})
    assert late.__get__(message, Message) == late.__get__(message, Message) == message.fields
