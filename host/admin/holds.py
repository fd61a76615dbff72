"""Holds: put on, taken off; a terminal sells again when none is left (product decision 11, U1 to U10)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from host import postings
from host.admin.desk import Desk, Result
from host.admin.scope import in_scope
from host.decision import Update
from host.errors import AdminError
from host.holds import ARREARS, HOLDS, SECURITY, Keeper, Release, in_force
from host.lifecycle import IN_SERVICE, NEW_BUSINESS, State
from host.policy import DAY_S
from host.records import Hold, Terminal
from host.rollout import is_below
from host.suspension import lift, put_on
from protocol.money import yuan

DAYS_MAX: Final = 3_650
OWED_MAX_FEN: Final = 10**12 - 1


def hold(
    desk: Desk,
    serial_number: str,
    reason: str,
    note: str = "",
    days: int = 0,
    kinds: str = "",
    version: str = "",
    owed_fen: int = 0,
    in_days: int = 0,
) -> Result:
    """Suspend a terminal for one reason; other reasons stand beside it.

    It ends by itself after some days, or when its rule is met: firmware from a version on runs, what is owed is paid.
    With kinds, names between blanks, only these are refused; it may begin some days ahead.
    """
    wanted = _wanted(desk, reason, note, days, kinds, version, owed_fen, in_days)
    _put_on(desk, desk.terminal(serial_number), wanted)
    return _standing(desk, serial_number)


def hold_scope(
    desk: Desk,
    reason: str,
    model: str = "",
    brand: str = "",
    family: str = "",
    merchant_id: str = "",
    region: str = "",
    note: str = "",
    days: int = 0,
    kinds: str = "",
    version: str = "",
    in_days: int = 0,
) -> Result:
    """Suspend every terminal in service of a model, brand, family, merchant or region (product U5).

    One that is on hold for the reason already stays as it is.
    """
    wanted = _wanted(desk, reason, note, days, kinds, version, 0, in_days)
    held, spared = [], []
    for terminal in in_scope(desk, model=model, brand=brand, family=family, merchant_id=merchant_id, region=region):
        already = _open(desk, terminal.serial_number, reason) is not None
        if terminal.state in IN_SERVICE and not already:
            _put_on(desk, terminal, wanted)
            held.append(terminal.serial_number)
        else:
            spared.append(terminal.serial_number)
    return {"reason": reason, "held": held, "spared": spared}


def release(desk: Desk, serial_number: str, reason: str) -> Result:
    """Lift one hold, where its rule lets it go."""
    terminal = desk.terminal(serial_number)
    found = _held(desk, serial_number, reason)
    _may_release(desk, reason)
    if why := _kept_by(desk, terminal, found):
        raise AdminError(f"{serial_number} stays on hold for {reason}: {why}", code="not_yet")
    desk.books.apply(lift(found, desk.actor, desk.at))
    return _standing(desk, serial_number)


def release_scope(
    desk: Desk, reason: str, model: str = "", brand: str = "", family: str = "", merchant_id: str = "", region: str = ""
) -> Result:
    """Lift one reason from every terminal of a scope whose rule lets it go; the others are named."""
    _reason(reason)
    _may_release(desk, reason)
    released, kept = [], []
    for terminal in in_scope(desk, model=model, brand=brand, family=family, merchant_id=merchant_id, region=region):
        for found in desk.books.holds(terminal.serial_number):
            if found.reason == reason and _kept_by(desk, terminal, found):
                kept.append(terminal.serial_number)
            elif found.reason == reason:
                desk.books.apply(lift(found, desk.actor, desk.at))
                released.append(terminal.serial_number)
    return {"reason": reason, "released": released, "kept": kept}


def file_evidence(desk: Desk, serial_number: str, reason: str, reference: str, note: str = "") -> Result:
    """File what speaks for the merchant, such as a slip; a hold that asks for evidence may be lifted then."""
    desk.line(reference=reference, note=note)
    found = _held(desk, serial_number, reason)
    row = {"serial_number": serial_number, "reference": reference, "note": note, "actor": desk.actor, "at": desk.at}
    desk.insert("hold_evidence", hold=found.number, **row)
    desk.note(serial_number, "file evidence", f"{reason}: {reference}")
    return {"serial_number": serial_number, "evidence": desk.books.rows("hold_evidence", hold=found.number)}


def pay_arrears(desk: Desk, serial_number: str, amount_fen: int) -> Result:
    """Take what a merchant pays of what is owed; once all is paid, the hold is lifted (product U6)."""
    found = _held(desk, serial_number, ARREARS)
    if not 0 < amount_fen <= found.owed_fen:
        raise AdminError(f"{yuan(found.owed_fen)} yuan are owed", hint="pay that or less", code="amount")
    desk.books.write(postings.arrears_paid(amount_fen, desk.at))
    left_fen = found.owed_fen - amount_fen
    desk.books.write(Update("holds", {"number": found.number}, {"owed_fen": left_fen}))
    desk.note(serial_number, "pay arrears", f"{yuan(amount_fen)} yuan, {yuan(left_fen)} left")
    if not left_fen:
        desk.books.apply(lift(found, desk.actor, desk.at))
    return {**_standing(desk, serial_number), "owed_fen": left_fen}


def extend_activation(desk: Desk, serial_number: str, days: int) -> Result:
    """Give a terminal more time for its activation, from now on (product A6)."""
    terminal = desk.terminal(serial_number)
    if terminal.state is not State.REGISTERED:
        raise AdminError(f"{serial_number} is {terminal.state}: nothing waits for its activation", code="illegal_step")
    if not 0 < days <= DAYS_MAX:
        raise AdminError(f"more time is 1 to {DAYS_MAX} days", code="days")
    desk.change(terminal, activate_by=desk.at + days * DAY_S)
    desk.note(serial_number, "extend activation", f"by {days} days")
    return _standing(desk, serial_number)


def holds(desk: Desk, serial_number: str = "") -> Result:
    """Every hold that was ever put on, of one terminal or of all, with its rule and what was filed for it."""
    matches = {"serial_number": serial_number} if serial_number else {}
    rows = desk.books.rows("holds", **matches)
    told = [{**row, "release": HOLDS[row["reason"]].release.value} for row in rows]
    return {"holds": told, "evidence": desk.books.rows("hold_evidence", **matches)}


def _wanted(
    desk: Desk, reason: str, note: str, days: int, kinds: str, version: str, owed_fen: int, in_days: int
) -> Hold:
    _reason(reason)
    desk.line(note=note, actor=desk.actor)
    if strange := [kind for kind in kinds.split() if kind not in NEW_BUSINESS]:
        known = ", ".join(sorted(NEW_BUSINESS))
        raise AdminError(f"no new business is called {strange[0]!r}", hint=f"known: {known}", code="unknown_kind")
    if not (0 <= days <= DAYS_MAX and 0 <= in_days <= DAYS_MAX):
        raise AdminError(f"a hold stands for 1 to {DAYS_MAX} days, or until it is lifted", code="days")
    if version and reason != SECURITY:
        raise AdminError(f"no firmware clears a hold for {reason}", hint=f"{SECURITY} is cleared so", code="version")
    if owed_fen and (reason != ARREARS or not 0 < owed_fen <= OWED_MAX_FEN):
        raise AdminError(f"{owed_fen} fen are not owed for {reason}", hint=f"{ARREARS} has an amount", code="amount")
    if version:
        desk.version(version)
    since = desk.at + in_days * DAY_S
    until = since + days * DAY_S if days else None
    return Hold(0, "", reason, note, desk.actor, since, None, "", until, kinds, version, owed_fen)


def _put_on(desk: Desk, terminal: Terminal, wanted: Hold) -> None:
    serial_number = terminal.serial_number
    if _open(desk, serial_number, wanted.reason):
        raise AdminError(f"{serial_number} is on hold for {wanted.reason} already", code="already_held")
    if wanted.version and not is_below(terminal.firmware, wanted.version):
        raise AdminError(f"{serial_number} runs {terminal.firmware} already", code="version")
    desk.books.apply(put_on(replace(wanted, serial_number=serial_number), desk.at))


def _reason(reason: str) -> None:
    if reason not in HOLDS:
        raise AdminError(f"no hold reason {reason!r}", hint=f"one of {', '.join(HOLDS)}", code="unknown_reason")


def _held(desk: Desk, serial_number: str, reason: str) -> Hold:
    desk.terminal(serial_number)
    found = _open(desk, serial_number, reason)
    if found is None:
        raise AdminError(f"{serial_number} is not on hold for {reason!r}", code="not_held")
    return found


def _open(desk: Desk, serial_number: str, reason: str) -> Hold | None:
    """The hold for a reason that stands, or begins later."""
    return next(
        (each for each in desk.books.holds(serial_number) if each.reason == reason and each.is_open(desk.at)), None
    )


def _may_release(desk: Desk, reason: str) -> None:
    """From afar a hold is lifted by those whose business it is; a supervisor may lift every one."""
    rows = desk.books.rows("tokens", name=desk.token) if desk.token else []
    role = str(rows[0]["role"]) if rows else Keeper.SUPERVISOR
    if role != Keeper.SUPERVISOR and role not in HOLDS[reason].keepers:
        raise AdminError(
            f"a hold for {reason} is not lifted by the role {role}", hint="ask a supervisor", code="not_keeper"
        )


def _kept_by(desk: Desk, terminal: Terminal, found: Hold) -> str:
    """What its rule still asks for, empty where it lets the hold go."""
    rule = HOLDS[found.reason].release
    if rule is Release.EVIDENCE and not desk.books.rows("hold_evidence", hold=found.number):
        return "no evidence is filed"
    if rule is Release.UPDATE and is_below(terminal.firmware, found.version):
        return f"firmware {found.version} does not run"
    if rule is Release.PAYMENT and found.owed_fen:
        return f"{yuan(found.owed_fen)} yuan are owed"
    return ""


def _standing(desk: Desk, serial_number: str) -> Result:
    terminal = desk.terminal(serial_number)
    merchant = desk.books.merchant(terminal.merchant_id)
    plan = desk.books.plan(serial_number)
    found = in_force(desk.books.holds(serial_number), terminal, merchant, desk.policy, desk.at, plan)
    reasons = [each.reason for each in found]
    return {"serial_number": serial_number, "holds": reasons, "suspended": bool(reasons)}
