"""TABLE CONTENTS: what terminals download, until something newer is published, and how it is written into replies.

Rules owned here: a set is data, a mapping of codes to values or a list; versions count from FIRST_VERSION, which is
what is embedded here; a terminal's ``due`` holds the nibbles of CUP 1.9 that it has not answered, so that no reply
needs to ask which versions there are. Keys and rates are invented.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from host.decision import Update
from host.records import Published, Terminal
from protocol.crypto.lab_ca import CA_KEYS, RID, CaKey
from protocol.downloads import ALL, DOWNLOADS, LISTED_MAX, MORE, NOTHING, PAGES_END, Download, Form
from protocol.emv import capk_check_value
from protocol.errors import DecodeError, EncodeError
from protocol.header import SIGN_ON_AGAIN, UPLOAD_CONFIGURATION, UPLOAD_STATUS
from protocol.private import CONTACTLESS, TEXT_CHARSET, BinPage, pack_contactless, pack_parameters, pack_rates
from protocol.tlv import Node, decode, encode, value_of

Content = Mapping[str, str] | list[str]
FIRST_VERSION: Final = 1
PAGE_BINS: Final = 70
"""BINs of one reply."""
LISTED_AT_ONCE: Final = 20
"""Names in one reply to a query."""
PAYLOAD_BYTES_MAX: Final = 999
BINS_MAX: Final = PAGES_END
MERCHANT_NAME: Final = "22"
MERCHANT_NAME_BYTES: Final = 40
ASKED_BESIDES: Final[Mapping[str, str]] = MappingProxyType(
    {"status": UPLOAD_STATUS, "sign_in": SIGN_ON_AGAIN, "configuration": UPLOAD_CONFIGURATION}
)
"""What else a header may ask for, by the flow that does it."""


def _ca_key(row: CaKey) -> str:
    """A CA public key as objects in hex."""
    key = row.private.public
    objects = {
        0x9F06: RID,
        0x9F22: bytes((row.index,)),
        0xDF05: row.expiry.encode("ascii"),
        0xDF06: b"\x01",
        0xDF07: b"\x01",
        0xDF02: key.modulus,
        0xDF04: key.exponent_bytes,
        0xDF03: capk_check_value(RID, row.index, key.modulus, key.exponent_bytes),
    }
    return encode(Node(tag, value) for tag, value in objects.items()).hex().upper()


def _application(suffix: str) -> str:
    """What a terminal knows of an application of UnionPay, as objects in hex (CUP 3.7)."""
    objects = {
        0x9F06: RID.hex() + suffix, 0xDF01: "00", 0x9F08: "0030", 0xDF11: "D84000A800", 0xDF12: "D84004F800",
        0xDF13: "0010000000", 0x9F1B: "00000000", 0xDF15: "00000000", 0xDF16: "99", 0xDF17: "99", 0xDF14: "9F3704",
        0xDF18: "01", 0x9F7B: "000000100000", 0xDF19: "000000100000", 0xDF20: "000000100000", 0xDF21: "000000030000",
    }  # fmt: skip
    return encode(Node(tag, bytes.fromhex(value)) for tag, value in objects.items()).hex().upper()


CONTENTS: Final[Mapping[str, Content]] = MappingProxyType(
    {
        "parameters": {"11": "60", "13": "3", "20": "0", "21": "0", "23": "2", "24": "1"},
        "ca_keys": [_ca_key(row) for row in CA_KEYS.values() if row.published],
        "applications": [_application(suffix) for suffix in ("010101", "010102", "010103", "010106")],
        "tms_parameters": {"25": "0"},
        "bin_blacklist": [],
        "rates": {"344": "79200000", "840": "67200000"},
        "contactless": {tag: row.default for tag, row in CONTACTLESS.items()},
        "no_pin_bins": ["620000"],
        "no_pin_blacklist": [],
    }
)
"""Download -> version FIRST_VERSION of it."""

_PACK: Final[Mapping[str, Callable[[Mapping[str, str]], bytes]]] = MappingProxyType(
    {
        "parameters": pack_parameters,
        "tms_parameters": pack_parameters,
        "rates": pack_rates,
        "contactless": pack_contactless,
    }
)


def content_of(row: Download, published: Published | None) -> Content:
    """What a published version holds, or the embedded one."""
    found: Content = json.loads(published.content) if published else CONTENTS[row.name]
    return found


def read_content(row: Download, raw: bytes) -> Content:
    """A set as somebody wrote it, JSON, whole and fit for the wire. Raises ValueError that says what is wrong."""
    content = json.loads(raw)  # a JSONDecodeError is a ValueError
    values = list(content.values()) if isinstance(content, dict) else content
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("it is neither a mapping of texts nor a list of them")
    if isinstance(content, dict) is not (row.form is Form.WHOLE):
        raise ValueError(f"{row.name} is {'a mapping' if row.form is Form.WHOLE else 'a list'}")
    try:
        _check(row, content)
    except (DecodeError, EncodeError) as error:
        raise ValueError(error.message) from None
    found: Content = content
    return found


def _check(row: Download, content: Content) -> None:
    if isinstance(content, Mapping):
        if len(whole(row, content)) > PAYLOAD_BYTES_MAX:
            raise ValueError(f"it takes more than the {PAYLOAD_BYTES_MAX} bytes of a field 62")
        return
    if len(set(content)) != len(content):
        raise ValueError("something comes twice")
    if row.form is Form.PAGED:
        if len(content) > BINS_MAX or not all(re.fullmatch(r"[0-9]{2,10}", each) for each in content):
            raise ValueError(f"it is no list of at most {BINS_MAX} BINs of 2 to 10 digits")
        return
    objects = [decode(bytes.fromhex(each)) for each in content]
    if len({row.key_of(each) for each in objects}) != len(objects) or len(objects) > LISTED_MAX:
        raise ValueError(f"a name comes twice, or there are more than {LISTED_MAX}")
    if max(map(len, content), default=0) // 2 >= PAYLOAD_BYTES_MAX or not all(map(row.is_sound, objects)):
        raise ValueError("an object is too long, or its check value is wrong")
    for each in objects:
        for tag in row.listed:
            value_of(each, tag)


def whole(row: Download, values: Mapping[str, str], merchant_name: str = "") -> bytes:
    """A set that comes in one reply; a merchant's name completes the parameters that give none. Raises EncodeError."""
    if row.name == "parameters" and merchant_name and MERCHANT_NAME not in values:
        name = merchant_name
        while len(name.encode(TEXT_CHARSET)) > MERCHANT_NAME_BYTES:
            name = name[:-1]
        values = {**values, MERCHANT_NAME: name}
    return _PACK[row.name](values) or NOTHING.encode()


