"""The store of simulations: the same units and commits, on a schedule, over a disk that outlives processes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from host.errors import AdminError, CommitUnknown, StoreError
from host.store.books import Books
from host.store.database import Store
from host.store.memory import DiskFailed, MemoryDatabase


class Bench:
    """A database with a store on it; ``due`` are commits that nobody has let happen, ``raises`` what a point raises."""

    def __init__(self) -> None:
        self.database = MemoryDatabase(Random(1).randbytes)
        self.due: list[Callable[[], None]] = []
        self.passed: list[str] = []
        self.raises: dict[str, BaseException] = {}
        self.store = self.open()

    def open(self) -> Store:
        """A store on the database as it stands."""
        self.store = self.database.open(self.due.append, self._passes)
        return self.store

    def counter(self, name: str) -> int:
        """What the disk holds, whoever asks."""
        return next((row["value"] for row in self.database.rows("counters") if row["name"] == name), 0)

    def commit(self) -> None:
        """Let the next commit happen."""
        self.due.pop(0)()

    def _passes(self, point: str) -> None:
        self.passed.append(point)
        if point in self.raises:
            raise self.raises.pop(point)


@pytest.fixture
def bench() -> Bench:
    return Bench()


class Died(BaseException):
    """The process is gone."""


def test_units_share_a_commit_and_speak_behind_it(bench: Bench) -> None:
    """A terminal would be answered before its sale is on the disk."""
    first = bench.store.submit(lambda books: books.add("a", 1))
    second = bench.store.submit(lambda books: books.add("a", 1))
    assert not first.done()
    assert bench.counter("a") == 0
    bench.commit()
    assert (first.result(0), second.result(0)) == (1, 2)
    assert bench.passed == ["before_commit", "after_commit"]
    assert not bench.due


def test_a_unit_that_fails_takes_nobody_with_it(bench: Bench) -> None:
    """One terminal's bad request would undo another one's sale."""

    def fails(books: Books) -> None:
        books.add("b", 1)
        raise AdminError("no")

    bad = bench.store.submit(fails)
    good = bench.store.submit(lambda books: books.add("a", 1))
    bench.commit()
    assert good.result(0) == 1
    assert isinstance(bad.exception(0), AdminError)
    assert bench.counter("b") == 0


def test_a_commit_that_fails_keeps_nothing_and_one_that_is_unknown_keeps_all(bench: Bench) -> None:
    """An error of the disk would be taken for a promise that nothing was written."""
    bench.raises["before_commit"] = DiskFailed()
    with pytest.raises(StoreError, match="disk I/O error"):
        bench.store.run(lambda books: books.add("a", 1))
    assert bench.counter("a") == 0
    bench.raises["after_commit"] = DiskFailed()
    with pytest.raises(StoreError):
        bench.store.run(lambda books: books.add("a", 1))
    assert bench.counter("a") == 1
    assert bench.store.run(lambda books: books.counter("a")) == 1


@pytest.mark.parametrize(("point", "kept"), [("before_commit", 0), ("after_commit", 1)])
def test_a_process_that_dies_leaves_the_disk_as_it_is(bench: Bench, point: str, kept: int) -> None:
    """What a dead host had not committed would be there when it comes back, or what it had would be gone."""
    future = bench.store.submit(lambda books: books.add("a", 1))
    bench.raises[point] = Died()
    with pytest.raises(Died):
        bench.commit()
    bench.database.kill()
    assert not future.done()
    assert bench.counter("a") == kept
    assert bench.open().run(lambda books: books.add("a", 1)) == kept + 1


def test_the_dead_write_nothing(bench: Bench) -> None:
    """A host that was killed would go on committing what came before."""
    bench.store.submit(lambda books: books.add("a", 1))
    bench.database.kill()
    bench.commit()
    assert bench.counter("a") == 0
    with pytest.raises(StoreError, match="closed"):
        bench.store.run(lambda books: books.add("a", 1))


def test_a_full_disk_takes_nothing_until_there_is_room(bench: Bench) -> None:
    """A full disk would end the host, or leave half a sale."""

    def large(books: object) -> None:
        bench.database.driver.execute("INSERT INTO counters VALUES ('a', 1)")
        bench.database.driver.execute("INSERT INTO secrets VALUES ('b', zeroblob(100000))")

    bench.database.fill(full=True)
    with pytest.raises(StoreError, match="full"):
        bench.store.run(large)
    assert bench.counter("a") == 0
    bench.database.fill(full=False)
    bench.store.run(large)
    assert bench.counter("a") == 1


def test_what_is_looked_up_is_read_at_once(bench: Bench) -> None:
    """Whoever looks something up in a simulation would wait for a thread that there is not, or see half a unit."""
    bench.store.run(lambda books: books.add("a", 1))
    with bench.store.gathering():
        waiting = bench.store.submit(lambda books: books.add("a", 1))
    assert bench.store.read(lambda books: books.counter("a")).result(0) == 1
    assert bench.store.load[2] == 1
    bench.commit()
    assert waiting.result(0) == 2
    assert bench.store.read(lambda books: books.counter("a")).result(0) == 2
    failed = bench.store.read(lambda books: books.policy(7 // books.counter("none")))
    assert isinstance(failed.exception(0), ZeroDivisionError)


def test_a_commit_that_nobody_knows_of_is_told_so(bench: Bench) -> None:
    """A terminal would be told 96 for a sale that is captured, and sell it once more."""
    for point, kept in (("before_commit", 0), ("after_commit", 1)):
        bench.raises[point] = DiskFailed()
        future = bench.store.submit(lambda books: books.add("a", 1))
        bench.commit()
        assert isinstance(future.exception(0), CommitUnknown)
        assert bench.counter("a") == kept


def test_an_image_is_the_whole_database(bench: Bench) -> None:
    """A world would have to found its host anew each time, which takes longer than to live in it."""
    bench.store.run(lambda books: books.add("a", 5))
    copy = MemoryDatabase(Random(2).randbytes, bench.database.image)
    assert copy.open(bench.due.append, lambda point: None).run(lambda books: books.add("a", 1)) == 6
    assert bench.counter("a") == 5
    copy.close()
