"""Captures for Wireshark: a pcapng writer whose packets name our dissector, and a reader of pcapng and pcap.

Rules owned here: the blocks and tags of a "Wireshark upper PDU" (link type 252), which carries addresses and a comment
without faked IP and TCP; which link types are read; how the segments of a TCP direction become one stream again. Sizes
that a file claims are never believed beyond the bytes that are there.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from protocol.errors import ProtocolError

UPPER_PDU: Final = 252
PACKET_BYTES_MAX: Final = 262_144

_BLOCK_SECTION, _BLOCK_INTERFACE, _BLOCK_SIMPLE, _BLOCK_ENHANCED = 0x0A0D0D0A, 1, 3, 6
_BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
_OPTION_END, _OPTION_COMMENT = 0, 1
_TAG_END, _TAG_DISSECTOR, _TAG_PORT_TYPE, _TAG_SOURCE_PORT, _TAG_DESTINATION_PORT = 0, 12, 24, 25, 26
_TAG_SOURCE: Final = {4: 20, 6: 22}
_TAG_DESTINATION: Final = {4: 21, 6: 23}
_PORT_TYPE_TCP: Final = 2
_PCAP_MAGIC: Final = {
    b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\x3c\x4d": ">",
}  # fmt: skip
_PCAPNG_MAGIC: Final = b"\x0a\x0d\x0d\x0a"


class CaptureError(ProtocolError):
    """A file that is no capture, or one of a link type that is not read."""

    code = "capture"


@dataclass(frozen=True, slots=True)
class Place:
    """One end of a connection: an IP address and a port."""

    address: str = "127.0.0.1"
    port: int = 0


@dataclass(frozen=True, slots=True)
class Packet:
    """What went from one place to another at a time in microseconds since 1970; ``dissector`` is who reads it."""

    data: bytes = field(repr=False)
    at_us: int = 0
    source: Place = Place()
    destination: Place = Place()
    comment: str = ""
    dissector: str = "data"


def write_capture(file: BinaryIO, packets: Iterable[Packet]) -> None:
    """A pcapng file whose packets Wireshark hands to the dissectors that they name."""
    file.write(_block(_BLOCK_SECTION, struct.pack("<IHHq", _BYTE_ORDER_MAGIC, 1, 0, -1)))
    file.write(_block(_BLOCK_INTERFACE, struct.pack("<HHI", UPPER_PDU, 0, PACKET_BYTES_MAX)))
    for packet in packets:
        data = _tags(packet) + packet.data
        head = struct.pack("<IIIII", 0, packet.at_us >> 32, packet.at_us & 0xFFFFFFFF, len(data), len(data))
        comment = packet.comment.encode()[:0xFFFF]
        options = _option(_OPTION_COMMENT, comment) + _option(_OPTION_END, b"") if comment else b""
        file.write(_block(_BLOCK_ENHANCED, head + _padded(data) + options))


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _block(kind: int, body: bytes) -> bytes:
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _tags(packet: Packet) -> bytes:
    def tag(code: int, value: bytes) -> bytes:
        padded = _padded(value)
        return struct.pack(">HH", code, len(padded)) + padded

    source, destination = (ipaddress.ip_address(place.address) for place in (packet.source, packet.destination))
    return b"".join(
        (
            tag(_TAG_DISSECTOR, packet.dissector.encode()),
            tag(_TAG_SOURCE[source.version], source.packed),
            tag(_TAG_DESTINATION[destination.version], destination.packed),
            tag(_TAG_PORT_TYPE, struct.pack(">I", _PORT_TYPE_TCP)),
            tag(_TAG_SOURCE_PORT, struct.pack(">I", packet.source.port)),
            tag(_TAG_DESTINATION_PORT, struct.pack(">I", packet.destination.port)),
            tag(_TAG_END, b""),
        )
    )


def is_capture(head: bytes) -> bool:
    """Do these first bytes begin a pcapng or pcap file?"""
    return head[:4] == _PCAPNG_MAGIC or head[:4] in _PCAP_MAGIC


def read_streams(raw: bytes) -> list[Packet]:
    """What went in each direction of each connection, one packet a direction, the earliest first.

    Messages in upper PDUs keep to themselves. Raises CaptureError.
    """
    streams: dict[tuple[Place, Place], _Stream] = {}
    alone: list[Packet] = []
    for link_type, at_us, data in _packets(raw):
        if link_type == UPPER_PDU:
            alone.append(_upper_pdu(data, at_us))
            continue
        segment = _tcp_segment(link_type, data)
        if segment is not None and segment.data:
            key = segment.source, segment.destination
            streams.setdefault(key, _Stream(at_us)).segments.append((segment.sequence, segment.data))
    joined = [Packet(stream.joined(), stream.at_us, *key) for key, stream in streams.items()]
    return sorted((*alone, *joined), key=lambda packet: packet.at_us)


@dataclass(frozen=True, slots=True)
class _Segment:
    source: Place
    destination: Place
    sequence: int
    data: bytes


@dataclass(slots=True)
class _Stream:
    at_us: int
    segments: list[tuple[int, bytes]] = field(default_factory=list)

    def joined(self) -> bytes:
        """Bytes in the order of their sequence numbers, repeats once; a gap is passed over."""
        first = self.segments[0][0]
        placed = sorted((((sequence - first + 2**31) % 2**32) - 2**31, data) for sequence, data in self.segments)
        whole, due = [], placed[0][0]
        for at, data in placed:
            fresh = data[max(0, due - at) :]
            if fresh:
                whole.append(fresh)
                due = max(due, at + len(data))
        return b"".join(whole)


def _packets(raw: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Link type, time in microseconds and bytes of every packet."""
    try:
        yield from _pcapng_packets(raw) if raw[:4] == _PCAPNG_MAGIC else _pcap_packets(raw)
    except struct.error as error:
        raise CaptureError("the capture is cut short or damaged", code="capture") from error


