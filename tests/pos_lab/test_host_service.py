"""The catalogue of the emulated devices in the host's books."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.models import MODELS
from host.admin.acts import perform
from host.store.database import Store, open_store
from pos_lab.host_service import enter_catalogue
from pos_lab.wall_clock import wall_clock
from tests.host.wire import fresh_bytes


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(str(tmp_path / "host.db"), fresh_bytes())
    yield opened
    opened.close()


def models(store: Store) -> dict[str, dict[str, Any]]:
    rows: Any = perform(store, "models", wall_clock())["models"]
    return {row["model"]: row for row in rows}


def test_every_model_is_entered_in_one_unit(store: Store) -> None:
    """A terminal of the catalogue would be refused as unknown, or the host take a second for every start."""
    commits: list[int] = []
    run = store.run
    store.run = lambda work: (commits.append(1), run(work))[1]  # type: ignore[assignment, func-returns-value]
    enter_catalogue(store)
    assert len(commits) == 1
    entered = models(store)
    assert entered.keys() == MODELS.keys()
    assert (entered["PX-E90"]["brand"], entered["PX-E90"]["family"]) == ("百富", "e_sign")


def test_a_model_that_is_there_stays_as_it_is(store: Store) -> None:
    """Each start of the host would take the models off the retirement list."""
    perform(store, "add_model", wall_clock(), model="XX-1", brand="b", family="f")
    enter_catalogue(store)
    perform(store, "retire_model", wall_clock(), model="PX-E90")
    enter_catalogue(store)
    entered = models(store)
    assert entered["PX-E90"]["retired_at"] is not None
    assert len(entered) == len(MODELS) + 1
