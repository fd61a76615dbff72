"""TABLE RIGHTS: which act is reached from afar, how, and by whom. The REST API and its description are made from it.

An act without a path is the command line's alone: it needs the machine on which the host's database lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from host.admin.lists import LISTS
from host.admin.second_person import ACTS_OF_TWO
from host.admin.tokens import Role

ALL: Final = frozenset(Role)
_OPERATORS: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR})
_SUPERVISORS: Final = frozenset({Role.SUPERVISOR})
_AUDITORS: Final = frozenset({Role.AUDITOR, Role.SUPERVISOR})
_NOBODY: Final[frozenset[Role]] = frozenset()


@dataclass(frozen=True, slots=True)
class Right:
    """A row of RIGHTS: names in braces in ``path`` are arguments of the act."""

    act: str
    method: str
    path: str
    roles: frozenset[Role]

    @property
    def changes(self) -> bool:
        """Does the act change anything?"""
        return self.method != "GET"


_T: Final = "/terminals/{serial_number}"
_ROWS: Final = (
    Right("order", "POST", "/terminals", _OPERATORS),
    Right("ship", "POST", f"{_T}/ship", _OPERATORS),
    Right("deliver", "POST", f"{_T}/deliver", _OPERATORS),
    Right("bind", "POST", f"{_T}/bind", _OPERATORS),
    Right("key_card", "POST", "", _NOBODY),
    Right("allow_download", "POST", f"{_T}/allow-download", _SUPERVISORS),
    Right("renew_tmk", "POST", f"{_T}/renew-tmk", _SUPERVISORS),
    Right("submit", "POST", f"{_T}/submit", _OPERATORS),
    Right("review", "POST", f"{_T}/review", _OPERATORS),
    Right("register", "POST", "", _NOBODY),
    Right("reject", "POST", f"{_T}/reject", _OPERATORS),
    Right("file_paper", "POST", "/merchants/{merchant_id}/papers", _OPERATORS),
    Right("papers", "GET", "/merchants/{merchant_id}/papers", ALL),
    Right("renew_merchant", "POST", "/merchants/{merchant_id}/renew", _OPERATORS),
    Right("reregister", "POST", "/reregistrations", _SUPERVISORS),
    Right("bind_card", "POST", "", _NOBODY),
    Right("set_limits", "PUT", "/merchants/{merchant_id}/limits", _SUPERVISORS),
    Right("deposit", "POST", "/merchants/{merchant_id}/deposit", _SUPERVISORS),
    Right("merchants", "GET", "", _NOBODY),
    Right("partner", "PUT", "/partners/{name}", _OPERATORS),
    Right("partners", "GET", "/partners", ALL),
    Right("hold", "POST", f"{_T}/holds", _OPERATORS),
    Right("release", "DELETE", f"{_T}/holds/{{reason}}", _OPERATORS),
    Right("hold_scope", "POST", "/holds", _SUPERVISORS),
    Right("release_scope", "DELETE", "/holds/{reason}", _SUPERVISORS),
    Right("file_evidence", "POST", f"{_T}/holds/{{reason}}/evidence", _OPERATORS),
    Right("pay_arrears", "POST", f"{_T}/arrears", _OPERATORS),
    Right("extend_activation", "POST", f"{_T}/extend-activation", _OPERATORS),
    Right("holds", "GET", "", _NOBODY),
    Right("publish_policy", "POST", "/policy", _SUPERVISORS),
    Right("schedule_maintenance", "POST", "/maintenance", _SUPERVISORS),
    Right("policy", "GET", "/policy", ALL),
    Right("policies", "GET", "/policy/versions", ALL),
    Right("sweep", "POST", "/sweep", _OPERATORS),
    *(Right(act, "POST", "", _NOBODY) for act in ACTS_OF_TWO),
    Right("plan_campaign", "POST", "/campaigns", _OPERATORS),
    Right("pause_campaign", "POST", "/campaigns/{number}/pause", _OPERATORS),
    Right("resume_campaign", "POST", "/campaigns/{number}/resume", _SUPERVISORS),
    Right("cancel_campaign", "POST", "/campaigns/{number}/cancel", _SUPERVISORS),
    Right("exempt", "POST", "/campaigns/{number}/exemptions", _SUPERVISORS),
    Right("campaign", "GET", "/campaigns/{number}", ALL),
    Right("campaigns", "GET", "/campaigns", ALL),
    Right("run_jobs", "POST", "/jobs", _OPERATORS),
    Right("end_contract", "PUT", "/merchants/{merchant_id}/contract", _SUPERVISORS),
    Right("renew_contract", "POST", "/merchants/{merchant_id}/contract", _SUPERVISORS),
    Right("report_violation", "POST", f"{_T}/violations", _SUPERVISORS),
    Right("appeal", "POST", "/violations/{number}/appeal", _OPERATORS),
    Right("decide_appeal", "POST", "/violations/{number}/decision", _SUPERVISORS),
    Right("violations", "GET", "/violations", ALL),
    Right("risk_scope", "GET", "/risk-stop", ALL),
    Right("overdue_updates", "GET", "/overdue-updates", ALL),
    Right("offer_model", "PUT", "/models/{model}/price", _SUPERVISORS),
    Right("alternatives", "GET", "/models/{model}/alternatives", ALL),
    Right("notices", "GET", f"{_T}/notices", ALL),
    Right("inbox", "GET", "/merchants/{merchant_id}/inbox", ALL),
    Right("mark_message", "POST", "/messages/{number}/mark", _OPERATORS),
    Right("verify_notice", "GET", "/merchants/{merchant_id}/verification", ALL),
    Right("receive_message", "POST", "/merchants/{merchant_id}/inbox", _OPERATORS),
    Right("inspect_notices", "GET", "/notices/inspection", ALL),
    Right("complain", "POST", "/merchants/{merchant_id}/complaints", _OPERATORS),
    Right("close_complaint", "POST", "/complaints/{number}/close", _OPERATORS),
    Right("complaints", "GET", "/complaints", ALL),
    Right("promote", "POST", "/marketing", _SUPERVISORS),
    Right("lose", "POST", f"{_T}/lose", _OPERATORS),
    Right("tamper", "POST", f"{_T}/tamper", _OPERATORS),
    Right("report_fault", "POST", f"{_T}/repairs", _OPERATORS),
    Right("receive_device", "POST", "/repairs/{number}/receive", _OPERATORS),
    Right("repair_device", "POST", "/repairs/{number}/repair", _OPERATORS),
    Right("return_device", "POST", "/repairs/{number}/return", _OPERATORS),
    Right("scrap_device", "POST", "/repairs/{number}/scrap", _SUPERVISORS),
    Right("cancel_repair", "POST", "/repairs/{number}/cancel", _OPERATORS),
    Right("repairs", "GET", "/repairs", ALL),
    Right("return_spare", "POST", "/loans/{number}/return", _OPERATORS),
    Right("loans", "GET", "/loans", ALL),
    Right("refurbish", "POST", f"{_T}/refurbish", _SUPERVISORS),
    Right("open_fallback", "POST", f"{_T}/fallback", _OPERATORS),
    Right("close_fallback", "DELETE", f"{_T}/fallback", _OPERATORS),
    Right("pay_fallback", "POST", "/fallbacks/payments", _OPERATORS),
    Right("settle_fallbacks", "POST", "/fallbacks/settlement", _SUPERVISORS),
    Right("fallbacks", "GET", "/fallbacks", ALL),
    Right("quote_swap", "GET", f"{_T}/swap-quote", ALL),
    Right("swaps", "GET", "/swaps", ALL),
    Right("cancel_swap", "POST", f"{_T}/cancel-swap", _SUPERVISORS),
    Right("require_firmware", "PUT", "/models/{model}/firmware", _SUPERVISORS),
    Right("publish_firmware", "POST", "", _NOBODY),
    Right("add_model", "POST", "/models", _OPERATORS),
    Right("certify_model", "PUT", "/models/{model}/certificate", _SUPERVISORS),
    Right("block_models", "POST", "/blocklist", _SUPERVISORS),
    Right("blocklist", "GET", "/blocklist", ALL),
    Right("affected", "GET", "/blocklist/affected", ALL),
    Right("recommend_firmware", "PUT", "/models/{model}/recommended-firmware", _SUPERVISORS),
    Right("block_firmware", "POST", "/models/{model}/blocked-firmware", _SUPERVISORS),
    Right("rollout", "GET", "/models/{model}/rollout", ALL),
    Right("payout", "POST", "/merchants/{merchant_id}/payout", _SUPERVISORS),
    Right("run_payouts", "POST", "/payouts", _SUPERVISORS),
    Right("amend_rate", "POST", "/merchants/{merchant_id}/amendments", _SUPERVISORS),
    Right("amendments", "GET", "/amendments", ALL),
    Right("set_category", "PUT", "/merchants/{merchant_id}/category", _SUPERVISORS),
    Right("set_payout_term", "PUT", "/merchants/{merchant_id}/payout-term", _SUPERVISORS),
    Right("inspect_contracts", "GET", "/contracts/inspection", _AUDITORS),
    Right("reconcile", "GET", "/reconciliation", _AUDITORS),
    Right("cost", "GET", "/merchants/{merchant_id}/cost", ALL),
    Right("impact", "GET", "/impact", ALL),
    Right("alerts", "GET", "/alerts", ALL),
    Right("clear_alert", "POST", "/alerts/{number}/clear", _SUPERVISORS),
    Right("failures_alike", "GET", "/failures-alike", ALL),
    Right("open_dispute", "POST", "/disputes", _OPERATORS),
    Right("answer_dispute", "POST", "/disputes/{number}/answer", _OPERATORS),
    Right("resolve_dispute", "POST", "/disputes/{number}/resolve", _SUPERVISORS),
    Right("withdraw_dispute", "POST", "/disputes/{number}/withdraw", _SUPERVISORS),
    Right("lose_dispute", "POST", "/disputes/{number}/lose", _SUPERVISORS),
    Right("overdue_disputes", "POST", "/disputes/overdue", _SUPERVISORS),
    Right("disputes", "GET", "/disputes", ALL),
    Right("evidence", "GET", "/disputes/{number}/evidence", ALL),
    Right("accounts", "GET", "/accounts", ALL),
    Right("verify", "GET", "/ledger/verification", _AUDITORS),
    Right("signatures", "GET", "/signatures", ALL),
    Right("missing_signatures", "GET", "/signatures/missing", ALL),
    Right("signature", "GET", "/signatures/{terminal_id}/{batch}/{stan}", ALL),
    Right("diagnose", "POST", f"{_T}/diagnose", _OPERATORS),
    Right("announce", "POST", "/announcements", _OPERATORS),
    Right("publish_parameters", "POST", "/downloads/{name}", _SUPERVISORS),
    Right("ask_for", "POST", f"{_T}/ask-for", _OPERATORS),
    Right("parameters", "GET", "/downloads", ALL),
    Right("show", "GET", _T, ALL),
    *(Right(name, "GET", "", _NOBODY) for name in ("terminals", "transactions", "batches", "audit", "models", "page")),
    Right("clock_advance", "POST", "", _NOBODY),
    Right("accept_books", "POST", "/books/acceptance", _SUPERVISORS),
    Right("verify_audit", "GET", "/audit/verification", _AUDITORS),
    Right("erase", "DELETE", "/merchants/{merchant_id}/personal-data", _SUPERVISORS),
    Right("certificates", "GET", "/certificates", _AUDITORS),
    Right("create_token", "POST", "", _NOBODY),
    Right("revoke_token", "DELETE", "/tokens/{name}", _SUPERVISORS),
    Right("tokens", "GET", "/tokens", _AUDITORS),
    Right("propose", "POST", "/proposals", _OPERATORS),
    Right("confirm", "POST", "/proposals/{number}/confirm", _SUPERVISORS),
    Right("withdraw", "DELETE", "/proposals/{number}", _OPERATORS),
    Right("proposals", "GET", "/proposals", ALL),
)  # fmt: skip
RIGHTS: Final[Mapping[str, Right]] = MappingProxyType({row.act: row for row in _ROWS})

LIST_ROLES: Final[Mapping[str, frozenset[Role]]] = MappingProxyType(
    {name: _AUDITORS if name == "audit" else ALL for name in LISTS}
)
"""Who may read which list."""
