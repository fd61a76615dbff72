"""Slips, in both languages: of a transaction that is good, of practice, and of a settled batch.

Rules owned here: a slip exists only of a row that is CAPTURED in the book, or OFFLINE, which it says; the PAN on it is
masked; what is printed again says so; only the merchant's copy has a line to sign on, where no pad took the signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from protocol.errors import EncodeError
from protocol.feature_code import feature_code
from protocol.money import yuan
from protocol.tlv import decode
from terminal.book import ClosedBatch
from terminal.settings import Settings
from terminal.transaction import Signing, State, Transaction

Slip = tuple[tuple[str, ...], tuple[str, ...]]
"""The Chinese and the English lines."""
Line = tuple[str, str, str | tuple[str, str]]
"""Chinese label, English label, and the value, which may differ by language."""

GOOD: Final = (State.CAPTURED, State.OFFLINE)
DUPLICATE: Final = "*** DUPLICATE 重打印 ***"
PRACTICE: Final = "*** TRAINING 培训 ***"
ENTRIES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "01": ("手工输入", "keyed"),
        "02": ("刷卡", "swiped"),
        "03": ("扫码", "scanned"),
        "05": ("插卡", "inserted"),
        "07": ("挥卡", "tapped"),
    }
)
"""Digits 1 and 2 of field 22 -> how the card came (CUP 2.1)."""
CHIP_LINES: Final[Mapping[int, str]] = MappingProxyType(
    {0x50: "APP", 0x84: "AID", 0x9F26: "AC", 0x95: "TVR", 0x9B: "TSI", 0x9F36: "ATC"}
)
CRYPTOGRAMS: Final[Mapping[str, str]] = MappingProxyType({"00": "AAC", "40": "TC", "80": "ARQC"})
"""Tag 9F27 -> what the cryptogram is called."""


class Copy(Enum):
    """Whose slip it is."""

    MERCHANT = ("商户存根", "merchant copy")
    CARDHOLDER = ("持卡人存根", "cardholder copy")


def slips(row: Transaction, settings: Settings, copy: Copy = Copy.CARDHOLDER, *, duplicate: bool = False) -> Slip:
    """The Chinese and the English slip, line by line; raises ValueError for a row that is not good."""
    if row.state not in GOOD:
        raise ValueError(f"no slip of a transaction that is {row.state}")
    again = (DUPLICATE,) if duplicate else ()
    waits_zh, waits_en = (
        (("离线交易，待上送",), ("offline, to be uploaded",)) if row.state is State.OFFLINE else ((), ())
    )
    chinese, english = _written(row, settings)
    signed_zh, signed_en = _signature(row, settings, copy)
    return (
        (*chinese, *waits_zh, *signed_zh, copy.value[0], *again),
        (*english, *waits_en, *signed_en, copy.value[1], *again),
    )


def practice_slip(row: Transaction, settings: Settings) -> Slip:
    """The slip of what was only practised, which never reached the host or the book."""
    chinese, english = _written(row.model_copy(update={"stan": "", "batch": ""}), settings)
    return (PRACTICE, *chinese, PRACTICE), (PRACTICE, *english, PRACTICE)


def totals_slip(batch: ClosedBatch, net_fen: int, settings: Settings) -> Slip:
    """The slip of a settled batch."""
    lines = (
        *_shop(settings),
        ("批次号", "batch", batch.batch),
        ("借记", "debits", f"{batch.debit_count} / {yuan(batch.debit_fen)}"),
        ("贷记", "credits", f"{batch.credit_count} / {yuan(batch.credit_fen)}"),
        ("净额", "net", f"RMB {yuan(net_fen)}"),
        ("结果", "result", ("对账平", "balanced") if batch.balanced else ("对账不平", "not balanced")),
    )
    return _labelled("结算总计单", "settlement totals", lines)


def signing_code(row: Transaction) -> str:
    """The feature code that ties a signature to a row; empty where the host's numbers give none (CUP 6)."""
    try:
        return feature_code(row.settlement_date, row.rrn)
    except EncodeError:
        return ""


def _written(row: Transaction, settings: Settings) -> Slip:
    at = f"{row.date[:2]}-{row.date[2:]} {row.time[:2]}:{row.time[2:4]}:{row.time[4:]}" if row.date else ""
    lines = (
        *_shop(settings),
        ("卡号", "card", row.card),
        ("批次号", "batch", row.batch),
        ("凭证号", "trace", row.stan),
        ("参考号", "reference", row.rrn),
        ("授权码", "authorisation", row.auth_id),
        ("订单号", "order", row.order),
        ("原凭证号", "original trace", row.original_stan.strip("0") and row.original_stan),
        ("原参考号", "original reference", row.original_rrn),
        ("原授权码", "original authorisation", row.original_auth_id),
        ("日期时间", "date and time", at),
        ("金额", "amount", f"RMB {yuan(row.amount_fen)}"),
        ("输入方式", "entry", ENTRIES.get(row.entry_mode[:2], "")),
        *_chip(row),
    )
    return _labelled(row.row.chinese, row.row.english, lines)


def _labelled(chinese: str, english: str, lines: tuple[Line, ...]) -> Slip:
    """Both languages under a title; a line without a value is left out."""
    told = [(zh, en, *(value if isinstance(value, tuple) else (value, value))) for zh, en, value in lines if value]
    return (
        (chinese, *(f"{zh}: {value}" for zh, _, value, _ in told)),
        (english, *(f"{en}: {value}" for _, en, _, value in told)),
    )


def _shop(settings: Settings) -> tuple[Line, ...]:
    return (
        ("商户", "merchant", settings.merchant_name),
        ("商户号", "merchant id", settings.merchant_id),
        ("终端号", "terminal id", settings.terminal_id),
        ("操作员", "operator", settings.operator.strip()),
        ("服务电话", "service telephone", settings.management_phone),
    )


def _chip(row: Transaction) -> tuple[Line, ...]:
    nodes = {node.tag: node.octets for node in decode(bytes.fromhex(row.chip))}
    values = {tag: octets.hex().upper() for tag, octets in nodes.items()}
    values[0x50] = nodes.get(0x50, b"").decode("ascii", "replace")
    labels = {**CHIP_LINES, 0x9F26: CRYPTOGRAMS.get(values.get(0x9F27, ""), CHIP_LINES[0x9F26])}
    return tuple((label, label, values.get(tag, "")) for tag, label in labels.items())


def _signature(row: Transaction, settings: Settings, copy: Copy) -> Slip:
    if row.signature is Signing.NONE:
        return (), ()
    if row.signature is Signing.FREE:
        limit = yuan(settings.no_signature_limit_fen)
        return (f"免签: 交易金额未超过{limit}元，无需签名",), (f"no signature required up to {limit} yuan",)
    code = signing_code(row)
    coded_zh, coded_en = ((f"交易特征码: {code}",), (f"feature code: {code}",)) if code else ((), ())
    if row.signature in (Signing.CAPTURED, Signing.UPLOADED):
        return (*coded_zh, "持卡人已电子签名"), (*coded_en, "signed electronically")
    if row.signature is Signing.PAPER and copy is Copy.MERCHANT:
        return (
            (*coded_zh, "持卡人签名: ________________", "本人确认以上交易，同意将其记入本卡账户"),
            (*coded_en, "signature: ________________", "I agree to pay the above amount"),
        )
    return coded_zh, coded_en
