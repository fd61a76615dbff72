"""What the pages say of the laboratory: the words of the scenario language, and the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import typer
from typer.core import TyperGroup

from pos_lab.cli import app
from pos_lab.console.desk import EVENTS
from pos_lab.console.requests import CONSOLE_COMMANDS
from pos_lab.console.shell import HELP
from pos_lab.handbook.markdown import Markdown, block, code, codes, prose, sections, table
from pos_lab.handbook.value import keys, names, values
from pos_lab.scenario.faults import WrittenFault
from pos_lab.scenario.model import CastMember, Document, StepSpec
from pos_lab.scenario.steps import STEPS
from pos_lab.sim.faults import KINDS
from pos_lab.sim.occasions import OCCASIONS

_WIDTH: Final = 100


def words() -> str:
    """The shape of the file, how values are written, and every word with its arguments and expectation keys."""
    expectations = {spec.expectation: None for spec in STEPS.values() if spec.expectation}
    return sections(
        "How to write a scenario from the start: [scenarios](../scenarios.md).",
        "## The file", keys(Document),
        "### A terminal of the cast", keys(CastMember),
        "### A step",
        "One word with its arguments; beside it perhaps `say`, a text for the report, `expect`, the expectation, and "
        "`faults`, what happens while it is played.",
        "### A fault", prose(WrittenFault.__doc__), keys(WrittenFault),
        table(("kind", "happens to", "what", "an occasion"), map(_fault, OCCASIONS)),
        "## Values", values(),
        "## Words", table(("word", "what it does", "arguments", "expectation"), map(_row, STEPS.values())),
        *(_word(spec) for spec in STEPS.values()),
        "## Expectations",
        "Every key may be left out. A step that may end otherwise than well says so by `outcome` or `error`.",
        *(sections(f"### {model.__name__}", prose(model.__doc__), keys(model)) for model in expectations),
    )  # fmt: skip


def _fault(kind: str) -> tuple[Markdown, ...]:
    target, occasion = OCCASIONS[kind]
    return code(kind), Markdown(target), Markdown(KINDS[kind].english), Markdown(occasion)


def _row(spec: StepSpec) -> tuple[Markdown, ...]:
    return (
        Markdown(f"[{code(spec.name)}](#{spec.name})"),
        Markdown(prose(spec.summary)),
        codes(names(spec.arguments)),
        _expectation(spec),
    )


def _expectation(spec: StepSpec) -> Markdown:
    name = spec.expectation.__name__ if spec.expectation else ""
    return Markdown(f"[{name}](#{name.lower()})" if name else "")


def _word(spec: StepSpec) -> str:
    expected = f"Expect: {codes(names(spec.expectation))}." if spec.expectation else "Nothing can be expected of it."
    return sections(
        f"### {spec.name}", prose(spec.summary), prose(spec.arguments.__doc__), keys(spec.arguments), expected
    )


def console() -> str:
    """Every request with its reply, every event, and the words of the prompt."""
    requests = (
        (code(name), Markdown(row.takes), codes(row.options), Markdown(row.does), Markdown(row.replies))
        for name, row in CONSOLE_COMMANDS.items()
    )
    return sections(
        "A request is a line of JSON, an object with one of these keys, and perhaps an `id`; its reply has the same "
        "`id` and says `ok`. With `ok` false it has an `error` of `code`, `offset`, `message` and `hint`.",
        table(("request", "takes", "options", "what it does", "reply"), requests),
        "## Events",
        "An event is a line of JSON with one of these under `event`.",
        table(("event", "what has happened"), ((code(name), Markdown(text)) for name, text in EVENTS.items())),
        "## The prompt",
        "A [flow](flows.md) with some of its words begins it; besides:",
        table(("typed", "English", "中文"), ((code(usage), english, chinese) for usage, chinese, english in HELP)),
    )


def command_line() -> str:
    """The help of every command, as it is shown on a terminal of 100 columns."""
    root = typer.main.get_command(app)
    return sections(*(sections(f"## {name}", block("text", text)) for name, text in _helps("poslab", root)))


def _helps(name: str, command: Any, parent: Any = None) -> Iterator[tuple[str, str]]:
    """A command's full name and help, then those of its commands. Typer brings its own click: hence Any."""
    settings = {**command.context_settings, "terminal_width": _WIDTH}
    context = command.context_class(command, info_name=name.split()[-1], parent=parent, **settings)
    yield name, command.get_help(context)
    if isinstance(command, TyperGroup):
        for inner in command.list_commands(context):
            _, loaded, _ = command.resolve_command(context, [inner])
            yield from _helps(f"{name} {inner}", loaded, context)
