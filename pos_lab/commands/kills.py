"""``poslab run --kill-at``: the kill-anywhere matrix, told as it grows and kept when it is interrupted."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import typer

from pos_lab.commands.jobs import INTERRUPTED, interruptible, shared
from pos_lab.commands.output import Status, print_json

if TYPE_CHECKING:
    from pos_lab.sim.kills import Kill, Row

EVERY: Final = "every"


@dataclass(frozen=True, slots=True)
class Cuts:
    """Which cuts: ``at`` every point or the one with this name, of ``victims``, and whether a second one follows."""

    at: str
    victims: str
    pairs: bool
    jobs: int


def kill_matrix(
    files: Sequence[str],
    cuts: Cuts,
    seed: int,
    *,
    csv: Path | None,
    html: Path | None,
    as_json: bool,
    language: Literal["zh", "en"],
) -> None:
    """Play a scenario with every cut, tell the table, and leave with 1 where an invariant does not hold."""
    from pos_lab.scenario.files import scenario_files
    from pos_lab.scenario.report.file import can_write_report, write_report
    from pos_lab.sim import matrix
    from pos_lab.sim.kills import kills_of, named, played, points_of

    names = scenario_files(files)
    if len(names) != 1 or names[0] == "-":
        raise typer.BadParameter("takes one scenario in a file", param_hint="--kill-at")
    _refuse_faults(names[0])
    for report in filter(None, (csv, html)):
        can_write_report(report)
    file, points = names[0], points_of(names[0], seed)
    rows: list[Row] = []
    interrupted = False
    if cuts.at == EVERY:
        chosen = kills_of(points, cuts.victims)
        try:
            one = partial(_of_kill, file, seed, cuts.victims if cuts.pairs else "")
            with interruptible() as interruption, closing(shared(one, chosen, cuts.jobs, interruption)) as told:
                for number, found in enumerate(told, 1):
                    rows += found
                    _progress(number, len(chosen), rows, language)
        except KeyboardInterrupt:
            interrupted = True
        total = len(chosen)
    else:
        try:
            first, _, second = cuts.at.partition("+")
            kill = named(points, first)
            _, recovery = played(file, seed, kill)
            other = next((one for one in kills_of(recovery, "both") if one.name == second), None)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--kill-at") from None
        if second and other is None:
            raise typer.BadParameter(f"{second} does not follow {first}", param_hint="--kill-at")
        rows.append(played(file, seed, kill, other)[0])
        total = 1
    if csv:
        write_report(csv, matrix.as_csv(rows))
    if html:
        write_report(html, matrix.as_html(file, rows, language))
    if as_json:
        print_json({**matrix.document(file, seed, rows, cuts=total), "interrupted": interrupted})
    else:
        _tell(file, seed, rows, total, language, interrupted=interrupted)
    failed = any(row.violations for row in rows)
    raise typer.Exit(Status.FAILED if failed else INTERRUPTED if interrupted else Status.DONE)


def _refuse_faults(file: str) -> None:
    """A cut is the only fault of its play; raises ScenarioErrors where the scenario states others."""
    from host.policy import Policy
    from pos_lab.scenario.errors import ScenarioError, ScenarioErrors
    from pos_lab.scenario.loader import load_scenario
    from pos_lab.scenario.steps import STEPS

    stated: Sequence[Any] = load_scenario(file, STEPS, Policy).all_faults
    if stated:
        told, hint = "faults: do not happen beside --kill-at", "play a copy without them"
        raise ScenarioErrors([ScenarioError(file, stated[0].line, 1, "faults", told, hint)])


def _of_kill(file: str, seed: int, second_victims: str, kill: Kill) -> list[Row]:
    from pos_lab.sim.kills import pairs_of, played

    return list(pairs_of(file, seed, kill, second_victims)) if second_victims else [played(file, seed, kill)[0]]


def _progress(number: int, total: int, rows: Sequence[Row], language: Literal["zh", "en"]) -> None:
    if sys.stderr.isatty():
        from pos_lab.sim.wording import said

        failed = sum(1 for row in rows if row.violations)
        told = said("progress", language, number=number, total=total, failed=failed, played=len(rows))
        end = "\n" if number == total else ""
        typer.echo(f"\r{told}{end}", err=True, nl=False)


def _tell(
    file: str, seed: int, rows: Sequence[Row], total: int, language: Literal["zh", "en"], *, interrupted: bool
) -> None:
    from pos_lab.sim import matrix
    from pos_lab.sim.wording import said

    for line in matrix.text(rows, language):
        typer.echo(line)
    failed = [row for row in rows if row.violations]
    typer.echo("")
    if interrupted:
        typer.echo(said("interrupted", language, played=len(rows), total=total))
    typer.echo(said("sum", language, played=len(rows), total=total, failed=len(failed)))
    for row in failed[:10]:
        found = row.violations[0]
        typer.echo("  " + said("finding", language, id=found.id, rule=found.rule, finding=found.finding))
        command = f"poslab run {file} --virtual --seed {seed} --kill-at {row.name}"
        typer.echo("    " + said("again", language, command=command))
