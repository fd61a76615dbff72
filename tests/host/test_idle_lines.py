"""Lines that say nothing: a peer that is gone without a word is let go, one that speaks stays (faults N14)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from host.policy import Lines, Policy
from host.server import IDLE_LOOK_S, HostConnection, Server
from protocol.transport import connect
from tests.host.wire import Lab, Wire
from tests.virtual_time import run_at_once

IDLE_S = 1800
Body = Callable[["Peer"], Awaitable[None]]


class Peer(asyncio.Protocol):
    """The other end, which notices when it is let go."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self.came = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.came.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed.set()


def live(lab: Lab, body: Callable[[Server, asyncio.Transport, Peer], Awaitable[None]]) -> None:
    """One line to a host, in time that passes at once."""

    async def main() -> None:
        server = Server(lab.acquirer)
        url = await server.listen(f"memory:idle-{id(lab)}")
        transport, peer = await connect(url, Peer)
        await body(server, transport, peer)
        transport.close()
        await server.close()

    run_at_once(main())


@pytest.mark.feature("F")
def test_a_line_that_says_nothing_is_closed(lab: Lab) -> None:
    """Ten thousand peers that lost their power would hold every place of the host for ever."""

    async def body(server: Server, transport: asyncio.Transport, peer: Peer) -> None:
        began_s = asyncio.get_running_loop().time()
        await peer.closed.wait()
        assert IDLE_S <= asyncio.get_running_loop().time() - began_s <= IDLE_S + 61

    live(lab, body)
    assert lab.acquirer.tally.idle == 1
    assert lab.acquirer.tally.connections == 0


@pytest.mark.feature("F")
def test_a_line_that_speaks_now_and_then_stays(lab: Lab) -> None:
    """A shop with a sale an hour would have to dial for each of them."""
    echo = Wire(lab).order().management("echo", mac=False)

    async def body(server: Server, transport: asyncio.Transport, peer: Peer) -> None:
        for _ in range(4):
            await asyncio.sleep(IDLE_S - 100)
            assert not peer.closed.is_set()
            peer.came.clear()
            transport.write(len(echo).to_bytes(2, "big") + echo)
            await peer.came.wait()

    live(lab, body)
    assert lab.acquirer.tally.idle == 0


@pytest.mark.parametrize("idle_s", [0, 5])
def test_the_policy_says_how_long(tmp_path: Path, idle_s: int) -> None:
    """A bench that waits a day for its next message could not be left alone."""
    lab = Lab(tmp_path / "host.db", Policy(lines=Lines(idle_s=idle_s)))

    async def body(server: Server, transport: asyncio.Transport, peer: Peer) -> None:
        await asyncio.sleep(10 * IDLE_S if not idle_s else 70)
        assert peer.closed.is_set() == bool(idle_s)

    live(lab, body)
    lab.store.close()


def test_a_line_that_nobody_closes_is_seldom_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand lines that may be silent would wake the host ten thousand times a second."""
    lab, looks = Lab(tmp_path / "host.db", Policy(lines=Lines(idle_s=0))), []
    look = HostConnection._look_idle

    def counted(connection: HostConnection) -> None:
        looks.append(connection)
        look(connection)

    monkeypatch.setattr(HostConnection, "_look_idle", counted)

    async def body(server: Server, transport: asyncio.Transport, peer: Peer) -> None:
        await asyncio.sleep(IDLE_S)

    live(lab, body)
    lab.store.close()
    assert len(looks) <= IDLE_S / IDLE_LOOK_S + 1
