"""TABLE PLOTS: what comes from outside of shops: partitions, a dead host, a full disk, strangers, people's mistakes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pos_lab.cashier import PIN
from pos_lab.sim.acquirer import ADDRESS, BACKUP_ADDRESS
from pos_lab.sim.attack import STRANGERS, intrude

if TYPE_CHECKING:
    from pos_lab.sim.device import Device
    from pos_lab.sim.shop import Shop
    from pos_lab.sim.world import SimWorld


@dataclass(frozen=True, slots=True)
class Plot:
    """A row of PLOTS: rows of the catalogue, what happens in words, and what brings it about."""

    rows: str
    english: str
    happen: Callable[[SimWorld, Shop], None]


def _partition(world: SimWorld, shop: Shop) -> None:
    world.network.cut_off.add(shop.name)
    lasts_s = world.chance.uniform(5, 300)
    world.loop.call_later(lasts_s, world.network.cut_off.discard, shop.name)


def _swizzle(world: SimWorld, shop: Shop) -> None:
    """Every shop is cut off, one after the other, and comes back in another order."""
    for each in world.shops:
        world.loop.call_later(world.chance.uniform(0, 60), world.network.cut_off.add, each.name)
        world.loop.call_later(world.chance.uniform(60, 200), world.network.cut_off.discard, each.name)


def _reroute(world: SimWorld, shop: Shop) -> None:
    """The shop is given the other address of the host, which counts from its next boot on."""
    hardware = shop.device.hardware
    for one, other in ((ADDRESS, BACKUP_ADDRESS), (BACKUP_ADDRESS, ADDRESS)):
        if hardware.url.endswith(f".{one[0]}:{one[1]}"):
            hardware.url = f"tcp://{shop.name}.{other[0]}:{other[1]}"
            break
    if world.chance.random() < 0.5:
        shop.device.pull()


def _rebound(world: SimWorld, shop: Shop) -> None:
    """What is open on the shop's route is dead, and nobody is told; a new connection comes from elsewhere."""
    for transport in [one for one in world.network.connections if one.route == shop.name]:
        transport.silence()


def _full(world: SimWorld, shop: Shop) -> None:
    world.host.database.fill(full=True)
    world.loop.call_later(world.chance.uniform(5, 120), partial(world.host.database.fill, full=False))


def _crash(world: SimWorld, shop: Shop) -> None:
    if world.host.is_up:
        world.host.die()


def _restart_loop(world: SimWorld, shop: Shop) -> None:
    """The host dies again and again, also as it starts."""
    for _ in range(world.chance.randint(2, 5)):
        world.loop.call_later(world.chance.uniform(0, 100), _crash, world, shop)


def _hold(world: SimWorld, shop: Shop) -> None:
    serial_number = shop.device.serial_number
    if world.host.try_to("hold", serial_number=serial_number, reason="arrears"):
        world.during(shop, sale="hold_during_sale", settle="hold_during_settlement")
        world.loop.call_later(world.chance.uniform(10, 200), _release, world, serial_number)


def _release(world: SimWorld, serial_number: str) -> None:
    if not world.host.try_to("release", serial_number=serial_number, reason="arrears") and not world.host.has_said_no:
        world.loop.call_later(30.0, _release, world, serial_number)


def _flicker(world: SimWorld, shop: Shop) -> None:
    """Suspended, released and suspended within seconds, whatever arrives first."""
    serial_number, at_s = shop.device.serial_number, 0.0
    for act in ("hold", "release", "hold", "release"):
        arguments = {"serial_number": serial_number, "reason": "policy"}
        world.loop.call_later(at_s, partial(world.host.try_to, act, **arguments))
        at_s += world.chance.uniform(0.1, 3)
    world.loop.call_later(at_s + 60, partial(world.host.try_to, "release", **arguments))


def _strangers(kind: str, world: SimWorld, shop: Shop) -> None:
    if not world.overheard:
        return
    chance = world.streams.of(f"{kind} {len(world.log.events)}")
    stranger = STRANGERS[kind]
    frame = chance.choice(world.overheard)
    for _ in range(stranger.connections):
        data = stranger.make(frame, chance)
        visit = intrude(world.network, ADDRESS, data, chance.uniform(1, 90), gap_s=stranger.gap_s)
        world.guests.add(asyncio.ensure_future(visit))


def _stop(world: SimWorld, shop: Shop) -> None:
    if world.host.try_to("stop", serial_number=shop.device.serial_number):
        world.during(shop, sale="stop_during_sale")


def _old_device(world: SimWorld, shop: Shop) -> None:
    """Somebody switches on a device that the shop sold on before, and sells."""
    if shop.former:
        device = world.chance.choice(shop.former)
        device.settings = shop.settings
        world.guests.add(asyncio.ensure_future(_try_to_sell(world, device)))


async def _try_to_sell(world: SimWorld, device: Device) -> None:
    world.sometimes("device_out_of_service_tried")
    for flow, words in (("sale", ("1.00", "debit", PIN)), ("settle", ()), ("hand_over", ())):
        await device.play(flow, *words)


def _double(world: SimWorld, shop: Shop) -> None:
    """The same thing is ordered twice: a notice, a download, a sign-on."""
    serial_number = shop.device.serial_number
    for name in ("sign_in", "sign_in", "status", "contactless"):
        world.host.try_to("ask_for", serial_number=serial_number, name=name)
    for _ in range(2):
        world.host.try_to("diagnose", serial_number=serial_number)


def _remove_model(world: SimWorld, shop: Shop) -> None:
    """The firmware that a shop runs is withdrawn under it, and another one is asked for that nobody has."""
    model = shop.model
    if world.host.try_to("require_firmware", model=model.id, version=f"{int(model.factory_firmware[0])}.99.0"):
        back = partial(world.host.try_to, "require_firmware", model=model.id, version="0.0.1")
        world.loop.call_later(world.chance.uniform(10, 120), back)


PLOTS: Final[Mapping[str, Plot]] = MappingProxyType(
    {
        "net.partition": Plot("N14 N23", "a shop is cut off for a while", _partition),
        "net.swizzle": Plot("N14", "shops are cut off one by one, and come back in another order", _swizzle),
        "net.rerouted": Plot("N32", "a shop goes over the host's other address", _reroute),
        "net.rebound": Plot("N20 N21", "a line is dead without a word, the next comes from elsewhere", _rebound),
        "host.crash": Plot("H03 H10", "the host dies between two requests", _crash),
        "host.restarts": Plot("H10", "the host dies again and again", _restart_loop),
        "disk.full": Plot("H05", "the disk is full for a while", _full),
        "operator.hold": Plot("O01 O03", "the acquirer suspends a terminal, whatever it is doing", _hold),
        "operator.flickers": Plot("O02", "a terminal is suspended and released within seconds", _flicker),
        "operator.stop": Plot("O01", "the acquirer stops a terminal, whatever it is doing", _stop),
        "operator.old_device": Plot("O07", "a device that was replaced is switched on again", _old_device),
        "operator.doubles": Plot("O02 O11", "the same thing is ordered twice", _double),
        "operator.removes": Plot("O05", "what a terminal runs is allowed no more, between two requests", _remove_model),
        **{kind: Plot(row.rows, row.english, partial(_strangers, kind)) for kind, row in STRANGERS.items()},
    }
)
"""Kind of fault -> who brings it about, every quarter of a minute."""
