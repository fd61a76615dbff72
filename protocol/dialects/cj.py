"""The edition of one acquirer: UnionPay's messages and a few of its own (CUP 3.1, 3.2, marked CJ-dev there).

An example of a patch: the fields are those of CUP, the kinds are more. Its sign-on replies carry keys in items of 25
bytes, which field 62 tells by its length.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from protocol.dialect import CUP
from protocol.fields import F
from protocol.kinds import KINDS, Kind, KindTable, Presence, reversal_of

_CLAUSE: Final = "CUP 3.1, CJ-dev"
_SALE: Final = KINDS["sale"]
_ORDER: Final = Presence(
    tuple(number for number in _SALE.request.must if number not in (F.ENTRY_MODE, F.CONDITION_CODE)),
    (F.ENTRY_MODE, F.CONDITION_CODE, F.RRN, F.ORIGINAL, *_SALE.request.may),
    _SALE.request.due,
)


def _order(name: str, chinese: str, english: str, processing_code: str, type_code: str) -> Kind:
    """A row that names no entry mode and no condition."""
    return replace(
        _SALE, name=name, chinese=chinese, english=english, processing_code=processing_code, type_code=type_code,
        condition_code="", reversal="", request=_ORDER, clause=_CLAUSE,
    )  # fmt: skip


_QUERY: Final = replace(
    KINDS["balance"], condition_code="", clause=_CLAUSE,
    request=Presence(
        tuple(number for number in KINDS["balance"].request.must if number not in (F.ENTRY_MODE, F.CONDITION_CODE)),
        (F.ENTRY_MODE, F.CONDITION_CODE, *KINDS["balance"].request.may), KINDS["balance"].request.due,
    ),
)  # fmt: skip
_ORDER_SALE: Final = replace(
    _order("order_sale", "订单消费", "order sale", "100000", "22"), reversal="order_sale_reversal"
)
_OWN: Final = (
    _order("qr_pay", "扫码付款（被扫）", "QR payment, code scanned", "700000", "60"),
    _order("qr_collect", "扫码付款（主扫）", "QR payment, code shown", "710000", "60"),
    _order("qr_void", "扫码撤销", "QR void", "720000", "60"),
    _order("qr_query", "扫码查询", "QR query", "730000", "60"),
    _order("qr_refund", "扫码退货", "QR refund", "740000", "60"),
    _ORDER_SALE,
    reversal_of(_ORDER_SALE),
    replace(_QUERY, name="order_query", chinese="订单查询", english="order query", processing_code="311000"),
    replace(
        _QUERY, name="identity_check", chinese="实名认证", english="identity check", processing_code="330000",
        type_code="50",
    ),
    Kind(
        "terminal_parameters", "终端参数下载", "download of terminal parameters by serial number", "0800", "00",
        ("101",), Presence((F.STAN, F.DEVICE, F.CONTROL), (F.TERMINAL_ID, F.MERCHANT_ID)),
        Presence((F.CONTROL,), (F.STAN, F.LOCAL_TIME, F.LOCAL_DATE, F.TERMINAL_ID, F.MERCHANT_ID, F.DEVICE, F.PAYLOAD)),
        advances_stan=False, clause="CUP 3.2, CJ-dev",
    ),
)  # fmt: skip
_SIGNATURE: Final = KINDS["signature_upload"]
_ROWS: Final = {
    **KINDS,
    _SIGNATURE.name: replace(_SIGNATURE, networks=(*_SIGNATURE.networks, "301")),
    **{row.name: row for row in _OWN},
}

CJ: Final = replace(CUP, name="cj", kinds=KindTable(_ROWS.values()))
"""CUP with orders, QR payments by processing code and parameters by serial number."""
