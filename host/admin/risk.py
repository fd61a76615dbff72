"""Alerts of risk: what is there, what was found about it, and failures that many terminals share (product K, U7, P)."""

from __future__ import annotations

from typing import Final

from host.admin.desk import Desk, Result
from host.decision import Update
from host.errors import AdminError
from host.risk import AlertState, failing_alike

_EVERY_TERMINAL: Final = "every model"


def alerts(desk: Desk, serial_number: str = "", standing: bool = False) -> Result:
    """Every alert, of one terminal or only those that nobody has cleared."""
    matches = {"serial_number": desk.terminal(serial_number).serial_number} if serial_number else {}
    rows = desk.books.rows("alerts", **matches)
    return {"alerts": [row for row in rows if not standing or row["state"] != AlertState.CLEARED]}


def clear_alert(desk: Desk, number: int, evidence: str) -> Result:
    """Say what explains an alert: its warning stands no more. A hold is released by itself, with evidence as well."""
    desk.line(evidence=evidence)
    found = desk.books.rows("alerts", number=number)
    if not found:
        raise AdminError(f"no alert {number}", hint="poslab admin alerts lists them", code="unknown_alert")
    if not evidence.strip():
        raise AdminError("an alert is cleared with evidence", code="evidence")
    if found[0]["state"] == AlertState.CLEARED:
        raise AdminError(f"alert {number} is cleared already", code="already_cleared")
    cleared = {"state": AlertState.CLEARED, "cleared_by": desk.actor, "note": evidence}
    desk.books.write(Update("alerts", {"number": number}, cleared))
    desk.note(found[0]["serial_number"], "clear alert", f"{number} ({found[0]['rule']}): {evidence}")
    return {"number": number, "state": AlertState.CLEARED}


def failures_alike(desk: Desk, seconds: int = 3_600) -> Result:
    """Many terminals that fail for one reason are one failure: of a model, of a partner, of the host itself.

    Looks at what terminals were refused for last, within so many seconds, by model and over all.
    """
    since = desk.at - seconds
    models = {row["serial_number"]: row["model"] for row in desk.books.rows("terminals")}
    recent = [row for row in desk.books.rows("refusals") if row["at"] >= since]
    by_model = [(row["serial_number"], models.get(row["serial_number"], ""), row["reason"]) for row in recent]
    overall = [(row["serial_number"], _EVERY_TERMINAL, row["reason"]) for row in recent]
    found = failing_alike([*by_model, *overall], desk.policy.risk.alike_terminals)
    return {
        "failures": [
            {"group": group, "reason": reason, "terminals": len(members), "serial_numbers": list(members)}
            for group, reason, members in found
        ]
    }
