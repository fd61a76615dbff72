"""The network in virtual time: what each fault does to bytes, and that a calm one does nothing to them."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from pos_lab.sim.attack import ON_PATH, STRANGERS, forged, intrude
from pos_lab.sim.chance import Streams
from pos_lab.sim.loop import SimLoop, run_virtual
from pos_lab.sim.net import LATENCY_S, WINDOW_BYTES, Network
from pos_lab.sim.weather import CONNECTING, FAULTS
from protocol.codec import seal, unseal
from protocol.fields import F
from protocol.message import Message

FRAME = b"\x00\x03abc"


class End(asyncio.Protocol):
    """One end that writes down what happens to it."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.data = b""
        self.arrivals: list[float] = []
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.arrivals.append(asyncio.get_running_loop().time())

    def eof_received(self) -> bool:
        self.happened.append("end")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.happened.append("lost" if error is None else type(error).__name__)


async def _pair(network: Network) -> tuple[End, End]:
    served: list[End] = []

    def serve() -> End:
        served.append(End())
        return served[-1]

    network.listen("host", 1, serve)
    _, near = await network.connect("till.host", 1, End)
    return near, served[0]


def _one_write(kind: str, seed: int = 1, wait_s: float = 2_000.0) -> tuple[End, End]:
    async def main(loop: SimLoop) -> tuple[End, End]:
        network = Network(loop, Streams(seed).of, faults=ON_PATH)
        near, far = await _pair(network)
        network.rates = {kind: 1.0}
        near.transport.write(FRAME)
        network.rates = {}
        await asyncio.sleep(wait_s)
        return near, far

    return run_virtual(main, Random(seed))


@pytest.mark.parametrize(
    ("kind", "arrives", "ends"),
    [
        ("net.lost", b"", []),
        ("net.duplicated", FRAME * 2, []),
        ("net.at_timeout", FRAME, []),
        ("net.delayed", FRAME, []),
        ("net.held_back", FRAME, []),
        ("net.half_open", b"", []),
        ("net.one_way", b"", []),
        ("net.chunked", FRAME, []),
        ("net.trickled", FRAME, []),
        ("net.throttled", FRAME, []),
        ("net.reset", FRAME, ["ConnectionResetError"]),
        ("net.half_closed", FRAME, ["end", "lost"]),
        ("attack.previous", FRAME, []),
        ("attack.approved", FRAME, []),
        ("attack.stripped", FRAME, []),
    ],
)
def test_what_a_fault_does_to_a_write(kind: str, arrives: bytes, ends: list[str]) -> None:
    """A fault would be counted as fired and do nothing, or more than it says."""
    _, far = _one_write(kind)
    assert (far.data, far.happened) == (arrives, ends)


@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        ("net.truncated_end", ["end", "lost"]),
        ("net.truncated_reset", ["ConnectionResetError"]),
        ("net.truncated_silence", []),
    ],
)
def test_a_frame_is_cut_anywhere(kind: str, ends: list[str]) -> None:
    """Only frames that are cut behind their length would ever be tried."""
    cuts = set()
    for seed in range(30):
        _, far = _one_write(kind, seed)
        assert FRAME.startswith(far.data)
        assert far.happened == ends
        cuts.add(len(far.data))
    assert cuts == set(range(len(FRAME)))


def test_flipped_bits_keep_the_length() -> None:
    """A flipped bit would lose the connection instead of the amount."""
    damaged = {_one_write("net.flipped", seed)[1].data for seed in range(20)}
    assert all(len(data) == len(FRAME) for data in damaged)
    assert len(damaged) > 10


def test_every_fault_is_tried_here() -> None:
    """A fault that is added would not be known to do what it says."""
    tried = {"net.flipped", "net.truncated_end", "net.truncated_reset", "net.truncated_silence"}
    tried |= {"attack.command"}  # whole worlds try it: it needs commands that were fetched
    mark = test_what_a_fault_does_to_a_write.pytestmark[0]  # type: ignore[attr-defined]
    assert tried | {row[0] for row in mark.args[1]} == {*FAULTS, *ON_PATH}


def test_late_means_on_the_tick_of_the_timeout() -> None:
    """A reply on the very tick would never be tried: there, and a millisecond beside it, terminals are wrong."""

    async def main(loop: SimLoop) -> float:
        network = Network(loop, Streams(3).of, reply_timeout_s=30.0)
        near, far = await _pair(network)
        await asyncio.sleep(5)
        asked_at = loop.time()
        near.transport.write(b"ask")
        await asyncio.sleep(1)
        network.rates = {"net.at_timeout": 1.0}
        far.transport.write(b"answer")
        await asyncio.sleep(60)
        return near.arrivals[0] - asked_at

    assert run_virtual(main, Random(0)) == pytest.approx(30.0, abs=0.0011)


