"""Captures: what we write Wireshark reads, and what Wireshark writes we read."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pos_lab import cli
from pos_lab.capture import CaptureError, Packet, Place, is_capture, read_streams, write_capture
from protocol.codec import seal
from protocol.framing import Len2Framer
from tests.protocol.samples import ECHO, SALE, leaks

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
FRAME, OTHER = Len2Framer().wrap(seal(SALE)), Len2Framer().wrap(seal(ECHO))
TERMINAL, HOST = Place("192.0.2.1", 40001), Place("192.0.2.2", 8583)
SIX = Place("2001:db8::1", 1), Place("2001:db8::2", 2)
PACKETS = [
    Packet(FRAME, 1_700_000_000_123_456, TERMINAL, HOST, "a sale", "poslab_cup"),
    Packet(OTHER, 1_700_000_001_000_000, *SIX, "", "poslab_cup"),
]


def written(packets: list[Packet]) -> bytes:
    file = io.BytesIO()
    write_capture(file, packets)
    return file.getvalue()


def tcp(source: Place, destination: Place, sequence: int, data: bytes, link: int = 1) -> bytes:
    """An Ethernet packet of one TCP segment, checksums zero."""
    head = struct.pack(">HHIIBBHHH", source.port, destination.port, sequence, 0, 5 << 4, 0x18, 8192, 0, 0)
    size = 20 + len(head) + len(data)
    addresses = b"".join(bytes(map(int, place.address.split("."))) for place in (source, destination))
    ip = struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0, 64, 6, 0) + addresses
    before = {1: bytes(12) + b"\x08\x00", 101: b"", 113: bytes(14) + b"\x08\x00"}[link]
    return before + ip + head + data + bytes(max(0, 46 - size))


def pcap(packets: list[bytes], link: int = 1, order: str = "<", nanoseconds: bool = False) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    raw = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for number, data in enumerate(packets):
        raw += struct.pack(order + "IIII", 1000 + number, 500_000 if nanoseconds else 500, len(data), len(data)) + data
    return raw


def test_what_is_written_is_read_again() -> None:
    """A recording could not be looked at a second time."""
    found = read_streams(written(PACKETS))
    assert [(each.data, each.at_us, each.source, each.destination) for each in found] == [
        (each.data, each.at_us, each.source, each.destination) for each in PACKETS
    ]
    assert is_capture(written([]))
    assert read_streams(written([])) == []


@pytest.mark.parametrize("link", [1, 101, 113])
@pytest.mark.parametrize(("order", "nanoseconds"), [("<", False), (">", False), ("<", True)])
def test_segments_become_one_stream_again(link: int, order: str, nanoseconds: bool) -> None:
    """A message that TCP cut in two would be called truncated."""
    parts = [(100, FRAME[:50]), (200, FRAME[100:]), (150, FRAME[50:100]), (150, FRAME[50:100])]
    packets = [tcp(TERMINAL, HOST, 0xFFFFFFF0 + at & 0xFFFFFFFF, data, link) for at, data in parts]
    packets.insert(2, tcp(HOST, TERMINAL, 7, OTHER, link))
    packets.append(tcp(TERMINAL, HOST, 1, b"", link))
    raw = pcap(packets, link, order, nanoseconds)
    assert is_capture(raw)
    first, second = read_streams(raw)
    assert (first.data, first.source, first.at_us) == (FRAME, TERMINAL, 1_000_000_500)
    assert (second.data, second.source) == (OTHER, HOST)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x0a\x0d\x0d\x0a", written(PACKETS)[:-5], b"\x0a\x0d\x0d\x0a" + bytes(40), pcap([bytes(60)], link=147)],
)
def test_a_damaged_capture_is_refused(raw: bytes) -> None:
    """A file that ends early would be read as if all were there."""
    with pytest.raises(CaptureError):
        read_streams(raw)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=6))
def test_a_hostile_capture_never_does_harm(at: int, patch: bytes) -> None:
    """A file from a stranger would crash the doctor."""
    for raw in (written(PACKETS), pcap([tcp(TERMINAL, HOST, 1, FRAME)])):
        damaged = raw[:at] + patch + raw[at + len(patch) :]
        try:
            read_streams(damaged)
        except CaptureError:
            continue


def test_what_is_not_tcp_is_passed_over() -> None:
    """A name lookup in a capture would be examined as a message."""
    assert read_streams(pcap([bytes(60), tcp(TERMINAL, HOST, 1, FRAME)]))[0].data == FRAME


def doctor(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, ["doctor", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def test_the_doctor_reads_and_writes_captures(tmp_path: Path) -> None:
    """A customer's capture could not be examined."""
    file, again = tmp_path / "in.pcap", tmp_path / "out.pcapng"
    file.write_bytes(pcap([tcp(TERMINAL, HOST, 1, FRAME + OTHER), tcp(HOST, TERMINAL, 1, FRAME[2:])]))
    status, out = doctor("--json", str(file))
    first, second = map(json.loads, out.splitlines())
    assert status == 0
    assert first["input"].endswith("192.0.2.1:40001 > 192.0.2.2:8583")
    assert (len(first["messages"]), len(second["messages"])) == (2, 1)
    assert second["messages"][0]["findings"][0]["code"] == "missing_length"
    assert not leaks(out)
    assert doctor("--unmask", "--pcap", str(again), str(file))[0] == 0
    assert [each.data for each in read_streams(again.read_bytes())] == [FRAME[2:], OTHER[2:], FRAME[2:]]
    status, out = doctor("--json", str(again))
    assert status == 0
    assert len(out.splitlines()) == 3


