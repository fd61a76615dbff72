"""TABLE KINDS: what a message is and what it must carry."""

from __future__ import annotations

from collections import Counter

import pytest

from protocol.fields import FIELDS, F
from protocol.kinds import KINDS, MTIS, REQUEST_MTIS, Identity, Kind, Presence, foreign_fields, identify, missing_fields
from protocol.message import Message
from protocol.private import Control
from tests.protocol.samples import SALE, SALE_REPLY, SAMPLES, SIGN_IN

ROWS = list(KINDS.values())


def example(kind: Kind, network: str, *, mti: str) -> Message:
    fields: dict[int, str | bytes] = {F.CONTROL: str(Control(kind.type_code, "000001", network))}
    if kind.processing_code:
        fields[F.PROCESSING_CODE] = kind.processing_code
    return Message(mti, fields)


def test_no_two_rows_identify_alike() -> None:
    """A refund would be booked as a void."""
    codes = Counter((row.mti, row.type_code, row.processing_code, network) for row in ROWS for network in row.networks)
    assert not [code for code, count in codes.items() if count > 1]


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.name)
def test_every_row_is_recognised_both_ways(kind: Kind) -> None:
    """A kind in the table that no message can be."""
    for network in kind.networks:
        assert identify(example(kind, network, mti=kind.mti)) == Identity(kind, is_request=True)
        assert identify(example(kind, network, mti=kind.reply_mti)) == Identity(kind, is_request=False)


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.name)
def test_what_undoes_and_what_is_undone_agree(kind: Kind) -> None:
    """A sale without reply could not be reversed, or the reversal would undo something else."""
    if kind.reversal:
        undo = KINDS[kind.reversal]
        assert (undo.undoes, undo.type_code, undo.processing_code) == (kind.name, kind.type_code, kind.processing_code)
        assert not undo.advances_stan
    if kind.undoes:
        assert KINDS[kind.undoes].reversal == kind.name


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.name)
def test_presence_names_fields_of_the_dialect(kind: Kind) -> None:
    """A kind would demand a field that nobody can send."""
    for presence in (kind.request, kind.reply):
        assert {*presence.must, *presence.may} <= set(FIELDS)
        assert {F.TERMINAL_ID, F.MERCHANT_ID, F.CONTROL} <= set(presence.must)
    assert {number for number, _ in kind.masks} <= set(FIELDS)
    assert kind.name == next(name for name, row in KINDS.items() if row is kind)
    assert kind.chinese
    assert kind.english
    assert kind.clause


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.name)
def test_a_mac_is_due_where_the_row_says_so(kind: Kind) -> None:
    """A sale without MAC would be taken."""
    assert kind.has_mac == (F.MAC in kind.request.must)
    assert not kind.has_mac or F.MAC in {*kind.reply.must, *kind.reply.may}


def test_money_moves_in_five_kinds() -> None:
    """A kind that moves money would be left out of the books."""
    assert {row.name for row in ROWS if row.moves_money} == {
        "sale",
        "sale_void",
        "refund",
        "sale_reversal",
        "sale_void_reversal",
    }


def test_the_reply_mti_is_ten_more() -> None:
    """A terminal would wait for a reply that never comes."""
    assert {row.mti: row.reply_mti for row in ROWS} == {
        "0800": "0810", "0820": "0830", "0200": "0210", "0220": "0230", "0400": "0410", "0500": "0510", "0320": "0330",
    }  # fmt: skip
    assert {row.mti for row in ROWS} <= REQUEST_MTIS < MTIS


@pytest.mark.parametrize(("name", "message"), SAMPLES.items())
def test_complete_samples_lack_nothing(name: str, message: Message) -> None:
    """A complete message would be refused as malformed."""
    identity = identify(message)
    assert identity
    assert missing_fields(identity, message) == []
    assert foreign_fields(identity, message) == []


def test_missing_and_foreign_fields_are_named() -> None:
    """The terminal's maker would not learn which field the host misses."""
    sale, reply = identify(SALE), identify(SALE_REPLY)
    assert sale
    assert reply
    assert str(sale) == "sale.request"
    assert str(reply) == "sale.reply"
    assert missing_fields(sale, SALE.without(F.STAN, F.MAC)) == [F.STAN, F.MAC]
    assert missing_fields(reply, SALE_REPLY.without(F.RESPONSE_CODE)) == [F.RESPONSE_CODE]
    assert foreign_fields(sale, SALE.with_fields({F.RESPONSE_CODE: "00", F.TOTALS: "1"})) == [
        F.RESPONSE_CODE,
        F.TOTALS,
    ]


@pytest.mark.parametrize(
    "message",
    [
        SALE.with_fields({F.PROCESSING_CODE: "999999"}),
        SALE.with_fields({F.CONTROL: "99000001000"}),
        SALE.without(F.CONTROL),
        SIGN_IN.with_fields({F.CONTROL: "00000001352"}),
        Message("0100", SALE.fields),
    ],
)
def test_what_the_table_lacks_has_no_identity(message: Message) -> None:
    """B54: a kind that we do not know would be taken for its neighbour."""
    assert identify(message) is None


def test_old_terminals_may_leave_60_3_out() -> None:
    """A sale of an old terminal, with eight digits in field 60, would be refused."""
    identity = identify(SALE.with_fields({F.CONTROL: "22000001"}))
    assert identity
    assert identity.kind.name == "sale"
    assert identity.presence == Presence(KINDS["sale"].request.must, KINDS["sale"].request.may)
