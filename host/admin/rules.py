"""The rules that are in force, as versions in the store: published, read, listed (faults H19).

A version never changes. Every host takes the newest over between two requests; a transaction keeps the number of the
one under which it was decided.
"""

from __future__ import annotations

from pydantic import ValidationError

from host.acquirer import POLICY_VERSION
from host.admin.desk import Desk, Result
from host.decision import Insert
from host.errors import AdminError
from host.policy import Policy, Window
from host.store.books import Books

HOST: str = "host"


def keep_policy(books: Books, policy: Policy, at: int = 0, actor: str = HOST) -> int:
    """Publish rules as the next version, unless they are those in force; the version in force afterwards."""
    version = books.counter(POLICY_VERSION)
    if version and books.policy(version) == policy:
        return version
    version = books.add(POLICY_VERSION, 1)
    row = {"version": version, "content": policy.model_dump_json(), "actor": actor, "at": at}
    books.write(Insert("policies", row))
    return version


def host_policy(books: Books) -> Policy:
    """The rules in force, else the product's."""
    return books.policy(books.counter(POLICY_VERSION))


def publish_policy(desk: Desk, content: bytes) -> Result:
    """Put rules in force from the next request on: sections and figures as JSON; what is left out is the product's."""
    try:
        policy = Policy.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise AdminError(f"{where}: {first['msg']}" if where else str(first["msg"]), code="policy") from None
    return _publish(desk, policy, "publish policy")


def schedule_maintenance(
    desk: Desk, begins_at: int, minutes: int, name: str = "maintenance", model: str = "", region: str = ""
) -> Result:
    """Add a window to the maintenance calendar: from an instant, in epoch seconds, new business is answered with 90."""
    desk.line(name=name)
    values = {"name": name, "begins_at": begins_at, "lasts_s": minutes * 60, "model": model, "region": region}
    try:
        window = Window.model_validate(values)
    except ValidationError as error:
        raise AdminError(str(error.errors(include_url=False)[0]["msg"]), code="window") from None
    rules = host_policy(desk.books)
    policy = rules.model_copy(update={"maintenance": (*rules.maintenance, window)})
    return _publish(desk, policy, "schedule maintenance")


def policy(desk: Desk, version: int = 0) -> Result:
    """The rules in force, or an earlier version of them."""
    newest = desk.books.counter(POLICY_VERSION)
    if not 0 <= version <= newest:
        raise AdminError(f"there is no policy version {version}", hint=f"the newest is {newest}", code="unknown_policy")
    number = version or newest
    return {"version": number, "policy": desk.books.policy(number).model_dump(mode="json")}


def policies(desk: Desk) -> Result:
    """Every version of the rules: who published it and when."""
    rows = desk.books.rows("policies")
    return {"policies": [{name: row[name] for name in ("version", "actor", "at")} for row in rows]}


def _publish(desk: Desk, policy: Policy, act: str) -> Result:
    version = keep_policy(desk.books, policy, desk.at, desk.actor)
    desk.note("", act, f"version {version}")
    return {"version": version}
