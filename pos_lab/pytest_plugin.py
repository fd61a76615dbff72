"""The marker ``virtual``: an asynchronous test that runs in virtual time, on connections that are simulated.

Rules owned here: ``@pytest.mark.virtual`` takes ``seed``, 0 unless given; the test is run to its end by
``pos_lab.sim.loop.run_virtual`` with a calm ``pos_lab.sim.net.Network``, whatever other plugins do with asynchronous
tests. Nothing is imported before a test needs it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pos_lab.sim.loop import SimLoop

MARKER = "virtual"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", f"{MARKER}(seed=0): runs in virtual time, on simulated connections")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: object) -> Any:
    """A marked coroutine function is collected as a plain one that runs it."""
    if not inspect.iscoroutinefunction(obj):
        return None
    marks = [mark for mark in getattr(obj, "pytestmark", ()) if mark.name == MARKER]
    if not marks:
        return None
    plain = _in_virtual_time(obj, **marks[0].kwargs)
    setattr(collector.obj, name, plain)
    return list(collector._genfunctions(name, plain))


def _in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]], *, seed: int = 0) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **fixtures: Any) -> None:
        from pos_lab.sim.chance import Streams
        from pos_lab.sim.loop import run_virtual
        from pos_lab.sim.net import Network

        streams = Streams(seed)

        async def main(loop: SimLoop) -> None:
            Network(loop, streams.of)
            await test(*args, **fixtures)

        run_virtual(main, streams.of("loop"))

    return run
