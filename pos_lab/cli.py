"""``poslab``: the one program. Loads a command when it is called, and turns every foreseen error into an exit status.

Rules owned here: TABLE COMMANDS, and which error means which status: 2 for what somebody wrote or asked, 3 for what the
environment refused; a directory in the place of a FILE is refused before a command does anything, whichever it is.
Where standard output takes nothing more, its reader has gone, which ends everything quietly, or its disk is full, which
is told. An error that nobody foresaw is a defect and shows its traceback.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Mapping
from io import TextIOWrapper
from types import MappingProxyType
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from pos_lab.commands.output import Status, new_app, print_error, print_json

COMMANDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "demo": ("pos_lab.commands.demo", "Play one terminal's whole life and judge it."),
        "run": ("pos_lab.commands.run", "Run scenarios and give a verdict."),
        "check": ("pos_lab.commands.check", "Validate scenarios without running them."),
        "host": ("pos_lab.commands.host", "Run the acquirer host."),
        "terminal": ("pos_lab.commands.terminal", "Run one terminal."),
        "admin": ("pos_lab.commands.admin", "Register, review, suspend, stop, replace terminals."),
        "db": ("pos_lab.commands.db", "Upgrade, copy, restore and check a host's database."),
        "decode": ("pos_lab.commands.decode", "Explain a frame or message."),
        "encode": ("pos_lab.commands.encode", "Turn the JSON of decode into hex."),
        "doctor": ("pos_lab.commands.doctor", "Say why a message or a peer is not understood."),
        "dissector": ("pos_lab.commands.dissector", "Write a Wireshark dissector made from the field table."),
        "image": ("pos_lab.commands.image", "Turn signature images from PBM to JBIG and back."),
        "crypto": ("pos_lab.commands.crypto", "Calculate MACs, check values, PIN blocks, tracks, keys."),
        "drill": ("pos_lab.commands.drill", "Drill an emergency stop with a power cut at every point."),
        "sim": ("pos_lab.commands.sim", "Live worlds under faults in virtual time and examine the books."),
        "rehearse": ("pos_lab.commands.rehearse", "Rehearse the retirement of models over a simulated fleet."),
        "soak": ("pos_lab.commands.soak", "Kill real hosts and terminals, and examine the books."),
        "bench": ("pos_lab.commands.bench", "Measure speed against peers."),
    }
)
"""Name to module and one-line help."""

_INTERRUPTED: Final = 130
_USAGE_ERROR: Final[Any] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")
_READER_GONE: Final = 141


class _LazyGroup(TyperGroup):
    """A group whose commands are placeholders until one of them is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, _, rest = super().resolve_command(ctx, args)
        ctx.obj = "--json" in rest
        return name, _load(name) if name else None, rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(_INTERRUPTED) from None
        except BrokenPipeError as error:
            raise typer.Exit(_drop_output(error)) from None
        except _USAGE_ERROR as error:
            if not ctx.obj:
                raise
            print_json(
                {
                    "ok": False,
                    "error": {
                        "code": "usage",
                        "field": None,
                        "offset": None,
                        "message": error.format_message(),
                        "hint": "",
                    },
                }
            )
            raise typer.Exit(Status.WRONG) from None
        except tuple(_statuses()) as error:
            if isinstance(error, OSError) and sys.stdout is not None:
                sys.stdout.flush()  # where that is what fails, ``main`` tells so
            print_error(error, as_json=bool(ctx.obj))
            raise typer.Exit(next(status for kind, status in _statuses().items() if isinstance(error, kind))) from None


def _load(name: str) -> Any:
    """The command. What is loaded stays: the collector of rubbish, which ``main`` has stopped, never looks there."""
    module = importlib.import_module(COMMANDS[name][0])
    command = typer.main.get_command(module.app)
    command.name = name
    _expect_files(command)
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    return command


def _expect_files(command: Any) -> None:
    """Let every parameter of a command, and of those below it, that takes a FILE and no FOLDER refuse a directory."""
    for parameter in command.params:
        metavar = parameter.metavar or ""
        if "FILE" in metavar and "FOLDER" not in metavar:
            parameter.callback = _no_directory
    for each in getattr(command, "commands", {}).values():
        _expect_files(each)


def _no_directory(ctx: Any, parameter: Any, value: Any) -> Any:
    for each in value if isinstance(value, list | tuple) else [value]:
        if each is not None and os.path.isdir(str(each).removeprefix("sqlite:///")):
            raise typer.BadParameter(f"{each} is a directory: name a file", ctx=ctx, param=parameter)
    return value


def _statuses() -> Mapping[type[Exception], Status]:
    """Error to exit status, first match wins; imported only once something has gone wrong, for a quick start."""
    from firmware_sim.errors import ChipError
    from host.errors import StoreError
    from pos_lab.scenario.errors import ScenarioErrors
    from protocol.errors import EndpointWrong, ToldError, TransportError

    return {
        EndpointWrong: Status.WRONG,
        TransportError: Status.ENVIRONMENT,
        StoreError: Status.ENVIRONMENT,
        ChipError: Status.ENVIRONMENT,
        FileNotFoundError: Status.WRONG,
        IsADirectoryError: Status.WRONG,
        OSError: Status.ENVIRONMENT,
        ToldError: Status.WRONG,
        ScenarioErrors: Status.WRONG,
    }


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"poslab {version('pos-lab')}")
        raise typer.Exit(Status.DONE)


app = new_app(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})


@app.callback()
def _poslab(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """A laboratory for the whole life of a payment terminal.

    Example:  poslab demo

    Exit status: 0 done or passed, 1 the verdict is failed, 2 the input or the call is wrong, 3 the environment failed.
    """


def _placeholder() -> None:
    """Stands in the list of commands for one that is not loaded."""


for _name, (_, _help) in COMMANDS.items():
    app.command(_name, help=_help)(_placeholder)


def _drop_output(error: OSError) -> int:
    """Standard output takes nothing more, and what waits for it is dropped; the exit status."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return _READER_GONE
    typer.echo(f"poslab: standard output: {error.strerror}", err=True)
    return Status.ENVIRONMENT


def main() -> None:
    """Run ``poslab`` with the arguments of the process; text that the terminal cannot show is escaped, not fatal."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    gc.disable()
    try:
        try:
            app(prog_name="poslab")
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        sys.exit(_drop_output(error))


if __name__ == "__main__":
    main()
