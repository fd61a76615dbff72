"""Disputes: what a cardholder contests, and what it costs the merchant (product D; invariants M3, S9, S10)."""

from __future__ import annotations

from typing import Any

import pytest

from host.disputes import TRANSITIONS, DisputeState, Move, step
from host.errors import AdminError
from protocol.fields import F
from tests.host.wire import CREDIT, Sold, Wire

pytestmark = pytest.mark.feature("D")
DAY_S = 86_400


def opened(wire: Wire, sold: Sold, amount_fen: int = 0, reason: str = "not_mine") -> int:
    """The number of a new dispute."""
    told = wire.lab.act(
        "open_dispute", merchant_id=wire.merchant_id, rrn=sold.rrn, reason=reason, amount_fen=amount_fen
    )
    return int(told["number"])


def settled(wire: Wire, amount_fen: int = 10_000) -> Sold:
    """A sale by credit card in a settled batch."""
    sold = wire.sell(amount_fen, CREDIT)
    assert wire.settle().text(F.RESPONSE_CODE) == "00"
    return sold


def payout(wire: Wire) -> tuple[int, int]:
    """What is paid, and what is carried."""
    told = wire.lab.act("payout", merchant_id=wire.merchant_id)
    return int(told["total_fen"]), int(told["carried_fen"])


def test_a_lost_dispute_is_taken_from_the_next_payout_once(active: Wire) -> None:
    """The acquirer would pay for the goods, or the merchant pay for them twice."""
    sold = settled(active)
    payout(active)
    number = opened(active, sold, 4_000)
    active.lab.act("answer_dispute", number=number, answer="the goods were handed over")
    assert payout(active) == (0, 0)
    assert active.lab.act("lose_dispute", number=number, why="no proof")["amount_fen"] == 4_000
    assert payout(active) == (0, -4_000)
    settled(active, 20_000)
    assert payout(active) == (20_000 - 120 - 4_000, 0)
    assert active.lab.violations() == []
    assert active.lab.act("accounts")["sum_fen"] == 0


def test_silence_loses(active: Wire) -> None:
    """A merchant who never answers would keep the money for ever."""
    first, second = settled(active), settled(active)
    unanswered, answered = opened(active, first), opened(active, second)
    active.lab.act("answer_dispute", number=answered, answer="see the slip")
    active.lab.later(days=10)
    assert active.lab.act("overdue_disputes") == {"lost": []}
    active.lab.later(seconds=1)
    assert active.lab.act("overdue_disputes") == {"lost": [unanswered]}
    assert active.lab.act("overdue_disputes") == {"lost": []}


@pytest.mark.parametrize("state", DisputeState)
@pytest.mark.parametrize("move", Move)
def test_only_the_moves_of_the_table_move(active: Wire, state: DisputeState, move: Move) -> None:
    """A dispute that is over would be lost again, and the money taken twice."""
    number = opened(active, settled(active))
    if state is not DisputeState.OPEN:
        active.lab.act("answer_dispute", number=number, answer="no")
    ends = {DisputeState.RESOLVED: "resolve", DisputeState.LOST: "lose", DisputeState.WITHDRAWN: "withdraw"}
    if state in ends:
        active.lab.act(f"{ends[state]}_dispute", number=number, why="so it is")
    said = {"answer": "no"} if move is Move.ANSWER else {"why": "so it is"}
    due = step(state, move)
    if due is None:
        assert not TRANSITIONS[state].get(move)
        with pytest.raises(AdminError, match="has no place there"):
            active.lab.act(f"{move}_dispute", number=number, **said)
        return
    assert active.lab.act(f"{move}_dispute", number=number, **said)["state"] == due


def test_no_more_is_contested_than_is_left(active: Wire) -> None:
    """One sale would cost the merchant more than it brought."""
    sold = settled(active)
    opened(active, sold, 6_000)
    with pytest.raises(AdminError, match=r"40\.00"):
        opened(active, sold, 4_001)
    assert active.code(active.refund(sold, 4_001)) == "64"
    assert active.code(active.refund(sold, 4_000)) == "00"
    with pytest.raises(AdminError, match="nothing of the sale is left"):
        opened(active, sold)


def test_a_withdrawn_dispute_frees_what_it_contested(active: Wire) -> None:
    """A customer who was satisfied could get no refund any more."""
    sold = settled(active)
    number = opened(active, sold)
    assert active.code(active.refund(sold, 10_000)) != "00"
    active.lab.act("withdraw_dispute", number=number, why="a mistake")
    assert active.code(active.refund(sold, 10_000)) == "00"


def test_a_contested_sale_cannot_be_voided(active: Wire) -> None:
    """The money would go back by the void and by the dispute."""
    sold = active.sell(10_000, CREDIT)
    opened(active, sold)
    assert active.code(active.void(sold)) != "00"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"reason": "mood"}, "no dispute reason"),
        ({"rrn": "999999999999"}, "no sale with RRN"),
        ({"amount_fen": 10_001}, "can be contested"),
        ({"amount_fen": -1}, "can be contested"),
        ({"note": "two\nlines"}, "not one line"),
    ],
)
def test_what_cannot_be_contested_is_named(active: Wire, words: dict[str, object], said: str) -> None:
    """An operator would open a dispute about nothing."""
    sold = settled(active)
    arguments: dict[str, Any] = {"merchant_id": active.merchant_id, "rrn": sold.rrn, "reason": "goods"} | words
    with pytest.raises(AdminError, match=said):
        active.lab.act("open_dispute", **arguments)


def test_evidence_shows_the_sale_and_says_that_the_signature_lacks(active: Wire) -> None:
    """That nobody signed would be discovered in front of the bank."""
    shown = active.lab.act("evidence", number=opened(active, settled(active, 200_000)))
    [row] = shown["transaction"]
    assert (row["amount_fen"], row["card"]) == (200_000, f"{CREDIT[:6]}******{CREDIT[-4:]}")
    assert "card_token" not in row
    assert shown["signature"] == []
    assert len(shown["lacks"]) == 1
    assert shown["signature_decides"]
