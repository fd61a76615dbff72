"""A terminal's journal, read from the bytes of its NVRAM: a second implementation, which shares no line with the first.

Rules owned here: the layout of bank and record (magic, CRC chain, alignment), what each record does to a row, and that
what was once read is never gone again: records of one generation only grow (J4, J5), and a rewrite keeps every row that
is not settled (M12).
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from zlib import crc32

Key = tuple[str, str]
"""Batch and STAN."""
BANK: Final = (b"NVB1", 12, 16)
"""Magic of a bank, length of its header, where its records begin."""
RECORD: Final = (b"RC", 8, 8)
"""Magic of a record, length of its header, alignment."""
NEXT: Final = {
    "approve": "captured",
    "decline": "declined",
    "doubt": "must_reverse",
    "reverse": "reversed",
    "clear": "cleared",
}
UNDOES: Final = {
    "sale_void": "voided",
    "moto_sale_void": "voided",
    "preauth_void": "voided",
    "completion_void": "voided",
    "offline_adjustment": "adjusted",
    "tip_adjustment": "adjusted",
}
CLEARED_NOTE: Final = "reversal cleared"
"""What the audit trail calls a reversal that a supervisor dropped."""
PAPER_NOTE: Final = "signature on paper"
"""What it calls a signature that was given up, batch and STAN in front of the reason."""
ALARM_NOTE: Final = "security alarm"
"""What it calls an alarm about the keys."""
UNRESOLVED: Final = frozenset({"pending", "must_reverse", "offline"})
DUE: Final = "due"
PAPER: Final = "paper"


@dataclass(slots=True)
class Row:
    """One transaction as the terminal has it."""

    kind: str
    amount_fen: int
    state: str
    rrn: str = ""
    original: Key = ("", "")
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A row that appeared, with ``before`` "", or changed its state."""

    key: Key
    before: str
    after: str


@dataclass(slots=True)
class Till:
    """What one journal says: ``rows`` of all batches that were ever seen, ``latest`` key of each STAN.

    ``open_ends`` are the rows whose outcome is not known at both ends, ``notes`` what the audit trail says of reversals
    that were cleared, ``room_bytes`` what is left of the bank. ``images`` are the digests of signatures, ``tries`` how
    often they were sent for nothing; ``taken`` the counters of commands that were believed.
    """

    rows: dict[Key, Row] = field(default_factory=dict)
    open_rows: set[Key] = field(default_factory=set)
    latest: dict[str, Key] = field(default_factory=dict)
    closed: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: dict[Key, str] = field(default_factory=dict)
    tries: dict[Key, int] = field(default_factory=dict)
    waiting: set[Key] = field(default_factory=set)
    on_paper: set[Key] = field(default_factory=set)
    stan: str = "000000"
    taken: set[int] = field(default_factory=set)
    paused: bool = False
    pause_told: bool = True
    pause_known: bool = False

    open_ends: set[Key] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    room_bytes: int = 0

    @property
    def unresolved(self) -> list[Key]:
        """Money whose outcome is not known at both ends."""
        return sorted(self.open_ends)

    @property
    def unsigned(self) -> set[Key]:
        """What is captured, needs a signature, and has none on the pad and none on paper."""
        due = {key for key, row in self.rows.items() if row.state == "captured" and row.signature == DUE}
        return due - self.images.keys() - self.on_paper

    def move(self, key: Key, state: str) -> None:
        """A row is in this state now."""
        self.rows[key].state = state
        if state in UNRESOLVED:
            self.open_ends.add(key)
        else:
            self.open_ends.discard(key)


