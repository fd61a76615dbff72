"""``poslab decode`` and ``poslab encode``, and what the program does with every error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from host.errors import AdminError, StoreError
from pos_lab import cli
from pos_lab.commands import decode, encode
from pos_lab.commands.output import Lang, locale_language
from pos_lab.scenario.errors import ScenarioError, ScenarioErrors
from protocol.codec import pack, seal
from protocol.errors import DecodeError, EndpointInUse, TransportError
from protocol.framing import FRAMINGS, Len2Framer, StxFramer
from tests.protocol.samples import DEBIT_PAN, ECHO, SALE, SAMPLES, SIGN_IN, leaks

ECHO_PAYLOAD, SALE_PAYLOAD = seal(ECHO), seal(SALE)
ECHO_FRAME = Len2Framer().wrap(ECHO_PAYLOAD)
ECHO_STX = StxFramer().wrap(ECHO_PAYLOAD)


def poslab(*words: str, given: str = "") -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.app, words, input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def documents(*words: str, given: str = "") -> tuple[int, list[Any]]:
    status, out, err = poslab(words[0], "--json", *words[1:], given=given)
    assert err == ""
    return status, [json.loads(line) for line in out.splitlines()]


AUTO = [
    ("a frame", ECHO_FRAME, {"kind": "len2", "length": 52}, True),
    ("a serial frame", ECHO_STX, {"kind": "stx", "length": 52}, True),
    ("a frame with ASCII digits", FRAMINGS["ascii4"]().wrap(ECHO_PAYLOAD), {"kind": "ascii4", "length": 52}, True),
    ("a frame with BCD digits", FRAMINGS["bcd2"]().wrap(ECHO_PAYLOAD), {"kind": "bcd2", "length": 52}, True),
    ("a payload", ECHO_PAYLOAD, None, True),
    ("a body", pack(ECHO), None, False),
    ("a body that begins like STX", pack(SALE), None, False),
    ("a frame around a body", Len2Framer().wrap(pack(ECHO)), {"kind": "len2", "length": 41}, False),
]


@pytest.mark.parametrize(("name", "raw", "frame", "has_header"), AUTO, ids=[row[0] for row in AUTO])
def test_auto_tells_what_stands_around_a_message(name: str, raw: bytes, frame: Any, has_header: bool) -> None:
    """The engineer would have to know what a capture holds before the tool tells them."""
    status, (found,) = documents("decode", raw.hex())
    assert status == 0
    assert (found["ok"], found["frame"], found["header"] is not None) == (True, frame, has_header)


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("wrap", [lambda p: p, Len2Framer().wrap, StxFramer().wrap], ids=["bare", "len2", "stx"])
def test_there_and_back(sample: str, wrap: Any) -> None:
    """A recorded message could not be edited and sent again."""
    raw = wrap(seal(SAMPLES[sample]))
    status, out, _ = poslab("decode", "--json", "--unmask", raw.hex())
    assert status == 0
    assert poslab("encode", "-", given=out) == (0, raw.hex().upper() + "\n", "")
    assert documents("encode", "-", given=out) == (0, [{"ok": True, "hex": raw.hex().upper()}])


@pytest.mark.parametrize("framing", sorted(FRAMINGS))
def test_every_framing_is_read_when_named(framing: str) -> None:
    """A capture of a line whose framing is known could not be read."""
    framer = FRAMINGS[framing]()
    raw = framer.wrap(ECHO_PAYLOAD) + framer.wrap(SALE_PAYLOAD)
    status, found = documents("decode", "--frame", framing, raw.hex())
    assert status == 0
    assert [row["frame"]["kind"] for row in found] == [framing, framing]
    status, found = documents("decode", "--frame", framing, raw[:-1].hex())
    assert (status, found[0]["ok"], found[-1]["error"]["code"]) == (2, True, "frame")


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("options", [[], ["--json"], ["--lang", "zh"]], ids=str)
def test_nothing_secret_is_printed(sample: str, options: list[str]) -> None:
    """A screenshot in a ticket would give a card away."""
    payload = seal(SAMPLES[sample])
    for raw in (payload, payload[:-3], payload + b"\x00", payload[11:40]):
        _, out, err = poslab("decode", *options, raw.hex())
        assert out + err
        assert not leaks(out + err)


def test_a_masked_document_is_not_encoded() -> None:
    """Stars would be sent as a card number."""
    _, out, _ = poslab("decode", "--json", SALE_PAYLOAD.hex())
    status, (answer,) = documents("encode", "-", given=out)
    assert status == 2
    assert answer == {
        "ok": False,
        "error": {
            "code": "encode",
            "field": 2,
            "offset": None,
            "message": "the value is masked",
            "hint": "decode with --unmask",
        },
    }
    assert poslab("encode", "-", given=out)[2] == "poslab: field 2: the value is masked (decode with --unmask)\n"


BAD = [
    ("nothing", "", "hex", None),
    ("half a byte", "082", "hex", None),
    ("no hex", "08zz", "hex", None),
    ("full-width digits", "０８２０", "hex", None),
    ("B5 a length too short", "0033" + ECHO_PAYLOAD.hex(), "truncated", 60),
    ("B6 a length too long", "0035" + ECHO_PAYLOAD.hex(), "frame", None),
    ("B11 half a second frame", ECHO_FRAME.hex() + "00", "frame", None),
    ("B13 no TPDU in a frame", "0034" + "61" + ECHO_PAYLOAD.hex()[2:], "tpdu", None),
    ("a serial frame with another LRC", ECHO_STX.hex()[:-2] + "00", "frame", None),
    ("a serial frame without ETX", ECHO_STX.hex()[:-4] + "0000", "frame", None),
    ("B14 an HTTP request", b"GET / HTTP/1.1\r\n\r\n".hex(), "mti", 0),
    ("B14 an SSH banner", b"SSH-2.0-x\r\n".hex(), "mti", 0),
    ("B16 letters for an MTI", "4F4B" + "00" * 8, "mti", 0),
    ("B15 trailing bytes", ECHO_PAYLOAD.hex() + "00", "trailing_bytes", None),
    ("B34 cut short", ECHO_PAYLOAD.hex()[:-2], "truncated", 60),
    ("B47 letters in digits", pack(ECHO).hex()[:-2] + "A0", "value", 60),
]


@pytest.mark.parametrize(("name", "digits", "code", "field"), BAD, ids=[row[0] for row in BAD])
def test_bad_input_gets_one_clear_error(name: str, digits: str, code: str, field: int | None) -> None:
    """The engineer would see a traceback, or the wrong field blamed."""
    status, found = documents("decode", "--", digits)
    (error,) = [row["error"] for row in found if not row["ok"]]
    assert status == 2
    assert set(error) == {"code", "field", "offset", "message", "hint"}
    assert (error["code"], error["field"]) == (code, field)
    status, _, err = poslab("decode", "--", digits)
    assert status == 2
    assert err.startswith("poslab: byte ")
    assert err.count("\n") == 1


def test_people_and_programs_get_the_byte_of_the_input() -> None:
    """The wrong byte would be looked for thirteen bytes too early, or before the first."""
    raw = bytearray(ECHO_FRAME)
    raw[-1] = 0xFF
    _, (found,) = documents("decode", raw.hex())
    assert (found["error"]["field"], found["error"]["offset"]) == (60, 46)
    assert poslab("decode", raw.hex())[2].startswith("poslab: byte 46 of the input, field 60: ")
    no_header = "6000030000" + ECHO_PAYLOAD[11:].hex()
    _, (found,) = documents("decode", no_header)
    assert found["error"]["offset"] == 5
    assert poslab("decode", no_header)[2].startswith("poslab: byte 5 of the input: ")


@pytest.mark.parametrize("given", ["", "\n \n"])
def test_nothing_to_decode_is_an_error(given: str) -> None:
    """A script whose capture is empty would report success."""
    status, (found,) = documents("decode", "-", given=given)
    assert (status, found["ok"], found["error"]["message"]) == (2, False, "no message")
    status, out, err = poslab("decode", "-", given=given)
    assert (status, out) == (2, "")
    assert err.startswith("poslab: ")
    assert "no message" in err


def test_every_input_is_told_in_order() -> None:
    """One bad line of a log would hide the good ones."""
    lines = f"{ECHO_FRAME.hex()}\n\n  zz\n{seal(SIGN_IN).hex(' ')}\n"
    status, found = documents("decode", "-", pack(ECHO).hex(), given=lines)
    assert status == 2
    assert [row.get("kind", row["ok"]) for row in found] == ["echo.request", False, "sign_in.request", "echo.request"]


@pytest.mark.parametrize(
    "raw", [ECHO_FRAME + Len2Framer().wrap(SALE_PAYLOAD), ECHO_STX + StxFramer().wrap(SALE_PAYLOAD)]
)
def test_two_frames_are_two_messages(raw: bytes) -> None:
    """The second message of a capture would be lost."""
    status, found = documents("decode", raw.hex())
    assert (status, [row["kind"] for row in found]) == (0, ["echo.request", "sale.request"])


def test_what_is_wanted_may_be_narrowed() -> None:
    """A message that auto misreads could not be read at all."""
    assert documents("decode", "--frame", "none", "--header", "cup", ECHO_PAYLOAD.hex())[0] == 0
    assert documents("decode", "--frame", "none", ECHO_FRAME.hex())[1][0]["error"]["code"] == "mti"
    assert documents("decode", "--header", "none", ECHO_PAYLOAD.hex())[1][0]["error"]["code"] == "mti"
    assert documents("decode", "--frame", "stx", ECHO_FRAME.hex())[1][0]["error"]["code"] == "frame"
    assert documents("decode", "--frame", "len2", ECHO_STX.hex())[1][0]["error"]["code"] == "frame"
    assert documents("decode", "--frame", "stx", "02")[1][0]["error"]["code"] == "frame"


def test_people_read_their_language() -> None:
    """A Chinese operator would get an English dump."""
    assert "受卡机终端标识码" in poslab("decode", "--lang", "zh", ECHO_FRAME.hex())[1]
    assert "terminal id" in poslab("decode", "--lang", "en", ECHO_FRAME.hex())[1]
    assert DEBIT_PAN in poslab("decode", "--unmask", SALE_PAYLOAD.hex())[1]


@pytest.mark.parametrize(
    ("variables", "lang"),
    [
        ({"LANG": "zh_CN.UTF-8"}, Lang.ZH),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, Lang.EN),
        ({"LANG": "", "LC_MESSAGES": "zh_TW"}, Lang.ZH),
        ({}, Lang.EN),
    ],
)
def test_the_locale_chooses_the_language(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], lang: Lang
) -> None:
    """Everybody would have to type --lang."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert locale_language() is lang


