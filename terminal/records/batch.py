"""What a journal says of the session with the host and of the batch."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from terminal.book import CLOSED_KEPT, Book, ClosedBatch, Entry, Settling, following
from terminal.errors import TransitionRefused


class SignedOn(Entry):
    """The host gave working keys; ``batch`` is the one to use (CUP 7.10)."""

    record: Literal["signed_on"] = "signed_on"
    batch: str

    def applied(self, book: Book) -> Book:
        return replace(book, signed_on=True, batch=self.batch)


class SignedOff(Entry):
    """The session with the host has ended."""

    record: Literal["signed_off"] = "signed_off"

    def applied(self, book: Book) -> Book:
        return replace(book, signed_on=False)


class SettlementAsked(Entry):
    """Totals are about to be compared; from here on the batch takes no row."""

    record: Literal["settling"] = "settling"
    stan: str

    def applied(self, book: Book) -> Book:
        return replace(book, stan=self.stan, settling=Settling(stan=self.stan))


class SettlementAnswered(Entry):
    """The host has compared."""

    record: Literal["compared"] = "compared"
    balanced: bool

    def applied(self, book: Book) -> Book:
        if book.settling is None:
            raise TransitionRefused("no settlement is under way")
        return replace(book, settling=Settling(stan=book.settling.stan, balanced=self.balanced))


class BatchClosed(Entry):
    """Both books closed the batch; the next one begins empty."""

    record: Literal["closed"] = "closed"
    summary: ClosedBatch

    def applied(self, book: Book) -> Book:
        return replace(
            book,
            batch=following(self.summary.batch),
            settling=None,
            closed=(*book.closed, self.summary)[-CLOSED_KEPT:],
            rows=MappingProxyType({}),
        )
