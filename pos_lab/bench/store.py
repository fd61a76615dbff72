"""What the store does by itself: commits one after the other, and rows where many units share a commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from host.decision import Insert
from host.store.books import Books
from host.store.database import Store, open_store
from pos_lab.bench.paired import Row, Spread
from pos_lab.wall_clock import fresh_bytes

ROUNDS: Final = 5
COMMITS: Final = 300
UNITS: Final = 4_000
ROWS_A_UNIT: Final = 4


def store(db: str) -> list[Row]:
    """On a new SQLite file, and besides on the database ``db`` where one is named."""
    with TemporaryDirectory(prefix="poslab-bench-") as directory:
        file = str(Path(directory) / "bench.db")
        return [row for url in filter(None, (file, db)) for row in _measure(url, Path(directory) / "bench.key")]


def _measure(url: str, key_file: Path) -> list[Row]:
    opened = open_store(url, fresh_bytes, key_file=None if url.endswith(".db") else key_file)
    name = "postgresql" if opened.is_shared else "sqlite"
    try:
        alone = [_rate(lambda: _alone(opened), COMMITS) for _ in range(ROUNDS)]
        shared = [_rate(lambda: _shared(opened), UNITS * ROWS_A_UNIT) for _ in range(ROUNDS)]
    finally:
        opened.close()
    return [
        Row(f"store.{name}.commits", "1/s", Spread.of(alone), {}, more_is_better=True),
        Row(f"store.{name}.rows", "1/s", Spread.of(shared), {}, more_is_better=True),
    ]


def _rate(work: Callable[[], None], count: int) -> float:
    loop = asyncio.new_event_loop()
    try:
        began_s = loop.time()
        work()
        return count / (loop.time() - began_s)
    finally:
        loop.close()


def _alone(opened: Store) -> None:
    for _ in range(COMMITS):
        opened.submit(_unit, frozenset({"bench"})).result()


def _shared(opened: Store) -> None:
    futures: list[Future[None]] = []
    with opened.gathering():
        futures += [opened.submit(_unit, frozenset({f"bench {number}"})) for number in range(UNITS)]
    for future in futures:
        future.result()


def _unit(books: Books) -> None:
    books.write(*[_ROW] * ROWS_A_UNIT)


_ROW: Final = Insert(
    "postings",
    {
        "terminal_id": "00000001",
        "batch": "000001",
        "stan": "000001",
        "reason": "capture",
        "debit": "bench:a",
        "credit": "bench:b",
        "amount_fen": 1,
        "at": 0,
    },
)
