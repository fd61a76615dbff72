"""TABLE TRANSITIONS, TABLE PERMITS and TABLE HOLDS of the administrative life."""

from __future__ import annotations

from typing import Any

import pytest

from host.errors import AdminError
from host.holds import HOLDS, Release
from host.lifecycle import (
    ABSENT,
    ALL_KINDS,
    CHINESE_STATES,
    DRAIN,
    FINISHING,
    IN_SERVICE,
    PERMITS,
    REGISTERING,
    TRANSITIONS,
    UNREGISTERED,
    Event,
    State,
    step,
)
from tests.host.wire import Lab, Wire

OUT = "replace -> replaced, lose -> lost, tamper -> tampered"
LIFE = """
ordered    ship -> shipped
shipped    deliver -> delivered
delivered  submit -> submitted, take over -> registered
submitted  reject -> rejected, approve -> registered
rejected   submit -> submitted
registered activate -> activated, plan -> retiring, stop -> stopped, OUT
activated  plan -> retiring, stop -> stopped, OUT
retiring   keep -> registered, stop -> stopped, OUT
stopped    retire -> retired, OUT
retired
replaced   refurbish -> ordered
lost       replace -> replaced
tampered   replace -> replaced
"""


def legal_steps() -> dict[tuple[State, Event], State]:
    """The table that the product agreed on, read from its text."""
    steps = {}
    for line in LIFE.strip().splitlines():
        state, _, edges = line.partition(" ")
        for edge in filter(None, edges.replace("OUT", OUT).strip().split(", ")):
            event, _, following = edge.partition(" -> ")
            steps[State(state), Event(event)] = State(following)
    return steps


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", list(Event))
def test_a_step_is_legal_only_where_the_table_says_so(state: State, event: Event) -> None:
    """A retired terminal would come back to life."""
    assert step(state, event) == legal_steps().get((state, event))


def test_every_state_has_a_row_and_the_last_ones_are_empty() -> None:
    """An end of life that is not written down is none."""
    assert set(TRANSITIONS) == set(State) == set(PERMITS) == set(CHINESE_STATES)
    assert {state for state, row in TRANSITIONS.items() if not row} == {State.RETIRED}


def test_permits_agree_with_the_groups_of_states() -> None:
    """A state would be refused by one rule and let through by another."""
    assert {state for state in State if PERMITS[state] <= REGISTERING} == UNREGISTERED
    assert {state for state in State if PERMITS[state] == FINISHING} == ABSENT
    assert {state for state in State if PERMITS[state] > DRAIN} == IN_SERVICE
    assert PERMITS[State.ACTIVATED] == ALL_KINDS
    assert ALL_KINDS - PERMITS[State.REGISTERED] == {"refund", "preauth", "additional_preauth"}


def test_holds_have_a_rank_of_their_own_each() -> None:
    """Two holds of one rank would make the reason of a refusal a matter of luck."""
    assert len({row.rank for row in HOLDS.values()}) == len(HOLDS)


@pytest.mark.parametrize("first", list(HOLDS))
@pytest.mark.parametrize("second", list(HOLDS))
def test_the_gravest_of_two_holds_is_named_and_one_lifted_still_holds(wire: Wire, first: str, second: str) -> None:
    """A terminal held for fraud would sell again once the arrears were paid."""
    lab = wire.lab
    if first == second:
        return
    for reason in (first, second):
        lab.act("hold", serial_number=wire.serial_number, reason=reason)
    gravest, other = sorted((first, second), key=lambda reason: HOLDS[reason].rank)
    assert wire.reason(wire.sale(100)) == f"hold.{gravest}"
    assert lift(wire, gravest)["suspended"]
    assert wire.reason(wire.sale(100)) == f"hold.{other}"
    lift(wire, other)
    wire.sell(100)


def lift(wire: Wire, reason: str) -> dict[str, Any]:
    """Released by hand, with evidence where the rule asks for some."""
    about = {"serial_number": wire.serial_number, "reason": reason}
    if HOLDS[reason].release is Release.EVIDENCE:
        wire.lab.act("file_evidence", **about, reference="slip 7")
    return wire.lab.act("release", **about)


@pytest.mark.parametrize(
    ("act", "arguments", "code"),
    [
        ("hold", {"reason": "boredom"}, "unknown_reason"),
        ("release", {"reason": "dispute"}, "not_held"),
        ("ship", {}, "illegal_step"),
        ("retire", {}, "illegal_step"),
        ("review", {}, "nothing_to_review"),
    ],
)
def test_an_act_that_has_no_place_changes_nothing(
    lab: Lab, wire: Wire, act: str, arguments: dict[str, str], code: str
) -> None:
    """An operator's slip would move a terminal to where nobody expects it."""
    before = lab.terminal(wire.serial_number), lab.rows("audit"), lab.rows("holds")
    with pytest.raises(AdminError) as refused:
        lab.act(act, serial_number=wire.serial_number, **arguments)
    assert refused.value.code == code
    assert before == (lab.terminal(wire.serial_number), lab.rows("audit"), lab.rows("holds"))