def _pcap_packets(raw: bytes) -> Iterator[tuple[int, int, bytes]]:
    order = _PCAP_MAGIC.get(raw[:4])
    if order is None:
        raise CaptureError("neither a pcapng nor a pcap file")
    divisor = 1000 if raw[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1
    (link_type,) = struct.unpack_from(order + "I", raw, 20)
    at = 24
    while at < len(raw):
        seconds, fraction, size, _ = struct.unpack_from(order + "IIII", raw, at)
        at += 16
        yield link_type & 0xFFFF, seconds * 1_000_000 + fraction // divisor, raw[at : at + size]
        at += size


def _pcapng_packets(raw: bytes) -> Iterator[tuple[int, int, bytes]]:
    order, links, at = "<", list[int](), 0
    while at < len(raw):
        if raw[at : at + 4] == _PCAPNG_MAGIC:
            order, links = "<" if raw[at + 8 : at + 12] == struct.pack("<I", _BYTE_ORDER_MAGIC) else ">", []
        kind, size = struct.unpack_from(order + "II", raw, at)
        if size < 12 or size % 4 or at + size > len(raw):
            raise CaptureError(f"a block at byte {at} states {size} bytes")
        body = raw[at + 8 : at + size - 4]
        if kind == _BLOCK_INTERFACE:
            links.append(struct.unpack_from(order + "H", body)[0])
        elif kind == _BLOCK_ENHANCED:
            interface, high, low, kept, _ = struct.unpack_from(order + "IIIII", body)
            if interface >= len(links):
                raise CaptureError(f"a packet at byte {at} is of an interface that nothing describes")
            yield links[interface], high << 32 | low, body[20 : 20 + kept]
        elif kind == _BLOCK_SIMPLE and links:
            (size_then,) = struct.unpack_from(order + "I", body)
            yield links[0], 0, body[4 : 4 + size_then]
        at += size


def _upper_pdu(data: bytes, at_us: int) -> Packet:
    places: dict[int, bytes] = {}
    at = 0
    while True:
        if at + 4 > len(data):
            raise CaptureError("the tags of an upper PDU do not end")
        code, size = struct.unpack_from(">HH", data, at)
        value = data[at + 4 : at + 4 + size]
        at += 4 + size
        if code == _TAG_END:
            break
        places[code] = value

    def place(addresses: dict[int, int], port: int) -> Place:
        address = next((places[code] for code in addresses.values() if len(places.get(code, b"")) in (4, 16)), None)
        shown = str(ipaddress.ip_address(address)) if address else "0.0.0.0"  # noqa: S104  an address to show
        return Place(shown, int.from_bytes(places.get(port, b""), "big"))

    source, destination = place(_TAG_SOURCE, _TAG_SOURCE_PORT), place(_TAG_DESTINATION, _TAG_DESTINATION_PORT)
    return Packet(data[at:], at_us, source, destination)


_LINK_HEADS: Final = {0: 4, 1: 14, 12: 0, 14: 0, 101: 0, 108: 4, 113: 16, 228: 0, 229: 0, 276: 20}
"""Link type to the bytes before IP: loopback, Ethernet, raw IP, Linux cooked 1 and 2."""

_ETHERNET: Final = 1
_VLAN: Final = b"\x81\x00"
_TCP: Final = 6


def _tcp_segment(link_type: int, data: bytes) -> _Segment | None:
    """None for what is not TCP over IP."""
    if link_type not in _LINK_HEADS:
        raise CaptureError(f"link type {link_type} is not read", hint="Ethernet, Linux cooked, raw IP or upper PDU")
    at = _LINK_HEADS[link_type]
    if link_type == _ETHERNET and data[12:14] == _VLAN:
        at += 4
    ip = data[at:]
    if len(ip) < 20:
        return None
    if ip[0] >> 4 == 4:
        head, protocol, end = (ip[0] & 15) * 4, ip[9], int.from_bytes(ip[2:4], "big") or len(ip)
        addresses = ip[12:16], ip[16:20]
    elif ip[0] >> 4 == 6 and len(ip) >= 40:
        head, protocol, end = 40, ip[6], 40 + int.from_bytes(ip[4:6], "big")
        addresses = ip[8:24], ip[24:40]
    else:
        return None
    tcp = ip[head:end]
    if protocol != _TCP or len(tcp) < 20:
        return None
    source_port, destination_port, sequence = struct.unpack_from(">HHI", tcp)
    source, destination = (str(ipaddress.ip_address(address)) for address in addresses)
    payload = tcp[(tcp[12] >> 4) * 4 :]
    return _Segment(Place(source, source_port), Place(destination, destination_port), sequence, payload)
