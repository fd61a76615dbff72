"""Hex in every shape that people paste it in."""

from __future__ import annotations

import pytest

from pos_lab.doctor.dump import chunks
from protocol.codec import seal
from protocol.framing import Len2Framer
from tests.protocol.samples import ECHO, SALE, SIGN_IN

RAW = Len2Framer().wrap(seal(SALE))
OTHER = Len2Framer().wrap(seal(ECHO))
THIRD = Len2Framer().wrap(seal(SIGN_IN))


def _ascii(row: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)


def _rows(raw: bytes) -> list[tuple[int, bytes]]:
    return [(at, raw[at : at + 16]) for at in range(0, len(raw), 16)]


def hexdump_c(raw: bytes) -> str:
    lines = [f"{at:08x}  {row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}  |{_ascii(row)}|" for at, row in _rows(raw)]
    return "\n".join([*lines, f"{len(raw):08x}"])


def xxd(raw: bytes) -> str:
    return "\n".join(f"{at:08x}: {row.hex(' ', -2):<39}  {_ascii(row)}" for at, row in _rows(raw))


def wireshark(raw: bytes) -> str:
    return "\n".join(
        f"{at:04x}   {row[:8].hex(' '):<23} {row[8:].hex(' '):<23}   {_ascii(row)}" for at, row in _rows(raw)
    )


def offset_only(raw: bytes) -> str:
    return "\n".join(f"{at:04X}: {row.hex(' ').upper()}" for at, row in _rows(raw))


SHAPES = {
    "one run": RAW.hex(),
    "spaces": RAW.hex(" "),
    "upper case": RAW.hex(" ").upper(),
    "colons": RAW.hex(":"),
    "commas and 0x": ", ".join(f"0x{byte:02X}" for byte in RAW),
    "a C array": "{" + ",\n".join(f"0x{byte:02x}" for byte in RAW) + "};",
    "a C array in one line": "unsigned char b[] = {" + ", ".join(f"0x{byte:02X}" for byte in RAW) + "};",
    "a literal of Python": f"sent = {RAW!r}  # 217 bytes",
    "backslashes": "".join(f"\\x{byte:02x}" for byte in RAW),
    "wrapped lines": "\n".join(row.hex(" ") for _, row in _rows(RAW)),
    "hexdump -C": hexdump_c(RAW),
    "xxd": xxd(RAW),
    "Wireshark": wireshark(RAW),
    "offsets": offset_only(RAW),
    "a log line": f"2026-01-02 10:11:12.123 DEBUG [pool-1] send 217 bytes: {RAW.hex(' ').upper()} done",
    "a log line, one run": f"20260102 101112 发送报文:[{RAW.hex()}]",
    "behind a time": f"10:11:12 {RAW.hex()}",
    "behind a time in brackets": f"[2026-01-02T10:11:12,123] {RAW.hex(' ')}",
    "behind digits of a time": f"20260102 101112 {RAW.hex(' ')}",
    "hex of hex": RAW.hex().encode().hex(),
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_every_shape_gives_the_same_bytes(text: str) -> None:
    """The engineer would have to edit a log by hand before asking."""
    assert [chunk.data for chunk in chunks(text)] == [RAW]


@pytest.mark.parametrize(
    "text",
    [
        f"{RAW.hex()}\n{OTHER.hex()}\n{THIRD.hex()}",
        f"10:00 send {RAW.hex(' ')}\n10:01 recv {OTHER.hex(' ')}\nnothing\n10:02 send {THIRD.hex()}",
        f"{xxd(RAW)}\n{xxd(OTHER)}\n{xxd(THIRD)}",
        f"first\n{hexdump_c(RAW)}\nsecond\n{hexdump_c(OTHER)}\n\n{wireshark(THIRD)}",
    ],
    ids=["lines", "log", "xxd", "mixed"],
)
def test_several_messages_stay_apart(text: str) -> None:
    """Two messages would be read as one."""
    assert [chunk.data for chunk in chunks(text)] == [RAW, OTHER, THIRD]


@pytest.mark.parametrize("text", ["", "no hex at all", "2026-01-02 10:11:12 INFO started", "---"])
def test_text_without_hex_gives_nothing(text: str) -> None:
    """A date would be examined as a message."""
    assert list(chunks(text)) == []


def test_an_odd_digit_is_told() -> None:
    """A digit lost in copying would be blamed on the peer."""
    (chunk,) = chunks(RAW.hex() + "0")
    assert chunk.data == RAW
    assert [each.code for each in chunk.findings] == ["odd_hex"]
    (chunk,) = chunks(RAW.hex().encode().hex())
    assert [each.code for each in chunk.findings] == ["hex_twice"]
