"""A host on the bench for every test of it, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.wire import Lab, Wire
from tests.postgresql import Server

BACKENDS = ("sqlite", "postgresql")
ON_BOTH = frozenset(
    {
        "test_writer", "test_duplicates", "test_ledger", "test_activation", "test_settle", "test_sign_in",
        "test_commands", "test_money", "test_gathered", "test_bulk",
    }
)  # fmt: skip
"""Modules whose tests run on every database; the others' rules never see which one it is."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    module = metafunc.module.__name__.rpartition(".")[2]
    own = any("database" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if module in ON_BOTH and "database" in metafunc.fixturenames and not own:
        metafunc.parametrize("database", BACKENDS, indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that nobody has used."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield str(tmp_path / "host.db")
    else:
        server: Server = request.getfixturevalue("postgresql")
        url = server.database()
        yield url
        server.drop(url)


@pytest.fixture
def lab(database: str, tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path / "host.db", url=database)
    yield lab
    lab.store.close()


@pytest.fixture
def wire(lab: Lab) -> Wire:
    """A terminal that is registered and signed on."""
    return Wire(lab).on_counter()


@pytest.fixture
def active(lab: Lab) -> Wire:
    """A terminal that is activated, with an empty batch."""
    return Wire(lab).activated()
