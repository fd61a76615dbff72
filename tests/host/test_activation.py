"""Activation by net captured turnover (product decision 1, invariants L2 and L3)."""

from __future__ import annotations

import pytest

from host.policy import Activation, Gates, Policy
from protocol.fields import F
from protocol.private import pack_tags
from tests.host.wire import CREDIT, Lab, Sold, Wire, totals_of


def is_activated(wire: Wire) -> bool:
    """By state and by instant, which must agree."""
    row = wire.lab.terminal(wire.serial_number)
    assert (row["state"] == "activated") is (row["activated_at"] is not None)
    return bool(row["state"] == "activated")


@pytest.mark.feature("A1")
@pytest.mark.parametrize(
    ("amounts_fen", "activated"),
    [
        ([9_999], False),
        ([10_000], True),
        ([10_001], True),
        ([6_000, 3_999], False),
        ([6_000, 3_999, 1], True),
        ([9_999, 10_000], True),
        ([1] * 3, False),
    ],
)
def test_a_hundred_yuan_activate_to_the_fen(wire: Wire, amounts_fen: list[int], activated: bool) -> None:
    """The merchant would miss the reward by one fen, or get it one fen early."""
    for amount_fen in amounts_fen:
        wire.sell(amount_fen)
    assert is_activated(wire) is activated


def test_a_void_after_activation_does_not_take_it_back(wire: Wire) -> None:
    """A terminal that refunded a guest this morning could not refund one this afternoon."""
    sold = wire.sell(10_000)
    assert wire.code(wire.void(sold)) == "00"
    assert is_activated(wire)
    assert wire.lab.act("show", serial_number=wire.serial_number)["turnover_fen"] == 0


def test_a_reversed_sale_counts_nothing(wire: Wire) -> None:
    """A terminal would be activated by money that never arrived."""
    sold = wire.sell(6_000)
    assert wire.code(wire.reversal(6_000, sold.stan)) == "00"
    wire.sell(4_000)
    assert not is_activated(wire)
    wire.sell(6_000)
    assert is_activated(wire)


def test_a_voided_sale_counts_nothing_and_a_reversed_void_counts_again(wire: Wire) -> None:
    """A lost reply to a void would cost the merchant the activation."""
    sold = wire.sell(9_000)
    stan = wire.stan()
    assert wire.code(wire.void(sold, stan=stan)) == "00"
    wire.sell(1_000)
    assert not is_activated(wire)
    assert wire.code(wire.reversal(9_000, stan, kind="sale_void_reversal")) == "00"
    assert is_activated(wire)


def test_a_declined_sale_counts_nothing(wire: Wire) -> None:
    """A stolen card would activate a terminal."""
    assert wire.code(wire.sale(10_000, "6200000400000001")) == "43"
    assert not is_activated(wire)


def test_a_refund_does_not_subtract(active: Wire) -> None:
    """A shop that takes goods back would look as if it had never traded."""
    sold = active.sell(20_000)
    assert active.code(active.refund(sold, 20_000)) == "00"
    assert active.lab.act("show", serial_number=active.serial_number)["turnover_fen"] == 30_000


def test_a_refund_before_activation_is_refused_and_told_what_is_missing(wire: Wire) -> None:
    """Stolen money would be washed through a terminal that never sold anything."""
    sold = wire.sell(9_999)
    reply = wire.send(wire.refund(sold, 100))
    assert (reply.text(F.RESPONSE_CODE), wire.reason(wire.refund(sold, 100))) == ("58", "terminal.not_activated")
    assert "累计99.99元，需100.00元" in reply.text(F.TEXT)


def test_a_duplicate_counts_once(wire: Wire) -> None:
    """One sale of 50 yuan whose frame came twice would activate."""
    payload = wire.sale(5_000)
    assert wire.code(payload) == wire.code(payload) == "00"
    assert not is_activated(wire)


def test_turnover_goes_over_batches(wire: Wire) -> None:
    """A shop that settles every evening would never be activated."""
    wire.sell(6_000)
    assert wire.code(wire.settlement(totals_of(wire.lab.rows("transactions")))) == "00"
    wire.batch = "000002"
    wire.sell(4_000, CREDIT)
    assert is_activated(wire)


