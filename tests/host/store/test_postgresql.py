"""Several hosts on one PostgreSQL: one truth a terminal, whoever asks whom (invariants I5, J4, J6)."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from host.acquirer import Acquirer
from host.errors import StoreError
from host.store.books import Books
from host.store.database import Store, backend_of, open_store
from protocol.codec import unseal
from protocol.fields import F
from tests.host.wire import Lab, Wire, fresh_bytes
from tests.postgresql import Server

WAIT_S = 20
pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture
def beside(lab: Lab) -> Iterator[Lab]:
    """A second host on the same database."""
    other = Lab(lab.path, lab.policy, "beside", url=lab.url)
    yield other
    other.store.close()


def codes(futures: list[Future[object]]) -> list[str]:
    """Field 39 of the answers."""
    return [unseal(future.result(WAIT_S).payload).message.text(F.RESPONSE_CODE) for future in futures]  # type: ignore[attr-defined]


def test_one_request_at_two_hosts_is_one_sale(active: Wire, beside: Lab) -> None:
    """A request that is repeated over another connection would be paid twice."""
    payloads = [active.sale(1_000 + number) for number in range(30)]
    hosts: list[Acquirer] = [active.lab.acquirer, beside.acquirer]
    futures = [host.submit(payload) for payload in payloads for host in hosts]
    answers = [future.result(WAIT_S).payload for future in futures]
    assert answers[::2] == answers[1::2]
    assert set(codes(futures)) == {"00"}
    assert len(active.lab.rows("transactions", batch=active.batch)) == len(payloads)
    assert active.lab.violations() == []


def test_refunds_at_two_hosts_never_exceed_the_sale(active: Wire, beside: Lab) -> None:
    """Two counters that refund one receipt at the same moment would give the money back twice."""
    sold = active.sell(10_000)
    refunds = [active.refund(sold, 4_000) for _ in range(8)]
    hosts = [active.lab.acquirer, beside.acquirer]
    futures = [hosts[number % 2].submit(payload) for number, payload in enumerate(refunds)]
    assert sorted(codes(futures))[:2] == ["00", "00"]
    assert codes(futures).count("00") == 2
    assert active.lab.violations() == []


def test_numbers_of_two_hosts_never_meet(active: Wire, beside: Lab) -> None:
    """Two sales would have one reference number, and a refund would go to the wrong one."""

    def take(books: Books) -> list[int]:
        return [books.next_number() for _ in range(700)]

    stores = [active.lab.store, beside.store]
    futures = [stores[number % 2].submit(take, frozenset({f"test {number}"})) for number in range(10)]
    taken = [number for future in futures for number in future.result(WAIT_S)]
    assert len(set(taken)) == len(taken)


def test_what_one_host_wrote_the_other_has_not_kept(active: Wire, beside: Lab) -> None:
    """A terminal that was stopped at one host would sell on at the other."""
    assert codes([beside.acquirer.submit(active.sale(100))]) == ["00"]
    active.lab.act("hold", serial_number=active.serial_number, reason="dispute", note="n")
    assert codes([beside.acquirer.submit(active.sale(100))]) != ["00"]
    beside.act("release", serial_number=active.serial_number, reason="dispute")
    assert codes([active.lab.acquirer.submit(active.sale(100))]) == ["00"]


def test_units_of_one_key_never_overlap(active: Wire, beside: Lab) -> None:
    """Two requests of one terminal would see half of each other."""
    inside, most = [0], [0]
    door = threading.Lock()

    def unit(books: Books) -> None:
        with door:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        books.counter("anything")
        books._driver.execute("SELECT pg_sleep(0.01)")
        with door:
            inside[0] -= 1

    stores = [active.lab.store, beside.store]
    for future in [stores[number % 2].submit(unit, frozenset({"one"})) for number in range(10)]:
        future.result(WAIT_S)
    assert most == [1]


def test_a_unit_without_keys_has_the_database_for_itself(active: Wire, beside: Lab) -> None:
    """A campaign would stop a terminal in the middle of its sale."""
    began, go, order = threading.Event(), threading.Event(), list[str]()

    def sale(books: Books) -> None:
        began.set()
        go.wait(WAIT_S)
        order.append("sale")

    first = active.lab.store.submit(sale, frozenset({"terminal 1"}))
    assert began.wait(WAIT_S)
    second = beside.store.submit(lambda books: order.append("campaign"))
    with pytest.raises(TimeoutError):
        second.result(0.1)
    go.set()
    first.result(WAIT_S)
    second.result(WAIT_S)
    assert order == ["sale", "campaign"]


def test_the_server_goes_and_comes_back(active: Wire, postgresql: Server) -> None:
    """A restart of the database would need one of every host, or a sale would be approved that is nowhere."""
    lab = active.lab
    sold = [active.sell(1_000)]
    postgresql.stop()
    try:
        payload = active.sale(2_000)
        for _ in range(3):
            with pytest.raises(StoreError, match=r"failed|knows"):
                lab.answer(payload)
        assert unseal(lab.acquirer.failure(payload, StoreError("x")).payload).message.text(F.RESPONSE_CODE) == "96"
    finally:
        postgresql.start()
    postgresql.stop()
    postgresql.start()
    assert unseal(lab.answer(payload).payload).message.text(F.RESPONSE_CODE) == "00"
    sold.append(active.sell(3_000))
    assert len(lab.rows("transactions", batch=active.batch)) == len(sold) + 1
    assert lab.violations() == []


def test_a_key_of_another_host_opens_nothing(database: str, lab: Lab, tmp_path: Path) -> None:
    """A second machine would seal what the first cannot read."""
    with pytest.raises(StoreError, match="key file"):
        open_store(database, fresh_bytes(), key_file=tmp_path / "other.key")


def test_two_hosts_that_start_at_once_make_one_database(database: str, tmp_path: Path) -> None:
    """The second would fail, or make the keys again."""
    opened: list[Store] = []
    errors: list[Exception] = []

    def start() -> None:
        try:
            opened.append(open_store(database, fresh_bytes(), key_file=tmp_path / "lab.key"))
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len({store.keys.data_key for store in opened}) == 1
    for store in opened:
        store.close()


def test_without_its_driver_the_command_is_named(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for PostgreSQL would read a traceback."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'pos-lab\[postgresql\]'"):
        backend_of(database)


def test_a_server_that_is_not_there_is_one_line(database: str) -> None:
    """The same, where the server is down; and the password would stand in the log."""
    with pytest.raises(StoreError) as refused:
        open_store("postgresql://lab:secret@127.0.0.1:1/lab", fresh_bytes())
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "127.0.0.1" in str(refused.value)
