"""What reached merchants: the inbox, messages that are looked into, complaints (product N1 to N10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from host.admin.desk import Desk, Result
from host.admin.post import MARKETING
from host.campaign import OPEN, ItemState
from host.decision import Update
from host.errors import AdminError
from host.notices import (
    CHANNELS,
    FINDINGS,
    STEP_NAMES,
    TERMINAL,
    asks_for_money,
    carries_stop,
    day,
    lint,
    read_signed,
    words_of,
)

MESSAGE_MAX: Final = 2_000
OPEN_COMPLAINT: Final = "open"
CLOSED_COMPLAINT: Final = "closed"
MARKS: Final = ("read", "acknowledged")
_CARRIED_OUT: Final = OPEN | {ItemState.STOPPED, ItemState.SWAPPED, ItemState.RETIRED}
"""The states in which what a notice said is still so."""


def notices(desk: Desk, serial_number: str) -> Result:
    """Every notice about a terminal, and how far it came on each channel: waiting, sent, delivered, read, confirmed."""
    desk.terminal(serial_number)
    commands = {row["counter"]: row for row in desk.books.rows("commands", serial_number=serial_number)}
    rows = desk.books.rows("inbox", serial_number=serial_number)
    told = []
    for notice in desk.books.rows("notices", serial_number=serial_number):
        channels = {
            row["channel"]: _reached(row, commands.get(row["counter"]))
            for row in rows
            if row["notice"] == notice["number"]
        }
        told.append({**notice, "channels": channels})
    return {"notices": told}


def inbox(desk: Desk, merchant_id: str) -> Result:
    """What a merchant has got, on every channel and from whomever, with what it was found to be."""
    desk.merchant(merchant_id)
    texts = {row["number"]: row["text"] for row in desk.books.rows("notices", merchant_id=merchant_id)}
    found = [row for row in desk.books.rows("inbox", merchant_id=merchant_id) if row["sent_at"] is not None]
    return {"inbox": [{**row, "text": row["text"] or texts[row["notice"]]} for row in found]}


def mark_message(desk: Desk, number: int, mark: str) -> Result:
    """Note that a merchant has read or acknowledged a message of the inbox; a terminal tells that itself."""
    if mark not in MARKS:
        raise AdminError(f"a message is not marked {mark!r}", hint=f"one of {', '.join(MARKS)}", code="mark")
    row = _message(desk, number)
    if row["sent_at"] is None or row["channel"] == TERMINAL:
        raise AdminError(f"message {number} is not there to be {mark}", code="not_there")
    wanted = {"read_at": row["read_at"] or desk.at}
    wanted |= {"acknowledged_at": row["acknowledged_at"] or desk.at} if mark == "acknowledged" else {}
    desk.books.write(Update("inbox", {"number": number}, wanted))
    return {"number": number, "state": _reached({**row, **wanted}, None)}


def verify_notice(desk: Desk, merchant_id: str, message: str) -> Result:
    """Say whether a message that a merchant got is the acquirer's, and what is wrong with it."""
    return _verdict(_judged(desk, merchant_id, message))


def receive_message(desk: Desk, merchant_id: str, channel: str, message: str) -> Result:
    """Put a message from anybody into a merchant's inbox, as it was received, and look into it."""
    if channel not in CHANNELS:
        raise AdminError(f"no channel {channel!r}", hint=f"one of {', '.join(CHANNELS)}", code="unknown_channel")
    found, number = _judged(desk, merchant_id, message), desk.books.next_number()
    desk.insert("inbox", number=number, channel=channel, merchant_id=merchant_id, text=message, send_at=desk.at,
                sent_at=desk.at, findings=" ".join(found))  # fmt: skip
    desk.note("", "receive message", f"{number} for {merchant_id}: {' '.join(found) or 'genuine'}")
    return {"number": number, **_verdict(found)}


def inspect_notices(desk: Desk) -> Result:
    """Every message with something wrong: forged, without a plan, incomplete, asking for money."""
    suspects = []
    for row in desk.books.rows("notices"):
        found = _notice_findings(desk, row, row["merchant_id"], row["text"])
        if found and row["step"] in STEP_NAMES:
            suspects.append({"notice": row["number"], "merchant_id": row["merchant_id"], "findings": found})
    for row in desk.books.rows("inbox", notice=0):
        if row["findings"]:
            told = {"message": row["number"], "merchant_id": row["merchant_id"], "findings": row["findings"].split()}
            suspects.append(told)
    return {"suspects": suspects}


