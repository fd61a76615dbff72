"""The documents speak of what exists: files, tables, commands, scenarios, words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.policy import Policy
from pos_lab.cli import COMMANDS
from pos_lab.scenario.files import scenario_files
from pos_lab.scenario.loader import load_scenario
from pos_lab.scenario.steps import STEPS

ROOT = Path(__file__).parents[1]
ROOMS = ("protocol", "firmware_sim", "terminal", "host", "pos_lab", "scenarios", "tests", "docs")
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
MARKED = re.compile(r"`([^`\n]+)`")
TABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
NOT_TABLES = {"ACK", "AMOUNT", "CARD", "CAPTURED", "DECLINED", "MMDD", "NAK", "PENDING", "PIN", "RRN", "STAN"}
"""Words in capitals that the documents mark and that are values, not tables."""


def _marked(page: Path) -> Iterator[str]:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    yield from MARKED.findall(text)


def _names() -> set[str]:
    """Every name that is assigned at the top of a module, anywhere in the rooms."""
    names = set()
    for room in ROOMS[:5]:
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _exists(path: str) -> bool:
    """From the root, from the room of the page's subject, or by the end of its path: ``clock.py``, ``lifecycle/x``."""
    if (ROOT / path).exists():
        return True
    return any(file.as_posix().endswith(f"/{path}") for room in ROOMS for file in (ROOT / room).rglob(Path(path).name))


@pytest.mark.parametrize("page", ["docs/rooms.md", "docs/tour.md"])
def test_every_path_and_table_exists(page: str) -> None:
    """Who wants to change a rule would be sent to a room that is not there."""
    found = list(_marked(ROOT / page))
    paths = {word for word in found if re.fullmatch(r"[\w./]+(?:\.py|\.md|\.yaml|/)", word)}
    tables = {word for word in found if TABLE.fullmatch(word)} - NOT_TABLES
    assert len(paths) > 10
    assert tables
    assert {path for path in paths if not _exists(path)} == set()
    assert tables - _names() == set()


def test_every_room_of_a_table_holds_it() -> None:
    """The reader would open the file that the row names and not find the table there."""
    rows = re.findall(r"`(\w+/[\w/]+\.py)` `([A-Z_]+)`", (ROOT / "docs/rooms.md").read_text(encoding="utf-8"))
    assert len(rows) > 10
    texts = {file: (ROOT / file).read_text(encoding="utf-8") for file, _ in rows}
    assert [row for row in rows if not re.search(rf"^{row[1]}\b", texts[row[0]], re.MULTILINE)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_only_commands_that_exist_are_named(page: Path) -> None:
    """The first command that a stranger types would be answered with 'no such command'."""
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`|\$ |&& )poslab ([a-z][a-z-]*)", text, re.MULTILINE))
    assert named - COMMANDS.keys() == set()


def test_the_readme_shows_how_to_begin() -> None:
    """A stranger would not know what to type."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= targets
    assert targets <= set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """A reader would follow a link into the void."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("file", scenario_files([str(ROOT / "scenarios")]), ids=lambda file: Path(file).name)
def test_every_scenario_that_is_shipped_is_right(file: str) -> None:
    """The first scenario that a tester copies would not run."""
    assert load_scenario(file, STEPS, Policy).steps


def test_every_word_of_the_language_is_documented() -> None:
    """An author could not find out which words there are."""
    pages = (ROOT / "docs/scenarios.md", ROOT / "docs/reference/words.md")
    text = " ".join(page.read_text(encoding="utf-8") for page in pages)
    assert {word for word in STEPS if f"`{word}`" not in text} == set()
