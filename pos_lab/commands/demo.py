"""``poslab demo``: the main job on embedded defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pos_lab.commands.output import JsonOption, LangOption, new_app

app = new_app()


@app.command()
def demo(
    *,
    html: Annotated[Path, typer.Option(metavar="FILE", help="Where the report goes.")] = Path("report/first_life.html"),
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Play one terminal's whole life, from order to retirement, over TCP against a host process of its own.

    \b
    Example:
      poslab demo --lang zh
    """
    from pos_lab.commands.run import play
    from pos_lab.scenario.files import FIRST_LIFE, shipped
    from pos_lab.world import Over

    play([str(shipped(FIRST_LIFE))], over=Over.PROCESS, html=html, as_json=as_json, lang=lang)
