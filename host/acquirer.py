"""One request from payload to reply, one unit, one commit: unseal, snapshot, decide, write, seal.

Nothing is awaited between reading and writing, so two requests of one terminal never see half of each other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import field
from datetime import datetime, timedelta
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any, Final, TypeVar

from host.amendments import take_effect
from host.case import Case, Request
from host.decision import Decision, Insert, Update
from host.engine import RENEWED, decide, old_keys_die, repeats, told_again
from host.errors import HostError
from host.guard import Guard, Line
from host.keys import MacCheck
from host.lifecycle import ALL_KINDS
from host.policy import Policy
from host.records import Terminal
from host.refusals import Refused
from host.reply import bare_reply, build_reply, malformed_reply
from host.retirement import audit, carry_out
from host.store.backend import Keys
from host.store.books import Books
from host.store.database import Store
from host.store.groups import Job, fulfil
from host.store.snapshot import keys_of, take_snapshot
from host.tally import Tally
from host.value import value
from protocol.codec import Unsealed, seal, unseal
from protocol.elements import Value
from protocol.errors import DecodeError, ProtocolError
from protocol.fields import F
from protocol.image import version_from_digits
from protocol.kinds import REQUEST_MTIS, identify
from protocol.message import Message
from protocol.private import Control, DeviceInfo

T = TypeVar("T")
log = logging.getLogger("poslab.host")
CLOCK_OFFSET: Final = "clock_offset_s"
POLICY_VERSION: Final = "policy"
"""Counter of the versions of the rules; 0 where none was published."""
_LINE_NAME_BYTES: Final = 8
_LAYOUTS_KEPT: Final = 256
_NOT_CONTENT: Final = (F.PIN_BLOCK, F.PRIVATE57, F.RESPONSE_CODE, F.DEVICE, F.TEXT, F.MAC)
"""What may differ when a request is sent again: keys, firmware or operator of the day, why it is reversed."""


@value
class Answer:
    """What goes back, nothing where the bytes deserve no answer, one line for the log, and whether the session ends.

    ``kind`` is that of the request, ``code`` field 39 of the reply unless it is a stored one, ``reason`` why not. It
    leaves ``delay_s`` after its request came.
    """

    payload: bytes = field(repr=False)
    line: str
    ends: bool = False
    kind: str = ""
    code: str = ""
    reason: str = ""
    delay_s: float = 0.0


@value
class _Opened:
    """A payload as far as it can be understood without the store, and the keys of what its answer may touch."""

    payload: bytes = field(repr=False)
    unsealed: Unsealed | None = None
    request: Request | None = None
    error: DecodeError | None = None
    keys: Keys = frozenset()


class Once:
    """What a unit does outside the books it does once, however often it is run: the first run's word holds."""

    __slots__ = ("_said",)

    def __init__(self) -> None:
        self._said: dict[str, Any] = {}

    def done(self, what: str, act: Callable[[], T]) -> T:
        """Do it, unless it was done; what it said then."""
        if what not in self._said:
            self._said[what] = act()
        said: T = self._said[what]
        return said


