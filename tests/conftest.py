"""What every folder of tests may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgresql import Server, why_absent

pytest_plugins = ["pos_lab.pytest_plugin"]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """Debian's PostgreSQL."""
    if why := why_absent():
        pytest.skip(why)
    server = Server()
    yield server
    server.remove()
