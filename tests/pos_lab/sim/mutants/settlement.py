"""Bugs that break invariants of settlement."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from host import postings as _postings
from host.decision import Decision, Update
from host.fees import BASIS, Rate
from host.handlers import HANDLERS
from host.handlers import settle as _settle
from host.handlers import undo as _undo
from tests.pos_lab.sim.mutants.mutant import Mutant
from tests.pos_lab.sim.mutants.parts import GatesWithout, busy_with, nothing_pending, remembered_again


def _keeps_fee(row: Any, state: Any, *, fee_fen: int = 0) -> Any:
    return _move(row, state, fee_fen=row.fee_fen)


def _bankers(self: Rate, amount_fen: int) -> int:
    fee_fen = round(amount_fen * self.rate_bp / BASIS)
    return fee_fen if self.cap_fen is None else min(fee_fen, self.cap_fen)


def _without_cap(self: Rate, amount_fen: int) -> int:
    return (amount_fen * self.rate_bp * 2 + BASIS) // (BASIS * 2)


def _floored(self: Rate, amount_fen: int) -> int:
    fee_fen = amount_fen * self.rate_bp // BASIS
    return fee_fen if self.cap_fen is None else min(fee_fen, self.cap_fen)


def _always_equal(theirs: Any, ours: Any) -> Any:
    return dataclasses.replace(ours, result=_settle.BALANCED)


def _under_another_stan(case: Any, uploaded: Any) -> Any:
    return tuple(
        dataclasses.replace(write, row={**write.row, "stan": "999999"}) for write in _differences(case, uploaded)
    )


def _one_fen_short(merchant_id: str, amount_fen: int, *about: Any) -> Any:
    return _payout(merchant_id, amount_fen - 1, *about)


def _clipped(merchant_id: str, amount_fen: int, *about: Any) -> Any:
    """Who owes is paid nothing, and owes nothing any more."""
    return (
        _payout(merchant_id, amount_fen, *about) if amount_fen > 0 else Update("counters", {"name": ""}, {"value": 0})
    )


def _settled_again(case: Any) -> Any:
    """A settlement that comes again settles again."""
    writes = _close(case, balanced=True)
    return Decision(writes=writes[:1] if case.snapshot.batch else writes)


def _undone_without_fee(row: Any, at: int) -> Any:
    return _undo_postings(dataclasses.replace(row, fee_fen=0), at)


_undo_postings = _postings.undo


class _NeverClosed:
    """To a reversal every batch is open."""

    CLOSED = "never"


_differences, _close = _settle._differences, _settle._close
_payout = _postings.payout
_move = _undo.move


SETTLEMENT: Final[Mapping[str, Mutant]] = {
    "settles_while_pending": Mutant(
        "a batch is settled with a reversal pending", "network", "M1",
        {"terminal.flows.settle.resolve": nothing_pending, "pos_lab.sim.shop.INTENTS": busy_with("sale", "settle")},
        seed=12,
    ),
    "batch_stays": Mutant(
        "both ends forget that a batch is closed", "calm", "S4 S5",
        {
            "terminal.records.batch.following": lambda batch: batch,
            "host.gates._asked": GatesWithout("wrong batch"),
            "host.case.Case.is_settled": False,
        },
    ),
    "fee_floored": Mutant("a fee is rounded down", "calm", "S7", {"host.fees.Rate.fee_fen": _floored}),
    "fee_stays": Mutant("an undone sale keeps its fee", "calm", "S8", {"host.handlers.undo.move": _keeps_fee}, seed=2),
    "fee_bankers": Mutant("a fee is rounded to even", "calm", "S7", {"host.fees.Rate.fee_fen": _bankers}, seed=6),
    "fee_uncapped": Mutant("a fee has no cap", "calm", "S7", {"host.fees.Rate.fee_fen": _without_cap}, seed=2),
    "settled_again": Mutant(
        "a settlement that comes again settles once more", "network", "S1 S4",
        {
            "host.acquirer.repeats": lambda case: b"",
            "host.engine.RENEWED": frozenset(HANDLERS),
            "host.acquirer._remembered": remembered_again,
            "host.gates._asked": GatesWithout("wrong batch", "STAN used"),
            "host.engine.HANDLERS": {**HANDLERS, "settlement": _settled_again},
        },
        seed=2,
    ),
    "always_balanced": Mutant(
        "totals are not compared", "calm", "S2",
        {
            "terminal.records.money.MOVES_ORIGINAL": {},
            "host.handlers.settle._compare": _always_equal,
            "host.handlers.settle._digest": lambda payload: b"",
        },
        seed=2,
    ),
    "difference_misnamed": Mutant(
        "what differs is written down for another row", "calm", "S3",
        {
            "terminal.records.money.MOVES_ORIGINAL": {},
            "host.handlers.settle._differences": _under_another_stan,
        },
        seed=2,
    ),
    "dropped_misnamed": Mutant(
        "what a supervisor left to the settlement is written down for another row", "network", "S3",
        {
            "host.handlers.settle._differences": _under_another_stan,
            "pos_lab.sim.shop.INTENTS": busy_with("sale", "settle"),
        },
        seed=10,
    ),
    "upload_begun_once": Mutant(
        "an upload whose end was not heard of is refused when it begins again", "network", "D3",
        {"host.handlers.settle._is_said_again": lambda case, items: False},
        seed=3285,
    ),
    "closed_batch_edited": Mutant(
        "what is undone late is undone in its closed batch", "network", "S6",
        {
            "terminal.flows.settle.resolve": nothing_pending,
            "host.handlers.undo.BatchState": _NeverClosed,
            "pos_lab.sim.shop.INTENTS": busy_with("sale", "settle"),
        },
        seed=46,
    ),
    "fee_not_returned": Mutant(
        "what is undone leaves its fee with the acquirer", "calm", "S8 M7", {"host.postings.undo": _undone_without_fee},
        seed=2,
    ),
    "paid_short": Mutant(
        "a batch is paid with a fen less", "calm", "S9 S10", {"host.postings.payout": _one_fen_short}
    ),
    "clipped": Mutant(
        "a debt is forgotten with a payout", "calm", "S10",
        {"host.postings.payout": _clipped, "pos_lab.sim.shop.INTENTS": busy_with("sale", "refund", "settle")},
        seed=1,
    ),
}  # fmt: skip
