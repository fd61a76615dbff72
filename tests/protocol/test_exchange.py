"""Requests and replies find each other, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from protocol.errors import ProtocolError
from protocol.exchange import REMEMBERED, Event, Exchange
from protocol.fields import F
from protocol.message import Message
from tests.protocol.samples import ECHO, SALE, SALE_REPLY, SIGN_IN, SIGN_IN_REPLY

ECHO_REPLY = Message("0830", {**ECHO.fields, F.LOCAL_TIME: "101500", F.LOCAL_DATE: "0301", F.RESPONSE_CODE: "00"})


def begun(request: Message = SALE) -> Exchange:
    exchange = Exchange()
    exchange.begin(request, 60.0)
    return exchange


@pytest.mark.parametrize(
    ("request_", "reply"),
    [(SALE, SALE_REPLY), (SIGN_IN, SIGN_IN_REPLY), (ECHO, ECHO_REPLY)],
    ids=["sale", "sign", "echo"],
)
def test_the_reply_is_recognised_once(request_: Message, reply: Message) -> None:
    """A sale would be printed twice when its reply comes twice."""
    exchange = begun(request_)
    assert exchange.receive(reply, 1.0) is Event.REPLY
    assert not exchange.waiting
    assert exchange.receive(reply, 2.0) is Event.DUPLICATE


def test_the_batch_of_a_sign_on_reply_may_differ() -> None:
    """A new terminal could never learn its batch."""
    reply = SIGN_IN_REPLY.with_fields({F.CONTROL: "00900042003"})
    assert begun(SIGN_IN).receive(reply, 1.0) is Event.REPLY


COMPLETED = [
    ("a trace number", ECHO, ECHO_REPLY.with_fields({F.STAN: "000007"})),
    ("an amount", SALE.without(F.AMOUNT), SALE_REPLY),
    ("a shorter field 60", SALE, SALE_REPLY.with_fields({F.CONTROL: "22000001000"})),
    ("another end of field 60", SALE, SALE_REPLY.with_fields({F.CONTROL: "22000001000500"})),
]


@pytest.mark.parametrize(("name", "request_", "reply"), COMPLETED, ids=[row[0] for row in COMPLETED])
def test_what_the_request_does_not_state_may_be_anything(name: str, request_: Message, reply: Message) -> None:
    """A terminal would wait out its timeout because its host knows more than it asked (CUP 7.7)."""
    assert begun(request_).receive(reply, 1.0) is Event.REPLY


IN_PART = SALE_REPLY.with_fields({F.RESPONSE_CODE: "10", F.AMOUNT: "000000004000"})

OTHERS = [
    ("another MTI", Message("0410", SALE_REPLY.fields)),
    ("the request itself", SALE),
    ("another trace number", SALE_REPLY.with_fields({F.STAN: "000008"})),
    ("no trace number", SALE_REPLY.without(F.STAN)),
    ("another terminal", SALE_REPLY.with_fields({F.TERMINAL_ID: "62000002"})),
    ("another merchant", SALE_REPLY.with_fields({F.MERCHANT_ID: "100000000000002"})),
    ("another amount", SALE_REPLY.with_fields({F.AMOUNT: "000000006001"})),
    ("no amount", SALE_REPLY.without(F.AMOUNT)),
    ("a smaller amount", SALE_REPLY.with_fields({F.AMOUNT: "000000004000"})),
    ("a smaller amount declined", IN_PART.with_fields({F.RESPONSE_CODE: "51"})),
    ("more than all in part", IN_PART.with_fields({F.AMOUNT: "000000006001"})),
    ("no amount in part", IN_PART.without(F.AMOUNT)),
    ("a part for another terminal", IN_PART.with_fields({F.TERMINAL_ID: "62000002"})),
    ("another processing code", SALE_REPLY.with_fields({F.PROCESSING_CODE: "200000"})),
    ("another type", SALE_REPLY.with_fields({F.CONTROL: "23000001000600"})),
    ("another network code", SALE_REPLY.with_fields({F.CONTROL: "22000001001600"})),
    ("a network code of other kind", SALE_REPLY.with_fields({F.CONTROL: "22000001100600"})),
    ("no field 60", SALE_REPLY.without(F.CONTROL)),
]


@pytest.mark.parametrize(("name", "other"), OTHERS, ids=[row[0] for row in OTHERS])
def test_nothing_else_is_taken_for_the_reply(name: str, other: Message) -> None:
    """One customer's approval would hand the goods to another."""
    exchange = begun()
    assert exchange.receive(other, 1.0) is Event.FOREIGN
    assert exchange.waiting


@pytest.mark.parametrize("amount", ["000000000000", "000000004000", "000000005999", "000000006000"])
def test_an_approval_of_a_part_is_the_reply(amount: str) -> None:
    """The terminal would wait out its timeout while the card is charged (CUP 7.7)."""
    exchange = begun()
    reply = IN_PART.with_fields({F.AMOUNT: amount})
    assert exchange.receive(reply, 1.0) is Event.REPLY
    assert exchange.receive(reply, 2.0) is Event.DUPLICATE
    exchange.begin(SALE, 60.0)
    exchange.give_up()
    assert exchange.receive(reply, 3.0) is Event.LATE


