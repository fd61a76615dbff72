"""The scenarios that come with the program, and how files and folders on the command line become a list of files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pos_lab.scenario.errors import ScenarioError, ScenarioErrors

_BESIDE_THE_PACKAGE: Final = Path(__file__).resolve().parents[2] / "scenarios"
_INSIDE_THE_PACKAGE: Final = Path(__file__).resolve().parents[1] / "scenarios"
FIRST_LIFE: Final = "lifecycle/first_life.yaml"
SUFFIXES: Final = (".yaml", ".yml")


def shipped(name: str) -> Path:
    """A scenario that comes with the program: from the checkout, else from the installed package."""
    return _folder() / name


def told_name(file: str) -> str:
    """How reports name a file: one that comes with the program by its place in ``scenarios``, others as given."""
    path = Path(file).resolve()
    return f"scenarios/{path.relative_to(_folder())}" if path.is_relative_to(_folder()) else file


def _folder() -> Path:
    return _BESIDE_THE_PACKAGE if _BESIDE_THE_PACKAGE.is_dir() else _INSIDE_THE_PACKAGE


def scenario_files(given: Iterable[str]) -> list[str]:
    """The files, and all scenarios below the folders, in order. Raises ScenarioErrors for a folder without any."""
    files: list[str] = []
    for name in given:
        path = Path(name)
        if name == "-" or not path.is_dir():
            files.append(name)
            continue
        found = sorted(str(file) for file in path.rglob("*") if file.suffix in SUFFIXES)
        if not found:
            raise ScenarioErrors([ScenarioError(name, 0, 0, "", "no scenario in this folder", "*.yaml is looked for")])
        files += found
    return files
