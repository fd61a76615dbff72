"""The master key: where it comes from, and its rotation cut at every point."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from host.admin.acts import rotate_master_key
from host.errors import StoreError
from host.master_key import ENVIRONMENT, MasterKey
from host.store.database import Store, open_store
from tests.host.wire import START, Lab, Wire, fresh_bytes

pytestmark = pytest.mark.feature("K")
KEY, NEW = bytes(range(32)), bytes(range(32, 64))


@pytest.fixture(autouse=True)
def no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)


def opened(path: Path, seed: str = "x", **options: Path) -> Store:
    """The store of a file."""
    return open_store(str(path), fresh_bytes(seed), **options)


def test_a_rotated_key_opens_and_the_old_one_does_not(wire: Wire) -> None:
    """A key that leaked could not be made worthless."""
    lab, old = wire.lab, key_of(wire.lab)
    rotate_master_key(lab.store, NEW, START)
    assert key_of(lab) == NEW
    wire.sell(100)
    lab.reopen()
    wire.sell(100)
    assert lab.act("verify_audit")["whole"]
    assert "rotate master key" in [row["act"] for row in lab.rows("audit")]
    lab.store.close()
    key_file(lab).write_bytes(old)
    with pytest.raises(StoreError):
        opened(lab.path)
    key_file(lab).write_bytes(NEW)


def key_file(lab: Lab) -> Path:
    """The key file of a lab."""
    return lab.path.with_name(lab.path.name + ".key")


def key_of(lab: Lab) -> bytes:
    """The key in it."""
    return key_file(lab).read_bytes()


def test_card_tokens_outlive_a_rotation(active: Wire) -> None:
    """A refund after the rotation would not find the card of its sale."""
    sold = active.sell(5_000)
    rotate_master_key(active.lab.store, NEW, START)
    active.lab.reopen()
    assert active.code(active.refund(sold, 1_000)) == "00"


def test_a_cut_before_the_database_changed_leaves_the_old_key(tmp_path: Path) -> None:
    """A power cut in the rotation would lose every key of every terminal."""
    path = tmp_path / "host.db"
    opened(path).close()
    master_key = MasterKey(tmp_path / "host.db.key")
    old = master_key.read()
    master_key.stage(NEW)
    opened(path).close()
    assert master_key.read() == old
    assert sorted(file.name for file in tmp_path.iterdir() if "key" in file.name) == ["host.db.key"]


def test_a_cut_after_the_database_changed_leaves_the_new_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, one moment later."""
    path = tmp_path / "host.db"
    store = opened(path)
    with monkeypatch.context() as cut:
        cut.setattr(MasterKey, "promote", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rotate_master_key(store, NEW, START)
    store.close()
    opened(path).close()
    assert MasterKey(tmp_path / "host.db.key").read() == NEW


def test_the_key_may_lie_elsewhere(tmp_path: Path) -> None:
    """A backup of the database's folder would hold the key too."""
    elsewhere = tmp_path / "safe" / "master.key"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(KEY)
    path = tmp_path / "host.db"
    opened(path, key_file=elsewhere).close()
    assert not (tmp_path / "host.db.key").exists()
    with pytest.raises(StoreError):
        opened(path)
    opened(path, key_file=elsewhere).close()


def test_the_key_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host in a container could not be given its key as a secret."""
    path = tmp_path / "host.db"
    monkeypatch.setenv(ENVIRONMENT, KEY.hex())
    store = opened(path)
    assert [file.name for file in tmp_path.iterdir() if "key" in file.name] == []
    rotate_master_key(store, NEW, START)
    store.close()
    with pytest.raises(StoreError):
        opened(path)
    monkeypatch.setenv(ENVIRONMENT, NEW.hex())
    opened(path).close()


@pytest.mark.parametrize("given", ["xyz", "00", KEY.hex()[:-2], KEY.hex() + "00"])
def test_a_setting_that_is_no_key_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """A typing error would make a host whose keys nobody can open again."""
    monkeypatch.setenv(ENVIRONMENT, given)
    with pytest.raises(StoreError) as refused:
        opened(tmp_path / "host.db")
    assert ENVIRONMENT in str(refused.value)
    assert given not in str(refused.value)


def test_no_key_lies_clear_in_the_database(wire: Wire) -> None:
    """Whoever copies the database would have the terminals' keys."""
    wire.lab.store.close()
    master_key = key_of(wire.lab)
    content = b"".join(file.read_bytes() for file in wire.lab.path.parent.iterdir() if ".key" not in file.name)
    for key in (master_key, wire.tmk, wire.keys.mak if wire.keys else b"", wire.lab.store.keys.data_key):
        assert bytes(key) not in content
        assert bytes(key).hex().upper().encode() not in content
    assert os.stat(key_file(wire.lab)).st_mode & 0o077 == 0
