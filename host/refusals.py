"""TABLE REFUSALS: every business reason for which the host says no (product decision 12).

A row gives field 39, a reason for machines, Chinese and English text, and the remedy. Words in braces are filled from the
case at hand. Gates and handlers name a row; nobody else writes texts or chooses codes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from host.holds import HOLDS
from protocol.responses import RESPONSES, Action

UNTOLD: Final = "…"
"""Stands for a word that the case at hand does not give."""

CONTACT: Final = {"zh": "收单机构客服", "en": "the acquirer's service desk"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row of REFUSALS."""

    reason: str
    code: str
    chinese: str
    english: str
    remedy_chinese: str
    remedy_english: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal of one request: the row's reason and the words that its texts want."""

    reason: str
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def row(self) -> Refusal:
        """The row of REFUSALS."""
        return REFUSALS[self.reason]

    @property
    def code(self) -> str:
        """Field 39."""
        return self.row.code

    def texts(self) -> dict[str, str]:
        """Reason, code, both texts, both remedies and the contact, with the words filled in."""
        row, words = self.row, defaultdict(lambda: UNTOLD, self.words)
        return {
            "reason": self.reason,
            "code": row.code,
            "zh": row.chinese.format_map(words),
            "en": row.english.format_map(words),
            "remedy_zh": row.remedy_chinese.format_map(words),
            "remedy_en": row.remedy_english.format_map(words),
            "contact_zh": CONTACT["zh"],
            "contact_en": CONTACT["en"],
        }


ACQUIRERS_CODES: Final = frozenset({"03", "10", "25", "58", "64", "77", "79", "94", "95", "97", "99", "A0", "W1"})
"""Answers that are the acquirer's own, or, as a partial approval is, for terminals that ask for them."""
ISSUER_CODES: Final = tuple(code for code in RESPONSES if code != "00" and code not in ACQUIRERS_CODES)
"""Answers that a card's issuer may give instead of 00."""

