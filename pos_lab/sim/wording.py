"""What the kill-anywhere matrix says to people, in both languages: TABLES TEXTS, RESULTS and STATES.

Rules owned here: flows and kinds of transactions are called as tills call them; a name without a row stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pos_lab.scenario.model import Language, Text
from protocol.kinds import KINDS
from terminal.flows import FLOWS

TEXTS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "step": Text(zh="第{line}行：{verb}", en="line {line}: {verb}"),
        "first": Text(zh="首条报文之前", en="before the first message"),
        "under_way": Text(zh="第{number}条报文在途", en="message {number} under way"),
        "behind": Text(zh="第{number}条应答之后", en="behind reply {number}"),
        "told": Text(zh="告知：{told}", en="told: {told}"),
        "nothing": Text(zh="无", en="nothing"),
        "books": Text(zh="账目（终端 / 主机）：{books}", en="books (terminal / host): {books}"),
        "violated": Text(zh="不成立：{verdict}", en="DOES NOT HOLD: {verdict}"),
        "interrupted": Text(
            zh="已中断：共{total}个断点，这是最先的{played}次演练",
            en="interrupted: these are the first {played} plays of {total} cuts",
        ),
        "sum": Text(
            zh="{total}个断点，演练{played}次，{failed}次违反不变量",
            en="{played} plays of {total} cuts, {failed} violate an invariant",
        ),
        "finding": Text(zh="{id}不成立：{rule}。{finding}", en="{id} does not hold: {rule}. {finding}"),
        "again": Text(zh="重现：{command}", en="Play it again: {command}"),
        "progress": Text(
            zh="{number}/{total}个断点，{played}次演练中{failed}次违反",
            en="{number} of {total} cuts, {failed} of {played} plays violate",
        ),
    }
)
RESULTS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "approved": Text(zh="批准", en="approved"),
        "done": Text(zh="完成", en="done"),
        "refused": Text(zh="拒绝", en="refused"),
        "unknown": Text(zh="结果未知", en="unknown"),
        "cancelled": Text(zh="已取消", en="cancelled"),
    }
)
"""How a flow ended."""
STATES: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "pending": Text(zh="待应答", en="pending"),
        "offline": Text(zh="离线待上送", en="offline"),
        "captured": Text(zh="已入账", en="captured"),
        "declined": Text(zh="已拒绝", en="declined"),
        "must_reverse": Text(zh="待冲正", en="must_reverse"),
        "reversed": Text(zh="已冲正", en="reversed"),
        "voided": Text(zh="已撤销", en="voided"),
        "adjusted": Text(zh="已调整", en="adjusted"),
        "cleared": Text(zh="主管已清除", en="cleared"),
        "expired": Text(zh="已过期", en="expired"),
        "tombstone": Text(zh="冲正先到", en="tombstone"),
        "": Text(zh="无记录", en="not there"),
    }
)
"""Where a transaction stands in one of both books."""


def said(name: str, language: Language, /, **words: object) -> str:
    """A row of TEXTS with its words."""
    return TEXTS[name].told(language).format(**words)


def result_told(result: str, language: Language) -> str:
    """How a flow ended, in words."""
    return RESULTS[result].told(language) if result in RESULTS else result


def state_told(state: str, language: Language) -> str:
    """Where a transaction stands, in words."""
    return STATES[state].told(language) if state in STATES else state


def name_told(name: str, language: Language) -> str:
    """A flow or a kind of transaction: in English by its name, which is what one types."""
    if language == "en":
        return name
    row = FLOWS.get(name) or KINDS.get(name)
    return row.chinese if row else name
