"""``python -m pos_lab.handbook``: writes docs/reference and docs/features.md; ``--check`` names the stale pages."""

from __future__ import annotations

from os.path import normpath
from typing import Annotated

import typer

from pos_lab.commands.output import Status, new_app
from pos_lab.handbook.folder import refresh, stale
from pos_lab.handbook.pages import reference

app = new_app(no_args_is_help=False)


@app.command()
def handbook(
    *, check: Annotated[bool, typer.Option("--check", help="Write nothing; status 1 names the stale pages.")] = False
) -> None:
    """Write docs/reference from the tables, and docs/features.md from marks and scenarios.

    \b
    Example:
      python -m pos_lab.handbook --check
    """
    pages = reference()
    changed = stale(pages) if check else refresh(pages)
    for name in changed:
        typer.echo(f"{normpath(f'docs/reference/{name}')}: {'stale' if check else 'written'}")
    raise typer.Exit(Status.FAILED if check and changed else Status.DONE)


if __name__ == "__main__":
    app(prog_name="python -m pos_lab.handbook")
