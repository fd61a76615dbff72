"""Opening a database, and every way in which that can fail with one line."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from host.errors import StoreError
from host.keys import KeyDesk
from host.store.database import backend_of, open_store
from tests.host.wire import fresh_bytes

SQLITE_HEADER_BYTES = 100


def made(path: Path) -> Path:
    """A database that was used and closed."""
    open_store(str(path), fresh_bytes()).close()
    return path


def key_of(path: Path) -> Path:
    """The key file beside a database."""
    return path.with_name(path.name + ".key")


def _no_key(path: Path) -> Path:
    key_of(made(path)).unlink()
    return path


def _short_key(path: Path) -> Path:
    key_of(made(path)).write_bytes(b"short")
    return path


def _other_key(path: Path) -> Path:
    key_of(made(path)).write_bytes(bytes(32))
    return path


def _text(path: Path) -> Path:
    made(path).write_text("this is a shopping list, not a database. " * 50)
    return path


def _other_schema(path: Path) -> Path:
    connection = sqlite3.connect(made(path))
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    return path


def _other_program(path: Path) -> Path:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.commit()
    connection.close()
    key_of(path).write_bytes(bytes(32))
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    key_of(path).write_bytes(bytes(32))
    return path


def _under_a_file(path: Path) -> Path:
    path.write_text("a file")
    return path / "host.db"


@pytest.mark.parametrize(
    "spoil", [_no_key, _short_key, _other_key, _text, _other_schema, _other_program, _folder, _under_a_file]
)
def test_a_database_that_cannot_be_used_is_one_line(tmp_path: Path, spoil: Callable[[Path], Path]) -> None:
    """Whoever starts the host would read a page of traceback, or the file would be overwritten."""
    path = spoil(tmp_path / "host.db")
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError) as refused:
        open_store(str(path), fresh_bytes())
    told = str(refused.value)
    assert "\n" not in told
    assert "host.db" in told
    assert (path.read_bytes() if path.is_file() else b"")[SQLITE_HEADER_BYTES:] == before[SQLITE_HEADER_BYTES:]


@pytest.mark.parametrize("url", ["", ".", "/", "sqlite:///"])
def test_what_names_no_file_is_one_line(url: str) -> None:
    """A slip in --db would end in a traceback."""
    with pytest.raises(StoreError, match="names no file"):
        backend_of(url)


def test_a_directory_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """The same, where the rights are wrong."""
    place = Path("/proc/1")
    with pytest.raises(StoreError) as refused:
        open_store(str(place / "host.db"), fresh_bytes())
    assert "\n" not in str(refused.value)
    assert str(place) in str(refused.value)


def test_a_database_that_must_be_there_is_not_made(tmp_path: Path) -> None:
    """A typing error in a path would be answered by an empty host."""
    with pytest.raises(StoreError, match="there is no database"):
        open_store(str(tmp_path / "host.db"), fresh_bytes(), create=False)
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_the_owners_alone(tmp_path: Path) -> None:
    """Every user of the machine could unseal the terminals' keys."""
    path = made(tmp_path / "deep" / "host.db")
    assert stat.S_IMODE(key_of(path).stat().st_mode) == 0o600


def test_an_empty_file_is_a_new_database(tmp_path: Path) -> None:
    """A file that a script made beforehand could not be used."""
    path = tmp_path / "host.db"
    path.touch()
    open_store(str(path), fresh_bytes()).close()
    open_store(f"sqlite:///{path}", fresh_bytes()).close()


@pytest.mark.parametrize("url", ["mysql://x", "file:///x.db"])
def test_another_kind_of_database_is_refused(url: str) -> None:
    """The host would write into a file that is called like a server."""
    with pytest.raises(StoreError, match="no database of ours"):
        backend_of(url)


def test_commits_are_durable_by_setting(tmp_path: Path) -> None:
    """A power cut would take approved sales with it."""
    store = open_store(str(tmp_path / "host.db"), fresh_bytes())

    def settings(name: str) -> object:
        return store.run(lambda books: books._connection.exec_driver_sql(f"PRAGMA {name}").scalar())

    assert (settings("journal_mode"), settings("synchronous")) == ("wal", 2)
    store.close()


def test_a_key_desk_needs_its_master_key(tmp_path: Path) -> None:
    """Secrets would be unsealed by anybody who has the file."""
    first, second = KeyDesk(bytes(32), fresh_bytes()), KeyDesk(b"\x01" * 32, fresh_bytes())
    assert first.card_token("6200000100000004") != second.card_token("6200000100000004")
    assert first.fingerprint(b"x") != second.fingerprint(b"x")
