"""A message as everybody above the codec sees it: frozen, by field name, free of bytes-and-lengths.

A decoded message turns its checked bytes into values when ``fields`` is first asked for, so that whoever only passes
it on or refuses its MAC does not pay for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, cast

from protocol.elements import Value
from protocol.header import Header, Tpdu

Checked = tuple[Callable[..., dict[int, Value]], Any, Any, Any]
"""A function and its arguments: gives the fields of bytes that have been checked, and cannot fail."""


class _OnDemand:
    """Fills ``fields`` in when it is first read: the value then stands in front of this descriptor."""

    def __get__(self, message: Any, owner: type) -> object:
        if message is None:
            return self
        own = message.__dict__
        checked = own.get("_checked")
        if checked:  # another thread may be making the same value: either one is right
            convert, raw, found, more = checked
            own["fields"] = MappingProxyType(convert(raw, found, more))
            own.pop("_checked", None)
        return own["fields"]


@dataclass(frozen=True, init=False)
class Message:
    """``fields`` maps number to digits or text (str) or bytes. It may hold card data, so it stays out of ``repr``.

    ``numbers`` are those of the fields in their order, known before any value is converted.
    """

    mti: str
    fields: Mapping[int, Value] = field(default=cast("Mapping[int, Value]", _OnDemand()), repr=False)
    tpdu: Tpdu | None = None
    header: Header | None = None
    numbers: tuple[int, ...] = field(init=False, repr=False, compare=False)

    # Written past the frozen __setattr__, which costs four times as much.
    def __init__(
        self, mti: str, fields: Mapping[int, Value], tpdu: Tpdu | None = None, header: Header | None = None
    ) -> None:
        own = self.__dict__
        own["mti"] = mti
        own["fields"] = MappingProxyType(dict(fields))
        own["numbers"] = (*fields,)
        own["tpdu"] = tpdu
        own["header"] = header

    @classmethod
    def of_checked(
        cls, mti: str, numbers: tuple[int, ...], checked: Checked, tpdu: Tpdu | None, header: Header | None
    ) -> Message:
        """A message of bytes that have been checked, its values yet to be made."""
        message = _new(cls)
        own = message.__dict__
        own["mti"] = mti
        own["numbers"] = numbers
        own["_checked"] = checked
        own["tpdu"] = tpdu
        own["header"] = header
        return message

    def text(self, number: int) -> str:
        """Digits or text of a field, empty where the field is absent."""
        value = self.fields.get(number)
        return value if isinstance(value, str) else ""

    def octets(self, number: int) -> bytes:
        """Bytes of a binary field, empty where the field is absent."""
        value = self.fields.get(number)
        return value if isinstance(value, bytes) else b""

    def has(self, number: int) -> bool:
        """Is the field there and not empty?"""
        return bool(self.fields.get(number))

    def with_fields(self, changes: Mapping[int, Value]) -> Message:
        """A copy with some fields put in or replaced."""
        return Message(self.mti, self.fields_with(changes), self.tpdu, self.header)

    def fields_with(self, changes: Mapping[int, Value]) -> dict[int, Value]:
        """Its fields with some put in or replaced."""
        fields = cast("MappingProxyType[int, Value]", self.fields).copy()  # six times as fast as ** of a proxy
        fields.update(changes)
        return fields

    def without(self, *numbers: int) -> Message:
        """A copy that lacks some fields."""
        fields = {number: value for number, value in self.fields.items() if number not in numbers}
        return Message(self.mti, fields, self.tpdu, self.header)


_new: Final = object.__new__
