"""The network between a line and its host, as the tester sets it: how long it dials, how fast and how far it carries.

Rules owned here: TABLE NETWORKS; bytes leave a slow direction in slices, in order, each after the time that its bits
take and the latency; what changes applies to every byte that has not left yet. Waiting is the event loop's, so virtual
time carries a slow network at no cost. What TLS adds on the wire is not counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from firmware_sim.errors import DeviceError, UnknownName

SLICE_S: Final = 0.05
SIGNAL_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Network:
    """How a line is connected. ``bandwidth_bps`` is for each direction, 0 for no limit; ``signal`` 0 is none at all."""

    chinese: str
    english: str
    dial_s: float = 0.0
    latency_s: float = 0.0
    bandwidth_bps: int = 0
    signal: int = SIGNAL_MAX

    def __post_init__(self) -> None:
        """DeviceError for what no network is."""
        if min(self.dial_s, self.latency_s, self.bandwidth_bps) < 0 or not 0 <= self.signal <= SIGNAL_MAX:
            raise DeviceError("there is no such network", hint=f"nothing below 0, and a signal of {SIGNAL_MAX} at most")

    def takes_s(self, size_bytes: int) -> float:
        """How long so many bytes are on their way."""
        return self.latency_s + (size_bytes * 8 / self.bandwidth_bps if self.bandwidth_bps else 0.0)


NETWORKS: Final[Mapping[str, Network]] = MappingProxyType(
    {
        "direct": Network("直连", "nothing in between"),
        "ethernet": Network("以太网", "Ethernet", 0.0, 0.002, 100_000_000),
        "wifi": Network("无线局域网", "wireless LAN", 0.3, 0.008, 20_000_000, 4),
        "4g": Network("4G移动网络", "4G", 1.0, 0.06, 10_000_000, 4),
        "gprs": Network("GPRS移动网络", "GPRS", 3.0, 0.7, 40_000, 3),
        "dial_up": Network("电话拨号", "telephone modem", 6.0, 0.12, 2_400),
        "collapsed": Network("网络拥塞", "a network that has all but collapsed", 0.0, 1.0, 300, 1),
        "no_signal": Network("无信号", "out of reach", signal=0),
    }
)


def find_network(name: str) -> Network:
    """A row of NETWORKS; raises UnknownName with the nearest one."""
    if name not in NETWORKS:
        raise UnknownName("network", name, NETWORKS)
    return NETWORKS[name]


class OneWay:
    """One way through a network, to ``deliver``; ``network`` is asked anew for every slice."""

    def __init__(self, network: Callable[[], Network], deliver: Callable[[bytes], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._network = network
        self._deliver = deliver
        self._waiting = bytearray()
        self._flying: deque[tuple[float, bytes]] = deque()
        self._leaving: asyncio.TimerHandle | None = None
        self._arriving: asyncio.TimerHandle | None = None

    def put(self, data: bytes) -> None:
        """Send ``data`` on its way."""
        network = self._network()
        if not (network.latency_s or network.bandwidth_bps or self._waiting or self._flying):
            self._deliver(data)
            return
        self._waiting += data
        if self._leaving is None:
            self._leave()

    def flush(self) -> None:
        """Deliver at once what is on its way."""
        rest = b"".join(data for _, data in self._flying) + bytes(self._waiting)
        self.stop()
        if rest:
            self._deliver(rest)

    def stop(self) -> None:
        """Deliver nothing more; what is on its way is lost."""
        for timer in (self._leaving, self._arriving):
            if timer is not None:
                timer.cancel()
        self._leaving = self._arriving = None
        self._waiting.clear()
        self._flying.clear()

    def _leave(self) -> None:
        """The next slice begins to leave, if there is one; it has left when its last bit has."""
        self._leaving = None
        if not self._waiting:
            return
        network = self._network()
        bandwidth_bps = network.bandwidth_bps
        size = max(1, int(bandwidth_bps * SLICE_S / 8)) if bandwidth_bps else len(self._waiting)
        data = bytes(self._waiting[:size])
        del self._waiting[:size]
        takes_s = network.takes_s(len(data)) - network.latency_s
        due = self._loop.time() + takes_s + network.latency_s
        self._flying.append((max(due, self._flying[-1][0]) if self._flying else due, data))
        if self._arriving is None:
            self._arriving = self._loop.call_at(self._flying[0][0], self._arrive)
        self._leaving = self._loop.call_later(takes_s, self._leave)

    def _arrive(self) -> None:
        self._arriving = None
        _, data = self._flying.popleft()
        if self._flying:
            self._arriving = self._loop.call_at(self._flying[0][0], self._arrive)
        self._deliver(data)
