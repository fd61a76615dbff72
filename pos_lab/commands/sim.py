"""``poslab sim``: lives worlds under faults in virtual time, and says whether the books hold."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pos_lab.commands.jobs import INTERRUPTED, Interruption, interruptible, shared
from pos_lab.commands.output import JsonOption, Lang, LangOption, Status, new_app, print_json
from pos_lab.commands.sim_host import Asked, try_host

if TYPE_CHECKING:
    from pos_lab.sim.run import Result
    from pos_lab.sim.subject import Subject
    from pos_lab.sim.totals import Totals

    Told = tuple[Result, float]
    """A result, and the seconds of processor time that it took."""

app = new_app()
HOUR_S: Final = 3_600
_ENOUGH: Final = 500
"""From how many seeds on it is told what never came."""
_TOLD_EVERY: Final = 100
_STORIES_MAX: Final = 20


@app.command()
def sim(
    *,
    seed: Annotated[int, typer.Option(min=0, help="The first seed, or the only one.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, one after the other.")] = 1,
    profile: Annotated[
        str, typer.Option(help="Which faults: one of the profiles. [default: each seed draws its own]")
    ] = "",
    scenario: Annotated[
        str, typer.Option(metavar="FILE", help="Play this scenario under the faults of each seed, not drawn shops.")
    ] = "",
    host: Annotated[
        str, typer.Option(metavar="URL", help="Put a running host through the network part, in real time.")
    ] = "",
    key_card: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="With --host: a terminal, from poslab admin key-card; may be repeated."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, max=86_400, help="With --host: how long.")] = 30.0,
    timeout: Annotated[float, typer.Option(min=0.1, help="With --host: seconds to wait for a reply.")] = 2.0,
    state: Annotated[
        Path, typer.Option(metavar="FOLDER", help="With --host: where till-SERIAL, a device's memory, is kept.")
    ] = Path(),
    believe_declines: Annotated[
        bool, typer.Option("--believe-declines", help="With --host: believe a decline without a MAC.")
    ] = False,
    elsewhere: Annotated[
        bool, typer.Option("--elsewhere", help="Let --host be another machine: a test host of yours.")
    ] = False,
    shops: Annotated[int, typer.Option(min=1, max=20, help="At most how many shops a world has.")] = 2,
    intents: Annotated[int, typer.Option(min=1, max=10_000, help="How much a cashier does.")] = 14,
    shrink: Annotated[bool, typer.Option("--shrink", help="Make a failing seed small before it is told.")] = False,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="How many processes share the seeds.")] = 1,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the story, of one seed that passes too. [default: report/seed_N.html]"
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the totals in this file, and go on from there if it is there."),
    ] = None,
    any_version: Annotated[
        bool, typer.Option("--any-version", help="With --resume: go on though the code has changed since.")
    ] = False,
    require_all: Annotated[
        bool, typer.Option("--require-all", help="Fail where a kind of fault or a marker never came.")
    ] = False,
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Live whole worlds in virtual time under faults and hold both books against each other: 0 passed, 1 failed.

    A seed decides everything. The same seed is the same run, event by event, on every machine with this version of
    Python. A failing seed is told with the command that plays it again, and its story is written as a page: verdict,
    rows of both books, and a diagram of what happened. At most 20 stories are written.

    With --resume a run of days may be broken off, by Ctrl-C or by the plug, and is gone on with by the same command.

    \b
    Examples:
      poslab sim --seeds 500
      poslab sim --seed 1234 --profile network --shrink
      poslab sim --seed 1234 --html story.html
      poslab sim --seeds 200000 --jobs 2 --resume totals.json --require-all --json
      poslab sim --scenario my_case.yaml --seeds 500 --profile power
      poslab sim --host tcp://127.0.0.1:8583 --key-card card.json --profile network --seconds 60
    """
    from pos_lab.scenario.report.file import can_write_report
    from pos_lab.sim.profiles import PROFILES
    from pos_lab.sim.subject import Subject
    from pos_lab.sim.totals import Totals
    from pos_lab.sim.world import Scale

    if profile and profile not in PROFILES:
        raise typer.BadParameter(f"{profile!r} is none of {', '.join(PROFILES)}", param_hint="--profile")
    if host:
        drawn = {"--scenario": scenario, "--resume": resume, "--html": html, "--shrink": shrink}
        drawn |= {"--require-all": require_all, "--seeds": seeds > 1, "--jobs": jobs > 1}
        _refuse(drawn, "has no use beside --host, which is real time")
        cards = key_card or []
        asked_host = Asked(host, cards, profile, seed, seconds, timeout, state, elsewhere, believe_declines)
        try_host(asked_host, as_json=as_json)
    real = {"--key-card": key_card, "--elsewhere": elsewhere, "--believe-declines": believe_declines}
    _refuse(real, "goes with --host")
    for kept in filter(None, (html, resume)):
        can_write_report(kept)
    subject = Subject(Scale(shops, intents), _one_scenario(scenario))
    question = f"{profile} {subject.scale} {scenario}".strip()
    totals = Totals.load(resume, seed, question, any_version=any_version) if resume else Totals(seed, question)
    asked = partial(_result, profile=profile, subject=subject, whole=html is not None and seeds == 1)
    last, interrupted = None, False
    left = range(totals.next_seed, seed + seeds)
    try:
        with (
            interruptible() as interruption,
            _kept(totals, resume, interruption) as keep,
            closing(shared(asked, left, jobs, interruption)) as told,
        ):
            for last, processor_s in told:
                if not last.passed:
                    page = _page_of(last, html, one_of_many=seeds > 1) if len(totals.failures) < _STORIES_MAX else None
                    _tell(last, subject, interruption, shrink=shrink, as_json=as_json, page=page, lang=lang)
                elif html and seeds == 1:
                    _write(html, last, subject.command(last), lang)
                with interruption.held():
                    totals.add(last, processor_s)
                if totals.seeds % _TOLD_EVERY == 0:
                    keep()
                    _progress(totals, seeds, jobs)
    except KeyboardInterrupt:
        interrupted = True
    failed = bool(totals.failures) or (require_all and not interrupted and any(totals.missing()))
    figures = {"jobs": jobs, **totals.document(), "passed": not failed, "interrupted": interrupted}
    if last and seeds == 1 and not interrupted:
        figures |= {"digest": last.digest, "profile": last.profile}
    _tell_totals(figures, seeds, as_json=as_json, require_all=require_all and not interrupted)
    raise typer.Exit(Status.FAILED if failed else INTERRUPTED if interrupted else Status.DONE)


