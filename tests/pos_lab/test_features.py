"""TABLE FEATURES, and the marks and scenarios that show its rows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

from pos_lab.features import FEATURES
from pos_lab.handbook.features import ROOT, marks, named

GAPS: Final[Mapping[str, str]] = MappingProxyType({})
"""Features that nothing shows yet, and why. A row that is shown leaves this list."""


@cache
def _tests() -> Mapping[str, tuple[str, ...]]:
    return marks(ROOT / "tests")


@cache
def _scenarios() -> Mapping[str, tuple[str, ...]]:
    return named(ROOT / "scenarios")


def _shown() -> set[str]:
    return {*_tests(), *_scenarios()}


def test_every_feature_is_shown_or_said_to_be_missing() -> None:
    """A planner would rely on a rule that nobody has ever seen work."""
    assert [name for name in FEATURES if name not in _shown() | GAPS.keys()] == []


def test_what_is_shown_is_no_gap() -> None:
    """A reader would be told that something is missing which is there."""
    assert sorted(GAPS.keys() & _shown()) == []
    assert GAPS.keys() <= FEATURES.keys()
    assert all(GAPS.values())


def test_a_mark_names_a_feature() -> None:
    """A feature would be called shown by a test that names another one."""
    assert sorted(_shown() - FEATURES.keys()) == []


def test_a_row_has_its_names() -> None:
    """The page would show a row that says nothing in the reader's language."""
    assert all(row.chinese and row.english and row.id == name for name, row in FEATURES.items())


def test_marks_are_read_from_tests_modules_and_parameters(tmp_path: Path) -> None:
    """The page would leave out a test that shows a feature, or name one that does not."""
    (tmp_path / "test_a.py").write_text(
        "pytestmark = [mark.slow, mark.feature('M')]\n"
        "@mark.feature('D', 'E')\nasync def test_one(): pass\n"
        "@mark.parametrize('x', [param(1, marks=mark.feature('D'))])\ndef test_two(x): pass\n"
        "def test_three(): pass\n",
        encoding="utf-8",
    )
    (tmp_path / "wire.py").write_text("mark.feature('K')\n", encoding="utf-8")
    assert marks(tmp_path) == {
        "M": ("test_a.py",),
        "D": ("test_a.py::test_one", "test_a.py::test_two"),
        "E": ("test_a.py::test_one",),
    }


@pytest.mark.parametrize("text", ["steps: []", "features: M", "- features", "features: [M]"])
def test_scenarios_are_read_for_what_they_name(tmp_path: Path, text: str) -> None:
    """A scenario that names nothing would break the page for all others."""
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    expected = {"M": ("a.yaml",)} if "[M]" in text else {}
    assert named(tmp_path) == expected


def test_the_page_names_every_test_and_scenario() -> None:
    """Who asks what proves a rule would be sent to a part of it."""
    page = (ROOT / "docs/features.md").read_text(encoding="utf-8")
    files = {name.partition("::")[0] for name in chain.from_iterable((*_tests().values(), *_scenarios().values()))}
    assert sorted(file for file in files if f"[{file}](" not in page) == []
