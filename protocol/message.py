"""A message as everybody above the codec sees it: frozen, by field name, free of bytes-and-lengths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from protocol.elements import Value
from protocol.header import Header, Tpdu


@dataclass(frozen=True, slots=True)
class Message:
    """``fields`` maps number to digits or text (str) or bytes. It may hold card data, so it stays out of ``repr``."""

    mti: str
    fields: Mapping[int, Value] = field(repr=False)
    tpdu: Tpdu | None = None
    header: Header | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", MappingProxyType(dict(self.fields)))

    def text(self, number: int) -> str:
        """Digits or text of a field, empty where the field is absent."""
        value = self.fields.get(number, "")
        return value if isinstance(value, str) else ""

    def octets(self, number: int) -> bytes:
        """Bytes of a binary field, empty where the field is absent."""
        value = self.fields.get(number, b"")
        return value if isinstance(value, bytes) else b""

    def has(self, number: int) -> bool:
        """Is the field there and not empty?"""
        return bool(self.fields.get(number))

    def with_fields(self, changes: Mapping[int, Value]) -> Message:
        """A copy with some fields put in or replaced."""
        return replace(self, fields={**self.fields, **changes})

    def without(self, *numbers: int) -> Message:
        """A copy that lacks some fields."""
        return replace(self, fields={number: value for number, value in self.fields.items() if number not in numbers})
