"""The words that all reports share, in both languages, and how text and time are written in them.

Rules owned here: the labels, the format of durations, and which characters a report may show.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pos_lab.scenario.model import Text
from pos_lab.scenario.story import Impact
from protocol.money import yuan

VERDICTS: Mapping[str, Text] = {
    "passed": Text(zh="通过", en="passed"),
    "failed": Text(zh="未通过", en="failed"),
    "error": Text(zh="出错", en="error"),
    "skipped": Text(zh="未执行", en="skipped"),
}

LABELS: Mapping[str, Text] = {
    "verdict": Text(zh="结论", en="verdict"),
    "duration": Text(zh="用时", en="duration"),
    "virtual": Text(zh="模拟时间", en="simulated time"),
    "report": Text(zh="报告", en="report"),
    "steps": Text(zh="步骤", en="steps"),
    "seed": Text(zh="种子", en="seed"),
    "file": Text(zh="场景文件", en="scenario"),
    "line": Text(zh="行", en="line"),
    "expected": Text(zh="预期", en="expected"),
    "actual": Text(zh="实际", en="actual"),
    "messages": Text(zh="报文", en="messages"),
    "terminal": Text(zh="终端", en="terminal"),
    "host": Text(zh="主机", en="host"),
    "lost": Text(zh="途中丢失", en="lost on the way"),
    "bytes": Text(zh="原始字节", en="bytes"),
    "prologue": Text(zh="开场", en="Prologue"),
    "books": Text(zh="两本账", en="Both books"),
    "books_lead": Text(
        zh="终端的账与主机的账，逐项核对。", en="What the terminal says and what the host says, line by line."
    ),
    "agree": Text(zh="一致", en="agree"),
    "differ": Text(zh="不一致", en="differ"),
    "facts": Text(zh="结算", en="The bottom line"),
    "contents": Text(zh="目录", en="Chapters"),
    "report_of": Text(zh="运行报告", en="run report"),
    "impact": Text(zh="影响报告", en="Impact"),
}

IMPACT: Mapping[str, Text] = {
    "interruption_minutes": Text(zh="中断分钟数", en="minutes of interruption"),
    "lost_sales": Text(zh="损失交易笔数", en="lost sales"),
    "lost_fen": Text(zh="损失交易金额", en="amount of lost sales"),
    "not_arrived_fen": Text(zh="未到账金额", en="money not arrived"),
    "fee_fen": Text(zh="手续费", en="fees"),
    "chargeback_fen": Text(zh="拒付金额", en="charged back"),
}
"""Figure of an Impact -> what it is called."""

# Controls, overrides of the writing direction, half surrogates and what XML 1.0 cannot hold. Tab and line end stay.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """The text without characters that a terminal obeys, that hide text or that XML cannot hold: each is U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)


def duration(seconds: float) -> str:
    """``0.012 s``, ``3.4 s``, ``2 min 05 s``, ``3 h 20 min``, ``90 d`` or ``90 d 2 h``."""
    if seconds < 1:
        return f"{seconds:.3f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    hours = whole % 86_400 // 3600
    return f"{whole // 86_400} d {hours} h" if hours else f"{whole // 86_400} d"


def impact_rows(impact: Impact) -> list[tuple[Text, str]]:
    """The figures of an impact report by their names, amounts in yuan."""
    figures = ((name, getattr(impact, name)) for name in IMPACT)
    return [(IMPACT[name], yuan(value) if name.endswith("_fen") else str(value)) for name, value in figures]
