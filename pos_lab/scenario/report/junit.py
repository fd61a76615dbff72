"""A run as JUnit XML: a suite for each scenario, a case for each step that does something."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from pos_lab.scenario.model import Language
from pos_lab.scenario.report.wording import printable
from pos_lab.scenario.story import RunResult, ScenarioResult, StepResult, count_verdicts


def junit_xml(result: RunResult, language: Language = "en") -> str:
    """The document with its XML declaration. Characters that XML cannot hold are replaced."""
    steps = [step for scenario in result.scenarios for step in scenario.told_steps]
    root = ET.Element("testsuites", {"name": "poslab", **_totals(steps, result.duration_s)})
    for scenario in result.scenarios:
        root.append(_suite(scenario, language))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(scenario: ScenarioResult, language: Language) -> ET.Element:
    steps = scenario.told_steps
    suite = ET.Element("testsuite", {"name": printable(scenario.name), **_totals(steps, scenario.duration_s)})
    properties = ET.SubElement(suite, "properties")
    for name, value in (("file", scenario.file), ("seed", scenario.seed), ("virtual_s", f"{scenario.virtual_s:.3f}")):
        ET.SubElement(properties, "property", {"name": name, "value": printable(str(value))})
    for step in steps:
        suite.append(_case(step, scenario, language))
    return suite


def _case(step: StepResult, scenario: ScenarioResult, language: Language) -> ET.Element:
    # A dot in a class name would be read as a package.
    class_name = printable(scenario.name).replace(".", "_")
    told = f": {step.say.told(language)}" if step.say else ""
    name = printable(f"{step.index:03d} {step.name}, line {step.line}{told}").replace("\n", " ")
    case = ET.Element("testcase", {"classname": class_name, "name": name, "time": f"{step.duration_s:.3f}"})
    message = printable(step.message.told(language))
    if step.verdict == "skipped":
        ET.SubElement(case, "skipped", {"message": message})
    elif step.verdict != "passed":
        tag = "failure" if step.verdict == "failed" else "error"
        detail = ET.SubElement(case, tag, {"message": message, "type": f"poslab.{step.name}"})
        detail.text = printable(_detail(step, scenario))
    return case


def _detail(step: StepResult, scenario: ScenarioResult) -> str:
    lines = [f"{scenario.file}:{step.line}: {step.name}"]
    lines += [
        f"{name}: expected {wanted}, actual {step.actual.get(name, '-')}" for name, wanted in step.expected.items()
    ]
    for message in step.evidence:
        arrow = "terminal -> host" if message.direction == "request" else "terminal <- host"
        lines += ["", f"{message.at_s:.3f} s  {arrow}", *message.lines]
    return "\n".join(lines)


def _totals(steps: tuple[StepResult, ...] | list[StepResult], duration_s: float) -> dict[str, str]:
    counts = count_verdicts(steps)
    return {
        "tests": str(len(steps)),
        "failures": str(counts["failed"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
        "time": f"{duration_s:.3f}",
    }