def complain(desk: Desk, merchant_id: str, about: str, number: int = 0) -> Result:
    """Record a merchant's complaint, about a message of the inbox if it has one."""
    desk.line(about=about)
    desk.merchant(merchant_id)
    if not about.strip():
        raise AdminError("a complaint says something", code="about")
    if number and _message(desk, number)["merchant_id"] != merchant_id:
        raise AdminError(f"message {number} is another merchant's", code="other_merchant")
    complaint = desk.books.add("complaint", 1)
    row = {"merchant_id": merchant_id, "inbox": number, "about": about, "actor": desk.actor, "at": desk.at}
    desk.insert("complaints", number=complaint, state=OPEN_COMPLAINT, **row)
    desk.note("", "complain", f"{complaint}: {merchant_id}: {about}")
    return {"number": complaint, "state": OPEN_COMPLAINT}


def close_complaint(desk: Desk, number: int, outcome: str) -> Result:
    """Say what came of a complaint."""
    desk.line(outcome=outcome)
    rows = desk.books.rows("complaints", number=number)
    if not rows:
        raise AdminError(f"no complaint {number}", hint="poslab admin complaints lists them", code="unknown_complaint")
    if rows[0]["state"] != OPEN_COMPLAINT or not outcome.strip():
        raise AdminError(f"complaint {number} is closed with an outcome, once", code="not_open")
    changes = {"state": CLOSED_COMPLAINT, "outcome": outcome, "closed_at": desk.at}
    desk.books.write(Update("complaints", {"number": number}, changes))
    desk.note("", "close complaint", f"{number}: {outcome}")
    return {"number": number, "state": CLOSED_COMPLAINT}


def complaints(desk: Desk, standing: bool = False) -> Result:
    """Every complaint, or only those that nobody has closed."""
    rows = desk.books.rows("complaints")
    return {"complaints": [row for row in rows if not standing or row["state"] == OPEN_COMPLAINT]}


def _judged(desk: Desk, merchant_id: str, message: str) -> list[str]:
    """The rows of FINDINGS that a message deserves; none where it is the acquirer's and complete."""
    desk.merchant(merchant_id)
    if not 0 < len(message) <= MESSAGE_MAX or not all(char.isprintable() or char in "\r\n\u3000" for char in message):
        raise AdminError(f"a message is a text of 1 to {MESSAGE_MAX} characters", code="message")
    public_key = bytes.fromhex(desk.keys.host_key(desk.books.secret("signing"))["host_public_key"])
    text, number, unsigned = read_signed(message, public_key)
    money = ["money"] if asks_for_money(text) else []
    if number is None:
        return [unsigned, *_without_plan(desk, merchant_id, text), *money]
    rows = desk.books.rows("notices", number=number)
    return ([*_notice_findings(desk, rows[0], merchant_id, text)] if rows else ["unknown"]) + money


def _notice_findings(desk: Desk, notice: Mapping[str, Any], merchant_id: str, text: str) -> list[str]:
    """What is wrong with a notice of ours as things stand now."""
    found = [] if notice["merchant_id"] == merchant_id else ["other_merchant"]
    if notice["step"] == MARKETING:
        return [*found, *(["marketing_date"] if carries_stop(text) else [])]
    item = desk.books.item(notice["campaign"], notice["serial_number"])
    if item is None:
        return [*found, "no_plan"]
    if notice["step"] in STEP_NAMES and item.state not in _CARRIED_OUT:
        found.append("no_plan")
    elif item.stop_at != notice["stop_at"]:
        found.append("other_date")
    return [*found, *lint(text, words_of(item) | {"stop": day(notice["stop_at"])})]


def _without_plan(desk: Desk, merchant_id: str, text: str) -> list[str]:
    """Does it speak of a stop that no plan of this merchant knows? (product N4)"""
    if not carries_stop(text):
        return []
    for row in desk.books.rows("terminals", merchant_id=merchant_id):
        plan = desk.books.plan(row["serial_number"])
        if plan and plan.done_at is None and row["serial_number"] in text and day(plan.stop_at) in text:
            return []
    return ["no_plan"]


def _verdict(found: list[str]) -> Result:
    grave = any(FINDINGS[name].grave for name in found)
    told = [{"finding": name, "zh": FINDINGS[name].chinese, "en": FINDINGS[name].english} for name in found]
    return {"genuine": not grave, "findings": told}


def _message(desk: Desk, number: int) -> dict[str, Any]:
    rows = desk.books.rows("inbox", number=number)
    if not rows:
        raise AdminError(f"no message {number}", hint="poslab admin inbox lists them", code="unknown_message")
    return rows[0]


def _reached(row: Mapping[str, Any], command: Mapping[str, Any] | None) -> str:
    """How far a message came: a command that the terminal has read or confirmed says so itself."""
    if row["sent_at"] is None:
        return "waiting"
    if row["channel"] == TERMINAL:
        if command is None or command["state"] == "waiting":
            return "sent"
        return "read" if command["read_at"] else str(command["state"])
    return "acknowledged" if row["acknowledged_at"] else "read" if row["read_at"] else "delivered"
