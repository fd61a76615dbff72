"""TABLE RULES: what looks like abuse of a terminal, and what it leads to (product K and U7; gate "risk").

Rules owned here: a rule is asked only where the policy names it. What it finds for the first time is an alert that
warns; while that warning stands, the next find refuses the sale and holds the terminal until somebody who has looked at
the evidence releases it. A find is a sentence of evidence, made of the rows of the terminal in the policy's window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from host.case import Case
from host.decision import Insert, Write
from host.records import Transaction, TransactionState
from host.refusals import Refused
from host.transactions import PAYMENTS, SIGNS
from host.written import CHINA_TIME
from protocol.money import yuan

HOLD_REASON: Final = "abnormal"
SUSPECTED: Final = "risk.suspected"


class AlertState(StrEnum):
    """An alert warns, or has put the terminal on hold, until it is cleared."""

    WARNING = "warning"
    HOLD = "hold"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of RULES: ``finds`` gives the evidence against the case at hand, "" for none."""

    name: str
    chinese: str
    english: str
    finds: Callable[[Case], str]


@dataclass(frozen=True, slots=True)
class Find:
    """What a rule found; it ``holds`` where its warning stands."""

    rule: Rule
    evidence: str
    holds: bool


def _velocity(case: Case) -> str:
    count = len(_of_this_card(case)) + 1
    over = count > case.policy.risk.velocity_count
    return f"{count} payments of one card within {_window(case)}" if over else ""


def _amount(case: Case) -> str:
    amount_fen = case.request.amount_fen
    return f"a payment of {yuan(amount_fen)}" if amount_fen >= case.policy.risk.amount_fen else ""


def _hour(case: Case) -> str:
    now = case.now.astimezone(CHINA_TIME)
    at_s, begins_s, ends_s = now.hour * 3600 + now.minute * 60, case.policy.risk.night_s, case.policy.risk.morning_s
    is_night = begins_s <= at_s < ends_s if begins_s <= ends_s else at_s >= begins_s or at_s < ends_s
    return f"a payment at {now:%H:%M}" if is_night else ""


def _split(case: Case) -> str:
    """Payments of one card that are each below the amount that is looked at, and together above it."""
    parts_fen = [row.amount_fen for row in _of_this_card(case)] + [case.request.amount_fen]
    is_split = len(parts_fen) > 1 and max(parts_fen) < case.policy.risk.amount_fen <= sum(parts_fen)
    total = yuan(sum(parts_fen))
    return f"{len(parts_fen)} payments of one card make {total} within {_window(case)}" if is_split else ""


def _declines(case: Case) -> str:
    """A terminal at which card after card is declined tries stolen ones."""
    cards = {row.card_token for row in case.snapshot.recent if row.state is TransactionState.DECLINED}
    over = len(cards) >= case.policy.risk.declined_cards
    return f"{len(cards)} cards were declined within {_window(case)}" if over else ""


def _category(case: Case) -> str:
    """A merchant whose category has just become another one (跳码)."""
    merchant = case.merchant
    is_new = case.at - merchant.category_at < case.policy.risk.category_s
    if not is_new or not merchant.category_before:
        return ""
    return f"the merchant's category changed from {merchant.category_before} to {merchant.category}"


RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        row.name: row
        for row in (
            Rule("velocity", "同卡频繁交易", "one card pays too often", _velocity),
            Rule("amount", "大额交易", "a large payment", _amount),
            Rule("split", "拆分交易", "a payment in parts", _split),
            Rule("hour", "异常时段交易", "a payment at night", _hour),
            Rule("declines", "多卡连续被拒", "card after card is declined", _declines),
            Rule("category", "商户类别变更（跳码）", "the merchant's category has changed", _category),
        )
    }
)


def risk_refusal(case: Case) -> Refused | None:
    """The refusal of a payment that a rule finds while its warning stands (code 59)."""
    found = next((find for find in finds(case) if find.holds), None)
    return Refused(SUSPECTED, {"rule": found.rule.english, "rule_zh": found.rule.chinese}) if found else None


def risk_writes(case: Case) -> list[Write]:
    """The alerts, and the hold, that a payment leaves; the hold is one of several that a terminal may have."""
    writes: list[Write] = []
    for find in finds(case):
        state = AlertState.HOLD if find.holds else AlertState.WARNING
        row = {"rule": find.rule.name, "evidence": find.evidence, "state": state, "at": case.at}
        writes.append(Insert("alerts", {"serial_number": case.terminal.serial_number, **row}))
        if find.holds:
            hold = {"reason": HOLD_REASON, "note": find.evidence, "actor": f"rule {find.rule.name}", "since": case.at}
            return [*writes, Insert("holds", {"serial_number": case.terminal.serial_number, **hold})]
    return writes


def finds(case: Case) -> tuple[Find, ...]:
    """What the rules of the policy find against a payment; nothing else is looked at."""
    if not case.policy.risk.rules or SIGNS.get(case.request.kind.name) != 1:
        return ()
    found = ((RULES[name], RULES[name].finds(case)) for name in case.policy.risk.rules)
    return tuple(Find(rule, evidence, _is_warned(case, rule)) for rule, evidence in found if evidence)


def failing_alike(
    failures: Iterable[tuple[str, str, str]], terminals_min: int
) -> list[tuple[str, str, tuple[str, ...]]]:
    """Groups of (group, reason, serial numbers) where at least so many terminals fail for one reason.

    ``failures`` are (serial number, group, reason), where a group is what terminals have in common: a model, a partner.
    """
    groups: dict[tuple[str, str], set[str]] = {}
    for serial_number, group, reason in failures:
        groups.setdefault((group, reason), set()).add(serial_number)
    return [(*key, tuple(sorted(members))) for key, members in sorted(groups.items()) if len(members) >= terminals_min]


def _is_warned(case: Case, rule: Rule) -> bool:
    since = case.at - case.policy.risk.warning_s
    return any(
        alert.rule == rule.name and alert.state == AlertState.WARNING and alert.at >= since
        for alert in case.snapshot.alerts
    )


def _of_this_card(case: Case) -> list[Transaction]:
    token = case.keys.card_token(case.request.payer)
    return [
        row
        for row in case.snapshot.recent
        if row.card_token == token and row.state is TransactionState.CAPTURED and row.kind in PAYMENTS
    ]


def _window(case: Case) -> str:
    return f"{case.policy.risk.window_s // 60} minutes"
