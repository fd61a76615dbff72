"""A folder of laboratory certificates, made once a run: those of ``poslab crypto certificates --bad``."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

from pos_lab.certificates import make_certificates
from pos_lab.wall_clock import wall_clock

NAMES: Final = ("localhost", "127.0.0.1")


@cache
def certificates() -> Path:
    """The folder; it is removed at the end of the run."""
    folder = Path(tempfile.mkdtemp(prefix="poslab-tls-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    files = make_certificates(NAMES, now=wall_clock(), days=2, fresh=Random(1).randbytes, bad=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def listening(host: str = "host", *, mutual: bool = False, more: str = "") -> str:
    """The URL of who listens, with the certificate ``host``; with ``mutual`` it wants one of the terminal."""
    folder = certificates()
    wants = f"&client_certificate=yes&ca={folder}/ca.pem" if mutual else ""
    return f"tls://127.0.0.1:0?cert={folder}/{host}.pem&key={folder}/{host}.key{wants}{more}"


def connecting(url: str, terminal: str = "", more: str = "") -> str:
    """The URL of who connects to a listener's ``url``, with the certificate ``terminal`` where one is named."""
    folder = certificates()
    shows = f"&cert={folder}/{terminal}.pem&key={folder}/{terminal}.key" if terminal else ""
    return f"{url}{'&' if '?' in url else '?'}ca={folder}/ca.pem{shows}{more}"
