"""``poslab sim``: lives worlds under faults in virtual time, and says whether the books hold."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pos_lab.commands.output import JsonOption, Status, new_app, print_json

if TYPE_CHECKING:
    from pos_lab.sim.run import Result
    from pos_lab.sim.world import Scale

app = new_app()
_HOUR_S: Final = 3600.0
_TOLD_EVERY: Final = 100


@app.command()
def sim(
    *,
    seed: Annotated[int, typer.Option(min=0, help="The first seed, or the only one.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, one after the other.")] = 1,
    profile: Annotated[
        str, typer.Option(help="Which faults: one of the profiles. [default: each seed draws its own]")
    ] = "",
    shops: Annotated[int, typer.Option(min=1, max=20, help="At most how many shops a world has.")] = 2,
    intents: Annotated[int, typer.Option(min=1, max=10_000, help="How much a cashier does.")] = 20,
    shrink: Annotated[bool, typer.Option("--shrink", help="Make a failing seed small before it is told.")] = False,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="How many processes share the seeds.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Live whole worlds in virtual time under faults and hold both books against each other: 0 passed, 1 failed.

    A seed decides everything. The same seed is the same run, event by event, on every machine with this version of
    Python. A failing seed is told with the command that plays it again.

    \b
    Examples:
      poslab sim --seeds 500
      poslab sim --seed 1234 --profile network --shrink
      poslab sim --seeds 100000 --jobs 2 --json
    """
    from pos_lab.sim.profiles import PROFILES
    from pos_lab.sim.world import Scale

    if profile and profile not in PROFILES:
        raise typer.BadParameter(f"{profile!r} is none of {', '.join(PROFILES)}", param_hint="--profile")
    scale = Scale(shops, intents)
    began, failed = perf_counter(), list[Any]()
    figures = _Figures()
    for number, result in enumerate(_results(range(seed, seed + seeds), profile, scale, jobs), 1):
        figures.add(result)
        if not result.passed:
            failed.append(result)
            _tell(result, scale, shrink=shrink, as_json=as_json)
        if not as_json and number % _TOLD_EVERY == 0 and sys.stderr.isatty():
            typer.echo(f"\r{number} of {seeds} seeds, {len(failed)} failed", err=True, nl=False)
    lasted_s = perf_counter() - began
    figures.tell(lasted_s, jobs, as_json=as_json, last=result if seeds == 1 else None)
    raise typer.Exit(Status.FAILED if failed else Status.DONE)


def _results(seeds: range, profile: str, scale: Scale, jobs: int) -> Iterator[Result]:
    one = partial(_result, profile=profile, scale=scale)
    if jobs == 1:
        yield from map(one, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(one, seeds, chunksize=20)


def _result(seed: int, *, profile: str, scale: Scale) -> Result:
    """One seed; of what passed, the events are not kept."""
    from pos_lab.sim.run import run_seed

    result = run_seed(seed, profile, scale=scale)
    return replace(result, events=()) if result.passed else result


def _tell(result: Result, scale: Scale, *, shrink: bool, as_json: bool) -> None:
    from pos_lab.sim.shrink import shrink as made_small
    from pos_lab.sim.story import story

    command = f"poslab sim --seed {result.seed} --profile {result.profile}"
    command += f" --shops {scale.shops_max} --intents {scale.intents}"
    taken_out = 0
    if shrink:
        shrunk = made_small(result, scale)
        taken_out, result = len(shrunk.suppressed), shrunk.result
        command += " --shrink"
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
            }
        )
        return
    typer.echo(f"seed {result.seed} ({result.profile}) FAILED" + (f", {taken_out} things taken out" if shrink else ""))
    for line in story(result, command):
        typer.echo(f"  {line}".rstrip())
    typer.echo("")


class _Figures:
    """What a run of many seeds comes to."""

    def __init__(self) -> None:
        self.seeds = self.failed = 0
        self.virtual_s = 0.0
        self.faults: list[int] = []
        self.kinds: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self._began_s = process_time()

    def add(self, result: Result) -> None:
        """Count one seed."""
        self.seeds += 1
        self.failed += not result.passed
        self.virtual_s += result.virtual_s
        self.faults.append(len(result.faults))
        self.kinds.update(result.fired)
        self.told.update(result.results)

    def tell(self, lasted_s: float, jobs: int, *, as_json: bool, last: Result | None) -> None:
        """The last words."""
        document: dict[str, object] = {
            "passed": not self.failed,
            "seeds": self.seeds,
            "failed": self.failed,
            "lasted_s": round(lasted_s, 3),
            "seeds_per_hour": round(self.seeds / lasted_s * _HOUR_S),
            "jobs": jobs,
            "virtual_days": round(self.virtual_s / 86_400, 3),
            "faults": sum(self.faults),
            "faults_per_seed_median": median(self.faults),
            "kinds": dict(sorted(self.kinds.items())),
            "told": dict(sorted(self.told.items())),
            **({"digest": last.digest, "profile": last.profile} if last else {}),
        }
        if as_json:
            print_json(document)
            return
        typer.echo(
            f"{self.seeds} seeds, {self.failed} failed: {document['virtual_days']} days of business "
            f"in {lasted_s:.1f} s ({document['seeds_per_hour']} seeds an hour on {jobs} of {os.cpu_count()} cores)"
        )
        typer.echo(
            f"{document['faults']} faults of {len(self.kinds)} kinds, {document['faults_per_seed_median']} a seed; "
            + "cashiers were told "
            + ", ".join(f"{count} {name}" for name, count in sorted(self.told.items()))
        )
        if last:
            typer.echo(f"profile {last.profile}, event log {last.digest}")
