"""The network that a tester sets: dialling, signal, latency and bandwidth, in time that passes at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.errors import DeviceError, LineDown, LineSilent, UnknownName
from firmware_sim.faults import Faults
from firmware_sim.line import Line
from firmware_sim.network import NETWORKS, Network, OneWay, find_network
from firmware_sim.power import Power, PowerLost
from protocol.framing import Len2Framer
from protocol.transport import serve
from tests.firmware_sim.test_line import REPLY, REQUEST, Host
from tests.virtual_time import run_at_once

URL = "memory:network"
FRAME_BITS = (len(REQUEST) + 2) * 8


class Bench:
    """A line through a network, and the host at its other end."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.power = Power()
        self.power.switch_on()
        self.faults = Faults()
        self.host = Host(Len2Framer())
        self.line = Line(self.power, self.faults, URL, lambda *_: None, network=lambda: self.network)

    async def ask(self, timeout_s: float = 60) -> float:
        """Seconds that a request and its reply took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self.line.open(1)
        await self.line.send(REQUEST)
        assert await self.line.receive(timeout_s) == REPLY
        return loop.time() - began


@asynccontextmanager
async def bench(network: Network) -> AsyncIterator[Bench]:
    built = Bench(network)
    listener = await serve(URL, lambda: built.host)
    try:
        yield built
    finally:
        built.power.cut()
        await asyncio.sleep(0.01)
        await listener.close()


@pytest.mark.parametrize("name", [name for name, row in NETWORKS.items() if row.signal])
def test_a_network_takes_its_time(name: str) -> None:
    """A tester would see a sale over a modem answered as fast as in the office."""
    network = find_network(name)

    async def main() -> tuple[float, float]:
        async with bench(network) as built:
            return await built.ask(), await built.ask()

    dialled_s, open_s = run_at_once(main())
    due_s = 2 * network.takes_s(len(REQUEST) + 2)
    assert open_s == pytest.approx(due_s, abs=0.001)
    assert dialled_s == pytest.approx(network.dial_s + due_s, abs=0.001)


def test_nothing_in_between_costs_nothing() -> None:
    """Every test of the laboratory would wait for a network that nobody asked for."""

    async def main() -> float:
        async with bench(NETWORKS["direct"]) as built:
            return await built.ask()

    assert run_at_once(main()) == 0


def test_a_collapse_in_the_middle_of_a_request() -> None:
    """A request half sent would go on at the old speed (N24)."""

    async def main() -> float:
        async with bench(Network("", "", bandwidth_bps=FRAME_BITS)) as built:  # one frame a second
            loop = asyncio.get_running_loop()
            loop.call_later(
                0.5, lambda: setattr(built, "network", replace(built.network, bandwidth_bps=FRAME_BITS // 10))
            )
            return await built.ask()

    assert run_at_once(main()) == pytest.approx(0.5 + 5 + 10, rel=0.05)


CONDITIONS = {
    "line.no_signal": "no_signal",
    "line.busy": "busy",
    "line.no_carrier": "no_carrier",
}


@pytest.mark.parametrize(("fault", "code"), CONDITIONS.items())
def test_a_line_that_cannot_be_dialled_says_why(fault: str, code: str) -> None:
    """The cashier would look for a cable where the number was engaged."""

    async def main() -> tuple[str, float]:
        async with bench(NETWORKS["dial_up"]) as built:
            built.faults.arm(fault)
            with pytest.raises(LineDown) as caught:
                await built.line.open(1)
            failed_at = asyncio.get_running_loop().time()
            assert not built.line.is_working
            await built.ask()
            assert built.faults.fired[fault] == 1
            return caught.value.code, failed_at

    told, after_s = run_at_once(main())
    assert told == code
    assert after_s == (NETWORKS["dial_up"].dial_s if code == "no_carrier" else 0)


def test_without_a_signal_nothing_connects() -> None:
    """A till in the cellar would sell."""

    async def main() -> None:
        async with bench(NETWORKS["no_signal"]) as built:
            with pytest.raises(LineDown, match="no signal"):
                await built.line.open(1)
            assert not built.host.connections
            built.network = NETWORKS["4g"]
            await built.ask()
            built.network = NETWORKS["no_signal"]
            with pytest.raises(LineDown, match="no signal"):
                await built.line.send(REQUEST)
            assert not built.line.is_open

    run_at_once(main())


def test_power_that_goes_while_a_request_leaves_leaves_half_of_it() -> None:
    """A cut would never leave a torn frame at the host, as it does on a slow line."""

    async def main() -> bytes:
        async with bench(Network("", "", bandwidth_bps=FRAME_BITS)) as built:
            came = bytearray()
            built.host.data_received = came.extend  # type: ignore[method-assign]
            asyncio.get_running_loop().call_later(0.5, built.power.cut)
            with pytest.raises(PowerLost):
                await built.ask()
            await asyncio.sleep(5)
            return bytes(came)

    came = run_at_once(main())
    assert 0 < len(came) < len(REQUEST) + 2
    assert Len2Framer().wrap(REQUEST).startswith(came)


def test_power_that_goes_while_it_dials() -> None:
    """A device that is off would connect."""

    async def main() -> int:
        async with bench(NETWORKS["dial_up"]) as built:
            asyncio.get_running_loop().call_later(1, built.power.cut)
            with pytest.raises(PowerLost):
                await built.line.open(1)
            return built.host.connections

    assert run_at_once(main()) == 0


def test_silence_is_silence_on_a_slow_line_too() -> None:
    """A reply that is still under way would be waited for without end."""

    async def main() -> None:
        async with bench(NETWORKS["collapsed"]) as built:
            with pytest.raises(LineSilent):
                await built.ask(timeout_s=2)
            built.line.close()

    run_at_once(main())


def test_a_line_that_breaks_still_carries_what_was_sent() -> None:
    """A request that left would count as never sent."""

    async def main() -> list[bytes]:
        async with bench(NETWORKS["gprs"]) as built:
            built.faults.arm("line.breaks")
            with pytest.raises(LineDown):
                await built.ask()
            await asyncio.sleep(1)
            return built.host.seen

    assert run_at_once(main()) == [REQUEST]


@given(
    pieces=st.lists(st.binary(min_size=1, max_size=40), max_size=12),
    bandwidth_bps=st.sampled_from([0, 1, 300, 9600, 10**9]),
    latency_s=st.sampled_from([0.0, 0.001, 2.0]),
)
def test_bytes_keep_their_order_and_number(pieces: list[bytes], bandwidth_bps: int, latency_s: float) -> None:
    """A slow line would mix two messages."""

    async def main() -> bytes:
        came = bytearray()
        network = Network("", "", latency_s=latency_s, bandwidth_bps=bandwidth_bps)
        way = OneWay(lambda: network, came.extend)
        for number, piece in enumerate(pieces):
            way.put(piece)
            await asyncio.sleep(number % 3)
        await asyncio.sleep(8 * 600 + 10)
        return bytes(came)

    assert run_at_once(main()) == b"".join(pieces)


@pytest.mark.parametrize(
    "wrong", [{"dial_s": -1}, {"latency_s": -0.1}, {"bandwidth_bps": -1}, {"signal": -1}, {"signal": 6}]
)
def test_a_network_that_cannot_be(wrong: dict[str, int]) -> None:
    """A tester's slip would send bytes back in time."""
    with pytest.raises(DeviceError, match="no such network"):
        Network("", "", **wrong)  # type: ignore[arg-type]


def test_an_unknown_network_is_told_with_the_nearest() -> None:
    """A tester would guess at names."""
    with pytest.raises(UnknownName, match="did you mean 'gprs'"):
        find_network("grps")