@needs_tshark
def test_tshark_reads_our_capture(tmp_path: Path) -> None:
    """Wireshark would refuse the evidence of a dispute."""
    file = tmp_path / "x.pcapng"
    file.write_bytes(written(PACKETS))
    wanted = ("frame.protocols", "frame.comment", "frame.time_epoch", "exported_pdu.prot_name", "exported_pdu.src_port")
    ran = subprocess.run(
        ["tshark", "-r", str(file), "-T", "fields", *(word for name in wanted for word in ("-e", name))],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    first, second = ran.stdout.splitlines()
    assert first.split("\t")[1:] == ["a sale", "1700000000.123456000", "poslab_cup", "40001"]
    assert second.split("\t")[2:] == ["1700000001.000000000", "poslab_cup", "1"]


def test_ipv6_and_vlans_are_read() -> None:
    """A modern network's capture would look empty."""
    segment = tcp(TERMINAL, HOST, 1, FRAME)[14 + 20 :]
    vlan = bytes(12) + b"\x81\x00\x00\x05\x08\x00" + tcp(TERMINAL, HOST, 1, FRAME)[14:]
    addresses = bytes.fromhex("20010db800000000000000000000000120010db8000000000000000000000002")
    six = bytes(12) + b"\x86\xdd" + b"\x60\x00\x00\x00" + struct.pack(">HBB", len(segment), 6, 64) + addresses + segment
    other = bytes(12) + b"\x08\x06" + b"\x20" + bytes(45)
    first, second = read_streams(pcap([vlan, six, other]))
    assert (first.data, second.data) == (FRAME, FRAME)
    assert second.source == Place("2001:db8::1", TERMINAL.port)


def test_simple_packets_of_both_byte_orders_are_read() -> None:
    """A capture of another machine could not be read."""
    data = tcp(TERMINAL, HOST, 1, FRAME)
    padded = data + bytes(-len(data) % 4)
    for order in "<>":

        def block(kind: int, body: bytes, order: str = order) -> bytes:
            size = len(body) + 12
            return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)

        section = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
        interface = block(1, struct.pack(order + "HHI", 1, 0, 0))
        (found,) = read_streams(section + interface + block(3, struct.pack(order + "I", len(data)) + padded))
        assert found.data == FRAME
        lost = block(6, struct.pack(order + "IIIII", 9, 0, 0, len(data), len(data)) + padded)
        with pytest.raises(CaptureError):
            read_streams(section + interface + lost)
