"""What can be made to fail, by name.

Rules owned here: TABLE FAULT_POINTS. A part hands its traffic to ``Faults.carry``, or asks ``Faults.fires`` where it
may fail, and nothing else decides to fail. An armed fault fires as often as it was armed for, one for payloads at the
first that its ``when`` accepts; a condition holds until it is disarmed; what the machine is exposed to fires by chance,
which is passed in. Every firing is counted.
"""

from __future__ import annotations

import asyncio
import random
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
    PART = "part"


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


def _none(action: object) -> bool:
    return action is None


@dataclass(frozen=True, slots=True)
class FaultPoint:
    """What happens at ``place``: to a payload by ``effect``, else in the part that asks, which does as ``what`` says.

    ``takes`` says which action must be given when the fault is armed.
    """

    place: Place
    what: str
    effect: Callable[[Action, bytes, Deliver], None] = _drop
    takes: Callable[[object], bool] = _none


def _part(what: str) -> FaultPoint:
    return FaultPoint(Place.PART, what)


FAULT_POINTS: Mapping[str, FaultPoint] = {
    "line.drop_request": FaultPoint(Place.REQUEST, "the request is lost on its way to the host", _drop),
    "line.drop_reply": FaultPoint(Place.REPLY, "the reply is lost on its way to the terminal", _drop),
    "line.hold_reply": FaultPoint(
        Place.REPLY, "the reply waits until its Hold is released", _hold, lambda action: isinstance(action, Hold)
    ),
    "line.replace_reply": FaultPoint(
        Place.REPLY, "the terminal gets what the given function makes of the reply", _replace, callable
    ),
    "line.no_signal": _part("there is no signal, so the line cannot be opened"),
    "line.busy": _part("the line is busy when it is dialled"),
    "line.no_carrier": _part("nobody answers the dialled line: there is no carrier"),
    "line.breaks": _part("the connection breaks right after the request"),
    "journal.stuck_bit": _part("a cell of the journal's memory does not take what is written"),
    "journal.erase_fails": _part("a sector of the journal's memory cannot be erased any more"),
    "slots.stuck_bit": _part("a cell of the program memory does not take what is written"),
    "slots.erase_fails": _part("a sector of the program memory cannot be erased any more"),
    "firmware.trial_crashes": _part("firmware on trial crashes right after its boot, and the device restarts"),
    "power.brown_out": _part("the supply dips as the line sends: the device restarts"),
    "clock.dead_cell": _part("the clock has forgotten the time at power-on and begins at the year 2000"),
    "clock.frozen": _part("the clock stands still"),
    "clock.step_back": _part("the clock jumps back by an hour"),
    "clock.step_forward": _part("the clock jumps ahead by 400 days"),
    "watchdog.hang": _part("the application hangs: nobody kicks the watchdog any more"),
    "reader.swipe_error": _part("the stripe cannot be read"),
    "reader.chip_mute": _part("the chip does not answer when it is inserted"),
    "reader.chip_refuses": _part("the chip refuses in its first cryptogram to go online"),
    "reader.removed_before_online": _part("the card is taken out before its first cryptogram"),
    "reader.removed_after_online": _part("the card is taken out before its second cryptogram"),
    "reader.chip_declines": _part("the chip declines in its second cryptogram what the host approved"),
    "reader.torn": _part("the card leaves the antenna in the middle of the tap"),
    "reader.malformed_tlv": _part("the next answer of the chip is no data object"),
    "printer.out_of_paper": _part("the paper ends before the slip"),
    "printer.jam": _part("the paper jams in the middle of the slip"),
    "printer.overheated": _part("the print head is too hot to begin"),
    "pad.cancelled": _part("the cardholder presses cancel instead of signing"),
    "pad.no_touch": _part("nobody touches the pad until the time is up"),
    "pad.empty": _part("the cardholder confirms without having signed"),
    "pad.endless": _part("the pen never leaves the pad"),
    "secure_module.tamper": _part("the case is opened as the secure module is used: every key is erased"),
    "keypad.pin_timeout": _part("the cardholder enters no PIN until the time is up"),
    "keypad.pin_cancelled": _part("the cardholder presses cancel instead of a PIN"),
    "keypad.pin_pad_removed": _part("the PIN pad is unplugged while a PIN is asked for"),
    "keypad.key_flood": _part("keys come faster than they are taken: all are dropped, the entry is cancelled"),
}