BAD_DOCUMENTS = [
    ("nothing", b"", "no document"),
    ("no JSON", b"{", "line 1, column 2"),
    ("no text", b"\xff\xfe", "UTF-8"),
    ("a number beyond measure", b"9" * 5000, "measure"),
    ("a nesting beyond measure", b"[" * 100_000, "measure"),
    ("a key twice", b'{"mti": "0800", "mti": "0820"}', "twice"),
    ("a list", b"[]", "not a document"),
    ("a frame that is none", json.dumps({"mti": "0820", "fields": {"11": "000001"}, "frame": []}).encode(), "frame"),
    (
        "an unknown frame",
        json.dumps({"mti": "0820", "fields": {"11": "000001"}, "frame": {"kind": "x"}}).encode(),
        "kind",
    ),
]


@pytest.mark.parametrize(("name", "raw", "says"), BAD_DOCUMENTS, ids=[row[0] for row in BAD_DOCUMENTS])
def test_bad_documents_get_one_clear_error(tmp_path: Path, name: str, raw: bytes, says: str) -> None:
    """A comma too many would end in a traceback."""
    file = tmp_path / "message.json"
    file.write_bytes(raw)
    status, out, err = poslab("encode", str(file))
    assert (status, out) == (2, "")
    assert says in err
    assert err.startswith("poslab: ")
    assert err.count("\n") == 1


