"""One terminal with people around it: a flow runs while hands press keys, present cards, sign, and pull the plug.

Rules owned here: one flow at a time; what its words do not give is asked for at the devices; TABLE EVENTS, what every
listener is told, in the order in which it happens; a device restarts by itself after the causes of RESTARTS.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Final, TypeVar

from firmware_sim.board import Board, Hardware
from firmware_sim.display import Shown, on_glass
from firmware_sim.errors import DeviceError, UnknownName
from firmware_sim.power import Cause, PowerLost
from pos_lab.commands.output import error_document
from protocol.errors import ToldError
from terminal.app import Terminal
from terminal.book import Book
from terminal.errors import WordsWrong
from terminal.flows import FLOWS
from terminal.outcome import Outcome
from terminal.settings import Settings

T = TypeVar("T")
Document = dict[str, object]
Listener = Callable[[Document], None]

EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "screen": "the screen has changed: its lines `zh` and `en`",
        "printed": "a `line` came out of the printer",
        "outcome": "the cashier was told how a flow ended, with its slip as `receipt_zh` and `receipt_en`",
        "error": "a flow ended with an `error`",
        "power": "the power is `on`, or off for a `cause`",
        "idle": "a `flow` is over, `good` or not: the next one may begin",
    }
)
RESTARTS: Final = frozenset({Cause.BROWN_OUT, Cause.WATCHDOG, Cause.CRASH})
"""After these the supply is there, and the device starts again."""
KEPT_MAX: Final = 1000
"""Screens, printed lines and outcomes that are kept."""

_OUTCOME: Final = (
    "flow",
    "result",
    "code",
    "reason",
    "text_zh",
    "text_en",
    "remedy_zh",
    "remedy_en",
    "stan",
    "rrn",
    "amount_fen",
)
_DIGITS: Final = re.compile(r"[0-9]{4,}")


class Noticed(list[T]):
    """The last KEPT_MAX items, each of which is told to ``notice`` when it comes."""

    def __init__(self, notice: Callable[[T], None]) -> None:
        super().__init__()
        self._notice = notice

    def append(self, item: T) -> None:
        """Keep ``item``, then tell it."""
        super().append(item)
        del self[:-KEPT_MAX]
        self._notice(item)


class Desk:
    """A terminal that is operated by hand, off until ``switch_on``; its flows run while it is ``attended``.

    ``load`` is what the depot does to a board at power-on. ``told`` keeps what the cashier was told over power cuts,
    ``flow`` is the one that runs, "" for none; ``last`` is what the latest one told, ``last_is_good`` how it ended,
    ``all_good`` how all of them did.
    """

    def __init__(self, hardware: Hardware, settings: Settings, load: Callable[[Board], object]) -> None:
        self.hardware = hardware
        self.settings = settings
        self.told: list[Outcome] = Noticed(self._tell)
        self.flow = ""
        self.last: list[Document] = []
        self.last_is_good = self.all_good = True
        self._tasks = asyncio.TaskGroup()
        self._load = load
        self._listeners: dict[Listener, None] = {}
        self._terminal: Terminal | None = None
        self._heard = 0
        self._idle = asyncio.Event()
        self._idle.set()
        hardware.shown = Noticed(self._show)
        hardware.paper = Noticed(lambda line: self._publish("printed", line=line))

    @property
    def is_on(self) -> bool:
        """Whether there is power."""
        return self.hardware.power.is_on

    @property
    def terminal(self) -> Terminal:
        """The terminal that runs; raises DeviceError "power_off"."""
        if not self.is_on or self._terminal is None:
            raise DeviceError("the power is off", hint="switch it on", code="power_off")
        return self._terminal

    @property
    def board(self) -> Board:
        """The devices that have power; raises DeviceError "power_off"."""
        return self.terminal.board

    @property
    def book(self) -> Book:
        """What the journal said when the power was last on."""
        assert self._terminal is not None
        return self._terminal.book

    @property
    def asks_pin(self) -> bool:
        """Whether a PIN is asked for now."""
        return self.is_on and self.board.keypad.asks_pin

    @property
    def hides_entry(self) -> bool:
        """Whether an entry is asked for now that nobody may read over a shoulder."""
        return self.is_on and self.board.keypad.hides_entry

    @asynccontextmanager
    async def attended(self) -> AsyncIterator[asyncio.TaskGroup]:
        """Run flows beside the block, which gets their group for tasks of its own; at its end the power is cut."""
        async with self._tasks:
            try:
                yield self._tasks
            finally:
                self.hardware.cut_power()

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` every event from now on."""
        self._listeners[listener] = None

    def ignore(self, listener: Listener) -> None:
        """Undo ``listen``."""
        self._listeners.pop(listener, None)

    def switch_on(self) -> None:
        """Begin a power epoch. Raises as making a Terminal does, DeviceError where the power is on, or goes at once."""
        try:
            terminal = Terminal(self.hardware, self.settings)
        except PowerLost:
            raise DeviceError("the power went as the device started", code="power_off") from None
        self.hardware.power.on_cut(self._power_went)
        self._terminal, self._heard = terminal, 0
        self._load(terminal.board)
        self._publish("power", on=True)
        self._hear()

    def cut(self) -> None:
        """Pull the plug; raises DeviceError "power_off" where it is off."""
        if not self.is_on:
            raise DeviceError("the power is off", hint="switch it on", code="power_off")
        self.hardware.cut_power()

    def begin(self, name: str, words: Sequence[str] = ()) -> None:
        """Start a flow with its first ``words`` entered; the others it asks for, and ``idle`` waits for its end.

        Raises DeviceError "busy" and "power_off", UnknownName, WordsWrong, and as the entries do.
        """
        if name not in FLOWS:
            raise UnknownName("flow", name, FLOWS)
        flow, terminal = FLOWS[name], self.terminal
        if self.flow:
            raise DeviceError(
                f"{self.flow} is under way", hint="answer what it asks for, or cut the power", code="busy"
            )
        if len(words) > len(flow.entries):
            raise WordsWrong(f"{len(words)} words given to {flow.usage!r}", hint=flow.english)
        if words:
            terminal.board.keypad.clear()
        try:
            for entry, word in zip(flow.entries, words, strict=False):
                entry.type_in(terminal.board, word)
        except ToldError:
            terminal.board.clear_entries()
            raise
        self.flow, self.last = name, []
        self._idle.clear()
        self._tasks.create_task(self._play(terminal, name))

    async def idle(self) -> None:
        """Wait until no flow runs."""
        await self._idle.wait()

    async def _play(self, terminal: Terminal, name: str) -> None:
        good = False
        try:
            good = (await terminal.run(name)).is_good
        except PowerLost:
            good = False  # who listens was told when it went
        except ToldError as error:
            self._publish("error", error=wrong(error))
        self._hear()
        try:
            self._restart(terminal)
        except ToldError as error:
            self._publish("error", error=wrong(error))
        self.flow, self.last_is_good = "", good
        self.all_good = self.all_good and good
        self._idle.set()
        self._publish("idle", flow=name, good=good)

    def _restart(self, terminal: Terminal) -> None:
        """Switch on what restarts by itself, and off and on what has staged new firmware."""
        if self.is_on and terminal is self._terminal and terminal.reboot_due:
            self.cut()
            self.switch_on()
        elif not self.is_on and self.hardware.power.last_cut in RESTARTS:
            self.switch_on()

    def _power_went(self) -> None:
        self._hear()
        self._publish("power", on=False, cause=self.hardware.power.last_cut.value)

    def _show(self, shown: Shown) -> None:
        model = self.hardware.model
        self._publish("screen", zh=on_glass(shown.zh, model), en=on_glass(shown.en, model))
        self._hear()

    def _hear(self) -> None:
        """Take over what the terminal has told since."""
        if self._terminal is not None:
            fresh = self._terminal.told[self._heard :]
            self._heard += len(fresh)
            for outcome in fresh:
                self.told.append(outcome)

    def _tell(self, outcome: Outcome) -> None:
        document = slip_document(outcome)
        self.last.append(document)
        self._publish("outcome", **document)

    def _publish(self, event: str, **told: object) -> None:
        for listener in list(self._listeners):
            listener({"event": event, **told})


def outcome_document(outcome: Outcome) -> Document:
    """What the cashier was told, for programs."""
    return {**{name: getattr(outcome, name) for name in _OUTCOME}, "detail": dict(outcome.detail)}


def slip_document(outcome: Outcome) -> Document:
    """The same with its slip in both languages."""
    return {**outcome_document(outcome), "receipt_zh": outcome.receipt_zh, "receipt_en": outcome.receipt_en}


def wrong(error: Exception) -> Document:
    """What is wrong: code, field, offset, message, hint; digits that may be of a PIN or a card are covered."""
    told = error_document(error)["error"]
    assert isinstance(told, dict)
    return {name: discreet(text) if isinstance(text, str) else text for name, text in told.items()}


def discreet(text: str) -> str:
    """``text`` with stars for digits that may be of a PIN or a card: four or more in a row."""
    return _DIGITS.sub(lambda digits: "*" * len(digits[0]), text)
