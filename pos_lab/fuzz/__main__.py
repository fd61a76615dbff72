"""``python -m pos_lab.fuzz``: makes wrong input for the wire's readers until one of them does not do as it should."""

from __future__ import annotations

import resource
import sys
from enum import StrEnum
from time import perf_counter
from typing import Annotated, Final

import typer

from pos_lab.commands.output import Status, new_app
from pos_lab.fuzz.campaign import Finding, campaign

PROGRESS_EVERY_S: Final = 5.0
_MAXRSS_PER_MIB: Final = 1024 * 1024 if sys.platform == "darwin" else 1024

app = new_app(no_args_is_help=False)


class Target(StrEnum):
    """Names of TARGETS, and all of them in turn."""

    CODEC = "codec"
    FRAMING = "framing"
    TLV = "tlv"
    JBIG = "jbig"
    DOCUMENT = "document"
    ALL = "all"


@app.command()
def fuzz(
    *,
    runs: Annotated[int, typer.Option("--runs", min=1, help="How many inputs.")] = 100_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the first run; run n has this plus n.")] = 1,
    target: Annotated[Target, typer.Option("--target", help="What to fuzz.")] = Target.ALL,
) -> None:
    """Fuzz the codec, the framers, chip data, signature images and the JSON document.

    \b
    Example:
      python -m pos_lab.fuzz --runs 100000 --seed 1 --target codec
    """
    began = told = perf_counter()
    done = read = 0
    try:
        for ran in campaign(target.value, seed, runs):
            done += 1
            read += ran.was_read
            if ran.finding:
                _tell(ran.finding)
                raise typer.Exit(Status.FAILED)
            if perf_counter() - told > PROGRESS_EVERY_S:
                told = perf_counter()
                typer.echo(_progress(done, read, told - began), err=True)
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
    typer.echo(_progress(done, read, perf_counter() - began))


def _progress(done: int, read: int, took_s: float) -> str:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MAXRSS_PER_MIB
    return f"{done:,} runs, {done / took_s:,.0f} a second, {read:,} read, peak memory {peak:.1f} MiB, no findings"


def _tell(finding: Finding) -> None:
    about = f" ({finding.about})" if finding.about else ""
    typer.echo(f"{finding.target}{about}: {finding.what}")
    typer.echo(f"input: {finding.data.hex().upper()}")
    typer.echo(f"again: python -m pos_lab.fuzz --target {finding.target} --seed {finding.seed} --runs 1")


if __name__ == "__main__":
    app(prog_name="python -m pos_lab.fuzz")
