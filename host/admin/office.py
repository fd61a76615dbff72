"""What a surface from afar may ask of a host: acts and lists under a token and its role, health and figures.

Rules owned here: the token is read in the unit in which the act happens, so that a revoked one does nothing more; who
is denied leaves an audit row; an act that needs two people is none that one can call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from host.admin.acts import conduct, desk_at
from host.admin.desk import Desk, Result
from host.admin.lists import page
from host.admin.rights import LIST_ROLES, RIGHTS
from host.admin.tokens import Caller, Role, caller_of
from host.errors import AdminError, StoreError
from host.store.books import Books
from host.store.database import Store
from host.tally import Tally

T = TypeVar("T")
READY_TIMEOUT_S: Final = 2.0
Run = Callable[[Callable[[Books], Result]], Future[Result]]
"""How a unit is run: by the writer, or beside it."""


@dataclass(frozen=True, slots=True)
class Office:
    """The desk behind a window. ``clock`` gives the time, ``tally`` what the host has counted."""

    store: Store
    clock: Callable[[], datetime]
    tally: Tally

    @property
    def load(self) -> tuple[int, int, int]:
        """How many commits the store made, of how many units, and how many units wait."""
        return self.store.load

    async def act(self, secret: str, act: str, arguments: Mapping[str, Any]) -> Result:
        """One act for who has this token. Raises AdminError and StoreError; nothing happened then."""
        run = self.store.submit if RIGHTS[act].changes else self.store.read
        return await self._serve(run, secret, RIGHTS[act].roles, act, lambda desk: conduct(desk, act, arguments))

    async def page(self, secret: str, name: str, **arguments: Any) -> Result:
        """One page of a list."""
        what, roles = f"list {name}", LIST_ROLES[name]
        return await self._serve(self.store.read, secret, roles, what, lambda desk: page(desk, name, **arguments))

    async def admit(self, secret: str, roles: frozenset[Role], what: str) -> None:
        """Tell a stranger, or somebody of another role, so before anything is said about the arguments."""
        await self._serve(self.store.read, secret, roles, what, lambda desk: {})

    async def readiness(self) -> dict[str, object]:
        """Does the store commit? ``ready`` says so, ``store`` why not."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await asyncio.wrap_future(self.store.submit(lambda books: books.count("chains"), frozenset()))
        except StoreError as error:
            return {"ready": False, "store": error.message}
        except TimeoutError:
            return {"ready": False, "store": f"no answer within {READY_TIMEOUT_S:g} s"}
        return {"ready": True, "store": "commits"}

    async def has_tokens(self) -> bool:
        """Is there anybody who could call?"""
        return bool(await asyncio.wrap_future(self.store.read(lambda books: books.rows("tokens"))))

    async def _serve(
        self, run: Run, secret: str, roles: frozenset[Role], what: str, work: Callable[[Desk], Result]
    ) -> Result:
        denied: list[Caller] = []

        def unit(books: Books) -> Result:
            desk = self._desk(books)
            caller = caller_of(books, secret, desk.at)
            if caller.role not in roles:
                denied[:] = [caller]
                needed = ", ".join(sorted(roles)) or "nobody"
                raise AdminError(f"the role {caller.role} may not: {what}", hint=f"may: {needed}", code="forbidden")
            return work(self._desk(books, caller))

        try:
            return await asyncio.wrap_future(run(unit))
        finally:
            if denied:
                await asyncio.wrap_future(self.store.submit(lambda books: self._deny(books, denied[0], what)))

    def _deny(self, books: Books, caller: Caller, what: str) -> None:
        self._desk(books, caller).note("", "denied", f"{what}, as {caller.role}")

    def _desk(self, books: Books, caller: Caller | None = None) -> Desk:
        desk = desk_at(books, self.store.keys, self.clock())
        return replace(desk, actor=caller.person, token=caller.token) if caller else desk
