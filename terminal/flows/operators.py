"""Logs operators on and off, sets them up, and asks for a supervisor where a cashier may not act alone.

Rules owned here: a wrong password tells nothing but that it is wrong, and the audit trail has it; the third one locks
the operator until the power goes; what a supervisor does is on the audit trail before it is done.
"""

from __future__ import annotations

import re
from typing import Final

from terminal.operators import (
    OPERATOR,
    SALT_BYTES,
    SUPERVISOR,
    TRIES_MAX,
    Role,
    is_enforced,
    is_enough,
    is_fit,
    is_password,
    made,
    role_of,
)
from terminal.outcome import Outcome, done, local
from terminal.records import OperatorKept, OperatorRemoved
from terminal.session import Session

OPERATORS_MAX: Final = 20


def asks_password(session: Session, flow: str) -> bool:
    """Will ``authorise`` ask for the supervisor's password?"""
    is_due = is_enforced(session.book, session.settings) and not is_enough(flow, session.operator)
    supervisor = session.book.operators.get(SUPERVISOR)
    return is_due and role_of(flow) is Role.SUPERVISOR and supervisor is not None and supervisor.has_password


async def authorise(session: Session, flow: str) -> Outcome | None:
    """The refusal of a flow that who is here may not start, or None. Raises EntryTimeout, EntryCancelled."""
    if not is_enforced(session.book, session.settings):
        return None
    needed = role_of(flow)
    if asks_password(session, flow):
        password = await _ask_password(session, "请输入主管密码", "enter the supervisor's password")
        if not password:
            return local(flow, "terminal.supervisor_needed")
        if refused := _proven(session, flow, SUPERVISOR, password):
            return refused
    elif not is_enough(flow, session.operator):
        return local(flow, "terminal.no_supervisor" if needed is Role.SUPERVISOR else "terminal.log_on_first")
    if needed is Role.SUPERVISOR:
        session.note("supervisor", flow, operator=SUPERVISOR)
    return None


async def log_on(session: Session) -> Outcome:
    """Let an operator begin to work; the first supervisor, and whom another gave a password, choose one now.

    Whoever logs on as 00 first becomes the supervisor, once: nothing removes one or makes a second.
    """
    number, password = await _ask_number(session), await _ask_password(session, "请输入密码", "enter the password")
    operator = session.book.operators.get(number)
    if number == SUPERVISOR and (operator is None or not operator.has_password):
        again = await _ask_password(session, "请再次输入密码", "enter it again")
        if password != again or not is_fit(password):
            return local("log_on", "terminal.password_unfit")
        session.note("operator set up", number, operator=number)
        _keep(session, number, password, must_change=False)
    elif operator and not operator.has_password:
        return local("log_on", "terminal.no_password")
    elif refused := _proven(session, "log_on", number, password):
        return refused
    elif operator and operator.must_change:
        new = await _ask_password(session, "请设置新密码", "choose a new password")
        again = await _ask_password(session, "请再次输入密码", "enter it again")
        if new != again or new == password or not is_fit(new):
            return local("log_on", "terminal.password_unfit")
        session.note("password changed", number, operator=number)
        _keep(session, number, new, must_change=False)
    session.operator = number
    session.note("log on", number)
    return done("log_on", f"操作员{number}已登录", f"operator {number} has logged on", operator=number)


async def log_off(session: Session) -> Outcome:
    """Let the operator go."""
    number, session.operator = session.operator, ""
    if number:
        session.note("log off", number, operator=number)
    return done("log_off", "操作员已退出", "nobody is logged on", operator=number)


async def add_operator(session: Session) -> Outcome:
    """Set a cashier up, or give one another password, which the first log-on changes."""
    number = await _ask_number(session)
    password = await _ask_password(session, "请输入初始密码", "enter a first password")
    if not number or number == SUPERVISOR:
        return local("add_operator", "terminal.no_operator")
    if not is_fit(password):
        return local("add_operator", "terminal.password_unfit")
    if number not in session.book.operators and len(session.book.operators) >= OPERATORS_MAX:
        return local("add_operator", "terminal.operators_full")
    session.note("operator set up", number, operator=SUPERVISOR)
    _keep(session, number, password, must_change=True)
    session.wrong_passwords.pop(number, None)
    return done("add_operator", f"操作员{number}已设置", f"operator {number} is set up", operator=number)


async def remove_operator(session: Session) -> Outcome:
    """Let a cashier log on no more."""
    number = await _ask_number(session)
    if number == SUPERVISOR or number not in session.book.operators:
        return local("remove_operator", "terminal.no_operator")
    session.note("operator removed", number, operator=SUPERVISOR)
    session.journal.append(OperatorRemoved(number=number))
    if session.operator == number:
        session.operator = ""
    return done("remove_operator", f"操作员{number}已删除", f"operator {number} is removed", operator=number)


def _proven(session: Session, flow: str, number: str, password: str) -> Outcome | None:
    """The refusal of a password that is not the operator's, or None."""
    wrong = session.wrong_passwords
    if wrong[number] >= TRIES_MAX:
        return local(flow, "terminal.password_locked")
    operator = session.book.operators.get(number)
    if operator and is_password(operator, password):
        del wrong[number]
        return None
    wrong[number] += 1
    session.note("wrong password", f"operator {number}, {flow}")
    if wrong[number] < TRIES_MAX:
        return local(flow, "terminal.wrong_password", tries_left=str(TRIES_MAX - wrong[number]))
    session.note("password locked", f"operator {number}, {flow}")
    return local(flow, "terminal.password_locked")


def _keep(session: Session, number: str, password: str, *, must_change: bool) -> None:
    salt = session.board.fresh(SALT_BYTES)
    session.journal.append(OperatorKept(operator=made(number, password, salt, must_change=must_change)))


async def _ask_number(session: Session) -> str:
    session.show("请输入操作员编号", "enter the operator's number")
    number = await session.board.keypad.read(session.settings.entry_timeout_s)
    return number if re.fullmatch(OPERATOR, number) else ""


async def _ask_password(session: Session, zh: str, en: str) -> str:
    session.show(zh, en)
    return await session.board.keypad.read(session.settings.entry_timeout_s, hidden=True)
