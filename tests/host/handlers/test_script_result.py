"""How a card took what its issuer told it: written down for its transaction, under a MAC, and nothing else."""

from __future__ import annotations

import pytest

from protocol.fields import F
from protocol.private import Original
from protocol.tlv import Node, encode
from tests.host.wire import Sold, Wire

RESULT = bytes.fromhex("2000000001")


def told(wire: Wire, sold: Sold, chip: bytes = encode([Node(0xDF31, RESULT)]), **options: bool) -> bytes:
    """A script result of a sale."""
    fields = wire.money(sold.amount_fen, "", wire.stan()) | {
        F.PROCESSING_CODE: "000000",
        F.ICC: chip,
        F.ORIGINAL: str(Original(sold.batch, sold.stan, "0301")),
    }
    return wire.build("script_result", fields, **options)


def results(wire: Wire) -> list[str]:
    """What the host wrote down."""
    return [row["detail"] for row in wire.lab.rows("audit", act="script result")]


def test_a_result_is_kept_once_and_moves_nothing(active: Wire) -> None:
    """The issuer would not know whether its order reached the card, or a sale be booked for it."""
    sold = active.sell(100)
    payload, before = told(active, sold), active.lab.rows("postings")
    assert active.code(payload) == active.code(payload) == "00"
    assert results(active) == [f"{sold.batch}/{sold.stan}: 2000000001"]
    assert active.lab.rows("postings") == before
    assert active.lab.violations() == []


def test_a_result_of_nothing_is_refused(active: Wire) -> None:
    """The audit trail would speak of a sale that never was."""
    sold = active.sell(100)
    assert active.reason(told(active, Sold(sold.batch, "000999", 100, "", ""))) == "original.not_found"
    for chip in (b"", b"\x9f", encode([Node(0x95, bytes(5))])):
        assert active.code(told(active, sold, chip)) == "30"
    assert results(active) == []


@pytest.mark.parametrize("mac", [False])
def test_a_result_needs_its_mac(active: Wire, mac: bool) -> None:
    """Anybody could write into the audit trail of a card."""
    assert active.code(told(active, active.sell(100), mac=mac)) in ("30", "A0")
    assert results(active) == []
