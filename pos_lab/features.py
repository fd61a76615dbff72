"""TABLE FEATURES: what the product does, by the ids that tests and scenarios name.

A test shows a feature by the mark ``feature("R13")``; a scenario names it under ``features``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Feature:
    """A row of FEATURES."""

    id: str
    chinese: str
    english: str


_ROWS: Final = (
    Feature("R1", "未登记终端拒绝并告知补救", "an unregistered terminal gets 97 with a remedy"),
    Feature("R2", "分步登记，联机或脱机", "a stepwise registration, online or offline"),
    Feature("R3", "按商户类型的资料清单", "a checklist of papers by merchant type"),
    Feature("R4", "审核：通过、驳回、重新提交", "review: approve, reject with reasons, resubmit"),
    Feature("R5", "资料字段校验", "validators of the form's fields"),
    Feature("R7", "登记中断后继续", "an interrupted registration resumes, never half"),
    Feature(
        "R8",
        "维护期间排队或拒绝，重复提交只有一台",
        "maintenance queues or refuses; a form repeated is one terminal",
    ),
    Feature("R9", "合作方中断开关", "a switch for the outage of a partner"),
    Feature("R10", "订购、发货、送达、注册的时间", "order, ship, deliver, register with instants"),
    Feature("R13", "按范围强制重新登记", "forced registration again, by scope"),
    Feature("R14", "机型认证及有效期", "a certificate of the model, with its expiry"),
    Feature("R15", "商户资料过期：先提醒后暂停", "stale data of a merchant warn, then hold"),
    Feature("A1", "累计100元激活，精确到分", "100 yuan activate, to the fen"),
    Feature("A2", "累计口径可选", "what counts as turnover is a rule"),
    Feature("A3", "绑定结算卡与限额为前提", "a bound card and limits are preconditions"),
    Feature("A4", "单笔与当日限额", "limits for a sale and for a day"),
    Feature("A5", "押金账", "the ledger of deposits"),
    Feature("A6", "激活期限与奖励", "a deadline for activation, and its reward"),
    Feature("A7", "各状态的许可", "what each state permits"),
    Feature("G1", "196个机型的停用名单", "the blocklist of 196 models: dates, in and out, who is affected"),
    Feature("G2", "最低安全等级", "a minimum security level"),
    Feature("G3", "机型能力", "the capabilities of a model"),
    Feature("G4", "协议版本", "the protocol version"),
    Feature("G5", "固件：最低、推荐、禁用", "firmware: minimum, recommended, blocked"),
    Feature("G6", "兼容矩阵", "the matrix of what goes together"),
    Feature("G7", "参数版本", "the version of parameters"),
    Feature("G8", "升级：提供、要求、强制", "an update: offered, required, forced; failures and rollback"),
    Feature("G9", "地区要求", "a mandate of a region"),
    Feature("G10", "终端类别", "families of devices"),
    Feature("G11", "品牌目录", "the catalogue of brands"),
    Feature("G12", "拆机清除密钥", "tamper wipes the keys"),
    Feature("G13", "机型退役即全部终端有计划", "retiring a model plans for all its terminals"),
    Feature("T1", "寿命终止", "end of life"),
    Feature("T2", "合同到期、提醒、续签", "the contract ends: reminders, renewal"),
    Feature("T3", "违规、取证、申诉", "a violation: evidence, appeal"),
    Feature("T4", "风险停用、试算、双人", "a stop for risk: dry run, two people"),
    Feature("T5", "逾期未升级视为违约", "an overdue update is a breach"),
    Feature("T6", "各协议点断电的紧急停用演练", "an emergency stop with a power cut at every point of the protocol"),
    Feature("T7", "停用后不再入账，已结算照付", "nothing is captured after a stop; settled money is paid"),
    Feature("T10", "原因查询", "the why query"),
    Feature("T11", "给出替代方案", "alternatives are offered"),
    Feature("U1", "故障暂停，自动恢复", "a hold for a fault clears itself"),
    Feature("U2", "维护日历", "the maintenance calendar"),
    Feature("U3", "安全暂停，升级后恢复", "a security hold is cleared by an update"),
    Feature("U4", "争议暂停", "a hold for a dispute"),
    Feature("U5", "按范围的政策暂停", "a hold by a rule, for a scope"),
    Feature("U6", "欠费暂停，缴清恢复", "arrears: pay and resume"),
    Feature("U7", "交易异常，凭证放行", "abnormal trading: evidence and release"),
    Feature("U8", "商户自行暂停", "the merchant's own pause"),
    Feature("U9", "按交易种类的部分暂停", "a partial hold by kind of transaction"),
    Feature("U10", "暂停项集合，期限与放行规则", "the set of holds, with until and release rule"),
    Feature("U11", "须确认的公告", "announcements that must be confirmed"),
    Feature("N1", "通知渠道与模拟收件箱", "channels of notices, with a mock inbox"),
    Feature("N2", "通知签名可验，拒绝钓鱼", "notices are signed and verifiable; phishing is refused"),
    Feature("N3", "频率、去重、安静时段", "rate limit, no duplicates, quiet hours"),
    Feature("N4", "识别无计划的通知", "a notice without a plan behind it is detected"),
    Feature("N5", "营销不得带停用日期", "marketing carries no stop date"),
    Feature("N6", "写明序列号、机型、原因、日期", "a notice names serial number, model, reason, dates"),
    Feature("N7", "索要钱款时警告", "a warning where money is asked for"),
    Feature("N8", "投诉记录", "the record of a complaint"),
    Feature("N9", "通知完整性检查", "a lint for completeness"),
    Feature("N10", "T-90/-30/-7/-1，送达、已读、确认", "T-90/-30/-7/-1 with delivered, read, acknowledged"),
    Feature("X1", "换机向导", "the swap wizard"),
    Feature("X2", "加密备份，不含密钥和密码", "an encrypted backup without keys and PINs"),
    Feature("X3", "错峰时段与容量", "off-peak windows and capacity"),
    Feature("X4", "费用、押金、费率报价不变", "fee, deposit and rate are quoted and unchanged"),
    Feature("X6", "任一步中断可继续或回退", "interrupted at any step it resumes or rolls back; totals stay"),
    Feature("X7", "保修与维修", "warranty and repair"),
    Feature("X8", "丢失或被盗", "lost or stolen"),
    Feature("X9", "备机借用", "the loan of a spare device"),
    Feature("X10", "备用二维码", "a fallback QR code"),
    Feature("X11", "新旧机同时在线", "both devices live at once"),
    Feature("X12", "旧机答复已替换，清除证明", "the old one is answered replaced; a certificate of wiping"),
    Feature("X13", "培训模式", "training mode"),
    Feature("F", "设备与线路故障", "faults of devices, lines and hosts"),
    Feature("M", "手续费与结算", "fees, settlement, payout, cost report"),
    Feature("K", "风险控制", "risk: warning, audit, roles, masking, erasure"),
    Feature("D", "争议", "disputes, with transaction and signature as evidence"),
    Feature("E", "电子签名", "electronic signatures"),
    Feature("P", "合作方", "partners: switches, failures that go together"),
    Feature("REPORT", "影响报告", "one impact report a run"),
    Feature("POLICY", "一份规则文件", "one validated file of rules, versioned"),
)
FEATURES: Final[Mapping[str, Feature]] = MappingProxyType({row.id: row for row in _ROWS})
