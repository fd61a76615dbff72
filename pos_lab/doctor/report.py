"""A diagnosis in words and as a document.

Rules owned here: the shape of the document of ``doctor --json``, one an input. What fields hold is masked.
"""

from __future__ import annotations

from collections.abc import Iterator

from pos_lab.doctor.examination import Case, Verdict, worst
from pos_lab.doctor.hypothesis import Hypothesis
from pos_lab.doctor.symptom import Finding, Gravity, Language
from protocol.describe import describe, document
from protocol.framing import FRAMINGS

_VERDICTS = {
    Verdict.UNDERSTOOD: ("读懂了", "understood"),
    Verdict.FINDINGS: ("读懂了，但有问题", "understood, with findings"),
    Verdict.UNKNOWN: ("读不懂", "not understood"),
}


def as_document(
    name: str, cases: list[Case], more: list[Finding], *, unmask: bool, lang: Language
) -> dict[str, object]:
    """``more`` are findings about the input as a whole."""
    verdict = verdict_of(cases, more)
    return {
        "ok": verdict is not Verdict.UNKNOWN,
        "input": name,
        "verdict": verdict.name.lower(),
        "findings": [_finding_document(each, lang) for each in more],
        "messages": [_case_document(case, unmask=unmask, lang=lang) for case in cases],
    }


def as_lines(name: str, cases: list[Case], more: list[Finding], *, unmask: bool, lang: Language) -> Iterator[str]:
    """The same for people."""
    yield f"{name}: {_VERDICTS[verdict_of(cases, more)][lang == 'en']}"
    for finding in more:
        yield from _finding_lines(finding, lang)
    for case in cases:
        yield from _case_lines(case, unmask=unmask, lang=lang)


def verdict_of(cases: list[Case], more: list[Finding]) -> Verdict:
    """Of a whole input."""
    verdict = worst([case.verdict for case in cases])
    if verdict is Verdict.UNDERSTOOD and any(each.symptom.gravity is Gravity.FAULT for each in more):
        return Verdict.FINDINGS
    return verdict


def setting_of(found: Hypothesis) -> str:
    """The options under which ``poslab decode`` reads this message, as far as options go."""
    frame = found.cut.kind if found.cut.kind in FRAMINGS else "none"
    header = "cup" if found.tpdu and found.header else "none"
    return f"--frame {frame} --header {header} --dialect {found.reading.dialect.name}"


def _finding_document(finding: Finding, lang: Language) -> dict[str, object]:
    return {
        "code": finding.code,
        "gravity": finding.symptom.gravity.value,
        "offset": finding.at,
        "field": finding.field or None,
        "by": finding.n or None,
        "message": finding.text(lang),
        "hint": finding.cure(lang),
    }


def _case_document(case: Case, *, unmask: bool, lang: Language) -> dict[str, object]:
    found = case.hypothesis
    shown: dict[str, object] = {
        "offset": case.at,
        "length": len(case.data),
        "verdict": case.verdict.name.lower(),
        "confidence": case.confidence,
        "findings": [_finding_document(each, lang) for each in case.findings],
    }
    if found is None:
        return {**shown, "reading": None, "message": None}
    reading = {
        "frame": found.cut.kind,
        "tpdu": found.tpdu is not None,
        "header": found.header is not None,
        "dialect": found.reading.dialect.name,
        "conventions": list(found.reading.codes),
        "setting": setting_of(found),
    }
    message: dict[str, object] | None = None
    if _is_tellable(found):
        message = document(found.message, unmask=unmask, lang=lang, dialect=found.reading.dialect)
    return {**shown, "reading": reading, "message": message}


def _is_tellable(found: Hypothesis) -> bool:
    """Is it whole, and is there a row for every field? What a dialect cannot name it cannot hide either."""
    return found.is_whole and set(found.walk.values) <= set(found.reading.dialect.fields)


def _case_lines(case: Case, *, unmask: bool, lang: Language) -> Iterator[str]:
    found = case.hypothesis
    where = (f"第{case.at}字节起，{len(case.data)}字节", f"from byte {case.at}, {len(case.data)} bytes")[lang == "en"]
    yield f"  {where}: {_VERDICTS[case.verdict][lang == 'en']}"
    if found is not None:
        sure = ("可信度", "confidence")[lang == "en"]
        yield f"    {sure} {case.confidence:.0%}, {setting_of(found)}"
    for finding in case.findings:
        yield from _finding_lines(finding, lang)
    if found is not None and _is_tellable(found):
        lines = describe(found.message, unmask=unmask, lang=lang, dialect=found.reading.dialect)
        yield from (f"      {line}" for line in lines)


def _finding_lines(finding: Finding, lang: Language) -> Iterator[str]:
    mark = "!" if finding.symptom.gravity is Gravity.FAULT else "-"
    yield f"    {mark} {finding.code}: {finding.text(lang)}"
    if cure := finding.cure(lang):
        yield f"      {('办法', 'cure')[lang == 'en']}: {cure}"
