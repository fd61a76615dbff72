"""Acts that need two people: one proposes, another one confirms before the proposal expires (product T4, K).

The desk on the host's own machine can act at once, as an emergency needs it; from afar these acts are only reached
through here.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from host.admin import campaigns, ending, grounds, loans, swap
from host.admin.desk import Desk, Result, in_bounds
from host.admin.wording import field_of
from host.decision import Update
from host.errors import AdminError

_ACTS: Final = (
    ending.stop, ending.replace, swap.begin_swap, loans.lend_spare, ending.retire, ending.retire_model,
    campaigns.start_campaign,
    grounds.risk_stop, grounds.plan_breaches,
)  # fmt: skip
ACTS_OF_TWO: Final[Mapping[str, Callable[..., Result]]] = MappingProxyType({act.__name__: act for act in _ACTS})
EXPIRES_S: Final = 24 * 3600
OPEN: Final = "open"


def propose(desk: Desk, act: str, arguments: str) -> Result:
    """Propose a stop, swap, retirement or campaign, its arguments as JSON; somebody else confirms it in a day.

    A value that is wrong is refused now; what else stands against it today is told, and may be over by tomorrow.
    """
    if act not in ACTS_OF_TWO:
        raise AdminError(
            f"{act!r} needs no second person", hint=f"these do: {', '.join(ACTS_OF_TWO)}", code="one_person"
        )
    against = _tried(desk, act, _arguments(act, arguments))
    expires_at = desk.at + EXPIRES_S
    row = {"act": act, "arguments": arguments, "person": desk.actor, "token": desk.token}
    number = desk.books.next_number()
    desk.insert("proposals", number=number, **row, at=desk.at, expires_at=expires_at, state=OPEN)
    desk.note("", "propose", f"{number}: {act} {arguments}")
    return {"number": number, "act": act, "state": OPEN, "expires_at": expires_at, "against": against}


def confirm(desk: Desk, number: int) -> Result:
    """Carry out what somebody else proposed; the same person or token cannot."""
    proposal = _open(desk, number)
    if desk.actor == proposal["person"] or (desk.token and desk.token == proposal["token"]):
        raise AdminError(f"{desk.actor} proposed it", hint="another person confirms", code="same_person")
    both = desk.by(f"{proposal['person']} and {desk.actor}")
    act = str(proposal["act"])
    result = ACTS_OF_TWO[act](both, **_arguments(act, str(proposal["arguments"])))
    _decide(desk, number, "confirmed")
    return {"number": number, "act": act, "state": "confirmed", "result": result}


def withdraw(desk: Desk, number: int) -> Result:
    """Take a proposal back, one's own or another's."""
    _open(desk, number)
    _decide(desk, number, "withdrawn")
    return {"number": number, "state": "withdrawn"}


def proposals(desk: Desk) -> Result:
    """What was proposed, by whom, and what became of it."""
    rows = desk.books.rows("proposals")
    return {"proposals": [{**row, "state": _state(row, desk.at)} for row in rows]}


def _state(row: Mapping[str, Any], at: int) -> str:
    return "expired" if row["state"] == OPEN and row["expires_at"] <= at else str(row["state"])


def _open(desk: Desk, number: int) -> Mapping[str, Any]:
    rows = desk.books.rows("proposals", number=number)
    if not rows:
        raise AdminError(f"no proposal {number}", hint="poslab admin proposals lists them", code="unknown_proposal")
    if (state := _state(rows[0], desk.at)) != OPEN:
        raise AdminError(f"proposal {number} is {state}", hint="propose it again", code="not_open")
    return rows[0]


def _decide(desk: Desk, number: int, state: str) -> None:
    desk.books.write(Update("proposals", {"number": number}, {"state": state, "decided_by": desk.actor}))
    desk.note("", {"confirmed": "confirm", "withdrawn": "withdraw"}[state], str(number))


class _TriedOut(Exception):
    """Nothing stands against the act; it is undone."""


def _tried(desk: Desk, act: str, arguments: dict[str, Any]) -> str:
    """What stands against an act today, tried and undone. Raises AdminError for a value that is wrong on any day."""
    writes, audits = desk.books.writes, desk.books.audits
    try:
        with desk.books.savepoint():
            ACTS_OF_TWO[act](desk, **arguments)
            raise _TriedOut
    except _TriedOut:
        return ""
    except AdminError as error:
        field = error.field or field_of(error.code, error.message, arguments)
        if field:
            raise AdminError(error.message, hint=error.hint, code=error.code, field=f"arguments.{field}") from None
        return str(error)
    finally:
        desk.books.writes, desk.books.audits = writes, audits


def _arguments(act: str, text: str) -> dict[str, Any]:
    """The arguments of an act of two, of the right names and kinds, or AdminError."""
    parameters = list(inspect.signature(ACTS_OF_TWO[act], eval_str=True).parameters.values())[1:]
    hint = ", ".join(f"{known.name} ({known.annotation.__name__})" for known in parameters)
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise AdminError("the arguments are no JSON object", hint=f"with {hint}", code="arguments")
    kinds = {known.name: known.annotation for known in parameters}
    missing = [known.name for known in parameters if known.default is known.empty and known.name not in given]
    wrong = [name for name, value in given.items() if name not in kinds or type(value) is not kinds[name]]
    if missing or wrong:
        told = f"{', '.join(missing)} missing" if missing else f"{', '.join(wrong)} wrong"
        raise AdminError(f"{act}: {told}", hint=f"it takes {hint}", code="arguments")
    in_bounds(given)
    return given
