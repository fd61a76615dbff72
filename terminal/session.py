"""One request, one reply: what all flows stand on.

Rules owned here: the envelope and the fields that every request carries; a reply is what ``protocol.exchange`` matches;
an echo that the host asks for is answered, everything else is ignored and noted; silence ends the connection, so that
no late answer meets a later question; the host's time is adopted from authenticated replies and sign-ons only.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from firmware_sim.board import Board
from firmware_sim.errors import LineError, SecureModuleError
from firmware_sim.profiles import Profile
from firmware_sim.secure_module import KeyState
from protocol import exchange
from protocol.codec import Unsealed, seal, unseal
from protocol.elements import Value
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.header import FETCH_COMMANDS, NO_REQUIREMENT, Header, Tpdu
from protocol.image import version_digits
from protocol.kinds import KINDS, Kind, reply_mti
from protocol.message import Message
from protocol.private import Control, DeviceInfo, RefusalText, pack_tags, unpack_tags
from protocol.responses import Action, Response, response
from terminal.book import Book, Happening
from terminal.clock import host_time, year_between
from terminal.downloads import in_effect
from terminal.journal import Journal
from terminal.line_faults import with_fault
from terminal.outcome import Outcome, local
from terminal.records import ClockSet, Happened, StanTaken
from terminal.settings import Settings
from terminal.transaction import Mac

log = logging.getLogger("poslab.terminal")
CLOCK_TOLERANCE_S: Final = 2
_ECHO: Final = KINDS["echo"]


@dataclass(frozen=True, slots=True)
class Reply:
    """The host's answer and what its MAC proves."""

    message: Message
    mac: Mac

    @property
    def response(self) -> Response:
        """The row of RESPONSES for field 39."""
        return response(self.message.text(F.RESPONSE_CODE))

    @property
    def refusal(self) -> RefusalText:
        """Field 63."""
        return RefusalText.parse(self.message.text(F.TEXT))

    def tags(self) -> dict[str, bytes]:
        """The tag list in field 62; raises DecodeError where it holds none."""
        return unpack_tags(self.message.octets(F.PAYLOAD), field=F.PAYLOAD)


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer. ``sent`` tells whether the request may have reached the host, ``fault`` what the line says."""

    sent: bool
    fault: str = ""


class Session:
    """The devices, the settings, the journal, and the conversation with the host in one power epoch."""

    def __init__(self, board: Board, settings: Settings, journal: Journal, told: list[Outcome]) -> None:
        self.board = board
        self.own_settings = settings
        self.settings = in_effect(settings, journal.book)
        self.journal = journal
        self.told = told
        self.requirements: set[str] = set()
        self.sign_on_again = False
        self.sign_on_failed = False
        self.has_signed_on = False
        self.reboot_due = False
        self.chip_failed = False
        self.operator = ""
        self.wrong_passwords: Counter[str] = Counter()
        self.ignored: Counter[exchange.Event] = Counter()
        self.alarmed: set[str] = set()
        self._exchange = exchange.Exchange()

    @property
    def book(self) -> Book:
        """What the journal says."""
        return self.journal.book

    @property
    def profile(self) -> Profile:
        """How the running firmware behaves."""
        return self.board.running.profile

    def pack(self, tags: Iterable[tuple[str, bytes]]) -> bytes:
        """A tag list for field 62, as the running firmware writes it."""
        return pack_tags(tags, width=self.profile.tag_length_digits)

    def device(self, payment_code: str = "") -> bytes:
        """Field 59, as the running firmware writes it, with the code that a customer showed (CUP 2.9)."""
        board, profile = self.board, self.profile
        named = board.model.id if profile.extensions else ""
        told = DeviceInfo(board.serial_number, version_digits(board.running.version), named, payment_code)
        return told.pack(width=profile.tag_length_digits)

    @property
    def can_seal(self) -> bool:
        """Whether there is a key for MACs."""
        return self.board.secure_module.key_state is KeyState.WORKING

    @property
    def is_signed_on(self) -> bool:
        """Whether new business may go out; after a try of new firmware, a sign-on proves it or tells that it failed."""
        untold = bool(self.book.staged) and not self.reboot_due and not self.has_signed_on
        in_force = not self.board.update.on_trial and not untold
        return self.book.signed_on and self.can_seal and not self.sign_on_again and in_force

    def tell(self, outcome: Outcome) -> Outcome:
        """Show what happened, and keep it."""
        zh, en = (
            " ".join(filter(None, texts))
            for texts in ((outcome.text_zh, outcome.remedy_zh), (outcome.text_en, outcome.remedy_en))
        )
        self.show(*(f"{outcome.code} {text}".strip() for text in (zh, en)))
        if outcome.receipt_zh:
            self.show("\n".join(outcome.receipt_zh), "\n".join(outcome.receipt_en))
        self.told.append(outcome)
        return outcome

    def show(self, zh: str, en: str) -> None:
        """Put a screen on the display, which proves to the watchdog that the program comes round."""
        self.board.watchdog.kick()
        if self.book.training:
            zh, en = f"【培训】{zh}", f"[TRAINING] {en}"
        self.board.display.show(zh, en)

    @property
    def now_s(self) -> int:
        """Epoch seconds of the board's clock."""
        return int(self.board.clock.now().timestamp())

    def note(self, what: str, detail: str, *, operator: str = "") -> None:
        """Write a line of the audit trail, of who is logged on unless told."""
        happening = Happening(at=self.now_s, what=what, detail=detail, operator=operator or self.operator)
        self.journal.append(Happened(event=happening))

    def take_stan(self) -> str:
        """The next STAN, used up durably (CUP 7.8, invariant J2)."""
        stan = self.book.next_stan
        self.journal.append(StanTaken(stan=stan))
        return stan

    def believes(self, reply: Reply) -> bool:
        """May this reply change what the terminal does? Its MAC is good, or the host makes none, or none was asked."""
        none_due = self.settings.decline_mac == "optional" or not self.profile.extensions
        return reply.mac is Mac.GOOD or (reply.mac is Mac.ABSENT and none_due)

    async def connect(self) -> Silence | None:
        """Open the line to the host; what is told where that fails.

        An open line is no proof that the host takes this terminal: in TLS 1.3 it may refuse the terminal's certificate
        when the terminal is done already. Only a reply proves that.
        """
        try:
            await self.board.line.open(self.settings.connect_timeout_s)
        except LineError as error:
            log.warning("no line: %s", error)
            return Silence(sent=False, fault=error.code)
        return None

    async def ask(
        self,
        kind_name: str,
        fields: Mapping[int, Value] | None = None,
        *,
        stan: str = "",
        batch: str = "",
        network: str = "",
        capability: str = "",
    ) -> Reply | Silence:
        """Send a request of a kind and wait for its reply, at most ``reply_timeout_s``.

        ``fields`` are those that the kind does not give by itself; ``batch`` is the open one unless given, and so are
        60.4 and 60.5, ``capability``, what the reader of a financial message can do. The caller has made durable what
        must be. Raises EncodeError, SecureModuleError "no_key", PowerLost.
        """
        self.board.watchdog.kick()
        kind = KINDS[kind_name]
        usual = self._capability if F.ENTRY_MODE in kind.request.must else ""
        control = Control(kind.type_code, batch or self.book.batch, network or kind.networks[0], capability or usual)
        request = self._request(kind, fields or {}, stan, control)
        has_mac = kind.has_mac or (kind.may_mac and self.can_seal and self.profile.extensions)
        payload = seal(request, self.board.secure_module.mac if has_mac else None)
        if unreached := await self.connect():
            return unreached
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.settings.reply_timeout_s
        self._exchange.begin(request, deadline)
        try:
            await self.board.line.send(payload)
            while True:
                arrived = self._read(await self.board.line.receive(max(0.0, deadline - loop.time())))
                event = self._event_of(arrived, loop.time())
                if arrived and event is exchange.Event.REPLY:
                    return self._taken(kind, arrived)
                if arrived and event is exchange.Event.REQUEST and self._answers(arrived.message):
                    await self.board.line.send(seal(_echoed(arrived.message)))
                    continue
                log.info("ignored: %s", event.value)
                self.ignored[event] += 1
        except LineError as error:
            log.warning("%s: %s", kind.name, error)
            self.board.line.close()
            return Silence(sent=True, fault=error.code)
        finally:
            self._exchange.give_up()

    @property
    def _capability(self) -> str:
        """60.4 (CUP 2.5)."""
        model = self.board.model
        return "6" if model.contactless else "5" if model.chip else "2"

    def _request(self, kind: Kind, fields: Mapping[int, Value], stan: str, control: Control) -> Message:
        settings, profile = self.settings, self.profile
        common: dict[int, Value] = {
            F.TERMINAL_ID: settings.terminal_id,
            F.MERCHANT_ID: settings.merchant_id,
            F.DEVICE: self.device(),
            F.CONTROL: str(control),
        }
        if stan:
            common[F.STAN] = stan
        if kind.processing_code:
            common[F.PROCESSING_CODE] = kind.processing_code
        if F.TEXT in kind.request.named and not kind.undoes:
            common[F.TEXT] = f"{self.operator:<3}" if self.operator else settings.operator
        version = profile.header_version or settings.header_version or self.board.model.protocol_version
        tpdu, header = Tpdu(destination=settings.tpdu_destination), Header(version=version)
        return Message(kind.mti, {**common, **fields}, tpdu, header)

    @staticmethod
    def _read(payload: bytes) -> Unsealed | None:
        try:
            return unseal(payload)
        except DecodeError as error:
            log.warning("no message: %s", error)
            return None

    def _event_of(self, arrived: Unsealed | None, now: float) -> exchange.Event:
        return self._exchange.receive(arrived.message, now) if arrived else exchange.Event.FOREIGN

    def _answers(self, request: Message) -> bool:
        """Does the host ask whether this terminal is there? Past the deadline nobody who asks may hold it."""
        control, settings = request.text(F.CONTROL), self.settings
        asked = (control[:2], control[8:11], request.text(F.TERMINAL_ID), request.text(F.MERCHANT_ID))
        return self._exchange.waiting and asked == (
            _ECHO.type_code,
            _ECHO.networks[0],
            settings.terminal_id,
            settings.merchant_id,
        )

    def _taken(self, kind: Kind, unsealed: Unsealed) -> Reply:
        message = unsealed.message
        reply = Reply(message, self._mac_of(unsealed))
        self._note_requirement(message.header.processing_requirement if message.header else NO_REQUIREMENT)
        if reply.response.action is Action.SIGN_ON_AGAIN:
            self.sign_on_again = True
        if reply.mac is Mac.GOOD or (kind.name == "sign_in" and reply.response.approved):
            self._adopt_time(message)
        return reply

    def _note_requirement(self, nibble: str) -> None:
        """Keep what the host asks for until it is done (CUP 1.9); whether commands wait, its last reply tells."""
        self.requirements.discard(FETCH_COMMANDS)
        if nibble != NO_REQUIREMENT and (self.profile.extensions or nibble != FETCH_COMMANDS):
            self.requirements.add(nibble)

    def _mac_of(self, unsealed: Unsealed) -> Mac:
        if not unsealed.mac:
            return Mac.ABSENT
        try:
            is_good = self.can_seal and self.board.secure_module.verify_mac(unsealed.mac_input, unsealed.mac)
        except SecureModuleError:
            is_good = False  # the case was opened meanwhile: what came proves nothing any more
        return Mac.GOOD if is_good else Mac.BAD

    def _adopt_time(self, message: Message) -> None:
        clock = self.board.clock
        now = clock.now()
        near = now if clock.is_set else self._latest(now)
        at = host_time(message.text(F.LOCAL_DATE), message.text(F.LOCAL_TIME), near)
        if at is None or abs(at - now) <= timedelta(seconds=CLOCK_TOLERANCE_S):
            return
        self._set_clock(now, at)

    def adopt_year(self, issued_at: int, expires_at: int) -> None:
        """Put a clock right whose year is another than that of what the host says now: epoch seconds."""
        now = self.board.clock.now()
        if at := year_between(now, issued_at, expires_at):
            self._set_clock(now, at)

    def _set_clock(self, now: datetime, at: datetime) -> None:
        ahead_s = round((at - now).total_seconds())
        self.journal.append(ClockSet(offset_s=self.book.clock_offset_s + ahead_s))
        self.board.clock.set(now + timedelta(seconds=ahead_s))

    def _latest(self, now: datetime) -> datetime:
        """The latest time on record: it knows the year that a clock with a dead cell has forgotten."""
        known = [batch.at for batch in self.book.closed] + [event.at for event in self.book.events]
        return max([now, *(datetime.fromtimestamp(at, now.tzinfo) for at in known)])


def _echoed(request: Message) -> Message:
    same = (F.STAN, F.TERMINAL_ID, F.MERCHANT_ID, F.CONTROL)
    fields: dict[int, Value] = {number: request.fields[number] for number in same if request.has(number)}
    fields[F.RESPONSE_CODE] = "00"
    return Message(reply_mti(request.mti), fields, request.tpdu and request.tpdu.reply(), request.header)


def silent(flow: str, silence: Silence) -> Outcome:
    """What a flow that moves no money tells when no answer came."""
    return with_fault(local(flow, "terminal.no_answer" if silence.sent else "terminal.no_line"), silence.fault)


def refused(flow: str, reply: Reply) -> Outcome:
    """What a flow tells when the host said no."""
    row, text = reply.response, reply.refusal
    return Outcome(flow, "refused", row.code, text.reason, text.chinese or row.chinese, row.english)
