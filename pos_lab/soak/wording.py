"""What a soak says to people, in both languages: TABLE TEXTS. Kills, troubles and kinds of events go by their names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pos_lab.scenario.model import Language, Text

TEXTS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "progress": Text(zh="{kill}/{kills}次强杀，{found}项发现", en="{kill} of {kills} kills, {found} findings"),
        "summary": Text(
            zh="{lasted_s}秒内强杀{kills}次；{database}上的主机进程{hosts}个，终端进程{terminals}个",
            en="{kills} kills in {lasted_s} s, {hosts} host processes on {database}, {terminals} terminal processes",
        ),
        "killed": Text(zh="强杀：{counts}", en="killed: {counts}"),
        "troubles": Text(zh="存储与线路故障：{counts}", en="troubles: {counts}"),
        "noise": Text(zh="线路噪声：{counts}", en="noise: {counts}"),
        "told": Text(zh="告知收银员：{counts}", en="cashiers were told: {counts}"),
        "asked": Text(
            zh="核查不变量{asked}条，事件{events}个：{counts}",
            en="{asked} invariants asked at {events} events: {counts}",
        ),
        "not_asked": Text(zh="未核查：{name}，{why}", en="not asked: {name}, {why}"),
        "unseen": Text(zh="未见{event}", en="no {event} was seen"),
        "finding": Text(zh="{id}不成立：{rule}。", en="{id} does not hold: {rule}."),
        "more": Text(zh="另有{count}项", en="and {count} more"),
        "passed": Text(zh="通过", en="PASSED"),
        "failed": Text(zh="未通过：{count}项发现", en="FAILED: {count} findings"),
        "evidence": Text(zh="证据：{folder}", en="evidence: {folder}"),
        "nothing": Text(zh="无", en="nothing"),
        "of_firmware": Text(zh="此处不更新固件", en="nobody updates firmware here"),
        "of_a_case": Text(zh="此处不打开机壳", en="nobody opens a case here"),
        "of_load": Text(
            zh="另一进程的连接与任务从外部无法计数",
            en="lines and tasks of another process are not to be counted from outside",
        ),
        "of_paper": Text(
            zh="打印的纸在终端进程内，外部看不到", en="the paper of a printer is inside the process of its terminal"
        ),
    }
)


def said(name: str, language: Language, /, **words: object) -> str:
    """A row of TEXTS with its words."""
    return TEXTS[name].told(language).format(**words)


def listed(counts: Mapping[str, int], language: Language) -> str:
    """So many of each."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or said("nothing", language)
