"""The card reader: stripe, chip contacts and antenna, one card at a time, read once.

Rules owned here: TABLE MALFORMED, what a broken chip sends; a reader sees what its model has; a card that was taken out
answers no more. What the application gets is what a card tells: the stripe's track, or a link to the chip.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from firmware_sim.cards import Card, EntryMode
from firmware_sim.chip_card import ChipCard, ChipMemory, Cryptogram
from firmware_sim.errors import CardError, DeviceError, EntryTimeout
from firmware_sim.faults import Faults
from firmware_sim.inbox import Inbox
from firmware_sim.models import Model
from firmware_sim.power import Power, Powered

UNPREDICTABLE_BYTES: Final = 4

MALFORMED: Final[tuple[Callable[[bytes], bytes], ...]] = (
    lambda answer: answer[:-1],
    lambda answer: answer[:1] + b"\x7f" + answer[2:],
    lambda answer: answer[:1] + b"\x80" + answer[2:] + bytes(2),
    lambda answer: answer[:1] + b"\x88" + b"\x80" + bytes(7) + answer[2:],
    lambda answer: answer[:1] + bytes((answer[1] + 2,)) + answer[2:] + b"\x9f\x02",
    lambda answer: b"\x00" + answer,
    lambda answer: b"\xff" * 16,
    lambda answer: b"\x61\x7e" * 40,
    lambda answer: b"",
)
"""Answers that are no data objects: cut short, lengths past the end, indefinite, of 2**63, tags without an end."""


class Way(Enum):
    """How a person brings card and reader together."""

    SWIPE = "swipe"
    INSERT = "insert"
    TAP = "tap"

    @property
    def entry_mode(self) -> EntryMode:
        """What the reader makes of it."""
        return _ENTRY_MODES[self]


_ENTRY_MODES: Final[Mapping[Way, EntryMode]] = {
    Way.SWIPE: EntryMode.MAGNETIC,
    Way.INSERT: EntryMode.CHIP,
    Way.TAP: EntryMode.CONTACTLESS,
}


@dataclass(frozen=True, slots=True)
class Presented:
    """A card at the reader, and how."""

    card: Card
    entry_mode: EntryMode


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: ``track2`` of a stripe, with "D" as separator, or ``chip``, which answers while the card stays."""

    entry_mode: EntryMode
    track2: str = field(default="", repr=False)
    chip: ChipLink | None = None


class CardReader(Powered):
    """A reader over ``slot``, which outlives the power epoch: a card that was in it is still in it after a boot.

    ``memories`` is what the chips of the laboratory remember, by the card's name; ``fresh(n)`` gives n random bytes.
    """

    def __init__(
        self,
        power: Power,
        faults: Faults,
        model: Model,
        slot: deque[Presented],
        memories: dict[str, ChipMemory],
        fresh: Callable[[int], bytes],
    ) -> None:
        super().__init__(power)
        self._faults = faults
        self._presented = Inbox(power, slot)
        self._memories = memories
        self._fresh = fresh
        self._link: ChipLink | None = None
        has = {
            EntryMode.MAGNETIC: model.magnetic,
            EntryMode.CHIP: model.chip,
            EntryMode.CONTACTLESS: model.contactless,
        }
        self.reads: Final = frozenset(mode for mode, present in has.items() if present)

    def present(self, card: Card, *ways: Way) -> None:
        """Bring ``card`` to the reader in place of any other, the usual way unless told; of several ways one by one.

        The next way is what the cashier tries when the one before was read. Raises DeviceError where the model cannot
        read the card so, or the card has no such thing.
        """
        self._check()
        modes = [way.entry_mode for way in ways] or [mode for mode in card.ways if mode in self.reads][:1]
        if not modes:
            raise DeviceError(f"this model cannot read the card {card.name}", hint="use another card or model")
        for mode in modes:
            if mode not in self.reads:
                raise DeviceError(f"this model has no {mode.name.lower()} reader", hint="present the card otherwise")
            if mode not in card.ways:
                raise DeviceError(f"the card {card.name} has nothing {mode.name.lower()}", hint="present it otherwise")
        self.remove()
        for mode in modes:
            self._presented.put(Presented(card, mode))

    def remove(self) -> None:
        """Take the card away, read or not; its chip answers no more."""
        self._presented.clear()
        if self._link is not None:
            self._link.part()
            self._link = None

    def interrupt(self, error: DeviceError) -> None:
        """Let who waits for a card raise ``error``."""
        self._presented.interrupt(error)

    async def read_card(self, timeout_s: float | None = None) -> Reading:
        """Read the card that is presented.

        Raises EntryTimeout, PowerLost, what ``interrupt`` was given, and CardError "card_unreadable" for a stripe,
        "chip_mute" for a chip, that cannot be read.
        """
        try:
            presented = await self._presented.take(timeout_s)
        except TimeoutError as error:
            raise EntryTimeout("no card was presented") from error
        if presented.entry_mode is EntryMode.MAGNETIC:
            if self._faults.fires("reader.swipe_error"):
                raise CardError("the stripe cannot be read", hint="swipe it again", code="card_unreadable")
            return Reading(EntryMode.MAGNETIC, track2=presented.card.track2)
        tapped = presented.entry_mode is EntryMode.CONTACTLESS
        if not tapped and self._faults.fires("reader.chip_mute"):
            raise CardError("the chip does not answer", hint="swipe the card", code="chip_mute")
        memory = self._memories.setdefault(presented.card.name, ChipMemory())
        self._link = ChipLink(self._power, self._faults, ChipCard(presented.card, memory, tapped=tapped), tapped=tapped)
        return Reading(presented.entry_mode, chip=self._link)

    def unpredictable_number(self) -> bytes:
        """4 random bytes for tag 9F37."""
        self._check()
        return self._fresh(UNPREDICTABLE_BYTES)


