"""Void, refund and reversal (product decision 3; invariants M8, M10, M11)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host.handlers.undo import CHINESE
from host.policy import Policy, Reversals
from host.records import TransactionState
from host.transactions import TRANSITIONS, Undo, step
from protocol.fields import F
from tests.host.wire import CREDIT, DEBIT, STRANGER, Lab, Sold, Wire, refusal


def states(wire: Wire) -> dict[str, str]:
    """Kind or kind and number to state, of the open batch."""
    return {row["stan"]: row["state"] for row in wire.lab.rows("transactions", batch=wire.batch)}


@pytest.fixture(autouse=True)
def books_agree(lab: Lab) -> Iterator[None]:
    """Whatever a test does, the ledger holds together afterwards."""
    yield
    assert lab.violations() == []


LEGAL = {
    ("captured", "void"): "voided",
    ("captured", "reverse"): "reversed",
    ("voided", "reverse the void"): "captured",
    ("captured", "adjust"): "adjusted",
    ("captured", "expire"): "expired",
}


@pytest.mark.parametrize("state", list(TransactionState))
@pytest.mark.parametrize("undo", list(Undo))
def test_a_row_is_undone_only_as_the_table_says(state: TransactionState, undo: Undo) -> None:
    """A reversed sale would be captured again by a late void."""
    assert step(state, undo) == LEGAL.get((str(state), str(undo)))
    assert set(TRANSITIONS) == set(TransactionState)
    assert (state in CHINESE) is not bool(TRANSITIONS[state].get(Undo.VOID))


# reversals


def test_a_reversal_undoes_a_sale_and_again_means_the_same(active: Wire) -> None:
    """A terminal that repeats its reversal until it is answered would be refused the second time."""
    sold = active.sell(5_000)
    assert active.code(active.reversal(5_000, sold.stan)) == "00"
    fields = active.money(5_000, "", sold.stan) | {F.RESPONSE_CODE: "06"}
    assert active.code(active.build("sale_reversal", fields | {F.PAN: DEBIT})) == "00"
    assert states(active) == {sold.stan: "reversed"}


def test_a_reversal_that_comes_first_leaves_a_tombstone_for_the_late_sale(active: Wire) -> None:
    """A sale that was overtaken by its reversal would be captured, and the guest has gone."""
    stan = active.stan()
    assert active.code(active.reversal(5_000, stan)) == "00"
    late = active.sale(5_000, stan=stan)
    reply = active.send(late)
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("12", "transaction.reversed")
    assert states(active) == {stan: "tombstone"}
    assert active.code(active.reversal(5_000, stan)) == "00"


def test_a_void_that_comes_after_its_reversal_is_refused(active: Wire) -> None:
    """A void that the terminal has given up would be done, and end in a system error before."""
    sold, stan = active.sell(5_000), active.stan()
    assert active.code(active.reversal(5_000, stan, kind="sale_void_reversal")) == "00"
    assert active.reason(active.void(sold, stan=stan)) == "transaction.reversed"
    assert states(active) == {sold.stan: "captured", stan: "tombstone"}


def test_the_policy_may_refuse_a_reversal_of_the_unknown(tmp_path: Path) -> None:
    """A tester could not play a host that answers 25; the late sale is refused all the same."""
    lab = Lab(tmp_path / "strict.db", Policy(reversals=Reversals(unknown_code="25")))
    wire = Wire(lab).activated()
    stan = wire.stan()
    assert wire.code(wire.reversal(5_000, stan)) == "25"
    assert wire.reason(wire.sale(5_000, stan=stan)) == "transaction.reversed"
    lab.store.close()


@pytest.mark.parametrize("amount_fen", [4_999, 5_001, 0])
def test_a_reversal_of_another_amount_is_refused(active: Wire, amount_fen: int) -> None:
    """A reversal with the number of another sale would undo the wrong one."""
    sold = active.sell(5_000)
    assert active.reason(active.reversal(amount_fen, sold.stan)) == "original.not_found"
    assert states(active) == {sold.stan: "captured"}


def test_a_reversal_of_another_kind_is_refused(active: Wire) -> None:
    """The reversal of a void would undo a sale."""
    sold = active.sell(5_000)
    assert active.reason(active.reversal(5_000, sold.stan, kind="sale_void_reversal")) == "original.not_found"
    assert states(active) == {sold.stan: "captured"}


def test_a_reversal_of_a_declined_sale_is_done_already(active: Wire) -> None:
    """A terminal that did not hear the decline would ask for ever."""
    stan = active.stan()
    assert active.code(active.sale(5_000, "6200000400000001", stan=stan)) == "43"
    assert active.code(active.reversal(5_000, stan, pan="6200000400000001")) == "00"
    assert states(active) == {stan: "declined"}


def test_a_reversed_void_gives_the_sale_back(active: Wire) -> None:
    """A void whose reply got lost would leave the shop without its money."""
    sold, stan = active.sell(5_000, CREDIT), active.stan()
    before = active.lab.act("accounts")
    assert active.code(active.void(sold, stan=stan)) == "00"
    assert active.code(active.reversal(5_000, stan, kind="sale_void_reversal", pan=CREDIT)) == "00"
    assert states(active) == {sold.stan: "captured", stan: "reversed"}
    assert active.lab.act("accounts") == before


def test_a_voided_sale_is_reversed_by_nothing(active: Wire) -> None:
    """A stale reversal would undo what the void has undone, and pay the guest twice."""
    sold = active.sell(5_000)
    assert active.code(active.void(sold)) == "00"
    assert active.reason(active.reversal(5_000, sold.stan)) == "original.undone"


def test_a_refunded_sale_is_reversed_by_nothing(active: Wire) -> None:
    """The guest would get the money back by the refund and once more by the reversal."""
    sold = active.sell(5_000)
    assert active.code(active.refund(sold, 1)) == "00"
    assert active.reason(active.reversal(5_000, sold.stan)) == "original.undone"


@pytest.mark.parametrize("stopped", [False, True])
def test_reversals_go_through_whatever_holds_the_terminal(active: Wire, stopped: bool) -> None:
    """A stop in the middle of a sale would leave it captured at one side only."""
    sold = active.sell(5_000)
    active.lab.act("hold", serial_number=active.serial_number, reason="fraud")
    if stopped:
        active.lab.act("stop", serial_number=active.serial_number)
    assert active.code(active.reversal(5_000, sold.stan)) == "00"
    assert states(active) == {sold.stan: "reversed"}


# voids


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"stan": "000777"}, "original.not_found"),
        ({"batch": "000001"}, "original.not_found"),
        ({"rrn": "000000000000"}, "original.not_found"),
        ({"amount_fen": 4_999}, "original.other_amount"),
        ({"pan": CREDIT}, "original.other_card"),
    ],
)
def test_a_void_names_its_original_exactly(active: Wire, change: dict[str, str | int], reason: str) -> None:
    """The cashier would void somebody else's sale."""
    sold = active.sell(5_000)
    named = Sold(**{name: change.get(name, getattr(sold, name)) for name in Sold.__annotations__})
    assert active.reason(active.void(named)) == reason
    assert states(active)[sold.stan] == "captured"


