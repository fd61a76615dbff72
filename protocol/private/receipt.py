"""TABLE RECEIPT_TAGS: field 55 of an electronic signature, which is the slip's text and no chip data (CUP 6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from protocol.private.device import Tag
from protocol.tlv import Node, decode, encode

RECEIPT_TAGS: Final[Mapping[str, Tag]] = MappingProxyType(
    {
        "FF00": Tag("merchant_name", "商户名称"),
        "FF01": Tag("transaction_type", "交易类型"),
        "FF02": Tag("operator", "操作员"),
        "FF03": Tag("acquirer", "收单机构"),
        "FF04": Tag("issuer", "发卡机构"),
        "FF05": Tag("expiry", "有效期", secret=True),
        "FF06": Tag("date_time", "日期时间"),
        "FF07": Tag("authorisation_id", "授权码"),
        "FF08": Tag("tip", "小费"),
        "FF09": Tag("organisation", "卡组织"),
        "FF0A": Tag("currency", "币种"),
        "FF0B": Tag("cardholder_phone", "持卡人手机号", secret=True),
        "FF20": Tag("application_label", "应用标签"),
        "FF21": Tag("application_name", "应用首选名称"),
        "FF22": Tag("application_id", "应用标识符"),
        "FF23": Tag("cryptogram", "应用密文"),
        "FF24": Tag("balance", "余额"),
        "FF25": Tag("pan_loaded", "转入卡号", secret=True),
        "FF26": Tag("unpredictable_number", "不可预知数"),
        "FF27": Tag("interchange_profile", "应用交互特征"),
        "FF28": Tag("verification_results", "终端验证结果"),
        "FF29": Tag("status_information", "交易状态信息"),
        "FF2A": Tag("transaction_counter", "应用交易计数器"),
        "FF2B": Tag("issuer_application_data", "发卡行应用数据"),
        "FF30": Tag("application_label_2", "应用标签"),
        "FF31": Tag("application_name_2", "应用首选名称"),
        "FF40": Tag("remark", "备注"),
        "FF41": Tag("instalment_1", "分期信息1"),
        "FF42": Tag("instalment_2", "分期信息2"),
        "FF43": Tag("instalment_3", "分期信息3"),
        "FF44": Tag("instalment_4", "分期信息4"),
        "FF45": Tag("points_1", "积分信息1"),
        "FF46": Tag("points_2", "积分信息2"),
        "FF47": Tag("points_3", "积分信息3"),
        "FF48": Tag("points_4", "积分信息4"),
        "FF49": Tag("amount_approved", "承兑金额"),
        "FF4A": Tag("balance_available", "可用余额"),
        "FF4B": Tag("phone", "手机号", secret=True),
        "FF57": Tag("points_5", "积分信息5"),
        "FF60": Tag("original_stan", "原凭证号"),
        "FF61": Tag("original_batch", "原批次号"),
        "FF62": Tag("original_rrn", "原参考号"),
        "FF63": Tag("original_date", "原交易日期"),
        "FF64": Tag("original_authorisation_id", "原授权码"),
        "FF65": Tag("original_terminal_id", "原终端号"),
        "FF70": Tag("print_count", "打印联数"),
    }
)
"""By tag of two bytes; a length of one byte and a value of text or packed digits follow."""


def read_receipt(raw: bytes) -> list[tuple[Tag, bytes]]:
    """The tagged values of field 55 in their order; an unknown tag is a secret row. Raises DecodeError."""
    tags = [(f"{node.tag:04X}", node.octets) for node in decode(raw, flat=True)]
    return [(RECEIPT_TAGS.get(tag, Tag(tag, tag, secret=True)), value) for tag, value in tags]


def pack_receipt(values: Iterable[tuple[str, bytes]]) -> bytes:
    """Field 55 from values by their keys in RECEIPT_TAGS; empty ones are left out."""
    return encode(Node(_TAGS[key], value) for key, value in values if value)


def without_secrets(raw: bytes) -> bytes:
    """Field 55 without what gives a card or its holder away, and without unknown tags. Raises DecodeError."""
    return pack_receipt((tag.key, value) for tag, value in read_receipt(raw) if not tag.secret)


_TAGS: Final[Mapping[str, int]] = MappingProxyType({row.key: int(tag, 16) for tag, row in RECEIPT_TAGS.items()})
