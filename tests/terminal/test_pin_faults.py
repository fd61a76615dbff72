"""What can happen at the PIN pad ends the sale before anything is sent (P04)."""

from __future__ import annotations

import pytest

from firmware_sim.keypad import PIN_FAULTS
from tests.terminal.bench import Bench

CARD = "debit_stripe"


@pytest.mark.parametrize("name", PIN_FAULTS)
async def test_a_fault_at_the_pin_pad_cancels_the_sale(bench: Bench, name: str) -> None:
    """A PIN that nobody confirmed would be sent, or wait for the next customer."""
    bench.hardware.faults.arm(name)
    entry = bench.terminal.board.keypad._secure_entry
    outcome = await bench.sell(card=CARD)
    assert (outcome.result, bench.hardware.faults.fired[name]) == ("cancelled", 1)
    assert (bench.host.asked("sale"), entry.take()) == ([], bytearray())
    assert bench.terminal.board.secure_module.counters[name.partition(".")[2]] == 1
    assert (await bench.sell(card=CARD)).result == "approved"
    assert bench.host.asked("sale")


async def test_no_pin_where_one_is_asked_for(bench: Bench) -> None:
    """The PIN that is missing would be the one of the customer before."""
    await bench.sell(card=CARD)
    outcome = await bench.terminal.run("sale", amount_fen=6000, card=CARD, pin="")
    assert "123456" not in str(outcome)
    assert not bench.terminal.board.keypad._secure_entry.take()
