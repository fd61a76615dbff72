"""The API of a lab's host, without a port: people with tokens, and who they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from host.admin.office import Office
from host.admin.tokens import Role
from host.tally import Tally
from host.web.api import make_api
from tests.host.wire import Lab

PEOPLE = {Role.VIEWER: "wei", Role.OPERATOR: "li", Role.SUPERVISOR: "zhang", Role.AUDITOR: "chen"}


@dataclass
class Window:
    """The API as a client sees it; ``secrets`` has the token of every role."""

    lab: Lab
    client: httpx.AsyncClient
    secrets: dict[str, str]

    async def ask(self, role: str, method: str, path: str, **options: Any) -> httpx.Response:
        """A request by the person of a role; without one, by nobody."""
        headers = {"authorization": f"Bearer {self.secrets[role]}"} if role else {}
        headers |= options.pop("headers", {})
        return await self.client.request(method, path, headers=headers, **options)


class Door:
    """An application takes a third of a second to make: one for all tests, each with its own office behind it."""

    office: Office

    def __getattr__(self, name: str) -> Any:
        return getattr(self.office, name)


@pytest.fixture(scope="session")
def door() -> tuple[Door, Any]:
    door = Door()
    return door, make_api(door)  # type: ignore[arg-type]


@pytest.fixture
def office(lab: Lab) -> Office:
    return Office(lab.store, lambda: lab.now, Tally())


@pytest.fixture
def secrets(lab: Lab) -> dict[str, str]:
    return {role: lab.act("create_token", person=person, role=role)["token"] for role, person in PEOPLE.items()}


@pytest.fixture
async def window(lab: Lab, office: Office, secrets: dict[str, str], door: tuple[Door, Any]) -> AsyncIterator[Window]:
    door[0].office = office
    transport = httpx.ASGITransport(app=door[1])
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        yield Window(lab, client, secrets)