def test_a_void_needs_no_card(active: Wire) -> None:
    """The guest has left with the card, and the cashier cannot correct a mistake."""
    assert active.code(active.void(active.sell(5_000), pan="")) == "00"


def test_a_sale_is_voided_once(active: Wire) -> None:
    """Two voids would give the guest the money twice."""
    sold = active.sell(5_000)
    assert active.code(active.void(sold)) == "00"
    assert active.reason(active.void(sold)) == "original.undone"


def test_a_void_of_a_settled_sale_is_refused(active: Wire) -> None:
    """A batch that was paid out would change afterwards."""
    sold = active.sell(5_000)
    assert active.settle().text(F.RESPONSE_CODE) == "00"
    assert active.reason(active.void(sold)) == "original.not_found"


def test_a_refunded_sale_is_not_voided(active: Wire) -> None:
    """The guest would get back more than was paid."""
    sold = active.sell(5_000)
    assert active.code(active.refund(sold, 2_000)) == "00"
    assert active.reason(active.void(sold)) == "original.undone"


# refunds


def test_refunds_stop_at_what_was_paid(active: Wire) -> None:
    """A dishonest cashier would refund the same sale to himself again and again."""
    sold = active.sell(5_000)
    assert active.code(active.refund(sold, 2_000)) == "00"
    reply = active.send(active.refund(sold, 3_001))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).chinese) == ("64", "退货金额超过可退金额30.00元")
    assert active.code(active.refund(sold, 3_000)) == "00"
    assert active.reason(active.refund(sold, 1)) == "refund.above_rest"


