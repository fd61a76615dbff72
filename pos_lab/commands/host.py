"""``poslab host``: the acquirer on its endpoints, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from host.errors import HostError
from pos_lab.commands.output import JsonOption, LangOption, new_app, print_json

if TYPE_CHECKING:
    from host.store.database import Store
    from pos_lab.host_service import ApiSetting

log = logging.getLogger("poslab.host")

MasterKeyOption = Annotated[
    Path | None,
    typer.Option(
        "--master-key-file", metavar="FILE", help="The master key; the setting POSLAB_MASTER_KEY (hex) goes before it."
    ),
]
SWITCH_S: Final = 0.02
"""How long the loop and the writer leave each other alone: both let go often, at every call of the system."""
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
        str, typer.Option("--db", metavar="FILE|URL", help="SQLite file, made where it is not there, or postgresql://…")
    ] = DEFAULT_DATABASE,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="YAML with rules to change; SIGHUP reads it again."),
    ] = None,
    lab_clock: Annotated[bool, typer.Option("--lab-clock", help="Let administrators move the clock on.")] = False,
    api: Annotated[
        str,
        typer.Option("--api", metavar="HOST:PORT", help="Serve the REST API, health and metrics; port 0 takes any."),
    ] = "",
    api_public: Annotated[
        bool, typer.Option("--api-public", help="Let the API be reached from other machines; needs a token.")
    ] = False,
    master_key_file: MasterKeyOption = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, help="Processes on one port; more than one need PostgreSQL.")
    ] = 1,
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True)] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Log only what goes wrong.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log one JSON document a line.")] = False,
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Run the acquirer host; requests and refusals are logged on standard error, one line each, masked.

    \b
    Examples:
      poslab host
      poslab host --listen tcp://127.0.0.1:8583 --listen "serial:///dev/ttyUSB0?baud=115200" --db lab.db
      poslab host --db postgresql://lab@db.example/lab --workers 4
      poslab host --listen "tls://0.0.0.0:8583?cert=lab/host.pem&key=lab/host.key"
      poslab host --listen "tls://…&client_certificate=yes&ca=lab/ca.pem"    terminals must show theirs
      poslab host --lab-clock       then: poslab admin clock advance 90d
      poslab host --policy rules.yaml       then: kill -HUP PID
      poslab host --api 127.0.0.1:8080      then: poslab admin token create li operator
    """
    from pos_lab.host_service import ApiSetting
    from pos_lab.logs import to_stderr

    setting = ApiSetting(api, api_public) if api else None
    running = partial(_serve, listen or [DEFAULT_LISTEN], db, policy, key_file=master_key_file, api=setting)
    with to_stderr(quiet=quiet, as_json=log_json):
        if workers > 1:
            first = ["--api", api, *(["--api-public"] if api_public else [])] if api else []
            serving = partial(_serve_many, workers, listen or [DEFAULT_LISTEN], db, first)
            asyncio.run(serving(as_json=as_json, lang=lang.code, until_eof=until_eof))
        else:
            asyncio.run(running(lab_clock=lab_clock, as_json=as_json, lang=lang.code, until_eof=until_eof))


async def _serve(
    listen: list[str],
    db: str,
    policy: Path | None,
    *,
    key_file: Path | None,
    api: ApiSetting | None,
    lab_clock: bool,
    as_json: bool,
    lang: str,
    until_eof: bool,
) -> None:
    from pos_lab.host_service import running_host
    from pos_lab.policy_file import load_policy

    figures = load_policy(str(policy)) if policy else None
    sys.setswitchinterval(SWITCH_S)
    ended = told_to_end(until_eof=until_eof)
    async with running_host(db, listen, figures, lab_clock=lab_clock, key_file=key_file, api=api) as running:
        if policy:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload, running.store, policy)
        if as_json:
            print_json({"listening": list(running.urls), "db": db, "lab_clock": lab_clock, "api": running.api_url})
        else:
            for url in running.urls:
                typer.echo(f"监听 {url}" if lang == "zh" else f"listening on {url}")
            if running.api_url:
                typer.echo(f"管理接口 {running.api_url}" if lang == "zh" else f"API on {running.api_url}")
            typer.echo(f"数据库 {db}，Ctrl-C 结束" if lang == "zh" else f"database {db}, Ctrl-C ends")
        sys.stdout.flush()
        await ended.wait()


def _reload(store: Store, policy: Path) -> None:
    """Take a changed policy file over; one with a mistake changes nothing."""
    from pos_lab.host_service import publish
    from pos_lab.policy_file import load_policy
    from pos_lab.scenario.errors import ScenarioErrors

    try:
        log.info("policy %s: version %d", policy, publish(store, load_policy(str(policy))))
    except (ScenarioErrors, HostError) as error:
        log.error("policy %s is not taken over: %s", policy, error)


async def _serve_many(
    count: int, listen: list[str], db: str, first: list[str], *, as_json: bool, lang: str, until_eof: bool
) -> None:
    from host.errors import StoreError
    from host.store.database import backend_of
    from pos_lab.host_workers import Workers, common

    if not backend_of(db).is_shared:
        raise StoreError(f"{db} can have one host only", hint="several workers need --db postgresql://…")
    ended = told_to_end(until_eof=until_eof)
    workers = Workers(count, listen, common(sys.argv[2:]), first)
    await workers.start()
    try:
        if as_json:
            print_json({**workers.told, "workers": workers.pids})
        else:
            for url in workers.told["listening"]:
                typer.echo(f"{count} 个进程监听 {url}" if lang == "zh" else f"{count} processes listening on {url}")
            typer.echo("Ctrl-C 结束全部" if lang == "zh" else "Ctrl-C ends them all")
        sys.stdout.flush()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, workers.reload)
        await ended.wait()
    finally:
        await workers.stop()


def told_to_end(*, until_eof: bool) -> asyncio.Event:
    """Set by SIGINT and SIGTERM, and where asked for by the end of standard input."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    if until_eof:
        _at_eof(ended)
    return ended


def _at_eof(ended: asyncio.Event) -> None:
    """Set by the end of standard input: whoever started this process is gone."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            ended.set()

    loop.add_reader(sys.stdin.fileno(), read)
