"""The one door between payloads and messages.

A payload is TPDU, header and body, without the frame around it (``protocol.framing``). The MAC covers the body from the
MTI to the byte before the last field, 64 or 128 (CUP 5.4); it comes and goes as a callable, so that no key passes
through here. A reader verifies it over the bytes that arrived, never over bytes that it built again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from protocol.dialect import CUP, Dialect
from protocol.elements import LAST_FIELD
from protocol.errors import DecodeError
from protocol.header import ENVELOPE_BYTES, ENVELOPES_MAX, TPDU_BYTES, Header, Tpdu
from protocol.hints import hint_of
from protocol.message import Message

MacMaker = Callable[[bytes], bytes]
MAC_BYTES: Final = 8


@dataclass(frozen=True, init=False)
class Unsealed:
    """A message with the bytes that its MAC covers and the MAC that came; both empty where the MAC field is absent."""

    message: Message
    mac_input: bytes = field(repr=False)
    mac: bytes = field(repr=False)

    # Written past the frozen __setattr__, as Message is.
    def __init__(self, message: Message, mac_input: bytes = b"", mac: bytes = b"") -> None:
        own = self.__dict__
        own["message"] = message
        own["mac_input"] = mac_input
        own["mac"] = mac


def pack(message: Message, dialect: Dialect = CUP) -> bytes:
    """The body alone: MTI, bitmap and fields, the MAC field as it stands. Raises EncodeError."""
    return dialect.plan.write(message)


def unpack(body: bytes, dialect: Dialect = CUP) -> Message:
    """A body without TPDU and header. Raises DecodeError with field, offset and hint."""
    try:
        return dialect.plan.read(body)[0]
    except DecodeError as error:
        error.hint = hint_of(dialect.body, body, error)
        raise


def seal(message: Message, mac: MacMaker | None = None, dialect: Dialect = CUP) -> bytes:
    """A payload. With ``mac``, the MAC field is computed; without, it is as it stands. Raises EncodeError."""
    if mac:
        number = LAST_FIELD if max(message.numbers, default=0) <= LAST_FIELD else 2 * LAST_FIELD
        body = dialect.plan.write_fields(message.mti, message.fields_with({number: _NO_MAC}))
        coding = dialect.fields[number].element.coding
        covered = body[: -coding.size_bytes(MAC_BYTES)]
        body = covered + coding.encode(mac(covered))
    else:
        body = dialect.plan.write(message)
    return _envelope_of(message.tpdu or _TPDU, message.header or _HEADER) + body


def unseal(payload: bytes, dialect: Dialect = CUP) -> Unsealed:
    """The message in a payload. Raises DecodeError with a hint; offsets count from the MTI, negative before it."""
    tpdu, header = _envelope(payload[:ENVELOPE_BYTES])
    body = payload[ENVELOPE_BYTES:]
    try:
        message, mac_bytes = dialect.plan.read(body, tpdu, header)
    except DecodeError as error:
        error.hint = hint_of(dialect.body, body, error)
        raise
    if not mac_bytes:
        return Unsealed(message)
    mac = body[-mac_bytes:] if mac_bytes == MAC_BYTES else message.octets(max(message.fields))
    return Unsealed(message, body[:-mac_bytes], mac)


@lru_cache(ENVELOPES_MAX)
def _envelope_of(tpdu: Tpdu, header: Header) -> bytes:
    return bytes(tpdu) + bytes(header)


@lru_cache(ENVELOPES_MAX)
def _envelope(raw: bytes) -> tuple[Tpdu, Header]:
    if len(raw) < ENVELOPE_BYTES:
        raise DecodeError(
            f"{len(raw)} bytes are too few for TPDU and header",
            offset=len(raw) - ENVELOPE_BYTES,
            raw=raw,
            hint="is it a whole message, and the length before it right?",
            code="truncated",
        )
    return Tpdu.parse(raw[:TPDU_BYTES]), Header.parse(raw[TPDU_BYTES:])


_NO_MAC: Final = bytes(MAC_BYTES)
_TPDU: Final = Tpdu()
_HEADER: Final = Header()
