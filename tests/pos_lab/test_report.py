"""The reports of a run: console, JSON, JUnit and the page."""

from __future__ import annotations

import io
import json
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pos_lab.scenario.model import Language, Text
from pos_lab.scenario.report.document import run_document
from pos_lab.scenario.report.file import ReportError, write_report
from pos_lab.scenario.report.html import html_report
from pos_lab.scenario.report.junit import junit_xml
from pos_lab.scenario.report.text import console_on, tell
from pos_lab.scenario.report.wording import duration
from pos_lab.scenario.story import Evidence, Fact, Impact, RunResult, ScenarioResult, StepResult, Verdict, gravest

HOSTILE = "<script>alert(1)</script> & [red]\x1b[31m\x00\u202e]]>"
HALF = HOSTILE + " \ud800"

STEPS = (
    StepResult(0, "chapter", 8, "passed", Text(zh="出厂", en="From order to the counter")),
    StepResult(
        1,
        "sale",
        9,
        "passed",
        Text(zh="97 未登记", en="97 not registered"),
        0.5,
        (
            Evidence("request", 0.1, "6000", ("0200 sale", "2 PAN  620000******0008"), "old"),
            Evidence("response", 0.2, "6001", ("0210 97",), "old", delivered=False),
            Evidence("request", 0.3, "6002", ("0400 reversal",), "old"),
            Evidence("response", 0.4, "6003", ("0410 00",), "old"),
        ),
        say=Text(zh="还没登记。", en="It is not registered yet."),
        expected={"outcome": "refused"},
        actual={"outcome": "refused"},
    ),
    StepResult(2, "chapter", 12, "passed", Text(zh="停用", en="The way to retirement")),
    StepResult(
        3,
        "settle",
        13,
        "failed",
        Text(zh=HOSTILE, en=HOSTILE),
        expected={"outcome": "balanced"},
        actual={"outcome": HALF},
    ),
    StepResult(4, "stop", 15, "error", Text(zh="断线", en="the line broke")),
    StepResult(5, "sale", 16, "skipped", Text(zh="未执行", en="not run")),
)
IMPACT = Impact(60, 2, 12_345, 9_940, 60, 100)
RUN = RunResult(
    (
        ScenarioResult(
            "first life",
            Text(zh="一台终端的一生", en="One terminal's whole life"),
            "life.yaml",
            "error",
            STEPS,
            7,
            1.5,
            7_776_000.0,
            {
                "fees": Fact(Text(zh="手续费", en="Fees"), "0.80"),
                "turnover": Fact(Text(zh="交易额", en="Turnover"), terminal="159.99", host="159.99"),
                "count": Fact(Text(zh="笔数", en="Sales"), terminal="3", host="2"),
            },
            IMPACT,
        ),
    ),
    7,
    1.5,
    7_776_000.0,
)


def told(result: RunResult, language: Language = "en", encoding: str = "utf-8", report: Path | None = None) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    tell(result, console_on(stream), language, report)
    stream.seek(0)
    return stream.read()


def test_the_gravest_verdict_wins() -> None:
    """A run with a failed step would be reported as passed."""
    order: list[Verdict] = ["skipped", "passed", "failed", "error"]
    assert [gravest(order[: n + 1]) for n in range(4)] == order
    assert gravest([]) == "passed"
    assert RUN.verdict == "error"


def test_steps_fall_into_chapters() -> None:
    """The story would lose the steps before its first heading."""
    scenario = replace(RUN.scenarios[0], steps=(STEPS[1], *STEPS))
    assert [(c.title and c.title.en, len(c.steps), c.verdict) for c in scenario.chapters()] == [
        (None, 1, "passed"),
        ("From order to the counter", 1, "passed"),
        ("The way to retirement", 3, "error"),
    ]


