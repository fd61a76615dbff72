"""What a process that shares the work of a command does first.

Rules owned here: Ctrl-C is for the command that waits; who works for one that is gone, however it went, is gone too.
"""

from __future__ import annotations

import os
import signal
from multiprocessing import parent_process
from threading import Thread


def begin_job() -> None:
    """The initializer of a pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)
