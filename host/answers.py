"""Answers by rule: a tester writes down which request gets which field 39, and the first rule that fits decides.

Rules owned here: a rule fits where every field that it names fits; one that approves lets the issuer's own answer be.
The policy holds the rules (section ``answers``); they are asked before the issuer, after every gate.
"""

from __future__ import annotations

from host.case import Case
from host.policy import Answer
from host.refusals import REFUSALS, Refused
from protocol.fields import F


def ruled(case: Case) -> Refused | None:
    """What the first rule that fits says to a request; nothing where none fits or the rule approves."""
    rule = next((rule for rule in case.policy.answers if _fits(case, rule)), None)
    if rule is None or rule.code == "00":
        return None
    reason = f"issuer.{rule.code.lower()}"
    return Refused(reason) if reason in REFUSALS else Refused("issuer.05")


def _fits(case: Case, rule: Answer) -> bool:
    request = case.request
    return (
        rule.kind in ("", request.kind.name)
        and request.payer.startswith(rule.card)
        and request.message.text(F.ENTRY_MODE).startswith(rule.entry_mode)
        and rule.terminal_id in ("", request.terminal_id)
        and rule.merchant_id in ("", case.merchant.merchant_id)
        and rule.least_fen <= request.amount_fen
        and (not rule.most_fen or request.amount_fen <= rule.most_fen)
    )
