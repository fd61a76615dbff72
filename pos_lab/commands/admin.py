"""``poslab admin``: every administrative act of the host as a command, made from TABLE ACTS and the signatures."""

from __future__ import annotations

import inspect
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from host.admin.acts import ACTS, perform, rotate_master_key
from host.admin.wording import argument
from host.errors import AdminError
from pos_lab.commands.host import DEFAULT_DATABASE, MasterKeyOption
from pos_lab.commands.output import UnmaskOption, new_app, print_json
from pos_lab.wall_clock import fresh_bytes, wall_clock
from protocol.crypto.vault import KEY_BYTES
from protocol.masking import one_line

DatabaseOption = Annotated[str, typer.Option("--db", metavar="FILE", help="The host's database; it may be running.")]
ActorOption = Annotated[str, typer.Option("--actor", help="Who acts, for the audit.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write the answer to a file of yours alone.")
]

DEFAULT_ACTOR: Final = "admin"

CHAPTERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Look up": ("lookup", "lists"),
        "Register a device": ("orders", "keys", "registration"),
        "Merchants and their contracts": ("renew_merchant", "merchants", "contracts"),
        "Holds and risk": ("holds", "risk", "calendar"),
        "Stop, swap, retire": ("ending", "swap", "grounds", "campaigns", "second_person"),
        "Repair, spare devices, fallback": ("repairs", "loans", "fallbacks"),
        "Models, firmware, parameters": (
            "require_firmware", "publish_firmware", "offer_model", "alternatives", "models", "parameters", "service",
        ),
        "Notices": ("notices", "post"),
        "Money and disputes": ("money", "reports", "disputes", "signatures"),
        "The host itself": ("run_jobs", "rules", "partners", "recovery", "trail"),
    }
)  # fmt: skip
"""The acts in the help: heading to acts, or modules of ``host.admin``; an act that is named goes before its module."""


def _chapter(act: str) -> str:
    module = ACTS[act].__module__.rpartition(".")[2]
    named = [heading for key in (act, module) for heading, keys in CHAPTERS.items() if key in keys]
    return named[0]