def test_a_reply_at_the_deadline_is_late() -> None:
    """A sale would be approved after its reversal was sent."""
    exchange = begun()
    assert not exchange.expired(59.9)
    assert exchange.expired(60.0)
    assert exchange.receive(SALE_REPLY, 60.0) is Event.LATE
    assert not exchange.waiting
    assert not exchange.expired(61.0)


def test_a_reply_after_giving_up_is_late_for_ever() -> None:
    """A late approval would be booked beside the reversal."""
    exchange = begun()
    exchange.give_up()
    exchange.give_up()
    assert exchange.receive(SALE_REPLY, 1.0) is Event.LATE
    assert exchange.receive(SALE_REPLY, 2.0) is Event.LATE


def test_a_resent_request_is_answered_by_either_reply() -> None:
    """A reversal would be resent for ever although the host has answered."""
    exchange = begun()
    exchange.give_up()
    exchange.begin(SALE, 120.0)
    assert exchange.receive(SALE_REPLY, 61.0) is Event.REPLY
    assert exchange.receive(SALE_REPLY, 62.0) is Event.DUPLICATE


def test_a_late_reply_does_not_disturb_the_next_request() -> None:
    """The reply to the first sale would approve the second."""
    exchange = begun()
    exchange.give_up()
    second = SALE.with_fields({F.STAN: "000008"})
    exchange.begin(second, 120.0)
    assert exchange.receive(SALE_REPLY, 61.0) is Event.LATE
    assert exchange.waiting
    assert exchange.receive(SALE_REPLY.with_fields({F.STAN: "000008"}), 62.0) is Event.REPLY


def test_there_is_one_outstanding_request() -> None:
    """Two requests at once would share one reply."""
    exchange = begun()
    assert exchange.waiting
    with pytest.raises(ProtocolError) as caught:
        exchange.begin(ECHO, 60.0)
    assert caught.value.code == "exchange"


@pytest.mark.parametrize("mti", ["0800", "0820"])
@pytest.mark.parametrize("exchange", [Exchange(), begun()], ids=["idle", "busy"])
def test_the_host_may_ask(exchange: Exchange, mti: str) -> None:
    """A host that tests its lines would never be answered, or its question would be taken for the reply to a sale."""
    was_waiting = exchange.waiting
    assert exchange.receive(Message(mti, ECHO.fields), 1.0) is Event.REQUEST
    assert exchange.waiting == was_waiting


def test_our_own_request_that_comes_back_is_not_the_hosts() -> None:
    """On a line in loopback the terminal would answer itself and show the host as alive."""
    exchange = begun(ECHO)
    assert exchange.receive(ECHO, 1.0) is Event.FOREIGN
    assert exchange.waiting
    assert exchange.receive(ECHO_REPLY, 2.0) is Event.REPLY
    assert exchange.receive(ECHO, 3.0) is Event.REQUEST


class Traffic(RuleBasedStateMachine):
    """Any order of requests, replies, silences and resendings, against a model of four trace numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.exchange = Exchange()
        self.now = 0.0
        self.outstanding = ""
        self.deadline = 0.0
        self.closed: dict[str, Event] = {}

    stans = st.sampled_from(["000001", "000002", "000003", "000004"])

    @precondition(lambda self: not self.outstanding)
    @rule(stan=stans, patience=st.integers(1, 3))
    def begin(self, stan: str, patience: int) -> None:
        self.deadline = self.now + patience
        self.exchange.begin(SALE.with_fields({F.STAN: stan}), self.deadline)
        self.outstanding = stan
        self.closed.pop(stan, None)

    @rule(stan=stans)
    def receive(self, stan: str) -> None:
        if self.outstanding and self.now >= self.deadline:
            self.closed[self.outstanding], self.outstanding = Event.LATE, ""
        expected = self.closed.get(stan, Event.FOREIGN)
        if stan == self.outstanding:
            expected = Event.REPLY
            self.closed[stan], self.outstanding = Event.DUPLICATE, ""
        assert self.exchange.receive(SALE_REPLY.with_fields({F.STAN: stan}), self.now) is expected

    @rule()
    def give_up(self) -> None:
        self.exchange.give_up()
        if self.outstanding:
            self.closed[self.outstanding], self.outstanding = Event.LATE, ""

    @rule()
    def wait(self) -> None:
        self.now += 1

    @invariant()
    def knows_whether_it_waits(self) -> None:
        assert self.exchange.waiting == bool(self.outstanding)
        assert self.exchange.expired(self.now) == (bool(self.outstanding) and self.now >= self.deadline)


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=60, stateful_step_count=30)


def test_the_memory_is_bounded() -> None:
    """A terminal that runs for months would grow until it stops."""
    exchange = Exchange()
    for stan in range(1, REMEMBERED + 2):
        exchange.begin(SALE.with_fields({F.STAN: f"{stan:06d}"}), 60.0)
        exchange.give_up()
    assert exchange.receive(SALE_REPLY.with_fields({F.STAN: "000001"}), 1.0) is Event.FOREIGN
    assert exchange.receive(SALE_REPLY.with_fields({F.STAN: "000002"}), 1.0) is Event.LATE


def test_a_request_that_is_resent_is_remembered_once() -> None:
    """The late approval of a sale would be taken for a stranger's once its reversal had been resent often enough."""
    exchange = begun()
    exchange.give_up()
    for _ in range(REMEMBERED):
        exchange.begin(ECHO, 60.0)
        exchange.give_up()
    assert exchange.receive(SALE_REPLY, 1.0) is Event.LATE
