"""Random lives of two tills against a ledger written again from the rules (invariants M1, M3, M6 to M8, M10, S9).

The model knows the wire and the product's rules and nothing of the host's code.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from protocol.fields import F
from tests.host.wire import CREDIT, DEBIT, STOLEN, Lab, Sold, Wire

AMOUNTS = st.sampled_from([1, 83, 84, 999, 10_000, 499_999, 500_001])
WHICH = st.integers(0, 10**6)

NO_SALES = ("sale_void", "late_reversal", "late_restoration")


@dataclass
class Row:
    """One approved sale or refund as the model has it."""

    till: int
    sold: Sold
    kind: str
    fee_fen: int
    state: str = "captured"
    refunded_fen: int = 0
    void_stan: str = ""
    settled: bool = False
    given_back: bool = False

    @property
    def net_fen(self) -> int:
        """What it is worth to the merchant."""
        return self.worth_fen if self.state == "captured" else 0

    @property
    def worth_fen(self) -> int:
        """The same, if it stands."""
        if self.kind == "adjustment":
            return self.sold.amount_fen
        return self.sold.amount_fen - self.fee_fen if self.kind == "sale" else -self.sold.amount_fen


def fee_fen(pan: str, amount_fen: int) -> int:
    """0.6 % of a credit card; 0.5 % of a debit card and 25 yuan at most; half up."""
    if pan == CREDIT:
        return (amount_fen * 60 + 5_000) // 10_000
    return min((amount_fen * 50 + 5_000) // 10_000, 2_500)


class Ledger(RuleBasedStateMachine):
    """Sales, voids, refunds, reversals, settlements, payouts and repetitions in any order."""

    @initialize()
    def open(self) -> None:
        """Two activated tills of one merchant, paid out."""
        self.folder = tempfile.TemporaryDirectory()
        self.lab = Lab(Path(self.folder.name) / "host.db")
        self.tills = [Wire(self.lab, f"PXE90-000{n}", f"1000000{n}").activated() for n in (1, 2)]
        self.merchant_id = self.tills[0].merchant_id
        self.lab.act("payout", merchant_id=self.merchant_id)
        self.rows: list[Row] = []
        self.paid_fen = 0
        self.sent: list[tuple[bytes, bytes]] = []

    def teardown(self) -> None:
        """Close the file."""
        if hasattr(self, "lab"):
            self.lab.store.close()
            self.folder.cleanup()

    def ask(self, till: int, payload: bytes) -> tuple[str, str]:
        """Send, remember the bytes for a repetition, return code and reference."""
        answer = self.lab.answer(payload).payload
        self.sent.append((payload, answer))
        reply = self.tills[till].send(payload)  # and once more: the stored reply
        return reply.text(F.RESPONSE_CODE), reply.text(F.RRN)

    def pick(self, which: int) -> Row | None:
        """Some sale."""
        sales = [row for row in self.rows if row.kind == "sale"]
        return sales[which % len(sales)] if sales else None

    @rule(till=st.integers(0, 1), amount_fen=AMOUNTS, pan=st.sampled_from([DEBIT, CREDIT, STOLEN]))
    def sale(self, till: int, amount_fen: int, pan: str) -> None:
        """A sale, approved or declined."""
        wire = self.tills[till]
        stan = wire.stan()
        code, rrn = self.ask(till, wire.sale(amount_fen, pan, stan=stan))
        assert code == ("43" if pan == STOLEN else "00")
        if code == "00":
            sold = Sold(wire.batch, stan, amount_fen, pan, rrn)
            self.rows.append(Row(till, sold, "sale", fee_fen(pan, amount_fen)))

    @precondition(lambda self: self.rows)
    @rule(which=WHICH)
    def void(self, which: int) -> None:
        """A void of a sale, in its batch or too late."""
        if row := self.pick(which):
            wire = self.tills[row.till]
            stan = wire.stan()
            code, _ = self.ask(row.till, wire.void(row.sold, stan=stan))
            legal = row.state == "captured" and not row.refunded_fen and not row.settled
            assert (code == "00") is legal
            if legal:
                row.state, row.void_stan = "voided", stan

    @precondition(lambda self: self.rows)
    @rule(which=WHICH)
    def reverse_void(self, which: int) -> None:
        """A reversal of a void, whenever it comes."""
        row = self.pick(which)
        if row and row.void_stan:
            wire = self.tills[row.till]
            payload = wire.reversal(
                row.sold.amount_fen, row.void_stan, kind="sale_void_reversal", batch=row.sold.batch, pan=row.sold.pan
            )
            code, _ = self.ask(row.till, payload)
            assert code == "00"
            if row.state == "voided" and row.settled and not row.given_back:
                row.given_back = True
                self.rows.append(self.adjustment(row, row.worth_fen))
            elif row.state == "voided" and not row.settled:
                row.state = "captured"

    @precondition(lambda self: self.rows)
    @rule(which=WHICH)
    def reverse(self, which: int) -> None:
        """A reversal of a sale, whenever it comes."""
        if row := self.pick(which):
            wire = self.tills[row.till]
            payload = wire.reversal(row.sold.amount_fen, row.sold.stan, batch=row.sold.batch, pan=row.sold.pan)
            code, _ = self.ask(row.till, payload)
            if row.state == "captured" and not row.refunded_fen and code == "00":
                if row.settled:
                    row.refunded_fen = row.sold.amount_fen
                    self.rows.append(self.adjustment(row, -row.worth_fen))
                else:
                    row.state = "reversed"

    def adjustment(self, row: Row, fen: int) -> Row:
        """What is undone of a closed batch is a row of the open one (S6)."""
        sold = Sold(self.tills[row.till].batch, "", fen, row.sold.pan, "")
        return Row(row.till, sold, "adjustment", 0)

    @rule(till=st.integers(0, 1), amount_fen=AMOUNTS)
    def overtaken(self, till: int, amount_fen: int) -> None:
        """A reversal that comes before its sale."""
        wire = self.tills[till]
        stan = wire.stan()
        assert self.ask(till, wire.reversal(amount_fen, stan))[0] == "00"
        assert self.ask(till, wire.sale(amount_fen, stan=stan))[0] == "12"

    @precondition(lambda self: self.rows)
    @rule(which=WHICH, till=st.integers(0, 1), amount_fen=AMOUNTS)
    def refund(self, which: int, till: int, amount_fen: int) -> None:
        """A refund at either till."""
        if row := self.pick(which):
            wire = self.tills[till]
            stan = wire.stan()
            code, rrn = self.ask(till, wire.refund(row.sold, amount_fen, stan=stan))
            legal = row.state == "captured" and amount_fen + row.refunded_fen <= row.sold.amount_fen
            assert (code == "00") is legal
            if legal:
                row.refunded_fen += amount_fen
                self.rows.append(Row(till, Sold(wire.batch, stan, amount_fen, row.sold.pan, rrn), "refund", 0))

    @rule(till=st.integers(0, 1))
    def settle(self, till: int) -> None:
        """The totals of the model close the batch."""
        wire = self.tills[till]
        batch = wire.batch
        assert wire.settle().text(F.RESPONSE_CODE) == "00"
        for row in self.rows:
            if row.till == till and row.sold.batch == batch:
                row.settled = True

    @rule()
    def pay(self) -> None:
        """What is settled is paid, a debt is carried."""
        due_fen = sum(row.net_fen for row in self.rows if row.settled) - self.paid_fen
        result = self.lab.act("payout", merchant_id=self.merchant_id)
        assert result["total_fen"] == max(due_fen, 0)
        self.paid_fen += max(due_fen, 0)

    @precondition(lambda self: self.sent)
    @rule(which=WHICH)
    def repeat(self, which: int) -> None:
        """Anything that was ever sent comes once more."""
        payload, answer = self.sent[which % len(self.sent)]
        assert self.lab.answer(payload).payload == answer

    @rule(till=st.integers(0, 1))
    def sign_on(self, till: int) -> None:
        """New keys; what was sent before is repeated no more, its MAC being of old keys."""
        wire = self.tills[till]
        wire.sign_on()
        wire.send(wire.management("command_fetch"))
        self.sent.clear()

    @invariant()
    def books_agree(self) -> None:
        """The host's proof finds nothing, and its accounts are the model's."""
        if not hasattr(self, "lab"):
            return
        assert self.lab.violations() == []
        accounts = self.lab.act("accounts")
        assert accounts["sum_fen"] == 0
        payable_fen = accounts["accounts"][f"merchant:{self.merchant_id}:payable"]
        assert payable_fen == sum(row.net_fen for row in self.rows) - self.paid_fen
        kept = {
            (row.till, row.sold.batch, row.sold.stan) for row in self.rows if row.state == "captured" and row.sold.stan
        }
        held = {
            (int(row["terminal_id"][-1]) - 1, row["batch"], row["stan"])
            for row in self.lab.rows("transactions", state="captured")
            if row["kind"] not in NO_SALES and row["stan"] not in self.activating(row["terminal_id"], row["batch"])
        }
        assert held == kept

    def activating(self, terminal_id: str, batch: str) -> set[str]:
        """The sale by which a till was activated, before the model began."""
        return (
            {row["stan"] for row in self.lab.rows("transactions", terminal_id=terminal_id, batch="000001")}
            if (batch == "000001")
            else set()
        )


Ledger.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLedger = Ledger.TestCase
