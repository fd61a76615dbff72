"""``poslab soak``: real processes, killed again and again while shops sell, and their books examined at the end."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pos_lab.commands.output import JsonOption, Lang, LangOption, Status, new_app, print_json

if TYPE_CHECKING:
    from pos_lab.soak.report import Report
    from pos_lab.soak.shops import Setting

app = new_app()


@app.command()
def soak(
    *,
    kills: Annotated[int, typer.Option(min=0, max=100_000, help="How often a process is killed.")] = 20,
    db: Annotated[
        str,
        typer.Option(
            "--db", metavar="FILE|URL", help="A new SQLite file or an empty postgresql://… [default: a file of its own]"
        ),
    ] = "",
    hosts: Annotated[int, typer.Option(min=1, max=16, help="Host processes; several need PostgreSQL.")] = 1,
    terminals: Annotated[int, typer.Option(min=1, max=50, help="Terminal processes.")] = 3,
    tls: Annotated[bool, typer.Option("--tls", help="Encrypt the lines, with certificates at both ends.")] = False,
    serial: Annotated[bool, typer.Option("--serial", help="Noisy serial cables instead of a network.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="What is sold and who is killed; the machine decides when.")] = 0,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep database, journals and logs in this new folder.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Sell at real terminals in front of real hosts, kill both with SIGKILL at every bad moment, and hold the books
    against each other, the wire, and what cashiers were told: 0 passed, 1 failed.

    The examiner is the one of poslab sim. Without --keep nothing is left behind, also after Ctrl-C; a database of a
    server is emptied again.

    \b
    Examples:
      poslab soak --kills 200
      poslab soak --kills 200 --db postgresql://lab@localhost/soak --hosts 2
      poslab soak --kills 50 --serial --keep evidence
      poslab soak --kills 50 --tls --terminals 10 --json
    """
    from host.store.database import backend_of
    from pos_lab.soak.shops import Setting, files_of

    is_shared = bool(db) and backend_of(db).is_shared
    if hosts > 1 and not is_shared:
        raise typer.BadParameter("several need --db postgresql://…", param_hint="--hosts")
    if serial and (hosts > 1 or tls):
        raise typer.BadParameter("a cable leads to one host, and is not encrypted", param_hint="--serial")
    database = Path() if is_shared or not db else Path(db.removeprefix("sqlite:///"))
    if database.name and (used := files_of(database)):
        raise typer.BadParameter(f"{used[0]} is there already: name a file beside which nothing is", param_hint="--db")
    if database.name and not database.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {database.parent}", param_hint="--db")
    if keep and keep.exists() and not keep.is_dir():
        raise typer.BadParameter(f"{keep} is a file: name a new folder", param_hint="--keep")
    if keep and keep.exists() and any(keep.iterdir()):
        raise typer.BadParameter(f"{keep} is not empty", param_hint="--keep")
    setting = Setting(
        Path(),
        kills,
        seed,
        database=database,
        db=db if is_shared else "",
        hosts=hosts,
        terminals=terminals,
        tls=tls,
        serial=serial,
    )
    report = asyncio.run(_live(setting, keep, lang, as_json=as_json))
    if as_json:
        print_json(report.document())
    else:
        from pos_lab.soak.wording import said

        kept = [said("evidence", lang.code, folder=keep)] if keep else []
        typer.echo("\n".join([*report.lines(lang.code), *kept]))
    raise typer.Exit(Status.DONE if report.passed else Status.FAILED)


@contextmanager
def _place(keep: Path | None, database: Path) -> Iterator[Path]:
    """The folder of a soak, which goes again with the database beside it unless both are to be kept."""
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    from pos_lab.soak.shops import files_of

    place = Path(tempfile.mkdtemp(prefix="poslab-soak-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if database.name:
            for left in files_of(database):
                left.unlink(missing_ok=True)


async def _live(setting: Setting, keep: Path | None, lang: Lang, *, as_json: bool) -> Report:
    """Live it in a folder of its own, which is made once a signal can no longer end this process before it goes."""
    from pos_lab.soak.soak import Soak
    from pos_lab.soak.wording import said

    def tell(kill: int) -> None:
        if not as_json and sys.stderr.isatty():
            told = said("progress", lang.code, kill=kill, kills=setting.kills, found=len(soaking.found))
            typer.echo(f"\r{told}", err=True, nl=False)
            if kill == setting.kills:
                typer.echo("", err=True)

    living = asyncio.current_task()
    assert living
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, living.cancel)
    with _place(keep, setting.database) as place:
        database = setting.database if setting.database.name else place / "host.db"
        soaking = Soak(replace(setting, place=place, database=database))
        try:
            return await soaking.run(tell)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
