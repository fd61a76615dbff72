"""The figures of a running host, and the command line that acts beside it in another process."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from random import Random

from host.store.database import open_store
from tests.end_to_end.shop import serving

DAY_S = 86_400


def test_the_command_line_signs_orders_for_as_long_as_the_host_says(tmp_path: Path) -> None:
    """A tester who shortened the life of orders would see those of the command line live on for half a year."""
    figures = tmp_path / "policy.yaml"
    figures.write_text("commands: {ttl: 1d}\n", encoding="utf-8")
    with serving(tmp_path, "--policy", str(figures)) as host:
        host.admin("register", "10000001", "898100000000001", "--serial-number", "PXE90-0001")
        host.admin("retire-model", "PX-E90")
        with closing(open_store(str(host.database), Random(1).randbytes, create=False)) as store:
            [command] = store.run(lambda books: books.rows("commands"))
    assert command["expires_at"] - command["created_at"] == DAY_S
