"""What the service desk asks of a device from afar, and tells the people who use it."""

from __future__ import annotations

from host.admin.desk import Desk, Result
from host.errors import AdminError
from host.handlers.commands import enqueue
from host.lifecycle import ABSENT
from host.records import Terminal
from protocol.errors import EncodeError


def diagnose(desk: Desk, serial_number: str) -> Result:
    """Order a device to test itself and to tell what it finds; ``show`` has the answer once it was fetched."""
    terminal = desk.terminal(serial_number)
    if not terminal.extended:
        raise AdminError(
            f"{serial_number} has not shown that it knows commands",
            hint="it does with its first sign-on, unless its firmware is too old",
            code="not_extended",
        )
    key = desk.keys.signing_key(desk.books.secret("signing"))
    desk.books.apply(enqueue(terminal, "diagnose", {}, signing_key=key, at=desk.at, ttl_s=desk.policy.commands.ttl_s))
    desk.note(serial_number, "diagnose", "ordered")
    return {"serial_number": serial_number, "counter": terminal.command_counter + 1}


def announce(
    desk: Desk, title_zh: str, title_en: str, text_zh: str, text_en: str, serial_number: str = "", model: str = ""
) -> Result:
    """Tell one terminal, those of a model, or all, what somebody there must confirm before the next sale (product U11).

    Devices that have not shown that they know commands are left out.
    """
    body = {"title_zh": title_zh, "title_en": title_en, "text_zh": text_zh, "text_en": text_en}
    desk.line(**body)
    if serial_number:
        desk.terminal(serial_number)
    if model:
        desk.model(model)
    wanted = {name: value for name, value in (("serial_number", serial_number), ("model", model)) if value}
    key, told = desk.keys.signing_key(desk.books.secret("signing")), []
    for row in desk.books.rows("terminals", **wanted):
        terminal = desk.terminal(str(row["serial_number"]))
        if terminal.extended and terminal.state not in ABSENT:
            _announce(desk, terminal, body, key)
            told.append(terminal.serial_number)
    return {"told": told}


def _announce(desk: Desk, terminal: Terminal, body: dict[str, str], key: bytes) -> None:
    try:
        writes = enqueue(terminal, "announcement", body, signing_key=key, at=desk.at, ttl_s=desk.policy.commands.ttl_s)
    except EncodeError as error:
        raise AdminError(error.message, hint="shorten the texts", code="too_long") from error
    desk.books.apply(writes)
    desk.note(terminal.serial_number, "announce", body["title_en"])
