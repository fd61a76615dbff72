"""The generated dissector: tshark reads with it what the codec wrote."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pos_lab import cli
from pos_lab.capture import Packet, write_capture
from pos_lab.dissector import lua_of, name_of
from protocol.codec import pack, seal
from protocol.dialect import CUP, Dialect
from protocol.dialects import DIALECTS, ISO87_ASCII, ISO87_BCD, PAYBY
from protocol.framing import Len2Framer
from protocol.message import Message
from tests.protocol.samples import DEBIT_PAN, PIN_BLOCK, SALE, SALE_REPLY, SAMPLES, SECRETS, TRACK2

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
ISO = Message(
    "0200",
    {
        2: DEBIT_PAN, 3: "000000", 4: "000000006000", 11: "000007", 22: "051", 28: "D00000050", 35: TRACK2,
        41: "62000001", 52: PIN_BLOCK, 60: "A", 70: "301", 128: b"\x01\x23\x45\x67\x89\xab\xcd\xef",
    },
)  # fmt: skip


def dissected(tmp_path: Path, dialect: Dialect, raws: list[bytes], *, unmask: bool = True) -> list[dict[str, Any]]:
    script, capture = tmp_path / "d.lua", tmp_path / "c.pcapng"
    script.write_text(lua_of(dialect, unmask=unmask), encoding="utf-8")
    with capture.open("wb") as file:
        write_capture(file, [Packet(raw, dissector=name_of(dialect)) for raw in raws])
    ran = subprocess.run(
        ["tshark", "-X", f"lua_script:{script}", "-r", str(capture), "-T", "json"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return [packet["_source"]["layers"] for packet in json.loads(ran.stdout)]


def value_of(value: Any) -> str:
    return value.hex().upper() if isinstance(value, bytes) else value


@needs_tshark
@pytest.mark.parametrize("name", DIALECTS)
def test_tshark_reads_every_field_as_the_codec_does(name: str, tmp_path: Path) -> None:
    """Wireshark and the report would tell two different stories of one message."""
    dialect = DIALECTS[name]
    is_iso = dialect in (ISO87_ASCII, ISO87_BCD)
    messages = [ISO] if is_iso else [SALE] if dialect is PAYBY else list(SAMPLES.values())
    messages = [each.without(48, 60) for each in messages] if dialect is PAYBY else messages
    raws = [pack(each, dialect) if is_iso else seal(each, dialect=dialect) for each in messages]
    prefix = name_of(dialect)
    for message, layers in zip(messages, dissected(tmp_path, dialect, raws), strict=True):
        found = layers[prefix]
        there = {
            int(key.removeprefix(f"{prefix}.f")): value
            for key, value in found.items()
            if key.startswith(f"{prefix}.f") and key.removeprefix(f"{prefix}.f").isdecimal()
        }
        due = {number: value_of(value) for number, value in message.fields.items()}
        assert there.keys() == due.keys()
        wire_track = {
            number: value.replace("=", "D") if number in (35, 36) else value for number, value in there.items()
        }
        assert {number: value.rstrip() for number, value in wire_track.items()} == {
            number: value.rstrip() for number, value in due.items()
        }
        assert found[f"{prefix}.mti"] == message.mti
        assert (f"{prefix}.tpdu" in found) == (not is_iso)


@needs_tshark
def test_tshark_shows_a_card_only_on_request(tmp_path: Path) -> None:
    """A screenshot of Wireshark would give a card away."""
    (layers,) = dissected(tmp_path, CUP, [seal(SALE)], unmask=False)
    shown = json.dumps(layers[name_of(CUP)])
    assert "620000******0004" in shown
    assert not [secret for secret in SECRETS if secret.lower() in shown.lower()]


@needs_tshark
def test_tshark_reads_a_frame_and_says_what_is_wrong(tmp_path: Path) -> None:
    """A malformed message would look like an empty one."""
    raw = seal(SALE_REPLY)
    framed, cut, long, undefined = dissected(
        tmp_path, CUP,
        [Len2Framer().wrap(raw), raw[:-12], raw + b"\0", raw[:13] + bytes([raw[13] | 0x80]) + raw[14:]],
    )  # fmt: skip
    name = name_of(CUP)
    assert framed[name][f"{name}.length"] == str(len(raw))
    assert "cut short" in json.dumps(cut)
    assert "1 bytes are left" in json.dumps(long)
    assert "no such field" in json.dumps(undefined)
    assert "_ws.expert" not in json.dumps(framed)


@pytest.mark.parametrize("name", DIALECTS)
def test_every_field_of_the_table_is_in_the_dissector(name: str) -> None:
    """A field would be missing in Wireshark."""
    text = lua_of(DIALECTS[name])
    for number, row in DIALECTS[name].fields.items():
        assert f'  [{number}] = {{name = "{row.name}"' in text
    assert "$" not in text


def test_the_command_writes_a_file_or_prints(tmp_path: Path) -> None:
    """Nobody could get at the dissector."""
    out = tmp_path / "poslab.lua"
    assert CliRunner().invoke(cli.app, ["dissector", str(out)]).exit_code == 0
    printed = CliRunner().invoke(cli.app, ["dissector", "--dialect", "iso87-bcd", "--unmask"])
    assert out.read_text(encoding="utf-8") == lua_of(CUP)
    assert printed.stdout == lua_of(ISO87_BCD, unmask=True)
