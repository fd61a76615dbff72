"""What the cashier was told, and TABLE LOCAL: the reasons for which the terminal itself says no.

Rules owned here: everything told is an Outcome, has a Chinese and an English text, and is shown on the display; an
outcome that is not proven is "unknown", never "refused" with a promise that nothing was charged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal

Result = Literal["approved", "done", "refused", "unknown", "cancelled"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a flow ended. ``code`` is field 39 of the reply, "" without one; ``reason`` is for machines.

    ``receipt_zh`` and ``receipt_en`` are slips, line by line; ``detail`` holds what a flow has to say beyond that.
    """

    flow: str
    result: Result
    code: str = ""
    reason: str = ""
    text_zh: str = ""
    text_en: str = ""
    remedy_zh: str = ""
    remedy_en: str = ""
    stan: str = ""
    rrn: str = ""
    amount_fen: int = 0
    receipt_zh: tuple[str, ...] = ()
    receipt_en: tuple[str, ...] = ()
    detail: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_good(self) -> bool:
        """Was it done?"""
        return self.result in ("approved", "done")

    def of(self, flow: str) -> Outcome:
        """The same as the end of another flow, which did not get as far as its own request."""
        return replace(self, flow=flow, result="refused", stan="", rrn="", amount_fen=0)


@dataclass(frozen=True, slots=True)
class Local:
    """A row of LOCAL."""

    reason: str
    chinese: str
    english: str
    remedy_chinese: str = ""
    remedy_english: str = ""
    result: Result = "refused"


_RETRY: Final = ("请稍后再试", "try again later")
_CALL: Final = ("请联系收单机构", "call the acquirer")
_ROWS: Final = (
    Local("terminal.cancelled", "交易已取消", "cancelled", result="cancelled"),
    Local("terminal.entry_timeout", "操作超时", "nobody answered in time", result="cancelled"),
    Local("terminal.amount", "金额有误", "this is not an amount", "请输入如60.00的金额", "enter an amount like 60.00"),
    Local("terminal.entry", "输入有误", "this is not what was asked for", "请重新输入", "enter it again"),
    Local("terminal.reversal_pending", "有未完成的冲正", "a reversal is pending", "请先冲正", "reverse first"),
    Local("terminal.refund_pending", "有未应答的退货", "a refund is not answered yet", *_RETRY),
    Local("terminal.settlement_pending", "结算未完成", "the settlement is not finished", "请先结算", "settle first"),
    Local("terminal.journal_full", "交易存储已满", "the journal is full", "请先结算", "settle the batch first"),
    Local("terminal.no_line", "无法连接主机", "the host cannot be reached", "请检查网络", "check the line"),
    Local("terminal.no_answer", "主机无应答", "the host did not answer", *_RETRY, result="unknown"),
    Local("terminal.no_master_key", "未灌装主密钥", "no master key is loaded", "请灌装主密钥", "load the key card"),
    Local("terminal.bad_keys", "密钥下载有误", "the working keys are damaged", *_CALL),
    Local("terminal.bad_reply", "主机应答有误", "the host's answer cannot be used", *_CALL, result="unknown"),
    Local("terminal.original_not_found", "无此交易", "no such sale in this batch", "请核对凭证号", "check the STAN"),
    Local("terminal.original_undone", "原交易不可撤销", "the sale cannot be voided any more"),
    Local("terminal.nothing_to_clear", "没有未完成的冲正", "nothing is pending"),
    *(
        Local(f"command.{code}", f"指令无效（{chinese}）", f"forged notice refused: {english}", *_CALL)
        for code, chinese, english in (
            ("malformed", "格式错误", "it is no command"),
            ("signature", "签名错误", "the host did not sign it"),
            ("other_device", "非本机指令", "it is for another device"),
            ("replayed", "指令重复", "it came before"),
            ("expired", "指令过期", "it has expired"),
        )
    ),
    *(
        Local(f"update.{code}", f"固件更新失败（{chinese}）", f"the update failed: {english}", *_CALL)
        for code, chinese, english in (
            ("not_in_place", "本机型不支持", "this model is updated by the service only"),
            ("busy", "已有待启动固件", "another image waits for its boot"),
            ("too_large", "映像过大", "the image is too large"),
            ("offset", "数据错位", "a chunk is out of order"),
            ("no_download", "没有下载", "no download is under way"),
            ("incomplete", "映像不完整", "the image is not complete"),
            ("hash", "映像校验错", "the image is not the one announced"),
            ("not_newer", "版本不高于当前", "the version is not newer"),
            ("security_counter", "版本已撤回", "the version was withdrawn"),
            ("money_in_flight", "有未完成交易", "a transaction is pending"),
            ("malformed", "映像格式错误", "it is no image"),
            ("signature", "映像签名错误", "the maker did not sign it"),
            ("other_model", "机型不符", "it is for another model"),
        )
    ),
)  # fmt: skip

LOCAL: Final[Mapping[str, Local]] = MappingProxyType({row.reason: row for row in _ROWS})


def local(flow: str, reason: str, **detail: str) -> Outcome:
    """The outcome of a row of LOCAL."""
    row = LOCAL[reason]
    return Outcome(
        flow, row.result, "", reason, row.chinese, row.english, row.remedy_chinese, row.remedy_english, detail=detail
    )


def done(flow: str, zh: str, en: str, **detail: str) -> Outcome:
    """The good end of a flow that moves no money."""
    return Outcome(flow, "done", text_zh=zh, text_en=en, detail=detail)
