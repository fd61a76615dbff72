"""A card with so much and no more: what it paid is gone, what came back is there again."""

from __future__ import annotations

import pytest

from protocol.fields import F
from protocol.private import Balance
from tests.host.handlers.test_preauth import about, complete, hold, reverse, void_completion
from tests.host.wire import POOR, Wire

HAS_FEN = 100


def left_fen(wire: Wire) -> int:
    """What the issuer says is on the card."""
    fields = {name: value for name, value in wire.money(0, POOR, wire.stan()).items() if name != F.AMOUNT}
    reply = wire.send(wire.build("balance", fields))
    assert reply.text(F.RESPONSE_CODE) == "00"
    return Balance.parse(reply.text(F.ADDITIONAL_AMOUNT)).amount_fen


def test_what_is_paid_cannot_be_paid_again(active: Wire) -> None:
    """A poor card would pay for the whole street."""
    active.sell(60, POOR)
    assert left_fen(active) == 40
    assert active.code(active.sale(41, POOR)) == "51"
    active.sell(40, POOR)
    assert left_fen(active) == 0


@pytest.mark.parametrize("way", ["void", "reversal", "refund"])
def test_what_comes_back_can_be_paid_again(active: Wire, way: str) -> None:
    """A customer whose payment was undone could not pay elsewhere."""
    sold = active.sell(HAS_FEN, POOR)
    assert left_fen(active) == 0
    undo = {
        "void": lambda: active.void(sold),
        "reversal": lambda: active.reversal(HAS_FEN, sold.stan, pan=POOR),
        "refund": lambda: active.refund(sold, HAS_FEN),
    }[way]
    assert active.code(undo()) == "00"
    assert left_fen(active) == HAS_FEN


def test_a_hold_is_held_and_its_completion_counts_once(active: Wire) -> None:
    """A hotel's hold would be taken twice, or not keep the money."""
    reply = active.send(active.build("preauth", active.money(80, POOR, active.stan())))
    assert reply.text(F.RESPONSE_CODE) == "00"
    assert left_fen(active) == 20
    fields = active.money(70, POOR, active.stan()) | {F.AUTH_ID: reply.text(F.AUTH_ID)}
    fields[F.ORIGINAL] = f"{active.batch}000000{reply.text(F.LOCAL_DATE)}"
    assert active.code(active.build("completion", fields)) == "00"
    assert left_fen(active) == 30


@pytest.mark.parametrize(("way", "meanwhile_fen"), [("void", 100), ("reversal", 20), ("late reversal", 20)])
def test_a_completion_that_was_taken_back(active: Wire, way: str, meanwhile_fen: int) -> None:
    """A guest could not pay with what no hotel can take any more, or pay elsewhere with what is still held."""
    held = hold(active, 80, POOR)
    sold = complete(active, held, 70)
    if way == "late reversal":
        assert active.settle().text(F.RESPONSE_CODE) == "00"
    undo = {
        "void": lambda: void_completion(active, sold),
        "reversal": lambda: reverse(active, "completion", 70, sold.stan, POOR),
        "late reversal": lambda: reverse(active, "completion", 70, sold.stan, POOR, batch=sold.batch),
    }[way]
    assert active.code(undo()) == "00"
    assert left_fen(active) == meanwhile_fen
    assert active.code(about(active, "completion", held, 60)) == ("12" if way == "void" else "00")
    assert left_fen(active) == (100 if way == "void" else 40)


def test_a_declined_payment_leaves_everything(active: Wire) -> None:
    """A refusal would cost the customer the amount."""
    assert active.code(active.sale(HAS_FEN + 1, POOR)) == "51"
    assert left_fen(active) == HAS_FEN
