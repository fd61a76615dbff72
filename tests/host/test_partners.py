"""Partners that are slow, down or wrong, and answers by rule (product P, R9)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host.errors import AdminError
from host.partners import PARTNER_OF, PARTNERS, SLOW_S
from host.policy import Answer, Policy
from protocol.fields import F
from tests.host.wire import CREDIT, DEBIT, Lab, Wire

pytestmark = pytest.mark.feature("P")


def switch(wire: Wire, name: str, state: str) -> None:
    """Switch a partner."""
    wire.lab.act("partner", name=name, state=state)


@pytest.mark.parametrize(("state", "code"), [("down", "91"), ("wrong", "96")])
def test_what_needs_a_partner_that_fails_is_refused_until_it_is_up(active: Wire, state: str, code: str) -> None:
    """A sale would be approved that no issuer has seen."""
    switch(active, "network", state)
    assert active.code(active.sale(1_000)) == code
    assert active.lab.rows("transactions", batch=active.batch) == []
    switch(active, "network", "up")
    assert active.code(active.sale(1_000)) == "00"


def test_reversals_and_settlements_need_no_partner(active: Wire) -> None:
    """An outage of the network would strand the money of the day."""
    sold = active.sell(1_000)
    other = active.sell(2_000)
    switch(active, "network", "down")
    assert active.code(active.reversal(1_000, sold.stan)) == "00"
    assert active.settle().text(F.RESPONSE_CODE) == "00"
    assert other.rrn


def test_one_partner_down_leaves_the_others_up(active: Wire) -> None:
    """A wallet's outage would stop the cards."""
    switch(active, "qr", "down")
    switch(active, "tms", "down")
    assert active.code(active.sale(1_000)) == "00"
    assert active.code(active.management("firmware_query")) == "91"


def test_a_slow_partner_delays_the_answer_and_nothing_else(active: Wire) -> None:
    """Nobody could try what a terminal does when its patience ends."""
    switch(active, "network", "slow")
    answer = active.lab.answer(active.sale(1_000))
    assert answer.delay_s == SLOW_S
    assert active.lab.answer(active.management("echo")).delay_s == 0
    assert active.lab.rows("transactions", batch=active.batch)[0]["state"] == "captured"


def test_a_bank_that_is_down_pays_nothing_and_owes_it(active: Wire) -> None:
    """A payout into the void would be marked as paid."""
    switch(active, "bank", "down")
    for act, words in (("payout", {"merchant_id": active.merchant_id}), ("run_payouts", {})):
        with pytest.raises(AdminError, match="bank is down"):
            active.lab.act(act, **words)
    switch(active, "bank", "up")
    assert active.lab.act("payout", merchant_id=active.merchant_id)["total_fen"] > 0


def test_every_kind_that_needs_a_partner_names_one_that_is_there() -> None:
    """A switch that nobody can find would stay on."""
    assert set(PARTNER_OF.values()) <= PARTNERS.keys()


RULES = (
    Answer(code="00", card="6200000200"),
    Answer(code="51", kind="sale", least_fen=5_000, most_fen=5_999),
    Answer(code="41", terminal_id="99999999"),
    Answer(code="54", entry_mode="07", card="6200000100"),
)


@pytest.fixture
def ruled(tmp_path: Path) -> Iterator[Wire]:
    """A terminal at a host with rules for answers."""
    lab = Lab(tmp_path / "host.db")
    wire = Wire(lab).activated()
    lab.policy = lab.acquirer.policy = Policy(answers=RULES)
    yield wire
    lab.store.close()


@pytest.mark.parametrize(
    ("amount_fen", "pan", "code"),
    [(5_500, CREDIT, "00"), (5_500, DEBIT, "51"), (6_000, DEBIT, "54"), (1_000, CREDIT, "00")],
)
def test_the_first_rule_that_fits_answers(ruled: Wire, amount_fen: int, pan: str, code: str) -> None:
    """A tester could not make the issuer say what the case at hand needs."""
    assert ruled.code(ruled.sale(amount_fen, pan)) == code
    [row] = ruled.lab.rows("transactions", batch=ruled.batch)
    assert (row["code"], row["fee_fen"] > 0) == (code, code == "00")
