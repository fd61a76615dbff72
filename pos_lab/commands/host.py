"""``poslab host``: the acquirer on its endpoints, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from pos_lab.commands.output import JsonOption, LangOption, new_app, print_json

DEFAULT_LISTEN: Final = "tcp://127.0.0.1:8583"
DEFAULT_DATABASE: Final = "poslab.db"

app = new_app()


@app.command()
def host(
    *,
    listen: Annotated[
        list[str] | None,
        typer.Option(
            "--listen", metavar="URL", help=f"Endpoint to serve; may be repeated. [default: {DEFAULT_LISTEN}]"
        ),
    ] = None,
    db: Annotated[
        str, typer.Option("--db", metavar="FILE", help="SQLite file, made where it is not there.")
    ] = DEFAULT_DATABASE,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="YAML with the figures to change.")
    ] = None,
    lab_clock: Annotated[bool, typer.Option("--lab-clock", help="Let administrators move the clock on.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Log only what goes wrong.")] = False,
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Run the acquirer host; requests and refusals are logged on standard error, one line each, masked.

    \b
    Examples:
      poslab host
      poslab host --listen tcp://127.0.0.1:8583 --listen "serial:///dev/ttyUSB0?baud=115200" --db lab.db
      poslab host --listen "tls://0.0.0.0:8583?cert=lab/host.pem&key=lab/host.key"
      poslab host --listen "tls://…&client_certificate=yes&ca=lab/ca.pem"    terminals must show theirs
      poslab host --lab-clock       then: poslab admin clock advance 90d
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING if quiet else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    asyncio.run(_serve(listen or [DEFAULT_LISTEN], db, policy, lab_clock=lab_clock, as_json=as_json, lang=lang.code))


async def _serve(listen: list[str], db: str, policy: Path | None, *, lab_clock: bool, as_json: bool, lang: str) -> None:
    from pos_lab.host_service import running_host
    from pos_lab.scenario.loader import load_mapping
    from pos_lab.scenario.policy import WrittenPolicy

    figures = load_mapping(str(policy), WrittenPolicy) if policy else WrittenPolicy()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with running_host(db, listen, figures.as_policy(), lab_clock=lab_clock) as running:
        if as_json:
            print_json({"listening": list(running.urls), "db": db, "lab_clock": lab_clock})
        else:
            for url in running.urls:
                typer.echo(f"监听 {url}" if lang == "zh" else f"listening on {url}")
            typer.echo(f"数据库 {db}，Ctrl-C 结束" if lang == "zh" else f"database {db}, Ctrl-C ends")
        sys.stdout.flush()
        await ended.wait()
