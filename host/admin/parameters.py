"""What terminals download: publishing a newer version, and asking a terminal for something (CUP 1.9, product G7)."""

from __future__ import annotations

import json
from difflib import get_close_matches

from host.admin.desk import Desk, Result
from host.downloads import ASKED_BESIDES, FIRST_VERSION, due_with, read_content
from host.errors import AdminError
from protocol.downloads import DOWNLOADS


def publish_parameters(desk: Desk, name: str, content: bytes) -> Result:
    """Publish a newer version of a download, JSON from a file; every terminal is asked to fetch it."""
    if name not in DOWNLOADS:
        raise _unknown(name, list(DOWNLOADS))
    row = DOWNLOADS[name]
    try:
        read = read_content(row, content)
    except RecursionError:
        raise AdminError(f"these are no {row.english}: nested too deep", code="content") from None
    except ValueError as error:
        raise AdminError(f"these are no {row.english}: {error}", code="content") from None
    version = _newest(desk, name) + 1
    desk.insert("downloads", name=name, version=version, content=json.dumps(read, ensure_ascii=False), at=desk.at)
    for known in desk.books.rows("terminals"):
        terminal = desk.terminal(known["serial_number"])
        desk.change(terminal, due=due_with(terminal.due, row.requirement))
    desk.note("", "publish parameters", f"{name} version {version}")
    return {"name": name, "version": version}


def ask_for(desk: Desk, serial_number: str, name: str) -> Result:
    """Ask a terminal, in the header of its next reply, to fetch a download, to sign on, or to upload its state."""
    terminal = desk.terminal(serial_number)
    nibbles = {**{row.name: row.requirement for row in DOWNLOADS.values()}, **ASKED_BESIDES}
    if name not in nibbles:
        raise _unknown(name, list(nibbles))
    due = due_with(terminal.due, nibbles[name])
    desk.change(terminal, due=due)
    desk.note(serial_number, "ask for", name)
    return {"serial_number": serial_number, "due": due}


def parameters(desk: Desk, serial_number: str = "") -> Result:
    """Every download with its newest version; of a terminal, which versions it has fetched."""
    newest = {name: _newest(desk, name) for name in DOWNLOADS}
    matches = {"serial_number": serial_number} if serial_number else {}
    return {
        "downloads": [{"name": name, "version": version} for name, version in newest.items()],
        "fetched": desk.books.rows("fetches", **matches),
    }


def _newest(desk: Desk, name: str) -> int:
    return max((row.version for row in desk.books.published(name)), default=FIRST_VERSION)


def _unknown(name: str, known: list[str]) -> AdminError:
    near = get_close_matches(name, known, n=1)
    return AdminError(
        f"there is nothing called {name}", hint=f"known are {', '.join(near or known)}", code="unknown_download"
    )
