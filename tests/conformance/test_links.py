"""One contract for a framed link on every transport: what was lost is sent again, and a dead peer is told of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from protocol.errors import FrameError
from protocol.framing import ACK, EOT, NAK, Framer, Len2Framer, StxFramer, Timers
from protocol.transport.link import Link
from tests.conformance.test_lines import Line, Recorder, check_line, opened

REQUEST = b"\x60" + b"request " * 6
REPLY = b"\x60" + b"reply " * 8
QUICK = Timers(ack_timeout_s=0.05, between_bytes_s=0.05, frame_s=0.05)
PATIENT = Timers(ack_timeout_s=100, between_bytes_s=100)
ACKED, REFUSED, ENDED = bytes([ACK]), bytes([NAK]), bytes([EOT])


class End(asyncio.Protocol):
    """An end that speaks in frames, as host and terminal do; keeps what its link tells it."""

    def __init__(self, transport: asyncio.Transport, framer: Framer) -> None:
        self.payloads: list[bytes] = []
        self.errors: list[FrameError] = []
        self.handles: list[asyncio.TimerHandle] = []
        self._changed = asyncio.Event()
        self.link = Link(transport, framer, self._take, self._fail)

    def data_received(self, data: bytes) -> None:
        self.link.feed(data)

    def _take(self, payloads: list[bytes]) -> None:
        self.payloads += payloads
        self._changed.set()

    def _fail(self, error: FrameError) -> None:
        self.errors.append(error)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    @property
    def waits(self) -> int:
        """Loop timers that are running."""
        now = asyncio.get_running_loop().time()
        return sum(not handle.cancelled() and handle.when() > now for handle in self.handles)


@asynccontextmanager
async def linked(
    name: str, framer: Framer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[End, Recorder, Line]]:
    """A line with a link at its near end; the far end is played byte by byte."""
    loop = asyncio.get_running_loop()
    async with opened(name) as line:
        end = End(line.near.transport, framer)
        line.near.data_received = end.data_received  # type: ignore[method-assign]
        call_later = loop.call_later

        def spy(delay_s: float, call: Callable[..., object], *arguments: Any) -> asyncio.TimerHandle:
            handle = call_later(delay_s, call, *arguments)
            if getattr(call, "__self__", None) is end.link:
                end.handles.append(handle)
            return handle

        monkeypatch.setattr(loop, "call_later", spy)
        yield end, line.far, line
        end.link.close()
        assert end.waits == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


@check_line()
async def test_a_frame_is_acknowledged_before_it_is_answered(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal would take the reply for noise, because it waits for the ACK first."""
    async with linked(name, StxFramer(timers=PATIENT), monkeypatch) as (end, far, _):
        far.transport.write(StxFramer().wrap(REQUEST))
        await end.until(lambda: end.payloads == [REQUEST])
        end.link.send(REPLY)
        assert end.waits == 1
        expected = ACKED + StxFramer().wrap(REPLY)
        await far.until(lambda: far.received == expected)
        far.transport.write(ACKED)
        await end.until(lambda: end.link.framer.timer is None)
        assert end.waits == 0


@check_line()
async def test_a_lost_frame_is_sent_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that the line swallowed would cost the whole reply timeout and a reversal."""
    async with linked(name, StxFramer(timers=QUICK), monkeypatch) as (end, far, _):
        end.link.send(REQUEST)
        frame = StxFramer().wrap(REQUEST)
        await far.until(lambda: far.received.startswith(frame * 2))
        far.transport.write(ACKED)
        await end.until(lambda: end.link.framer.timer is None)
        assert end.waits == 0
        assert not end.errors


@check_line()
async def test_a_lost_ack_shows_nobody_a_frame_twice(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sale would be made twice because one byte got lost on its way back."""
    async with linked(name, StxFramer(timers=QUICK), monkeypatch) as (end, far, _):
        host = StxFramer()
        end.link.send(REQUEST)
        frame = StxFramer().wrap(REQUEST)
        await far.until(lambda: len(far.received) >= len(frame))
        assert host.feed(frame) == [REQUEST]
        host.outgoing()
        await far.until(lambda: len(far.received) >= 2 * len(frame))
        assert host.feed(frame) == []
        far.transport.write(host.outgoing())
        await end.until(lambda: end.link.framer.timer is None)
        assert not end.errors


@check_line()
async def test_a_dead_peer_is_told_of(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal whose cable is out would hang for the whole reply timeout and blame the host."""
    async with linked(name, StxFramer(timers=QUICK), monkeypatch) as (end, far, _):
        end.link.send(REQUEST)
        await end.until(lambda: bool(end.errors))
        assert "no ACK for 4 sendings" in str(end.errors[0])
        expected = StxFramer().wrap(REQUEST) * 4 + ENDED
        await far.until(lambda: far.received == expected)
        assert end.waits == 0
        assert len(end.errors) == 1


@check_line()
async def test_a_reply_instead_of_the_ack_ends_the_wait(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that never acknowledges would get each request four times, and be given up."""
    async with linked(name, StxFramer(timers=PATIENT), monkeypatch) as (end, far, _):
        end.link.send(REQUEST)
        far.transport.write(StxFramer().wrap(REPLY))
        await end.until(lambda: end.payloads == [REPLY])
        assert end.waits == 0
        assert end.link.framer.timer is None


@check_line()
async def test_half_a_frame_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that lost its end would swallow the next one."""
    async with linked(name, StxFramer(timers=QUICK), monkeypatch) as (end, far, _):
        frame = StxFramer().wrap(REPLY)
        far.transport.write(frame[:-1])
        await far.until(lambda: far.received == REFUSED)
        far.transport.write(frame)
        await end.until(lambda: end.payloads == [REPLY])
        assert end.waits == 0


@check_line()
async def test_half_a_frame_of_a_stream_is_an_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends half a frame would hold its connection for ever."""
    async with linked(name, Len2Framer(timers=QUICK), monkeypatch) as (end, far, _):
        far.transport.write(Len2Framer().wrap(REPLY) + b"\x00")
        await end.until(lambda: bool(end.errors))
        assert end.payloads == [REPLY]
        assert "half a frame" in str(end.errors[0])


@check_line()
async def test_nothing_is_waited_for_without_acknowledgement(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that has no ACK would be taken for dead."""
    async with linked(name, StxFramer(ack=False, timers=QUICK), monkeypatch) as (end, far, _):
        end.link.send(REQUEST)
        assert end.handles == []
        expected = StxFramer().wrap(REQUEST)
        await far.until(lambda: far.received == expected)


@check_line()
async def test_a_closed_link_waits_for_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that was unplugged would go on sending the last request of its former life."""
    async with linked(name, StxFramer(timers=PATIENT), monkeypatch) as (end, far, line):
        end.link.send(REQUEST)
        far.transport.write(StxFramer().wrap(REPLY)[:10])
        await end.until(lambda: end.link.framer.waiting)
        assert end.waits == 1
        end.link.close()
        assert end.waits == 0
        end.link.send(REQUEST)
        line.near.transport.close()
        end.link.send(REQUEST)
        assert end.waits == 0
