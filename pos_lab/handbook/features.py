"""The page of features: which tests and which scenarios show each row of FEATURES.

Rules owned here: marks are read from the text of the tests, and none of them is imported or run. A mark above a test
shows a feature by that test, one that stands for the whole module by its file.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from pos_lab.features import FEATURES
from pos_lab.handbook.markdown import Markdown, code, sections, table
from pos_lab.scenario.files import SUFFIXES
from pos_lab.scenario.source import Entries, Items, compose, read_text

ROOT: Final = Path(__file__).parents[2]
_MARK: Final = "feature"


def features() -> str:
    """A row for each feature, with a link to every test file and scenario that shows it."""
    tests, scenarios = marks(ROOT / "tests"), named(ROOT / "scenarios")
    rows = (
        (
            code(row.id),
            row.chinese,
            row.english,
            Markdown("; ".join(_tests(file, names) for file, names in _by_file(tests.get(row.id, ())))),
            Markdown("; ".join(_link(f"scenarios/{name}") for name in scenarios.get(row.id, ()))),
        )
        for row in FEATURES.values()
    )
    return sections(
        "A test names what it shows by the mark `feature`, a scenario under `features`. A file without names of tests "
        "shows the feature by all of them.",
        table(("id", "中文", "English", "tests", "scenarios"), rows),
    )


def marks(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """Feature to the tests that carry its mark, as ``host/test_fees.py`` or ``host/test_fees.py::test_name``."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(folder.rglob("test_*.py")):
        name, text = file.relative_to(folder).as_posix(), file.read_text(encoding="utf-8")
        for test, ids in _marked(ast.parse(text)) if _MARK in text else ():
            for each in ids:
                found[each].append(f"{name}::{test}" if test else name)
    return {each: tuple(dict.fromkeys(tests)) for each, tests in found.items()}


def named(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """Feature to the scenarios that name it, by their place in ``folder``."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(each for each in folder.rglob("*") if each.suffix in SUFFIXES):
        tree, _ = compose(read_text(str(file)), str(file))
        ids = tree.get("features") if isinstance(tree, Entries) else None
        for each in ids if isinstance(ids, Items) else ():
            found[str(each)].append(file.relative_to(folder).as_posix())
    return {each: tuple(files) for each, files in found.items()}


def _marked(module: ast.Module) -> Iterator[tuple[str, list[str]]]:
    """The name of each test with the features of its marks; no name for marks that stand outside of tests."""
    for statement in module.body:
        name = getattr(statement, "name", "")
        ids = [each for node in ast.walk(statement) for each in _ids(node)]
        if ids:
            yield name if name.startswith("test_") else "", ids


def _ids(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == _MARK:
        yield from (str(each.value) for each in node.args if isinstance(each, ast.Constant))


def _by_file(tests: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    grouped: dict[str, list[str]] = {}
    for file, _, test in (each.partition("::") for each in tests):
        grouped.setdefault(file, []).extend(filter(None, [test]))
    yield from grouped.items()


def _tests(file: str, names: list[str]) -> str:
    said = ", ".join(code(name) for name in names)
    return f"{_link(f'tests/{file}')}: {said}" if said else _link(f"tests/{file}")


def _link(path: str) -> str:
    return f"[{path.partition('/')[2]}](../{path})"
