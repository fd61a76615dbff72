"""Balance inquiries, and sales by telephone (CUP 2.4, 3.1)."""

from __future__ import annotations

import pytest

from host.issuer import KEYED_MAX_FEN
from protocol.elements import Value
from protocol.fields import F
from protocol.private import Balance, Original
from tests.host.wire import CREDIT, DEBIT, PIN, POOR, STOLEN, STRANGER, Wire, refusal


def ask(wire: Wire, pan: str, pin: str = PIN) -> bytes:
    """A balance inquiry."""
    fields = wire.money(0, pan, wire.stan(), pin)
    del fields[F.AMOUNT]
    return wire.build("balance", fields)


@pytest.mark.parametrize(
    ("pan", "account", "amount_fen"), [(DEBIT, "10", KEYED_MAX_FEN), (CREDIT, "30", KEYED_MAX_FEN), (POOR, "10", 100)]
)
def test_the_issuer_tells_what_is_there(active: Wire, pan: str, account: str, amount_fen: int) -> None:
    """A customer would be told somebody else's balance."""
    reply = active.send(ask(active, pan))
    assert reply.text(F.RESPONSE_CODE) == "00"
    assert Balance.parse(reply.text(F.ADDITIONAL_AMOUNT)) == Balance(account, "02", "156", amount_fen)
    assert refusal(reply).organisation == "CUP"
    assert active.lab.rows("transactions", batch=active.batch) == []


@pytest.mark.parametrize(
    ("pan", "pin", "code"), [(STOLEN, PIN, "43"), (STRANGER, PIN, "14"), (DEBIT, "000000", "55")], ids=str
)
def test_what_the_issuer_does_not_tell(active: Wire, pan: str, pin: str, code: str) -> None:
    """A finder of a card would read its balance."""
    reply = active.send(ask(active, pan, pin))
    assert reply.text(F.RESPONSE_CODE) == code
    assert not reply.has(F.ADDITIONAL_AMOUNT)


def test_wrong_pins_count_at_an_inquiry_too(active: Wire) -> None:
    """A thief would try all PINs by asking for the balance."""
    for code in ("55", "55", "38"):
        assert active.code(ask(active, DEBIT, "000000")) == code
    assert active.code(active.sale(100, DEBIT, pin=PIN)) == "38"


def test_a_terminal_on_hold_inquires_nothing(active: Wire) -> None:
    """A stolen terminal would go on reading cards."""
    active.lab.act("hold", serial_number=active.serial_number, reason="fraud")
    assert active.reason(ask(active, DEBIT)) == "hold.fraud"


def keyed(wire: Wire, amount_fen: int, stan: str) -> dict[int, Value]:
    """The fields of a sale by telephone."""
    fields = wire.money(amount_fen, CREDIT, stan) | {F.ENTRY_MODE: "012", F.CONDITION_CODE: "08"}
    del fields[F.TRACK2]
    return fields


def test_a_sale_by_telephone_is_sold_voided_and_reversed(active: Wire) -> None:
    """A florist could not sell to somebody who calls."""
    stan = active.stan()
    before = active.lab.act("accounts")
    reply = active.send(active.build("moto_sale", keyed(active, 10_000, stan)))
    assert reply.text(F.RESPONSE_CODE) == "00"
    row = active.lab.rows("transactions", stan=stan, batch=active.batch)[0]
    assert (row["kind"], row["state"], row["fee_fen"]) == ("moto_sale", "captured", 60)
    undo: dict[int, Value] = {F.RRN: row["rrn"], F.ORIGINAL: str(Original(active.batch, stan, "0301"))}
    plain = active.money(10_000, CREDIT, active.stan())
    assert active.reason(active.build("sale_void", plain | undo)) == "original.not_found"
    void_stan = active.stan()
    assert active.code(active.build("moto_sale_void", keyed(active, 10_000, void_stan) | undo)) == "00"
    back = keyed(active, 10_000, void_stan) | {F.RESPONSE_CODE: "98"}
    assert active.code(active.build("moto_sale_void_reversal", back)) == "00"
    assert (
        active.code(active.build("moto_sale_reversal", keyed(active, 10_000, stan) | {F.RESPONSE_CODE: "98"})) == "00"
    )
    assert active.lab.act("accounts") == before
    assert active.lab.violations() == []
