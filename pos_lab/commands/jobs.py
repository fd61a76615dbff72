"""Work that several processes share, and how a command breaks it off.

Rules owned here: Ctrl-C and SIGTERM are for the command that waits; they count once, and what comes of them in whatever
is under way is never taken for a result. Jobs then end at once, but never while they hand something over: who reads one
half of it would wait for ever for the other. Who works for one that is gone, however it went, is gone too.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import Pipe, parent_process
from multiprocessing.connection import Connection, wait
from threading import Lock, Thread
from typing import Final, NoReturn, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
INTERRUPTED: Final = 130
"""The exit status of a command that was broken off."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_AT_ONCE: Final = 4_000
"""How much is handed to the processes together."""
_CHUNK: Final = 4
_HANDING_OVER: Final = Lock()
"""Held by the working thread of a job for as long as it does not work."""
_LONGEST_S: Final = 1.0
"""Nothing is handed over for so long: a job whose thread still holds it waits for work that will not come."""


class Interruption:
    """Whether a signal has come. It raises KeyboardInterrupt at once, unless it is held."""

    def __init__(self) -> None:
        self.has_come = False
        self._is_held = False
        self._owner = os.getpid()

    def came(self, *_: object) -> None:
        """The handler; only the first counts, and none in a job that was forked with it."""
        if os.getpid() == self._owner and not self.has_come:
            self.has_come = True
            if not self._is_held:
                raise KeyboardInterrupt

    def heed(self) -> None:
        """Raise KeyboardInterrupt if it has come: code that was interrupted may have swallowed it."""
        if self.has_come:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """What is done here is done whole; ``heed`` tells of it later."""
        outer, self._is_held = self._is_held, True
        try:
            yield
        finally:
            self._is_held = outer


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Let the first SIGINT or SIGTERM raise KeyboardInterrupt; those that follow change nothing until the process ends.

    An error that follows is its consequence, and is told as KeyboardInterrupt. A SIGINT that is ignored stays ignored,
    as it is in the background of a script.
    """
    interruption = Interruption()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, interruption.came)
    try:
        yield interruption
        interruption.heed()
    except Exception:
        interruption.heed()
        raise
    finally:
        if interruption.has_come:
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # Python forgets its handlers before it has ended
        else:
            for number, handler in before.items():
                signal.signal(number, handler)


def shared(
    one: Callable[[Asked], Answer], asked: Iterable[Asked], jobs: int, interruption: Interruption
) -> Generator[Answer, None, None]:
    """The answers in the order of what was asked, from this process or from ``jobs`` others; close it to end them.

    After an interruption nothing that came of it is answered.
    """
    if jobs == 1:
        for each in asked:
            answer = one(each)
            interruption.heed()
            yield answer
        return
    left = iter(asked)
    farewell, bid = Pipe(duplex=False)
    with farewell, bid:
        pool = ProcessPoolExecutor(jobs, initializer=_begin, initargs=(farewell,))
        try:
            while some := list(islice(left, _AT_ONCE)):
                with interruption.held():  # a job that is half begun would be waited for
                    answers = pool.map(partial(_work, one), some, chunksize=_CHUNK)
                interruption.heed()
                yield from answers
        except BaseException:
            bid.send(None)
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(farewell: Connection) -> None:
    """The initializer of a job."""
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
    _HANDING_OVER.acquire()
    Thread(target=_end_with, args=(farewell,), daemon=True).start()


def _end_with(farewell: Connection) -> NoReturn:
    """End this job when its parent is gone, or bids farewell; nobody takes that off the pipe, so that all see it."""
    parent = parent_process()
    assert parent
    if parent.sentinel not in wait([parent.sentinel, farewell]):
        _HANDING_OVER.acquire(timeout=_LONGEST_S)
    os._exit(1)


def _work(one: Callable[[Asked], Answer], asked: Asked) -> Answer:
    _HANDING_OVER.release()
    try:
        return one(asked)
    finally:
        _HANDING_OVER.acquire()
