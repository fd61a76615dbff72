"""``poslab drill``: an emergency stop, with the power going at every point of it, and a timer."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Final

import typer

from firmware_sim.network import NETWORKS, find_network
from pos_lab.commands.output import JsonOption, Lang, LangOption, Status, new_app, print_json

if TYPE_CHECKING:
    from pos_lab.drill import Report, Run

app = new_app()
_TOLD_EVERY: Final = 10


@app.command()
def drill(
    *,
    every: Annotated[
        bool, typer.Option("--every", help="Cut at every operation of every chip, too: some minutes.")
    ] = False,
    limit: Annotated[float, typer.Option(min=0.1, help="Seconds from the order to the wiped device, at most.")] = 60.0,
    network: Annotated[str, typer.Option(help=f"What the line goes through: {', '.join(NETWORKS)}.")] = "direct",
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Drill an emergency stop: stop, acknowledge, settle, hand over, wipe; exit status 1 where a run fails.

    A shop is stopped with a batch open and a reversal pending. It is lived once to learn the points of the protocol,
    then once for each of them with the power of the terminal going there. Nothing may be captured after the order, all
    that was sold before it must be settled, both books must agree, the device must be wiped, and all that in time.

    \b
    Examples:
      poslab drill
      poslab drill --every --limit 10 --json
      poslab drill --network gprs --limit 120
    """
    from pos_lab.drill import drill as run_drill

    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="poslab: %(message)s")
    told = 0

    def tell(run: Run, due: int) -> None:
        nonlocal told
        told += 1
        if not as_json and told % _TOLD_EVERY == 0 and sys.stderr.isatty():
            typer.echo(f"\r{told} / {due}", err=True, nl=False)

    with TemporaryDirectory() as directory:
        way = find_network(network)
        report = asyncio.run(run_drill(Path(directory), every=every, network=way, limit_s=limit, on_run=tell))
    _tell_program(report) if as_json else _tell_people(report, lang)
    raise typer.Exit(Status.DONE if report.passed else Status.FAILED)


def _tell_program(report: Report) -> None:
    from pos_lab.drill import STAGES

    print_json(
        {
            "passed": report.passed,
            "points": len(report.points),
            "cuts": len(report.runs) - 1,
            "limit_s": report.limit_s,
            "worst_s": round(max(run.lasted_s for run in report.runs), 3),
            "stages": [
                {"stage": row.name, "zh": row.chinese, "en": row.english, "worst_s": round(report.worst_s(row.name), 3)}
                for row in STAGES
            ],
            "failed": [
                {
                    "point": run.point,
                    "number": run.number,
                    "phase": run.phase,
                    "finding": run.finding or "too slow",
                    "lasted_s": round(run.lasted_s, 3),
                }
                for run in report.failed
            ],
            "violations": list(report.violations),
        }
    )


def _tell_people(report: Report, lang: Lang) -> None:
    from pos_lab.drill import STAGES

    zh, cuts = lang is Lang.ZH, len(report.runs) - 1
    typer.echo(
        f"紧急停用演练：{len(report.points)}个点，断电{cuts}次"
        if zh
        else f"emergency stop: {len(report.points)} points, {cuts} power cuts"
    )
    for stage in STAGES:
        typer.echo(f"  {report.worst_s(stage.name):7.3f} s  {stage.chinese if zh else stage.english}")
    for run in report.failed:
        said = run.finding or ("超时" if zh else "too slow")
        typer.echo(f"  ✗ {run.phase} {run.point} {run.number}: {said} ({run.lasted_s:.3f} s)")
    for violation in report.violations:
        typer.echo(f"  ✗ {violation}")
    verdict = ("通过" if report.passed else "未通过") if zh else ("passed" if report.passed else "failed")
    worst_s = max(run.lasted_s for run in report.runs)
    typer.echo(f"结论：{verdict}，最长{worst_s:.3f}秒，限{report.limit_s:g}秒" if zh
               else f"verdict: {verdict}, {worst_s:.3f} s at worst, limit {report.limit_s:g} s")  # fmt: skip
