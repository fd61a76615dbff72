"""``poslab db``: the host's database as a whole: its schema, copies of it, and whether it holds together."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pos_lab.commands.host import DEFAULT_DATABASE, MasterKeyOption
from pos_lab.commands.output import JsonOption, Status, new_app, print_json

DatabaseOption = Annotated[str, typer.Option("--db", metavar="FILE|URL", help="SQLite file or postgresql://…")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace what is there.")]

app = new_app()


@app.callback()
def _db() -> None:
    """Look after a host's database.

    \b
    Examples:
      poslab db backup lab-monday.backup
      poslab db restore lab-monday.backup --db new.db
      poslab db restore lab-monday.backup --db postgresql://lab@db.example/lab
      poslab db check
    """


@app.command()
def upgrade(
    *, db: DatabaseOption = DEFAULT_DATABASE, master_key_file: MasterKeyOption = None, as_json: JsonOption = False
) -> None:
    """Bring a database that an earlier program made to the schema of this one; its rows stay. Make a backup before."""
    from host.store.database import upgrade_database
    from pos_lab.wall_clock import fresh_bytes

    before, after = upgrade_database(db, fresh_bytes, key_file=master_key_file)
    if as_json:
        print_json({"db": db, "before": before, "after": after})
    else:
        typer.echo(f"{db}: schema {after}" + (" already" if before == after else f", was {before}"))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes.")],
    *,
    db: DatabaseOption = DEFAULT_DATABASE,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Copy a database into one file while its hosts go on. The key file is not in it: keep a copy of that elsewhere."""
    from host.store.backup import backup as copy

    with _Progress("copied") as progress:
        copy(db, file, progress, force=force)
    size = file.stat().st_size
    if as_json:
        print_json({"db": db, "file": str(file), "bytes": size})
    else:
        typer.echo(f"{file}: {size} bytes; keep the key file too, without it the copy opens nothing")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What backup wrote.")],
    *,
    db: DatabaseOption = DEFAULT_DATABASE,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a database what a backup holds. Its host sells nothing until: poslab admin accept-books."""
    from host.store.backup import restore as bring_back

    with _Progress("restored") as progress:
        bring_back(db, file, progress, force=force)
    if as_json:
        print_json({"db": db, "file": str(file)})
    else:
        typer.echo(f"{db} is what {file} held; compare it with the terminals, then: poslab admin accept-books")


@app.command()
def check(
    *, db: DatabaseOption = DEFAULT_DATABASE, master_key_file: MasterKeyOption = None, as_json: JsonOption = False
) -> None:
    """Are its pages whole, does every row have its postings, do the accounts sum to zero, does the audit's chain hold?

    Exit status 1 where something is wrong.
    """
    from host.admin.acts import perform
    from host.store.database import open_store
    from host.store.examination import faults
    from pos_lab.wall_clock import fresh_bytes, wall_clock

    store = open_store(db, fresh_bytes, create=False, key_file=master_key_file)
    try:
        found = faults(store)
        ledger: dict[str, object] = perform(store, "verify", wall_clock()) if not found else {}
        audit: dict[str, object] = perform(store, "verify_audit", wall_clock()) if not found else {}
    finally:
        store.close()
    result = {"db": db, "pages": found, "ledger": ledger, "audit": audit}
    lines = [*found, *map(str, _rows(ledger, "violations")), *map(str, _rows(audit, "breaches"))]
    if as_json:
        print_json({**result, "whole": not lines})
    else:
        for line in lines:
            typer.echo(line)
        typer.echo(f"{db}: {len(lines)} faults" if lines else f"{db} is whole")
    if lines:
        raise typer.Exit(Status.FAILED)


def _rows(result: dict[str, object], name: str) -> list[object]:
    found = result.get(name, [])
    return found if isinstance(found, list) else []


class _Progress:
    """A line on standard error that counts up, where somebody looks at it."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._shown = -1

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self._shown >= 0:
            sys.stderr.write("\n")

    def __call__(self, done: int, total: int) -> None:
        percent = 100 * done // total if total else 100
        if percent != self._shown and sys.stderr.isatty():
            self._shown = percent
            sys.stderr.write(f"\r{self._what} {percent} %")
            sys.stderr.flush()
