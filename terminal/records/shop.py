"""What a journal says of the shop: its people, its form, training and the merchant's own pause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from terminal.book import Book, Entry, Form, Operator


class TrainingSet(Entry):
    """From here on the terminal only practises, or no longer."""

    record: Literal["training"] = "training"
    on: bool

    def applied(self, book: Book) -> Book:
        return replace(book, training=self.on)


class PauseSet(Entry):
    """From here on the terminal takes no new business, or does again; the host does not know it yet."""

    record: Literal["pause"] = "pause"
    on: bool

    def applied(self, book: Book) -> Book:
        return replace(book, paused=self.on, pause_told=False)


class PauseTold(Entry):
    """The host knows whether the terminal pauses, which was ``on`` when it was told."""

    record: Literal["pause_told"] = "pause_told"
    on: bool

    def applied(self, book: Book) -> Book:
        return replace(book, pause_told=book.paused is self.on)


class OperatorKept(Entry):
    """An operator is new, or has another password."""

    record: Literal["operator"] = "operator"
    operator: Operator

    def applied(self, book: Book) -> Book:
        return with_operators(book, {**book.operators, self.operator.number: self.operator})


class OperatorRemoved(Entry):
    """An operator may not log on any more."""

    record: Literal["operator_removed"] = "operator_removed"
    number: str

    def applied(self, book: Book) -> Book:
        return with_operators(book, {key: row for key, row in book.operators.items() if key != self.number})


class FormKept(Entry):
    """The merchant's form as it stands; None once the terminal is registered and needs it no more."""

    record: Literal["form"] = "form"
    form: Form | None

    def applied(self, book: Book) -> Book:
        return replace(book, form=self.form)


def with_operators(book: Book, operators: Mapping[str, Operator]) -> Book:
    """The book with these operators and no others."""
    return replace(book, operators=MappingProxyType(dict(operators)))