def test_the_console_tells_one_line_per_step_in_a_pipe() -> None:
    """A log of a build server would be full of escapes and broken lines."""
    long = replace(STEPS[1], say=Text(zh="很长", en="long " * 60))
    text = told(
        replace(RUN, scenarios=(replace(RUN.scenarios[0], steps=(*STEPS, long)),)), report=Path("out/report.html")
    )
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "\u202e" not in text
    lines = text.splitlines()
    assert "From order to the counter" in lines
    assert "  ✓ It is not registered yet.  97 not registered" in lines
    assert any(line.startswith("  ✓ long long") and line.endswith("97 not registered") for line in lines)
    assert any(line.startswith("  ✗ <script>alert(1)</script> & [red]") for line in lines)
    assert "  ‼ the line broke" in lines
    assert "      stop, line 15" in lines
    assert "  ✗ Sales: terminal 3 · host 2" in lines
    assert lines[-3:] == [
        "verdict: error  (2 passed, 1 failed, 1 error, 1 skipped)",
        "duration: 1.5 s  (simulated time 90 d)",
        "report: out/report.html",
    ]


def test_the_console_speaks_chinese() -> None:
    """A tester in the field would get a report in a language not asked for."""
    lines = told(RUN, "zh").splitlines()
    assert "  ✓ 还没登记。  97 未登记" in lines
    assert lines[-2:] == [
        "结论: 出错  (1 通过, 1 未通过, 1 出错, 1 未执行)",
        "用时: 1.5 s  (模拟时间 90 d)",
    ]


def test_a_console_without_chinese_still_tells() -> None:
    """A run in a bare container would die of its own report."""
    text = told(RUN, "zh", "ascii")
    assert "  ok \\u8fd8\\u6ca1" in text
    assert text.isascii()


def test_colours_only_where_they_are_wanted() -> None:
    """A terminal would show no colours."""
    stream = io.StringIO()
    tell(RUN, console_on(stream, colour=True))
    assert "\x1b[" in stream.getvalue()


def test_the_json_document_has_the_promised_shape() -> None:
    """A program that reads the verdict would find another shape than the manual's."""
    document = json.loads(json.dumps(run_document(RUN)))
    steps = document["scenarios"][0].pop("steps")
    assert document == {
        "verdict": "error",
        "duration_s": 1.5,
        "virtual_s": 7_776_000.0,
        "seed": 7,
        "scenarios": [{"name": "first life", "file": "life.yaml", "verdict": "error"}],
        "facts": {"first life": {"fees": "0.80"}},
        "impact": asdict(IMPACT),
        "invariants": {"checked": 2, "violated": ["first life: count"]},
    }
    assert steps[1] == {
        "index": 1,
        "name": "sale",
        "line": 9,
        "verdict": "passed",
        "message": "97 not registered",
        "evidence": {"request": "6002", "response": "6003"},
    }
    assert steps[0]["evidence"] == {"request": None, "response": None}
    assert run_document(RUN, "zh")["scenarios"][0]["steps"][1]["message"] == "97 未登记"


@pytest.mark.feature("REPORT")
@pytest.mark.parametrize(
    ("language", "row"), [("zh", "未到账金额: 198.80"), ("en", "money not arrived: 198.80")], ids=["zh", "en"]
)
def test_a_run_ends_with_one_impact_report(language: Language, row: str) -> None:
    """A planner would have to add up by hand what the rehearsal cost."""
    twice = replace(RUN, scenarios=RUN.scenarios * 2)
    lines = told(twice, language).splitlines()
    heading = {"zh": "影响报告", "en": "Impact"}[language]
    assert lines.count(heading) == 1
    assert lines.index(heading) < lines.index(f"    {row}") < len(lines) - 2
    assert run_document(twice)["impact"] == {name: 2 * value for name, value in asdict(IMPACT).items()}
    page = html_report(twice, language)
    assert page.count('id="impact"') == 1
    assert f"<dd>{row.split()[-1]}</dd>" in page


