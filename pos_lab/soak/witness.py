"""What is seen of real processes, handed to the examiner: chips, database, wire, and what cashiers were told.

Rules owned here: the order in which the examiner hears of things. A reply is judged by what the database shows to
others before it is let through, a request by what the chips' files show before it is let through. A database that is
away is waited for. TABLE UNASKED, what evidence of real processes cannot be asked, and why.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pos_lab.cashier import as_told
from pos_lab.scenario.model import Text
from pos_lab.sim.checker.device import DeviceReader, Maker, Memory
from pos_lab.sim.checker.evidence import Damage, Moved, Told
from pos_lab.sim.checker.examiner import Examiner, Violation
from pos_lab.sim.checker.invariant import Invariant
from pos_lab.sim.checker.invariants import INVARIANTS
from pos_lab.sim.checker.ledger import WATCHED
from pos_lab.soak.change_table import ChangeTable
from pos_lab.soak.chip_file import READ_AHEAD, DeviceFiles
from pos_lab.soak.wording import TEXTS, said
from pos_lab.vendor import VENDOR_PUBLIC_KEY
from pos_lab.wall_clock import wall_clock

AWAY_S: Final = 60.0
"""How long a database may be away until that is an error."""
_LOOK_S: Final = 0.05
UNASKED: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "Loaded": TEXTS["of_load"],
        "Flashed": TEXTS["of_firmware"],
        "Opened": TEXTS["of_a_case"],
        "Printed": TEXTS["of_paper"],
    }
)
"""Event that the examiner never heard of -> why. What it would have been asked then was not asked."""


class _Counting(Examiner):
    """Counts the events of each kind of which predicates are asked, and how often journals were read."""

    def __init__(self, table: ChangeTable) -> None:
        self.seen: Counter[str] = Counter()
        self.readings = 0
        super().__init__(table, now_s=lambda: int(wall_clock().timestamp()))

    def look_at(self, terminal_id: str) -> list[Moved]:
        self.readings += 1
        return super().look_at(terminal_id)

    def _ask(self, event: Any) -> None:
        self.seen[type(event).__name__] += 1
        super()._ask(event)


class Witness:
    """Stands beside the processes from before the first one on; ``violations`` is what the examiner found.

    ``told`` is what cashiers were told, by its result.
    """

    def __init__(self, table: ChangeTable) -> None:
        self.told: Counter[str] = Counter()
        self._table = table
        self._examiner = _Counting(table)
        self._examiner.evidence.image_of = table.image
        self._devices: dict[str, DeviceFiles] = {}
        self._known: set[str] = set()
        self._asking: dict[str, bytes] = {}

    @property
    def violations(self) -> list[Violation]:
        """What does not hold, so far."""
        return self._examiner.violations

    @property
    def seen(self) -> Mapping[str, int]:
        """How many events of each kind there were."""
        return self._examiner.seen

    def watch(self, terminal_id: str, device: DeviceFiles) -> None:
        """Look at these chips from now on."""
        self._devices[terminal_id] = device
        journal = device.chips["journal"]
        self._examiner.watch(terminal_id, journal.read, journal.size_bytes)

    def dark(self, terminal_id: str) -> None:
        """A terminal does not run."""
        self._look_at(terminal_id)

    def booted(self, terminal_id: str) -> None:
        """A terminal runs, has recovered, and does nothing yet."""
        device = self._devices[terminal_id]
        device.refresh()
        if terminal_id not in self._known:
            self._known.add(terminal_id)
            memories = {
                name: Memory(chip.read if name in READ_AHEAD else chip.read_now, chip.size_bytes)
                for name, chip in device.chips.items()
            }
            maker = Maker(device.model.id, VENDOR_PUBLIC_KEY)
            self._examiner.know(DeviceReader(device.serial_number, device.fuse, memories, maker))
            self._examiner.fit(terminal_id, device.serial_number)
        self._examiner.booted(terminal_id)

    def sent(self, terminal_id: str, payload: bytes, line: str) -> None:
        """A terminal has let a request go, and its host is given it. One that a serial line repeats was sent before."""
        self._examiner.asked(line, payload)
        if self._asking.get(terminal_id) != payload:
            self._asking[terminal_id] = payload
            self._devices[terminal_id].refresh()
            self._examiner.sent(terminal_id, payload)

    async def replied(self, payload: bytes, line: str) -> None:
        """A host has let a reply go, and it is not let through before this returns."""
        await self.look_at_ledger()
        self._examiner.replied(len(payload).to_bytes(2, "big") + payload, line)

    def received(self, terminal_id: str, payload: bytes) -> None:
        """A reply is about to reach its terminal."""
        self._examiner.received(terminal_id, payload)

    async def hear(self, terminal_id: str, outcome: Mapping[str, Any]) -> None:
        """The cashier was told how a flow ended."""
        flow, result, stan = outcome["flow"], outcome["result"], outcome["stan"]
        self.told[result] += 1
        await self.look_at_ledger()
        self._look_at(terminal_id)
        if taken := as_told(flow, result, stan):
            self._examiner.told(Told(terminal_id, flow, taken, stan, outcome["amount_fen"]))

    async def look_at_ledger(self) -> None:
        """See what was committed; waits for a database that is away. Raises what its driver does after AWAY_S."""
        for left in reversed(range(int(AWAY_S / _LOOK_S))):
            try:
                self._examiner.look_at_ledger()
            except self._table.errors:
                if not left:
                    raise
                await asyncio.sleep(_LOOK_S)
            else:
                return

    def healed(self) -> None:
        """Nobody is killed any more, and nothing damaged."""
        self._examiner.healed()

    async def quiet(self, lines: frozenset[str]) -> None:
        """Everything is healed, resolved and settled, and these lines are still open."""
        await self.look_at_ledger()
        for terminal_id in self._devices:
            self._look_at(terminal_id)
        self._examiner.quiet(lines)

    def search(self, places: Mapping[str, bytes], secrets: Mapping[str, bytes]) -> None:
        """Nothing runs any more: look whether what was committed is there, and for secrets wherever something is."""
        self._examiner.search(places, secrets)
        for table in WATCHED:
            if self._table.rows(table) != self._examiner.evidence.ledger.tables[table]:
                self.find("J4", "what was committed stays", f"the table {table} is not what was written into it")

    def find(self, invariant: str, rule: str, finding: str) -> None:
        """Write down what needs no examiner."""
        self.violations.append(Violation(invariant, rule, finding))

    @property
    def asked(self) -> dict[str, int]:
        """Invariant -> at how many events it was asked."""
        asked = dict.fromkeys((row.id for row in INVARIANTS), 0)
        for row in INVARIANTS:
            asked[row.id] += self._chances(row)
        return asked

    @property
    def unasked(self) -> dict[str, Text]:
        """Part of an invariant that was never asked -> why."""
        never = [row for row in INVARIANTS if not self._chances(row)]
        return {
            f"{row.id} ({row.english})": UNASKED.get(row.event.__name__, _unseen(row.event.__name__)) for row in never
        }

    def _chances(self, row: Invariant) -> int:
        """How often something was seen that it is asked of; damage is looked for in every reading of a journal."""
        return self._examiner.readings if row.event is Damage else self.seen.get(row.event.__name__, 0)

    def _look_at(self, terminal_id: str) -> None:
        self._devices[terminal_id].refresh()
        self._examiner.look_at(terminal_id)


def _unseen(event: str) -> Text:
    return Text(zh=said("unseen", "zh", event=event), en=said("unseen", "en", event=event))
