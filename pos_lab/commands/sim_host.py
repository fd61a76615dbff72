"""``poslab sim --host``: our terminals in front of a host of somebody's own, over a faulty line, in real time."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from time import perf_counter
from typing import Final

import typer

from pos_lab.commands.output import Status, print_json

_LOCAL: Final = "localhost"
_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for at the command line."""

    url: str
    key_cards: Sequence[Path]
    profile: str
    seed: int
    seconds: float
    timeout_s: float
    folder: Path
    anywhere: bool
    believe_declines: bool


def try_host(asked: Asked, *, as_json: bool) -> None:
    """Put a host through the network part, tell what came of it, and leave with 1 where an invariant does not hold."""
    from pos_lab.key_card import KeyCard
    from pos_lab.sim.gateway import WeatherLoop
    from pos_lab.sim.trial import PROFILES, Trial, TrialSettings, document
    from pos_lab.wall_clock import fresh_bytes, wall_clock
    from protocol.transport import check

    endpoint = check(asked.url)
    if endpoint.scheme not in ("tcp", "tls"):
        raise typer.BadParameter("is tcp:// or tls://: the faulty line is a network", param_hint="--host")
    if not (asked.anywhere or _is_here(endpoint.host)):
        raise typer.BadParameter(
            f"{endpoint.host} is another machine: add --elsewhere if it is a test host of yours", param_hint="--host"
        )
    if asked.profile and asked.profile not in PROFILES:
        raise typer.BadParameter(
            f"is {' or '.join(PROFILES)} with --host: only the network is between", param_hint="--profile"
        )
    if not asked.key_cards:
        raise typer.BadParameter("is needed with --host: poslab admin key-card writes one", param_hint="--key-card")
    logging.getLogger("poslab").addHandler(logging.NullHandler())
    cards = [KeyCard.read(path) for path in asked.key_cards]
    if len({card.terminal_id for card in cards}) < len(cards):
        raise typer.BadParameter("two cards are for the same terminal number", param_hint="--key-card")
    settings = TrialSettings(
        asked.url,
        cards,
        asked.profile or PROFILES[0],
        asked.seed,
        asked.seconds,
        asked.timeout_s,
        asked.folder,
        asked.believe_declines,
    )
    trial, began, interrupted = Trial(settings, wall_clock, fresh_bytes), perf_counter(), False
    if not as_json and sys.stderr.isatty():
        typer.echo(f"{asked.seconds:g} s of {settings.profile} in front of {asked.url}", err=True)
    try:
        with asyncio.Runner(loop_factory=WeatherLoop) as runner:
            runner.run(trial.run())
    except KeyboardInterrupt:
        interrupted = True
    told = document(trial, perf_counter() - began, interrupted=interrupted)
    if as_json:
        print_json(told)
    else:
        _tell(told)
    raise typer.Exit(Status.FAILED if trial.violations else _INTERRUPTED if interrupted else Status.DONE)


def _is_here(host: str) -> bool:
    """Is it this machine?"""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == _LOCAL


def _tell(told: dict[str, object]) -> None:
    def counted(name: str) -> str:
        found = told[name]
        assert isinstance(found, dict)
        return ", ".join(f"{count} {what}" for what, count in found.items()) or "nothing"

    violations, not_asked, asked = told["violations"], told["not_asked"], told["asked"]
    assert isinstance(violations, list)
    assert isinstance(not_asked, list)
    assert isinstance(asked, list)
    if told["interrupted"]:
        typer.echo("interrupted: what is told is of the time until then")
    typer.echo(f"{told['lasted_s']} s: {counted('flows')}")
    typer.echo(f"cashiers were told {counted('told')} (why not: {counted('reasons')})")
    typer.echo(f"{told['faults']} faults: {counted('kinds')}")
    for found in violations[:10]:
        typer.echo(f"{found['id']} does not hold: {found['rule']}.\n  {found['finding']}")
    typer.echo(f"asked: {' '.join(asked)}; {'all hold' if not violations else f'{len(violations)} findings'}")
    typer.echo(f"not asked, for they need the host's database: {' '.join(not_asked)}")
