"""What any cashier keeps, keys in, and makes of what the till says."""

from __future__ import annotations

from random import Random

import pytest

from pos_lab.cashier import SLIPS_MAX, Drawer, as_told, completed, drawn_flow, held, nothing

CHANCE = Random(0)


class Somebody:
    """A cashier with one slip of each kind."""

    def __init__(self) -> None:
        self.chance = CHANCE
        self.drawer = Drawer()
        for flow in ("sale", "preauth", "completion"):
            detail = {"auth_id": "123456", "date": "0314"}
            self.drawer.keep(
                ("60.00", "debit"), flow=flow, stan=f"{len(flow):06d}", rrn="000000000001", amount_fen=6_001,
                detail=detail,
            )  # fmt: skip


def test_words_stand_on_the_slip() -> None:
    """A refund would be of another sale than the customer's."""
    cashier = Somebody()
    slip = cashier.drawer.some(CHANCE, "sale")
    assert slip is not None
    assert slip.refund(slip.share_fen(50)) == ("30.00", "debit", "000000000001", "0314")
    assert held(cashier, (115,)) == ("69.01", "debit", "123456", "0314")
    assert completed(cashier) == ("000010",)
    assert nothing(cashier) == ()
    assert slip._replace(amount_fen=1).share_fen(34) == 1
    assert cashier.drawer.some(CHANCE, "qr_sale") is None


def test_one_of_the_latest_is_found() -> None:
    """Voids would be of sales that were settled long ago, and nobody would see one succeed."""
    drawer = Drawer()
    for number in range(20):
        drawer.keep((), flow="sale", stan=f"{number:06d}", rrn="", amount_fen=1, detail={})
    found = {slip.stan for _ in range(200) if (slip := drawer.some(CHANCE, "sale"))}
    assert found == {f"{number:06d}" for number in range(20 - SLIPS_MAX, 20)}


def test_what_weighs_nothing_is_never_done() -> None:
    """The weights of a table would be words without effect."""
    intents = {"sale": (3, nothing), "settle": (0, nothing), "echo": (1, nothing)}
    drawn = [drawn_flow(intents, CHANCE) for _ in range(400)]
    assert set(drawn) == {"sale", "echo"}
    assert drawn.count("sale") > 2 * drawn.count("echo")


@pytest.mark.parametrize(
    ("flow", "result", "stan", "taken"),
    [
        ("sale", "approved", "000001", "approved"),
        ("sale", "unknown", "000001", "unknown"),
        ("sale", "refused", "", ""),
        ("sale", "cancelled", "000001", ""),
        ("reverse", "done", "000001", "reversed"),
        ("reverse", "done", "", ""),
        ("upload", "refused", "000001", ""),
        ("reprint", "approved", "000001", ""),
    ],
)
def test_an_outcome_is_taken_as_it_is_meant(flow: str, result: str, stan: str, taken: str) -> None:
    """The examiner would hold a reprint against a reversal, and nobody would believe it any more."""
    assert as_told(flow, result, stan) == taken