class Acquirer:
    """Answers payloads from a store under a policy. ``clock`` gives the time; an administrator may have shifted it."""

    def __init__(self, store: Store, policy: Policy, clock: Callable[[], datetime]) -> None:
        self.store = store
        self.policy = policy
        self.policy_version = 0
        self._clock = clock
        self.guard = Guard()
        self.tally = Tally()

    def line(self, address: str) -> Line:
        """A new connection from an address, by a name that no connection of any host has."""
        return Line(self.store.keys.fresh(_LINE_NAME_BYTES).hex(), address)

    def now(self, books: Books) -> datetime:
        """The lab's time: the clock's, moved on by what administrators advanced it."""
        offset_s = books.counter(CLOCK_OFFSET)
        return self._clock() + timedelta(seconds=offset_s) if offset_s else self._clock()

    def _heed_policy(self, books: Books) -> None:
        """Take over rules that were published since the last request: between requests, never within one."""
        version = books.counter(POLICY_VERSION)
        if version != self.policy_version:
            self.policy, self.policy_version = books.policy(version), version
            log.info("policy version %d is in force", version)

    def submit(self, payload: bytes, line: Line | None = None) -> Future[Answer]:
        """Answer a payload in the next group commit; the future is fulfilled once the answer is durable.

        ``line`` is the connection, if it came over one. Bad bytes get an answer; StoreError comes out of the future
        where the database fails.
        """
        future: Future[Answer] = Future()
        future.set_running_or_notify_cancel()  # what was asked is answered: nobody can cancel it any more
        self.ask(payload, line, partial(fulfil, future))
        return future

    def ask(self, payload: bytes, line: Line | None, told: Callable[[Job], None]) -> Job:
        """The same for who waits for no future: ``told`` is called with the job that answers, from any thread.

        What needs no store is done here, before the unit, so that its transaction is short.
        """
        try:
            opened = self._open(payload)
        except Exception as error:  # noqa: BLE001  # a defect of ours: whoever asks is told
            job = Job(_never, None, told)
            job.end(None, error)
            return job
        request = opened.request
        about = (request.terminal_id, request.control.batch, request.stan) if request else None
        once = Once()
        job = Job(lambda books: self._answer(books, opened, line, once), opened.keys, told, about)
        self.store.post(job)
        return job

    def _open(self, payload: bytes) -> _Opened:
        try:
            unsealed = unseal(payload)
        except DecodeError as error:
            return _Opened(payload, error=error)
        if unsealed.message.mti not in REQUEST_MTIS:
            return _Opened(payload, unsealed)
        try:
            request = self._request(unsealed.message)
            if request is None or not self.store.is_shared:
                return _Opened(payload, unsealed, request)
            return _Opened(payload, unsealed, request, keys=keys_of(request, self.store.keys.card_token))
        except DecodeError as error:
            return _Opened(payload, unsealed, error=error)

    def _answer(self, books: Books, opened: _Opened, line: Line | None, once: Once) -> Answer:
        self._heed_policy(books)
        now, unsealed, request = self.now(books), opened.unsealed, opened.request
        if unsealed is None:
            assert opened.error
            return _malformed(opened.payload, opened.error, now)
        message = unsealed.message
        if message.mti not in REQUEST_MTIS:
            return Answer(b"", f"dropped: {message.mti} is no request")
        try:
            if opened.error:
                raise opened.error
            if request is None:
                refused = Refused("message.unsupported")
                return Answer(seal(bare_reply(message, now, refused)), "refused 40: kind not served")
            return self._decide(books, request, unsealed, now, line, once)
        except DecodeError as error:
            refused = Refused("message.malformed", {"what": str(error)})
            return Answer(seal(bare_reply(message, now, refused)), f"refused 30: {error}")

    def failure(self, payload: bytes, error: HostError) -> Answer:
        """The answer where nothing could be stored: 96, and the terminal tries again or reverses."""
        try:
            message = unseal(payload).message
        except ProtocolError:
            return Answer(b"", f"dropped: {error}")
        reply = bare_reply(message, self._clock(), Refused("host.failure"))
        return Answer(seal(reply), f"answered 96: {error}")

    def _request(self, message: Message) -> Request | None:
        identity = identify(message)
        if identity is None or identity.kind.name not in ALL_KINDS:
            return None
        device = DeviceInfo.parse(message.octets(F.DEVICE))
        content = (message.mti, *_content_of(message.numbers)(message.fields), device.payment_code)
        return Request(
            kind=identity.kind,
            message=message,
            control=Control.parse(message.text(F.CONTROL)),
            device=device,
            fingerprint=self.store.keys.fingerprint(repr(content).encode()),
            firmware=version_from_digits(device.version) if device.model and device.version else "",
        )

    def _decide(
        self, books: Books, request: Request, unsealed: Unsealed, now: datetime, line: Line | None, once: Once
    ) -> Answer:
        at, keys = int(now.timestamp()), self.store.keys
        snapshot = take_snapshot(books, request, at, keys.card_token, self.policy)
        if snapshot.terminal and snapshot.plan and snapshot.plan.is_due(at):
            books.apply(carry_out(snapshot.plan, snapshot.terminal, at))
            snapshot = take_snapshot(books, request, at, keys.card_token, self.policy)
        if snapshot.merchant and snapshot.merchant.amends_at is not None and snapshot.merchant.amends_at <= at:
            books.apply(take_effect(snapshot.merchant.merchant_id, books.amendments(snapshot.merchant.merchant_id), at))
            snapshot = take_snapshot(books, request, at, keys.card_token, self.policy)
        check, ends, fenced = MacCheck.ABSENT, False, False
        if snapshot.terminal and line:
            check, ends = self._guarded(books, snapshot.terminal, unsealed, line, at, once)
            fenced = check.good and self._is_fenced(snapshot.terminal, line)
            ends = self._must_end(line, snapshot.terminal.serial_number, fenced) if ends or fenced else False
        elif snapshot.terminal:
            check = keys.check(snapshot.terminal, unsealed)
        case = Case(request, snapshot, check, self.policy, keys, now, fenced, self.policy_version)
        books.apply(old_keys_die(case))
        if fenced and request.stan and not case.is_repeated:  # who only says again what was said is no second device
            once.done("late", lambda: self.guard.late(case.terminal.serial_number))
        mac = keys.mac_maker(snapshot.terminal, check) if snapshot.terminal else None
        if stored := repeats(case):
            # The same bytes, unless the terminal signed on since: then the same body under the keys that it has now.
            told_before = unseal(stored).message
            books.apply(told_again(case, told_before))
            return Answer(seal(told_before, mac), _line(request, "the stored reply"), kind=request.kind.name)
        decision = decide(case)
        payload = seal(build_reply(case, decision), mac)
        books.apply(decision.writes)
        if decision.remember and request.stan:
            books.write(_remembered(request, payload, again=snapshot.stored is not None))
            if snapshot.terminal and line and check.good and not fenced:
                self._take_line(books, snapshot.terminal, line, at, once)
        reason = decision.refused.reason if decision.refused else ""
        told = _line(request, _outcome(decision))
        return Answer(payload, told, ends, request.kind.name, decision.code, reason, decision.delay_s)

    def _guarded(
        self, books: Books, terminal: Terminal, unsealed: Unsealed, line: Line, at: int, once: Once
    ) -> tuple[MacCheck, bool]:
        """The MAC, and whether the session ends (invariant C4). On a barred line any MAC is wrong, in the same time."""
        serial_number = terminal.serial_number
        check = self.store.keys.check(terminal, unsealed)
        if unsealed.mac and once.done("barred", lambda: self.guard.is_barred(line, serial_number, at)):
            return MacCheck.WRONG, True
        if check.good:
            self.guard.good(line, serial_number)
        elif check is MacCheck.WRONG:
            alarm = once.done("wrong", lambda: self.guard.wrong(line, serial_number, at))
            self._alarm(books, serial_number, alarm, at, once)
            return check, bool(alarm)
        return check, False

    def _must_end(self, line: Line, serial_number: str, fenced: bool) -> bool:
        """A line that others share stays; who was fenced may come back on it."""
        if not line.serves_besides(serial_number):
            return True
        if fenced:
            line.leave(serial_number)
        return False

    def _is_fenced(self, terminal: Terminal, line: Line) -> bool:
        """Did another line take over since this one first proved the terminal's keys (invariant I6)?

        What a line says of which nothing follows, such as a copy of a request, keeps the next seat for it. Once another
        one has that seat it is late, as is one that did not get it for its commit failed: what still comes on it must
        not take the terminal from the line on which it speaks now.
        """
        seat = line.seats.setdefault(terminal.serial_number, terminal.fence + 1)
        return terminal.line != line.name and seat <= terminal.fence

    def _take_line(self, books: Books, terminal: Terminal, line: Line, at: int, once: Once) -> None:
        """The newest line that proves the keys by a request that never came before speaks, and bumps the fence.

        A copy of a request gets its stored reply, and what is not remembered may be a copy: neither moves a terminal.
        """
        if terminal.line == line.name:
            return
        serial_number = terminal.serial_number
        line.seats[serial_number] = fence = terminal.fence + 1
        books.write(Update("terminals", {"serial_number": serial_number}, {"line": line.name, "fence": fence}))
        alarm = once.done("taken over", lambda: self.guard.taken_over(serial_number, at))
        self._alarm(books, serial_number, alarm, at, once)

    def _alarm(self, books: Books, serial_number: str, alarm: str, at: int, once: Once) -> None:
        if alarm:
            once.done("alarm", lambda: self._sound(serial_number, alarm))
            books.write(audit("host", serial_number, "alarm", alarm, at))

    def _sound(self, serial_number: str, alarm: str) -> None:
        self.tally.alarms += 1
        log.warning("%s alarm: %s", serial_number, alarm)


