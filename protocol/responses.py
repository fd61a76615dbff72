"""TABLE RESPONSES: field 39, what it says in Chinese and English, and what the terminal does (CUP 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final


class ResponseClass(Enum):
    """The five classes of CUP 4."""

    SUCCESS = "A"
    RETRY = "B"
    FAILED = "C"
    OPERATOR = "D"
    SYSTEM = "E"


class Action(Enum):
    """What the terminal does after the reply."""

    ACCEPT = "accept"
    ACCEPT_PART = "accept the smaller amount where the terminal can, else reverse"
    REVERSE = "reverse: nobody knows the outcome"
    FAIL = "fail"
    TRY_AGAIN = "try again"
    TRY_LATER = "try again later"
    CALL_ACQUIRER = "call the acquirer"
    UPLOAD_OFFLINE = "upload the offline transactions again"
    SIGN_ON_AGAIN = "sign on again"
    BATCH_UPLOAD = "upload the batch"
    KEEP_CARD = "keep the card"


@dataclass(frozen=True, slots=True)
class Response:
    """A row of RESPONSES."""

    code: str
    chinese: str
    english: str
    group: ResponseClass
    action: Action = Action.FAIL

    @property
    def approved(self) -> bool:
        """Did the host do what was asked?"""
        return self.action is Action.ACCEPT

    @property
    def leaves_doubt(self) -> bool:
        """May money have moved otherwise than was asked?"""
        return self.action in (Action.ACCEPT_PART, Action.REVERSE)


_A, _B, _C, _D, _E = ResponseClass
_ROWS: Final = (
    Response("00", "交易成功", "approved", _A, Action.ACCEPT),
    Response("01", "请持卡人与发卡银行联系", "call issuer", _C),
    Response("02", "请与发卡行联系（特殊条件）", "call issuer, special condition", _C),
    Response("03", "无效商户", "invalid merchant", _C, Action.CALL_ACQUIRER),
    Response("04", "此卡被没收", "pick up card", _D, Action.KEEP_CARD),
    Response("05", "持卡人认证失败", "do not honour", _C),
    Response("06", "出错", "error", _E),
    Response("07", "特殊条件下没收卡", "pick up card, special condition", _D, Action.KEEP_CARD),
    Response("09", "请求正在处理中", "request in progress", _B),
    Response("10", "部分金额承兑", "partial amount approved", _A, Action.ACCEPT_PART),
    Response("11", "交易成功（VIP客户）", "approved, VIP", _A, Action.ACCEPT),
    Response("12", "无效交易", "invalid transaction", _C),
    Response("13", "无效金额", "invalid amount", _B, Action.TRY_AGAIN),
    Response("14", "无效卡号", "invalid card number", _B),
    Response("15", "此卡无对应发卡方", "no such issuer", _C),
    Response("16", "批准更新第三磁道", "approved, update track 3", _A, Action.ACCEPT),
    Response("19", "请重新交易", "re-enter transaction", _C, Action.TRY_AGAIN),
    Response("20", "无效应答", "invalid response", _C),
    Response("21", "该卡未初始化或睡眠卡", "card not initialised", _C),
    Response("22", "操作有误", "suspected malfunction", _C),
    Response("23", "不可接受的手续费", "unacceptable fee", _C),
    Response("25", "未能找到原始交易", "original not found", _C),
    Response("30", "报文格式错误", "format error", _C),
    Response("31", "不支持的发卡方", "issuer not supported", _C),
    Response("33", "过期的卡（没收）", "expired card, retain", _D, Action.KEEP_CARD),
    Response("34", "有作弊嫌疑", "fraud suspected", _D, Action.KEEP_CARD),
    Response("35", "请与安全保密部门联系", "contact security", _D, Action.KEEP_CARD),
    Response("36", "有作弊嫌疑的受限卡", "restricted card", _D, Action.KEEP_CARD),
    Response("37", "请与受理方安全部门联系", "call acquirer security", _D, Action.KEEP_CARD),
    Response("38", "密码错误次数超限", "PIN tries exceeded", _D),
    Response("39", "无此信用卡账户", "no credit account", _C),
    Response("40", "请求的功能尚不支持", "function not supported", _C),
    Response("41", "挂失卡", "lost card", _D, Action.KEEP_CARD),
    Response("42", "无此账户", "no such account", _B),
    Response("43", "被窃卡", "stolen card", _D, Action.KEEP_CARD),
    Response("44", "无此投资账户", "no investment account", _C),
    Response("51", "余额不足", "insufficient funds", _C),
    Response("52", "无此支票账户", "no cheque account", _C),
    Response("53", "无此储蓄卡账户", "no savings account", _C),
    Response("54", "过期的卡", "expired card", _C),
    Response("55", "密码错", "wrong PIN", _C),
    Response("56", "无此卡记录", "no card record", _C),
    Response("57", "不允许持卡人进行的交易", "not permitted to cardholder", _C),
    Response("58", "不允许终端进行的交易", "not permitted to terminal", _C, Action.CALL_ACQUIRER),
    Response("59", "有作弊嫌疑", "suspected fraud", _C),
    Response("60", "请与安全保密部门联系", "contact security", _C),
    Response("61", "金额超限", "over amount limit", _C),
    Response("62", "受限制的卡", "restricted card", _C),
    Response("63", "违反安全保密规定", "security violation", _C),
    Response("64", "原始金额不正确", "wrong original amount", _C),
    Response("65", "超出取款次数限制", "over count limit", _C),
    Response("66", "请与受理方安全部门联系", "call acquirer security", _C),
    Response("67", "捕捉（没收卡）", "capture card", _C, Action.KEEP_CARD),
    Response("68", "发卡行应答超时", "issuer answered too late", _C, Action.REVERSE),
    Response("75", "密码错误次数超限", "PIN tries exceeded", _C),
    Response("77", "需要签到", "sign on first", _D, Action.SIGN_ON_AGAIN),
    Response("79", "脱机交易对账不平", "offline totals disagree", _C, Action.UPLOAD_OFFLINE),
    Response("90", "日期切换正在处理", "cut-over in progress", _C, Action.TRY_LATER),
    Response("91", "发卡方不能操作", "issuer inoperative", _C, Action.TRY_LATER),
    Response("92", "发卡方线路异常", "issuer unreachable", _C, Action.TRY_LATER),
    Response("94", "重复交易", "duplicate transmission", _C),
    Response("95", "对账不平", "settlement totals disagree", _C, Action.BATCH_UPLOAD),
    Response("96", "系统异常", "system malfunction", _C, Action.TRY_LATER),
    Response("97", "终端号未登记", "terminal not registered", _D, Action.CALL_ACQUIRER),
    Response("98", "发卡方超时", "issuer timeout", _E, Action.REVERSE),
    Response("99", "PIN格式错", "PIN block error", _B, Action.SIGN_ON_AGAIN),
    Response("A0", "MAC校验错", "MAC failed", _B, Action.SIGN_ON_AGAIN),
    Response("A1", "转账货币不一致", "transfer currencies differ", _C),
    Response("A2", "有缺陷的成功", "approved with a fault", _A, Action.ACCEPT),
    Response("A3", "资金到账账户错误", "wrong account to credit", _C),
    Response("A4", "有缺陷的成功", "approved with a fault", _A, Action.ACCEPT),
    Response("A5", "有缺陷的成功", "approved with a fault", _A, Action.ACCEPT),
    Response("A6", "有缺陷的成功", "approved with a fault", _A, Action.ACCEPT),
    Response("A7", "安全处理失败", "security processing failed", _C),
    Response("W1", "主机超时", "host timeout, the terminal reverses (PB)", _E, Action.REVERSE),
)

RESPONSES: Final[Mapping[str, Response]] = MappingProxyType({row.code: row for row in _ROWS})


def response(code: str) -> Response:
    """The row of a code; an unknown code is a generic failure (CUP 4)."""
    return RESPONSES.get(code) or Response(code, "交易失败", "failed", ResponseClass.FAILED)
