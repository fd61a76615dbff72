"""Sales by a customer's code (CUP 2.9, 3.1; product table M)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from host.issuer import WALLETS, find_wallet
from protocol.codec import seal, unseal
from protocol.elements import Value
from protocol.fields import F
from protocol.kinds import KINDS
from protocol.message import Message
from protocol.private import Original, order_number, pack_tags
from tests.host.wire import Lab, Sold, Wire, refusal

UNIONPAY, SCAN, EMPTY, STALE = "6200123456789012345", "280012345678901234", "280112345678901234", "289912345678901234"


@pytest.fixture(autouse=True)
def books_agree(lab: Lab) -> Iterator[None]:
    """Whatever a test does, the ledger holds together afterwards."""
    yield
    assert lab.violations() == []


def scan(wire: Wire, amount_fen: int, code: str, *, stan: str = "") -> bytes:
    """A QR sale."""
    fields = wire.money(amount_fen, "", stan or wire.stan())
    device = wire.device() + (pack_tags([("A3", code.encode())]) if code else b"")
    return wire.build("qr_sale", fields | {F.ENTRY_MODE: "032", F.DEVICE: device})


@pytest.mark.parametrize(("code", "fee_fen", "kind"), [(SCAN, 38, "scan"), (UNIONPAY, 60, "unionpay_qr")])
def test_a_code_pays_at_its_partners_rate(active: Wire, code: str, fee_fen: int, kind: str) -> None:
    """A shop would pay the wrong fee for every scan (product M)."""
    reply = active.send(scan(active, 10_000, code))
    assert reply.text(F.RESPONSE_CODE) == "00"
    row = active.lab.rows("transactions", kind="qr_sale")[0]
    assert (row["state"], row["fee_fen"], row["card_type"]) == ("captured", fee_fen, kind)
    assert order_number(reply.octets(F.DEVICE)) == row["rrn"].zfill(20)
    assert code not in str(row)
    assert active.settle().text(F.RESPONSE_CODE) == "00"


@pytest.mark.parametrize(
    ("code", "amount_fen", "expected"),
    [
        (STALE, 100, ("12", "qr.expired")),
        (EMPTY, 101, ("51", "card.no_funds")),
        (EMPTY, 100, ("00", "")),
        ("999912345678901234", 100, ("14", "qr.unknown")),
        ("620012345678901", 100, ("14", "qr.unknown")),
        ("", 100, ("14", "qr.unknown")),
        (SCAN, 0, ("13", "amount.zero")),
        (SCAN, 5_000_001, ("61", "amount.over_limit")),
    ],
)
def test_a_code_that_does_not_pay(active: Wire, code: str, amount_fen: int, expected: tuple[str, str]) -> None:
    """A screenshot of an old code would buy the goods."""
    reply = active.send(scan(active, amount_fen, code))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == expected


def test_a_code_pays_once(active: Wire) -> None:
    """A cashier who scans twice would charge the customer twice."""
    stan = active.stan()
    payload = scan(active, 100, SCAN, stan=stan)
    assert active.lab.answer(payload).payload == active.lab.answer(payload).payload
    assert active.reason(scan(active, 100, SCAN)) == "qr.used"
    assert active.code(reversal(active, 100, stan)) == "00"
    assert active.reason(scan(active, 100, SCAN)) == "qr.used"
    assert active.code(scan(active, 100, "2800999999999999")) == "00"


def test_a_code_that_was_declined_may_try_again(active: Wire) -> None:
    """A customer whose wallet was empty would have to leave the queue."""
    assert active.code(scan(active, 101, EMPTY)) == "51"
    assert active.code(scan(active, 100, EMPTY)) == "00"


def test_another_code_under_the_same_stan_is_another_request(active: Wire) -> None:
    """The second customer would get the first one's answer, and pay nothing (invariant I2)."""
    stan = active.stan()
    assert active.code(scan(active, 100, SCAN, stan=stan)) == "00"
    assert active.reason(scan(active, 100, UNIONPAY, stan=stan)) == "request.key_reused"


def reversal(wire: Wire, amount_fen: int, stan: str) -> bytes:
    """A reversal of a QR sale: it does not tell the code."""
    fields: dict[int, Value] = {F.ENTRY_MODE: "032", F.RESPONSE_CODE: "98"}
    return wire.build("qr_sale_reversal", wire.money(amount_fen, "", stan) | fields)


def test_a_reversal_and_a_void_undo_it(active: Wire) -> None:
    """A customer without a card would never get the money back."""
    before = active.lab.act("accounts")
    stan = active.stan()
    assert active.code(scan(active, 100, SCAN, stan=stan)) == "00"
    assert active.code(reversal(active, 100, stan)) == "00"
    assert active.lab.act("accounts") == before
    stan = active.stan()
    reply = active.send(scan(active, 100, UNIONPAY, stan=stan))
    sold = Sold(active.batch, stan, 100, "", reply.text(F.RRN))
    assert active.code(active.void(sold)) == "00"
    assert active.lab.act("accounts") == before


def test_a_terminal_of_another_maker_sends_the_code_alone(active: Wire) -> None:
    """Half of the terminals in the field could not scan."""
    fields = active.money(100, "", active.stan()) | {F.ENTRY_MODE: "032"}
    fields |= {
        F.TERMINAL_ID: active.terminal_id,
        F.MERCHANT_ID: active.merchant_id,
        F.CONTROL: f"22{active.batch}000",
        F.PROCESSING_CODE: KINDS["qr_sale"].processing_code,
        F.DEVICE: pack_tags([("A3", SCAN.encode())]),
    }
    reply = unseal(active.lab.answer(seal(Message("0200", fields), active.make_mac)).payload).message
    assert reply.text(F.RESPONSE_CODE) == "00"


def test_wallets_are_told_apart() -> None:
    """A code would be paid by whoever comes first in the table."""
    for row in WALLETS:
        assert find_wallet(row.prefix + "0" * 15) is row
        assert not any(other.prefix.startswith(row.prefix) for other in WALLETS if other is not row)
    assert find_wallet("6200" + "0" * 21) is None
    assert find_wallet("6200" + "０" * 15) is None


def test_a_refund_needs_a_card(active: Wire) -> None:
    """What a code paid would go to whoever holds a card."""
    stan = active.stan()
    reply = active.send(scan(active, 100, UNIONPAY, stan=stan))
    sold = Sold(active.batch, stan, 100, "", reply.text(F.RRN))
    fields: dict[int, Value] = {F.RRN: sold.rrn, F.ORIGINAL: str(Original(sold.batch, sold.stan, "0301"))}
    assert active.reason(active.build("refund", active.money(100, "6200000100000004", active.stan()) | fields)) == (
        "original.other_card"
    )
