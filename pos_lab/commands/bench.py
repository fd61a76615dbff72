"""``poslab bench``: paired figures, as text or JSON."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from pos_lab.commands.output import JsonOption, new_app, print_json

if TYPE_CHECKING:
    from pos_lab.bench.paired import Row

app = new_app()


class Subject(StrEnum):
    """What may be measured."""

    CAMPAIGN = "campaign"
    CODEC = "codec"
    CRYPTO = "crypto"
    HOST = "host"
    STORE = "store"
    TLS = "tls"


@app.command()
def bench(
    subjects: Annotated[
        list[Subject], typer.Argument(metavar="SUBJECT...", help="campaign, codec, crypto, host, store, tls.")
    ],
    *,
    db: Annotated[
        str, typer.Option("--db", metavar="URL", help="An empty database for host and store, instead of a new file.")
    ] = "",
    ledger: Annotated[
        float, typer.Option("--ledger", min=0, max=1e9, help="Rows in the host's ledger before, such as 1e6.")
    ] = 0,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Host processes on one port.")] = 1,
    connections: Annotated[
        list[int] | None, typer.Option("--connections", min=1, max=9000, help="May be repeated. [default: 50, 1000]")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure ours and its peers in turn, in one run; the ratio is how many times better ours is.

    \b
    Examples:
      poslab bench codec crypto tls
      poslab bench campaign --json
      poslab bench host --ledger 1e6
      poslab bench host store --db postgresql://lab@localhost/bench --workers 2
    """
    measures = _measures(db, int(ledger), workers, connections)
    rows: list[Row] = []
    for subject in subjects:
        measured = measures[subject]()
        rows += measured
        if not as_json:
            _tell(measured)
    if as_json:
        machine = {"python": platform.python_version(), "cores": os.cpu_count()}
        print_json({"machine": machine, "benchmarks": [row.document() for row in rows]})


def _tell(rows: Sequence[Row]) -> None:
    """The figures of one subject, as soon as they are there: others may take minutes."""
    for row in rows:
        typer.echo(f"{row.name:24} {row.ours.median:10.2f} {row.unit:6} ({row.ours.least:.2f} to {row.ours.most:.2f})")
        for name, peer in row.peers.items():
            typer.echo(f"  {name:22} {peer.median:10.2f} {row.unit:6} ours is {row.ratio[name]} times as good")
    sys.stdout.flush()


def _measures(
    db: str, ledger: int, workers: int, connections: list[int] | None
) -> Mapping[Subject, Callable[[], list[Row]]]:
    from pos_lab.bench.acquirer import CONNECTIONS, Setting, host
    from pos_lab.bench.campaign import campaign
    from pos_lab.bench.secured import tls
    from pos_lab.bench.store import store
    from pos_lab.bench.wire import codec, crypto

    setting = Setting(db, ledger, workers, connections or CONNECTIONS)
    return {
        Subject.CAMPAIGN: campaign,
        Subject.CODEC: codec,
        Subject.CRYPTO: crypto,
        Subject.HOST: lambda: host(setting),
        Subject.STORE: lambda: store(db),
        Subject.TLS: tls,
    }
