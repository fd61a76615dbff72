"""The payment application: power-on, idle, a flow, its signature and slip, what the host asked for, idle again.

Rules owned here: recovery comes before anything else; what the host asks for in a reply's header is done between
transactions, never inside one (TABLE CARRIED_OUT). Nothing in this package catches PowerLost: after a power cut a new
Terminal is made from the hardware alone.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Final

from firmware_sim.board import Board, Hardware
from firmware_sim.errors import CardError, EntryCancelled, EntryTimeout, NotRecorded, SecureModuleError, UnknownName
from protocol.downloads import DOWNLOADS, Download
from protocol.header import FETCH_COMMANDS, SIGN_ON_AGAIN, UPLOAD_CONFIGURATION, UPLOAD_STATUS
from protocol.money import yuan
from terminal.book import Book
from terminal.errors import WordsWrong
from terminal.flows import FLOWS, Flow, type_in
from terminal.flows.commands import commands, tell_read
from terminal.flows.download import fetch
from terminal.flows.link import configuration, status
from terminal.flows.operators import asks_password, authorise
from terminal.flows.pause import tell_pause
from terminal.flows.resolve import alarm
from terminal.flows.sign_in import sign_in
from terminal.flows.signature import give_up, sign, upload
from terminal.flows.slips import hand_out, offer_reprint
from terminal.flows.training import is_barred
from terminal.flows.wipe import after_wipe, finish
from terminal.idle import Idle
from terminal.journal import Journal
from terminal.outcome import Outcome, local
from terminal.session import Session
from terminal.settings import Settings
from terminal.tamper import after_tamper, module_refusal, sound
from terminal.transaction import Key

log = logging.getLogger("poslab.terminal")
Run = Callable[[Session], Awaitable[Outcome]]


def _fetching(row: Download) -> Run:
    return lambda session: fetch(session, row)


# processing requirement in a reply's header (CUP 1.9) -> the name and the run of what does it, in this order
CARRIED_OUT: Final[Mapping[str, tuple[str, Run]]] = MappingProxyType(
    {
        SIGN_ON_AGAIN: ("sign_in", sign_in),
        **{row.requirement: ("download", _fetching(row)) for row in DOWNLOADS.values()},
        UPLOAD_STATUS: ("status", status),
        UPLOAD_CONFIGURATION: ("configuration", configuration),
        FETCH_COMMANDS: ("commands", commands),
    }
)
ROUNDS_MAX: Final = 3
"""How often one flow may be followed by one requirement; a host that never stops asking gets no more."""
NO_HOST: Final = frozenset({"terminal.no_line", "terminal.no_answer"})
"""Why nothing more is asked of the host for now."""


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
        if not words and entries and all(entry.optional for entry in entries):
            return await self._play(name, {entries[0].argument: ""})  # at a command line nobody is at the keypad
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
        with self._idle.away():
            return await self._played(flow, name, arguments)

    async def _played(self, flow: Flow, name: str, arguments: Mapping[str, str]) -> Outcome:
        if arguments:
            type_in(flow, arguments, self.board, asks_password=asks_password(self.session, name))
        waited = {row.key for row in self.book.signatures}
        pause_due = not self.book.pause_told
        self.session.sign_on_failed = False
        with self.board.watchdog.watch(self.session.settings.longest_wait_s):
            outcome = self.session.tell(await self._attempt(name, partial(_allowed, flow, name)))
            await sign(self.session)
            hand_out(self.session, outcome)
            self.board.clear_entries()
            if not self.book.is_wiped:
                await self._carry_out_requirements(flow, outcome)
            try:
                await self._tell_what_waits(outcome, waited, pause_due=pause_due)
            except SecureModuleError as error:  # what could not be told any more is told later
                self.session.tell(module_refusal(name, error))
            except NotRecorded as error:  # it is told once more, for that it was told is not written down
                log.warning("behind %s: %s", name, error)
            sound(self.session)
        return outcome

    async def _tell_what_waits(self, outcome: Outcome, waited: Set[Key], *, pause_due: bool) -> None:
        """Behind a flow, while there is a host: the pause that it was not told, what was read, the signatures that have
        ``waited`` since before the flow; those of the flow itself only where they go at once.
        """
        if outcome.reason not in NO_HOST:
            if pause_due:
                await tell_pause(self.session)
            await tell_read(self.session)
        if outcome.reason != "terminal.no_line":
            at_once = self.session.settings.signature_upload == "at_once"
            await upload(self.session, [row.key for row in self.book.signatures if at_once or row.key in waited])

    def _start(self) -> None:
        board = self.hardware.power_on()
        journal = Journal(board.nvram, signs=board.signature_pad is not None)
        board.clock.advance(timedelta(seconds=journal.book.clock_offset_s))
        self.session = Session(board, self.settings, journal, self.told)
        if self.book.is_wiped:
            finish(self.session)
        for row in self.book.signatures_due:
            give_up(self.session, row.key, "power_lost")  # the cardholder has left
        offer_reprint(self.session)
        alarm(self.session)
        sound(self.session)
        self._idle = Idle(self.session)
        self._idle.rest()

    async def _attempt(self, name: str, run: Callable[[Session], Awaitable[Outcome]]) -> Outcome:
        """Run a flow of this name to its end, and tell what the keys of the device have to say."""
        gone = after_wipe if self.book.is_wiped else after_tamper
        outcome = gone(self.session, name) or await self._ended(name, run)
        sound(self.session)
        return outcome

    async def _ended(self, name: str, run: Callable[[Session], Awaitable[Outcome]]) -> Outcome:
        if self.book.training and is_barred(name):
            return local(name, "terminal.training")
        known = self.book.rows.keys()
        try:
            return await run(self.session)
        except NotRecorded as error:
            log.warning("%s: %s", name, error)
            return self._not_recorded(name, known)
        except SecureModuleError as error:
            return module_refusal(name, error)
        except EntryCancelled:
            return local(name, "terminal.cancelled")
        except EntryTimeout:
            return local(name, "terminal.entry_timeout")
        except CardError as error:
            return local(name, f"terminal.{error.code}")

    def _not_recorded(self, name: str, known: Set[Key]) -> Outcome:
        """What is told where the memory took no more: nobody knows how a request ended that had been written down."""
        outcome = local(name, self.session.journal.no_room)
        left = next((row for row in self.book.unresolved if row.key not in known), None)
        return replace(outcome, result="unknown", stan=left.stan, amount_fen=left.amount_fen) if left else outcome

    async def _carry_out_requirements(self, flow: Flow, outcome: Outcome) -> None:
        """Do what replies asked for, while there is a host; what has just failed is left to the next flow."""
        left = {
            nibble: 0 if run is flow.run and not outcome.is_good else ROUNDS_MAX
            for nibble, (_, run) in CARRIED_OUT.items()
        }
        while outcome.reason not in NO_HOST and (due := self._due(left)):
            self.session.requirements.discard(due)
            name, run = CARRIED_OUT[due]
            outcome = self.session.tell(await self._attempt(name, run))
            left[due] = left[due] - 1 if outcome.is_good else 0
            if outcome.is_good and due == SIGN_ON_AGAIN:  # what failed for the lack of it may be tried again
                left = dict.fromkeys(CARRIED_OUT, ROUNDS_MAX) | {due: left[due]}

    def _due(self, left: Mapping[str, int]) -> str:
        """What to do next of what may be tried; a sign-on that was tried in vain is left to the next flow."""
        wanted = set(self.session.requirements)
        if self.session.sign_on_again and not self.session.sign_on_failed:
            wanted.add(SIGN_ON_AGAIN)
        return next((nibble for nibble in CARRIED_OUT if nibble in wanted and left[nibble]), "")


async def _allowed(flow: Flow, name: str, session: Session) -> Outcome:
    """Run a flow if whoever is here may start it."""
    return await authorise(session, name) or await flow.run(session)


def _flow(name: str) -> Flow:
    if name not in FLOWS:
        raise UnknownName("flow", name, FLOWS)
    return FLOWS[name]
