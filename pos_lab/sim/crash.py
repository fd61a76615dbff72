"""What an examiner says of a world that did not come to its end.

A run of days must not end with the first crash, and whoever mends it must be able to play it again: so whatever a world
raises is a finding like any other, told with the seed.
"""

from __future__ import annotations

import traceback
from pathlib import Path

from firmware_sim.power import PowerLost
from pos_lab.sim.checker.examiner import Violation
from pos_lab.sim.loop import Deadlocked, Escaped, Livelocked


def crashed(error: Exception) -> Violation:
    """The violation that ``error``, raised by a world, is: D3, J5, or D4 with the place where it was raised."""
    if isinstance(error, Deadlocked | Livelocked | TimeoutError):
        return Violation("D3", "somebody can always go on", str(error) or "a step never ends")
    if isinstance(error, PowerLost):
        return Violation("J5", "a device always starts", "a device does not start any more")
    return Violation("D4", "nothing ends in a traceback", str(error) if isinstance(error, Escaped) else _told(error))


def _told(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {place.name} ({Path(place.filename).name}:{place.lineno}): {error}"
