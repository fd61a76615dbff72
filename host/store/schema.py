"""The tables of the store; a class of ``host.records`` has the same columns as its table.

Instants are epoch seconds, amounts int fen, batches and STANs six digits as text. No column holds a PAN, a track or a
clear key.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    String,
    Table,
    text,
)
from sqlalchemy.engine.mock import MockConnection

METADATA: Final = MetaData()
NUMBERS_AT_ONCE: Final = 1000
"""How many numbers a host takes at a time."""

_TEXT: Final = String().with_variant(String(collation="C"), "postgresql")
_NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, _TEXT, primary_key=key, nullable=False, default="")


def _number(name: str, *, key: bool = False, may_lack: bool = False) -> Column[int]:
    return Column(name, _NUMBER, primary_key=key, nullable=may_lack, default=None if may_lack or key else 0)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, default=False)


def _bytes(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False, default=b"")


def _where(condition: str) -> dict[str, Any]:
    """Only these rows are in the index, in either database."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def _transaction_key() -> tuple[Column[str], Column[str], Column[str]]:
    return _text("terminal_id", key=True), _text("batch", key=True), _text("stan", key=True)


Sequence("numbers", increment=NUMBERS_AT_ONCE, metadata=METADATA)
Sequence("changes", metadata=METADATA)
Table("counters", METADATA, _text("name", key=True), _number("value"))
Table("secrets", METADATA, _text("name", key=True), _bytes("sealed"))
Table(
    "merchants", METADATA, _text("merchant_id", key=True), _text("name"), _text("contact"), _text("telephone"),
    _text("address"), _flag("active"), _number("credit_bp"), _number("debit_bp"), _number("debit_cap_fen"),
    _text("merchant_type"), _text("region"), _text("payout_card"), _number("single_fen"), _number("daily_fen"),
    _number("daily_count"), _number("renewed_at"), _number("papers_until", may_lack=True),
    _number("warned_at", may_lack=True), _number("scan_bp"), _number("unionpay_qr_bp"), _text("payout_term"),
    _text("category"), _text("category_before"), _number("category_at"), _number("amends_at", may_lack=True),
    Index("merchants_by_renewal", "renewed_at", **_where("warned_at IS NULL")),
    Index("merchants_by_papers", "papers_until", **_where("warned_at IS NULL AND papers_until IS NOT NULL")),
)  # fmt: skip
Table(
    "models", METADATA, _text("model", key=True), _text("brand"), _text("family"), _text("min_firmware"),
    _number("retired_at", may_lack=True), _text("retire_reason"), _number("security_level"), _text("capabilities"),
    _text("certificate"), _number("certificate_until", may_lack=True), _text("recommended_firmware"),
    _text("blocked_firmware"), _number("required_at", may_lack=True), _number("forced_at", may_lack=True),
    _number("price_fen"),
)  # fmt: skip
Table(
    "terminals", METADATA, _text("serial_number", key=True), _text("model"), _text("merchant_id"), _text("terminal_id"),
    _text("state"), _flag("bound"), _text("firmware"), _flag("extended"), _text("batch"), _flag("signed_on"),
    _text("why"), _bytes("tmk"), _bytes("working_keys"), _bytes("previous_keys"), _number("download_until"),
    _number("command_counter"), _text("replaced_by"), _text("due"),
    _number("activated_at", may_lack=True), _number("registered_at", may_lack=True),
    _number("activate_by", may_lack=True), _number("fence"), _text("line"), _number("warranty_until", may_lack=True),
    _number("refurbished_at"), _text("told_batch"), _text("pause_word"), _flag("missed_sign_on"), _text("status_word"),
    Index("terminals_by_terminal_id", "terminal_id"), Index("terminals_by_model", "model"),
)  # fmt: skip
Table(
    "registrations", METADATA, _number("number", key=True), _text("serial_number"), _text("merchant_id"), _text("name"),
    _text("contact"), _text("telephone"), _text("address"), _number("credit_bp"), _number("debit_bp"),
    _number("debit_cap_fen"), _text("verdict"), _text("reasons"), _text("reasons_zh"),
    _text("merchant_type"), _text("region"), _number("at"),
    Index("registrations_by_terminal", "serial_number"),
)  # fmt: skip
Table(
    "holds", METADATA, _number("number", key=True), _text("serial_number"), _text("reason"), _text("note"),
    _text("actor"), _number("since"), _number("released_at", may_lack=True), _text("released_by"),
    _number("until", may_lack=True), _text("kinds"), _text("version"), _number("owed_fen"),
    Index("holds_by_terminal", "serial_number"),
    Index("holds_by_end", "until", **_where("released_at IS NULL AND until IS NOT NULL")),
)  # fmt: skip
Table(
    "plans", METADATA, _text("serial_number", key=True), _text("reason"), _number("notice_at"), _number("grace_until"),
    _number("stop_at"), _number("done_at", may_lack=True), _number("campaign"), _number("suspend_at", may_lack=True),
)  # fmt: skip
Table(
    "campaigns", METADATA, _number("number", key=True), _text("title"), _text("kind"), _text("subject"), _text("state"),
    _number("scope"), _text("actor"), _number("at"), _number("paused_at", may_lack=True),
)  # fmt: skip
Table(
    "campaign_items", METADATA, _number("campaign", key=True), _text("serial_number", key=True), _text("model"),
    _text("merchant_id"), _text("reason"), _text("state"), _number("wave"), _number("notice_at"),
    _number("grace_until"), _number("stop_at"), _number("suspend_at", may_lack=True), _number("swap_at", may_lack=True),
    _text("note"), _number("told"), _number("told_stop_at"), _number("next_at", may_lack=True),
    Index("campaign_items_by_terminal", "serial_number"),
    Index("campaign_items_by_swap", "swap_at", **_where("swap_at IS NOT NULL")),
    Index("campaign_items_by_date", "next_at", **_where("next_at IS NOT NULL")),
)  # fmt: skip
Table(
    "notices", METADATA, _number("number", key=True), _number("campaign"), _text("serial_number"), _text("merchant_id"),
    _text("step"), _number("stop_at"), _text("text"), _number("at"), Index("notices_by_terminal", "serial_number"),
)  # fmt: skip
Table(
    "inbox", METADATA, _number("number", key=True), _number("notice"), _text("channel"), _text("serial_number"),
    _text("merchant_id"), _text("text"), _number("counter"), _number("send_at"), _number("sent_at", may_lack=True),
    _number("read_at", may_lack=True), _number("acknowledged_at", may_lack=True), _text("findings"),
    Index("inbox_by_terminal", "serial_number", "send_at"), Index("inbox_by_notice", "notice"),
    Index("inbox_waiting", "send_at", **_where("sent_at IS NULL")),
)  # fmt: skip
Table(
    "complaints", METADATA, _number("number", key=True), _text("merchant_id"), _number("inbox"), _text("about"),
    _text("state"), _text("actor"), _number("at"), _text("outcome"), _number("closed_at", may_lack=True),
)  # fmt: skip
Table(
    "violations", METADATA, _number("number", key=True), _text("serial_number"), _text("merchant_id"), _text("rule"),
    _text("reference"), _text("note"), _number("campaign"), _text("state"), _text("appeal"), _text("outcome"),
    _text("actor"), _number("at"), _number("appealed_at", may_lack=True), _number("closed_at", may_lack=True),
)  # fmt: skip
Table(
    "transactions", METADATA, *_transaction_key(), _text("serial_number"), _text("merchant_id"), _text("kind"),
    _text("state"), _number("amount_fen"), _number("fee_fen"), _text("code"), _text("card"), _text("card_token"),
    _text("card_type"), _flag("foreign_card"), _text("rrn"), _text("auth_id"), _text("original_terminal_id"),
    _text("original_batch"), _text("original_stan"), _text("entry_mode"), _text("account"), _number("at"),
    _number("policy"),
    Index("transactions_by_rrn", "rrn"),
    Index("transactions_by_original", "original_terminal_id", "original_batch", "original_stan"),
    Index("transactions_by_account", "account", **_where("account <> ''")),
    Index("transactions_by_device", "serial_number", "at"),
    Index("holds_by_authorisation", "auth_id", **_where("kind = 'preauth'")),
    Index("payments_by_code", "card_token", **_where("kind = 'qr_sale'")),
)  # fmt: skip
Table("cards", METADATA, _text("card_token", key=True), _number("wrong_pins"))
Table(
    "replies", METADATA, *_transaction_key(), _text("mti", key=True), _bytes("fingerprint"), _bytes("reply"),
)  # fmt: skip
Table(
    "postings", METADATA, _number("number", key=True), _text("terminal_id"), _text("batch"), _text("stan"),
    _text("reason"), _text("debit"), _text("credit"), _number("amount_fen"), _number("at"),
    Index("postings_by_batch", "terminal_id", "batch"),
)  # fmt: skip
Table(
    "batches", METADATA, _text("terminal_id", key=True), _text("batch", key=True), _text("merchant_id"), _text("state"),
    _flag("balanced"), _number("settled_at", may_lack=True), _number("paid_at", may_lack=True),
    Index("batches_open", "terminal_id", **_where("state = 'open'")), Index("batches_by_merchant", "merchant_id"),
    Index("batches_unpaid", "settled_at", **_where("state = 'closed' AND paid_at IS NULL")),
)  # fmt: skip
Table(
    "signatures", METADATA, *_transaction_key(), _text("serial_number"), _bytes("image"), _text("sha256"),
    _text("feature_code"), _bytes("receipt"), _number("at"),
)  # fmt: skip
Table("uploads", METADATA, *_transaction_key(), _number("amount_fen"))
Table(
    "differences", METADATA, *_transaction_key(), _number("host_fen", may_lack=True),
    _number("terminal_fen", may_lack=True), _number("at"),
)  # fmt: skip
Table(
    "commands", METADATA, _text("serial_number", key=True), _number("counter", key=True), _text("kind"),
    _bytes("document"), _text("state"), _number("created_at"), _number("expires_at"), _text("result"),
    _number("read_at", may_lack=True),
)  # fmt: skip
Table(
    "firmware", METADATA, _text("model", key=True), _text("version", key=True), _number("size"), _text("sha256"),
    _bytes("image"),
)  # fmt: skip
Table(
    "downloads", METADATA, _text("name", key=True), _number("version", key=True), _text("content"), _number("at"),
)  # fmt: skip
Table(
    "fetches", METADATA, _text("serial_number", key=True), _text("name", key=True), _number("begun"),
    _number("fetched"), _number("at"),
)  # fmt: skip
Table(
    "swaps", METADATA, _number("number", key=True), _text("serial_number"), _text("successor"), _text("state"),
    _text("actor"), _number("ordered_at"), _number("changed_at"), _text("sha256"), _number("size"), _bytes("backup"),
    _bytes("certificate"), _text("merchant_id"), _number("fee_fen"), _number("deposit_fen"), _number("credit_bp"),
    _number("debit_bp"), _number("debit_cap_fen"), _number("appointment_at", may_lack=True),
    Index("swaps_by_appointment", "appointment_at", **_where("appointment_at IS NOT NULL")),
    Index("swaps_by_old", "serial_number"), Index("swaps_by_new", "successor"),
)  # fmt: skip
Table(
    "repairs", METADATA, _number("number", key=True), _text("serial_number"), _text("merchant_id"), _text("cause"),
    _text("note"), _text("state"), _flag("covered"), _number("cost_fen"), _text("outcome"), _text("actor"),
    _number("reported_at"), _number("received_at", may_lack=True), _number("repaired_at", may_lack=True),
    _number("closed_at", may_lack=True), Index("repairs_by_terminal", "serial_number"),
)  # fmt: skip
Table(
    "loans", METADATA, _number("number", key=True), _text("serial_number"), _text("spare"), _text("merchant_id"),
    _number("deposit_fen"), _text("actor"), _number("lent_at"), _number("due_at"),
    _number("returned_at", may_lack=True),
    Index("loans_by_spare", "spare"), Index("loans_by_terminal", "serial_number"),
)  # fmt: skip
Table(
    "fallbacks", METADATA, _number("number", key=True), _text("code"), _text("serial_number"), _text("merchant_id"),
    _text("terminal_id"), _text("why"), _text("actor"), _number("opened_at"), _number("until"),
    _number("closed_at", may_lack=True), Index("fallbacks_by_code", "code"),
    Index("fallbacks_by_terminal", "serial_number"), Index("fallbacks_by_till", "terminal_id"),
)  # fmt: skip
Table("refusals", METADATA, _text("serial_number", key=True), _text("reason"), _text("words"), _number("at"))
Table("policies", METADATA, _number("version", key=True), _text("content"), _text("actor"), _number("at"))
Table(
    "documents", METADATA, _text("merchant_id", key=True), _text("kind", key=True), _text("reference"),
    _number("until", may_lack=True), _text("actor"), _number("at"),
)  # fmt: skip
Table(
    "hold_evidence", METADATA, _number("number", key=True), _number("hold"), _text("serial_number"), _text("reference"),
    _text("note"), _text("actor"), _number("at"), Index("hold_evidence_by_hold", "hold"),
)  # fmt: skip
Table("partners", METADATA, _text("name", key=True), _text("state"), _text("actor"), _number("since"))
Table(
    "updates", METADATA, _text("serial_number", key=True), _text("version"), _text("state"), _number("failures"),
    _number("at"),
)  # fmt: skip
Table("diagnoses", METADATA, _text("serial_number", key=True), _text("sections"), _number("at"))
Table("statuses", METADATA, _text("serial_number", key=True), _text("status"), _number("at"))
Table(
    "audit", METADATA, _number("number", key=True), _number("at"), _text("actor"), _text("serial_number"), _text("act"),
    _text("detail"), _bytes("salt"), _bytes("commitment"), _number("place", may_lack=True), _bytes("digest"),
    Index("audit_by_place", "place"), Index("audit_by_terminal", "serial_number"),
)  # fmt: skip
Table("chains", METADATA, _text("name", key=True), _number("place"), _bytes("digest"))
Table(
    "certificates", METADATA, _number("number", key=True), _text("merchant_id"), _bytes("document"), _number("at"),
)  # fmt: skip
Table(
    "tokens", METADATA, _text("name", key=True), _text("person"), _text("role"), _bytes("digest"),
    _number("created_at"), _number("expires_at"), _number("revoked_at", may_lack=True),
    Index("tokens_by_digest", "digest"),
)  # fmt: skip
Table(
    "proposals", METADATA, _number("number", key=True), _text("act"), _text("arguments"), _text("person"),
    _text("token"), _number("at"), _number("expires_at"), _text("state"), _text("decided_by"),
)  # fmt: skip
Table(
    "alerts", METADATA, _number("number", key=True), _text("serial_number"), _text("rule"), _text("evidence"),
    _text("state"), _number("at"), _text("cleared_by"), _text("note"), Index("alerts_by_terminal", "serial_number"),
)  # fmt: skip
Table(
    "amendments", METADATA, _number("number", key=True), _text("merchant_id"), _text("card_type"), _number("rate_bp"),
    _number("cap_fen", may_lack=True), _text("signed_by"), _number("effective_at"), _number("at"),
    _number("applied_at", may_lack=True), Index("amendments_by_merchant", "merchant_id"),
)  # fmt: skip
Table(
    "lost_sales", METADATA, _number("number", key=True), _text("serial_number"), _text("merchant_id"), _text("kind"),
    _number("amount_fen"), _text("reason"), _number("at"), Index("lost_sales_by_terminal", "serial_number"),
)  # fmt: skip
Table(
    "disputes", METADATA, _number("number", key=True), _text("terminal_id"), _text("batch"), _text("stan"),
    _text("merchant_id"), _text("serial_number"), _text("reason"), _number("amount_fen"), _text("state"),
    _number("opened_at"), _number("due_at"), _text("answer"), _text("note"), _number("closed_at", may_lack=True),
    Index("disputes_open", "due_at", **_where("state = 'open'")),
    Index("disputes_by_transaction", "terminal_id", "batch", "stan"), Index("disputes_by_merchant", "merchant_id"),
)  # fmt: skip

TABLES: Final[Mapping[str, Table]] = MappingProxyType(dict(METADATA.tables))


_creation: Final[dict[str, tuple[str, ...]]] = {}
"""Name of a dialect -> what makes an empty database ours; worked out once, for that takes longer than doing it."""


def create_tables(connection: Connection) -> None:
    """Make every table, index and sequence in a database that has none of them."""
    dialect = connection.dialect
    if dialect.name not in _creation:
        said: list[str] = []
        mock = MockConnection(dialect, lambda statement, *_: said.append(str(statement.compile(dialect=dialect))))
        METADATA.create_all(mock, checkfirst=False)
        _creation[dialect.name] = tuple(said)
    with closing(connection.connection.cursor()) as cursor:
        for statement in _creation[dialect.name]:
            cursor.execute(statement)
