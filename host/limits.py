"""How much a terminal may sell at once and in a day (product A4): TABLE LIMITS, the merchant's own figures first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from host.case import Case
from host.policy import Limits
from host.records import Merchant
from host.refusals import Refused
from protocol.money import yuan

LIMITED: Final = frozenset({"sale", "qr_sale", "moto_sale", "offline_sale", "preauth", "additional_preauth"})
"""Kinds that ask for new money; what settles or gives back is bound by its original."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A row of LIMITS: a figure, the refusal of who goes above it, and what a request brings it to."""

    figure: str
    reason: str
    reached: Callable[[Case], int]


LIMITS: Final = (
    Limit("single_fen", "amount.over_limit", lambda case: case.request.amount_fen),
    Limit("daily_fen", "limit.daily", lambda case: case.snapshot.day_fen + case.request.amount_fen),
    Limit("daily_count", "limit.count", lambda case: case.snapshot.day_count + 1),
)


def limit_of(figure: str, merchant: Merchant | None, limits: Limits) -> int:
    """The figure that binds a merchant: its own, else that of the policy; 0 where there is none."""
    return int(getattr(merchant, figure, 0) or getattr(limits, figure))


def over_limit(case: Case) -> Refused | None:
    """The first limit that a request goes above."""
    if case.request.kind.name not in LIMITED:
        return None
    merchant, limits = case.snapshot.merchant, case.policy.limits
    for row in LIMITS:
        limit = limit_of(row.figure, merchant, limits)
        if limit and row.reached(case) > limit:
            return Refused(row.reason, {"limit": yuan(limit) if row.figure.endswith("_fen") else str(limit)})
    return None