_CALL = ("请联系收单机构", "call the acquirer")
_SIGN_ON = ("请重新签到", "sign on again")
_OTHER_CARD = ("请换卡", "use another card")
_KEEP_CARD = ("请没收卡片", "keep the card")
_LATER = ("请稍后再试", "try again later")
_REMEDIES: Final[Mapping[Action, tuple[str, str]]] = {
    Action.TRY_AGAIN: ("请重新交易", "start a new transaction"),
    Action.TRY_LATER: _LATER,
    Action.KEEP_CARD: _KEEP_CARD,
    Action.REVERSE: _LATER,
}
"""What to do about the plain answer of an issuer, where another card is not all."""
_PROGRAM = ("请检查终端程序", "check the terminal's program")
_ROWS: Final = (
    Refusal("message.malformed", "30", "报文错误：{what}", "malformed message: {what}", *_PROGRAM),
    Refusal("message.value", "30", "域{field}：{what_zh}", "field {field}: {what}", *_PROGRAM),
    Refusal("message.chip_data", "30", "域{field}偏移{offset}处不是TLV：{what}", "field {field} is no TLV at offset {offset}: {what}", "请检查终端打包IC卡数据的程序", "check how the terminal packs chip data"),
    Refusal("message.foreign_field", "30", "该交易没有域{field}", "this kind of message has no field {field}", *_PROGRAM),
    Refusal("message.unsupported", "40", "不支持的交易", "this kind of message is not supported", *_CALL),
    Refusal("terminal.unknown", "97", "终端号未登记", "no such terminal", "请先登记终端", "register the terminal first"),
    Refusal("terminal.not_registered", "97", "终端未注册（{state_zh}）", "the terminal is not registered ({state})", "请提交注册资料并等待审核", "submit the registration and wait for its review"),
    Refusal("merchant.unknown", "03", "商户未登记", "no such merchant", *_CALL),
    Refusal("merchant.inactive", "03", "商户已停用", "the merchant is inactive", *_CALL),
    Refusal("terminal.other_merchant", "97", "终端不属于该商户", "the terminal belongs to another merchant", "请核对商户号", "check the merchant id"),
    Refusal("terminal.other_device", "97", "终端号绑定了其他设备", "the terminal id is bound to another device", "请使用登记的设备", "use the registered device"),
    Refusal("terminal.replaced", "97", "本机已由{successor}替换", "this device was replaced by {successor}", "请使用新终端{successor}", "use the new terminal {successor}"),
    Refusal("terminal.retired", "97", "终端已退役", "the terminal is retired", "请使用新终端", "use a new terminal"),
    Refusal("terminal.lost", "97", "终端已挂失", "the terminal is reported lost", *_CALL),
    Refusal("terminal.tampered", "97", "终端被拆动", "the terminal was tampered with", *_CALL),
    Refusal("terminal.not_signed_on", "77", "终端未签到", "the terminal is not signed on", *_SIGN_ON),
    Refusal("terminal.wrong_batch", "77", "批次号不符（应为{batch}）", "wrong batch, {batch} is open", *_SIGN_ON),
    Refusal("terminal.books_ahead", "91", "主机账目早于终端（终端批次{told}，主机{batch}），暂停交易", "the host's books are older than the terminal's: batch {told} there, {batch} here", "请等待收单机构对账", "wait until the acquirer has compared the books"),
    Refusal("message.mac", "A0", "MAC校验错", "the MAC is wrong", *_SIGN_ON),
    Refusal("terminal.superseded", "98", "终端已在另一连接上通讯", "the terminal speaks on another line since", "请断开后重新连接", "hang up and connect again"),
    Refusal("partner.down", "91", "{partner_zh}不可用", "{partner} cannot be reached", "请稍后再试", "try again later"),
    Refusal("partner.wrong", "96", "{partner_zh}应答异常", "{partner} answers nonsense", "请稍后再试", "try again later"),
    Refusal("risk.suspected", "59", "交易存在风险（{rule_zh}）", "the payment looks like abuse ({rule})", "请提交交易凭证", "hand in evidence of the sale"),
    Refusal("request.key_reused", "94", "流水号重复且内容不同", "the same STAN came with other content", "请重新签到后再试", "sign on again, then repeat with a new STAN"),
    Refusal("pause.superseded", "94", "其后已有暂停或恢复指令", "the merchant has paused or resumed since", "请再次暂停或恢复", "pause or resume once more"),
    Refusal("host.reconcile", "91", "系统恢复中，暂停交易", "the host was restored from a backup and is being reconciled", "请稍后再试", "try again later"),
    Refusal("terminal.stopped", "58", "终端已停用（{why}）", "the terminal is stopped ({why})", "请结算后换机", "settle, then take the replacement device"),
    *(
        Refusal(f"hold.{row.reason}", "58", f"终端暂停：{row.chinese}", f"on hold: {row.english}", row.remedy_chinese, row.remedy_english)
        for row in HOLDS.values()
    ),
    *(
        Refusal(f"partial.{row.reason}", "57", f"终端暂停该交易：{row.chinese}", f"on hold for this kind: {row.english}", row.remedy_chinese, row.remedy_english)
        for row in HOLDS.values()
    ),
    Refusal("host.maintenance", "90", "系统维护（{what}），{until}恢复", "maintenance ({what}) until {until}", *_LATER),
    Refusal("model.unknown", "58", "机型不在目录中", "the model is not in the catalogue", *_CALL),
    Refusal("model.retired", "58", "机型{model}已退役", "the model {model} is retired", "请办理换机", "arrange the replacement device"),
    Refusal("model.certificate", "58", "机型{model}认证{certificate}已过期", "the certificate {certificate} of the model {model} has expired", "请办理换机", "arrange the replacement device"),
    Refusal("model.security_level", "58", "机型不符合要求：{what_zh}", "the model is not good enough: {what}", "请办理换机", "arrange the replacement device"),
    Refusal("model.incapable", "58", "机型{model}{what_zh}", "the model {model}: {what}", "请办理换机", "arrange the replacement device"),
    Refusal("model.family", "58", "该类终端已停用（{family}）", "devices of this family sell no more ({family})", "请办理换机", "arrange the replacement device"),
    Refusal("model.region", "58", "地区{region}要求：{what_zh}", "the region {region} demands: {what}", "请办理换机", "arrange the replacement device"),
    Refusal("firmware.blocked", "58", "固件{version}已禁用", "firmware {version} is blocked", "请更新固件", "update the firmware"),
    Refusal("firmware.incompatible", "58", "固件{version}与协议版本{protocol}不兼容", "firmware {version} does not go with protocol version {protocol}", "请更新固件", "update the firmware"),
    Refusal("protocol.too_old", "40", "协议版本{version}低于要求的{required}", "protocol version {version} is below the required {required}", "请更新固件", "update the firmware"),
    Refusal("firmware.too_old", "58", "固件{version}低于要求的{required}", "firmware {version} is below the required {required}", "请更新固件", "update the firmware"),
    Refusal("terminal.parameters_old", "77", "参数已过期（{what_zh}）", "out of date: {what}", "请下载参数后再交易", "download them, then try again"),
    Refusal("terminal.not_activated", "58", "终端未激活（累计{turnover}元，需{required}元）", "not activated yet: {turnover} of {required} yuan", "请先完成激活交易额", "reach the activation turnover first"),
    Refusal("terminal.not_ready", "58", "终端未激活：请先{what_zh}", "not activated yet: {what} first", *_CALL),
    Refusal("limit.daily", "61", "超过当日限额{limit}元", "above the daily limit of {limit} yuan", "请明日再试或联系收单机构", "try tomorrow or call the acquirer"),
    Refusal("limit.count", "65", "超过当日笔数{limit}", "more than {limit} sales in one day", "请明日再试或联系收单机构", "try tomorrow or call the acquirer"),
    Refusal("amount.zero", "13", "金额为零", "the amount is zero", "请输入金额", "enter an amount"),
    Refusal("amount.over_limit", "61", "金额超过单笔限额{limit}元", "above the single limit of {limit} yuan", "请减少金额", "use a smaller amount"),
    Refusal("currency.unsupported", "12", "不支持的币种", "only currency 156 is accepted", "请使用人民币", "use renminbi"),
    Refusal("card.unknown", "14", "无效卡号", "no issuer knows this card", *_OTHER_CARD),
    Refusal("card.stolen", "43", "被窃卡", "the card is reported stolen", *_KEEP_CARD),
    Refusal("card.expired", "54", "过期的卡", "the card is expired", *_OTHER_CARD),
    Refusal("card.no_funds", "51", "余额不足", "insufficient funds", *_OTHER_CARD),
    Refusal("card.wrong_pin", "55", "密码错", "wrong PIN", "请重新输入密码", "enter the PIN again"),
    Refusal("card.pin_locked", "38", "密码错误次数超限", "too many wrong PINs: the card is locked", "请联系发卡行", "call the card's issuer"),
    Refusal("card.lost", "41", "挂失卡", "the card is reported lost", *_KEEP_CARD),
    Refusal("card.cryptogram", "A7", "芯片密文校验失败", "the chip's cryptogram is wrong", *_OTHER_CARD),
    *(
        Refusal(f"issuer.{code.lower()}", code, row.chinese, row.english, *_REMEDIES.get(row.action, _OTHER_CARD))
        for code, row in RESPONSES.items()
        if code in ISSUER_CODES and not row.approved
    ),
    Refusal("card.pin_block", "99", "PIN格式错", "the PIN block cannot be read", *_SIGN_ON),
    Refusal("original.not_found", "25", "未找到原交易", "the original transaction is not found", "请核对原交易信息", "check the original's details"),
    Refusal("original.other_amount", "64", "原始金额不正确", "the amount is not the original's", "请核对金额", "check the amount"),
    Refusal("original.undone", "12", "原交易已{state_zh}", "the original is already {state}", "无需重复操作", "nothing is left to undo"),
    Refusal("original.other_card", "25", "与原交易卡号不符", "not the card of the original", "请使用原卡", "use the original card"),
    Refusal("refund.above_rest", "64", "退货金额超过可退金额{rest}元", "only {rest} yuan are left to refund", "请减少金额", "refund a smaller amount"),
    Refusal("refund.manual", "57", "退货不得手工输入卡号", "a refund needs the card itself", "请刷卡", "present the card"),
    Refusal("preauth.expired", "12", "预授权已过期", "the pre-authorisation has expired", "请重新预授权", "pre-authorise again"),
    Refusal("completion.above_bound", "64", "完成金额超过上限{limit}元", "at most {limit} yuan can be completed", "请减少金额", "complete a smaller amount"),
    Refusal("adjustment.out_of_bounds", "64", "调整后金额应在{least}至{limit}元之间", "the amount must be from {least} to {limit} yuan", "请核对金额", "check the amount"),
    Refusal("qr.unknown", "14", "付款码无效", "no partner knows this payment code", "请刷新付款码", "show another code"),
    Refusal("qr.used", "12", "付款码已使用", "this payment code has paid already", "请刷新付款码", "show another code"),
    Refusal("qr.expired", "12", "付款码已过期", "the payment code has expired", "请刷新付款码", "show another code"),
    Refusal("transaction.reversed", "12", "该流水已冲正", "this STAN was reversed before it came", "请重新交易", "start a new transaction"),
    Refusal("settlement.unbalanced", "95", "对账不平", "the totals disagree", "请批上送", "upload the batch"),
    Refusal("upload.uncalled", "12", "批次未要求上送", "the batch waits for no upload", "请先批结算", "settle the batch first"),
    Refusal("upload.incomplete", "95", "批上送不完整（{got}/{due}）", "{got} of {due} rows were uploaded", "请重新批上送", "upload the batch again"),
    Refusal("signature.unreadable", "30", "签名图像无法识别", "the signature is no picture of a pad", "请保留纸质签购单", "keep the paper slip"),
    Refusal("key.download_closed", "58", "主密钥下载未开放", "the download of the master key is not open", "请联系收单机构开放下载", "ask the acquirer to open it"),
    Refusal("key.transport_key", "A7", "传输密钥无效", "the transport key cannot be used", "请重新下载主密钥", "download the master key again"),
    Refusal("swap.not_ordered", "12", "未受理本机换机", "no swap of this device was ordered", "请联系收单机构办理换机", "have the acquirer order one"),
    Refusal("swap.other_step", "12", "换机进度不符（{state_zh}）", "the swap is {state}: this is not its next step", "请重新执行换机", "start hand_over or take_over again"),
    Refusal("swap.batch_open", "95", "旧终端批次未结算", "the batch of the old device is not settled", "请在旧终端结算", "settle it on the old device"),
    Refusal("swap.other_merchant", "97", "新终端属于其他商户", "the new device is set up for another merchant", "请核对新终端的商户号", "check the merchant id of the new device"),
    Refusal("swap.other_device", "97", "不是受理的换机终端", "this is not the device that the swap is for", "请使用受理的终端", "use the device that was ordered"),
    Refusal("swap.claim", "A7", "新终端主密钥与主机不符", "the new device has another master key than the host", "请在新终端重新装载主密钥后再接机", "load its master key again, then take over"),
    Refusal("swap.successor_unfit", "58", "新终端不可接替", "the new device cannot take over", *_CALL),
    Refusal("swap.chunk_order", "30", "备份数据错位（应为{due}）", "a chunk of the backup is out of order, byte {due} is due", "请重新执行换机", "hand over again"),
    Refusal("swap.digest", "30", "备份校验错", "the backup is not what its digest says", "请重新执行换机", "hand over again"),
    Refusal("swap.too_large", "30", "备份过大", "the backup is too large", *_CALL),
    Refusal("swap.backup_foreign", "A7", "备份不属于该终端或已损坏", "the backup is another device's, or was changed", "请重新签到后再换机", "sign on, then hand over again"),
    Refusal("swap.backup_unreadable", "30", "备份无法识别", "the backup cannot be read", "请更新固件后再换机", "update the firmware, then hand over again"),
    Refusal("swap.restored_already", "12", "备份已恢复", "the backup was restored already", "无需重复操作", "nothing is left to do"),
    Refusal("swap.certificate", "A7", "擦除证书无效", "the wipe certificate is not valid", "请将旧终端寄回收单机构", "send the old device in"),
    Refusal("host.failure", "96", "系统异常", "the host could not store the transaction", "请稍后再试", "try again later"),
)  # fmt: skip

REFUSALS: Final[Mapping[str, Refusal]] = MappingProxyType({row.reason: row for row in _ROWS})
