"""The program, loaded once and forked for each call: a call costs what it does, and not its start as well.

What runs to its end and is told no variable of its own is called in this way, in a fork of a process that has loaded
every module and run none of them; what lives on, and what gets signals, is started as its users start it.
POSLAB_COLD=1 in the environment starts everything so.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

PACKAGES: Final = ("protocol", "firmware_sim", "terminal", "host", "pos_lab")
GIVEN_MAX_BYTES: Final = 60_000
"""What a pipe takes before somebody reads it."""
_REQUEST_MAX_BYTES: Final = 1 << 17
IS_COLD: Final = os.environ.get("POSLAB_COLD") == "1"


class Warm:
    """The loaded process, and the line to it."""

    def __init__(self, root: Path) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            for end in (self._line, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _REQUEST_MAX_BYTES)
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env={**os.environ, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(root)},
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )

    def call(
        self, words: Sequence[str], cwd: Path, environment: Mapping[str, str], given: str, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """Run ``poslab`` to its end. Raises TimeoutExpired, and ends all, where it does not come to one."""
        asked = json.dumps({"words": [*map(str, words)], "cwd": str(cwd), "environment": dict(environment)}).encode()
        reading, writing = os.pipe()
        with TemporaryFile() as said, TemporaryFile() as complained:
            try:
                socket.send_fds(self._line, [asked], [reading, said.fileno(), complained.fileno()])
                os.write(writing, given.encode())
            finally:
                os.close(reading)
                os.close(writing)
            self._line.settimeout(timeout_s)
            try:
                status = int(self._line.recv(16))
            except (OSError, ValueError):
                os.killpg(self._process.pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired([*words], timeout_s, _read(said), _read(complained)) from None
            return subprocess.CompletedProcess([*words], status, _read(said), _read(complained))

    @property
    def is_alive(self) -> bool:
        """Does it still take calls?"""
        return self._process.poll() is None

    def end(self) -> None:
        """It ends where nobody can call any more."""
        self._line.close()
        self._process.wait()


_warm: list[Warm] = []


def warm(root: Path) -> Warm:
    """The one of this process, started when it is first needed."""
    while _warm and not _warm[0].is_alive:
        _warm.pop().end()
    if not _warm:
        _warm.append(Warm(root))
        atexit.register(_warm[0].end)
    return _warm[0]


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


# in the loaded process


def _load() -> None:
    for package in map(importlib.import_module, PACKAGES):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not {"__main__", "migrations"} & {*found.name.split(".")}:
                importlib.import_module(found.name)
    gc.collect()
    gc.freeze()


def _serve(line: socket.socket) -> bool:
    """Answer calls until nobody is there to call; True in a fork, which is to be the program."""
    while True:
        asked, files, _, _ = socket.recv_fds(line, _REQUEST_MAX_BYTES, 3)
        if not asked:
            return False
        if not os.fork():
            _become(json.loads(asked), files)
            line.close()
            return True
        for file in files:
            os.close(file)
        _, status = os.wait()
        line.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(asked: Mapping[str, object], files: Sequence[int]) -> None:
    """What a process has from its start."""
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    words, cwd, environment = asked["words"], asked["cwd"], asked["environment"]
    assert isinstance(words, list)
    assert isinstance(environment, dict)
    os.chdir(str(cwd))
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = words
    sys.path[0] = str(cwd)


if __name__ == "__main__":
    _load()
    if _serve(socket.socket(fileno=int(sys.argv[1]))):
        from pos_lab.cli import main

        main()