class _Chapters(TyperGroup):
    """The commands of ``poslab admin`` under the headings of CHAPTERS, groups of commands under the last."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = formatter.width - 6 - max(map(len, self.commands))
        rows: dict[str, list[tuple[str, str]]] = {heading: [] for heading in CHAPTERS}
        for name, command in self.commands.items():
            act = name.replace("-", "_")
            heading = [*CHAPTERS][-1] if isinstance(command, TyperGroup) else _chapter(act)
            rows[heading].append((name, command.get_short_help_str(width)))
        for heading, listed in rows.items():
            with formatter.section(heading):
                formatter.write_dl(listed)


app = new_app(cls=_Chapters)


@app.callback()
def _admin() -> None:
    """Act on terminals in a host's database, whether the host runs or not.

    \b
    Examples:
      poslab admin register 10000001 898000000000001 --serial-number LK00000001
      poslab admin key-card LK00000001 --out card.json
      poslab admin hold LK00000001 dispute --note "case 7"
      poslab admin show LK00000001
      poslab admin token create li operator
      poslab admin audit verify

    Lists can be searched, sorted and paged: poslab admin page transactions --search 10000001 --limit 20
    """


def _command(name: str, act: Callable[..., dict[str, object]]) -> Callable[..., None]:
    """The act as a command: required parameters are arguments, the others options, bytes come from a file."""
    own = list(inspect.signature(act, eval_str=True).parameters.values())[1:]
    files = [parameter.name for parameter in own if parameter.annotation is bytes]

    def command(
        *, db: str, key_file: Path | None, actor: str, as_json: bool, out: Path | None, unmask: bool, **arguments: Any
    ) -> None:
        for name_of_file in files:
            arguments[name_of_file] = Path(arguments[name_of_file]).read_bytes()
        _tell(_perform(db, name, arguments, actor, key_file), as_json=as_json, out=out, unmask=unmask)

    parameters = [
        inspect.Parameter(
            parameter.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[
                Path if parameter.annotation is bytes else parameter.annotation,
                typer.Argument(
                    metavar="FILE" if parameter.name in files else None,
                    show_default=False,
                    help=argument(parameter.name).about,
                )
                if parameter.default is parameter.empty
                else typer.Option(help=argument(parameter.name).about),
            ],
            default=parameter.default,
        )
        for parameter in own
    ]
    for option, annotation, default in (
        ("db", DatabaseOption, DEFAULT_DATABASE),
        ("key_file", MasterKeyOption, None),
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


def _perform(
    db: str, name: str, arguments: dict[str, Any], actor: str = DEFAULT_ACTOR, key_file: Path | None = None
) -> dict[str, object]:
    from host.store.database import open_store

    with closing(open_store(db, fresh_bytes, create=False, key_file=key_file)) as store:
        return perform(store, name, wall_clock(), actor=actor, **arguments)


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
                cells = (f"{name}={cell}" for name, cell in row.items() if cell not in ("", None))
                typer.echo(one_line("  " + "  ".join(cells)))
        else:
            typer.echo(one_line(f"{key}: {', '.join(map(str, rows)) if isinstance(value, list) else value}"))


def _with_picture(result: dict[str, object], picture: bytes, out: Path | None) -> dict[str, object]:
    if out is None:
        return {**result, "bytes": len(picture)}
    _write_private(out, picture)
    return {**result, "written": str(out)}


def _write_private(path: Path, content: bytes) -> None:
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
    from host.written import duration_s

    try:
        seconds = duration_s(duration)
    except ValueError as error:
        raise AdminError(str(error), code="duration") from None
    _tell(_perform(db, "clock_advance", {"seconds": seconds}), as_json=as_json, out=None)


master_keys = new_app(help="The key that seals the host's keys.")
app.add_typer(master_keys, name="keys")


@master_keys.command("rotate-master")
def rotate_master(
    *,
    new: Annotated[
        Path | None, typer.Option("--new", metavar="FILE", help="The new key, 32 bytes; random where none is given.")
    ] = None,
    db: DatabaseOption = DEFAULT_DATABASE,
    key_file: MasterKeyOption = None,
    actor: ActorOption = DEFAULT_ACTOR,
    as_json: JsonFlag = False,
) -> None:
    """Seal the host's keys under a new master key, which takes the place of the old one in its file.

    Hosts that run go on. Where POSLAB_MASTER_KEY gives the key, --new gives the next one, and the setting is yours.
    """
    from host.master_key import ENVIRONMENT
    from host.store.database import open_store

    if os.environ.get(ENVIRONMENT) and new is None:
        raise AdminError(f"{ENVIRONMENT} gives the key", hint="give the new one with --new FILE", code="new_key")
    key = new.read_bytes() if new else fresh_bytes(KEY_BYTES)
    if len(key) != KEY_BYTES:
        raise AdminError(f"{new} holds {len(key)} bytes, not {KEY_BYTES}", code="new_key")
    with closing(open_store(db, fresh_bytes, create=False, key_file=key_file)) as store:
        rotate_master_key(store, key, wall_clock(), actor=actor)
    _tell({"rotated": True, "key_file": str(key_file or "where it was")}, as_json=as_json, out=None)


GROUPS: Final = {
    "token": ("Who may call the API.", {"create_token": "create", "revoke_token": "revoke", "tokens": "list"}),
    "audit": (
        "The audit: what was done, and the proof that nobody changed it.",
        {"audit": "list", "verify_audit": "verify"},
    ),
    "policy": ("The rules that are in force.", {"policy": "show", "policies": "list"}),
}
"""Acts that are commands of a group, by the names that they have there."""

policy = new_app(help="The rules that are in force.")


@policy.command("publish")
def publish_policy(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="YAML with sections of the policy; what is left out is the product's."),
    ],
    *,
    db: DatabaseOption = DEFAULT_DATABASE,
    key_file: MasterKeyOption = None,
    actor: ActorOption = DEFAULT_ACTOR,
    as_json: JsonFlag = False,
) -> None:
    """Put the rules of a file in force, from the next request of every host on."""
    from pos_lab.policy_file import load_policy

    content = load_policy(str(file)).model_dump_json().encode()
    _tell(_perform(db, "publish_policy", {"content": content}, actor, key_file), as_json=as_json, out=None)


_grouped: Final = {"clock_advance", "publish_policy"} | {act for _, acts in GROUPS.values() for act in acts}
for _name, (_help, _acts) in GROUPS.items():
    _group = policy if _name == "policy" else new_app(help=_help)
    app.add_typer(_group, name=_name)
    for _act_name, _command_name in _acts.items():
        _group.command(_command_name, help=ACTS[_act_name].__doc__)(_command(_act_name, ACTS[_act_name]))
for _name, _act in ACTS.items():
    if _name not in _grouped:
        app.command(_name.replace("_", "-"), help=_act.__doc__)(_command(_name, _act))
