"""What every folder of tests may ask for."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator, Iterator

import pytest

from tests.postgresql import Server, why_absent
from tests.quick_folder import QUICK_FOLDER

pytest_plugins = ["pos_lab.pytest_plugin"]


def pytest_configure() -> None:
    """Databases lie where writing is quick, unless somebody has said where; whom a test starts hears Ctrl-C.

    A shell that runs the tests in the background has SIGINT ignored, and every process of theirs would inherit that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if QUICK_FOLDER:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", QUICK_FOLDER)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: the collector of rubbish need never look through it, which takes long."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """Debian's PostgreSQL."""
    if why := why_absent():
        pytest.skip(why)
    server = Server()
    yield server
    server.remove()
