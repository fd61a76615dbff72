"""What is there: terminals, ledger, batches, audit, the reason why a terminal may not sell."""

from __future__ import annotations

import json

from host.admin.desk import Desk, Result
from host.holds import in_force
from host.lifecycle import Event
from host.store.books import columns_of
from protocol.money import yuan

_KEY_COLUMNS = ("tmk", "working_keys", "previous_keys")


def terminals(desk: Desk) -> Result:
    """Every terminal with its state."""
    return {"terminals": columns_of(desk.books.rows("terminals"), *_KEY_COLUMNS)}


def show(desk: Desk, serial_number: str) -> Result:
    """One terminal: state, holds, plan, turnover, open batch, last diagnosis, notices, commands that wait."""
    terminal = desk.terminal(serial_number)
    rows = columns_of(desk.books.rows("terminals", serial_number=serial_number), *_KEY_COLUMNS)
    turnover_fen = desk.books.turnover_fen(terminal, desk.policy.activation.reading)
    merchant = desk.books.merchant(terminal.merchant_id)
    standing = in_force(
        desk.books.holds(serial_number), terminal, merchant, desk.policy, desk.at, desk.books.plan(serial_number)
    )
    return {
        **rows[0],
        "holds": [held.reason for held in standing],
        "milestones": _milestones(desk, serial_number),
        "plan": desk.books.rows("plans", serial_number=serial_number),
        "turnover_fen": turnover_fen,
        "turnover": yuan(turnover_fen),
        "unsettled": len(desk.books.money_rows(terminal.terminal_id, terminal.batch)),
        "status": [row["status"] for row in desk.books.rows("statuses", serial_number=serial_number)],
        "diagnosis": _diagnosis(desk, serial_number),
        "notices": _notices(desk, serial_number),
        "commands": [command.kind for command in desk.books.waiting_commands(serial_number, desk.at)],
    }


def _milestones(desk: Desk, serial_number: str) -> dict[str, int]:
    """When it was ordered, shipped, delivered and so on, the last time for each (product R10)."""
    events = {"order", *Event}
    rows = desk.books.rows("audit", serial_number=serial_number)
    return {row["act"]: row["at"] for row in rows if row["act"] in events}


def _notices(desk: Desk, serial_number: str) -> list[dict[str, object]]:
    """What it was told, whether it has it, and when somebody there read it."""
    return [
        {name: row[name] for name in ("counter", "kind", "state", "created_at", "read_at")}
        for row in desk.books.rows("commands", serial_number=serial_number)
        if row["kind"] in ("notice", "announcement")
    ]


def _diagnosis(desk: Desk, serial_number: str) -> list[dict[str, object]]:
    """What the device told of itself last, a row for each section."""
    return [
        {"section": section, "at": row["at"], **items}
        for row in desk.books.rows("diagnoses", serial_number=serial_number)
        for section, items in json.loads(row["sections"]).items()
    ]


def transactions(desk: Desk, terminal_id: str = "", batch: str = "") -> Result:
    """The ledger, of one terminal id or batch where given; cards are masked."""
    matches = {name: value for name, value in (("terminal_id", terminal_id), ("batch", batch)) if value}
    return {"transactions": columns_of(desk.books.rows("transactions", **matches), "card_token")}


def batches(desk: Desk, terminal_id: str = "") -> Result:
    """Settled and settling batches, with the rows on which the books differ."""
    matches = {"terminal_id": terminal_id} if terminal_id else {}
    return {"batches": desk.books.rows("batches", **matches), "differences": desk.books.rows("differences", **matches)}


def audit(desk: Desk, serial_number: str = "") -> Result:
    """Every administrative act, in order."""
    matches = {"serial_number": serial_number} if serial_number else {}
    return {"audit": columns_of(desk.books.rows("audit", **matches), "salt", "commitment", "digest")}


def models(desk: Desk) -> Result:
    """The catalogue of device models."""
    return {"models": desk.books.rows("models")}
