"""The end of models and terminals: retirement lists, stops, required firmware, replacement (product G, T, X)."""

from __future__ import annotations

import hashlib
from typing import Final

from host.admin.campaigns import begin, draft
from host.admin.desk import Desk, Result
from host.campaign import Course, ItemState, schedule
from host.decision import Insert, Update
from host.errors import AdminError
from host.holds import REPAIR
from host.lifecycle import IN_SERVICE, Event
from host.notices import day
from host.policy import DAY_S
from host.records import Terminal
from host.replacement import Obstacle, closing, take_over, undrained, unfit
from host.suspension import lift
from host.swap import Step, pass_on
from host.swap import move as move_swap

PLAN_DAYS_MAX: Final = 3_650
MODEL: Final = "model"


def retire_model(
    desk: Desk, model: str, grace_days: int = 90, stop_days: int = 97, reason: str = "model.retired"
) -> Result:
    """Put a model on the retirement list: every terminal in service gets a dated plan and a signed notice."""
    if not 0 <= grace_days <= stop_days <= PLAN_DAYS_MAX:
        raise AdminError(
            f"{grace_days} days of grace and a stop on day {stop_days} are no plan",
            hint=f"grace ends before the stop, which is {PLAN_DAYS_MAX} days ahead at most",
            code="plan_dates",
        )
    desk.line(reason=reason)
    stop_at = desk.at + stop_days * DAY_S
    desk.model(model)
    desk.books.write(Update("models", {"model": model}, {"retired_at": stop_at}))
    rows = [row for row in desk.books.rows("terminals", model=model) if row["state"] in IN_SERVICE]
    course = Course((stop_days - grace_days) * DAY_S, notice_s=stop_days * DAY_S)
    dated, _ = schedule([draft(row, reason, stop_at) for row in rows], course, desk.policy, desk.at)
    number = begin(desk, f"retire {model}", MODEL, model, dated)
    planned = [item.serial_number for item in desk.books.items(number) if item.state is not ItemState.EXEMPT]
    desk.note("", "retire model", f"{model}: {len(planned)} terminals, stop on {day(stop_at)}")
    return {"model": model, "campaign": number, "planned": planned, "stop_at": day(stop_at)}


def stop(desk: Desk, serial_number: str, why: str = "ordered by the acquirer") -> Result:
    """Stop a terminal at once: from now on it may only drain."""
    desk.line(why=why)
    return {"serial_number": serial_number, "state": desk.step(desk.terminal(serial_number), Event.STOP, why=why)}


def lose(desk: Desk, serial_number: str, why: str = "reported lost") -> Result:
    """The device is lost or stolen: it may only bring reversals to an end; a successor may replace it."""
    desk.line(why=why)
    return {"serial_number": serial_number, "state": desk.step(desk.terminal(serial_number), Event.LOSE, why=why)}


def tamper(desk: Desk, serial_number: str, why: str = "reported tampered with") -> Result:
    """The device was opened: it is treated like a lost one."""
    desk.line(why=why)
    return {"serial_number": serial_number, "state": desk.step(desk.terminal(serial_number), Event.TAMPER, why=why)}


def retire(desk: Desk, serial_number: str) -> Result:
    """The end of a stopped terminal whose batch is settled."""
    terminal = desk.terminal(serial_number)
    drained(desk, terminal)
    desk.books.apply(closing(terminal, desk.at))
    return {"serial_number": serial_number, "state": desk.step(terminal, Event.RETIRE)}


def replace(desk: Desk, serial_number: str, successor: str) -> Result:
    """A delivered device takes over terminal id, merchant, rates and activation; the old one is answered 'replaced'.

    This is the short road, without a backup: for a device that is lost or damaged, or whose shop wants none. It ends a
    swap of either device that had not come as far; one that had goes on with the successor, which gets the backup.
    """
    old, new = desk.terminal(serial_number), desk.terminal(successor)
    drained(desk, old)
    return hand_till(desk, old, new)


def hand_till(desk: Desk, old: Terminal, new: Terminal) -> Result:
    """Let ``new`` take the till of ``old`` over as it stands, whatever is unsettled in it."""
    _unless(unfit(old, new, desk.model(new.model)))
    for terminal in (old, new):
        swap = desk.books.swap(terminal.serial_number)
        if swap:
            desk.books.apply(move_swap(swap, Step.CANCEL, actor=desk.actor, at=desk.at, backup=b""))
            desk.books.apply(pass_on(swap, new.serial_number, actor=desk.actor, at=desk.at))
    holds = desk.books.holds(old.serial_number)
    desk.books.apply(take_over(old, new, holds, actor=desk.actor, at=desk.at))
    for held in holds:
        if held.reason == REPAIR:
            desk.books.apply(lift(held, desk.actor, desk.at))  # the till sells again: nothing is interrupted any more
    state, told = desk.terminal(new.serial_number).state, {"terminal_id": old.terminal_id}
    return {"serial_number": old.serial_number, "successor": new.serial_number, **told, "state": state}


def require_firmware(desk: Desk, model: str, version: str) -> Result:
    """From now on no device of the model sells below this version."""
    desk.version(version)
    desk.model(model)
    desk.books.write(Update("models", {"model": model}, {"min_firmware": version}))
    desk.note("", "require firmware", f"{model} {version}")
    return {"model": model, "min_firmware": version}


def publish_firmware(desk: Desk, model: str, version: str, image: bytes) -> Result:
    """Offer an image to the devices of a model; they verify the maker's signature themselves."""
    desk.version(version)
    desk.model(model)
    sha256 = hashlib.sha256(image).hexdigest()
    published = desk.books.rows("firmware", model=model, version=version)
    if published and published[0]["sha256"] != sha256:
        raise AdminError(f"{model} {version} is published already, with other bytes", code="version_taken")
    row = {"model": model, "version": version, "size": len(image), "sha256": sha256, "image": image}
    desk.books.write(Insert("firmware", row, replace=True))
    desk.note("", "publish firmware", f"{model} {version}, {len(image)} bytes")
    return {"model": model, "version": version, "size": len(image)}


def drained(desk: Desk, terminal: Terminal) -> None:
    """AdminError where captured money is left in a batch that nobody would settle (invariant W1)."""
    batch = desk.books.batch(terminal.terminal_id, terminal.batch)
    _unless(undrained(terminal, batch, desk.books.money_rows(terminal.terminal_id, terminal.batch)))


def _unless(obstacle: Obstacle | None) -> None:
    if obstacle:
        raise AdminError(obstacle.message, hint=obstacle.hint, code=obstacle.code)
