"""One request from payload to reply, one unit, one commit: unseal, snapshot, decide, write, seal.

Nothing is awaited between reading and writing, so two requests of one terminal never see half of each other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from host.case import Case, Request
from host.decision import Decision, Insert
from host.engine import RENEWED, decide, repeats
from host.errors import HostError
from host.keys import MacCheck
from host.lifecycle import ALL_KINDS
from host.policy import Policy
from host.refusals import Refused
from host.reply import bare_reply, build_reply, malformed_reply
from host.retirement import carry_out
from host.store.books import Books
from host.store.database import Store
from host.store.snapshot import take_snapshot
from protocol.codec import Unsealed, pack, seal, unseal
from protocol.errors import DecodeError, ProtocolError
from protocol.fields import F
from protocol.image import version_from_digits
from protocol.kinds import REQUEST_MTIS, identify
from protocol.message import Message
from protocol.private import Control, DeviceInfo

log = logging.getLogger("poslab.host")
CLOCK_OFFSET: Final = "clock_offset_s"
_NOT_CONTENT: Final = (F.PIN_BLOCK, F.PRIVATE57, F.RESPONSE_CODE, F.DEVICE, F.TEXT, F.MAC)
"""What may differ when a request is sent again: keys, firmware or operator of the day, why it is reversed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back, nothing where the bytes deserve no answer, and one line for the log."""

    payload: bytes = field(repr=False)
    line: str


class Acquirer:
    """Answers payloads from a store under a policy. ``clock`` gives the time; an administrator may have shifted it."""

    def __init__(self, store: Store, policy: Policy, clock: Callable[[], datetime]) -> None:
        self.store = store
        self.policy = policy
        self._clock = clock

    def now(self, books: Books) -> datetime:
        """The lab's time: the clock's, moved on by what administrators advanced it."""
        return self._clock() + timedelta(seconds=books.counter(CLOCK_OFFSET))

    def submit(self, payload: bytes) -> Future[Answer]:
        """Answer a payload in the next group commit; the future is fulfilled once the answer is durable."""
        return self.store.submit(lambda books: self.answer(books, payload))

    def answer(self, books: Books, payload: bytes) -> Answer:
        """The whole route within one unit. Raises StoreError where the database fails; bad bytes get an answer."""
        now = self.now(books)
        try:
            unsealed = unseal(payload)
        except DecodeError as error:
            return _malformed(payload, error, now)
        message = unsealed.message
        if message.mti not in REQUEST_MTIS:
            return Answer(b"", f"dropped: {message.mti} is no request")
        try:
            request = self._request(message)
            if request is None:
                refused = Refused("message.unsupported")
                return Answer(seal(bare_reply(message, now, refused)), "refused 40: kind not served")
            return self._decide(books, request, unsealed, now)
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
        content = pack(message.without(*_NOT_CONTENT)) + device.payment_code.encode("ascii")
        return Request(
            kind=identity.kind,
            message=message,
            control=Control.parse(message.text(F.CONTROL)),
            device=device,
            fingerprint=self.store.keys.fingerprint(content),
            firmware=version_from_digits(device.version) if device.model and device.version else "",
        )

    def _decide(self, books: Books, request: Request, unsealed: Unsealed, now: datetime) -> Answer:
        at, keys = int(now.timestamp()), self.store.keys
        snapshot = take_snapshot(books, request, at, keys.card_token)
        if snapshot.terminal and snapshot.plan and snapshot.plan.is_due(at):
            books.apply(carry_out(snapshot.plan, snapshot.terminal, at))
            snapshot = take_snapshot(books, request, at, keys.card_token)
        check = keys.check(snapshot.terminal, unsealed) if snapshot.terminal else MacCheck.ABSENT
        case = Case(request, snapshot, check, self.policy, keys, now)
        mac = keys.mac_maker(snapshot.terminal, check) if snapshot.terminal else None
        if stored := repeats(case):
            # The same bytes, unless the terminal signed on since: then the same body under the keys that it has now.
            return Answer(seal(unseal(stored).message, mac), _line(request, "the stored reply"))
        decision = decide(case)
        payload = seal(build_reply(case, decision), mac)
        books.apply(decision.writes)
        if decision.remember and request.stan:
            books.write(_remembered(request, payload))
        return Answer(payload, _line(request, _outcome(decision)))


def _remembered(request: Request, payload: bytes) -> Insert:
    row = {**request.key, "mti": request.message.mti, "fingerprint": request.fingerprint, "reply": payload}
    return Insert("replies", row, replace=request.kind.name in RENEWED)


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
