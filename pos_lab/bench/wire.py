"""What a message costs: codec against pyiso8583 where that is installed, and the cryptography of a sale."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final

from pos_lab.bench.paired import Row, time_us
from protocol.codec import pack, seal, unpack, unseal
from protocol.crypto.key import MacKey, PinKey
from protocol.crypto.mac import cup_ecb_mac
from protocol.crypto.pinblock import encrypt_pin_block
from protocol.dialect import CUP
from protocol.message import Message
from protocol.plan import PATIENCE

SALE: Final = bytes.fromhex(
    "02007020048020C09811166200010000000005000000000000012345000123021000366200010000000005D49121200000012345673132333435"
    "363738383938313130303132333435363738313536A1B2C3D4E5F60718260000000000000000122200000100303132333435363738"
)
"""A sale of 14 fields with an invented card."""

_MAK: Final = MacKey(range(16))
_PIK: Final = PinKey(range(16))
_ENVELOPE: Final = bytes.fromhex("6000030000603200000000")


def codec() -> list[Row]:
    """Decode and encode the sale, every nibble and length checked.

    ``decode_values`` also turns every field into its value, which ``decode`` leaves until it is asked for;
    ``encode_new`` also makes the message; ``construct`` is the reference that the fast forms are derived from. With
    TPDU and header (``unseal``, ``seal``) the peer is the bare plan.
    """
    payload = _ENVELOPE + SALE
    sealed = unseal(payload).message
    message, values = unpack(SALE), dict(sealed.fields)
    for _ in range(PATIENCE + 1):
        pack(unpack(SALE))
    decode: dict[str, Callable[[], object]] = {"construct": lambda: CUP.body.parse(SALE)}
    encode: dict[str, Callable[[], object]] = {"construct": lambda: CUP.body.build("0200", values)}
    for name, (peer_decode, peer_encode) in _pyiso8583().items():
        decode[name], encode[name] = peer_decode, peer_encode
    return [
        time_us("codec.decode", lambda: unpack(SALE), **decode),
        time_us("codec.decode_values", lambda: unpack(SALE).fields, **decode),
        time_us("codec.encode", lambda: pack(message), **encode),
        time_us("codec.encode_new", lambda: pack(Message("0200", values)), **encode),
        time_us("codec.unseal", lambda: unseal(payload), plan=lambda: CUP.plan.read(SALE)),
        time_us("codec.seal", lambda: seal(sealed), plan=lambda: CUP.plan.write(sealed)),
    ]


def crypto() -> list[Row]:
    """The MAC over a body of 111 bytes, and a PIN block."""
    body = bytes(111)
    return [
        time_us("crypto.mac", lambda: cup_ecb_mac(_MAK, body)),
        time_us("crypto.pin_block", lambda: encrypt_pin_block(_PIK, "123456", "6200010000000005")),
    ]


def _pyiso8583() -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    if find_spec("iso8583") is None:
        return {}
    import iso8583

    spec = _pyiso8583_spec()
    decoded, _ = iso8583.decode(SALE, spec)
    return {"pyiso8583": (lambda: iso8583.decode(SALE, spec), lambda: iso8583.encode(decoded, spec))}


def _pyiso8583_spec() -> dict[str, Any]:
    packed = {"data_enc": "b", "len_enc": "bcd", "len_type": 0, "max_len": 0, "desc": ""}
    text = {**packed, "data_enc": "ascii"}
    fixed = {"3": 3, "4": 6, "11": 3, "22": 2, "25": 1, "52": 8, "53": 8}
    spec: dict[str, Any] = {
        "h": {**packed},
        "t": {**packed, "max_len": 2},
        "p": {**packed, "max_len": 8},
        "1": {**packed, "max_len": 8},
        "2": {**packed, "len_type": 1, "max_len": 19, "len_count": "nibbles"},
        "35": {**packed, "len_type": 1, "max_len": 37, "len_count": "nibbles"},
        "60": {**packed, "len_type": 2, "max_len": 17, "len_count": "nibbles"},
        "64": {**packed, "max_len": 8},
    }
    spec |= {number: {**packed, "max_len": size} for number, size in fixed.items()}
    spec |= {number: {**text, "max_len": size} for number, size in {"41": 8, "42": 15, "49": 3}.items()}
    return spec