def test_several_documents_are_several_lines() -> None:
    """A log of messages could not be turned back."""
    _, out, _ = poslab("decode", "--json", ECHO_FRAME.hex(), ECHO_PAYLOAD.hex())
    assert poslab("encode", "-", given=out)[1].split() == [ECHO_FRAME.hex().upper(), ECHO_PAYLOAD.hex().upper()]


@pytest.mark.parametrize(
    "words", [["encode", "/nowhere/message.json"], ["decode"], ["decod"], ["decode", "--frame", "x", "00"]]
)
def test_a_wrong_call_is_status_2(words: list[str]) -> None:
    """A build script would take a typing mistake for a failed verdict."""
    status, out, err = poslab(*words)
    assert (status, out) == (2, "")
    assert "Usage" in err


def test_help_teaches_and_lists_every_command() -> None:
    """A newcomer would not find out what there is."""
    status, out, _ = poslab("--help")
    assert status == 0
    assert all(name in out and text in out for name, (_, text) in cli.COMMANDS.items())
    for name in ("decode", "encode"):
        assert "Example" in poslab(name, "--help")[1]
    assert poslab("--version")[1].startswith("poslab ")


@pytest.mark.parametrize("module", [decode, encode])
def test_the_examples_of_the_help_are_true(module: Any) -> None:
    """The first thing that a newcomer copies would not work."""
    text = (module.decode if module is decode else module.encode).__doc__
    example = text.split('"')[1].replace("\\\n", " ")
    status, (found,) = documents("decode", example)
    assert (status, found["kind"]) == (0, "echo.request")


