"""Downloads with terminal and host in one process: what is published reaches the till, whatever goes wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firmware_sim.models import MODELS
from firmware_sim.power import Phase, PowerLost
from host.downloads import CONTENTS
from host.policy import Activation, Downloads, Policy
from pos_lab.vendor import make_image
from pos_lab.world import Over, World, world
from protocol.downloads import DOWNLOADS, Form
from tests.end_to_end.shop import Till

BINS = [f"62{number:04d}" for number in range(200)]


async def publish(lab: World, name: str, content: object) -> None:
    await lab.act("publish_parameters", name=name, content=json.dumps(content).encode())


async def due(lab: World) -> str:
    rows = await lab.read(lambda books: books.rows("terminals"))
    return str(rows[0]["due"])


async def test_all_that_the_host_has_reaches_the_till(till: Till) -> None:
    """One side would write what the other cannot read."""
    assert (await till.do("download", "all")).result == "done"
    book = till.device.terminal.book
    for name, content in CONTENTS.items():
        items = book.downloads[name].items
        if name == "parameters":
            assert items.pop("22") == "Lab Shop"
        found = dict(items) if isinstance(content, dict) else list(items)
        if DOWNLOADS[name].form is Form.LISTED:
            found = list(items.values())
        assert found == content, name
    settings = till.device.terminal.session.settings
    assert settings.merchant_name == "Lab Shop"


async def test_what_is_published_is_fetched_when_the_till_is_idle(lab: World, till: Till) -> None:
    """A limit would be lowered at the acquirer's and nowhere else."""
    assert (await till.do("sale", "60.00", "debit:tap")).result == "approved"
    await publish(lab, "contactless", {"FF8058": "000000001000"})
    await publish(lab, "no_pin_bins", BINS)
    assert await due(lab) == "9B"
    assert (await till.do("sale", "60.00", "debit:tap")).result == "approved"
    assert await due(lab) == ""
    assert list(till.device.terminal.book.downloads["no_pin_bins"].items) == BINS
    assert (await till.do("sale", "60.00", "debit:tap")).reason == "terminal.pin_required"
    assert (await till.do("settle")).detail["balanced"] == "yes"


@pytest.mark.parametrize("number", range(1, 9))
async def test_a_cut_while_it_is_fetched(lab: World, till: Till, number: int) -> None:
    """The host would take a till for up to date that lost its table."""
    await till.do("sign_in")
    await publish(lab, "bin_blacklist", BINS)
    till.device.hardware.power.cut_at(number, Phase.AFTER, of="line.send")
    try:
        await till.do("echo")
    except PowerLost:
        till.device.power_cycle()
    till.device.hardware.power.spare()
    kept = "bin_blacklist" in till.device.terminal.book.downloads
    assert kept or await due(lab) == "7"
    assert (await till.do("echo")).result == "done"
    assert await due(lab) == ""
    assert list(till.device.terminal.book.downloads["bin_blacklist"].items) == BINS


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[World]:
    """A world whose host takes nothing from a till that has old tables."""
    rules = Policy(activation=Activation(turnover_fen=1), downloads=Downloads(required=True))
    async with world({}, rules, Over.MEMORY, tmp_path, seed=11) as built:
        yield built


SALE = ("sale", "60.00", "debit", "123456")


@pytest.mark.parametrize(
    "flows", [(SALE, SALE), (("offline_sale", "10.00", "credit"), ("settle",))], ids=["sale", "offline sale"]
)
async def test_an_order_that_waits_keeps_no_shop_closed(strict: World, flows: tuple[tuple[str, ...], ...]) -> None:
    """A till that cannot be updated before it has settled would sell and settle no more: for the lack of new tables, of
    which it heard nothing but that it is to be updated (D3).
    """
    till = await Till.open(strict, 1)
    model = MODELS["PX-E90"]
    assert (await till.do(*SALE)).is_good
    image = make_image(model, "9.0.0", journal_format=2)
    await strict.act("publish_firmware", model=model.id, version="9.0.0", image=image)
    await strict.act("recommend_firmware", model=model.id, version="9.0.0")
    assert (await till.do(*SALE)).is_good
    assert till.device.terminal.told[-1].reason == "update.batch_open"
    await publish(strict, "parameters", {"12": "60"})
    await publish(strict, "rates", {"840": "67100000"})
    for flow in flows:
        outcome = await till.do(*flow)
    assert outcome.is_good
    assert await due(strict) == ""
    await till.assert_sound()
