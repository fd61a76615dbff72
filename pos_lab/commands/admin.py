"""``poslab admin``: every administrative act of the host as a command, made from TABLE ACTS and the signatures."""

from __future__ import annotations

import inspect
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from host.admin.acts import ACTS, perform
from host.errors import AdminError
from pos_lab.commands.host import DEFAULT_DATABASE
from pos_lab.commands.output import UnmaskOption, new_app, print_json
from pos_lab.wall_clock import fresh_bytes, wall_clock

DatabaseOption = Annotated[str, typer.Option("--db", metavar="FILE", help="The host's database; it may be running.")]
ActorOption = Annotated[str, typer.Option("--actor", help="Who acts, for the audit.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write the answer to a file of yours alone.")
]

DEFAULT_ACTOR: Final = "admin"

app = new_app()


@app.callback()
def _admin() -> None:
    """Act on terminals in a host's database, whether the host runs or not.

    \b
    Examples:
      poslab admin register 10000001 898000000000001 --serial-number LK00000001
      poslab admin key-card LK00000001 --out card.json
      poslab admin hold LK00000001 dispute --note "case 7"
      poslab admin show LK00000001
    """


def _command(name: str, act: Callable[..., dict[str, object]]) -> Callable[..., None]:
    """The act as a command: required parameters are arguments, the others options, bytes come from a file."""
    own = list(inspect.signature(act, eval_str=True).parameters.values())[1:]
    files = [parameter.name for parameter in own if parameter.annotation is bytes]

    def command(*, db: str, actor: str, as_json: bool, out: Path | None, unmask: bool, **arguments: Any) -> None:
        for name_of_file in files:
            arguments[name_of_file] = Path(arguments[name_of_file]).read_bytes()
        _tell(_perform(db, name, arguments, actor), as_json=as_json, out=out, unmask=unmask)

    parameters = [
        inspect.Parameter(
            parameter.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[
                Path if parameter.annotation is bytes else parameter.annotation,
                typer.Argument(show_default=False) if parameter.default is parameter.empty else typer.Option(),
            ],
            default=parameter.default,
        )
        for parameter in own
    ]
    for option, annotation, default in (
        ("db", DatabaseOption, DEFAULT_DATABASE),
        ("actor", ActorOption, DEFAULT_ACTOR),
        ("as_json", JsonFlag, False),
        ("out", OutOption, None),
        ("unmask", UnmaskOption, False),
    ):
        parameters.append(
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        )
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = act.__doc__
    return command


def _perform(db: str, name: str, arguments: dict[str, Any], actor: str = DEFAULT_ACTOR) -> dict[str, object]:
    from host.store.database import open_store

    store = open_store(db, fresh_bytes, create=False)
    try:
        return perform(store, name, wall_clock(), actor=actor, **arguments)
    finally:
        store.close()


def _tell(result: dict[str, object], *, as_json: bool, out: Path | None, unmask: bool = True) -> None:
    if "tmk" in result and out is None and not unmask:
        raise AdminError("a key card holds a clear key", hint="give --out FILE, or --unmask", code="unmask")
    picture = result.pop("picture", None)
    if isinstance(picture, bytes):
        result = _with_picture(result, picture, out)
    elif out is not None:
        _write_private(out, json.dumps(result, ensure_ascii=False).encode())
        result = {"written": str(out)}
    if as_json:
        print_json(result)
        return
    for key, value in result.items():
        rows: list[Any] = value if isinstance(value, list) else [value]
        if rows and isinstance(rows[0], dict):
            typer.echo(f"{key}:")
            for row in rows:
                typer.echo("  " + "  ".join(f"{name}={cell}" for name, cell in row.items() if cell not in ("", None)))
        else:
            typer.echo(f"{key}: {', '.join(map(str, rows)) if isinstance(value, list) else value}")


def _with_picture(result: dict[str, object], picture: bytes, out: Path | None) -> dict[str, object]:
    if out is None:
        return {**result, "bytes": len(picture)}
    _write_private(out, picture)
    return {**result, "written": str(out)}


def _write_private(path: Path, content: bytes) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder")
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


clock = new_app(help="The lab's clock, where the host was started with --lab-clock.")
app.add_typer(clock, name="clock")


@clock.command("advance")
def advance(
    duration: Annotated[str, typer.Argument(metavar="DURATION", help="Such as 30d, 12h, 15m or 90s.")],
    *,
    db: DatabaseOption = DEFAULT_DATABASE,
    as_json: JsonFlag = False,
) -> None:
    """Move the clock on; plans that fall due are carried out."""
    from pos_lab.scenario.model import duration_s

    try:
        seconds = duration_s(duration)
    except ValueError as error:
        raise AdminError(str(error), code="duration") from None
    _tell(_perform(db, "clock_advance", {"seconds": seconds}), as_json=as_json, out=None)


for _name, _act in ACTS.items():
    if _name == "clock_advance":
        continue
    app.command(_name.replace("_", "-"), help=_act.__doc__)(_command(_name, _act))