def test_a_refund_goes_over_batches_and_tills_of_one_merchant(active: Wire) -> None:
    """Goods could be brought back only on the day and to the till where they were bought."""
    sold = active.sell(5_000)
    active.settle()
    other = Wire(active.lab, "PXE90-0002", "10000002").activated()
    assert other.code(other.refund(sold, 1_500)) == "00"
    assert active.code(active.refund(sold, 3_500)) == "00"
    assert active.reason(active.refund(sold, 1)) == "refund.above_rest"


def test_another_merchant_cannot_refund(active: Wire) -> None:
    """A refund would be paid by a merchant who never sold the goods."""
    sold = active.sell(5_000)
    other = Wire(active.lab, "PXE90-0002", "10000002", "898100000000002").activated()
    assert other.reason(other.refund(sold, 1_500)) == "original.not_found"


@pytest.mark.parametrize(
    ("amount_fen", "options", "reason"),
    [
        (0, {}, "amount.zero"),
        (100, {"pan": CREDIT}, "original.other_card"),
        (100, {"pan": STRANGER}, "original.other_card"),
        (100, {"pan": ""}, "card.unknown"),
        (100, {"ENTRY_MODE": "012"}, "refund.manual"),
    ],
)
def test_a_refund_needs_an_amount_and_the_card_itself(
    active: Wire, amount_fen: int, options: dict[str, str], reason: str
) -> None:
    """A refund would go to a card that paid nothing."""
    sold = active.sell(5_000)
    assert active.reason(active.refund(sold, amount_fen, **options)) == reason


@pytest.mark.parametrize("undo", ["void", "reversal"])
def test_a_sale_that_was_undone_is_not_refunded(active: Wire, undo: str) -> None:
    """The guest would get back more than was paid."""
    sold = active.sell(5_000)
    active.send(active.void(sold) if undo == "void" else active.reversal(5_000, sold.stan))
    assert active.reason(active.refund(sold, 1)) == "original.undone"


def test_refunds_never_exceed_the_sale_when_they_come_together(active: Wire) -> None:
    """Two refunds on two lines would each see the whole rest."""
    sold = active.sell(5_000, DEBIT)
    futures = [active.lab.acquirer.submit(active.refund(sold, 1_700)) for _ in range(5)]
    for future in futures:
        future.result(10)
    rows = active.lab.rows("transactions", kind="refund", state="captured")
    assert [row["amount_fen"] for row in rows] == [1_700, 1_700]


# what is undone


def test_a_reversal_of_another_card_is_refused(active: Wire) -> None:
    """A reversal that names another guest's card would give him the money."""
    sold = active.sell(5_000, CREDIT)
    assert active.reason(active.reversal(5_000, sold.stan, pan=STRANGER)) == "original.not_found"
    assert states(active) == {sold.stan: "captured"}
    other = active.sell(5_000, CREDIT)
    assert active.code(active.reversal(5_000, other.stan, pan=CREDIT)) == "00"


@pytest.mark.parametrize("undo", ["void", "reversal"])
def test_what_is_undone_costs_nothing(active: Wire, undo: str) -> None:
    """The merchant's statement would show a fee for a sale that never was."""
    sold, stan = active.sell(5_000, CREDIT), active.stan()
    assert active.lab.rows("transactions", rrn=sold.rrn)[0]["fee_fen"] == 30
    payload = active.void(sold, stan=stan) if undo == "void" else active.reversal(5_000, sold.stan, pan=CREDIT)
    assert active.code(payload) == "00"
    assert {row["fee_fen"] for row in active.lab.rows("transactions", batch=active.batch)} == {0}
    if undo == "void":
        assert active.code(active.reversal(5_000, stan, kind="sale_void_reversal", pan=CREDIT)) == "00"
        assert active.lab.rows("transactions", rrn=sold.rrn)[0]["fee_fen"] == 30
