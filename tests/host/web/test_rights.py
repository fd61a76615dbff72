"""Who may do what from afar: every route by every role, and the second person who cannot be got round."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.admin.acts import ACTS
from host.admin.lists import LISTS
from host.admin.rights import LIST_ROLES, RIGHTS
from host.admin.second_person import ACTS_OF_TWO, EXPIRES_S
from host.admin.tokens import Role
from host.admin.wording import ARGUMENTS
from host.store.schema import TABLES
from tests.host.web.conftest import PEOPLE, Window
from tests.host.wire import Wire

pytestmark = pytest.mark.feature("K")
ROUTES = [(row.act, row.method, f"/v1{row.path}", row.roles) for row in RIGHTS.values() if row.path]
ROUTES += [(name, "GET", f"/v1/{name}", roles) for name, roles in LIST_ROLES.items()]
NOT_DENIED = {200, 404, 409, 422}


def filled(path: str) -> str:
    """A path with the examples of its arguments."""
    for name, row in ARGUMENTS.items():
        path = path.replace(f"{{{name}}}", str(row.example))
    return path


def test_every_act_has_a_right() -> None:
    """An act would be open to everybody, or to nobody, because nobody thought of it."""
    assert set(ACTS) == set(RIGHTS)
    assert set(LIST_ROLES) == set(LISTS)


def test_what_is_dangerous_is_not_reached_from_afar() -> None:
    """A token would be enough to read a clear key, to make tokens, or to stop a till alone."""
    for act in ("key_card", "create_token", "clock_advance", *ACTS_OF_TWO):
        assert RIGHTS[act].path == ""
    assert all(row.roles for row in RIGHTS.values() if row.path)


@pytest.mark.parametrize(("act", "method", "path", "roles"), ROUTES, ids=[route[0] for route in ROUTES])
async def test_every_route_by_every_role(
    window: Window, act: str, method: str, path: str, roles: frozenset[Role]
) -> None:
    """A viewer would stop a terminal, or a supervisor could not."""
    body = window_body(act)
    options = {} if body is None else {"json": body}
    for role in ("", *(role for role in Role if role not in roles)):
        before = tables(window)
        answer = await window.ask(role, method, filled(path), **options)
        if role:
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), role
            last = window.lab.rows("audit")[-1]
            assert (last["actor"], last["act"]) == (PEOPLE[Role(role)], "denied")
        else:
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        assert tables(window) == before
    for role in roles:
        answer = await window.ask(role, method, filled(path), **options)
        assert answer.status_code in NOT_DENIED, (role, answer.text)


def tables(window: Window) -> list[Any]:
    """All that an act could change."""
    return [window.lab.rows(name) for name in TABLES if name not in ("audit", "chains", "counters")]


def window_body(act: str) -> dict[str, Any] | None:
    """A body that the act takes, from the examples."""
    import inspect

    row = RIGHTS.get(act)
    if row is None or row.method not in ("POST", "PUT"):
        return None
    own = list(inspect.signature(ACTS[act], eval_str=True).parameters.values())[1:]
    bodied = [known for known in own if f"{{{known.name}}}" not in row.path]
    examples = {known.name: ARGUMENTS[known.name].example for known in bodied if known.default is known.empty}
    return {name: "e30=" if name == "content" else value for name, value in examples.items()} if bodied else None


@pytest.mark.parametrize("secret", ["", "x", "poslab_", "poslab_" + "a" * 32, "poslab_é"])
async def test_a_wrong_token_is_nobodys(window: Window, secret: str) -> None:
    """Guessing would be told apart from a token that has expired."""
    headers = {"authorization": f"Bearer {secret}".encode()}
    answer = await window.client.get("/v1/terminals", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_a_token_ends_when_it_is_revoked_or_expires(window: Window) -> None:
    """Who has left the company would go on."""
    window.lab.act("revoke_token", name="T" + str(token_number(window, "li")))
    assert (await window.ask("operator", "GET", "/v1/terminals")).status_code == 401
    window.lab.later(days=91)
    assert (await window.ask("viewer", "GET", "/v1/terminals")).status_code == 401


def token_number(window: Window, person: str) -> str:
    """The number in the name of a person's token."""
    return next(str(row["name"])[1:] for row in window.lab.rows("tokens") if row["person"] == person)


def test_no_secret_is_kept(window: Window) -> None:
    """Whoever reads the database could act as anybody."""
    stored = str(window.lab.rows("tokens")) + str(window.lab.rows("audit"))
    assert not [secret for secret in window.secrets.values() if secret in stored]


# two people


async def proposed(window: Window, serial_number: str, role: str = "operator") -> int:
    """A stop that was proposed."""
    body = {"act": "stop", "arguments": json.dumps({"serial_number": serial_number, "why": "fraud"})}
    answer = await window.ask(role, "POST", "/v1/proposals", json=body)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["number"])


async def test_a_stop_takes_two(window: Window, active: Wire) -> None:
    """One person with one token could shut a thousand shops."""
    number = await proposed(window, active.serial_number)
    assert window.lab.terminal(active.serial_number)["state"] == "activated"
    answer = await window.ask("supervisor", "POST", f"/v1/proposals/{number}/confirm")
    assert answer.json()["result"]["state"] == "stopped"
    stopped = next(row for row in window.lab.rows("audit") if row["act"] == "stop")
    assert stopped["actor"] == "li and zhang"
    again = await window.ask("supervisor", "POST", f"/v1/proposals/{number}/confirm")
    assert (again.status_code, again.json()["code"]) == (409, "not_open")


