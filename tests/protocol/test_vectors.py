"""Real messages: each decodes under its dialect, agrees with what is known of it, and keeps its bytes."""

from __future__ import annotations

import json

import pytest

from protocol.codec import pack, seal, unpack, unseal
from protocol.describe import describe, document, message_from_document
from protocol.dialect import Dialect
from protocol.dialects import DIALECTS
from protocol.errors import ProtocolError
from protocol.framing import Len2Framer
from protocol.message import Message
from tests.vectors import Vector, shared_vectors

ALL = shared_vectors("message")
VECTORS = [vector for vector in ALL if vector["layout"] in DIALECTS]
FOREIGN = [vector for vector in VECTORS if vector["layout"] != "cup"]


def payload_of(vector: Vector) -> bytes:
    raw = bytes.fromhex(vector["hex"])
    if not vector["inputs"]["has_length_prefix"]:
        return raw
    (payload,) = Len2Framer().feed(raw)
    return payload


def dialect_of(vector: Vector) -> Dialect:
    return DIALECTS[vector["layout"]]


def message_of(vector: Vector, dialect: Dialect | None = None) -> Message:
    payload, spoken = payload_of(vector), dialect or dialect_of(vector)
    return unseal(payload, spoken).message if vector["inputs"]["has_tpdu_and_header"] else unpack(payload, spoken)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_real_message_is_read_as_its_source_reads_it(vector: Vector) -> None:
    """A terminal bought in a shop would not be understood."""
    there = document(message_of(vector), unmask=True, dialect=dialect_of(vector))
    assert there["fields"] == vector["fields"]
    assert there["mti"] == vector["expected"]["mti"]
    assert there["bitmap"] == vector["expected"]["bitmap"].upper()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_real_message_keeps_its_bytes(vector: Vector) -> None:
    """A recorded message could not be played again."""
    message, payload, dialect = message_of(vector), payload_of(vector), dialect_of(vector)
    assert (seal(message, dialect=dialect) if message.tpdu else pack(message, dialect)) == payload
    there = json.loads(json.dumps(document(message, unmask=True, dialect=dialect)))
    assert message_from_document(there, dialect) == payload


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_real_message_is_of_a_known_kind(vector: Vector) -> None:
    """A report would call the messages of real terminals unknown."""
    assert dialect_of(vector).kinds.identify(message_of(vector))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_real_card_is_hidden(vector: Vector) -> None:
    """A real card number would stand in a test report."""
    message, dialect = message_of(vector), dialect_of(vector)
    shown = json.dumps(document(message, dialect=dialect)) + "\n".join(describe(message, dialect=dialect, lang="zh"))
    for number in ("2", "35", "36", "52"):
        assert vector["fields"].get(number, "\0") not in shown


@pytest.mark.parametrize("vector", FOREIGN, ids=lambda vector: vector["id"])
def test_another_dialect_gets_a_clear_error_and_no_garbage(vector: Vector) -> None:
    """A tester who forgets the dialect would read nonsense and believe it."""
    with pytest.raises(ProtocolError) as caught:
        message_of(vector, DIALECTS["cup"])
    assert caught.value.message
