"""A shop that can be frozen in any moment and thawed as often as one likes: what survives a power cut, and no more.

Freezing keeps every byte of the chips, the host's ledger, the cards' memories, the paper, and what the cashier was
told. Two frozen shops that are equal have the same future, since chance begins anew with each thaw.
"""

from __future__ import annotations

import copy
import hashlib
import pickle
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from firmware_sim.chip import Chip
from firmware_sim.chips import CYCLES, SIZES, Chips
from firmware_sim.fuse import Fuse
from firmware_sim.nvram import Nvram
from firmware_sim.power import Power
from firmware_sim.printer import CUT_HERE
from protocol.crypto.vault import KEY_BYTES
from protocol.transport import serve
from terminal.app import Terminal
from terminal.outcome import Outcome
from terminal.receipts import DUPLICATE
from terminal.transaction import Key
from tests.terminal.bench import Bench
from tests.terminal.fake_host import Connection, FakeHost, Row

_names = count()
_FORGOTTEN: Final = ("requests", "before", "after", "asks", "answers")
"""Of the host, what is the test's: what it was asked, and the rules that spoil its answers."""
STOOD: Final = frozenset({"captured", "voided", "adjusted"})
"""States of a row whose customer was told that it is approved."""


@dataclass
class Ledger(FakeHost):
    """A host that counts how often it captured what (invariant M3)."""

    captures: Counter[Key] = field(default_factory=Counter)

    def _capture(self, reply: Any, key: Key, original: Key | None) -> None:
        self.captures[key] += 1
        super()._capture(reply, key, original)


@dataclass(frozen=True)
class Frozen:
    """One moment of a shop: ``chips`` in the order of SIZES and the fuse behind them, and what was ``told``."""

    chips: tuple[bytes, ...] = field(repr=False)
    host: bytes = field(repr=False)
    cards: Any = field(repr=False, compare=False, hash=False)
    told: tuple[tuple[str, str], ...]
    paper: tuple[str, ...] = field(repr=False)

    @property
    def digest(self) -> bytes:
        """The same for moments with the same future, which the paper has no part in."""
        whole = hashlib.blake2b(digest_size=16)
        for part in (*self.chips, self.host, repr(self.told).encode()):
            whole.update(part)
        return whole.digest()


class Shop(Bench):
    """A bench whose cashier remembers, across power cuts, what was told of each STAN and of each batch."""

    def __init__(self, host: FakeHost, url: str, model: str) -> None:
        super().__init__(host, url, model)
        self.heard: list[tuple[str, str]] = []

    def restart(self) -> Terminal:
        """The power goes and comes back; the cashier forgets nothing."""
        self.listen()
        return super().restart()

    def listen(self) -> None:
        """Write down what was told since the last time, as (what it is about, how it ended)."""
        told, self.terminal.told = self.terminal.told, []
        self.terminal.session.told = self.terminal.told
        self.heard += [verdict for outcome in told if (verdict := _verdict(outcome))]

    def freeze(self) -> Frozen:
        """This moment, with the power off."""
        self.listen()
        hardware = self.hardware
        if hardware.power.is_on:
            hardware.cut_power()
        kept = {name: value for name, value in vars(self.host).items() if name not in _FORGOTTEN}
        return Frozen(
            (*(getattr(hardware.chips, name).image for name in SIZES), hardware.chips.fuse.image),
            pickle.dumps(kept),
            copy.deepcopy((hardware.chip_memories, hardware.card_slot)),
            tuple(self.heard),
            tuple(hardware.paper),
        )

    def thaw(self, frozen: Frozen) -> None:
        """Put everything back as it was, with the power off."""
        hardware, model = self.hardware, self.hardware.model
        if hardware.power.is_on:
            hardware.cut_power()
        hardware.power.spare()
        chips = {
            name: Chip.holding(image, name=name, cycles_max=CYCLES[name](model))
            for name, image in zip(SIZES, frozen.chips, strict=False)
        }
        hardware.chips = Chips(**chips, fuse=_fuse(frozen.chips[-1]))
        memories, slot = copy.deepcopy(frozen.cards)
        hardware.chip_memories, hardware.card_slot = memories, deque(slot)
        hardware.paper[:], hardware.shown[:] = frozen.paper, []
        numbers = count()
        hardware.fresh = lambda size: hashlib.shake_256(f"thawed {next(numbers)}".encode()).digest(size)
        vars(self.host).update(pickle.loads(frozen.host), **{name: [] for name in _FORGOTTEN})
        self.terminal.told.clear()
        self.heard = list(frozen.told)

    def journal(self) -> tuple[bytes, ...]:
        """The records that are on the chip of the journal, whether the power is on or off."""
        chip = Chip.holding(self.hardware.chips.journal.image, name="journal")
        power = Power()
        power.switch_on()
        return Nvram(chip, power).records()

    def told_differently(self) -> list[str]:
        """What was told twice, and not the same (invariant M5)."""
        ends: dict[str, set[str]] = {}
        for about, end in self.heard:
            ends.setdefault(about, set()).add(end)
        return [f"{about}: {sorted(told)}" for about, told in ends.items() if len(told) > 1]

    def broken_promises(self) -> list[str]:
        """What was told and the host's ledger does not bear out (invariant M4)."""
        rows = {key.stan: row for key, row in self.host.book.items()}
        promised = [(about, end == "approved") for about, end in self.heard if about in rows or end == "approved"]
        none = Row("", 0, "")
        return [about for about, stands in promised if (rows.get(about, none).state in STOOD) is not stands]

    def captured_twice(self) -> list[Key]:
        """What the host captured more than once (invariant M3)."""
        assert isinstance(self.host, Ledger)
        return [key for key, times in self.host.captures.items() if times > 1]

    def printed_twice(self) -> list[str]:
        """Slips that came out whole more than once and do not say so."""
        slips = "\n".join(self.hardware.paper).split(CUT_HERE)[:-1]
        return [slip for slip, times in Counter(slips).items() if times > 1 and DUPLICATE not in slip]


@asynccontextmanager
async def shop(host: Ledger, model: str) -> AsyncIterator[Shop]:
    """A shop with a terminal of ``model``, whose host is served in memory."""
    listener = await serve(f"memory:shop-{next(_names)}", lambda: Connection(host))
    built = Shop(host, listener.url, model)
    try:
        yield built
    finally:
        built.hardware.close()
        await listener.close()


def _fuse(image: bytes) -> Fuse:
    fuse = Fuse(image[:KEY_BYTES])
    if fuse.image != image:
        fuse.erase()
    return fuse


def _verdict(outcome: Outcome) -> tuple[str, str] | None:
    """What an outcome settles for good: of a STAN, or of a batch; None where it leaves that open."""
    if outcome.flow == "settle" and outcome.is_good:
        return f"batch {outcome.detail['batch']}", outcome.detail["balanced"]
    if not outcome.stan or outcome.result in ("unknown", "cancelled"):
        return None
    return outcome.stan, {"approved": "approved", "done": "reversed"}.get(outcome.result, "declined")
