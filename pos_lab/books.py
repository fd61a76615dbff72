"""Holds a terminal's book against the host's: every batch that the terminal knows, row by row or by its digest."""

from __future__ import annotations

from dataclasses import dataclass

from host.store.books import Books
from host.transactions import batch_digest, group_totals
from pos_lab.scenario.model import CastMember
from protocol.money import yuan
from protocol.private import GroupTotals
from terminal.book import Book


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One batch as each book sums it up."""

    batch: str
    terminal: str
    host: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """``differences`` is empty where both books agree."""

    rows: tuple[BatchRow, ...]
    differences: tuple[str, ...]


def compare_books(book: Book, member: CastMember, books: Books) -> Comparison:
    """Closed batches by totals and digest, the open one by its rows; nothing may be unresolved."""
    rows: list[BatchRow] = []
    differences = [f"{row.stan} is {row.state} at the terminal" for row in book.unresolved]
    for closed in book.closed:
        money = books.money_rows(member.terminal_id, closed.batch)
        ours = GroupTotals(closed.debit_fen, closed.debit_count, closed.credit_fen, closed.credit_count)
        rows.append(BatchRow(closed.batch, _sum(ours), _sum(_together(books, member, closed.batch))))
        if batch_digest(money).hex() != closed.digest:
            differences.append(f"batch {closed.batch}: the rows differ")
    if book.money or book.rows:
        money = books.money_rows(member.terminal_id, book.batch)
        rows.append(BatchRow(book.batch, _sum(book.together), _sum(_together(books, member, book.batch))))
        if batch_digest(money) != book.digest:
            differences.append(f"batch {book.batch}: the rows differ")
    differences += [f"batch {row.batch}: {row.terminal} and {row.host}" for row in rows if row.terminal != row.host]
    return Comparison(tuple(rows), tuple(differences))


def _together(books: Books, member: CastMember, batch: str) -> GroupTotals:
    money = books.money_rows(member.terminal_id, batch)
    domestic, foreign = group_totals(money, foreign=False), group_totals(money, foreign=True)
    return GroupTotals(
        domestic.debit_fen + foreign.debit_fen,
        domestic.debit_count + foreign.debit_count,
        domestic.credit_fen + foreign.credit_fen,
        domestic.credit_count + foreign.credit_count,
    )


def _sum(totals: GroupTotals) -> str:
    return f"{totals.debit_count} / {yuan(totals.debit_fen)}, {totals.credit_count} / {yuan(totals.credit_fen)}"
