"""Debian's PostgreSQL for a session of tests: a cluster of its own on a socket of its own, as an unprivileged user."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from time import sleep

import psycopg

from tests.quick_folder import QUICK_FOLDER

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
SETTINGS = {
    "listen_addresses": "''",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "autovacuum": "off",
}
"""What makes it quick; the tests end hosts and servers, not machines."""
WAIT_S = 30
LOOKS_A_SECOND = 50


def why_absent() -> str:
    """Why there can be no server here, empty where there can."""
    if not BINARIES:
        return "PostgreSQL is not installed (apt install postgresql)"
    if os.geteuid() == 0 and _unprivileged() is None:
        return "PostgreSQL does not run as root, and there is no user postgres"
    return ""


class Server:
    """A cluster in a directory whose path is short, as a socket's must be."""

    def __init__(self) -> None:
        self._place = Path(tempfile.mkdtemp(prefix="poslab-pg-", dir=QUICK_FOLDER or "/tmp"))
        self._data = self._place / "data"
        self._process: subprocess.Popen[bytes]
        self._numbers = count(1)
        if who := _unprivileged():
            os.chown(self._place, who.pw_uid, who.pw_gid)
        self._call("initdb", "-D", self._data, "-U", "poslab", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.writelines(f"{name} = {value}\n" for name, value in SETTINGS.items())
            settings.write(f"unix_socket_directories = '{self._place}'\n")
        self.start()

    def start(self) -> None:
        """Serve, until these tests end, however they end."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Begin to serve, until the thread that calls this ends."""
        command = ["setpriv", "--pdeathsig", "QUIT", *_as_nobody(), str(BINARIES[-1]), "-D", str(self._data)]
        with (self._place / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._place, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait(self) -> None:
        """Until it serves."""
        for _ in range(WAIT_S * LOOKS_A_SECOND):
            try:
                self.sql("SELECT 1")
            except psycopg.OperationalError:
                sleep(1 / LOOKS_A_SECOND)
            else:
                return
        raise AssertionError((self._place / "log").read_text())

    def stop(self) -> None:
        """Serve nobody, at once, as after a crash."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(WAIT_S)

    def database(self, template: str = "template0") -> str:
        """The URL of a new database."""
        name = f"lab{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    def url(self, name: str) -> str:
        """The URL of a database."""
        return f"postgresql://poslab@/{name}?host={self._place}"

    def drop(self, url: str) -> None:
        """Remove a database, whoever uses it."""
        self.sql(f"DROP DATABASE {url.partition('@/')[2].partition('?')[0]} WITH (FORCE)")

    def sql(self, statement: str, name: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement by itself."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def remove(self) -> None:
        """End it and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._place)

    def _call(self, program: str, *words: object) -> None:
        command = ["setpriv", *_as_nobody(), str(BINARIES[-1].with_name(program)), *map(str, words)]
        done = subprocess.run(
            command, cwd=self._place, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            timeout=2 * WAIT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()


def _as_nobody() -> list[str]:
    """What of ``setpriv`` makes root somebody who may run a server."""
    who = _unprivileged()
    return [f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups"] if who else []


def _unprivileged() -> pwd.struct_passwd | None:
    """Who runs it where root may not."""
    if os.geteuid():
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None
