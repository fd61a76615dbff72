"""Fixtures: a fresh terminal in front of a fake host."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.terminal.bench import Bench, bench_at
from tests.terminal.fake_host import FakeHost


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with bench_at(FakeHost()) as built:
        yield built
