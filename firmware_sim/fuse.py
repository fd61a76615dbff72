"""The fuse: the key under which a device seals all its others, in memory that its battery keeps.

    file      key 32, CRC-32 4, big-endian

Rules owned here: the fuse is burnt once, at birth, and once more for each new life, in the depot; it is erased at once
when the case is opened, whether the power is on or off, and stays erased, which is also how a device knows at its next
boot that it was opened. Anything but a whole key counts as erased. The text of a fuse shows nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final
from zlib import crc32

from firmware_sim.errors import ChipError, SecureModuleError
from protocol.crypto.vault import KEY_BYTES

FUSE_BYTES: Final = KEY_BYTES + 4


class Fuse:
    """A fuse in memory or, from ``open``, in a file."""

    def __init__(self, key: bytes) -> None:
        self._content = bytearray(_burnt(key))
        self._path: Path | None = None
        self._on_erase: Callable[[], None] | None = None

    @classmethod
    def open(cls, path: Path, fresh: Callable[[int], bytes]) -> Fuse:
        """Return the fuse kept in ``path``; a missing one is burnt from ``fresh``, in full under another name first.

        Raises OSError, and ChipError on a file of another size.
        """
        if not path.exists():
            unfinished = path.with_suffix(".new")
            _write(unfinished, _burnt(fresh(KEY_BYTES)), os.O_CREAT | os.O_TRUNC)
            unfinished.replace(path)
        content = path.read_bytes()
        if len(content) != FUSE_BYTES:
            raise ChipError(f"{path} is not a fuse of {FUSE_BYTES} bytes")
        fuse = cls(bytes(KEY_BYTES))
        fuse._content[:], fuse._path = content, path
        return fuse

    @property
    def is_erased(self) -> bool:
        """Whether the case of this device was ever opened."""
        return self._content != _burnt(self._content[:KEY_BYTES])

    @property
    def key(self) -> bytes:
        """The 32 bytes; raises SecureModuleError "tampered" once they are erased."""
        if self.is_erased:
            raise tampered()
        return bytes(self._content[:KEY_BYTES])

    @property
    def image(self) -> bytes:
        """A copy of every byte, for a test or a checker."""
        return bytes(self._content)

    def burn(self, key: bytes) -> None:
        """Begin a new life with another key of 32 bytes. Raises SecureModuleError where there is one yet, ChipError."""
        if not self.is_erased:
            raise SecureModuleError("the fuse has a key", hint="open the case: that erases it", code="fuse")
        self._content[:] = _burnt(key)
        self._keep("burnt")

    def watch(self, witness: Callable[[], None]) -> None:
        """Call ``witness`` when the fuse is erased: the secure module that runs now, in place of any earlier one."""
        self._on_erase = witness

    def erase(self) -> None:
        """Overwrite the key, in memory first; erasing twice is erasing once. Raises ChipError."""
        self._content[:] = bytes(FUSE_BYTES)
        witness, self._on_erase = self._on_erase, None
        if witness is not None:
            witness()
        self._keep("erased")

    def _keep(self, done: str) -> None:
        if self._path is not None:
            try:
                _write(self._path, bytes(self._content), 0)
            except OSError as error:
                raise ChipError(f"{self._path} cannot be {done}: {error.strerror}") from error


def tampered() -> SecureModuleError:
    """What every use of a device says whose case was opened."""
    return SecureModuleError("the case was opened", hint="the keys are erased: send the device in", code="tampered")


def _burnt(key: bytes | bytearray) -> bytes:
    # the CRC of 32 zero bytes is not zero, so that an erased fuse is no key
    return bytes(key) + crc32(key).to_bytes(4, "big")


def _write(path: Path, content: bytes, flags: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
    try:
        os.write(file, content)
        os.fsync(file)
    finally:
        os.close(file)
