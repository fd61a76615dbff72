"""What the reports of a rehearsal call things, in both languages: TABLES LABELS, STATES, CHANNELS_TOLD and RULES."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from host.campaign import ItemState
from host.notices import CHANNELS
from pos_lab.scenario.model import Text

STATES_TOLD: Final[Mapping[str, Text]] = {
    ItemState.PLANNED.value: Text(zh="已排期", en="planned"),
    ItemState.NOTIFIED.value: Text(zh="已通知", en="notified"),
    ItemState.OVERDUE.value: Text(zh="已逾期", en="overdue"),
    ItemState.SUSPENDED.value: Text(zh="已暂停", en="suspended"),
    ItemState.STOPPED.value: Text(zh="已停用", en="stopped"),
    ItemState.SWAPPED.value: Text(zh="已换机", en="swapped"),
    ItemState.RETIRED.value: Text(zh="已退役", en="retired"),
    ItemState.GONE.value: Text(zh="已遗失", en="gone"),
    ItemState.EXEMPT.value: Text(zh="已豁免", en="exempt"),
    ItemState.CURED.value: Text(zh="已整改", en="cured"),
    ItemState.CANCELLED.value: Text(zh="已取消", en="cancelled"),
    ItemState.DRAFTED.value: Text(zh="草稿", en="drafted"),
}
"""States of a terminal in its campaign, in the order in which they are drawn."""

CHANNELS_TOLD: Final[Mapping[str, Text]] = {
    name: Text(zh=channel.chinese, en=channel.english) for name, channel in CHANNELS.items()
}

RULES: Final[Mapping[str, Text]] = {
    "ends": Text(zh="每台终端的结局与计划相符", en="each terminal ends where its plan says"),
    "stops": Text(zh="停用按日期执行，不早不晚", en="nobody stops before the date, or an hour after it"),
    "notices": Text(
        zh="通知按步骤各发一次，不扰民，不超限", en="each step is told once, at no quiet hour, within the limit"
    ),
    "barrier": Text(zh="暂停、停用、换机后不再入账", en="nothing is captured after a suspension, stop or swap"),
    "books": Text(zh="两本账逐笔一致", en="what tills were told and what the host captured is the same"),
    "money": Text(zh="款项全部结算并付清，账户轧平", en="everything is settled and paid, and the accounts sum to zero"),
    "sums": Text(zh="每天各状态之和等于终端总数", en="the states add up to all terminals every day"),
    "capacity": Text(zh="换机不超产能，只在闲时", en="no more swaps a day than there is room for, off-peak only"),
    "two_people": Text(zh="启动与换机均经双人复核", en="the start and each swap took two people"),
    "answers": Text(zh="除停用外没有其他拒绝", en="no sale was refused but for the retirement"),
}

LABELS: Final[Mapping[str, Text]] = {
    "passed": Text(zh="通过", en="passed"),
    "failed": Text(zh="未通过", en="failed"),
    "report_of": Text(zh="停用演练", en="retirement rehearsal"),
    "seed": Text(zh="种子", en="seed"),
    "days": Text(zh="天数", en="days"),
    "begins": Text(zh="开始", en="first day"),
    "terminals": Text(zh="终端", en="terminals"),
    "in_campaign": Text(zh="列入停用", en="in the campaign"),
    "others": Text(zh="不在名单", en="not on the list"),
    "models": Text(zh="机型", en="models"),
    "merchants": Text(zh="商户", en="merchants"),
    "on_wire": Text(zh="线上实测终端", en="on the wire"),
    "rows_only": Text(zh="仅有记录", en="rows only"),
    "sales_a_day": Text(zh="每台每日交易", en="sales a day, each"),
    "exchanges": Text(zh="报文往返", en="exchanges on the wire"),
    "exchanges_a_day": Text(zh="每日报文往返", en="exchanges a day"),
    "waves": Text(zh="批次", en="waves"),
    "first_stop": Text(zh="首批停用", en="first stop"),
    "last_stop": Text(zh="末批停用", en="last stop"),
    "capacity_a_day": Text(zh="每日换机产能", en="room for swaps a day"),
    "no_limit": Text(zh="不限", en="no limit"),
    "swaps": Text(zh="换机", en="swaps"),
    "swapped_after_stop": Text(zh="暂停后才换机", en="swapped only after suspension"),
    "missed": Text(zh="爽约", en="missed appointments"),
    "losses": Text(zh="遗失设备", en="lost devices"),
    "notices": Text(zh="通知", en="notices"),
    "read": Text(zh="已读", en="read"),
    "sales": Text(zh="成交笔数", en="sales"),
    "sales_fen": Text(zh="成交金额", en="amount sold"),
    "refused": Text(zh="因停用损失笔数", en="sales lost"),
    "refused_fen": Text(zh="因停用损失金额", en="amount lost"),
    "alarms": Text(zh="告警", en="alarms"),
    "exempt": Text(zh="豁免", en="exempt"),
    "waiting": Text(zh="在途资金", en="money waiting"),
    "waiting_most_fen": Text(zh="在途资金峰值", en="most money waiting"),
    "waiting_at_end_fen": Text(zh="最后一日在途资金", en="money waiting on the last day"),
    "unsettled_fen": Text(zh="未结算", en="unsettled"),
    "unpaid_fen": Text(zh="已结算未付款", en="settled, unpaid"),
    "paid_fen": Text(zh="当日付款", en="paid that day"),
    "capacity": Text(zh="产能", en="capacity"),
    "ends": Text(zh="结局", en="Where the terminals ended"),
    "plan": Text(zh="计划与规模", en="Plan and fleet"),
    "behaviours": Text(zh="商户行为", en="How merchants behaved"),
    "behaviour": Text(zh="行为", en="behaviour"),
    "read_a_notice": Text(zh="读过通知", en="read a notice"),
    "swapped": Text(zh="已换机", en="swapped"),
    "lost": Text(zh="遗失", en="lost"),
    "checks": Text(zh="独立核查", en="What was checked, independently"),
    "check": Text(zh="规则", en="rule"),
    "checked": Text(zh="核查数", en="looked at"),
    "violated": Text(zh="不符", en="broken"),
    "timeline": Text(zh="逐日状态", en="States, day by day"),
    "notices_a_day": Text(zh="每日通知（按渠道）", en="Notices a day, by channel"),
    "swaps_an_hour": Text(zh="每小时换机与产能", en="Swaps an hour against capacity"),
    "lost_sales": Text(zh="每日因停用损失的交易", en="Sales lost a day"),
    "money": Text(zh="每日在途资金", en="Money waiting, at the end of each day"),
    "table": Text(zh="逐日数据", en="Every day in figures"),
    "day": Text(zh="日期", en="day"),
    "more": Text(zh="条未列出", en="more"),
    "on_wire_said": Text(
        zh="线上终端真实收发全部报文字节，双方计算并核验MAC；其余终端只有主机上的记录，通知、暂停、停用与换机同样执行，但不发生交易。",
        en="Tills on the wire exchange every byte with the host, with MACs made and checked at both ends. The other "
        "terminals are rows: the host tells, suspends, stops and swaps them all the same, but they sell nothing.",
    ),
}
