"""The one door between payloads and messages.

A payload is TPDU, header and body, without the frame around it (``protocol.framing``). The MAC covers the body from the
MTI to the byte before field 64 (CUP 5.4); it comes and goes as a callable, so that no key passes through here. A reader
verifies it over the bytes that arrived, never over bytes that it built again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from protocol.errors import DecodeError
from protocol.fields import BODY, F
from protocol.header import ENVELOPE_BYTES, TPDU_BYTES, Header, Tpdu
from protocol.kinds import MTIS
from protocol.message import Message

MacMaker = Callable[[bytes], bytes]
MAC_BYTES = 8


@dataclass(frozen=True, slots=True)
class Unsealed:
    """A message with the bytes that its MAC covers and the MAC that came; both empty where field 64 is absent."""

    message: Message
    mac_input: bytes = field(default=b"", repr=False)
    mac: bytes = field(default=b"", repr=False)


def pack(message: Message) -> bytes:
    """The body alone: MTI, bitmap and fields, field 64 as it stands. Raises EncodeError."""
    return BODY.build(message.mti, message.fields)


def unpack(body: bytes) -> Message:
    """A body without TPDU and header. Raises DecodeError with field and offset."""
    mti = body[:2].hex().upper()
    if len(mti) == 4 and mti not in MTIS:
        raise DecodeError(
            f"the MTI {mti} is none of this dialect",
            field=0,
            raw=body[:2],
            code="mti",
            hint="known: " + " ".join(sorted(MTIS)),
        )
    mti, fields = BODY.parse(body)
    return Message(mti, fields)


def seal(message: Message, mac: MacMaker | None = None) -> bytes:
    """A payload. With ``mac``, field 64 is computed; without, it is as it stands. Raises EncodeError."""
    body = pack(message.with_fields({F.MAC: bytes(MAC_BYTES)}) if mac else message)
    if mac:
        covered = body[:-MAC_BYTES]
        body = covered + mac(covered)
    return bytes(message.tpdu or Tpdu()) + bytes(message.header or Header()) + body


def unseal(payload: bytes) -> Unsealed:
    """The message in a payload. Raises DecodeError; offsets count from the MTI, negative in TPDU and header."""
    if len(payload) < ENVELOPE_BYTES:
        raise DecodeError(
            f"{len(payload)} bytes are too few for TPDU and header",
            offset=len(payload) - ENVELOPE_BYTES,
            raw=payload,
            code="truncated",
        )
    tpdu, header = Tpdu.parse(payload[:TPDU_BYTES]), Header.parse(payload[TPDU_BYTES:ENVELOPE_BYTES])
    body = payload[ENVELOPE_BYTES:]
    message = unpack(body)
    mac = message.octets(F.MAC)
    return Unsealed(Message(message.mti, message.fields, tpdu, header), body[:-MAC_BYTES] if mac else b"", mac)
