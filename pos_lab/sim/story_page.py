"""One seed as one HTML file, as a bank examiner reports it: verdict, rows of both books, what happened, its command.

Rules owned here: an opinion is given on what was examined and on nothing else; a diagram shows EVENTS_MAX events at
most, the last ones, and the whole log stands below it as text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pos_lab.page.page import render
from pos_lab.scenario.model import Language, Text
from pos_lab.scenario.report.wording import duration
from pos_lab.sim.run import Result
from pos_lab.sim.sequence import diagram, drawable
from pos_lab.sim.story import about, masked, named, spelt_out
from protocol.money import yuan

EVENTS_MAX: Final = 600
LABELS: Final = {
    "report_of": Text(zh="仿真检查报告", en="examination of a seed"),
    "verdict": Text(zh="结论", en="verdict"),
    "passed": Text(zh="通过", en="passed"),
    "failed": Text(zh="未通过", en="failed"),
    "seed": Text(zh="种子", en="seed"),
    "profile": Text(zh="故障类型", en="profile"),
    "faults": Text(zh="故障", en="faults"),
    "events": Text(zh="事件", en="events"),
    "virtual": Text(zh="模拟时间", en="virtual time"),
    "transactions": Text(zh="交易", en="transactions"),
    "opinion": Text(zh="检查意见", en="Opinion"),
    "clean": Text(
        zh="经检查，两本账一致：每笔已入账交易在终端与主机金额相同，收银员被告知的结果无一被推翻，故障消除后全部交易均已了结。",
        en="In our opinion the two books agree: what is captured at one end is captured at the other with the same "
        "amount, nothing a cashier was told is contradicted, and after the faults everything came to its end.",
    ),
    "qualified": Text(
        zh="经检查，本账不能认可。下列规则未被遵守，依据如下。",
        en="In our opinion these books cannot be accepted. The following does not hold, for the reason given.",
    ),
    "books": Text(zh="两本账", en="Both books"),
    "books_lead": Text(
        zh="结论涉及的交易标出；“同”指两端均入账且金额相同，或均未入账。",
        en="What the verdict names is marked. Ends agree where both captured a row with one amount, or none did.",
    ),
    "transaction": Text(zh="终端号/批次/流水号", en="terminal/batch/STAN"),
    "kind": Text(zh="类型", en="kind"),
    "at_till": Text(zh="终端账", en="the terminal's book"),
    "at_host": Text(zh="主机账", en="the host's book"),
    "told": Text(zh="收银员被告知", en="the cashier was told"),
    "agree": Text(zh="同", en="agree"),
    "differ": Text(zh="不同", en="differ"),
    "unknown": Text(zh="无", en="none"),
    "what_led_there": Text(zh="经过", en="What led there"),
    "what_happened": Text(zh="经过", en="What happened"),
    "shown": Text(zh="显示的事件", en="events shown"),
    "taken_out": Text(zh="已剔除的故障与操作", en="faults and intents taken out"),
    "faults_met": Text(zh="发生的故障", en="Faults that happened"),
    "again": Text(zh="重演命令", en="Play it again"),
    "whole_log": Text(zh="全部事件", en="Every event"),
}


def story_page(result: Result, command: str, language: Language = "en", *, taken_out: int = 0) -> str:
    """The page; ``command`` plays the seed again, ``taken_out`` is how much shrinking removed from it."""
    keys = named(result)
    chosen = drawable(result.events if result.passed else about(result) or result.events)[-EVENTS_MAX:]
    label = LABELS["what_happened" if result.passed else "what_led_there"]
    verdicts = [(row.id, row.rule, masked(row.finding)) for row in result.violations]
    return render(
        Path(__file__).parent,
        "story.html.j2",
        "story.css",
        filters={"duration": duration, "yuan": yuan},
        language=language,
        labels=LABELS,
        result=result,
        verdicts=verdicts,
        books=[(row, (row.terminal_id, row.stan) in keys) for row in result.books],
        picture=diagram(chosen, keys, title=label.told(language)),
        shown=len(chosen),
        happened=label,
        log=[(event, spelt_out(event)) for event in result.events],
        command=command,
        taken_out=taken_out,
    )