def test_junit_reads_back() -> None:
    """A build server would not show which step failed."""
    root = ET.fromstring(junit_xml(RUN))
    totals = {"tests": "4", "failures": "1", "errors": "1", "skipped": "1", "time": "1.500"}
    assert root.attrib == {"name": "poslab", **totals}
    suite = root.find("testsuite")
    assert suite is not None
    assert suite.attrib == {"name": "first life", **totals}
    assert [
        (case.get("classname"), case.get("name"), [child.tag for child in case]) for case in suite.iter("testcase")
    ][:1] == [("first life", "001 sale, line 9: It is not registered yet.", [])]
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "<script>alert(1)</script>" in failure.attrib["message"]
    assert failure.text is not None
    assert failure.text.startswith("life.yaml:13: settle\noutcome: expected balanced, actual <script>")
    assert len(list(suite.iter("error"))) == len(list(suite.iter("skipped"))) == 1


class _Page(HTMLParser):
    """Collects the tags, the addresses and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in {"meta", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_escapes_what_it_tells() -> None:
    """A merchant's name could run a script in the browser of whoever reads the report."""
    scenario = replace(
        RUN.scenarios[0],
        name=HALF,
        title=Text(zh=HOSTILE, en="x"),
        file=HALF,
        facts={"m": Fact(Text(zh=HOSTILE, en=HOSTILE), HALF)},
    )
    evidence = (Evidence("request", 0.1, HALF, (HALF, HALF), HALF),)
    scenario = replace(scenario, steps=(replace(STEPS[3], evidence=evidence, name=HALF), *scenario.steps))
    text = html_report(replace(RUN, scenarios=(scenario,)))
    page = _Page(text)
    assert page.open == []
    assert "script" not in page.tags
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert not re.search("[\x00-\x08\x1b\u202e\ud800]", text)


def test_the_page_needs_nothing_else() -> None:
    """A report sent by mail would be blank, or would call out to the network."""
    page = _Page(html_report(RUN))
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in {"src", "style"}]
    assert all(value and value.startswith("#") for name, value in page.attributes if name == "href")
    assert "http" not in {name for name, _ in page.attributes}
    policy = next(value for name, value in page.attributes if name == "content" and value and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_opens_in_the_language_asked_for(language: Language) -> None:
    """A reader would have to look for the switch."""
    page = html_report(RUN, language)
    assert f'<html lang="{language}">' in page
    assert re.search(rf'id="in-{language}"[^>]* checked', page)
    assert page.count(" checked") == 1


def test_the_page_shows_a_lost_reply_and_differing_books() -> None:
    """The one line of the report that matters would look like the others."""
    page = html_report(RUN)
    assert page.count('class="message response lost"') == 1
    assert page.count('<tr class="failed">') == 1
    assert page.count('<li class="missed">') == 1


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0124, "0.012 s"),
        (12.34, "12.3 s"),
        (125, "2 min 05 s"),
        (12_000, "3 h 20 min"),
        (7_776_000, "90 d"),
        (7_783_200, "90 d 2 h"),
    ],
)
def test_durations_are_written_for_people(seconds: float, written: str) -> None:
    """Ninety days would read 7776000."""
    assert duration(seconds) == written


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A reader would open half a report, or yesterday's would be lost to a failed write."""
    target = tmp_path / "new" / "report.html"
    write_report(target, "first")
    write_report(target, "second 第二")
    assert target.read_text(encoding="utf-8") == "second 第二"
    assert list(target.parent.iterdir()) == [target]


def test_a_report_that_cannot_be_written_says_which(tmp_path: Path) -> None:
    """A run would end in a traceback after all its work."""
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "report.html", tmp_path):
        with pytest.raises(ReportError, match=r"the report .* cannot be written: ") as caught:
            write_report(path, "x")
        assert caught.value.filename == str(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_report_can_go_to_a_device() -> None:
    """Writing a report to /dev/null would replace the device by a file."""
    write_report(Path("/dev/null"), "x")
    assert not Path("/dev/null").is_file()
