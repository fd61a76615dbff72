"""The financial kinds: what moves, holds or asks for money, and the reversals of those that have one (CUP 3.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from protocol.fields import F
from protocol.kinds.kind import Kind, Mark, Presence
from protocol.kinds.presence import (
    ADVICE,
    CARD,
    EXTRAS,
    HOLD_UNDO,
    INQUIRY,
    INQUIRY_REPLY,
    MONEY,
    MONEY_REPLY,
    PURCHASE,
    REVERSAL,
    REVERSAL_REPLY,
    STAMP,
    UNDO,
)

FINANCIAL: Final = ("000", "")
"""60.3 of a financial message; old terminals leave it out."""

_QR_MARKS: Final = (Mark(F.ENTRY_MODE, ("03",)), Mark(F.DEVICE, ("A3", "A4")))
_PHONE_MARKS: Final = (Mark(F.CONDITION_CODE, ("08", "18")),)
_NO_PIN: Final = frozenset({F.PIN_CAPTURE, F.PIN_BLOCK})
_CONTACTLESS: Final = replace(PURCHASE, may=tuple(number for number in PURCHASE.may if number not in _NO_PIN))


def _kind(
    name: str,
    chinese: str,
    english: str,
    codes: str,
    request: Presence,
    reply: Presence = MONEY_REPLY,
    *,
    reversible: bool = False,
    marks: tuple[Mark, ...] = (),
    variant_of: str = "",
) -> Kind:
    """A row; ``codes`` are MTI, field 3, field 25 and 60.1 in the order of the columns of CUP 3.1."""
    mti, processing_code, condition_code, type_code = codes.split()
    return Kind(
        name, chinese, english, mti, type_code, FINANCIAL, request, reply,
        processing_code=processing_code, condition_code=condition_code, has_mac=True,
        reversal=f"{variant_of or name}_reversal" if reversible else "",
        marks=marks, variant_of=variant_of, clause="CUP 3.1",
    )  # fmt: skip


def _conditioned(
    name: str, chinese: str, english: str, base: Kind, condition_code: str, marks: tuple[Mark, ...] = ()
) -> Kind:
    """A row with the codes of ``base`` that field 25 alone tells from it."""
    return replace(
        base, name=name, chinese=chinese, english=english, condition_code=condition_code,
        marks=marks or (Mark(F.CONDITION_CODE, (condition_code,)),), reversal=f"{name}_reversal",
    )  # fmt: skip


_SALE: Final = _kind("sale", "消费", "sale", "0200 000000 00 22", PURCHASE, reversible=True)
_SALE_VOID: Final = _kind("sale_void", "消费撤销", "sale void", "0200 200000 00 23", UNDO, reversible=True)
_PREAUTH: Final = _kind("preauth", "预授权", "pre-authorisation", "0100 030000 06 10", PURCHASE, reversible=True)
_ADDITIONAL: Final = replace(_PREAUTH, request=replace(PURCHASE, may=(*PURCHASE.may, F.AUTH_ID, F.ORIGINAL)))
_PREAUTH_VOID: Final = _kind(
    "preauth_void", "预授权撤销", "pre-authorisation void", "0100 200000 06 11", HOLD_UNDO, reversible=True
)
_COMPLETION: Final = _kind(
    "completion", "预授权完成请求", "completion request", "0200 000000 06 20", HOLD_UNDO, reversible=True
)
_COMPLETION_VOID: Final = _kind(
    "completion_void", "预授权完成撤销", "completion void", "0200 200000 06 21", UNDO, reversible=True
)
_CARD_SALES: Final = (
    _SALE,
    _kind(
        "contactless_sale", "小额免密免签消费", "contactless sale without PIN", "0200 000000 00 22", _CONTACTLESS,
        reversible=True, marks=(Mark(F.ENTRY_MODE, ("072", "982")),), variant_of="sale",
    ),
    _SALE_VOID,
    _kind("refund", "退货", "refund", "0220 200000 00 25", UNDO),
    _kind("balance", "余额查询", "balance inquiry", "0200 310000 00 01", INQUIRY, INQUIRY_REPLY),
    _kind("qr_sale", "二维码消费", "QR sale", "0200 000000 00 22", PURCHASE, reversible=True, marks=_QR_MARKS),
)  # fmt: skip
_HOLDS: Final = (
    _PREAUTH,
    _PREAUTH_VOID,
    _COMPLETION,
    _kind("completion_advice", "预授权完成通知", "completion advice", "0220 000000 06 24", HOLD_UNDO),
    _COMPLETION_VOID,
    _conditioned("additional_preauth", "追加预授权", "additional pre-authorisation", _ADDITIONAL, "60"),
)
_ADVICES: Final = (
    _kind("offline_sale", "离线结算", "offline sale", "0220 000000 00 30", ADVICE),
    _kind("offline_adjustment", "结算调整", "adjustment", "0220 000000 00 32", ADVICE),
    _kind("tip_adjustment", "小费调整", "tip adjustment", "0220 000000 00 34", ADVICE),
)
_PHONE_ORDERS: Final = tuple(
    _conditioned(f"moto_{base.name}", f"邮购电话{base.chinese}", f"MOTO {base.english}", base, code, _PHONE_MARKS)
    for base, code in (
        (_SALE, "08"), (_SALE_VOID, "08"), (_PREAUTH, "18"), (_PREAUTH_VOID, "18"), (_COMPLETION, "18"),
        (_COMPLETION_VOID, "18"),
    )
)  # fmt: skip
_PLANS: Final = (
    _conditioned("instalment_sale", "分期付款消费", "instalment sale", _SALE, "64"),
    _conditioned("instalment_sale_void", "分期付款消费撤销", "instalment sale void", _SALE_VOID, "64"),
    _conditioned("points_sale", "积分消费", "points sale", _SALE, "65"),
    _conditioned("points_sale_void", "积分消费撤销", "points sale void", _SALE_VOID, "65"),
    _kind("points_query", "联盟积分查询", "points query", "0200 310000 65 03", INQUIRY, INQUIRY_REPLY),
    _kind("reservation_sale", "预约消费", "reservation sale", "0200 000000 67 54", PURCHASE, reversible=True),
    _kind("reservation_sale_void", "预约消费撤销", "reservation sale void", "0200 200000 67 53", UNDO, reversible=True),
)
_PURSES: Final = (
    _kind("ec_sale", "电子现金脱机消费", "electronic cash sale", "0200 000000 00 36", ADVICE),
    _kind("ec_refund", "电子现金脱机退货", "electronic cash refund", "0220 200000 00 27", UNDO),
    *(
        _kind(name, chinese, english, codes, PURCHASE, reversible=True)
        for name, chinese, english, codes in (
            ("ec_load", "电子现金指定账户圈存", "electronic cash load, own account", "0200 600000 91 45"),
            ("ec_load_other", "电子现金非指定账户圈存", "electronic cash load, other account", "0200 620000 91 47"),
            ("ec_load_cash", "电子现金现金充值", "electronic cash load, cash", "0200 630000 91 46"),
            ("purse_load", "电子钱包指定账户圈存", "e-purse load, own account", "0200 600000 91 40"),
            ("purse_load_other", "电子钱包非指定账户圈存", "e-purse load, other account", "0200 620000 91 42"),
            ("purse_load_cash", "电子钱包现金圈存", "e-purse load, cash", "0200 630000 91 41"),
        )
    ),
    _kind(
        "ec_load_cash_void", "电子现金现金充值撤销", "electronic cash load void", "0200 170000 91 51", UNDO,
        reversible=True,
    ),
    _kind("stripe_load_cash", "磁条卡现金充值", "stripe card top-up, cash", "0200 630000 00 48", PURCHASE),
    _kind("stripe_load", "磁条卡账户充值", "stripe card top-up, account", "0200 400000 66 49", PURCHASE),
    _kind(
        "stripe_load_check", "磁条卡充值账户验证", "stripe card top-up check", "0100 330000 00 01", INQUIRY,
        INQUIRY_REPLY,
    ),
)  # fmt: skip

MONEY_ROWS: Final = (*_CARD_SALES, *_HOLDS, *_ADVICES, *_PHONE_ORDERS, *_PLANS, *_PURSES)


def reversal_of(kind: Kind) -> Kind:
    """The row that undoes a kind: MTI 0400 and the codes of the original (CUP 7.3)."""
    return replace(
        kind, name=kind.reversal, chinese=f"{kind.chinese}冲正", english=f"{kind.english} reversal", mti="0400",
        request=REVERSAL, reply=REVERSAL_REPLY, reversal="", undoes=kind.name, advances_stan=False, clause="CUP 7.3",
    )  # fmt: skip


REVERSAL_ROWS: Final = tuple(reversal_of(row) for row in MONEY_ROWS if row.reversal and not row.variant_of)

SCRIPT_ROWS: Final = (
    Kind(
        "script_result", "脚本结果通知", "script result", "0620", "00", ("951",),
        Presence(
            tuple(number for number in MONEY if number != F.AMOUNT),
            (F.AMOUNT, *CARD, F.ACQUIRER, F.RRN, F.AUTH_ID, F.ICC, *EXTRAS, F.TEXT),
            (F.ORIGINAL,),
        ),
        Presence(
            (F.STAN, *STAMP, F.TERMINAL_ID, F.MERCHANT_ID, F.CONTROL),
            (
                F.AMOUNT, F.EXPIRY, F.SETTLEMENT_DATE, F.PAN_SEQUENCE, F.ADDITIONAL_RESPONSE, F.ICC, F.ORIGINAL, F.TEXT,
                F.MAC,
            ),
            (F.PAN, F.PROCESSING_CODE, F.CONDITION_CODE, F.ACQUIRER, F.RRN, F.CURRENCY),
        ),
        has_mac=True, clause="CUP 7.22",
    ),
)  # fmt: skip
"""The processing and condition codes of a script result are the original's."""
