"""A merchant's contract after it was signed: amendments of rates, category, term of payout (product M; decision 8)."""

from __future__ import annotations

from dataclasses import replace

from host.admin.desk import Desk, Result
from host.admin.registration import DAYS_MAX, RATE_BP_MAX
from host.amendments import RATE_COLUMNS, take_effect
from host.categories import CATEGORIES, inconsistencies
from host.decision import Update
from host.errors import AdminError
from host.payouts import TERMS


def amend_rate(
    desk: Desk,
    merchant_id: str,
    card_type: str,
    rate_bp: int,
    signed_by: str,
    cap_fen: int = 0,
    in_days: int = 0,
) -> Result:
    """Change a rate from a date on, as the merchant has signed; the cap of debit cards stays unless one is given."""
    merchant = desk.merchant(merchant_id)
    desk.line(signed_by=signed_by)
    if card_type not in RATE_COLUMNS:
        raise AdminError(f"no rate for {card_type!r}", hint=f"one of {', '.join(RATE_COLUMNS)}", code="card_type")
    if not 0 <= rate_bp <= RATE_BP_MAX or cap_fen < 0:
        raise AdminError(f"a rate is 0 to {RATE_BP_MAX} basis points, a cap no less than nothing", code="rates")
    if not 0 <= in_days <= DAYS_MAX:
        raise AdminError(f"an amendment begins in 0 to {DAYS_MAX} days", code="in_days")
    if not signed_by.strip():
        raise AdminError("an amendment is signed by somebody", code="signed_by")
    has_cap = len(RATE_COLUMNS[card_type]) > 1
    if cap_fen and not has_cap:
        raise AdminError(f"the rate of {card_type} has no cap", code="rates")
    effective_at = desk.at + in_days * 86_400
    desk.insert(
        "amendments",
        number=desk.books.add("amendment", 1),
        merchant_id=merchant_id,
        card_type=card_type,
        rate_bp=rate_bp,
        cap_fen=(cap_fen or merchant.debit_cap_fen) if has_cap else None,
        signed_by=signed_by,
        effective_at=effective_at,
        at=desk.at,
    )
    desk.note("", "amend rate", f"{merchant_id}: {card_type} {rate_bp} bp, signed by {signed_by}, in {in_days} days")
    bring_into_effect(desk, merchant_id)
    after = desk.merchant(merchant_id)
    changed = replace(after, credit_bp=rate_bp) if card_type == "credit" else after
    return {
        "merchant_id": merchant_id,
        "effective_at": effective_at,
        "in_effect": effective_at <= desk.at,
        "warnings": inconsistencies(changed, desk.policy.fees.band_bp),
    }


def bring_into_effect(desk: Desk, merchant_id: str) -> None:
    """Let the amendments of a merchant whose date has come change the contract."""
    desk.books.apply(take_effect(merchant_id, desk.books.amendments(merchant_id), desk.at))


def amendments(desk: Desk, merchant_id: str = "") -> Result:
    """Every amendment, with its date and who signed it."""
    matches = {"merchant_id": merchant_id} if merchant_id else {}
    return {"amendments": desk.books.rows("amendments", **matches)}


def set_category(desk: Desk, merchant_id: str, category: str, signed_by: str) -> Result:
    """Say what a merchant trades as, an MCC; what it was before is kept, for the rule of risk that looks at it."""
    merchant = desk.merchant(merchant_id)
    desk.line(signed_by=signed_by)
    if category not in CATEGORIES:
        hint = f"one of {', '.join(CATEGORIES)}"
        raise AdminError(f"no category {category!r}", hint=hint, code="unknown_category")
    changes = {"category": category, "category_before": merchant.category, "category_at": desk.at}
    if category != merchant.category:
        desk.books.write(Update("merchants", {"merchant_id": merchant_id}, changes))
        desk.note("", "set category", f"{merchant_id}: {merchant.category or 'none'} -> {category}, by {signed_by}")
    warnings = inconsistencies(desk.merchant(merchant_id), desk.policy.fees.band_bp)
    return {"merchant_id": merchant_id, "category": category, "warnings": warnings}


def set_payout_term(desk: Desk, merchant_id: str, term: str) -> Result:
    """Say when a merchant's settled batches are paid: T+0, D+0 or T+1."""
    desk.merchant(merchant_id)
    if term not in TERMS:
        raise AdminError(f"no term {term!r}", hint=f"one of {', '.join(TERMS)}", code="unknown_term")
    desk.books.write(Update("merchants", {"merchant_id": merchant_id}, {"payout_term": term}))
    desk.note("", "set payout term", f"{merchant_id}: {term}")
    return {"merchant_id": merchant_id, "payout_term": term}


def inspect_contracts(desk: Desk) -> Result:
    """The scheduled audit of contracts: every merchant whose rates and category do not fit (product K, M)."""
    found = []
    for row in desk.books.rows("merchants"):
        merchant = desk.merchant(str(row["merchant_id"]))
        found += [
            {"merchant_id": merchant.merchant_id, "finding": finding}
            for finding in inconsistencies(merchant, desk.policy.fees.band_bp)
        ]
    return {"findings": found}
