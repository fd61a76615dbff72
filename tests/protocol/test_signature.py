"""Who signs, and what goes with it: the rule that both ends share, and field 55 of a signature."""

from __future__ import annotations

import pytest

from protocol.kinds import KINDS
from protocol.private.receipt import RECEIPT_TAGS, pack_receipt, read_receipt, without_secrets
from protocol.signature import SIGNED, is_signed
from protocol.tlv import Node, encode


@pytest.mark.parametrize(
    ("kind", "entry_mode", "amount_fen", "signed"),
    [
        ("sale", "072", 30_000, False),
        ("sale", "071", 30_001, True),
        ("sale", "051", 1, True),
        ("sale", "021", 1, True),
        ("qr_sale", "032", 1, True),
        ("preauth", "072", 30_000, False),
        ("sale_void", "002", 50_000, False),
        ("refund", "021", 50_000, False),
        ("moto_sale", "012", 50_000, False),
    ],
)
def test_who_signs(kind: str, entry_mode: str, amount_fen: int, signed: bool) -> None:
    """Both ends would miss different signatures (CUP 7.9)."""
    assert is_signed(kind, entry_mode, amount_fen, free_fen=30_000) is signed


def test_what_is_signed_is_a_kind() -> None:
    """A misspelt kind would never be signed."""
    assert all(KINDS[kind].moves_money for kind in SIGNED)


def test_a_slip_comes_back_as_it_was_packed() -> None:
    """The slip in the evidence would say something else."""
    values = [(tag.key, bytes([number + 1])) for number, tag in enumerate(RECEIPT_TAGS.values())]
    packed = pack_receipt([*values, ("remark", b"")])
    assert [(tag.key, value) for tag, value in read_receipt(packed)] == values
    kept = {tag.key for tag, _ in read_receipt(without_secrets(packed + encode([Node(0xFF7E, b"x")])))}
    assert kept == {tag.key for tag in RECEIPT_TAGS.values() if not tag.secret}
