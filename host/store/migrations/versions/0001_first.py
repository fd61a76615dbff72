"""The first schema: terminals, their money, their keys and what is told them."""

from __future__ import annotations

from typing import Final

from alembic import op
from sqlalchemy import Column, Index, MetaData, Sequence, Table

from host.store.migrations.columns import flag, number, octets, where, words

revision: Final = "0001"
down_revision: Final = None
METADATA: Final = MetaData()


def _transaction_key() -> tuple[Column[str], Column[str], Column[str]]:
    return words("terminal_id", key=True), words("batch", key=True), words("stan", key=True)


Sequence("numbers", increment=1000, metadata=METADATA)
Sequence("changes", metadata=METADATA)
Table("counters", METADATA, words("name", key=True), number("value"))
Table("secrets", METADATA, words("name", key=True), octets("sealed"))
Table(
    "merchants", METADATA, words("merchant_id", key=True), words("name"), words("contact"), words("telephone"),
    words("address"), flag("active"), number("credit_bp"), number("debit_bp"), number("debit_cap_fen"),
)  # fmt: skip
Table(
    "models", METADATA, words("model", key=True), words("brand"), words("family"), words("min_firmware"),
    number("retired_at", may_lack=True),
)  # fmt: skip
Table(
    "terminals", METADATA, words("serial_number", key=True), words("model"), words("merchant_id"), words("terminal_id"),
    words("state"), flag("bound"), words("firmware"), flag("extended"), words("batch"), flag("signed_on"),
    words("why"), octets("tmk"), octets("working_keys"), octets("previous_keys"), number("download_until"),
    number("command_counter"), words("replaced_by"), words("due"),
    number("activated_at", may_lack=True),
    Index("terminals_by_terminal_id", "terminal_id"), Index("terminals_by_model", "model"),
)  # fmt: skip
Table(
    "registrations", METADATA, number("number", key=True), words("serial_number"), words("merchant_id"), words("name"),
    words("contact"), words("telephone"), words("address"), number("credit_bp"), number("debit_bp"),
    number("debit_cap_fen"), words("verdict"), words("reasons"), number("at"),
    Index("registrations_by_terminal", "serial_number"),
)  # fmt: skip
Table(
    "holds", METADATA, number("number", key=True), words("serial_number"), words("reason"), words("note"),
    words("actor"), number("since"), number("released_at", may_lack=True), words("released_by"),
    Index("holds_by_terminal", "serial_number"),
)  # fmt: skip
Table(
    "plans", METADATA, words("serial_number", key=True), words("reason"), number("notice_at"), number("grace_until"),
    number("stop_at"), number("done_at", may_lack=True),
)  # fmt: skip
Table(
    "transactions", METADATA, *_transaction_key(), words("serial_number"), words("merchant_id"), words("kind"),
    words("state"), number("amount_fen"), number("fee_fen"), words("code"), words("card"), words("card_token"),
    words("card_type"), flag("foreign_card"), words("rrn"), words("auth_id"), words("original_terminal_id"),
    words("original_batch"), words("original_stan"), words("entry_mode"), number("at"),
    Index("transactions_by_rrn", "rrn"),
    Index("transactions_by_original", "original_terminal_id", "original_batch", "original_stan"),
    Index("transactions_by_device", "serial_number"),
    Index("holds_by_authorisation", "auth_id", **where("kind = 'preauth'")),
    Index("payments_by_code", "card_token", **where("kind = 'qr_sale'")),
)  # fmt: skip
Table("cards", METADATA, words("card_token", key=True), number("wrong_pins"))
Table(
    "replies", METADATA, *_transaction_key(), words("mti", key=True), octets("fingerprint"), octets("reply"),
)  # fmt: skip
Table(
    "postings", METADATA, number("number", key=True), words("terminal_id"), words("batch"), words("stan"),
    words("reason"), words("debit"), words("credit"), number("amount_fen"), number("at"),
    Index("postings_by_batch", "terminal_id", "batch"),
)  # fmt: skip
Table(
    "batches", METADATA, words("terminal_id", key=True), words("batch", key=True), words("merchant_id"), words("state"),
    flag("balanced"), number("settled_at", may_lack=True), number("paid_at", may_lack=True),
)  # fmt: skip
Table(
    "signatures", METADATA, *_transaction_key(), words("serial_number"), octets("image"), words("sha256"),
    words("feature_code"), octets("receipt"), number("at"),
)  # fmt: skip
Table("uploads", METADATA, *_transaction_key(), number("amount_fen"))
Table(
    "differences", METADATA, *_transaction_key(), number("host_fen", may_lack=True),
    number("terminal_fen", may_lack=True), number("at"),
)  # fmt: skip
Table(
    "commands", METADATA, words("serial_number", key=True), number("counter", key=True), words("kind"),
    octets("document"), words("state"), number("created_at"), number("expires_at"), words("result"),
    number("read_at", may_lack=True),
)  # fmt: skip
Table(
    "firmware", METADATA, words("model", key=True), words("version", key=True), number("size"), words("sha256"),
    octets("image"),
)  # fmt: skip
Table(
    "downloads", METADATA, words("name", key=True), number("version", key=True), words("content"), number("at"),
)  # fmt: skip
Table(
    "fetches", METADATA, words("serial_number", key=True), words("name", key=True), number("begun"),
    number("fetched"), number("at"),
)  # fmt: skip
Table("refusals", METADATA, words("serial_number", key=True), words("reason"), words("words"), number("at"))
Table("settings", METADATA, words("name", key=True), words("value"))
Table("diagnoses", METADATA, words("serial_number", key=True), words("sections"), number("at"))
Table("statuses", METADATA, words("serial_number", key=True), words("status"), number("at"))
Table(
    "audit", METADATA, number("number", key=True), number("at"), words("actor"), words("serial_number"), words("act"),
    words("detail"),
)  # fmt: skip


def upgrade() -> None:
    """Into an empty database."""
    METADATA.create_all(op.get_bind())
