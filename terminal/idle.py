"""The idle screen: what stands on the display while nobody does anything.

Rules owned here: TABLE STATES, what the merchant must know before the next sale; the end of a flow stays on the screen
for ``idle_after_s``, or until the next key; the time on the screen is that of the minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from firmware_sim.power import PowerLost
from firmware_sim.secure_module import KeyState
from terminal.outcome import LOCAL, Outcome
from terminal.session import Session

STANDING: Final = frozenset({"03", "58", "97"})
"""Answers that are about the merchant or the terminal: they hold until a sale is approved (CUP 4)."""
_MINUTE_S: Final = 60
Text = tuple[str, str]
"""Chinese and English."""
READY: Final[Text] = ("欢迎使用", "ready")
NO_TIME: Final[Text] = ("时钟未设置", "the clock is not set")


def _local(reason: str, *, holds: bool) -> list[Text]:
    return [(LOCAL[reason].chinese, LOCAL[reason].english)] if holds else []


def standing(told: Iterable[Outcome]) -> list[Text]:
    """Why the host takes nothing from this terminal, by the last that it said; empty where it does."""
    for outcome in reversed([*told]):
        if outcome.result == "approved" or (outcome.flow == "why" and outcome.is_good and not outcome.code):
            return []
        if outcome.code in STANDING:
            return [(outcome.text_zh, outcome.text_en)]
    return []


def _unread(session: Session) -> list[Text]:
    count = sum(not notice.read and not notice.must_confirm for notice in session.book.notices)
    return [(f"{count}条未读通知", f"{count} unread notice{'s' * (count != 1)}")] if count else []


STATES: Final[tuple[Callable[[Session], list[Text]], ...]] = (
    lambda session: _local("swap.wiped", holds=session.book.is_wiped),
    lambda session: _local(
        "terminal.tampered",
        holds=session.board.secure_module.key_state is KeyState.TAMPERED and not session.book.is_wiped,
    ),
    lambda session: standing(session.told),
    lambda session: _local("swap.under_way", holds=session.book.is_handing_over),
    lambda session: _local("terminal.paused", holds=session.book.paused),
    lambda session: _local("terminal.reversal_pending", holds=bool(session.book.unresolved)),
    lambda session: _local("terminal.announcement_unread", holds=bool(session.book.announcements)),
)  # fmt: skip
"""What bars the next sale, the gravest first; training stands before every screen."""


def idle_screen(session: Session) -> Text:
    """The screen: ready or why not, who the merchant is, the time, and how many notices wait."""
    clock = session.board.clock
    at = f"{clock.glance():%m-%d %H:%M}"
    barred = [text for state in STATES for text in state(session)]
    name = session.settings.merchant_name
    lines = [
        *(barred or [READY]),
        *([(name, name)] if name else []),
        (at, at) if clock.is_set else NO_TIME,
        *_unread(session),
    ]
    return "\n".join(zh for zh, _ in lines), "\n".join(en for _, en in lines)


class Idle:
    """The idle screen of one power epoch; it goes with the power."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._timer: asyncio.TimerHandle | None = None

    def rest(self) -> None:
        """Show the screen now, and anew every minute where there is a loop to wait in."""
        self._wake()
        self._session.show(*idle_screen(self._session))
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # nobody is there to look at it
        self._wait(loop, _MINUTE_S - self._session.board.clock.glance().second)

    def _rest_again(self) -> None:
        """Nobody calls this who could hear that the power went: the screen is dark, and that is all."""
        with suppress(PowerLost):
            self.rest()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Leave the screen to a flow, however it ends; its end is there to be read for a while, or until a key."""
        self._wake()
        try:
            yield
        except Exception:
            self._rest_later()
            raise
        self._rest_later()

    def _rest_later(self) -> None:
        self._session.board.keypad.on_key = self._rest_again
        self._wait(asyncio.get_running_loop(), self._session.settings.idle_after_s)

    def _wake(self) -> None:
        self._session.board.power.forget(self._wake)
        self._session.board.keypad.on_key = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, loop: asyncio.AbstractEventLoop, after_s: float) -> None:
        self._session.board.power.on_cut(self._wake)
        self._timer = loop.call_later(after_s, self._rest_again)
