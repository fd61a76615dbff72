"""The tables of the store; a class of ``host.records`` has the same columns as its table.

Instants are epoch seconds, amounts int fen, batches and STANs six digits as text. No column holds a PAN, a track or a
clear key.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, text

SCHEMA_VERSION: Final = 1
METADATA: Final = MetaData()


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, String, primary_key=key, nullable=False, default="")


def _number(name: str, *, key: bool = False, may_lack: bool = False) -> Column[int]:
    return Column(name, Integer, primary_key=key, nullable=may_lack, default=None if may_lack or key else 0)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, default=False)


def _bytes(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False, default=b"")


def _transaction_key() -> tuple[Column[str], Column[str], Column[str]]:
    return _text("terminal_id", key=True), _text("batch", key=True), _text("stan", key=True)


Table("counters", METADATA, _text("name", key=True), _number("value"))
Table("secrets", METADATA, _text("name", key=True), _bytes("sealed"))
Table(
    "merchants", METADATA, _text("merchant_id", key=True), _text("name"), _text("contact"), _text("telephone"),
    _text("address"), _flag("active"), _number("credit_bp"), _number("debit_bp"), _number("debit_cap_fen"),
)  # fmt: skip
Table(
    "models", METADATA, _text("model", key=True), _text("brand"), _text("family"), _text("min_firmware"),
    _number("retired_at", may_lack=True),
)  # fmt: skip
Table(
    "terminals", METADATA, _text("serial_number", key=True), _text("model"), _text("merchant_id"), _text("terminal_id"),
    _text("state"), _flag("bound"), _text("firmware"), _flag("extended"), _text("batch"), _flag("signed_on"),
    _text("why"), _bytes("tmk"), _bytes("working_keys"), _bytes("previous_keys"), _number("download_until"),
    _number("command_counter"), _text("replaced_by"), _text("due"),
    _number("activated_at", may_lack=True),
    Index("terminals_by_terminal_id", "terminal_id"), Index("terminals_by_model", "model"),
)  # fmt: skip
Table(
    "registrations", METADATA, _number("number", key=True), _text("serial_number"), _text("merchant_id"), _text("name"),
    _text("contact"), _text("telephone"), _text("address"), _number("credit_bp"), _number("debit_bp"),
    _number("debit_cap_fen"), _text("verdict"), _text("reasons"), _number("at"),
    Index("registrations_by_terminal", "serial_number"),
)  # fmt: skip
Table(
    "holds", METADATA, _number("number", key=True), _text("serial_number"), _text("reason"), _text("note"),
    _text("actor"), _number("since"), _number("released_at", may_lack=True), _text("released_by"),
    Index("holds_by_terminal", "serial_number"),
)  # fmt: skip
Table(
    "plans", METADATA, _text("serial_number", key=True), _text("reason"), _number("notice_at"), _number("grace_until"),
    _number("stop_at"), _number("done_at", may_lack=True),
)  # fmt: skip
Table(
    "transactions", METADATA, *_transaction_key(), _text("serial_number"), _text("merchant_id"), _text("kind"),
    _text("state"), _number("amount_fen"), _number("fee_fen"), _text("code"), _text("card"), _text("card_token"),
    _text("card_type"), _flag("foreign_card"), _text("rrn"), _text("auth_id"), _text("original_terminal_id"),
    _text("original_batch"), _text("original_stan"), _text("entry_mode"), _number("at"),
    Index("transactions_by_rrn", "rrn"),
    Index("transactions_by_original", "original_terminal_id", "original_batch", "original_stan"),
    Index("transactions_by_device", "serial_number"),
    Index("holds_by_authorisation", "auth_id", sqlite_where=text("kind = 'preauth'")),
    Index("payments_by_code", "card_token", sqlite_where=text("kind = 'qr_sale'")),
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
    _bytes("certificate"),
    Index("swaps_by_old", "serial_number"), Index("swaps_by_new", "successor"),
)  # fmt: skip
Table("refusals", METADATA, _text("serial_number", key=True), _text("reason"), _text("words"), _number("at"))
Table("settings", METADATA, _text("name", key=True), _text("value"))
Table("diagnoses", METADATA, _text("serial_number", key=True), _text("sections"), _number("at"))
Table("statuses", METADATA, _text("serial_number", key=True), _text("status"), _number("at"))
Table(
    "audit", METADATA, _number("number", key=True), _number("at"), _text("actor"), _text("serial_number"), _text("act"),
    _text("detail"),
)  # fmt: skip

TABLES: Final[Mapping[str, Table]] = MappingProxyType(dict(METADATA.tables))
