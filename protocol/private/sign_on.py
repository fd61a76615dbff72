"""What a sign-on tells: which device signs on, in field 62 (CUP 3.7); of which batches both ends speak, in field 59.

Rules owned here: neither message has a MAC, so the reply to a terminal that knows our extensions says which batch the
host has heard, and once more which one is open. A bit that fell over on the way, in either message, shows in that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from protocol.private.tags import pack_tags

_SEQUENCE: Final = b"Sequence No"
_LICENCE: Final = "0000"


@dataclass(frozen=True, slots=True)
class Batches:
    """Field 59 of a sign-on's reply, an extension of ours: six digits each.

    ``heard`` is the batch that the request named, ``open`` the one that is open at the host.
    """

    TAG: ClassVar[bytes] = b"BT"
    heard: str
    open: str

    def __bytes__(self) -> bytes:
        return pack_tags([(self.TAG.decode("ascii"), (self.heard + self.open).encode("ascii"))])


def pack_sequence_number(serial_number: str) -> bytes:
    """Field 62 of a sign-on request: a licence of four characters and the serial number (CUP 3.7)."""
    value = (_LICENCE + serial_number).encode("ascii")
    return _SEQUENCE + f"{len(value):02d}".encode() + value


def unpack_sequence_number(raw: bytes) -> str:
    """The serial number in field 62 of a sign-on request; empty where the field tells none."""
    head = re.fullmatch(rb"Sequence No([0-9]{2})([ -~]+)", raw)
    return head[2][4:].decode() if head and len(head[2]) == int(head[1]) else ""
