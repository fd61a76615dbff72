"""Two hosts on one PostgreSQL: one audit, one second person, one line a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from host.admin.acts import conduct, desk_at
from host.errors import AdminError, StoreError
from host.retirement import audit
from host.store.books import Books
from protocol.codec import unseal
from protocol.fields import F
from tests.host.wire import Lab, Wire

WAIT_S = 30
pytestmark = [pytest.mark.parametrize("database", ["postgresql"], indirect=True), pytest.mark.feature("K")]


@pytest.fixture
def beside(lab: Lab) -> Iterator[Lab]:
    """A second host on the same database."""
    other = Lab(lab.path, lab.policy, "beside", url=lab.url)
    yield other
    other.store.close()


def test_acts_at_two_hosts_are_one_chain(active: Wire, beside: Lab) -> None:
    """The books of two hosts would contradict each other, and every honest row would look forged."""
    labs = [active.lab, beside]

    def act(lab: Lab, number: int) -> Callable[[Books], Any]:
        arguments = {"model": f"M{number}", "brand": "b", "family": "mpos"}
        return lambda books: conduct(desk_at(books, lab.store.keys, lab.now), "add_model", arguments)

    def alarm(number: int) -> Callable[[Books], Any]:
        return lambda books: books.write(audit("host", f"S{number}", "alarm", f"{number}", 1))

    futures: list[Any] = []
    for number in range(40):
        lab = labs[number % 2]
        futures.append(lab.store.submit(act(lab, number)))
        futures.append(lab.store.submit(alarm(number), frozenset({f"terminal {number}"})))
    for future in futures:
        future.result(WAIT_S)
    for lab in labs:
        verdict = lab.act("verify_audit")
        assert (verdict["breaches"], verdict["whole"]) == ([], True)
    assert len([row for row in beside.rows("audit") if row["act"] in ("alarm", "add_model")]) >= 80


def test_the_chain_is_verified_while_another_host_writes(active: Wire, beside: Lab) -> None:
    """Every start of a second host would call the first one a forger."""
    for _ in range(5):
        futures = [
            active.lab.store.submit(lambda books: books.write(audit("host", "S", "alarm", "x", 1)), frozenset({"S"}))
            for _ in range(30)
        ]
        breaches = beside.store.read(lambda books: books.breaches(beside.store.keys)).result(WAIT_S)
        assert breaches == ()
        for future in futures:
            future.result(WAIT_S)


def test_two_who_confirm_at_two_hosts_stop_once(active: Wire, beside: Lab) -> None:
    """A swap would be carried out twice."""
    arguments = json.dumps({"serial_number": active.serial_number})
    proposal = conduct_at(active.lab, "propose", "li", act="stop", arguments=arguments).result(WAIT_S)
    futures = [
        conduct_at(lab, "confirm", who, number=proposal["number"])
        for lab, who in ((active.lab, "zhang"), (beside, "wang"), (active.lab, "zhao"), (beside, "wu"))
    ]
    failed = [future.exception(WAIT_S) for future in futures]
    assert len([error for error in failed if error is None]) == 1
    assert {error.code for error in failed if isinstance(error, AdminError)} == {"not_open"}


def conduct_at(lab: Lab, name: str, actor: str, /, **arguments: Any) -> Any:
    """An act at one host, without waiting."""
    return lab.store.submit(
        lambda books: conduct(desk_at(books, lab.store.keys, lab.now, actor=actor), name, arguments)
    )


def test_a_line_at_one_host_fences_those_at_the_other(active: Wire, beside: Lab) -> None:
    """A clone would sell at the second host while the till sells at the first (invariant I6)."""
    old, new = active.lab.acquirer.line("10.0.0.1"), beside.acquirer.line("10.0.0.2")

    def code(lab: Lab, line: Any) -> str:
        answer = lab.acquirer.submit(active.sale(100), line).result(WAIT_S)
        return unseal(answer.payload).message.text(F.RESPONSE_CODE)

    assert [code(active.lab, old), code(beside, new), code(active.lab, old), code(beside, new)] == [
        "00", "00", "98", "00",
    ]  # fmt: skip


def test_who_looks_up_cannot_write(active: Wire) -> None:
    """A list that somebody opens could change the books."""
    with pytest.raises(StoreError):
        active.lab.store.read(lambda books: books.write(audit("x", "", "y", "z", 1))).result(WAIT_S)
    assert active.lab.act("verify_audit")["whole"]