def _refuse(options: Mapping[str, object], why: str) -> None:
    """Raises BadParameter for the first of some options that was given."""
    if given := next((option for option, value in options.items() if value), ""):
        raise typer.BadParameter(why, param_hint=given)


@contextmanager
def _kept(totals: Totals, path: Path | None, interruption: Interruption) -> Iterator[Callable[[], None]]:
    """Totals that are in their file now and then, and at the end, also where that is an interruption."""
    began_s = perf_counter() - totals.lasted_s

    def keep() -> None:
        with interruption.held():
            totals.lasted_s = perf_counter() - began_s
            if path:
                totals.save(path)

    try:
        yield keep
    finally:
        keep()


def _progress(totals: Totals, seeds: int, jobs: int) -> None:
    if not sys.stderr.isatty():
        return
    left_s = (seeds - totals.seeds) * totals.lasted_s / totals.seeds
    typer.echo(
        f"\r{totals.seeds} of {seeds} seeds, {len(totals.failures)} failed, "
        f"{totals.seeds / totals.lasted_s * HOUR_S:.0f} an hour on {jobs}, {left_s / HOUR_S:.1f} h left ",
        err=True,
        nl=False,
    )


def _one_scenario(file: str) -> str:
    """The file, if it is a scenario without mistakes; raises ScenarioErrors."""
    if file:
        from host.policy import Policy
        from pos_lab.scenario.loader import load_scenario
        from pos_lab.scenario.steps import STEPS

        load_scenario(file, STEPS, Policy)
    return file


