"""Kinds of the protocol that this host does not serve, and messages that it knows under more than one MTI."""

from __future__ import annotations

import pytest

from host.handlers import HANDLERS
from host.lifecycle import ALL_KINDS, DRAIN, NEW_BUSINESS, REVERSALS
from protocol.codec import seal
from protocol.elements import Value
from protocol.fields import F
from protocol.kinds import KINDS
from protocol.message import Message
from protocol.private import Control
from tests.host.wire import DEBIT, Wire

UNSERVED = sorted(name for name, kind in KINDS.items() if name not in ALL_KINDS and not kind.variant_of)


def test_what_is_served_has_a_handler_and_stands_in_one_group() -> None:
    """A new kind of the protocol would be let through by a gate that nobody thought of."""
    assert set(HANDLERS) == ALL_KINDS
    assert {"sale", "sale_void", "refund", "balance", "preauth", "completion", "offline_sale"} < NEW_BUSINESS
    assert {KINDS[name].reversal for name in NEW_BUSINESS} - {""} == REVERSALS
    assert not DRAIN & NEW_BUSINESS
    assert {name for name in DRAIN if KINDS[name].moves_money} == REVERSALS


@pytest.mark.parametrize("name", UNSERVED)
def test_a_kind_that_is_not_served_gets_40_and_changes_nothing(active: Wire, name: str) -> None:
    """A load of a purse would be booked as a sale, or the terminal wait for an answer that never comes."""
    kind = KINDS[name]
    fields: dict[int, Value] = {F.STAN: active.stan()}
    if kind.moves_money:
        fields |= active.money(100, DEBIT, active.stan())
    fields |= {
        F.TERMINAL_ID: active.terminal_id,
        F.MERCHANT_ID: active.merchant_id,
        F.CONTROL: str(Control(kind.type_code, active.batch, kind.networks[0])),
    }
    if kind.processing_code:
        fields |= {F.PROCESSING_CODE: kind.processing_code, F.CONDITION_CODE: kind.condition_code}
    if kind.marks and kind.marks[0].number == F.ENTRY_MODE:
        fields[F.ENTRY_MODE] = "032"
    before = active.lab.rows("transactions"), active.lab.rows("postings"), active.lab.rows("replies")
    reply = active.send(seal(Message(kind.mti, fields), active.make_mac if kind.has_mac else None))
    assert (reply.mti, reply.text(F.RESPONSE_CODE)) == (kind.reply_mti, "40")
    assert before == (active.lab.rows("transactions"), active.lab.rows("postings"), active.lab.rows("replies"))


@pytest.mark.parametrize("mti", ["0800", "0820"])
def test_a_status_is_answered_under_the_mti_that_it_came_with(active: Wire, mti: str) -> None:
    """CUP 10: half of the terminals in the field would find no reply to their status."""
    fields: dict[int, Value] = {
        F.TERMINAL_ID: active.terminal_id,
        F.MERCHANT_ID: active.merchant_id,
        F.CONTROL: f"00{active.batch}362",
        F.DEVICE: active.device(),
        F.PAYLOAD: b"011",
    }
    reply = active.send(seal(Message(mti, fields)))
    assert (reply.mti, reply.text(F.RESPONSE_CODE)) == (KINDS["echo"].reply_mti if mti == "0820" else "0810", "00")


def test_a_tap_without_pin_is_a_sale(active: Wire) -> None:
    """Small taps, the most common sale of all, would be refused."""
    assert active.sell(100)
    assert active.lab.rows("transactions")[-1]["kind"] == "sale"