@dataclass(slots=True)
class _Armed:
    name: str
    action: Action
    when: Callable[[bytes], bool] | None
    times: int | None


class Faults:
    """The armed faults of one machine; ``fired`` counts them by name."""

    def __init__(self) -> None:
        self.fired: Counter[str] = Counter()
        self._armed: list[_Armed] = []
        self._rates: Mapping[str, float] = {}
        self._draw: Callable[[], float] = lambda: 1.0

    @property
    def armed(self) -> tuple[str, ...]:
        """The names of the faults that have not fired yet, in the order of arming."""
        return tuple(armed.name for armed in self._armed)

    def arm(
        self,
        name: str,
        action: Action = None,
        *,
        when: Callable[[bytes], bool] | None = None,
        times: int | None = 1,
    ) -> None:
        """Let the fault ``name`` happen the next ``times``, None for as long as it is armed.

        ``when`` chooses payloads. Raises UnknownName, and DeviceError when ``action`` is not what the fault point takes
        or ``times`` is below 1.
        """
        if name not in FAULT_POINTS:
            raise UnknownName("fault", name, FAULT_POINTS)
        if not FAULT_POINTS[name].takes(action):
            raise DeviceError(f"{name} cannot be armed with this action", hint=FAULT_POINTS[name].what)
        if times is not None and times < 1:
            raise DeviceError(f"{name} cannot happen {times} times", hint="arm it once or more often")
        self._armed.append(_Armed(name, action, when, times))

    def disarm(self, name: str) -> bool:
        """Let ``name`` happen no more; whether it was armed. Raises UnknownName."""
        if name not in FAULT_POINTS:
            raise UnknownName("fault", name, FAULT_POINTS)
        armed = [one for one in self._armed if one.name != name]
        found, self._armed = len(armed) < len(self._armed), armed
        return found

    def expose(self, rates: Mapping[str, float], chance: random.Random) -> None:
        """Let each fault of ``rates`` happen by itself too, in that share of its uses, 0 to 1; replaces earlier rates.

        Raises UnknownName, and DeviceError for a fault that must be armed with an action.
        """
        for name in rates:
            if name not in FAULT_POINTS:
                raise UnknownName("fault", name, FAULT_POINTS)
            if not FAULT_POINTS[name].takes(None):
                raise DeviceError(f"{name} cannot happen by itself", hint=FAULT_POINTS[name].what)
        self._rates, self._draw = dict(rates), chance.random

    def fires(self, name: str) -> bool:
        """Does the fault ``name``, a row of a part, happen here and now?"""
        for armed in self._armed:
            if armed.name == name:
                self._fire(armed)
                return True
        return name in self._rates and self._happens(name)

    def holds(self, name: str) -> bool:
        """Is the fault ``name`` a condition now, armed for as long as nobody ends it? Nothing fires."""
        return any(armed.name == name and armed.times is None for armed in self._armed)

    def carry(self, place: Place, payload: bytes, deliver: Deliver) -> None:
        """Hand ``payload`` to ``deliver``, or to the first fault of ``place`` that takes it."""
        for armed in self._armed:
            point = FAULT_POINTS[armed.name]
            if point.place is place and (armed.when is None or armed.when(payload)):
                self._fire(armed)
                point.effect(armed.action, payload, deliver)
                return
        for name in self._rates:
            if FAULT_POINTS[name].place is place and self._happens(name):
                FAULT_POINTS[name].effect(None, payload, deliver)
                return
        deliver(payload)

    def _happens(self, name: str) -> bool:
        if self._draw() >= self._rates[name]:
            return False
        self.fired[name] += 1
        return True

    def _fire(self, armed: _Armed) -> None:
        self.fired[armed.name] += 1
        if armed.times is not None:
            armed.times -= 1
            if not armed.times:
                self._armed.remove(armed)
