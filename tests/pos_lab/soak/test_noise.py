"""Noise on a cable, and the tap that reads through it."""

from __future__ import annotations

from itertools import takewhile
from random import Random

import pytest

from pos_lab.soak.line import Tap
from pos_lab.soak.noise import BURST_BYTES, NOISES, Cable
from protocol.codec import seal
from protocol.framing import StxFramer
from tests.protocol.samples import ECHO

PAYLOAD = seal(ECHO)


def alike(one: bytes, other: bytes) -> int:
    """How many bytes they have in common in front."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))


def test_a_quiet_cable_changes_nothing() -> None:
    """Every finding would be blamed on the noise."""
    cable = Cable(Random(1), 0.0)
    assert [cable.carry(data) for data in (PAYLOAD, b"", PAYLOAD)] == [PAYLOAD, b"", PAYLOAD]
    assert not cable.fired


@pytest.mark.parametrize("name", NOISES)
def test_a_burst_cannot_hide_from_the_mac(name: str) -> None:
    """The exclusive or of blocks would take damage for good, and the soak find what no terminal can."""
    for seed in range(200):
        after = NOISES[name](PAYLOAD, Random(seed))
        head = alike(PAYLOAD, after)
        tail = alike(PAYLOAD[head:][::-1], after[head:][::-1])
        if name not in ("half_frame", "pulled"):
            assert max(len(after), len(PAYLOAD)) - head - tail <= BURST_BYTES, seed


def test_all_of_it_happens_and_a_pulled_plug_comes_back() -> None:
    """A kind of noise would be in the table and never on the line."""
    cable = Cable(Random(1), 0.2)
    came = [cable.carry(PAYLOAD) for _ in range(500)]
    assert set(cable.fired) == set(NOISES)
    assert came[-50:].count(PAYLOAD) > 10


def test_a_tap_sees_what_is_sent_again() -> None:
    """A reply that came through at the second try would never have come, for the examiner."""
    frame = StxFramer().wrap(PAYLOAD)
    tap = Tap(StxFramer)
    assert tap.feed(frame) == [PAYLOAD]
    assert tap.feed(frame) == [PAYLOAD]
    assert tap.feed(frame[:20]) + tap.feed(frame[20:]) == [PAYLOAD]
    assert tap.feed(b"\x06\x15") == []
