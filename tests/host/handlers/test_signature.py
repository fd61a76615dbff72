"""Signatures at the host: each under its sale, once, whatever becomes of the sale, and nothing but pictures."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from host.lifecycle import DRAIN, PERMITS, State
from protocol.elements import Value
from protocol.feature_code import feature_code
from protocol.fields import F
from protocol.jbig.bitmap import Bitmap
from protocol.jbig.encoder import encode
from protocol.private.receipt import pack_receipt
from protocol.tlv import Node
from protocol.tlv import encode as encode_tlv
from tests.host.wire import Lab, Sold, Wire

pytestmark = pytest.mark.feature("E")

PICTURE = encode(Bitmap(240, 80, bytes(range(240)) * 10))
OTHER = encode(Bitmap(240, 80, bytes(2400)))
BOMB = encode(Bitmap(4096, 1024, bytes(512 * 1024)))
SLIP = pack_receipt([("merchant_name", b"SHOP"), ("amount_approved", b"000000000100")])
DATE = "0301"


def signed(wire: Wire, sold: Sold, image: bytes = PICTURE, slip: bytes = SLIP, **options: Any) -> bytes:
    """The signature of a sale; fields by name replace its own."""
    changes: dict[int, Value] = {getattr(F, name): options.pop(name) for name in list(options) if name.isupper()}
    fields: dict[int, Value] = {
        F.AMOUNT: f"{sold.amount_fen:012d}",
        F.STAN: sold.stan,
        F.SETTLEMENT_DATE: DATE,
        F.RRN: sold.rrn,
        F.ICC: slip,
        F.PAYLOAD: image,
        **changes,
    }
    options.setdefault("batch", sold.batch)
    return wire.build("signature_upload", {number: value for number, value in fields.items() if value}, **options)


def kept(wire: Wire) -> list[dict[str, Any]]:
    """What the host has."""
    return wire.lab.rows("signatures")


def test_a_signature_is_kept_under_its_sale(active: Wire) -> None:
    """In a dispute the acquirer would have no evidence, or that of another sale (G1, G2)."""
    sold = active.sell(100)
    before = active.lab.rows("postings")
    reply = active.send(signed(active, sold))
    assert (reply.mti, reply.text(F.RESPONSE_CODE), reply.text(F.RRN)) == ("0830", "00", sold.rrn)
    (row,) = kept(active)
    assert (row["terminal_id"], row["batch"], row["stan"]) == (active.terminal_id, sold.batch, sold.stan)
    assert row["image"] == PICTURE
    assert row["sha256"] == hashlib.sha256(PICTURE).hexdigest()
    assert row["feature_code"] == feature_code(DATE, sold.rrn)
    assert row["receipt"] == SLIP
    assert active.lab.rows("postings") == before
    assert active.lab.violations() == []


def test_a_repeat_is_the_same_answer_and_another_picture_is_none(active: Wire) -> None:
    """A lost reply would leave two signatures, or a later one take the place of the first."""
    sold = active.sell(100)
    first = active.lab.answer(signed(active, sold)).payload
    assert active.lab.answer(signed(active, sold)).payload == first
    assert active.code(signed(active, sold, OTHER)) == "94"
    assert [row["image"] for row in kept(active)] == [PICTURE]


def test_a_refusal_is_not_for_ever(active: Wire) -> None:
    """A signature that came damaged once could never be sent again."""
    sold = active.sell(100)
    assert active.code(signed(active, sold, b"\0")) == "30"
    assert active.code(signed(active, sold)) == "00"


@pytest.mark.parametrize("what", ["void", "reversal", "settlement"])
def test_what_became_of_the_sale_does_not_matter(active: Wire, what: str) -> None:
    """The signature under a voided or settled sale would be lost (G1, G5)."""
    sold = active.sell(100)
    if what == "settlement":
        active.settle()
        assert active.batch != sold.batch
    else:
        undo = active.void(sold) if what == "void" else active.reversal(100, sold.stan)
        assert active.code(undo) == "00"
    assert active.code(signed(active, sold)) == "00"
    (row,) = active.lab.act("signatures")["signatures"]
    assert row["state"] == {"void": "voided", "reversal": "reversed", "settlement": "captured"}[what]


def test_a_stopped_terminal_may_still_send_it(active: Wire) -> None:
    """What was signed before the stop would be missing (decision 5)."""
    sold = active.sell(100)
    active.lab.act("hold", serial_number=active.serial_number, reason="fraud")
    active.lab.act("stop", serial_number=active.serial_number)
    assert active.code(signed(active, sold)) == "00"
    assert "signature_upload" in DRAIN & PERMITS[State.STOPPED]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"AMOUNT": "000000000101"}, "original.other_amount"),
        ({"STAN": "000999"}, "original.not_found"),
        ({"RRN": "999999999999"}, "original.not_found"),
        ({"SETTLEMENT_DATE": "0302"}, "original.not_found"),
        ({"batch": "000077"}, "original.not_found"),
        ({"network": "801"}, "signature.unreadable"),
        ({"image": b"no picture"}, "signature.unreadable"),
        ({"image": BOMB}, "signature.unreadable"),
        ({"image": PICTURE[:40]}, "signature.unreadable"),
        ({"image": b"\0\0\1\0" + b"\xff" * 16}, "signature.unreadable"),
        ({"mac": False}, "message.malformed"),
        ({"slip": b"\xff\0\x7f"}, "message.malformed"),
    ],
    ids=str,
)
def test_what_is_no_signature_of_this_sale(active: Wire, changes: dict[str, Any], reason: str) -> None:
    """Any picture, or one that fills the memory, would pass for evidence (G2, G4)."""
    sold = active.sell(100)
    assert len(BOMB) <= 999
    assert active.reason(signed(active, sold, **changes)) == reason
    assert kept(active) == []
    assert active.code(signed(active, sold)) == "00"


def test_what_nobody_signs_has_no_signature(active: Wire) -> None:
    """A declined sale would look like one to which the customer agreed."""
    sold = active.sell(100)
    active.code(active.void(sold, stan="000500"))
    assert active.reason(signed(active, Sold(sold.batch, "000500", 100, "", ""))) == "original.not_found"
    active.code(active.sale(100, "6200000400000001", stan="000501"))
    assert active.reason(signed(active, Sold(sold.batch, "000501", 100, "", ""))) == "original.not_found"
    assert active.code(active.reversal(100, "000502")) == "00"
    assert active.reason(signed(active, Sold(sold.batch, "000502", 100, "", ""))) == "original.not_found"


def test_another_terminal_cannot_sign(active: Wire, lab: Lab) -> None:
    """One shop could put a signature under the sale of another."""
    sold = active.sell(100)
    stranger = Wire(lab, "PXE90-0002", "10000002", "898100000000002").on_counter()
    assert stranger.reason(signed(stranger, sold)) == "original.not_found"
    assert stranger.code(signed(stranger, sold, mac=None, TERMINAL_ID=active.terminal_id)) != "00"
    assert kept(active) == []


def test_secrets_of_the_slip_are_not_kept(active: Wire) -> None:
    """The evidence would give the card away (P1)."""
    sold = active.sell(100)
    slip = SLIP + pack_receipt([("expiry", b"3012"), ("pan_loaded", b"6200000100000004")])
    assert active.code(signed(active, sold, slip=slip + encode_tlv([Node(0xFF7F, b"what")]))) == "00"
    assert [row["receipt"] for row in kept(active)] == [SLIP]
