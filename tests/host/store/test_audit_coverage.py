"""Every act that changes something leaves its row in the audit, and so does every change of a terminal's state."""

from __future__ import annotations

import pytest

from tests.host.wire import FORM, Lab, Wire

pytestmark = pytest.mark.feature("K")


def test_every_change_of_state_has_its_row(lab: Lab) -> None:
    """Nobody could say when, and by whom, a terminal came to where it stands."""
    wire = Wire(lab)
    seen, before = [""], ""

    def look() -> None:
        nonlocal before
        state = lab.terminal(wire.serial_number)["state"]
        if state != before:
            rows = [row["detail"] for row in lab.rows("audit", serial_number=wire.serial_number)]
            assert any(f"-> {state}" in row or state == "ordered" for row in rows), (state, rows)
            seen.append(state)
            before = state

    wire.order()
    look()
    wire.lab.act("submit", serial_number=wire.serial_number, **FORM)
    look()
    wire.lab.act("review", serial_number=wire.serial_number)
    wire.sign_on()
    look()
    wire.sell(lab.policy.activation.turnover_fen)
    look()
    wire.settle()
    for act in ("stop", "retire"):
        lab.act(act, serial_number=wire.serial_number)
        look()
    assert seen == ["", "delivered", "submitted", "registered", "activated", "stopped", "retired"]


def test_an_act_without_words_of_its_own_leaves_a_plain_row(lab: Lab) -> None:
    """An act that forgot its row would never have happened."""
    lab.act("add_model", model="M1", brand="b", family="mpos")
    rows = lab.rows("audit")
    assert (rows[-1]["act"].replace(" ", "_"), rows[-1]["actor"]) == ("add_model", "admin")


def test_looking_leaves_no_row(active: Wire) -> None:
    """The audit would be full of people who looked."""
    before = len(active.lab.rows("audit"))
    for act in ("terminals", "models", "accounts", "verify", "verify_audit", "tokens", "proposals", "certificates"):
        active.lab.act(act)
    assert len(active.lab.rows("audit")) == before