@lru_cache(_LAYOUTS_KEPT)
def _content_of(numbers: tuple[int, ...]) -> Callable[[Mapping[int, Value]], tuple[object, ...]]:
    """Takes the content out of the fields of a message that has these: each number, and its value."""
    content = [number for number in numbers if number not in _NOT_CONTENT]
    names = repr(content)
    if len(content) < 2:
        return lambda fields: (names, *(fields[number] for number in content))
    values_of = itemgetter(*content)
    return lambda fields: (names, *values_of(fields))


def _never(books: Books) -> Answer:
    raise AssertionError("this job has ended")


def _remembered(request: Request, payload: bytes, *, again: bool) -> Insert:
    row = request.key
    row["mti"], row["fingerprint"], row["reply"] = request.message.mti, request.fingerprint, payload
    return Insert("replies", row, replace=again or request.kind.name in RENEWED)


def _malformed(payload: bytes, error: DecodeError, now: datetime) -> Answer:
    try:
        reply = malformed_reply(payload, error, now)
    except DecodeError:
        reply = None
    return Answer(seal(reply), f"refused 30: {error}") if reply else Answer(b"", f"dropped: {error}")


MALFORMED: Final = "30"
"""The code whose log line says what is wrong: the peer's engineer looks there first."""


def _outcome(decision: Decision) -> str:
    if not decision.refused:
        return "00"
    outcome = f"refused {decision.code} {decision.refused.reason}"
    return f"{outcome}: {decision.refused.texts()['en']}" if decision.code == MALFORMED else outcome


def _line(request: Request, outcome: str) -> str:
    amount = f" {request.amount_fen} fen" if request.kind.moves_money else ""
    return f"{request.kind.name} {request.terminal_id} {request.control.batch}/{request.stan or '-'}{amount}: {outcome}"
