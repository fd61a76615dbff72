"""Who may try MACs, and which line speaks for a terminal: TABLE BARS and the fence (invariants C4, I6).

Rules owned here: wrong MACs in a row bar a terminal at an address, for longer each time; many within a minute bar what
is not known there, so that the good terminals behind one address (NAT) go on; a line that has proven a terminal's keys
is not barred for it. Two lines that take a terminal from each other again and again are a clone. Nothing here changes a
terminal, and nothing reads a clock.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of BARS: how many wrong MACs bar, within how many seconds (0: in a row), how long at first and at most."""

    wrong_macs: int
    within_s: int
    first_s: int
    most_s: int


BARS: Final = {
    "terminal": Bar(wrong_macs=5, within_s=0, first_s=1, most_s=60),
    "address": Bar(wrong_macs=50, within_s=60, first_s=5, most_s=60),
}
"""What is barred: one terminal at one address; or at an address all that have not proven themselves from there."""

REMEMBERED_MAX: Final = 10_000
FORGIVEN_AFTER_S: Final = 600
CLONE_TURNS: Final = 2


@dataclass(slots=True, eq=False)
class Line:
    """A connection: a ``name`` that no other has, the peer's ``address``, the terminals whose keys it has proven.

    ``seats`` has, by serial number, the fence at which this line speaks for a terminal, or would: it is fixed once it
    proves the terminal's keys, and good until another line has a seat of this number or a later one.
    """

    name: str
    address: str
    proven: set[str] = field(default_factory=set)
    seats: dict[str, int] = field(default_factory=dict)

    def serves_besides(self, serial_number: str) -> bool:
        """Does another terminal speak on it, too? Then it does not end for this one's sake."""
        return len(self.proven) > (serial_number in self.proven)

    def leave(self, serial_number: str) -> None:
        """The terminal may come back on this line, as on a new one."""
        self.proven.discard(serial_number)
        self.seats.pop(serial_number, None)


@dataclass(slots=True)
class _Tries:
    wrong: int = 0
    since: int = 0
    backoff_s: int = 0
    barred_until: int = 0
    known: bool = False


@dataclass(slots=True)
class _Turns:
    count: int = 0
    at: int = 0
    spoken_late: bool = False


class _Recent(Generic[V]):
    """What is remembered of the last REMEMBERED_MAX keys."""

    def __init__(self, new: type[V]) -> None:
        self._new = new
        self._kept: OrderedDict[Hashable, V] = OrderedDict()

    def of(self, key: Hashable) -> V:
        """The entry of a key, a new one where there is none."""
        if key not in self._kept:
            self._kept[key] = self._new()
            if len(self._kept) > REMEMBERED_MAX:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return self._kept[key]

    def known(self, key: Hashable) -> V | None:
        """The entry of a key, if there is one."""
        return self._kept.get(key)


class Guard:
    """The memory of one host process. Instants are epoch seconds; an alarm comes back as the text of an audit row."""

    def __init__(self) -> None:
        self._pairs = _Recent(_Tries)
        self._addresses = _Recent(_Tries)
        self._turns = _Recent(_Turns)

    def is_barred(self, line: Line, serial_number: str, at: int) -> bool:
        """Must a MAC of this terminal on this line not even be looked at now?"""
        if serial_number in line.proven:
            return False
        pair = self._pairs.known((serial_number, line.address))
        if pair and at < pair.barred_until:
            return True
        address = self._addresses.known(line.address)
        return address is not None and at < address.barred_until and not (pair and pair.known)

    def wrong(self, line: Line, serial_number: str, at: int) -> str:
        """A MAC was wrong; returns the alarm where that bars somebody, whose session then ends."""
        pair, address = self._pairs.of((serial_number, line.address)), self._addresses.of(line.address)
        by_address = _count(address, BARS["address"], at)
        if _count(pair, BARS["terminal"], at):
            line.proven.discard(serial_number)
            return f"{BARS['terminal'].wrong_macs} wrong MACs from {line.address}: barred for {pair.backoff_s} s"
        return (
            f"wrong MACs for many terminals from {line.address}: barred for {address.backoff_s} s" if by_address else ""
        )

    def good(self, line: Line, serial_number: str) -> None:
        """A MAC was good: the line has proven the terminal's keys."""
        if serial_number not in line.proven:
            line.proven.add(serial_number)
            pair = self._pairs.of((serial_number, line.address))
            pair.known, pair.wrong = True, 0
        elif (tried := self._pairs.known((serial_number, line.address))) and tried.wrong:
            tried.wrong = 0

    def late(self, serial_number: str) -> None:
        """A line spoke for a terminal after another one had taken over."""
        self._turns.of(serial_number).spoken_late = True

    def taken_over(self, serial_number: str, at: int) -> str:
        """Another line speaks for a terminal from now on; returns the alarm where two take turns: a clone (A06)."""
        turns = self._turns.known(serial_number)
        if turns is None or not turns.spoken_late:
            return ""
        turns.count = turns.count + 1 if at - turns.at <= FORGIVEN_AFTER_S else 1
        turns.spoken_late, turns.at = False, at
        return "two devices speak in turn under this serial number: a clone" if turns.count == CLONE_TURNS else ""


def _count(tries: _Tries, bar: Bar, at: int) -> bool:
    """Count a wrong MAC; does it bar?"""
    if at - tries.barred_until > FORGIVEN_AFTER_S:
        tries.backoff_s = 0
    if bar.within_s and at - tries.since > bar.within_s:
        tries.wrong, tries.since = 0, at
    tries.wrong += 1
    if tries.wrong < bar.wrong_macs:
        return False
    tries.wrong, tries.since = 0, at
    tries.backoff_s = min(tries.backoff_s * 2 or bar.first_s, bar.most_s)
    tries.barred_until = at + tries.backoff_s
    return True
