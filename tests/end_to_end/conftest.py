"""What several tests need of a shop: a host for a module, a world in this process and a till in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from host.policy import Activation, Policy
from pos_lab.world import Over, World, world
from tests.end_to_end.shop import HostCommand, Till, serving


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostCommand]:
    """A host that runs, for the tests of one module."""
    with serving(tmp_path_factory.mktemp("shop")) as host:
        yield host


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A world in memory that activates a terminal at its first sale; it waits as long as a slow machine needs."""
    monkeypatch.setattr("pos_lab.world.REPLY_TIMEOUT_S", 30.0)
    async with world({}, Policy(activation=Activation(turnover_fen=1)), Over.MEMORY, tmp_path, seed=11) as built:
        yield built


@pytest.fixture
async def till(lab: World) -> Till:
    """A till of this world."""
    return await Till.open(lab, 1)
