"""The folder of the reference: the pages as files, and which of them no longer say what the tables say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

REFERENCE: Final = Path(__file__).parents[2] / "docs" / "reference"


def stale(pages: Mapping[str, str], folder: Path = REFERENCE) -> list[str]:
    """Names of the files that are missing, differ from ``pages`` or have no page any more, in order."""
    gone = {file.name for file in folder.glob("*.md")} - pages.keys()
    return [*(name for name, text in pages.items() if _text(folder / name) != text), *sorted(gone)]


def refresh(pages: Mapping[str, str], folder: Path = REFERENCE) -> list[str]:
    """Write what is stale, remove what has no page any more, and return the names of both."""
    changed = stale(pages, folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in pages:
            (folder / name).write_text(pages[name], encoding="utf-8", newline="\n")
        else:
            (folder / name).unlink()
    return changed


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""
