"""Power: what ends when it is cut, and where the cut may fall.

Rules owned here: a power cut is not a cancelled task. Every device is born in one power epoch and begins each use with
``power.check(epoch)``; after a cut the devices of the old epoch raise PowerLost and change nothing, so that not even
the ``finally`` clauses of the interrupted program reach a chip. Every durable write passes ``Power.write``, which
counts it: run once, read ``operations``, then interrupt each of them in each phase.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from firmware_sim.errors import DeviceError


class PowerLost(BaseException):
    """The power went; no program of that epoch goes on. Not an Exception: nobody may handle it and carry on."""


class Phase(Enum):
    """Where in a durable operation the power goes: nothing, a part, or all of it has reached the chip."""

    BEFORE = "before"
    TORN = "torn"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class _Cut:
    operation: int
    phase: Phase
    torn_bytes: int | None

    def reached(self, data: bytes) -> bytes:
        """Return what of ``data`` reaches the chip: its first bytes, as a chip writes in order."""
        if self.phase is Phase.BEFORE:
            return b""
        if self.phase is Phase.AFTER:
            return data
        return data[: len(data) // 2 if self.torn_bytes is None else self.torn_bytes]


class Power:
    """The supply of one machine. ``epoch`` counts its ends and beginnings, ``operations`` its durable writes."""

    def __init__(self) -> None:
        self.epoch = 0
        self.is_on = False
        self.operations = 0
        self._planned: _Cut | None = None
        self._on_cut: dict[Callable[[], None], None] = {}

    def switch_on(self) -> None:
        """Begin a new epoch; raises DeviceError when the power is on already."""
        if self.is_on:
            raise DeviceError("the power is on already", hint="cut it first")
        self.epoch += 1
        self.is_on = True

    def cut(self) -> None:
        """End the epoch now. Whoever waits on a device of it wakes up with PowerLost."""
        self.epoch += 1
        self.is_on = False
        witnesses, self._on_cut = list(self._on_cut), {}
        for witness in witnesses:
            witness()

    def cut_at(self, operation: int, phase: Phase, *, torn_bytes: int | None = None) -> None:
        """Plan a cut in the ``operation``-th durable write from now, 1 being the next.

        ``torn_bytes`` is how many bytes a TORN write leaves on the chip, half of them when not given. A later plan
        replaces an earlier one; a plan survives other cuts, so a cut in the recovery can be planned before power-on.
        """
        if operation < 1:
            raise ValueError("operations are counted from 1")
        self._planned = _Cut(self.operations + operation, phase, torn_bytes)

    def spare(self) -> bool:
        """Give up a planned cut; tells whether there was one that had not come."""
        planned, self._planned = self._planned, None
        return planned is not None

    def is_alive(self, epoch: int) -> bool:
        """Whether ``epoch`` is the one that has power now."""
        return self.is_on and epoch == self.epoch

    def check(self, epoch: int) -> None:
        """Raise PowerLost unless ``epoch`` has power."""
        if not self.is_alive(epoch):
            raise PowerLost

    def write(self, epoch: int, data: bytes, store: Callable[[bytes], None]) -> None:
        """Do one durable operation: hand ``data`` to ``store``, or as much as reaches the chip when the power goes."""
        self.check(epoch)
        self.operations += 1
        cut = self._planned
        if cut is None or cut.operation != self.operations:
            store(data)
            return
        self._planned = None
        store(cut.reached(data))
        self.cut()
        raise PowerLost

    def on_cut(self, witness: Callable[[], None]) -> None:
        """Call ``witness`` once, at the next cut."""
        self._on_cut[witness] = None

    def forget(self, witness: Callable[[], None]) -> None:
        """Undo ``on_cut``; nothing happens if it was not there."""
        self._on_cut.pop(witness, None)


class Powered:
    """A device of the power epoch in which it was made."""

    def __init__(self, power: Power) -> None:
        self._power = power
        self._epoch = power.epoch

    def _check(self) -> None:
        self._power.check(self._epoch)
