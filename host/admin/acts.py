"""TABLE ACTS: every administrative act by name. The command line and the scenario language are made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from host.acquirer import CLOCK_OFFSET
from host.admin import (
    clock,
    ending,
    holds,
    keys,
    lookup,
    money,
    orders,
    parameters,
    registration,
    service,
    signatures,
    swap,
)
from host.admin.desk import Desk, Result
from host.decision import Insert
from host.policy import Policy
from host.store.books import Books
from host.store.database import Store

Act = Callable[..., Result]
POLICY: Final = "policy"

ACTS: Final[Mapping[str, Act]] = MappingProxyType(
    {
        act.__name__: act
        for act in (
            orders.order,
            orders.ship,
            orders.deliver,
            orders.key_card,
            keys.allow_download,
            keys.renew_tmk,
            registration.submit,
            registration.review,
            registration.register,
            holds.hold,
            holds.release,
            ending.retire_model,
            ending.stop,
            ending.retire,
            ending.lose,
            ending.tamper,
            ending.replace,
            swap.begin_swap,
            swap.swaps,
            swap.cancel_swap,
            ending.require_firmware,
            ending.publish_firmware,
            ending.add_model,
            money.payout,
            money.accounts,
            money.verify,
            signatures.signatures,
            signatures.missing_signatures,
            signatures.signature,
            service.diagnose,
            service.announce,
            parameters.publish_parameters,
            parameters.ask_for,
            parameters.parameters,
            lookup.terminals,
            lookup.show,
            lookup.transactions,
            lookup.batches,
            lookup.audit,
            lookup.models,
            clock.clock_advance,
        )
    }
)


def keep_policy(books: Books, policy: Policy) -> None:
    """Write down the figures of the host that runs, for acts that come by another process."""
    books.write(Insert("settings", {"name": POLICY, "value": policy.model_dump_json()}, replace=True))


def host_policy(books: Books) -> Policy:
    """The figures of the host that ran last, else the product's."""
    rows = books.rows("settings", name=POLICY)
    return Policy.model_validate_json(rows[0]["value"]) if rows else Policy()


def perform(
    store: Store, act: str, now: datetime, /, *, policy: Policy | None = None, actor: str = "admin", **arguments: Any
) -> Result:
    """Carry out one act in a unit of its own and wait until it is durable. Raises AdminError and StoreError."""

    def unit(books: Books) -> Result:
        lab_now = now + timedelta(seconds=books.counter(CLOCK_OFFSET))
        desk = Desk(books, store.keys, policy or host_policy(books), int(lab_now.timestamp()), actor)
        desk.line(actor=actor)
        return ACTS[act](desk, **arguments)

    return store.run(unit)
