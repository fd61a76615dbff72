"""The payment application: power-on, idle, a flow, what the host asked for, idle again.

Rules owned here: recovery comes before anything else; what the host asks for in a reply's header is done between
transactions, never inside one (TABLE CARRIED_OUT). Nothing in this package catches PowerLost: after a power cut a new
Terminal is made from the hardware alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from firmware_sim.board import Board, Hardware
from firmware_sim.errors import EntryCancelled, EntryTimeout, UnknownName
from protocol.header import FETCH_COMMANDS, NO_REQUIREMENT, SIGN_ON_AGAIN
from protocol.money import yuan
from terminal.book import Book
from terminal.errors import WordsWrong
from terminal.flows import FLOWS, Flow, type_in
from terminal.flows.commands import commands
from terminal.flows.resolve import alarm
from terminal.flows.sign_in import sign_in
from terminal.journal import Journal
from terminal.outcome import Outcome, local
from terminal.session import Session
from terminal.settings import Settings

# processing requirement in a reply's header (CUP 1.9) -> the flow that does it
CARRIED_OUT: Final[Mapping[str, Callable[[Session], Awaitable[Outcome]]]] = MappingProxyType(
    {FETCH_COMMANDS: commands, SIGN_ON_AGAIN: sign_in}
)
ROUNDS_MAX: Final = 3
"""How often one flow may be followed by what replies ask for; a host that never stops asking gets no more."""


class Terminal:
    """A payment terminal from one power-on to the next power cut; ``told`` keeps what the cashier was told.

    Making one switches the power on. Raises as ``Hardware.power_on``, and as ``Journal``.
    """

    def __init__(self, hardware: Hardware, settings: Settings) -> None:
        self.hardware = hardware
        self.settings = settings
        self.told: list[Outcome] = []
        self._start()

    @property
    def board(self) -> Board:
        """The devices of this power epoch."""
        return self.session.board

    @property
    def book(self) -> Book:
        """What the journal says: transactions, totals, batch, notices, audit trail."""
        return self.session.book

    @property
    def reboot_due(self) -> bool:
        """Whether staged firmware waits for ``reboot``, or for the power to go and come back."""
        return self.session.reboot_due

    def reboot(self) -> None:
        """Switch the power off and on. Raises as making a Terminal does."""
        self.hardware.cut_power()
        self._start()

    async def do(self, name: str, *words: str) -> Outcome:
        """Run a flow with ``words`` in the order of its usage, as at a command line: ``do("sale", "60.00", "debit")``.

        Raises as ``run``.
        """
        entries = _flow(name).entries
        if len(words) > len(entries):
            raise WordsWrong(f"{len(words)} words given to {FLOWS[name].usage!r}", hint=FLOWS[name].english)
        return await self._play(name, {entry.argument: word for entry, word in zip(entries, words, strict=False)})

    async def run(self, name: str, *, amount_fen: int | None = None, **arguments: str) -> Outcome:
        """Enter the arguments for the cashier and the cardholder, run the flow, then what the host asked for.

        Without any argument, the flow waits for what is entered at the keypad and the reader. Returns what the cashier
        was told of this flow; ``told`` has all. Raises UnknownName for a flow or a card that there is not, WordsWrong,
        DeviceError for a card or PIN that the device cannot take, PowerLost.
        """
        amount = {} if amount_fen is None else {"amount": yuan(amount_fen)}
        return await self._play(name, {**amount, **arguments})

    async def _play(self, name: str, arguments: Mapping[str, str]) -> Outcome:
        flow = _flow(name)
        if arguments:
            type_in(flow, arguments, self.board)
        self.session.sign_on_failed = False
        outcome = self.session.tell(await self._attempt(name, flow))
        self.board.keypad.clear()
        await self._carry_out_requirements(flow, outcome)
        return outcome

    def _start(self) -> None:
        board = self.hardware.power_on()
        journal = Journal(board.nvram)
        board.clock.advance(timedelta(seconds=journal.book.clock_offset_s))
        self.session = Session(board, self.settings, journal, self.told)
        alarm(self.session)
        self.session.show("欢迎使用", "ready")

    async def _attempt(self, name: str, flow: Flow) -> Outcome:
        try:
            return await flow.run(self.session)
        except EntryCancelled:
            return local(name, "terminal.cancelled")
        except EntryTimeout:
            return local(name, "terminal.entry_timeout")

    async def _carry_out_requirements(self, flow: Flow, outcome: Outcome) -> None:
        """Do what replies asked for, as long as it works; what has just failed is left to the next flow."""
        last, is_good = flow.run, outcome.is_good
        for _ in range(ROUNDS_MAX):
            due = CARRIED_OUT.get(self._due())
            self.session.requirement = NO_REQUIREMENT
            if due is None or (due is last and not is_good):
                return
            last, is_good = due, self.session.tell(await due(self.session)).is_good

    def _due(self) -> str:
        """What to do next; a sign-on that was tried in vain is left to the next flow."""
        if self.session.sign_on_again and not self.session.sign_on_failed:
            return SIGN_ON_AGAIN
        return self.session.requirement


def _flow(name: str) -> Flow:
    if name not in FLOWS:
        raise UnknownName("flow", name, FLOWS)
    return FLOWS[name]
