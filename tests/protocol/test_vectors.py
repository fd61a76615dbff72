"""Real messages of the UnionPay dialect: each decodes, agrees with what is known of it, and keeps its bytes."""

from __future__ import annotations

import json

import pytest

from protocol.codec import pack, seal, unpack, unseal
from protocol.describe import document, message_from_document
from protocol.framing import Len2Framer
from protocol.message import Message
from tests.vectors import Vector, shared_vectors

VECTORS = shared_vectors("message", "cup")


def payload_of(vector: Vector) -> bytes:
    raw = bytes.fromhex(vector["hex"])
    if not vector["inputs"]["has_length_prefix"]:
        return raw
    (payload,) = Len2Framer().feed(raw)
    return payload


def message_of(vector: Vector) -> Message:
    payload = payload_of(vector)
    return unseal(payload).message if vector["inputs"]["has_tpdu_and_header"] else unpack(payload)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_real_message_is_read_as_its_source_reads_it(vector: Vector) -> None:
    """A terminal bought in a shop would not be understood."""
    there = document(message_of(vector), unmask=True)
    assert there["fields"] == vector["fields"]
    assert there["mti"] == vector["expected"]["mti"]
    assert there["bitmap"] == vector["expected"]["bitmap"].upper()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_real_message_keeps_its_bytes(vector: Vector) -> None:
    """A recorded message could not be played again."""
    message, payload = message_of(vector), payload_of(vector)
    assert (seal(message) if message.tpdu else pack(message)) == payload
    assert message_from_document(json.loads(json.dumps(document(message, unmask=True)))) == payload


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_real_card_is_hidden(vector: Vector) -> None:
    """A real card number would stand in a test report."""
    shown = json.dumps(document(message_of(vector)))
    for number in ("2", "35", "36", "52"):
        assert vector["fields"].get(number, "\0") not in shown
