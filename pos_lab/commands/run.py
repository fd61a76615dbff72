"""``poslab run``: plays scenarios and gives a verdict, for people, for programs and as reports."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from pos_lab.commands.output import JsonOption, Lang, LangOption, Status, new_app, print_json
from pos_lab.world import Over, RunningElsewhere
from protocol.transport import check

app = new_app()


@app.command()
def run(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Scenarios, or folders of them; - reads one.")],
    *,
    over: Annotated[
        Over, typer.Option(help="How terminals reach the host; process starts one of its own, over TCP.")
    ] = Over.MEMORY,
    host: Annotated[
        str, typer.Option(metavar="URL", help="Play against a host that runs already, with --db and --lab-clock.")
    ] = "",
    db: Annotated[str, typer.Option(metavar="FILE", help="The database of that host.")] = "",
    only: Annotated[str, typer.Option("-k", metavar="TEXT", help="Only scenarios whose name holds this text.")] = "",
    seed: Annotated[
        int | None, typer.Option(min=0, help="Makes the keys of the run again. [default: a new one]")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List the scenarios and leave.")] = False,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a JUnit report.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a report for people, one file.")] = None,
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Run scenarios and give a verdict: exit status 0 passed, 1 failed, 2 a scenario is wrong, 3 the host failed.

    \b
    Examples:
      poslab run scenarios/lifecycle/first_life.yaml
      poslab run scenarios/ --over process --html report.html --junit report.xml
      poslab run my_case.yaml --host tcp://127.0.0.1:8583 --db lab.db
      poslab run my_case.yaml --host "tls://127.0.0.1:8583?ca=lab/ca.pem" --db lab.db
    """
    if bool(host) != bool(db):
        raise typer.BadParameter("--host and --db go together", param_hint="--host")
    if host:
        check(host)
    place = RunningElsewhere(host, db) if host else over
    play(files, over=place, only=only, seed=seed, show=show, junit=junit, html=html, as_json=as_json, lang=lang)


def play(
    files: list[str],
    *,
    over: Over | RunningElsewhere,
    lang: Lang,
    only: str = "",
    seed: int | None = None,
    show: bool = False,
    junit: Path | None = None,
    html: Path | None = None,
    as_json: bool = False,
) -> None:
    """Load, play, tell, and leave with the verdict as exit status."""
    logging.getLogger("poslab").addHandler(logging.NullHandler())  # what the line did stands in the evidence
    from host.policy import Policy
    from pos_lab.scenario.files import scenario_files, told_name
    from pos_lab.scenario.loader import load_scenario
    from pos_lab.scenario.report.document import run_document
    from pos_lab.scenario.report.file import can_write_report, write_report
    from pos_lab.scenario.report.html import html_report
    from pos_lab.scenario.report.junit import junit_xml
    from pos_lab.scenario.report.text import Teller, console_on
    from pos_lab.scenario.steps import STEPS

    loaded = [replace(load_scenario(file, STEPS, Policy), file=told_name(file)) for file in scenario_files(files)]
    chosen = [scenario for scenario in loaded if only in scenario.name]
    if not chosen:
        raise typer.BadParameter(f"no scenario has {only!r} in its name", param_hint="-k")
    if show:
        for scenario in chosen:
            row = {"scenario": scenario.name, "file": scenario.file, "steps": len(scenario.steps)}
            if as_json:
                print_json(row)
            else:
                typer.echo(f"{scenario.name}  {scenario.file}")
        return
    for report in filter(None, (junit, html)):
        can_write_report(report)
    seed = secrets.randbelow(2**32) if seed is None else seed
    teller = None if as_json else Teller(console_on(sys.stdout), lang.code)
    result = asyncio.run(_play_all(chosen, over, seed, teller))
    if junit:
        write_report(junit, junit_xml(result, lang.code))
    if html:
        write_report(html, html_report(result, lang.code))
    if as_json:
        print_json(run_document(result, lang.code))
    if teller:
        teller.verdict(result, html)
    raise typer.Exit(Status.DONE if result.verdict == "passed" else Status.FAILED)


async def _play_all(chosen: list[Any], over: Over | RunningElsewhere, seed: int, teller: Any) -> Any:
    from pos_lab.scenario.runner import Runner
    from pos_lab.scenario.steps import STEPS
    from pos_lab.scenario.story import RunResult

    began = asyncio.get_running_loop().time()
    results = []
    for scenario in chosen:
        if teller:
            teller.scenario(scenario.name, scenario.title, scenario.file)
        result = await Runner(STEPS, over, seed).run(scenario, teller.step if teller else _tell_nobody)
        if teller:
            teller.facts(result)
        results.append(result)
    lasted_s = asyncio.get_running_loop().time() - began
    return RunResult(tuple(results), seed, lasted_s, sum(result.virtual_s for result in results))


def _tell_nobody(result: object) -> None:
    """With --json nothing is told before the end."""
