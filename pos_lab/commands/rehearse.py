"""``poslab rehearse``: plays a retirement campaign over a simulated fleet before anybody is told of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pos_lab.commands.output import JsonOption, LangOption, Status, new_app, print_json

if TYPE_CHECKING:
    from pos_lab.rehearsal.plan import Rehearsal

app = new_app(no_args_is_help=False)


@app.command()
def rehearse(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CAMPAIGN.yaml] [MODELS.csv ...]",
            show_default=False,
            help="What is rehearsed, and lists of models. Without any: the 196 models that come with the program.",
        ),
    ] = None,
    *,
    terminals: Annotated[int | None, typer.Option(min=1, max=100_000, help="How large the fleet is.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3_650, help="How many days are played.")] = None,
    on_wire: Annotated[
        int | None, typer.Option(min=0, max=100_000, help="How many terminals really sell; the rest is rows.")
    ] = None,
    sales: Annotated[int | None, typer.Option(min=0, max=1_000, help="Sales a day of each that sells.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides what merchants do; the same seed, the same bytes.")] = 0,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a report with plots, one file.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--csv", metavar="FOLDER", help="Write every figure as CSV files into a folder.")
    ] = None,
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Rehearse the retirement of a list of models: 0 where every check holds, 1 where one does not, its rows named.

    The host is the real one, in virtual time: it plans, notifies, suspends, stops, swaps and pays. Some terminals sell
    over the wire; all are told, and come to their appointments or not, as their merchants are.

    \b
    Examples:
      poslab rehearse
      poslab rehearse models.csv --terminals 10000 --days 120 --html report.html
      poslab rehearse campaign.yaml --seed 7 --csv figures --json

    \b
    A campaign.yaml, every key of which may be left out:
      rehearsal: 停用老旧机型
      models: [models.csv]
      begins: 2026-03-02
      days: 90
      course: {stop: 80d, grace: 7d, suspend: 3d, waves: 4, capacity: 5, exempt: 0.02}
      fleet: {terminals: 100, on_wire: 100, sales: 3, others: 0.1, per_merchant: 3}
      behaviours:
        - {name: punctual, share: 70, reads: 0.95, comes: 0.97, again: 3d, wakes: 1d}
        - {name: never reads, share: 25, reads: 0, wakes: 2d}
        - {name: closed down, share: 5, reads: 0, sells: no, loses: 0.25}
      policy: {notices: {quiet_begins: "20:00"}, retirement: {window_begins: "14:00"}}
    """
    from pos_lab.rehearsal.html import html_report
    from pos_lab.rehearsal.plan import load_list
    from pos_lab.rehearsal.result import rehearse as play
    from pos_lab.rehearsal.result import tables
    from pos_lab.rehearsal.text import told
    from pos_lab.scenario.report.file import can_write_report, write_report

    rehearsal, lists = _read(files or [])
    changes = {"terminals": terminals, "on_wire": on_wire, "sales": sales}
    fleet = rehearsal.fleet.model_copy(update={name: value for name, value in changes.items() if value is not None})
    rehearsal = rehearsal.model_copy(update={"fleet": fleet, **({"days": days} if days else {})})
    models = load_list(lists)
    for report in filter(None, (html, folder and folder / "summary.csv")):
        can_write_report(report)
    outcome = play(rehearsal, models, seed, _progress(rehearsal.days, as_json=as_json))
    if html:
        write_report(html, html_report(outcome.document, lang.code))
    if folder:
        for name, content in tables(outcome.document).items():
            write_report(folder / name, content)
    if as_json:
        print_json(outcome.document)
    else:
        for line in told(outcome.document, lang.code):
            typer.echo(line)
        for written in filter(None, (html, folder)):
            typer.echo(str(written))
    raise typer.Exit(Status.DONE if outcome.passed else Status.FAILED)


def _read(files: list[str]) -> tuple[Rehearsal, tuple[str, ...]]:
    """The rehearsal of the one YAML file, and the lists: those of the command line, else those that it names."""
    from pos_lab.rehearsal.plan import Rehearsal, lists_of, load_rehearsal
    from pos_lab.scenario.files import SUFFIXES

    described = [file for file in files if Path(file).suffix in SUFFIXES]
    lists = tuple(file for file in files if file not in described)
    if len(described) > 1:
        raise typer.BadParameter(f"{described[1]} is a second campaign: one is rehearsed at a time", param_hint="FILE")
    if not described:
        return Rehearsal(), lists
    rehearsal = load_rehearsal(described[0])
    return rehearsal, lists or lists_of(described[0], rehearsal)


def _progress(days: int, *, as_json: bool) -> Any:
    """Tells people at a terminal how far it is, on standard error."""
    if as_json or not sys.stderr.isatty():
        return lambda number: None

    def told(number: int) -> None:
        end = "\n" if number == days else ""
        typer.echo(f"\rday {number} of {days}{end}", err=True, nl=False)

    return told
