"""``poslab dissector``: the field table as a Wireshark dissector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pos_lab.commands.output import DialectOption, UnmaskOption, new_app
from pos_lab.dissector import lua_of
from protocol.dialect import CUP
from protocol.dialects import DIALECTS

app = new_app(no_args_is_help=False)


@app.command()
def dissector(
    out: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The Lua file; without it, standard output.")
    ] = None,
    *,
    dialect: DialectOption = CUP.name,
    unmask: UnmaskOption = False,
) -> None:
    """Write a Wireshark dissector in Lua, made from the field table of a dialect.

    \b
    Example:
      poslab dissector poslab.lua && tshark -X lua_script:poslab.lua -r messages.pcapng -V
    """
    text = lua_of(DIALECTS[dialect], unmask=unmask)
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        typer.echo(text, nl=False)
