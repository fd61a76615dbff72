"""The slip of a captured transaction, in both languages.

Rules owned here: a slip exists only of a row that is CAPTURED in the book; the PAN on it is masked.
"""

from __future__ import annotations

from protocol.money import yuan
from terminal.settings import Settings
from terminal.transaction import State, Transaction


def slips(row: Transaction, settings: Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The Chinese and the English slip, line by line; raises ValueError for a row that is not captured."""
    if row.state is not State.CAPTURED:
        raise ValueError(f"no slip of a transaction that is {row.state}")
    at = f"{row.date[:2]}-{row.date[2:]} {row.time[:2]}:{row.time[2:4]}:{row.time[4:]}" if row.date else ""
    lines = (
        ("商户", "merchant", settings.merchant_name),
        ("商户号", "merchant id", settings.merchant_id),
        ("终端号", "terminal id", settings.terminal_id),
        ("操作员", "operator", settings.operator.strip()),
        ("卡号", "card", row.card),
        ("批次号", "batch", row.batch),
        ("凭证号", "trace", row.stan),
        ("参考号", "reference", row.rrn),
        ("授权码", "authorisation", row.auth_id),
        ("原凭证号", "original trace", row.original_stan.strip("0") and row.original_stan),
        ("原参考号", "original reference", row.original_rrn),
        ("日期时间", "date and time", at),
        ("金额", "amount", f"RMB {yuan(row.amount_fen)}"),
    )
    chinese = (row.row.chinese, *(f"{label}: {value}" for label, _, value in lines if value))
    english = (row.row.english, *(f"{label}: {value}" for _, label, value in lines if value))
    return chinese, english
