"""Two ends of a serial line and everything that it does to their bytes, in a time of its own (faults U01 to U14)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import FrameError
from protocol.framing import ACK, EOT, NAK, STX, StxFramer, Timer

pytestmark = pytest.mark.feature("F")

FLIGHT_S = 0.001
REQUEST = b"\x60" + b"request " * 6
REPLY = b"\x60" + b"reply " * 8
BINARY = bytes([STX, 0x00, 0x21, 0x03, EOT, ACK, NAK, 0x10]) * 8
Spoil = Callable[[bytes], bytes]
"""What arrives of what was written at once."""


def clean(data: bytes) -> bytes:
    """A line that does nothing."""
    return data


def first(spoil: Spoil) -> Spoil:
    """Only what is written first suffers."""
    left = [spoil]
    return lambda data: (left.pop() if left else clean)(data)


@dataclass
class End:
    """A framer, what it was given and what it gave up; ``spoil`` is what the line does to its bytes."""

    spoil: Spoil = clean
    reply: bytes = b""
    framer: StxFramer = field(default_factory=StxFramer)
    payloads: list[bytes] = field(default_factory=list)
    errors: list[FrameError] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)
    timer: Timer | None = None
    timers: int = 0


class SerialLine:
    """Both ends and the bytes in flight. ``echoes`` says that each end hears itself."""

    def __init__(self, near: End, far: End, *, echoes: bool = False) -> None:
        self.near, self.far, self._echoes = near, far, echoes
        self.now_s = self.last_step_s = 0.0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def say(self, payload: bytes) -> None:
        """The near end sends a frame; ends when nothing happens any more."""
        self._send(self.near, self.near.framer.wrap(payload))
        while self._agenda:
            self.now_s, _, act = heappop(self._agenda)
            act()

    def _send(self, end: End, data: bytes) -> None:
        end.written.append(data)
        peer = self.far if end is self.near else self.near
        hearers = (end, peer) if self._echoes else (peer,)
        arriving = end.spoil(data)
        for hearer in hearers:
            if arriving:
                self._later(FLIGHT_S, lambda hearer=hearer: self._step(hearer, lambda: hearer.framer.feed(arriving)))
        self._watch(end)

    def _step(self, end: End, step: Callable[[], list[bytes]]) -> None:
        self.last_step_s = self.now_s
        try:
            payloads = step()
        except FrameError as error:
            end.errors.append(error)
            payloads = []
        if control := end.framer.outgoing():
            self._send(end, control)
        self._watch(end)
        for payload in payloads:
            end.payloads.append(payload)
            if end.reply:
                self._send(end, end.framer.wrap(end.reply))

    def _watch(self, end: End) -> None:
        if end.timer == end.framer.timer:
            return
        end.timer = end.framer.timer
        end.timers += 1
        number = end.timers
        if end.timer:
            self._later(end.timer.timeout_s, lambda: self._ring(end, number))

    def _ring(self, end: End, number: int) -> None:
        if number == end.timers:
            end.timer = None
            self._step(end, end.framer.expire)

    def _later(self, delay_s: float, act: Callable[[], None]) -> None:
        heappush(self._agenda, (self.now_s + delay_s, next(self._order), act))


FRAME = StxFramer().wrap(REQUEST)
RECOVERED = {
    "U01 bit error": lambda data: data[:20] + bytes([data[20] ^ 0x10]) + data[21:],
    "U01 bit error in the length": lambda data: data[:1] + b"\x91" + data[2:],
    "U01 bit error in the STX": lambda data: b"\x03" + data[1:],
    "U02 lost byte": lambda data: data[:20] + data[21:],
    "U02 lost length": lambda data: data[:1] + data[3:],
    "U03 inserted byte": lambda data: data[:20] + b"\x00" + data[20:],
    "U03 repeated byte": lambda data: data[:20] + data[19:],
    "U04 break before the frame": lambda data: bytes(50) + data,
    "U04 break inside the frame": lambda data: data[:20] + bytes(50) + data[20:],
    "U06 LRC lost": lambda data: data[:-1],
    "U12 cable pulled": lambda data: data[:30],
    "U12 cable pushed in": lambda data: data[30:],
    "U12 cable pulled and pushed in": lambda data: data[:30] + data[40:],
    "U13 nothing leaves": lambda _: b"",
}


@pytest.mark.parametrize("name", RECOVERED)
@pytest.mark.parametrize("reply", [b"", REPLY], ids=["ACK", "reply"])
def test_one_disturbance_costs_nothing_but_time(name: str, reply: bytes) -> None:
    """A sale would be lost or made twice because of one disturbance on the cable."""
    line = SerialLine(End(first(RECOVERED[name])), End(reply=reply))
    line.say(REQUEST)
    assert line.far.payloads == [REQUEST]
    assert line.near.payloads == [reply] * bool(reply)
    assert line.near.errors == line.far.errors == []
    assert line.last_step_s < 5


@pytest.mark.parametrize("name", RECOVERED)
def test_a_disturbed_reply_costs_nothing_but_time(name: str) -> None:
    """An approval would be reversed because of one disturbance on the cable."""
    line = SerialLine(End(), End(reply=REPLY))
    disturb = RECOVERED[name]
    spoiled: list[bytes] = []

    def spoil(data: bytes) -> bytes:
        if len(data) > 2 and not spoiled:
            spoiled.append(data)
            return disturb(data)
        return data

    line.far.spoil = spoil
    line.say(REQUEST)
    assert line.far.payloads == [REQUEST]
    assert line.near.payloads == [REPLY]
    assert line.near.errors == line.far.errors == []


DEAD = {
    "U05 another baud": lambda data: bytes((byte * 7 + 3) & 0xF8 for byte in data),
    "U05 another parity": lambda data: bytes(byte | 0x80 for byte in data),
    "U13 stuck line": lambda _: b"",
}


@pytest.mark.parametrize("name", DEAD)
def test_a_line_that_carries_no_frame_is_given_up(name: str) -> None:
    """The shop would wait for ever, and nobody would hear that the settings of the line are wrong."""
    line = SerialLine(End(DEAD[name]), End())
    line.say(REQUEST)
    assert line.far.payloads == []
    [error] = line.near.errors
    assert "baud" in error.hint
    assert line.near.written == [FRAME] * 4 + [bytes([EOT])]
    assert line.last_step_s < 20


def test_a_lost_ack_delivers_once() -> None:
    """A sale would be made twice because one byte got lost on its way back (U08)."""
    line = SerialLine(End(), End(first(lambda _: b"")))
    line.say(REQUEST)
    assert line.far.payloads == [REQUEST]
    assert line.near.written == [FRAME] * 2
    assert line.near.errors == []


def test_acks_that_never_come_deliver_once() -> None:
    """A sale would be made five times on a line that carries one direction only (U08)."""
    line = SerialLine(End(), End(lambda _: b""))
    line.say(REQUEST)
    assert line.far.payloads == [REQUEST]
    assert "no ACK for 4 sendings" in str(line.near.errors[0])


def test_an_ack_that_became_a_nak_delivers_once() -> None:
    """A sale would be made twice because of one wrong bit (U09)."""
    line = SerialLine(End(), End(first(lambda _: bytes([NAK]))))
    line.say(REQUEST)
    assert line.far.payloads == [REQUEST]
    assert line.near.errors == []


def test_a_nak_that_became_an_ack_is_left_to_who_waits_for_the_reply() -> None:
    """A lost request would be repeated behind the back of the program, which has reversed it (U09)."""
    line = SerialLine(End(first(RECOVERED["U01 bit error"])), End(first(lambda _: bytes([ACK]))))
    line.say(REQUEST)
    assert line.far.payloads == []
    assert line.near.errors == []
    assert line.near.framer.timer is None


def test_a_request_made_again_reaches_the_host_again() -> None:
    """A terminal that asks for the last result would get an ACK and no result (U10)."""
    line = SerialLine(End(), End(reply=REPLY))
    line.say(REQUEST)
    line.say(REQUEST)
    assert line.far.payloads == [REQUEST] * 2
    assert line.near.payloads == [REPLY] * 2


def test_control_bytes_in_a_payload_are_payload() -> None:
    """A PIN block or a picture that holds an ETX would be cut there (U11)."""
    line = SerialLine(End(), End(reply=BINARY))
    line.say(BINARY[::-1])
    assert line.far.payloads == [BINARY[::-1]]
    assert line.near.payloads == [BINARY]


def test_the_lrc_does_not_see_bytes_that_changed_places() -> None:
    """Whoever believes the LRC would take an amount that the line has altered (U07): money has its MAC."""
    swapped = FRAME[:20] + FRAME[21:22] + FRAME[20:21] + FRAME[22:]
    assert swapped != FRAME
    assert StxFramer().feed(swapped) == [swapped[3:-2]]


@pytest.mark.parametrize("reply", [b"", REPLY], ids=["ACK", "reply"])
def test_an_end_that_hears_itself(reply: bytes) -> None:
    """On a two-wire line each end would answer its own messages (U14)."""
    line = SerialLine(End(), End(reply=reply), echoes=True)
    line.say(REQUEST)
    assert line.far.payloads == [REQUEST]
    assert line.near.payloads == [reply] * bool(reply)
    assert line.near.errors == line.far.errors == []


def test_a_plug_in_loopback() -> None:
    """A terminal with a test plug in its port would take itself for the host (U14)."""
    near = End()
    line = SerialLine(near, near)
    line.say(REQUEST)
    assert near.payloads == []
    assert "loopback" in near.errors[0].hint


DAMAGES: list[Spoil] = [
    clean,
    lambda _: b"",
    lambda data: data[:-1],
    lambda data: data[len(data) // 2 :],
    lambda data: data[: len(data) // 2] + data[len(data) // 2 + 1 :],
    lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 0x40]) + data[len(data) // 2 + 1 :],
    lambda data: b"\x00" * 9 + data,
    lambda data: data + data[-1:],
]
fates = st.lists(st.sampled_from(DAMAGES), max_size=40)


@given(there=fates, back=fates, count_=st.integers(1, 6))
def test_any_disturbance_delivers_once_or_is_told(there: list[Spoil], back: list[Spoil], count_: int) -> None:
    """A sale would be made twice, or be lost with both ends content."""

    def by(fates: Iterator[Spoil]) -> Spoil:
        return lambda data: next(fates, clean)(data)

    sent = [b"\x60" + b"%020d" % number for number in range(count_)]
    line = SerialLine(End(by(iter(there))), End(by(iter(back))))
    for payload in sent:
        line.say(payload)
    delivered = line.far.payloads
    assert delivered == [payload for payload in sent if payload in delivered]
    assert len(sent) - len(delivered) <= len(line.near.errors)
    assert line.far.errors == []
    assert not line.near.framer.waiting
    assert not line.far.framer.waiting
