"""What a journal says of signatures: each waits, is tried and ends; its row says how it is signed (invariant G5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from terminal.book import Book, Entry, Signature
from terminal.records.money import with_row
from terminal.transaction import Key, Signing


class SignatureTaken(Entry):
    """The cardholder has signed on the pad; from here on the signature waits for its upload."""

    record: Literal["signature"] = "signature"
    signature: Signature

    def applied(self, book: Book) -> Book:
        signed = _signed(book, self.signature.key, Signing.CAPTURED)
        return replace(signed, signatures=(*book.signatures, self.signature))


class SignatureTried(Entry):
    """An upload of a signature was not answered as it must be."""

    record: Literal["signature_tried"] = "signature_tried"
    batch: str
    stan: str

    def applied(self, book: Book) -> Book:
        key = Key(self.batch, self.stan)
        return replace(
            book,
            signatures=tuple(
                row.model_copy(update={"tries": row.tries + 1}) if row.key == key else row for row in book.signatures
            ),
        )


class SignatureSent(Entry):
    """The host has the signature."""

    record: Literal["signature_sent"] = "signature_sent"
    batch: str
    stan: str

    def applied(self, book: Book) -> Book:
        return _without_signature(book, Key(self.batch, self.stan), Signing.UPLOADED)


class SignatureGivenUp(Entry):
    """The signature is on paper, for ``reason``: none was given on the pad, or the host never took it (G3)."""

    record: Literal["signature_given_up"] = "signature_given_up"
    batch: str
    stan: str
    reason: str

    def applied(self, book: Book) -> Book:
        return _without_signature(book, Key(self.batch, self.stan), Signing.PAPER)


def _signed(book: Book, key: Key, signing: Signing) -> Book:
    """The row of ``key`` as it is signed now; its batch may be closed long since."""
    row = book.rows.get(key)
    return book if row is None else with_row(book, row.model_copy(update={"signature": signing}))


def _without_signature(book: Book, key: Key, signing: Signing) -> Book:
    waiting = tuple(row for row in book.signatures if row.key != key)
    return replace(_signed(book, key, signing), signatures=waiting)
