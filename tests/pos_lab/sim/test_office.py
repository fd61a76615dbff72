"""The office of a world, where the host leaves it in doubt: what is done is done, and who is gone is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from host.errors import AdminError, StoreError
from pos_lab.sim.chance import Streams
from pos_lab.sim.loop import SimLoop, run_virtual
from pos_lab.sim.shop import Shop
from pos_lab.sim.world import Scale, SimWorld

SEED = 3
ONE_SHOP = Scale(shops_max=1, intents=0)
Act = Callable[..., dict[str, object]]


def _replaced(hand_till: Callable[[Act], Act]) -> tuple[SimWorld, Shop, str]:
    """A device is lost that has a sale to take back, while the host hands its till on by ``hand_till``."""
    found: list[tuple[SimWorld, Shop, str]] = []

    async def main(loop: SimLoop) -> None:
        world = SimWorld(loop, SEED, "calm", frozenset(), ONE_SHOP)
        await world._set_up()
        shop = world.shops[0]
        old, act = shop.device.serial_number, world.host.act
        await shop.play("sign_in")
        world.network.rates = {"net.lost": 1.0}
        await shop.play("sale", "20.00", "debit")
        handed = hand_till(act)

        def acts(name: str, /, **arguments: Any) -> dict[str, object]:
            return (handed if name == "replace" else act)(name, **arguments)

        world.host.act = acts  # type: ignore[method-assign]
        assert world.examiner.evidence.tills[shop.terminal_id].unresolved
        await world.office.replace_device(shop, why="lose")
        world.examiner.quiet()
        found.append((world, shop, old))

    run_virtual(main, Streams(SEED).of("loop"))
    found[0][0].host.database.close()
    return found[0]


def _dies_behind_it(act: Act) -> Act:
    doubts = [True]

    def dies(name: str, /, **arguments: Any) -> dict[str, object]:
        told = act(name, **arguments)
        if doubts and doubts.pop():
            raise StoreError("the host died")
        return told

    return dies


def _says_no(act: Act) -> Act:
    def refuses(name: str, /, **arguments: Any) -> dict[str, object]:
        raise AdminError("it has no place there")

    return refuses


def test_a_host_that_died_behind_its_commit_has_handed_the_till_on() -> None:
    """A shop would be given up for good, because its acquirer did not look at what had been done.

    Seed 23579 (storage): the host died behind the commit that replaced a lost device, and said no the second time.
    """
    world, shop, old = _replaced(_dies_behind_it)
    assert not shop.is_closed
    assert shop.device.serial_number != old
    assert world.host_state(shop.device.serial_number) in ("registered", "activated")
    assert not world.examiner.violations


def test_nobody_waits_for_a_device_of_a_shop_that_is_closed() -> None:
    """A terminal that nobody switches on any more would be accused of what only it could undo."""
    world, shop, old = _replaced(_says_no)
    assert shop.is_closed
    assert shop.device.serial_number == old
    assert not world.examiner.violations
