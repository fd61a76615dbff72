"""The master key of a host: 32 bytes from a file or from the environment, and never in the database that it opens.

Rules owned here: the environment goes before the file; a file is its owner's alone; a new key is staged beside the old
one until the database is sealed under it, so that a cut at any point leaves a key that opens it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from host.errors import StoreError
from protocol.crypto.vault import KEY_BYTES, NONCE_BYTES, seal, unseal
from protocol.errors import KeyLoadError

ENVIRONMENT: Final = "POSLAB_MASTER_KEY"
_CONTEXT: Final = b"data key"
_STAGED: Final = ".next"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """Where the key is: ``file``, unless the environment gives it."""

    file: Path

    @property
    def is_given(self) -> bool:
        """Does the environment give the key?"""
        return bool(os.environ.get(ENVIRONMENT))

    @property
    def is_there(self) -> bool:
        """Is there a key at all?"""
        return self.is_given or self.file.exists()

    def make(self, fresh: Callable[[int], bytes]) -> None:
        """Make the key of a new database, unless there is one."""
        if not self.is_there:
            _write(self.file, fresh(KEY_BYTES))

    def read(self) -> bytes:
        """The key. Raises StoreError where it is missing or no key."""
        if self.is_given:
            return _from_hex(os.environ[ENVIRONMENT])
        if not self.file.exists():
            raise StoreError(
                f"the key file {self.file} is missing",
                hint=f"give --master-key-file or {ENVIRONMENT}: without it the keys in the database are lost",
            )
        return _read(self.file)

    def open(self, sealed: bytes) -> bytes:
        """The data key of a database. Where a new master key was staged and is the right one, it takes its place.

        Raises KeyLoadError where no key opens it.
        """
        staged = self._staged
        if self.is_given or not staged.exists():
            return unseal(self.read(), sealed, _CONTEXT)
        try:
            opened = unseal(_read(staged), sealed, _CONTEXT)
        except KeyLoadError:
            opened = unseal(self.read(), sealed, _CONTEXT)
            staged.unlink()  # the rotation never reached the database
        else:
            self.promote()
        return opened

    def stage(self, new: bytes) -> None:
        """Lay a new key beside the old one, before the database is sealed under it."""
        _write(self._staged, new, replace=True)

    def promote(self) -> None:
        """The staged key takes the old one's place: the database is sealed under it."""
        os.replace(self._staged, self.file)

    @property
    def _staged(self) -> Path:
        return self.file.with_name(self.file.name + _STAGED)


def seal_data_key(master_key: bytes, data_key: bytes, fresh: Callable[[int], bytes]) -> bytes:
    """The data key as the database keeps it."""
    return seal(master_key, fresh(NONCE_BYTES), data_key, _CONTEXT)


def _from_hex(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise StoreError(f"{ENVIRONMENT} is no master key", hint=f"give {2 * KEY_BYTES} hex digits")
    return key


def _read(file: Path) -> bytes:
    key = file.read_bytes()
    if len(key) != KEY_BYTES:
        raise StoreError(f"the key file {file} holds {len(key)} bytes, not {KEY_BYTES}")
    return key


def _write(file: Path, key: bytes, *, replace: bool = False) -> None:
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if replace else os.O_EXCL)
    with os.fdopen(os.open(file, flags, 0o600), "wb") as stream:
        stream.write(key)
        stream.flush()
        os.fsync(stream.fileno())
