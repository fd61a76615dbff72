"""Whatever takes something back, and its own reversal, before and after the batch was closed (M3, M9, S6).

A terminal that gets no answer reverses what it asked for. It may do so when the batch was settled, and when its till
has gone to another device: in each case everything must be as if nothing had been asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from protocol.elements import Value
from protocol.fields import F
from protocol.kinds import KINDS
from protocol.private import Original
from tests.host.admin.test_ending import stock
from tests.host.handlers.test_offline import adjust, sell_offline
from tests.host.handlers.test_preauth import about, complete, hold, void_completion
from tests.host.wire import CREDIT, Lab, Sold, Wire, refusal

AMOUNT_FEN = 10_000


@pytest.fixture(autouse=True)
def books_agree(lab: Lab) -> Iterator[None]:
    """Whatever a test does, the ledger holds together afterwards."""
    yield
    assert lab.violations() == []


@dataclass(frozen=True)
class Undo:
    """Something that stands, and the request under ``stan`` that takes it back."""

    stan: str
    kind: str
    payload: bytes


def _sale(wire: Wire) -> Sold:
    return wire.sell(AMOUNT_FEN, CREDIT)


def _offline(wire: Wire) -> Sold:
    return sell_offline(wire, AMOUNT_FEN)


def _adjusted(kind: str, of: Callable[[Wire], Sold]) -> Callable[[Wire], Sold]:
    """What is sold, with another amount in its place."""

    def sell(wire: Wire) -> Sold:
        sold, stan = of(wire), wire.stan()
        reply = wire.send(adjust(wire, kind, sold, AMOUNT_FEN + 500, stan=stan))
        assert reply.text(F.RESPONSE_CODE) == "00", refusal(reply)
        return Sold(wire.batch, stan, AMOUNT_FEN + 500, CREDIT, reply.text(F.RRN))

    return sell


def _by_telephone(wire: Wire) -> Sold:
    stan = wire.stan()
    fields: dict[int, Value] = wire.money(AMOUNT_FEN, "", stan)
    fields |= {
        F.PAN: CREDIT,
        F.EXPIRY: "3012",
        F.ENTRY_MODE: "012",
        F.CONDITION_CODE: KINDS["moto_sale"].condition_code,
    }
    reply = wire.send(wire.build("moto_sale", fields))
    assert reply.text(F.RESPONSE_CODE) == "00", refusal(reply)
    return Sold(wire.batch, stan, AMOUNT_FEN, CREDIT, reply.text(F.RRN))


def _void_of(kind: str, sell: Callable[[Wire], Sold]) -> Callable[[Wire], Undo]:
    def undo(wire: Wire) -> Undo:
        sold, stan = sell(wire), wire.stan()
        fields = wire.money(sold.amount_fen, "", stan) | {
            F.RRN: sold.rrn,
            F.CONDITION_CODE: KINDS[kind].condition_code or "00",
            F.ORIGINAL: str(Original(sold.batch, sold.stan, "0301")),
        }
        return Undo(stan, kind, wire.build(kind, fields))

    return undo


def _completion_void(wire: Wire) -> Undo:
    sold, stan = complete(wire, hold(wire, AMOUNT_FEN, CREDIT), AMOUNT_FEN), wire.stan()
    return Undo(stan, "completion_void", void_completion(wire, sold, stan=stan))


def _hold_void(wire: Wire) -> Undo:
    held, stan = hold(wire, AMOUNT_FEN, CREDIT), wire.stan()
    return Undo(stan, "preauth_void", about(wire, "preauth_void", held, AMOUNT_FEN, stan=stan))


UNDOES: dict[str, Callable[[Wire], Undo]] = {
    "void of a sale": _void_of("sale_void", _sale),
    "void of an offline sale": _void_of("sale_void", _offline),
    "void of a tip": _void_of("sale_void", _adjusted("tip_adjustment", _sale)),
    "void of a correction": _void_of("sale_void", _adjusted("offline_adjustment", _offline)),
    "void of a telephone order": _void_of("moto_sale_void", _by_telephone),
    "void of a completion": _completion_void,
    "end of a hold": _hold_void,
}


def _nothing(wire: Wire) -> Wire:
    return wire


def _settled(wire: Wire) -> Wire:
    assert wire.settle().text(F.RESPONSE_CODE) == "00"
    return wire


def _replaced(wire: Wire) -> Wire:
    """Reported lost, and another device has the till."""
    new = stock(wire.lab)
    wire.lab.act("lose", serial_number=wire.serial_number)
    wire.lab.act("replace", serial_number=wire.serial_number, successor=new.serial_number)
    new.sign_on()
    return new


def _amended(wire: Wire) -> Wire:
    """The merchant has signed another rate, which is in force at once."""
    amended = {"card_type": "credit", "rate_bp": 45, "signed_by": "the merchant", "in_days": 0}
    wire.lab.act("amend_rate", merchant_id=wire.merchant_id, **amended)
    return wire


MEANWHILE = {
    "nothing": _nothing,
    "settled": _settled,
    "replaced": _replaced,
    "amended": _amended,
    "amended and settled": lambda wire: _settled(_amended(wire)),
}
"""What happens between a request whose answer is lost and its reversal; who has the till then."""


def _worth(wire: Wire) -> tuple[Any, int]:
    """Every balance, and the turnover."""
    return wire.lab.act("accounts"), sum(
        int(wire.lab.act("show", serial_number=row["serial_number"])["turnover_fen"])
        for row in wire.lab.rows("terminals")
    )


def _reversed(wire: Wire, kind: str, amount_fen: int, stan: str, batch: str, *, pan: str = "") -> str:
    """The answer to a reversal as a terminal sends it, which names the card only where it has it still."""
    fields = wire.money(amount_fen, "", stan) | {F.RESPONSE_CODE: "98"}
    fields |= {F.PAN: pan} if pan else {}
    fields |= {F.CONDITION_CODE: KINDS[kind].condition_code} if KINDS[kind].condition_code else {}
    return wire.code(wire.build(f"{kind}_reversal", fields, batch=batch))


@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("name", UNDOES)
def test_what_was_not_answered_is_as_if_it_had_not_been_asked(active: Wire, name: str, meanwhile: str) -> None:
    """A void whose answer was lost would cost the shop the sale, or the guest be charged twice."""
    undo, batch = UNDOES[name](active), active.batch
    amount_fen = int(active.lab.rows("transactions")[-1]["amount_fen"])
    before = _worth(active)
    assert active.code(undo.payload) == "00"
    assert (_worth(active) == before) is (name == "end of a hold")
    till = MEANWHILE[meanwhile](active)
    for _ in range(2):
        assert _reversed(active, undo.kind, amount_fen, undo.stan, batch) == "00"
        assert _worth(active) == before
    assert till.settle().text(F.RESPONSE_CODE) == "00"
    active.lab.act("payout", merchant_id=active.merchant_id)


@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_a_hold_whose_completion_was_reversed_is_completed_again_and_once(active: Wire, meanwhile: str) -> None:
    """The hotel would have given the money back, and never get paid for the room (M9)."""
    held, stan, batch = hold(active, AMOUNT_FEN, CREDIT), active.stan(), active.batch
    before = _worth(active)
    assert active.code(about(active, "completion", held, AMOUNT_FEN, stan=stan)) == "00"
    till = MEANWHILE[meanwhile](active)
    assert till.reason(about(till, "completion", held, AMOUNT_FEN)) == "original.undone"
    assert _reversed(active, "completion", AMOUNT_FEN, stan, batch, pan=CREDIT) == "00"
    assert _worth(active) == before
    complete(till, held, AMOUNT_FEN)
    assert till.reason(about(till, "completion", held, AMOUNT_FEN)) == "original.undone"
    assert till.reason(about(till, "preauth_void", held, AMOUNT_FEN)) == "original.undone"