def test_a_closed_connection_still_delivers_and_the_next_may_be_faster() -> None:
    """A sale that comes behind its own reversal would never be tried."""

    async def main(loop: SimLoop) -> list[bytes]:
        network = Network(loop, Streams(1).of)
        heard: list[bytes] = []

        class Ear(End):
            def data_received(self, data: bytes) -> None:
                heard.append(data)

        network.listen("host", 1, Ear)
        first, _ = await network.connect("till.host", 1, End)
        network.rates = {"net.delayed": 1.0}
        first.write(b"sale")
        network.rates = {}
        first.close()
        second, _ = await network.connect("till.host", 1, End)
        second.write(b"reversal")
        await asyncio.sleep(500)
        return heard

    assert run_virtual(main, Random(0)) == [b"reversal", b"sale"]


def test_bytes_keep_their_order_whatever_is_due_at_once() -> None:
    """A frame would arrive with its bytes shuffled, which no line does."""

    async def main(loop: SimLoop) -> bytes:
        network = Network(loop, Streams(1).of)
        near, far = await _pair(network)
        for byte in range(200):
            near.transport.write(bytes((byte,)))
        await asyncio.sleep(1)
        return far.data

    assert all(run_virtual(main, Random(seed)) == bytes(range(200)) for seed in range(5))


def test_who_does_not_read_holds_up_who_writes() -> None:
    """A host that reads no further would have everything in its memory all the same."""

    async def main(loop: SimLoop) -> None:
        near, far = await _pair(Network(loop, Streams(1).of))
        far.transport.pause_reading()
        for _ in range(4):
            near.transport.write(bytes(WINDOW_BYTES))
            await asyncio.sleep(1)
        assert not far.data
        far.transport.resume_reading()
        await asyncio.sleep(10)
        assert len(far.data) == 4 * WINDOW_BYTES

    run_virtual(main, Random(0))


def test_who_is_cut_off_hears_nothing_and_reaches_nobody() -> None:
    """A shop without a line would go on selling in the simulation."""

    async def main(loop: SimLoop) -> None:
        network = Network(loop, Streams(1).of)
        near, far = await _pair(network)
        network.cut_off.add("till")
        near.transport.write(FRAME)
        far.transport.write(FRAME)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(network.connect("till.host", 1, End), 10)
        network.cut_off.clear()
        near.transport.write(b"again")
        await asyncio.sleep(1)
        assert (near.data, far.data) == (b"", b"again")

    run_virtual(main, Random(0))


def test_the_dead_say_nothing_or_reset() -> None:
    """A host that was killed would say goodbye, as none does."""

    async def main(loop: SimLoop, *, reset: bool) -> tuple[list[str], list[str]]:
        network = Network(loop, Streams(1).of)
        near, far = await _pair(network)
        network.sever(only=lambda transport: not transport.is_client, reset=reset)
        await asyncio.sleep(1)
        near.transport.write(FRAME)
        await asyncio.sleep(LATENCY_S[1] * 3)
        return near.happened, far.happened

    assert run_virtual(lambda loop: main(loop, reset=True), Random(0)) == (["ConnectionResetError"], [])
    assert run_virtual(lambda loop: main(loop, reset=False), Random(0)) == ([], [])


def test_a_connection_is_refused_or_never_made() -> None:
    """A terminal would always be connected at once."""

    async def main(loop: SimLoop) -> None:
        network = Network(loop, Streams(1).of)
        network.listen("host", 1, End)
        for kind, error in (("net.refused", ConnectionRefusedError), ("net.unanswered", TimeoutError)):
            network.rates = {kind: 1.0}
            with pytest.raises(error):
                await asyncio.wait_for(network.connect("till.host", 1, End), 5)
        assert {"net.refused", "net.unanswered"} == set(CONNECTING)

    run_virtual(main, Random(0))


def test_strangers_have_no_key() -> None:
    """An attack would be made with a good MAC, and prove nothing."""
    message = Message("0200", {F.AMOUNT: "000000006000", F.TERMINAL_ID: "20000001", F.MAC: b"12345678"})
    payload = seal(message)
    frame = len(payload).to_bytes(2, "big") + payload
    changed = [unseal(forged(frame, Random(seed))[2:]).message for seed in range(20)]
    assert all(one.octets(F.MAC) in (b"", b"12345678") for one in changed)
    assert {one.has(F.MAC) for one in changed} == {True, False}
    assert all(one.text(F.AMOUNT) != "000000006000" for one in changed)
    assert forged(b"\x00\x01x", Random(0)) == b"\x00\x01x"
    assert all(isinstance(row.make(frame, Random(1)), bytes) for row in STRANGERS.values())


def test_a_stranger_who_meets_nobody_goes_away() -> None:
    """An attack on a host that is down would end the world."""

    async def main(loop: SimLoop) -> None:
        network = Network(loop, Streams(1).of)
        await intrude(network, ("host", 1), b"x", 5)
        near, far = await _pair(network)
        await intrude(network, ("host", 1), b"x", 5)
        assert near.happened == far.happened == []

    run_virtual(main, Random(0))
