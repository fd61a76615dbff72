"""``poslab image``: files in, files out, one line or one document; signatures and firmware."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pos_lab import cli

PLAIN = b"P1\n9 2\n1 0 0 0 0 0 0 0 1\n0 0 0 0 0 0 0 0 0\n"
RAW = b"P4\n9 2\n\x80\x80\x00\x00"


def poslab(*words: object, given: bytes = b"") -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.app, list(map(str, words)), input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("image", [PLAIN, RAW])
def test_there_and_back(tmp_path: Path, image: bytes) -> None:
    """A signature captured elsewhere could not be sent from the command line."""
    pbm, jbg, back = tmp_path / "image.pbm", tmp_path / "image.jbg", tmp_path / "back.pbm"
    pbm.write_bytes(image)
    size = len(_encoded(pbm, jbg))
    assert poslab("image", "decode", jbg, "--out", back) == (0, f"{back}: 9 x 2 pixels, {len(RAW)} bytes\n", "")
    assert back.read_bytes() == RAW
    status, out, err = poslab("image", "encode", "--json", "-", "--out", jbg, given=image)
    assert (status, err) == (0, "")
    assert json.loads(out) == {"ok": True, "width": 9, "height": 2, "bytes": size, "file": str(jbg)}


def _encoded(pbm: Path, jbg: Path, *words: object) -> bytes:
    status, out, err = poslab("image", "encode", pbm, "--out", jbg, *words)
    assert (status, err) == (0, "")
    assert out == f"{jbg}: 9 x 2 pixels, {jbg.stat().st_size} bytes\n"
    return jbg.read_bytes()


def test_the_options_reach_the_header(tmp_path: Path) -> None:
    """A host that wants the facsimile profile could not be served."""
    pbm, jbg = tmp_path / "image.pbm", tmp_path / "image.jbg"
    pbm.write_bytes(PLAIN)
    assert _encoded(pbm, jbg)[12:20].hex() == "000000020800031c"
    words = ("--options", 8, "--order", 0, "--stripe-lines", 128, "--offset-max", 127)
    assert _encoded(pbm, jbg, *words)[12:20].hex() == "000000807f000008"


BAD: list[tuple[str, list[str], bytes, str]] = [
    ("no PBM", ["encode"], b"GIF89a", "not a PBM image"),
    ("no JBIG", ["decode"], b"P4\n9 2\n", "a JBIG header has 20"),
    ("options that are none", ["encode", "--options", "32"], RAW, "the options 32"),
    ("an order that is none", ["encode", "--order", "7"], RAW, "the order 7"),
]


@pytest.mark.parametrize(("name", "words", "given", "says"), BAD, ids=[row[0] for row in BAD])
def test_bad_input_gets_one_clear_error(tmp_path: Path, name: str, words: list[str], given: bytes, says: str) -> None:
    """A wrong file would end in a traceback and leave half an image."""
    out_file = tmp_path / "out"
    status, out, err = poslab("image", *words, "-", "--out", out_file, given=given)
    assert (status, out) == (2, "")
    assert err.startswith("poslab: ")
    assert says in err
    assert err.count("\n") == 1
    assert not out_file.exists()
    status, out, err = poslab("image", *words, "--json", "-", "--out", out_file, given=given)
    assert (status, err) == (2, "")
    answer: dict[str, Any] = json.loads(out)
    assert answer["ok"] is False
    assert says in answer["error"]["message"]


@pytest.mark.parametrize(
    "words",
    [
        ["encode", "/nowhere/image.pbm", "--out", "x"],
        ["decode", "-"],
        ["encode", "-", "--out", "x", "--offset-max", "128"],
    ],
)
def test_a_wrong_call_is_status_2(words: list[str]) -> None:
    """A build script would take a typing mistake for a broken disk."""
    status, out, err = poslab("image", *words)
    assert (status, out) == (2, "")
    assert "Usage" in err


@pytest.mark.parametrize("direction", ["encode", "decode"])
def test_a_directory_is_no_place_for_an_image(tmp_path: Path, direction: str) -> None:
    """A build script would take a typing mistake for a broken disk."""
    status, out, err = poslab("image", direction, "-", "--out", tmp_path, given=RAW)
    assert (status, out) == (2, "")
    assert "is a directory" in err


def test_a_file_that_cannot_be_written_is_the_environment() -> None:
    """A full disk would look like a wrong image."""
    assert poslab("image", "encode", "-", "--out", "/dev/full", given=RAW)[0] == 3
    assert "Example" in poslab("image", "encode", "--help")[1]


def test_firmware_is_built_and_shown(tmp_path: Path) -> None:
    """A tester could not make the old firmware that the gate is to refuse."""
    file = tmp_path / "old.plf"
    words = ("--profile", "gives_up_reversals", "--expires", "2027-01-31", "--security-counter", 7, "--json")
    status, out, err = poslab("image", "build", "PX-E90", "2.2.0", "--out", file, *words)
    assert (status, err) == (0, "")
    built = json.loads(out)
    assert (built["ok"], built["file"], built["bytes"]) == (True, str(file), file.stat().st_size)
    status, out, _ = poslab("image", "show", file, "--json")
    shown = json.loads(out)
    assert (status, shown["ok"], shown["refused"]) == (0, True, None)
    assert (shown["model"], shown["version"], shown["security_counter"]) == ("PX-E90", "2.2.0", 7)
    assert (shown["profile"], shown["expires"]) == ("gives_up_reversals", "2027-01-31")
    assert "forgets a reversal" in shown["behaviour"]
    assert "expires          2027-01-31" in poslab("image", "show", file)[1]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--minimum-loader", "9"], "loader"),
        (["--nvram-kib", "9999"], "memory"),
        (["--journal-format", "9"], "journal_format"),
    ],
)
def test_firmware_that_its_model_cannot_run_is_the_verdict_failed(
    tmp_path: Path, options: list[str], code: str
) -> None:
    """An image would be published to ten thousand devices that refuse it."""
    file = tmp_path / "new.plf"
    assert poslab("image", "build", "PX-E90", "2.2.0", "--out", file, *options)[0] == 0
    status, out, _ = poslab("image", "show", file, "--json")
    assert (status, json.loads(out)["refused"]) == (1, code)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["build", "PX-E9O", "2.2.0"], "did you mean 'PX-E90'"),
        (["build", "PX-E90", "2.2"], "no version"),
        (["build", "PX-E90", "2.2.0", "--profile", "old_protocoll"], "did you mean 'old_protocol'"),
        (["show", "FILE"], "not a firmware image"),
    ],
)
def test_firmware_that_there_is_not(tmp_path: Path, words: list[str], says: str) -> None:
    """A typing mistake would end in a traceback, or in an image for nobody."""
    file, out_file = tmp_path / "other", tmp_path / "out"
    file.write_bytes(RAW * 9)
    given = [str(file) if word == "FILE" else word for word in words]
    out_option = ["--out", str(out_file)] if words[0] == "build" else []
    status, out, err = poslab("image", *given, *out_option)
    assert (status, out) == (2, "")
    assert says in err
    assert not out_file.exists()
