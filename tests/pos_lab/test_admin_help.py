"""The help of ``poslab admin``: every act is found under one heading."""

from __future__ import annotations

import typer

from host.admin.acts import ACTS
from pos_lab.commands.admin import CHAPTERS, app


def test_the_help_shows_every_command_once() -> None:
    """Nobody would find the act that stops a stolen terminal among a hundred others, or at all."""
    command = typer.main.get_command(app)
    told = command.get_help(typer.Context(command)).partition("Look up:\n")[2]
    listed = [line.split()[0] for line in told.splitlines() if line.startswith("  ") and line.strip()]
    assert sorted(listed) == sorted(command.commands)  # type: ignore[attr-defined]


def test_every_entry_of_a_chapter_is_an_act_or_a_module_of_acts() -> None:
    """A renamed act would silently go to another heading."""
    known = {*ACTS, *(act.__module__.rpartition(".")[2] for act in ACTS.values())}
    assert {key for keys in CHAPTERS.values() for key in keys} <= known
