"""Runs seeds: one seed, one world, one result; the same seed is the same run, bit for bit."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from pos_lab.sim.both_books import BookRow, both_books
from pos_lab.sim.chance import Streams
from pos_lab.sim.checker.examiner import Violation
from pos_lab.sim.crash import crashed
from pos_lab.sim.log import Event
from pos_lab.sim.loop import SimLoop, run_virtual
from pos_lab.sim.world import Scale, SimWorld, Violated


@contextmanager
def silence() -> Iterator[None]:
    """What hosts and terminals say of faults is in the event log."""
    log = logging.getLogger("poslab")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage before the end: most of a world goes without, and what is left goes at once."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.collect(0)
        gc.enable()


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one seed. ``digest`` is the SHA-256 of its event log, ``faults`` the names of what happened.

    ``intents`` are the names of what people meant to do, ``markers`` what was sometimes seen, ``acts`` what the office
    did, ``results`` how often what cashiers were told ended how. ``books`` are kept where something was found, or was
    to be told.
    """

    seed: int
    profile: str
    digest: str
    virtual_s: float
    faults: tuple[str, ...]
    intents: tuple[str, ...]
    fired: Mapping[str, int]
    markers: Mapping[str, int]
    acts: Mapping[str, int]
    results: Mapping[str, int]
    violations: tuple[Violation, ...]
    events: tuple[Event, ...] = field(repr=False)
    books: tuple[BookRow, ...] = field(default=(), repr=False)

    @property
    def passed(self) -> bool:
        """Was nothing found?"""
        return not self.violations


def run_seed(
    seed: int,
    profile: str = "",
    *,
    suppressed: frozenset[str] = frozenset(),
    scale: Scale | None = None,
    until: frozenset[str] = frozenset(),
    with_books: bool = False,
) -> Result:
    """Live the world of a seed. ``profile`` is drawn where it is not given. What its world raises is a violation (D4).

    A world ends with its first violation, but not before one of each id of ``until`` was found.
    """
    with silence(), uncollected():
        return _lived(seed, profile, suppressed, scale or Scale(), until, with_books=with_books)


def _lived(
    seed: int, profile: str, suppressed: frozenset[str], scale: Scale, until: frozenset[str], *, with_books: bool
) -> Result:
    worlds: list[SimWorld] = []

    async def main(loop: SimLoop) -> None:
        world = SimWorld(loop, seed, profile, suppressed, scale, until=until)
        worlds.append(world)
        try:
            await world.live()
        except Violated:
            return

    try:
        run_virtual(main, Streams(seed).of("loop"))
    except Exception as error:  # a run of days goes on, and tells by which seed it comes again
        if not worlds:
            raise
        worlds[0].examiner.violations.append(crashed(error))
    try:
        return _result(worlds[0], seed, with_books=with_books)
    finally:
        worlds[0].host.database.close()  # a connection that nobody gives back is kept for ever, and its world with it


def _result(world: SimWorld, seed: int, *, with_books: bool) -> Result:
    results: dict[str, int] = {}
    for shop in world.shops:
        for name, count in shop.results.items():
            results[name] = results.get(name, 0) + count
    return Result(
        seed,
        world.profile,
        world.log.digest,
        world.loop.time(),
        tuple(world.ledger.names),
        (*(name for shop in world.shops for name in shop.intents), *world.intents),
        dict(world.ledger.fired + world.parts),
        dict(world.sightings.seen),
        dict(+world.office.done),
        results,
        tuple(world.examiner.violations),
        tuple(world.log.events),
        tuple(both_books(world.examiner.evidence)) if with_books or world.examiner.violations else (),
    )
