"""TABLE PLOTS: what comes from outside of shops: partitions, a dead host, a full disk, the acquirer, strangers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from pos_lab.sim.acquirer import ADDRESS
from pos_lab.sim.attack import STRANGERS, intrude

if TYPE_CHECKING:
    from pos_lab.sim.shop import Shop
    from pos_lab.sim.world import SimWorld

Plot = Callable[["SimWorld", "Shop"], None]


def _partition(world: SimWorld, shop: Shop) -> None:
    world.network.cut_off.add(shop.name)
    lasts_s = world.chance.uniform(5, 300)
    world.loop.call_later(lasts_s, world.network.cut_off.discard, shop.name)


def _full(world: SimWorld, shop: Shop) -> None:
    world.host.database.fill(full=True)
    world.loop.call_later(world.chance.uniform(5, 120), partial(world.host.database.fill, full=False))


def _crash(world: SimWorld, shop: Shop) -> None:
    if world.host.is_up:
        world.host.die()


def _hold(world: SimWorld, shop: Shop) -> None:
    serial_number = shop.hardware.serial_number
    if world.host.try_to("hold", serial_number=serial_number, reason="arrears"):
        world.loop.call_later(world.chance.uniform(10, 200), _release, world, serial_number)


def _release(world: SimWorld, serial_number: str) -> None:
    if not world.host.try_to("release", serial_number=serial_number, reason="arrears"):
        world.loop.call_later(30.0, _release, world, serial_number)


def _strangers(kind: str, world: SimWorld, shop: Shop) -> None:
    if not world.overheard:
        return
    chance = world.streams.of(f"{kind} {len(world.log.events)}")
    data = STRANGERS[kind](chance.choice(world.overheard), chance)
    world.guests.add(asyncio.ensure_future(intrude(world.network, ADDRESS, data, chance.uniform(1, 90))))


def _stop(world: SimWorld, shop: Shop) -> None:
    world.host.try_to("stop", serial_number=shop.hardware.serial_number)


PLOTS: Final[Mapping[str, Plot]] = {
    "net.partition": _partition,
    "host.crash": _crash,
    "disk.full": _full,
    "operator.hold": _hold,
    "operator.stop": _stop,
    **{kind: partial(_strangers, kind) for kind in STRANGERS},
}
"""Kind of fault -> who brings it about, every quarter of a minute."""
