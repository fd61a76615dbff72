"""``poslab bench``: paired figures, as text or JSON."""

from __future__ import annotations

import os
import platform
from enum import StrEnum
from typing import Annotated

import typer

from pos_lab.commands.output import JsonOption, new_app, print_json

app = new_app()


class Subject(StrEnum):
    """What may be measured."""

    CODEC = "codec"
    CRYPTO = "crypto"
    HOST = "host"
    TLS = "tls"


@app.command()
def bench(
    subjects: Annotated[list[Subject], typer.Argument(metavar="SUBJECT...", help="codec, crypto, host, tls.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Measure ours and its peers in turn, in one run; the ratio is how many times better ours is.

    \b
    Example:
      poslab bench codec crypto
    """
    from pos_lab.bench.acquirer import host
    from pos_lab.bench.secured import tls
    from pos_lab.bench.wire import codec, crypto

    measures = {Subject.CODEC: codec, Subject.CRYPTO: crypto, Subject.HOST: host, Subject.TLS: tls}
    rows = [row for subject in subjects for row in measures[subject]()]
    if as_json:
        machine = {"python": platform.python_version(), "cores": os.cpu_count()}
        print_json({"machine": machine, "benchmarks": [row.document() for row in rows]})
        return
    for row in rows:
        typer.echo(f"{row.name:20} {row.ours.median:10.2f} {row.unit:6} ({row.ours.least:.2f} to {row.ours.most:.2f})")
        for name, peer in row.peers.items():
            typer.echo(f"  {name:18} {peer.median:10.2f} {row.unit:6} ours is {row.ratio[name]} times as good")
