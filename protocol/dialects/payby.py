"""The dialect of a gateway that follows UnionPay in form only (CUP 10, marked PB there).

Field 60 is text: batch, network code, an id of 37 characters and one of 18 of its centre; there is no 60.1, so MTI and
processing code tell the kinds. No MAC, any currency, chip data above 255 bytes, and other processing requirements.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from protocol.dialect import CUP
from protocol.elements import ASCII, OCTETS, lll
from protocol.fields import FIELDS, F, FieldSpec, Mask, Part
from protocol.header import NO_REQUIREMENT, REQUIREMENTS, Requirement
from protocol.kinds import KINDS, Kind, KindTable, Presence
from protocol.message import Message

_CLAUSE: Final = "CUP 10, PB"
_BATCH_DIGITS: Final = 6
_NETWORK_DIGITS: Final = 3

_FIELDS: Final = (
    FieldSpec(F.TOTALS, "key serial numbers", "密钥序列号", lll(ASCII, 999), "CUP 2.8, PB", Mask.HIDDEN),
    replace(FIELDS[F.CURRENCY], name="currency of the country", clause=_CLAUSE),
    replace(FIELDS[F.ICC], element=lll(OCTETS, 999), clause=_CLAUSE),
    FieldSpec(
        F.CONTROL, "batch, network management, ids", "自定义域60", lll(ASCII, 999), _CLAUSE,
        parts=(
            Part("batch", "批次号", _BATCH_DIGITS, _CLAUSE),
            Part("network_management", "网络管理信息码", _NETWORK_DIGITS, _CLAUSE),
            Part("transaction_id", "交易标识", 37, _CLAUSE),
            Part("centre_id", "中心标识", 0, _CLAUSE),
        ),
    ),
)  # fmt: skip

_UNKNOWN_HERE: Final = frozenset({F.MAC, F.RRN, F.AUTH_ID, F.ORIGINAL, F.PROCESSING_CODE})
_MANAGEMENT: Final = (
    "sign_in", "sign_off", "echo", "cashier_sign_in", "settlement", "batch_upload", "batch_end", "chip_upload",
    "chip_notice", "purse_upload", "status_upload", "parameters", "parameters_end", "tms_parameters",
    "tms_parameters_end", "ca_key_query", "ca_key", "ca_key_end", "aid_query", "aid", "aid_end", "rates", "rates_end",
)  # fmt: skip
_MONEY: Final = ("sale", "sale_void", "refund", "balance", "preauth", "preauth_void")


def _relaxed(presence: Presence) -> Presence:
    """What CUP demands and this dialect may leave out becomes optional."""
    must = tuple(number for number in presence.must if number not in _UNKNOWN_HERE)
    return Presence(must, tuple({*presence.must, *presence.may} - {*must, F.MAC}), presence.due)


def _money(row: Kind) -> Kind:
    return replace(
        row, type_code="", has_mac=False, reversal="reversal" if row.reversal else "",
        request=_relaxed(row.request), reply=_relaxed(row.reply), clause=_CLAUSE,
    )  # fmt: skip


_ROWS: Final = (
    *(_money(KINDS[name]) for name in _MONEY),
    replace(
        _money(KINDS["sale_reversal"]), name="reversal", chinese="冲正", english="reversal", processing_code="",
        condition_code="", undoes="",
    ),
    *(replace(KINDS[name], type_code="", clause=_CLAUSE) for name in _MANAGEMENT),
)  # fmt: skip


def _codes(message: Message) -> tuple[str, str]:
    """No type, and the network code behind the batch."""
    return "", message.text(F.CONTROL)[_BATCH_DIGITS : _BATCH_DIGITS + _NETWORK_DIGITS]


_REQUIREMENTS: Final = (
    REQUIREMENTS[NO_REQUIREMENT],
    Requirement("1", "重新签到", "sign on again", ("001", "003", "004")),
    Requirement("2", "更新公钥", "update CA public keys", ("372", "370", "371")),
    Requirement("3", "更新IC卡参数", "update chip parameters", ("382", "380", "381")),
    Requirement("4", "更新非接参数", "update contactless parameters"),
)

PAYBY: Final = replace(
    CUP, name="payby", fields=MappingProxyType({**CUP.fields, **{row.number: row for row in _FIELDS}}),
    kinds=KindTable(_ROWS, _codes),
    requirements=MappingProxyType({row.nibble: row for row in _REQUIREMENTS}),
)  # fmt: skip
"""A gateway's patch of CUP."""
