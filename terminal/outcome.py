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
_OTHER_CARD: Final = ("请换卡", "use another card")
_ROWS: Final = (
    Local("terminal.cancelled", "交易已取消", "cancelled", result="cancelled"),
    Local("terminal.entry_timeout", "操作超时", "nobody answered in time", result="cancelled"),
    Local("terminal.amount", "金额有误", "this is not an amount", "请输入如60.00的金额", "enter an amount like 60.00"),
    Local("terminal.entry", "输入有误", "this is not what was asked for", "请重新输入", "enter it again"),
    Local("terminal.card_unreadable", "磁条无法读取", "the stripe cannot be read", *_OTHER_CARD),
    Local("terminal.chip_mute", "芯片无法读取", "the chip cannot be read", *_OTHER_CARD),
    Local("terminal.chip_first", "请使用芯片", "this card has a chip", "请插卡", "insert the card"),
    Local("terminal.card_torn", "挥卡过快", "the card was taken away too early", "请重新挥卡", "tap the card again"),
    Local("terminal.card_removed", "卡片过早拔出", "the card was taken out too early", "请勿拔卡", "leave the card in"),
    Local("terminal.chip_data", "芯片数据有误", "what the chip sends makes no sense", *_OTHER_CARD),
    Local("terminal.chip_aid", "不支持此卡应用", "the terminal does not know the card's application", *_OTHER_CARD),
    Local("terminal.card_blacklisted", "此卡不可使用", "cards of this kind are not taken", *_OTHER_CARD),
    Local("terminal.card_refused", "芯片拒绝交易", "the chip refuses", *_OTHER_CARD),
    Local("terminal.card_forged", "芯片签名错误", "the chip's signature is wrong", *_OTHER_CARD),
    Local("terminal.offline_declined", "脱机拒绝", "declined offline", "请联机消费", "sell online"),
    Local("terminal.pin_required", "此卡须输入密码", "this card needs a PIN", "请输入密码", "enter the PIN"),
    Local(
        "terminal.card_declined", "芯片未确认，交易将冲正", "the chip did not agree to what was approved",
        "请先冲正", "reverse first", result="unknown",
    ),
    Local("terminal.reversal_pending", "有未完成的冲正", "a reversal is pending", "请先冲正", "reverse first"),
    Local("terminal.refund_pending", "有未应答的退货或通知", "a refund or an advice is not answered yet", *_RETRY),
    Local("terminal.offline_pending", "有未上送的离线交易", "an offline sale is not uploaded yet", *_RETRY),
    Local("terminal.offline_full", "离线交易过多", "too many offline sales wait", "请联机上送", "go online first"),
    Local(
        "terminal.above_floor_limit", "金额超过离线限额", "above the floor limit", "请联机消费", "sell online",
    ),
    Local("terminal.online_only", "此卡须联机", "this card needs its issuer", "请联机消费", "sell online"),
    Local("terminal.card_expired", "卡片已过期", "the card is expired", *_OTHER_CARD),
    Local("terminal.not_signed_on", "终端未签到", "the terminal is not signed on", "请先签到", "sign on first"),
    Local("terminal.payment_code", "付款码有误", "this is not a payment code", "请重新扫描", "scan it again"),
    Local("terminal.no_manual_entry", "不允许手工输入卡号", "no card number may be keyed", "请刷卡", "use the card"),
    Local("terminal.settlement_pending", "结算未完成", "the settlement is not finished", "请先结算", "settle first"),
    Local("terminal.nothing_to_print", "没有可打印的签购单", "there is no such slip", "请核对凭证号", "check the STAN"),
    Local("terminal.out_of_paper", "打印机缺纸", "the printer is out of paper", "请装纸后重打印", "put in a new roll"),
    Local("terminal.overheated", "打印头过热", "the printer is too hot", "请稍后重打印", "reprint once it has cooled"),
    Local("terminal.jam", "打印机卡纸", "the paper is jammed", "请整理后重打印", "pull it straight, then reprint"),
    Local("terminal.training", "培训模式不支持此交易", "not while training", "请先结束培训", "end the training first"),
    Local(
        "signature.paper", "请在纸质签购单上签名", "sign on a paper slip", "请保留签名的签购单", "keep the signed slip",
        result="done",
    ),
    Local("terminal.log_on_first", "请先登录操作员", "nobody has logged on", "请先登录", "log on"),
    Local("terminal.supervisor_needed", "需要主管授权", "a supervisor must allow it", "请主管输入密码", "ask one"),
    Local("terminal.no_supervisor", "尚未设置主管", "no supervisor is set up", "请登录00设置密码", "log on as 00"),
    Local("terminal.wrong_password", "操作员密码错", "wrong password of an operator", "请重新输入", "try again"),
    Local("terminal.password_locked", "密码错误过多，已锁定", "too many wrong passwords", "请重启终端", "restart"),
    Local("terminal.password_unfit", "密码过于简单或不一致", "the new password is too simple, or not the same twice",
          "请输入6至12位数字", "enter 6 to 12 digits"),
    Local("terminal.no_operator", "无此操作员", "there is no such operator", "请核对编号", "check the number"),
    Local("terminal.operators_full", "操作员已满", "there are too many operators", "请先删除", "remove one first"),
    Local("terminal.paused", "商户已暂停营业", "the merchant has paused the terminal", "请恢复营业", "resume"),
    Local("terminal.announcement_unread", "有未确认的公告", "an announcement waits", "请阅读并确认", "confirm it"),
    Local("terminal.form", "注册资料有误", "the form cannot be sent like this", "请核对资料", "check the entries"),
    Local("terminal.journal_full", "交易存储已满", "the journal is full", "请先结算", "settle the batch first"),
    Local("terminal.memory_worn", "存储器已磨损", "the memory is worn out", "请更换终端", "swap the device"),
    Local("terminal.no_line", "无法连接主机", "the host cannot be reached", "请检查网络", "check the line"),
    Local("terminal.no_answer", "主机无应答", "the host did not answer", *_RETRY, result="unknown"),
    Local("terminal.no_master_key", "未灌装主密钥", "no master key is loaded", "请灌装主密钥", "load the key card"),
    Local("terminal.no_sm4", "固件不支持国密", "this firmware does not know SM4", "请更新固件", "update the firmware"),
    Local("terminal.no_extension", "固件不支持此功能", "the firmware does not know it", "请更新固件", "update it"),
    Local(
        "terminal.tampered", "机壳被打开，密钥已清除", "the case was opened, the keys are erased",
        "请停用并联系收单机构", "stop using it and call the acquirer",
    ),
    Local("terminal.keys_gone", "工作密钥已清除", "the working keys are gone", "请重新签到", "sign on again"),
    Local("terminal.keys_locked", "密钥装载已锁定", "too many bad keys came", "请重新灌装主密钥", "load the key card"),
    Local("terminal.no_algorithm", "机型不支持该密钥算法", "the model lacks the algorithm of the keys", *_CALL),
    Local("terminal.no_host_key", "未装载主机公钥", "no host key is loaded", "请灌装密钥卡", "load the key card"),
    Local("terminal.bad_host_key", "主机公钥无效", "the host did not sign its RSA key", *_CALL),
    Local("terminal.bad_keys", "密钥下载有误", "the working keys are damaged", *_CALL),
    Local("terminal.bad_reply", "主机应答有误", "the host's answer cannot be used", *_CALL, result="unknown"),
    *(
        Local(f"download.{code}", f"下载失败（{chinese}）", f"the download is refused: {english}", *_CALL)
        for code, chinese, english in (
            ("value", "参数超出范围", "a value is out of bounds"),
            ("check", "公钥校验错", "the check value of a key is wrong"),
            ("missing", "数据缺失", "the host does not have what it listed"),
            ("too_large", "存储容量不足", "the memory is too small for it"),
        )
    ),
    Local("swap.under_way", "正在换机，不可交易", "the device is being swapped", "请使用新终端", "use the new one"),
    Local("swap.signatures_waiting", "有未上送的签名", "a signature is not with the host yet", *_RETRY),
    Local("swap.not_old", "本机是新终端", "this is the new device", "请执行接机", "take over instead"),
    Local("swap.not_new", "本机是旧终端", "this is the old device", "请执行交机", "hand over instead"),
    Local("swap.old_not_ready", "旧终端尚未交机", "the old device has not handed over", "请先交机", "do that first"),
    Local("swap.cancelled", "换机已取消", "the swap was cancelled", *_CALL),
    Local("swap.restored_already", "备份已恢复", "the backup was restored already", "请签到交易", "sign on and sell"),
    Local("swap.not_empty", "本机存有交易", "this device has transactions of its own", *_CALL),
    Local("swap.too_large", "备份过大", "the backup is too large", *_CALL),
    Local("swap.digest", "备份校验错", "the backup is not what its digest says", "请重新接机", "take over again"),
    Local("swap.backup_foreign", "备份不属于本机", "the backup is another device's, or was changed", *_CALL),
    Local("swap.backup_unreadable", "备份无法识别", "the backup cannot be read", "请更新固件", "update the firmware"),
    Local("swap.wipe_order", "擦除指令无效", "the order to wipe is not the host's, or not for this swap", *_CALL),
    Local("swap.wiped", "本机已擦除并停用", "this device is wiped and out of use", "请使用新终端", "use the new one"),
    Local("terminal.no_password", "该操作员未设密码", "this operator has no password yet", "请主管设置", "ask for one"),
    Local("terminal.original_not_found", "无此交易", "no such sale in this batch", "请核对凭证号", "check the STAN"),
    Local("terminal.original_undone", "原交易不可撤销", "the sale cannot be voided any more"),
    Local("terminal.nothing_to_clear", "没有未完成的冲正", "nothing is pending"),
    *(
        Local(f"command.{code}", f"指令无效（{chinese}）", f"forged notice refused: {english}", *_CALL)
        for code, chinese, english in (
            ("malformed", "格式错误", "it is no command"),
            ("signature", "签名错误", "the host did not sign it"),
            ("other_device", "非本机指令", "it is for another device"),
            ("replayed", "非本次应答", "the host did not send it now"),
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
            ("battery_low", "电量不足", "the battery is too low"),
            ("batch_open", "批次未结算", "the batch is not settled"),
            ("loader", "引导程序过旧", "the boot loader is too old"),
            ("memory", "存储容量不足", "the memory is too small"),
            ("journal_format", "流水格式不支持", "the memory does not take its journal"),
            ("profile", "固件类型未知", "nobody knows what it does"),
            ("expired", "映像已过期", "the image has expired"),
            ("fast_forward", "版本跳跃过大", "the version leaps too far ahead"),
            ("nvram_worn", "存储器已磨损", "the memory is worn out"),
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
