"""``poslab run``: plays scenarios and gives a verdict, for people, for programs and as reports."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pos_lab.commands.kills import EVERY, Cuts, kill_matrix
from pos_lab.commands.output import JsonOption, Lang, LangOption, Status, new_app, print_json
from pos_lab.world import Over, RunningElsewhere
from protocol.transport import check

app = new_app()


class Victims(StrEnum):
    """Who dies at the points of --kill-at."""

    TERMINAL = "terminal"
    HOST = "host"
    BOTH = "both"


@app.command()
def run(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE|FOLDER...", help="Scenarios, or folders of them; - reads one.")
    ] = None,
    *,
    over: Annotated[
        Over | None,
        typer.Option(
            help="How terminals reach the host; process starts one of its own, over TCP.", show_default="memory"
        ),
    ] = None,
    virtual: Annotated[
        bool, typer.Option("--virtual", help="Play in virtual time: waiting takes none, and faults: happen.")
    ] = False,
    host: Annotated[
        str, typer.Option(metavar="URL", help="Play against a host that runs already, with --db and --lab-clock.")
    ] = "",
    db: Annotated[str, typer.Option(metavar="FILE", help="The database of that host.")] = "",
    only: Annotated[str, typer.Option("-k", metavar="TEXT", help="Only scenarios whose name holds this text.")] = "",
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Makes the keys of the run again; with --virtual all of it.", show_default="0 or new"),
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List the scenarios and leave.")] = False,
    list_faults: Annotated[
        bool, typer.Option("--list-faults", help="List what faults: of a scenario may name, and leave.")
    ] = False,
    kill_at: Annotated[
        str, typer.Option(metavar="every|CUT", help="With --virtual: play it once for each point where power can go.")
    ] = "",
    kill: Annotated[Victims, typer.Option(help="Who dies there.")] = Victims.BOTH,
    pairs: Annotated[bool, typer.Option("--pairs", help="Cut a second time in each recovery.")] = False,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="How many processes share the cuts.")] = 1,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table of cuts, a row each.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a JUnit report.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a report for people, one file.")] = None,
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Run scenarios and give a verdict: exit status 0 passed, 1 failed, 2 a scenario is wrong, 3 the host failed.

    With --virtual, host and terminals live in virtual time: a timeout of minutes takes none, the faults that a scenario
    states under faults: happen, and the same seed is the same run, bit for bit.

    \b
    Examples:
      poslab run scenarios/lifecycle/first_life.yaml
      poslab run scenarios/ --virtual
      poslab run my_case.yaml --virtual --seed 7
      poslab run my_case.yaml --virtual --kill-at every --jobs 2 --csv cuts.csv
      poslab run my_case.yaml --virtual --kill-at every --kill terminal --pairs
      poslab run --list-faults
      poslab run scenarios/ --over process --html report.html --junit report.xml
      poslab run my_case.yaml --host tcp://127.0.0.1:8583 --db lab.db
      poslab run my_case.yaml --host "tls://127.0.0.1:8583?ca=lab/ca.pem" --db lab.db
    """
    if list_faults:
        tell_faults(as_json=as_json)
        return
    if not files:
        raise typer.BadParameter("name a scenario, or a folder of them", param_hint="FILE|FOLDER...")
    if bool(host) != bool(db):
        raise typer.BadParameter("--host and --db go together", param_hint="--host")
    if virtual and (host or over):
        raise typer.BadParameter(
            "lives in this process, host and network included: it has no use beside --over and --host",
            param_hint="--virtual",
        )
    if host:
        check(host)
    if kill_at:
        if not virtual:
            raise typer.BadParameter("needs virtual time: add --virtual", param_hint="--kill-at")
        if junit:
            raise typer.BadParameter("is a report of steps: cuts have --csv, --html and --json", param_hint="--junit")
        if pairs and kill_at != EVERY:
            raise typer.BadParameter("goes with --kill-at every", param_hint="--pairs")
        cuts = Cuts(kill_at, kill.value, pairs, jobs)
        kill_matrix(files, cuts, seed or 0, csv=csv, html=html, as_json=as_json, language=lang.code)
    of_cuts = {"--csv": csv, "--pairs": pairs, "--jobs": jobs > 1, "--kill": kill is not Victims.BOTH}
    if lonely := next((option for option, value in of_cuts.items() if value), ""):
        raise typer.BadParameter("goes with --kill-at every", param_hint=lonely)
    place = None if virtual else RunningElsewhere(host, db) if host else over or Over.MEMORY
    play(files, over=place, only=only, seed=seed, show=show, junit=junit, html=html, as_json=as_json, lang=lang)


def tell_faults(*, as_json: bool) -> None:
    """What a scenario may name under ``faults:``."""
    from pos_lab.sim.faults import KINDS
    from pos_lab.sim.occasions import OCCASIONS

    if not as_json:
        typer.echo("faults: in a scenario, at the top or beside a step: [{kind: net.lost, at: 2, terminal: till}]")
    for kind, (target, occasion) in OCCASIONS.items():
        if as_json:
            what = {"what": KINDS[kind].english, "catalogue": KINDS[kind].rows}
            print_json({"kind": kind, "target": target, "occasion": occasion, **what})
        else:
            typer.echo(f"  {kind:26} {target:7} {KINDS[kind].english}; counted: {occasion}")


def play(
    files: list[str],
    *,
    over: Over | RunningElsewhere | None,
    lang: Lang,
    only: str = "",
    seed: int | None = None,
    show: bool = False,
    junit: Path | None = None,
    html: Path | None = None,
    as_json: bool = False,
) -> None:
    """Load, play, tell, and leave with the verdict as exit status; ``over`` None is virtual time."""
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
    if over is not None:
        refuse_faults(chosen)
    for report in filter(None, (junit, html)):
        can_write_report(report)
    teller = None if as_json else Teller(console_on(sys.stdout), lang.code)
    if over is None:
        result = _play_virtually(chosen, seed or 0, teller)
    else:
        seed = secrets.randbelow(2**32) if seed is None else seed
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


def refuse_faults(chosen: list[Any]) -> None:
    """Faults that happen by themselves are for virtual time; raises ScenarioErrors with what to type."""
    from pos_lab.scenario.errors import ScenarioError, ScenarioErrors

    errors = [
        ScenarioError(
            scenario.file,
            scenario.all_faults[0].line,
            1,
            "faults",
            "faults: happen in virtual time only",
            f"type: poslab run {scenario.file} --virtual",
        )
        for scenario in chosen
        if scenario.all_faults
    ]
    if errors:
        raise ScenarioErrors(errors[:1])


def _play_virtually(chosen: list[Any], seed: int, teller: Any) -> Any:
    from pos_lab.scenario.steps import STEPS
    from pos_lab.scenario.story import RunResult
    from pos_lab.sim.scenario_run import play_virtually

    results = []
    for scenario in chosen:
        if teller:
            teller.scenario(scenario.name, scenario.title, scenario.file)
        result = play_virtually(scenario, STEPS, seed, teller.step if teller else _tell_nobody)
        if teller:
            teller.facts(result)
        results.append(result)
    times = [(result.duration_s, result.virtual_s) for result in results]
    return RunResult(tuple(results), seed, sum(lasted for lasted, _ in times), sum(virtual for _, virtual in times))


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
