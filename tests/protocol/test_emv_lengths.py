"""How long the objects of chip cards can be, and that what is longer is not shown."""

from __future__ import annotations

import pytest

from protocol.elements import Value
from protocol.emv import EMV_TAGS, row_of
from protocol.errors import DecodeError
from protocol.fields import Mask
from protocol.tlv import Node, decode
from tests.vectors import shared_vectors

PAN = "6200000100000004"


@pytest.mark.parametrize("tag", [tag for tag, row in EMV_TAGS.items() if row.mask is Mask.OPEN and row.format != "tlv"])
def test_a_value_longer_than_its_object_is_hidden(tag: int) -> None:
    """Whoever writes card data under a harmless tag would put it on the screen."""
    most = row_of(tag).most_bytes
    assert row_of(tag).shown(b"\x11" * most) == row_of(tag).shown(b"\x11" * most, unmask=True)
    assert row_of(tag).shown(b"\x11" * (most + 1)) == f"<{most + 1} bytes hidden>"
    assert "hidden" not in row_of(tag).shown(b"\x11" * (most + 1), unmask=True)


@pytest.mark.parametrize(
    ("tag", "raw"), [(0x9C, PAN), (0x9F26, PAN + "00"), (0x9F02, PAN), (0x5A, PAN + "FF" * 3), (0x95, PAN)]
)
def test_a_card_number_under_another_tag(tag: int, raw: str) -> None:
    """A screenshot in a ticket would give a card away."""
    assert PAN not in row_of(tag).shown(bytes.fromhex(raw))


def test_what_real_terminals_send_is_within() -> None:
    """An engineer could no longer read what a real card said."""
    seen = 0
    for vector in shared_vectors("message"):
        for node in every(objects(vector.get("fields", {}).get("55", ""))):
            if node.tag in EMV_TAGS:
                assert len(node.octets) <= EMV_TAGS[node.tag].most_bytes, f"{node.tag:X} of {vector['id']}"
                seen += 1
    assert seen > 50


def objects(value: Value) -> tuple[Node, ...]:
    try:
        return decode(bytes.fromhex(str(value)))
    except (DecodeError, ValueError):
        return ()


def every(nodes: tuple[Node, ...]) -> list[Node]:
    return [one for node in nodes for one in (node, *every(node.children))]
