"""A directory in the place of a file: one clear error of every command, before it does anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pos_lab import cli


def _leaves(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    below = getattr(command, "commands", {})
    if not below:
        yield words, command
    for name, each in below.items():
        yield from _leaves(each, (*words, name))


def _calls(name: str, folder: Path) -> Iterator[tuple[Any, tuple[str, ...], tuple[str, ...]]]:
    """Every call of a command, and of those below it, in which one of its files is ``folder``: command, name, words."""
    for path, command in _leaves(cli._load(name), (name,)):
        before: tuple[str, ...] = ()
        for parameter in command.params:
            takes_file = "FILE" in (parameter.metavar or "") and "FOLDER" not in parameter.metavar
            if parameter.param_type_name == "argument":
                if takes_file:
                    yield command, path, (*before, str(folder))
                before = (*before, "1")
            elif takes_file:
                yield command, path, (parameter.opts[0], str(folder))


COUNTS = {"admin": 400, "run": 4, "host": 3, "terminal": 1, "db": 8, "encode": 1, "doctor": 1, "dissector": 1}
COUNTS |= {"image": 6, "crypto": 1, "demo": 1, "sim": 4, "rehearse": 1, "soak": 1}
"""How many files a command takes at least."""


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_directory_is_no_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An act would be done and its answer be lost, or a mistyped path look like a broken disk."""
    monkeypatch.chdir(tmp_path)
    (folder := tmp_path / "folder").mkdir()
    calls = list(_calls(name, folder))
    assert len(calls) >= COUNTS.get(name, 0)
    for command, path, words in calls:
        with pytest.raises(cli._USAGE_ERROR, match="folder is a directory: name a file"):
            command.make_context(path[-1], list(words))
    for _, path, words in calls[:1]:
        done = CliRunner().invoke(cli.app, [*path, *words])
        assert (done.exit_code, done.stdout) == (2, "")
        assert "folder is a directory: name a file" in " ".join(done.stderr.split())
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


def test_programs_are_told_so_too(tmp_path: Path) -> None:
    """A script that reads JSON would find none."""
    done = CliRunner().invoke(cli.app, ["admin", "terminals", "--out", str(tmp_path), "--json"])
    assert (done.exit_code, done.stderr) == (2, "")
    assert '"code": "usage"' in done.stdout
    assert "is a directory" in done.stdout


@pytest.mark.parametrize(
    "words", [("rehearse", "."), ("admin", "terminals", "--db", "sqlite:///."), ("doctor", ".")], ids=" ".join
)
def test_nor_is_one_that_is_named_in_another_way(words: tuple[str, ...], tmp_path: Path) -> None:
    """The same mistake would be the caller's in one place and the environment's in another."""
    done = CliRunner().invoke(cli.app, list(words))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "directory" in done.stderr
