"""Sans-I/O matcher of one terminal's requests and replies.

Rules owned here: one request is outstanding at a time; a reply belongs to it only if MTI + 10, STAN, terminal,
merchant, amount, processing code, 60.1 and 60.3 all agree (CUP 7.7). STAN and amount count where the request has them;
a reply that approves a part (code 10) may state a smaller amount. The host may ask too: its network management is a
request to the terminal, unless it is our own that a line in loopback gives back. Time is a number of seconds of any
clock that only goes forward; who waits asks ``expired`` when it has come.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

from protocol.errors import ProtocolError
from protocol.fields import F
from protocol.kinds import reply_mti
from protocol.message import Message
from protocol.responses import Action, response

REMEMBERED: Final = 64
"""Closed requests whose late and repeated replies are told from those of strangers."""

HOST_ASKS: Final = frozenset({"0800", "0820"})
"""Network management: the only requests that a host makes of a terminal."""

_ALWAYS: Final = (F.TERMINAL_ID, F.MERCHANT_ID, F.PROCESSING_CODE)


class Event(Enum):
    """What a message that arrived is to the one who waits."""

    REPLY = "the reply to the outstanding request"
    LATE = "the reply to a request that was given up"
    DUPLICATE = "one more reply to a request that was answered"
    REQUEST = "a request by the host"
    FOREIGN = "no reply to anything that was asked"


@dataclass(frozen=True, slots=True)
class _Key:
    """What request and reply have in common."""

    reply_mti: str
    kind: tuple[str, str]
    always: tuple[str, ...]
    stan: str
    amount: str

    @classmethod
    def of(cls, message: Message, reply_mti: str) -> _Key:
        control = message.text(F.CONTROL)
        return cls(
            reply_mti,
            (control[:2], control[8:11]),
            tuple(message.text(number) for number in _ALWAYS),
            message.text(F.STAN),
            message.text(F.AMOUNT),
        )

    def is_answered_by(self, reply: _Key, *, in_part: bool) -> bool:
        return (
            (self.reply_mti, self.kind, self.always) == (reply.reply_mti, reply.kind, reply.always)
            and self.stan in ("", reply.stan)
            and (self.amount in ("", reply.amount) or (in_part and "" < reply.amount < self.amount))
        )


class Exchange:
    """The one outstanding request of a terminal, and the last ones that are closed."""

    def __init__(self) -> None:
        self._outstanding: _Key | None = None
        self._deadline = 0.0
        self._closed: deque[tuple[_Key, Event]] = deque(maxlen=REMEMBERED)

    @property
    def waiting(self) -> bool:
        """Is a request outstanding?"""
        return self._outstanding is not None

    def begin(self, request: Message, deadline: float) -> None:
        """``request`` is about to be sent; its reply is due before ``deadline`` in seconds.

        The same request may be sent again after it was given up: its next reply is then the reply, whichever of the
        two sendings it answers. Raises ProtocolError while another request is outstanding.
        """
        if self._outstanding:
            raise ProtocolError("a request is outstanding", hint="wait for its reply or give it up", code="exchange")
        key = _Key.of(request, reply_mti(request.mti))
        self._closed = deque((row for row in self._closed if row[0] != key), REMEMBERED)
        self._outstanding, self._deadline = key, deadline

    def receive(self, message: Message, now: float) -> Event:
        """What ``message`` is; a reply closes the request, one at the deadline or after it is late."""
        if self.expired(now):
            self.give_up()
        key = _Key.of(message, message.mti)
        in_part = response(message.text(F.RESPONSE_CODE)).action is Action.ACCEPT_PART
        if self._outstanding and self._outstanding.is_answered_by(key, in_part=in_part):
            self._close(Event.DUPLICATE)
            return Event.REPLY
        for asked, event in reversed(self._closed):
            if asked.is_answered_by(key, in_part=in_part):
                return event
        return Event.REQUEST if message.mti in HOST_ASKS and not self._is_ours(message) else Event.FOREIGN

    def expired(self, now: float) -> bool:
        """Has the outstanding request's deadline come?"""
        return self._outstanding is not None and now >= self._deadline

    def give_up(self) -> None:
        """Wait no longer: a reply from now on is late. Nothing happens where nothing is outstanding."""
        self._close(Event.LATE)

    def _is_ours(self, message: Message) -> bool:
        """Is it the outstanding request itself? Who answered that would take their own answer for the host's."""
        return self._outstanding == _Key.of(message, reply_mti(message.mti))

    def _close(self, afterwards: Event) -> None:
        if self._outstanding:
            self._closed.append((self._outstanding, afterwards))
            self._outstanding = None