class ChipLink(Powered):
    """The contact with one chip. Every command raises PowerLost and CardError, and gives bytes that may be anything."""

    def __init__(self, power: Power, faults: Faults, chip: ChipCard, *, tapped: bool) -> None:
        super().__init__(power)
        self._faults = faults
        self._chip = chip
        self._tapped = tapped
        self._present = True

    def part(self) -> None:
        """The card leaves the reader."""
        self._present = False

    def select(self) -> bytes:
        """Choose the application: 6F."""
        return self._answer(self._chip.select)

    def start(self, data: bytes) -> bytes:
        """Start a transaction with what the PDOL asks for: 77."""
        if self._tapped and self._faults.fires("reader.torn"):
            self.part()
        return self._answer(lambda: self._chip.start(data))

    def records(self) -> bytes:
        """Read the records: 70."""
        return self._answer(self._chip.records)

    def authenticate(self, data: bytes) -> bytes:
        """Have the chip sign what its DDOL asks for: 77."""
        return self._answer(lambda: self._chip.authenticate(data))

    def request(self, data: bytes, asked: Cryptogram = Cryptogram.ARQC, *, combined: bool = False) -> bytes:
        """Ask for the first cryptogram, over what CDOL 1 asks for, and ``combined`` with a signature: 77."""
        if self._faults.fires("reader.removed_before_online"):
            self.part()
        refuses = self._faults.fires("reader.chip_refuses")
        return self._answer(
            lambda: self._chip.refuse(data) if refuses else self._chip.request(data, asked, combined=combined)
        )

    def complete(self, data: bytes, *, approved: bool) -> bytes:
        """Ask for the second cryptogram, over what CDOL 2 asks for, after the host ``approved`` or not: 77."""
        if self._faults.fires("reader.removed_after_online"):
            self.part()
        agrees = approved and not self._faults.fires("reader.chip_declines")
        return self._answer(lambda: self._chip.complete(data, approved=agrees))

    def run(self, command: bytes) -> bytes:
        """Have the chip obey a command of a script: two bytes of status."""
        self._check_present()
        return self._chip.run(command)

    def _answer(self, ask: Callable[[], bytes]) -> bytes:
        self._check_present()
        answer = ask()
        if self._faults.fires("reader.malformed_tlv"):
            return MALFORMED[(self._faults.fired["reader.malformed_tlv"] - 1) % len(MALFORMED)](answer)
        return answer

    def _check_present(self) -> None:
        self._check()
        if not self._present:
            code, hint = ("card_torn", "tap it again") if self._tapped else ("card_removed", "leave it in")
            raise CardError("the card left the reader too early", hint=hint, code=code)
