"""The card reader: one card at a time, read once."""

from __future__ import annotations

from collections import deque

from firmware_sim.cards import Card, EntryMode
from firmware_sim.errors import DeviceError, EntryTimeout
from firmware_sim.inbox import Inbox
from firmware_sim.power import Power, Powered


class CardReader(Powered):
    """A reader over ``slot``, which outlives the power epoch: a card that was in it is still in it after a boot."""

    def __init__(self, power: Power, slot: deque[Card], *, contactless: bool) -> None:
        super().__init__(power)
        self._cards = Inbox(power, slot)
        self._contactless = contactless

    def present(self, card: Card) -> None:
        """Tap, insert or swipe ``card`` in place of any other; raises DeviceError when the model cannot read it."""
        self._check()
        if card.entry_mode is EntryMode.CONTACTLESS and not self._contactless:
            raise DeviceError("this model has no contactless reader", hint="insert the card")
        self._cards.clear()
        self._cards.put(card)

    def remove(self) -> None:
        """Take the card away before it was read."""
        self._cards.clear()

    async def read_card(self, timeout_s: float | None = None) -> Card:
        """Return the card that is presented; raises EntryTimeout and PowerLost."""
        try:
            return await self._cards.take(timeout_s)
        except TimeoutError as error:
            raise EntryTimeout("no card was presented") from error
