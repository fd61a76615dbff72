"""The wire of UnionPay POS terminals: bytes to messages and back. The names below are the public ones."""

from __future__ import annotations

from protocol.codec import Unsealed, pack, seal, unpack, unseal
from protocol.describe import Frame, document, mask_pan, message_from_document
from protocol.errors import (
    DecodeError,
    EncodeError,
    EndpointInUse,
    FrameError,
    KeyLoadError,
    ProtocolError,
    SignatureError,
    TransportError,
)
from protocol.exchange import Event, Exchange
from protocol.fields import FIELDS, F
from protocol.framing import FRAMINGS, Len2Framer, StxFramer
from protocol.header import REQUIREMENTS, Header, Tpdu
from protocol.kinds import KINDS, Identity, Kind, identify
from protocol.message import Message
from protocol.responses import RESPONSES, Response, response

__all__ = [
    "FIELDS",
    "FRAMINGS",
    "KINDS",
    "REQUIREMENTS",
    "RESPONSES",
    "DecodeError",
    "EncodeError",
    "EndpointInUse",
    "Event",
    "Exchange",
    "F",
    "Frame",
    "FrameError",
    "Header",
    "Identity",
    "KeyLoadError",
    "Kind",
    "Len2Framer",
    "Message",
    "ProtocolError",
    "Response",
    "SignatureError",
    "StxFramer",
    "Tpdu",
    "TransportError",
    "Unsealed",
    "document",
    "identify",
    "mask_pan",
    "message_from_document",
    "pack",
    "response",
    "seal",
    "unpack",
    "unseal",
]
