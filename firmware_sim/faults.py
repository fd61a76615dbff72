"""What can be made to fail, by name.

Rules owned here: TABLE FAULT_POINTS. A part hands its traffic to ``Faults.carry`` and nothing else decides to fail. An
armed fault fires once, at the first payload that its ``when`` accepts, and every firing is counted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from firmware_sim.errors import DeviceError, UnknownName

Deliver = Callable[[bytes], None]
Replace = Callable[[bytes], bytes]


class Place(Enum):
    """Where traffic passes."""

    REQUEST = "request"
    REPLY = "reply"


class Hold:
    """A reply that is kept back until ``release``: time for the laboratory to do something in between."""

    def __init__(self) -> None:
        self._caught = asyncio.Event()
        self._released = False
        self._hand_on: Callable[[], None] | None = None

    async def caught(self) -> None:
        """Wait until a reply is held."""
        await self._caught.wait()

    def catch(self, hand_on: Callable[[], None]) -> None:
        """Take charge of a reply, which ``hand_on`` delivers; after ``release`` it goes through at once."""
        self._caught.set()
        if self._released:
            hand_on()
        else:
            self._hand_on = hand_on

    def release(self) -> None:
        """Hand the reply on, once; the terminal may have given up waiting, or have lost power, by then."""
        self._released = True
        hand_on, self._hand_on = self._hand_on, None
        if hand_on is not None:
            hand_on()


Action = Hold | Replace | None


def _drop(action: Action, payload: bytes, deliver: Deliver) -> None:
    """Deliver nothing."""


def _hold(action: Action, payload: bytes, deliver: Deliver) -> None:
    assert isinstance(action, Hold)
    action.catch(lambda: deliver(payload))


def _replace(action: Action, payload: bytes, deliver: Deliver) -> None:
    assert callable(action)
    deliver(action(payload))


@dataclass(frozen=True, slots=True)
class FaultPoint:
    """What happens to a payload at ``place``; ``takes`` says which action must be given when the fault is armed."""

    place: Place
    what: str
    effect: Callable[[Action, bytes, Deliver], None]
    takes: Callable[[object], bool] = lambda action: action is None


FAULT_POINTS: Mapping[str, FaultPoint] = {
    "line.drop_request": FaultPoint(Place.REQUEST, "the request is lost on its way to the host", _drop),
    "line.drop_reply": FaultPoint(Place.REPLY, "the reply is lost on its way to the terminal", _drop),
    "line.hold_reply": FaultPoint(
        Place.REPLY, "the reply waits until its Hold is released", _hold, lambda action: isinstance(action, Hold)
    ),
    "line.replace_reply": FaultPoint(
        Place.REPLY, "the terminal gets what the given function makes of the reply", _replace, callable
    ),
}


@dataclass(frozen=True, slots=True)
class _Armed:
    name: str
    action: Action
    when: Callable[[bytes], bool] | None


class Faults:
    """The armed faults of one machine; ``fired`` counts them by name."""

    def __init__(self) -> None:
        self.fired: Counter[str] = Counter()
        self._armed: list[_Armed] = []

    @property
    def armed(self) -> tuple[str, ...]:
        """The names of the faults that have not fired yet, in the order of arming."""
        return tuple(armed.name for armed in self._armed)

    def arm(self, name: str, action: Action = None, *, when: Callable[[bytes], bool] | None = None) -> None:
        """Let the fault ``name`` happen once, to the next payload, or to the next one that ``when`` accepts.

        Raises UnknownName, and DeviceError when ``action`` is not what the fault point takes.
        """
        if name not in FAULT_POINTS:
            raise UnknownName("fault", name, FAULT_POINTS)
        if not FAULT_POINTS[name].takes(action):
            raise DeviceError(f"{name} cannot be armed with this action", hint=FAULT_POINTS[name].what)
        self._armed.append(_Armed(name, action, when))

    def carry(self, place: Place, payload: bytes, deliver: Deliver) -> None:
        """Hand ``payload`` to ``deliver``, or to the first armed fault of ``place`` that takes it."""
        for armed in self._armed:
            point = FAULT_POINTS[armed.name]
            if point.place is place and (armed.when is None or armed.when(payload)):
                self._armed.remove(armed)
                self.fired[armed.name] += 1
                point.effect(armed.action, payload, deliver)
                return
        deliver(payload)
