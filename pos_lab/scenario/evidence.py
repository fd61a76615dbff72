"""Messages as evidence: decoded for people, and in hex with zeros where card data and keys were."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pos_lab.scenario.story import Evidence
from protocol.codec import seal, unseal
from protocol.describe import describe
from protocol.elements import Value
from protocol.errors import ProtocolError
from protocol.fields import F, Mask
from protocol.kinds import Identity, identify
from protocol.masking import cover, mask_of
from protocol.message import Message
from protocol.responses import response

Way = Literal["request", "response"]


def evidence(payload: bytes, direction: Way, at_s: float, terminal: str, *, delivered: bool = True) -> Evidence:
    """One payload as it may be shown: its first line is what an arrow is labelled with."""
    try:
        message = unseal(payload).message
    except ProtocolError as error:
        return Evidence(direction, at_s, "", (f"unreadable: {error}",), terminal, delivered)
    lines = (title(message), *describe(message))
    return Evidence(direction, at_s, seal(zeroed(message)).hex().upper(), lines, terminal, delivered)


def title(message: Message) -> str:
    """MTI, kind and, of a reply, the response code in words."""
    identity = identify(message)
    name = identity.kind.english if identity else "unknown kind"
    code = message.text(F.RESPONSE_CODE)
    return f"{message.mti} {name}" + (
        f" → {code} {response(code).english}" if code and not _is_request(identity) else ""
    )


def zeroed(message: Message) -> Message:
    """The same message, as long as it was and still readable, with zeros in place of what a person may not see."""
    identity = identify(message)
    fields = {number: _zeroed(value, mask_of(number, identity)) for number, value in message.fields.items()}
    return replace(message, fields=fields)


def _zeroed(value: Value, mask: Mask) -> Value:
    if isinstance(value, bytes):
        return value if mask is Mask.OPEN else bytes(len(value))
    return cover(value, mask, "0")


def _is_request(identity: Identity | None) -> bool:
    return identity is not None and identity.is_request