class JournalReader:
    """Reads one chip of ``size_bytes`` by ``read(offset, length)``; ``look`` tells what is new since the last time.

    ``count`` are the records that were appended while it looked, ``alarms`` those of them that sound an alarm about the
    keys; ``recovered_at`` is where the journal stood when the terminal had recovered last, nothing before the first
    boot that was seen, and ``keys_at`` how often the keys of its device had been others by then.
    """

    def __init__(self, read: Callable[[int, int], bytes], size_bytes: int, till: Till | None = None) -> None:
        self.till = till or Till()
        self.faults: list[str] = []
        self.entered: list[dict[str, Any]] = []
        self._read = read
        self._bank_bytes = size_bytes // 2
        self._live = (-1, 0)
        self._end = 0
        self._crc = 0
        self._tail = b""
        self._whole = sha256()
        self.count = self.alarms = 0
        self.recovered_at: tuple[int, int] | None = None
        self.keys_at = 0
        self._came_known = self.till.pause_known

    @property
    def stands_at(self) -> tuple[int, int]:
        """Where the journal stands: the generation of its bank, for a rewrite appends nothing, and ``count``."""
        return self._live[0], self.count

    def begin_anew(self) -> None:
        """What is on the chip from now on has nothing to do with what was there."""
        self._live, self._tail = (-1, 0), b""
        self.recovered_at = None

    def look(self) -> list[Step]:
        """Read on; ``faults`` has what no honest journal shows, ``entered`` the records that are new."""
        live = max((self._generation(bank), bank) for bank in (0, 1))
        if live == self._live:
            if self._tail and self._read(self._end - len(self._tail), len(self._tail)) != self._tail:
                self.faults.append("J4: a record that was durable has changed")
            steps = [step for record in self._records() for step in self._apply(record)]
            self.till.room_bytes = self._room_bytes
            return steps
        return self._look_anew(live)

    @property
    def _room_bytes(self) -> int:
        """None where a torn record stands behind the last one: nothing may be put there."""
        room = (self._live[1] + 1) * self._bank_bytes - self._end
        next_header = self._read(self._end, min(room, RECORD[1]))
        return room if next_header == b"\xff" * len(next_header) else 0

    def check(self) -> None:
        """Look whether everything that was ever read of this bank is there as it was (J4, J7)."""
        begins = self._live[1] * self._bank_bytes + BANK[2]
        is_live = self._live[0] > 0 and self._generation(self._live[1]) == self._live[0]
        if is_live and sha256(self._read(begins, self._end - begins)).digest() != self._whole.digest():
            self.faults.append("J7: a record in the middle of the journal has changed, and the terminal goes on")

    def _look_anew(self, live: tuple[int, int]) -> list[Step]:
        """The bank was rewritten: its rows replace those of the open batch, and none may be missing."""
        before, known = self.till, {key: self.till.rows[key] for key in self.till.open_rows}
        knows_pause = before.pause_known and self._live[0] > 0
        self._live, self._tail = live, b""
        self._whole = sha256()
        generation, bank = live
        self._end = bank * self._bank_bytes + BANK[2]
        self._crc = crc32(generation.to_bytes(4, "big"), crc32(BANK[0]))
        self.till = Till(
            closed=dict(before.closed),
            images=dict(before.images),
            tries=dict(before.tries),
            on_paper=set(before.on_paper),
            taken=set(before.taken),
            pause_known=knows_pause,
            notes=list(before.notes),
        )
        count, alarms = self.count, self.alarms
        for record in self._records():
            for _ in self._apply(record):
                pass
        self.count, self.alarms = count, alarms
        self.entered.clear()
        till = self.till
        till.room_bytes = self._room_bytes
        steps = []
        for key, row in till.rows.items():
            was = before.rows[key].state if key in before.rows else ""
            if was != row.state:
                steps.append(Step(key, was, row.state))
        for key, row in known.items():
            if key not in till.rows and key[0] not in till.closed and row.state in UNRESOLVED:
                self.faults.append(f"M12: {'/'.join(key)} was {row.state} and is not in the rewritten journal")
        till.rows = {**before.rows, **till.rows}
        till.latest = {**before.latest, **till.latest}
        return steps

    def _generation(self, bank: int) -> int:
        magic, length, _ = BANK
        header = self._read(bank * self._bank_bytes, length)
        generation = header[4:8]
        is_good = header[:4] == magic and header[8:12] == crc32(generation, crc32(magic)).to_bytes(4, "big")
        return int.from_bytes(generation, "big") if is_good else 0

    def _records(self) -> Iterator[dict[str, Any]]:
        magic, length, alignment = RECORD
        if not self._live[0]:
            return
        limit = (self._live[1] + 1) * self._bank_bytes
        while self._end + length <= limit:
            header = self._read(self._end, length)
            size = int.from_bytes(header[2:4], "big")
            if header[:2] != magic or self._end + length + size > limit:
                return
            payload = self._read(self._end + length, size)
            crc = crc32(payload, crc32(header[2:4], self._crc))
            if header[4:8] != crc.to_bytes(4, "big"):
                return
            whole = -(-(length + size) // alignment) * alignment
            self._tail = self._read(self._end, whole)
            self._end += whole
            self._crc = crc
            self._whole.update(self._tail)
            self.count += 1
            yield json.loads(payload)

    def _apply(self, record: dict[str, Any]) -> Iterator[Step]:
        till, name = self.till, record["record"]
        self.entered.append(record)
        if name == "opened":
            row = record["row"]
            key = (row["batch"], row["stan"])
            state = row.get("state", "pending")
            original = (row.get("original_batch", ""), row.get("original_stan", ""))
            till.rows[key] = Row(
                row["kind"], row["amount_fen"], state, row.get("rrn", ""), original, row.get("signature", "")
            )
            if till.rows[key].signature == PAPER:
                till.on_paper.add(key)
            till.open_rows.add(key)
            till.move(key, state)
            till.latest[key[1]] = key
            till.stan = key[1]
            yield Step(key, "", state)
        elif name == "moved":
            yield from self._move((record["batch"], record["stan"]), record)
        elif name in ("stan", "settling"):
            till.stan = record["stan"]
        elif name == "brought":
            till.stan = record["stan"]
            till.paused, till.pause_told = record.get("paused", False), record.get("pause_told", True)
        elif name == "pause":
            till.paused, till.pause_told, till.pause_known = record["on"], False, True
        elif name == "pause_told":
            till.pause_told = till.paused is record["on"]
        elif name == "restored":
            come = record["backup"]
            till.paused, till.pause_told = come.get("paused", False), come.get("pause_told", True)
            till.pause_known = self._came_known  # it knows what the device before knew, and no more
        elif name == "closed":
            batch = record["summary"]["batch"]
            till.closed[batch] = record["summary"]
            till.open_rows = {key for key in till.open_rows if key[0] != batch}
            till.open_ends &= till.open_rows
        elif name == "command":
            till.taken.add(record["command"]["counter"])
        elif name == "kept":
            till.taken.update(command["counter"] for command in record.get("commands", ()))
            for summary in record.get("closed", ()):
                till.closed[summary["batch"]] = summary
            for signature in record.get("signatures", ()):
                self._signed(signature)
            for event in record.get("events", ()):
                self._noted(event)
                if event["what"] == PAPER_NOTE:  # its row may have gone with its batch
                    batch, _, stan = event["detail"].partition(":")[0].partition("/")
                    till.on_paper.add((batch, stan))
        elif name == "event":
            self.alarms += record["event"]["what"] == ALARM_NOTE
            self._noted(record["event"])
        elif name == "signature":
            self._signed(record["signature"])
        elif name == "signature_tried":
            till.tries[record["batch"], record["stan"]] += 1
        elif name in ("signature_sent", "signature_given_up"):
            key = (record["batch"], record["stan"])
            till.waiting.discard(key)
            if name == "signature_given_up":
                till.on_paper.add(key)

    def _move(self, key: Key, record: dict[str, Any]) -> Iterator[Step]:
        row = self.till.rows.get(key)
        if row is None:
            self.faults.append(f"J5: {'/'.join(key)} moves and was never opened")
            return
        before = row.state
        self.till.move(key, NEXT.get(record["event"], before))
        row.rrn = record.get("rrn") or row.rrn
        yield Step(key, before, row.state)
        if record["event"] == "approve" and row.kind in UNDOES and row.original in self.till.rows:
            original = self.till.rows[row.original]
            was = original.state
            self.till.move(row.original, UNDOES[row.kind])
            yield Step(row.original, was, original.state)

    def _noted(self, event: dict[str, Any]) -> None:
        if event["what"] == CLEARED_NOTE:
            self.till.notes.append(event["detail"])

    def _signed(self, signature: dict[str, Any]) -> None:
        key = (signature["batch"], signature["stan"])
        self.till.images[key] = sha256(b64decode(signature["image"])).hexdigest()
        self.till.tries[key] = signature.get("tries", 0)
        self.till.waiting.add(key)
