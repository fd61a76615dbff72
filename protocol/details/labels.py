"""What the keys of ``details`` are called in Chinese; a key that is no row, a key use or a tag, stands for itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from protocol.fields import FieldSpec
from protocol.private import CONTACTLESS, DEVICE_TAGS, GROUP_TAGS, PARAMETERS, Tag
from protocol.private.receipt import RECEIPT_TAGS

_OTHERS: Final[Mapping[str, str]] = {
    "account": "账户类型",
    "amount_fen": "金额（分）",
    "balances": "余额",
    "bins": "卡BIN",
    "card_group": "卡组别",
    "card_reader": "读卡器",
    "check": "校验",
    "check_value": "校验值",
    "class": "应答码类别",
    "count": "笔数",
    "credit_count": "贷记笔数",
    "credit_fen": "贷记金额（分）",
    "cryptogram": "密文类型",
    "currency": "币种",
    "debit_count": "借记笔数",
    "debit_fen": "借记金额（分）",
    "display": "显示屏",
    "domestic": "内卡",
    "foreign": "外卡",
    "items": "明细",
    "key_bytes": "密钥长度（字节）",
    "keyboard": "键盘",
    "last": "最后序号",
    "meaning": "含义",
    "name": "名称",
    "objects": "数据对象",
    "operator": "操作员",
    "organisation": "卡组织",
    "original_organisation": "原交易卡组织",
    "packet": "下发标志",
    "pan": "主账号",
    "pin_block": "密码密文",
    "pin_pad": "密码键盘",
    "printer": "打印机",
    "reason": "原因码",
    "received": "已收条数",
    "response_code": "应答码",
    "result": "对账结果",
    "start": "起始序号",
    "tag": "标签",
    "terminal_action": "终端动作",
    "text": "说明",
    "tip_fen": "小费（分）",
    "type": "类型",
    "value": "值",
    "wrapped": "密钥密文",
}


def _tags(rows: Mapping[str, Tag]) -> Iterator[tuple[str, str]]:
    for row in rows.values():
        yield row.key, row.chinese
        yield from _tags(row.inner or {})


LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **_OTHERS,
        **dict(_tags(RECEIPT_TAGS)),
        **dict(_tags(GROUP_TAGS)),
        **dict(_tags(DEVICE_TAGS)),
        **{row.key: row.chinese for row in CONTACTLESS.values()},
        **{part.key: part.chinese for part in PARAMETERS.values()},
    }
)


def labels_of(fields: Mapping[int, FieldSpec]) -> Mapping[str, str]:
    """The Chinese names of every key that ``explain`` may give for fields with these rows."""
    return {**LABELS, **{part.key: part.chinese for row in fields.values() for part in row.parts}}
