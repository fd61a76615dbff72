"""Serial lines in virtual time: bytes take their time, and what the cable damages the framing repairs."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from pos_lab.sim.chance import Streams
from pos_lab.sim.loop import SimLoop, run_virtual
from pos_lab.sim.net import Network
from pos_lab.sim.uart import FAULTS, STUCK, Uarts
from protocol.errors import EndpointInUse, FrameError
from protocol.transport import Endpoint, connect, serve
from protocol.transport.link import Link

URL = "serial:///dev/till?baud=9600"
PAYLOAD = bytes(range(48, 148))
UNSEEN = ("uart.swapped", "uart.flipped")
"""What an LRC need not show: the MAC of the message does."""


class End(asyncio.Protocol):
    """One end of a framed line."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.at_s = 0.0
        self.errors: list[FrameError] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.link = Link(transport, Endpoint.parse(URL).framer(), self._take, self.errors.append)

    def data_received(self, data: bytes) -> None:
        self.link.feed(data)

    def _take(self, payloads: list[bytes]) -> None:
        self.payloads += payloads
        if payloads:
            self.at_s = asyncio.get_running_loop().time()
            self.link.feed(b"")


async def _joined(loop: SimLoop, seed: int) -> tuple[Network, End, End]:
    network = Network(loop, Streams(seed).of)
    Uarts(network)
    served: list[End] = []

    def end() -> End:
        served.append(End())
        return served[-1]

    await serve(URL, end)
    _, near = await connect(URL, End)
    return network, near, served[0]


def test_a_byte_takes_ten_bits_of_time() -> None:
    """A batch upload over a serial line would take no time, and no timeout would ever be too short."""

    async def main(loop: SimLoop) -> float:
        _, near, far = await _joined(loop, 1)
        near.link.send(PAYLOAD)
        await asyncio.sleep(10)
        assert far.payloads == [PAYLOAD]
        return far.at_s

    assert run_virtual(main, Random(0)) == pytest.approx((len(PAYLOAD) + 5) * 10 / 9600, abs=0.01)


@pytest.mark.parametrize("kind", [*FAULTS, STUCK])
def test_damage_is_repaired_or_told_and_never_believed(kind: str) -> None:
    """A payload that the cable damaged would be taken for what the terminal said."""
    repaired = 0
    for seed in range(15):

        async def main(loop: SimLoop) -> list[bytes]:
            network, near, far = await _joined(loop, seed)  # noqa: B023
            network.rates = {kind: 1.0}
            near.link.send(PAYLOAD)
            network.rates = {}
            await asyncio.sleep(120)
            assert set(far.payloads) <= {PAYLOAD} or kind in UNSEEN
            assert far.payloads or near.errors
            return far.payloads

        repaired += len(run_virtual(main, Random(seed))) == 1
    assert repaired >= 12


def test_what_nobody_hears_is_lost() -> None:
    """What was said to a host that was down would be heard when it comes back, as over no cable."""

    async def main(loop: SimLoop) -> None:
        network = Network(loop, Streams(1).of)
        uarts = Uarts(network)
        transport, _ = await connect(URL, asyncio.Protocol)
        transport.write(b"lost")
        await asyncio.sleep(1)
        ends: list[End] = []

        def end() -> End:
            ends.append(End())
            return ends[-1]

        listener = await serve(URL, end)
        with pytest.raises(EndpointInUse):
            await serve(URL, end)
        await asyncio.sleep(60)
        assert ends[0].payloads == []
        uarts.unplug_host()
        await serve(URL, end)
        await listener.close()

    run_virtual(main, Random(0))