@pytest.mark.parametrize("other_token", [False, True])
async def test_the_same_person_cannot_confirm(window: Window, active: Wire, other_token: bool) -> None:
    """One person with two tokens is one person."""
    number = await proposed(window, active.serial_number, "supervisor")
    if other_token:
        window.secrets["supervisor"] = window.lab.act("create_token", person="zhang", role="supervisor")["token"]
    answer = await window.ask("supervisor", "POST", f"/v1/proposals/{number}/confirm")
    assert (answer.status_code, answer.json()["code"]) == (409, "same_person")
    assert window.lab.terminal(active.serial_number)["state"] == "activated"


async def test_a_proposal_expires(window: Window, active: Wire) -> None:
    """A stop from last month would be confirmed by a slip."""
    number = await proposed(window, active.serial_number)
    window.lab.later(seconds=EXPIRES_S)
    answer = await window.ask("supervisor", "POST", f"/v1/proposals/{number}/confirm")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_open")
    assert "expired" in answer.json()["detail"]


async def test_a_withdrawn_proposal_stays_withdrawn(window: Window, active: Wire) -> None:
    """What was a mistake would happen after all."""
    number = await proposed(window, active.serial_number)
    assert (await window.ask("operator", "DELETE", f"/v1/proposals/{number}")).status_code == 200
    answer = await window.ask("supervisor", "POST", f"/v1/proposals/{number}/confirm")
    assert answer.json()["code"] == "not_open"
    assert window.lab.act("proposals")["proposals"][0]["state"] == "withdrawn"


async def test_what_cannot_be_carried_out_stays_open(window: Window, wire: Wire) -> None:
    """A confirmation that failed would look like a stop that happened."""
    body = {"act": "retire", "arguments": json.dumps({"serial_number": wire.serial_number})}
    number = (await window.ask("operator", "POST", "/v1/proposals", json=body)).json()["number"]
    answer = await window.ask("supervisor", "POST", f"/v1/proposals/{number}/confirm")
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_step")
    assert window.lab.act("proposals")["proposals"][0]["state"] == "open"


@pytest.mark.parametrize(
    ("act", "arguments"),
    [
        ("hold", "{}"), ("stop", "{}"), ("stop", "[]"), ("stop", "nonsense"), ("stop", '{"serial_number": 1}'),
        ("stop", '{"serial_number": "PXE90-0001", "policy": "x"}'), ("__class__", "{}"),
        ("retire_model", '{"model": 1}'),
        ("retire_model", '{"model": "PX-E90", "stop_days": true}'),
    ],
)  # fmt: skip
async def test_a_proposal_that_makes_no_sense_is_refused_at_once(window: Window, act: str, arguments: str) -> None:
    """The second person would find out, at night, that the first one had mistyped."""
    answer = await window.ask("operator", "POST", "/v1/proposals", json={"act": act, "arguments": arguments})
    assert answer.status_code == 409
    assert answer.json()["code"] in ("arguments", "one_person")


async def test_two_confirm_at_once_and_one_does(window: Window, active: Wire) -> None:
    """A swap would be carried out twice."""
    import asyncio

    number = await proposed(window, active.serial_number)
    window.secrets["second"] = window.lab.act("create_token", person="wang", role="supervisor")["token"]
    answers = await asyncio.gather(
        *(window.ask(role, "POST", f"/v1/proposals/{number}/confirm") for role in ("supervisor", "second") * 3)
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 5]


@pytest.mark.parametrize(
    ("act", "arguments", "status", "code", "field"),
    [
        ("stop", {"serial_number": "PXE90-001"}, 404, "unknown_terminal", "arguments.serial_number"),
        ("stop", {"serial_number": "PXE90-0001", "why": "two\nlines"}, 409, "why", "arguments.why"),
        ("retire_model", {"model": "PXE90"}, 404, "unknown_model", "arguments.model"),
        ("retire_model", {"model": "PX-E90", "grace_days": 9, "stop_days": 8}, 409, "plan_dates",
         "arguments.stop_days"),
        ("begin_swap", {"serial_number": "PXE90-0001", "successor": "X9"}, 404, "unknown_terminal",
         "arguments.successor"),
        ("start_campaign", {"number": 77}, 404, "unknown_campaign", "arguments.number"),
    ],
)  # fmt: skip
async def test_a_wrong_value_is_refused_when_it_is_proposed(
    window: Window, active: Wire, act: str, arguments: dict[str, Any], status: int, code: str, field: str
) -> None:
    """The second person would find out tomorrow, when the terminal should have stopped already."""
    before = [window.lab.rows(table) for table in ("proposals", "terminals", "plans", "audit")]
    body = {"act": act, "arguments": json.dumps(arguments)}
    answer = await window.ask("operator", "POST", "/v1/proposals", json=body)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (status, code, field)
    assert [window.lab.rows(table) for table in ("proposals", "terminals", "plans", "audit")] == before


async def test_what_stands_against_a_proposal_today_is_told_and_nothing_of_it_is_done(
    window: Window, active: Wire
) -> None:
    """A retirement could not be prepared while the shop sells; or trying it would stop the shop."""
    body = {"act": "retire", "arguments": json.dumps({"serial_number": active.serial_number})}
    active.sell(100)
    told = (await window.ask("operator", "POST", "/v1/proposals", json=body)).json()
    assert "unsettled" in told["against"]
    body = {"act": "stop", "arguments": json.dumps({"serial_number": active.serial_number})}
    assert (await window.ask("operator", "POST", "/v1/proposals", json=body)).json()["against"] == ""
    active.sell(100)
    assert [row["act"] for row in window.lab.rows("audit")][-2:] == ["propose", "propose"]
