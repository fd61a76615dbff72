"""MTI, bitmap and fields in one construct: the reference for how a message is read and written.

``protocol.plan`` derives its fast forms from what elements and codings say of themselves, and comes back here whenever
something is not as it should be.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from typing import Any, Final

import construct as cs

from protocol.elements.bitmap import LAST_FIELD, SECOND_BITMAP, Bitmap, bitmap_of
from protocol.elements.coding import DIGITS, Value
from protocol.elements.element import Element, Fixed, read
from protocol.elements.error import CutShort, ElementError
from protocol.errors import DecodeError, EncodeError


class _Mti(cs.Construct):  # type: ignore[misc]  # construct carries no types
    """An MTI that the dialect knows."""

    def __init__(self, element: Element, known: Collection[str]) -> None:
        super().__init__()
        self.element, self.known = element, known

    def _parse(self, stream: io.BytesIO, context: Any, path: Any) -> Value:
        mti: Value = self.element._parsereport(stream, context, path)
        if self.known and mti not in self.known:
            raise ElementError(f"{mti!s} and none of this dialect", "known: " + " ".join(sorted(self.known)))
        return mti

    def _build(self, obj: Value, stream: io.BytesIO, context: Any, path: Any) -> Value:
        built: Value = self.element._build(obj, stream, context, path)
        return built


class _FieldSet(cs.Construct):  # type: ignore[misc]  # construct carries no types
    """One bitmap of 64 bits, or two where a field above 64 exists, and the fields that they name, in order."""

    def __init__(self, elements: Mapping[int, Element], bitmap: Bitmap) -> None:
        super().__init__()
        self.elements, self.bitmap = elements, bitmap
        self.has_second = max(elements) > LAST_FIELD

    def _parse(self, stream: io.BytesIO, context: Any, path: Any) -> dict[int, Value]:
        bits, last = self._bits(stream), LAST_FIELD
        if self.has_second and bits >> (LAST_FIELD - SECOND_BITMAP):
            bits, last = bits << LAST_FIELD | self._bits(stream), 2 * LAST_FIELD
            bits ^= 1 << (last - SECOND_BITMAP)
        fields: dict[int, Value] = {}
        for number in range(1, last + 1):
            if bits >> (last - number) & 1:
                at = stream.tell()
                element = self._element(number, last, at)
                try:
                    fields[number] = element._parsereport(stream, context, path)
                except ElementError as error:
                    raw = stream.getvalue()[at : at + 32]
                    raise DecodeError(
                        error.text, field=number, offset=at, raw=raw, hint=error.hint, code=error.code
                    ) from None
        return fields

    def _bits(self, stream: io.BytesIO) -> int:
        at = stream.tell()
        try:
            bits = self.bitmap.decode(read(stream, self.bitmap.value))
        except CutShort as error:
            raise DecodeError(f"the bitmap is cut short: {error.text}", field=0, offset=at, code=error.code) from None
        except ElementError as error:
            raise DecodeError(
                f"the bitmap is {error.text}", field=0, offset=at, hint=error.hint, code="bitmap"
            ) from None
        if not bits:
            raise DecodeError("the bitmap names no field", field=0, offset=at, code="bitmap")
        return bits

    def _element(self, number: int, last: int, at: int) -> Element:
        element = self.elements.get(number)
        if element is None:
            raise DecodeError(
                f"bit {number} is set and this dialect has no such field",
                field=number,
                offset=at,
                code="undefined_field",
                hint=_NO_BITMAP.get(number, ""),
            )
        if number == LAST_FIELD < last:
            raise DecodeError(_TWO_BITMAPS, field=number, offset=at, code="mac_field", hint=_MAC_IS_LAST)
        return element

    def _build(self, obj: Mapping[int, Value], stream: io.BytesIO, context: Any, path: Any) -> Mapping[int, Value]:
        for number in obj:
            if number not in self.elements:
                raise EncodeError("this dialect has no such field", field=number)
        bits = bitmap_of(obj)
        if LAST_FIELD in obj and len(bits) * 8 > LAST_FIELD:
            raise EncodeError(_TWO_BITMAPS, field=LAST_FIELD, hint=_MAC_IS_LAST, code="mac_field")
        stream.write(self.bitmap.encode(bits))
        for number in sorted(obj):
            try:
                self.elements[number]._build(obj[number], stream, context, path)
            except ElementError as error:
                raise EncodeError(error.text, field=number, hint=error.hint) from None
        return obj


_TWO_BITMAPS: Final = "field 64 together with a second bitmap"
_MAC_IS_LAST: Final = "the MAC is the last field: 128 where there are two bitmaps"
_NO_BITMAP: Final = {
    SECOND_BITMAP: "a bitmap of 8 bytes follows the MTI; bit 1 would announce a second one",
    LAST_FIELD + 1: "bit 65 would announce a third bitmap",
}


class Body:
    """MTI, bitmap and fields: the part of a message that the MAC covers.

    ``parse`` takes the bytes from the MTI on and gives ``(mti, fields)``; it raises DecodeError, also for bytes left
    over. ``build`` is its inverse and raises EncodeError. ``mtis`` are those that it reads, every one where empty.
    """

    def __init__(
        self,
        elements: Mapping[int, Element],
        mti: Element | None = None,
        bitmap: Bitmap = Bitmap.BINARY,
        mtis: Collection[str] = (),
    ) -> None:
        self.elements, self.bitmap = elements, bitmap
        self.mti = mti or Fixed(DIGITS, 4)
        self._construct = cs.Struct("mti" / _Mti(self.mti, mtis), "fields" / _FieldSet(elements, bitmap))

    def parse(self, raw: bytes) -> tuple[str, dict[int, Value]]:
        stream = io.BytesIO(raw)
        try:
            parsed = self._construct.parse_stream(stream)
        except ElementError as error:
            code = error.code if isinstance(error, CutShort) else "mti"
            raise DecodeError(
                f"the MTI is {error.text}", field=0, offset=0, raw=raw[:4], hint=error.hint, code=code
            ) from None
        if stream.tell() != len(raw):
            raise DecodeError(
                f"{len(raw) - stream.tell()} bytes are left after the last field",
                offset=stream.tell(),
                raw=raw[stream.tell() :],
                code="trailing_bytes",
                hint="two messages in one frame, or a length that was counted in other units",
            )
        return parsed.mti, parsed.fields

    def build(self, mti: str, fields: Mapping[int, Value]) -> bytes:
        if not fields:
            raise EncodeError("a message has at least one field", field=0)
        try:
            return bytes(self._construct.build({"mti": mti, "fields": fields}))
        except ElementError as error:
            raise EncodeError(f"the MTI is {error.text}", field=0) from None