def _result(seed: int, *, profile: str, subject: Subject, whole: bool) -> Told:
    """One seed; of what passed, the events are kept only where the ``whole`` is to be told."""
    began_s = process_time()
    result = subject.live(seed, profile, whole=whole)
    if result.passed and not whole:
        result = replace(result, events=())
    return result, process_time() - began_s


def _page_of(result: Result, html: Path | None, *, one_of_many: bool) -> Path:
    """Where the story of a failing seed goes: each of many has a file of its own."""
    if html is None:
        return Path("report") / f"seed_{result.seed}.html"
    return html.with_name(f"{html.stem}_{result.seed}{html.suffix}") if one_of_many else html


def _write(page: Path, result: Result, command: str, lang: Lang, *, taken_out: int = 0) -> None:
    from pos_lab.scenario.report.file import write_report
    from pos_lab.sim.story_page import story_page

    write_report(page, story_page(result, command, lang.code, taken_out=taken_out))


def _tell(
    result: Result,
    subject: Subject,
    interruption: Interruption,
    *,
    shrink: bool,
    as_json: bool,
    page: Path | None,
    lang: Lang,
) -> None:
    from pos_lab.sim.shrink import shrink as made_small
    from pos_lab.sim.story import story

    command = subject.command(result)
    taken_out = 0
    if shrink:
        shrunk = made_small(result, subject, interruption.heed)
        taken_out, result = len(shrunk.suppressed), shrunk.result
        command += " --shrink"
    if page:
        _write(page, result, command, lang, taken_out=taken_out)
    if as_json:
        print_json(
            {
                "seed": result.seed,
                "profile": result.profile,
                "digest": result.digest,
                "passed": False,
                "violations": [{"id": row.id, "rule": row.rule, "finding": row.finding} for row in result.violations],
                "faults": list(result.faults),
                "intents": list(result.intents),
                "command": command,
                "story": str(page) if page else None,
            }
        )
        return
    typer.echo(f"seed {result.seed} ({result.profile}) FAILED" + (f", {taken_out} things taken out" if shrink else ""))
    for line in story(result, command):
        typer.echo(f"  {line}".rstrip())
    if page:
        typer.echo(f"  The story as a page: {page}")
    typer.echo("")


def _tell_totals(figures: dict[str, Any], seeds: int, *, as_json: bool, require_all: bool) -> None:
    """The last words; of few seeds what never came is told only where it makes them fail."""
    if as_json:
        print_json(figures)
        return
    if figures["interrupted"]:
        typer.echo(f"interrupted: these are the first {figures['seeds']} seeds of {seeds}")
    typer.echo(
        f"{figures['seeds']} seeds, {figures['failed']} failed: {figures['virtual_days']} days of business "
        f"in {figures['lasted_s']:.1f} s ({figures['seeds_per_hour']} seeds an hour on {figures['jobs']} of "
        f"{os.cpu_count()} cores, {figures['seeds_per_hour_per_core']} an hour of processor time)"
    )
    typer.echo(
        f"{figures['faults']} faults of {len(figures['kinds'])} kinds, {figures['faults_per_seed_median']} a seed; "
        + "cashiers were told "
        + ", ".join(f"{count} {name}" for name, count in figures["told"].items())
    )
    markers = ", ".join(f"{name} {count}" for name, count in figures["markers"].items())
    typer.echo(f"Sometimes: {markers or 'nothing of note'}")
    if figures["never"] and (require_all or figures["seeds"] >= _ENOUGH):
        typer.echo(f"{'FAILED, for these never came' if require_all else 'Never'}: {', '.join(figures['never'])}")
    if "digest" in figures:
        typer.echo(f"profile {figures['profile']}, event log {figures['digest']}")