def test_the_policy_chooses_another_figure(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A tester could not play another acquirer's rule."""
    lab = Lab(tmp_path_factory.mktemp("policy") / "host.db", Policy(activation=Activation(turnover_fen=1)))
    wire = Wire(lab).on_counter()
    wire.sell(1)
    assert is_activated(wire)
    lab.store.close()


@pytest.mark.feature("A2")
@pytest.mark.parametrize(
    ("reading", "turnover_fen", "activates_at_fen"),
    [("net", 6_000, 4_000), ("less_refunds", 5_000, 5_000), ("cards", 4_000, 6_000), ("gross", 9_000, 1_000)],
)
def test_the_policy_chooses_what_counts(lab: Lab, reading: str, turnover_fen: int, activates_at_fen: int) -> None:
    """Two acquirers read the same contract differently, and a tester could play only one of them."""
    figures = {"turnover_fen": 10_000, "reading": reading}
    lab.policy = lab.acquirer.policy = Policy(activation=Activation(**figures), gates=Gates(not_activated=False))
    wire = Wire(lab).on_counter()
    sold, undone = wire.sell(4_000), wire.sell(3_000)
    code = {F.ENTRY_MODE: "032", F.DEVICE: wire.device() + pack_tags([("A3", b"2800" + b"1" * 14)])}
    assert wire.code(wire.build("qr_sale", {**wire.money(2_000, "", wire.stan()), **code})) == "00"
    assert wire.code(wire.void(undone)) == "00"
    assert wire.code(wire.refund(sold, 1_000)) == "00"
    assert lab.act("show", serial_number=wire.serial_number)["turnover_fen"] == turnover_fen
    wire.sell(activates_at_fen - 1)
    assert not is_activated(wire)
    wire.sell(1)
    assert is_activated(wire)


def test_a_late_row_about_a_code_counts_as_little_as_its_sale(lab: Lab) -> None:
    """A merchant's cards would count for less because a customer's code was taken back after the settlement."""
    figures = {"turnover_fen": 10_000, "reading": "cards"}
    lab.policy = lab.acquirer.policy = Policy(activation=Activation(**figures), gates=Gates(not_activated=False))
    wire = Wire(lab).on_counter()

    def paid_by_code(amount_fen: int) -> Sold:
        code = {
            F.ENTRY_MODE: "032",
            F.DEVICE: wire.device() + pack_tags([("A3", b"2800" + wire.stan().encode() * 2 + b"11")]),
        }
        stan = wire.stan()
        reply = wire.send(wire.build("qr_sale", {**wire.money(amount_fen, "", stan), **code}))
        assert reply.text(F.RESPONSE_CODE) == "00"
        return Sold(wire.batch, stan, amount_fen, "", reply.text(F.RRN))

    def turnover_fen() -> int:
        return int(lab.act("show", serial_number=wire.serial_number)["turnover_fen"])

    def late(sold: Sold, stan: str, kind: str) -> str:
        fields = (
            wire.money(sold.amount_fen, "", stan)
            | {F.RESPONSE_CODE: "98"}
            | ({} if sold.pan else {F.ENTRY_MODE: "032"})
        )
        return wire.code(wire.build(kind, fields, batch=sold.batch))

    card, reversed_card = wire.sell(4_000), wire.sell(1_000)
    reversed_late, voided, void = paid_by_code(2_000), paid_by_code(3_000), wire.stan()
    voided_card, void_card = wire.sell(500), wire.stan()
    assert [wire.code(wire.void(voided, stan=void)), wire.code(wire.void(voided_card, stan=void_card))] == ["00", "00"]
    assert wire.settle().text(F.RESPONSE_CODE) == "00"
    assert turnover_fen() == card.amount_fen + reversed_card.amount_fen
    assert late(reversed_late, reversed_late.stan, "qr_sale_reversal") == "00"
    assert late(voided, void, "sale_void_reversal") == "00"
    assert {row["kind"] for row in lab.rows("transactions")} >= {"late_reversal", "late_restoration"}
    assert turnover_fen() == card.amount_fen + reversed_card.amount_fen
    assert late(reversed_card, reversed_card.stan, "sale_reversal") == "00"
    assert late(voided_card, void_card, "sale_void_reversal") == "00"
    assert turnover_fen() == card.amount_fen + voided_card.amount_fen
