"""Armed faults: each point fires, once, counted."""

from __future__ import annotations

import random

import pytest

from firmware_sim.errors import DeviceError, UnknownName
from firmware_sim.faults import FAULT_POINTS, Action, Faults, Hold, Place

# fault point -> an action it takes, and what of the payload b"one" is delivered at once
DELIVERED: dict[str, tuple[Action, list[bytes]]] = {
    "line.drop_request": (None, []),
    "line.drop_reply": (None, []),
    "line.hold_reply": (Hold(), []),
    "line.replace_reply": (bytes.upper, [b"ONE"]),
}


def test_every_point_has_a_case() -> None:
    """A fault that no test fires may never fire in a scenario either."""
    assert DELIVERED.keys() == {name for name, point in FAULT_POINTS.items() if point.place is not Place.PART}


@pytest.mark.parametrize("name", DELIVERED)
def test_a_fault_fires_once_at_its_place_and_is_counted(name: str) -> None:
    """A lost reply would be lost for ever, or a scenario pass without its fault."""
    action, expected = DELIVERED[name]
    faults, delivered = Faults(), list[bytes]()
    place = FAULT_POINTS[name].place
    (other,) = {Place.REQUEST, Place.REPLY} - {place}
    faults.arm(name, action)
    faults.carry(other, b"elsewhere", delivered.append)
    assert (delivered, faults.armed, faults.fired[name]) == ([b"elsewhere"], (name,), 0)
    delivered.clear()
    faults.carry(place, b"one", delivered.append)
    assert (delivered, faults.armed, faults.fired[name]) == (expected, (), 1)
    faults.carry(place, b"two", delivered.append)
    assert delivered == [*expected, b"two"]


def test_when_picks_the_payload() -> None:
    """The reply of the echo would be lost instead of the reply of the sale."""
    faults, delivered = Faults(), list[bytes]()
    faults.arm("line.drop_reply", when=lambda payload: payload == b"sale")
    for payload in (b"echo", b"sale", b"sale"):
        faults.carry(Place.REPLY, payload, delivered.append)
    assert delivered == [b"echo", b"sale"]


async def test_a_held_reply_is_handed_on_once() -> None:
    """A reply that was held would come twice, or not at all."""
    faults, delivered, hold = Faults(), list[bytes](), Hold()
    faults.arm("line.hold_reply", hold)
    faults.carry(Place.REPLY, b"late", delivered.append)
    await hold.caught()
    assert not delivered
    hold.release()
    hold.release()
    assert delivered == [b"late"]


def test_a_hold_released_early_holds_nothing() -> None:
    """A scenario that gave up waiting would block the line for ever."""
    faults, delivered, hold = Faults(), list[bytes](), Hold()
    faults.arm("line.hold_reply", hold)
    hold.release()
    faults.carry(Place.REPLY, b"reply", delivered.append)
    assert delivered == [b"reply"]


@pytest.mark.parametrize(("name", "place"), [("line.drop_request", Place.REQUEST), ("line.drop_reply", Place.REPLY)])
def test_traffic_is_lost_by_chance_too(name: str, place: Place) -> None:
    """A shop with a bad line could be tried only one lost message at a time."""
    faults, delivered = Faults(), list[bytes]()
    faults.expose({name: 0.5, "printer.jam": 1.0}, random.Random(1))
    for number in range(100):
        faults.carry(place, bytes([number]), delivered.append)
    assert faults.fired[name] == 100 - len(delivered)
    assert 25 < len(delivered) < 75
    assert faults.fired["printer.jam"] == 0


def test_wrong_use_is_told() -> None:
    """A mistyped fault would never happen, and the scenario pass."""
    faults = Faults()
    with pytest.raises(UnknownName, match=r"did you mean 'line\.drop_reply'"):
        faults.expose({"line.drop_replay": 0.1}, random.Random(1))
    with pytest.raises(DeviceError, match="by itself"):
        faults.expose({"line.hold_reply": 0.1}, random.Random(1))
    with pytest.raises(UnknownName, match=r"did you mean 'line\.drop_reply'"):
        faults.arm("line.drop_replay")
    for name, action in (("line.hold_reply", None), ("line.replace_reply", None), ("line.drop_reply", Hold())):
        with pytest.raises(DeviceError, match="cannot be armed"):
            faults.arm(name, action)
    with pytest.raises(DeviceError, match="0 times"):
        faults.arm("line.drop_reply", times=0)
    with pytest.raises(UnknownName, match=r"did you mean 'line\.drop_reply'"):
        faults.disarm("line.drop_replay")
    assert faults.armed == ()
