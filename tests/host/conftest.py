"""A host on the bench for every test of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.wire import Lab, Wire


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path / "host.db")
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