ERRORS: list[tuple[BaseException, int, str]] = [
    (DecodeError("garbled", field=4, offset=9), 2, "decode"),
    (AdminError("no such terminal"), 2, "admin"),
    (StoreError("the database is read-only"), 3, "store"),
    (TransportError("no such port", url="serial:///dev/none"), 3, "transport"),
    (EndpointInUse("somebody listens"), 3, "endpoint_in_use"),
    (PermissionError(13, "Permission denied", "report.html"), 3, "os"),
    (FileNotFoundError(2, "No such file or directory", "card.json"), 2, "os"),
]


def command_that(monkeypatch: pytest.MonkeyPatch, raises: BaseException) -> None:
    app = typer.Typer()

    @app.command()
    def demo(as_json: bool = typer.Option(False, "--json")) -> None:
        raise raises

    class Module:
        pass

    module = Module()
    module.app = app  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pos_lab.commands.demo", module)


@pytest.mark.parametrize(("error", "status", "code"), ERRORS, ids=[row[2] for row in ERRORS])
def test_every_foreseen_error_has_its_status(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, code: str
) -> None:
    """A build would be red for a port in use and blame the scenario, or print a traceback."""
    command_that(monkeypatch, error)
    told = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
    assert poslab("demo") == (status, "", f"poslab: {told}\n")
    got, (answer,) = documents("demo")
    assert (got, answer["ok"], answer["error"]["code"]) == (status, False, code)


def test_the_mistakes_of_a_scenario_are_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The author would correct one mistake a run."""
    mistakes = [ScenarioError("life.yaml", line, 1, "", "wrong") for line in (7, 3)]
    command_that(monkeypatch, ScenarioErrors(mistakes))
    assert poslab("demo") == (2, "", "life.yaml:3:1: wrong\nlife.yaml:7:1: wrong\n")
    assert [row["line"] for row in documents("demo")[1][0]["errors"]] == [3, 7]


def test_an_interrupt_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C on a running host would end in a traceback."""
    command_that(monkeypatch, KeyboardInterrupt())
    assert poslab("demo") == (130, "", "")


def test_a_reader_that_leaves_is_no_error() -> None:
    """``poslab decode - | head`` would end in a traceback."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        result = subprocess.run(
            [sys.executable, "-m", "pos_lab.cli", "decode", ECHO_FRAME.hex()],
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (result.returncode, result.stderr) == (141, b"")


@pytest.mark.parametrize(
    "words", [["decode", "--json"], ["encode", "--json", "--bogus"], ["run", "x", "--json", "--seed", "-1"]]
)
def test_a_wrong_call_is_json_too_where_json_was_asked_for(words: list[str]) -> None:
    """A build that reads our answer would fail on an empty one, far from the typing error."""
    status, out, _ = poslab(*words)
    assert status == 2
    assert json.loads(out)["error"]["code"] == "usage"
