"""Rulebook."""

from __future__ import annotations

from typing import Final

from alembic import op

from host.store.migrations.columns import flag, number, octets, where, words

revision: Final = "0002"
down_revision: Final = "0001"


def upgrade() -> None:
    """From the revision before."""
    op.drop_table("settings")
    op.create_table(
        "alerts",
        number("number", key=True),
        words("serial_number"),
        words("rule"),
        words("evidence"),
        words("state"),
        number("at"),
        words("cleared_by"),
        words("note"),
    )
    op.create_index("alerts_by_terminal", "alerts", ["serial_number"])
    op.create_table(
        "amendments",
        number("number", key=True),
        words("merchant_id"),
        words("card_type"),
        number("rate_bp"),
        number("cap_fen", may_lack=True),
        words("signed_by"),
        number("effective_at"),
        number("at"),
        number("applied_at", may_lack=True),
    )
    op.create_index("amendments_by_merchant", "amendments", ["merchant_id"])
    op.add_column("audit", octets("salt", filled=True))
    op.add_column("audit", octets("commitment", filled=True))
    op.add_column("audit", number("place", may_lack=True))
    op.add_column("audit", octets("digest", filled=True))
    op.create_index("audit_by_place", "audit", ["place"])
    op.create_index("audit_by_terminal", "audit", ["serial_number"])
    op.create_index("batches_by_merchant", "batches", ["merchant_id"])
    op.create_index("batches_open", "batches", ["terminal_id"], **where("state = 'open'"))
    op.create_index("batches_unpaid", "batches", ["settled_at"], **where("state = 'closed' AND paid_at IS NULL"))
    op.create_table(
        "campaign_items",
        number("campaign", key=True),
        words("serial_number", key=True),
        words("model"),
        words("merchant_id"),
        words("reason"),
        words("state"),
        number("wave"),
        number("notice_at"),
        number("grace_until"),
        number("stop_at"),
        number("suspend_at", may_lack=True),
        number("swap_at", may_lack=True),
        words("note"),
        number("told"),
        number("told_stop_at"),
        number("next_at", may_lack=True),
    )
    op.create_index("campaign_items_by_date", "campaign_items", ["next_at"], **where("next_at IS NOT NULL"))
    op.create_index("campaign_items_by_swap", "campaign_items", ["swap_at"], **where("swap_at IS NOT NULL"))
    op.create_index("campaign_items_by_terminal", "campaign_items", ["serial_number"])
    op.create_table(
        "campaigns",
        number("number", key=True),
        words("title"),
        words("kind"),
        words("subject"),
        words("state"),
        number("scope"),
        words("actor"),
        number("at"),
        number("paused_at", may_lack=True),
    )
    op.create_table(
        "certificates",
        number("number", key=True),
        words("merchant_id"),
        octets("document"),
        number("at"),
    )
    op.create_table(
        "chains",
        words("name", key=True),
        number("place"),
        octets("digest"),
    )
    op.create_table(
        "complaints",
        number("number", key=True),
        words("merchant_id"),
        number("inbox"),
        words("about"),
        words("state"),
        words("actor"),
        number("at"),
        words("outcome"),
        number("closed_at", may_lack=True),
    )
    op.create_table(
        "disputes",
        number("number", key=True),
        words("terminal_id"),
        words("batch"),
        words("stan"),
        words("merchant_id"),
        words("serial_number"),
        words("reason"),
        number("amount_fen"),
        words("state"),
        number("opened_at"),
        number("due_at"),
        words("answer"),
        words("note"),
        number("closed_at", may_lack=True),
    )
    op.create_index("disputes_by_merchant", "disputes", ["merchant_id"])
    op.create_index("disputes_by_transaction", "disputes", ["terminal_id", "batch", "stan"])
    op.create_index("disputes_open", "disputes", ["due_at"], **where("state = 'open'"))
    op.create_table(
        "documents",
        words("merchant_id", key=True),
        words("kind", key=True),
        words("reference"),
        number("until", may_lack=True),
        words("actor"),
        number("at"),
    )
    op.create_table(
        "fallbacks",
        number("number", key=True),
        words("code"),
        words("serial_number"),
        words("merchant_id"),
        words("terminal_id"),
        words("why"),
        words("actor"),
        number("opened_at"),
        number("until"),
        number("closed_at", may_lack=True),
    )
    op.create_index("fallbacks_by_code", "fallbacks", ["code"])
    op.create_index("fallbacks_by_terminal", "fallbacks", ["serial_number"])
    op.create_index("fallbacks_by_till", "fallbacks", ["terminal_id"])
    op.create_table(
        "hold_evidence",
        number("number", key=True),
        number("hold"),
        words("serial_number"),
        words("reference"),
        words("note"),
        words("actor"),
        number("at"),
    )
    op.create_index("hold_evidence_by_hold", "hold_evidence", ["hold"])
    op.add_column("holds", number("until", may_lack=True))
    op.add_column("holds", words("kinds", filled=True))
    op.add_column("holds", words("version", filled=True))
    op.add_column("holds", number("owed_fen", filled=True))
    op.create_index("holds_by_end", "holds", ["until"], **where("released_at IS NULL AND until IS NOT NULL"))
    op.create_table(
        "inbox",
        number("number", key=True),
        number("notice"),
        words("channel"),
        words("serial_number"),
        words("merchant_id"),
        words("text"),
        number("counter"),
        number("send_at"),
        number("sent_at", may_lack=True),
        number("read_at", may_lack=True),
        number("acknowledged_at", may_lack=True),
        words("findings"),
    )
    op.create_index("inbox_by_notice", "inbox", ["notice"])
    op.create_index("inbox_by_terminal", "inbox", ["serial_number", "send_at"])
    op.create_index("inbox_waiting", "inbox", ["send_at"], **where("sent_at IS NULL"))
    op.create_table(
        "loans",
        number("number", key=True),
        words("serial_number"),
        words("spare"),
        words("merchant_id"),
        number("deposit_fen"),
        words("actor"),
        number("lent_at"),
        number("due_at"),
        number("returned_at", may_lack=True),
    )
    op.create_index("loans_by_spare", "loans", ["spare"])
    op.create_index("loans_by_terminal", "loans", ["serial_number"])
    op.create_table(
        "lost_sales",
        number("number", key=True),
        words("serial_number"),
        words("merchant_id"),
        words("kind"),
        number("amount_fen"),
        words("reason"),
        number("at"),
    )
    op.create_index("lost_sales_by_terminal", "lost_sales", ["serial_number"])
    op.add_column("merchants", words("merchant_type", filled=True))
    op.add_column("merchants", words("region", filled=True))
    op.add_column("merchants", words("payout_card", filled=True))
    op.add_column("merchants", number("single_fen", filled=True))
    op.add_column("merchants", number("daily_fen", filled=True))
    op.add_column("merchants", number("daily_count", filled=True))
    op.add_column("merchants", number("renewed_at", filled=True))
    op.add_column("merchants", number("papers_until", may_lack=True))
    op.add_column("merchants", number("warned_at", may_lack=True))
    op.add_column("merchants", number("scan_bp", filled=True))
    op.add_column("merchants", number("unionpay_qr_bp", filled=True))
    op.add_column("merchants", words("payout_term", filled=True))
    op.add_column("merchants", words("category", filled=True))
    op.add_column("merchants", words("category_before", filled=True))
    op.add_column("merchants", number("category_at", filled=True))
    op.add_column("merchants", number("amends_at", may_lack=True))
    op.create_index(
        "merchants_by_papers", "merchants", ["papers_until"], **where("warned_at IS NULL AND papers_until IS NOT NULL")
    )
    op.create_index("merchants_by_renewal", "merchants", ["renewed_at"], **where("warned_at IS NULL"))
    op.add_column("models", words("retire_reason", filled=True))
    op.add_column("models", number("security_level", filled=True))
    op.add_column("models", words("capabilities", filled=True))
    op.add_column("models", words("certificate", filled=True))
    op.add_column("models", number("certificate_until", may_lack=True))
    op.add_column("models", words("recommended_firmware", filled=True))
    op.add_column("models", words("blocked_firmware", filled=True))
    op.add_column("models", number("required_at", may_lack=True))
    op.add_column("models", number("forced_at", may_lack=True))
    op.add_column("models", number("price_fen", filled=True))
    op.create_table(
        "notices",
        number("number", key=True),
        number("campaign"),
        words("serial_number"),
        words("merchant_id"),
        words("step"),
        number("stop_at"),
        words("text"),
        number("at"),
    )
    op.create_index("notices_by_terminal", "notices", ["serial_number"])
    op.create_table(
        "partners",
        words("name", key=True),
        words("state"),
        words("actor"),
        number("since"),
    )
    op.add_column("plans", number("campaign", filled=True))
    op.add_column("plans", number("suspend_at", may_lack=True))
    op.create_table(
        "policies",
        number("version", key=True),
        words("content"),
        words("actor"),
        number("at"),
    )
    op.create_table(
        "proposals",
        number("number", key=True),
        words("act"),
        words("arguments"),
        words("person"),
        words("token"),
        number("at"),
        number("expires_at"),
        words("state"),
        words("decided_by"),
    )
    op.add_column("registrations", words("reasons_zh", filled=True))
    op.add_column("registrations", words("merchant_type", filled=True))
    op.add_column("registrations", words("region", filled=True))
    op.create_table(
        "repairs",
        number("number", key=True),
        words("serial_number"),
        words("merchant_id"),
        words("cause"),
        words("note"),
        words("state"),
        flag("covered"),
        number("cost_fen"),
        words("outcome"),
        words("actor"),
        number("reported_at"),
        number("received_at", may_lack=True),
        number("repaired_at", may_lack=True),
        number("closed_at", may_lack=True),
    )
    op.create_index("repairs_by_terminal", "repairs", ["serial_number"])
    op.create_table(
        "swaps",
        number("number", key=True),
        words("serial_number"),
        words("successor"),
        words("state"),
        words("actor"),
        number("ordered_at"),
        number("changed_at"),
        words("sha256"),
        number("size"),
        octets("backup"),
        octets("certificate"),
        words("merchant_id"),
        number("fee_fen"),
        number("deposit_fen"),
        number("credit_bp"),
        number("debit_bp"),
        number("debit_cap_fen"),
        number("appointment_at", may_lack=True),
    )
    op.create_index("swaps_by_appointment", "swaps", ["appointment_at"], **where("appointment_at IS NOT NULL"))
    op.create_index("swaps_by_new", "swaps", ["successor"])
    op.create_index("swaps_by_old", "swaps", ["serial_number"])
    op.add_column("terminals", number("registered_at", may_lack=True))
    op.add_column("terminals", number("activate_by", may_lack=True))
    op.add_column("terminals", number("fence", filled=True))
    op.add_column("terminals", words("line", filled=True))
    op.add_column("terminals", number("warranty_until", may_lack=True))
    op.add_column("terminals", number("refurbished_at", filled=True))
    op.add_column("terminals", words("told_batch", filled=True))
    op.add_column("terminals", words("pause_word", filled=True))
    op.add_column("terminals", flag("missed_sign_on", filled=True))
    op.create_table(
        "tokens",
        words("name", key=True),
        words("person"),
        words("role"),
        octets("digest"),
        number("created_at"),
        number("expires_at"),
        number("revoked_at", may_lack=True),
    )
    op.create_index("tokens_by_digest", "tokens", ["digest"])
    op.add_column("transactions", words("account", filled=True))
    op.add_column("transactions", number("policy", filled=True))
    op.drop_index("transactions_by_device", "transactions")
    op.create_index("transactions_by_account", "transactions", ["account"], **where("account <> ''"))
    op.create_index("transactions_by_device", "transactions", ["serial_number", "at"])
    op.create_table(
        "updates",
        words("serial_number", key=True),
        words("version"),
        words("state"),
        number("failures"),
        number("at"),
    )
    op.create_table(
        "violations",
        number("number", key=True),
        words("serial_number"),
        words("merchant_id"),
        words("rule"),
        words("reference"),
        words("note"),
        number("campaign"),
        words("state"),
        words("appeal"),
        words("outcome"),
        words("actor"),
        number("at"),
        number("appealed_at", may_lack=True),
        number("closed_at", may_lack=True),
    )
