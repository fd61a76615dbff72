"""What the units of one group write and look for, before the database has it."""

from __future__ import annotations

from typing import Any

import pytest

from host.decision import Insert, Update
from host.errors import StoreError
from host.store.books import Books
from host.store.gathered import Gathered, form_of
from tests.host.store.test_writer import details, in_one_group, note
from tests.host.wire import Lab, Wire

WAIT_S = 20


def test_who_fails_before_anything_is_in_the_database_repeats_nobody(lab: Lab) -> None:
    """One odd request would make the host decide fifty sales twice."""
    runs = []

    def counted(number: int) -> Any:
        def unit(books: Books) -> str:
            runs.append(number)
            return note(str(number))(books)

        return unit

    def odd(books: Books) -> None:
        note("half")(books)
        raise ValueError("odd")

    futures = in_one_group(lab.store, [counted(1), odd, counted(2)])
    with pytest.raises(ValueError, match="odd"):
        futures[1].result(WAIT_S)
    assert [futures[number].result(WAIT_S) for number in (0, 2)] == ["1", "2"]
    assert (runs, details(lab)) == ([1, 2], ["1", "2"])


def test_who_fails_after_it_has_looked_leaves_nothing_either(lab: Lab) -> None:
    """A request that fails halfway would leave half a sale in the books."""

    def odd(books: Books) -> None:
        note("half")(books)
        assert len(books.rows("audit", act="test", detail="half")) == 1
        raise ValueError("odd")

    futures = in_one_group(lab.store, [note("one"), odd, note("two")])
    with pytest.raises(ValueError, match="odd"):
        futures[1].result(WAIT_S)
    assert [futures[number].result(WAIT_S) for number in (0, 2)] == ["one", "two"]
    assert details(lab) == ["one", "two"]


def test_a_unit_sees_what_the_one_before_it_wrote(lab: Lab) -> None:
    """The second of two requests that arrive together would be decided as if the first had never come."""

    def look(books: Books) -> list[str]:
        return [row["detail"] for row in books.rows("audit", act="test")]

    def change(books: Books) -> None:
        books.write(Update("audit", {"act": "test", "detail": "two"}, {"detail": "changed"}))

    futures = in_one_group(lab.store, [note("one"), look, note("two"), change, look])
    assert futures[1].result(WAIT_S) == ["one"]
    assert futures[4].result(WAIT_S) == ["one", "changed"]


def test_a_request_that_comes_twice_in_one_group_is_answered_alike(active: Wire) -> None:
    """A terminal on a slow line that asks again at once would pay twice, or be told that its STAN was used."""
    lab, sale = active.lab, active.sale(1_234)
    others = [active.sale(100 + number) for number in range(6)]
    with lab.store.gathering():
        futures = [lab.acquirer.submit(payload) for payload in (*others[:3], sale, *others[3:], sale)]
    answers = [future.result(WAIT_S).payload for future in futures]
    assert answers[3] == answers[7]
    assert len(set(answers)) == 7
    assert len(lab.rows("transactions", batch=active.batch)) == 7
    assert lab.violations() == []


def test_a_sale_and_its_reversal_in_one_group_cancel_each_other(active: Wire) -> None:
    """A reversal that overtakes the commit of its sale would be taken for one of nothing, and the money would stay."""
    lab, stan = active.lab, active.stan()
    sale, reversal = active.sale(1_234, stan=stan), active.reversal(1_234, stan)
    others = [active.sale(100 + number) for number in range(4)]
    with lab.store.gathering():
        futures = [lab.acquirer.submit(payload) for payload in (sale, *others, reversal)]
    for future in futures:
        assert future.result(WAIT_S).code == "00"
    states = [row["state"] for row in lab.rows("transactions", batch=active.batch)]
    assert sorted(states) == ["captured"] * 4 + ["reversed"]
    assert lab.violations() == []


def test_two_rows_of_one_key_fail_alone(lab: Lab) -> None:
    """A defect that writes a key twice would take the whole group, again and again."""

    def unit(books: Books) -> None:
        books.write(Insert("cards", {"card_token": "t", "wrong_pins": 1}))

    futures = in_one_group(lab.store, [note("one"), unit, unit, note("two")])
    assert futures[1].result(WAIT_S) is None
    with pytest.raises(StoreError):
        futures[2].result(WAIT_S)
    assert details(lab) == ["one", "two"]


def test_a_row_with_a_column_too_many_is_refused(lab: Lab) -> None:
    """A misspelt column would be lost without a word."""
    with pytest.raises(LookupError):
        lab.store.run(lambda books: books.write(Insert("cards", {"card_token": "t", "wrong_pins": 1, "pins": 2})))


def test_what_is_taken_back_is_not_written(lab: Lab) -> None:
    """The rows of a failed request would go in with those of the next."""
    dialect = lab.store.backend.dialect
    gathered = Gathered(dialect)
    for token in ("a", "b", "c"):
        gathered.add("cards", {"card_token": token, "wrong_pins": 1})
    gathered.take_back(1)
    assert len(gathered) == 1
    assert "INSERT INTO cards" in form_of(dialect, "cards", 2).sql

    def unit(books: Books) -> list[str]:
        gathered.write(books._driver)
        return [row["card_token"] for row in books.rows("cards")]

    assert lab.store.run(unit) == ["a"]
    assert len(gathered) == 0