def page(bins: list[str], start: int) -> bytes:
    """The BINs from number ``start`` on."""
    found = bins[start : start + PAGE_BINS]
    if not found:
        return NOTHING.encode()
    stop = start + len(found)
    return bytes(BinPage(MORE if stop < len(bins) else ALL, f"{stop - 1:03d}", tuple(found)))


def listing(row: Download, objects: list[str], received: int) -> bytes:
    """The names of a query's reply, from the one after those ``received``."""
    found = objects[received : received + LISTED_AT_ONCE]
    if not found:
        return NOTHING.encode()
    more = received + len(found) < len(objects)
    told = [Node(tag, value_of(decode(bytes.fromhex(each)), tag)) for each in found for tag in row.listed]
    return (MORE if more else ALL).encode() + encode(told)


def listed(row: Download, objects: list[str], name: bytes) -> bytes:
    """The object of a name; raises DecodeError where that is none."""
    key = row.key_of(decode(name))
    found = (bytes.fromhex(each) for each in objects)
    return next((ALL.encode() + each for each in found if row.key_of(decode(each)) == key), NOTHING.encode())


def due_with(due: str, nibbles: str) -> str:
    """What a terminal is asked for, with more."""
    return "".join(sorted({*due, *nibbles}))


def answered(terminal: Terminal, nibbles: str) -> tuple[Update, ...]:
    """What is written where a terminal did what it was asked for."""
    due = "".join(nibble for nibble in terminal.due if nibble not in nibbles)
    if due == terminal.due:
        return ()
    return (Update("terminals", {"serial_number": terminal.serial_number}, {"due": due}),)


def overdue(due: str) -> list[Download]:
    """The downloads that a terminal is asked for."""
    return [row for row in DOWNLOADS.values() if row.requirement in due]
