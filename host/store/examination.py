"""Is a database whole? What it says of its own pages; its books are held against each other by ``host.admin.money``."""

from __future__ import annotations

from host.store.books import Books
from host.store.database import Store

FAULTS_MAX = 20


def faults(store: Store) -> list[str]:
    """What the database finds wrong with itself, nothing for PostgreSQL, whose server looks after its pages."""
    if store.is_shared:
        return []

    def unit(books: Books) -> list[str]:
        found = books.look_through(FAULTS_MAX)
        return [] if found == ["ok"] else found

    return store.run(unit)
