"""TABLE BAD against framers, codec and chip data: one error of our tree, with code, field, offset and hint."""

from __future__ import annotations

import pytest

from protocol.codec import seal, unpack, unseal
from protocol.dialects import DIALECTS
from protocol.emv import decode_chip_data
from protocol.errors import DecodeError, FrameError
from protocol.framing import MAX_PAYLOAD, Len2Framer
from protocol.tlv import Padding, decode, encode
from tests.protocol.bad_inputs import (
    BITMAP_AT,
    CHIP_DATA,
    DIALECT_BODIES,
    MESSAGES,
    MTI_AT,
    PAN,
    PAYLOADS,
    PRIVATE_BYTES,
    SALE,
    SOUND_CHIP_DATA,
    STREAMS,
    changed,
)

SOUND = seal(SALE)
FRAME = len(SOUND).to_bytes(2, "big") + SOUND


@pytest.mark.parametrize("name", STREAMS)
def test_what_is_no_stream_is_told_by_its_first_bytes(name: str) -> None:
    """A peer that speaks something else would be waited for, with memory set aside for a length that it never meant."""
    framer = Len2Framer()
    data, hint = STREAMS[name]
    with pytest.raises(FrameError) as caught:
        framer.feed(data)
    assert caught.value.code == "frame"
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_spoiled_payload_is_one_error_that_tells_where(name: str) -> None:
    """The maker of a terminal would search for a week where one line could name the field and the cure."""
    spoil, code, field, hint = PAYLOADS[name]
    data = spoil(SOUND)
    assert data != SOUND
    with pytest.raises(DecodeError) as caught:
        unseal(data)
    error = caught.value
    assert (error.code, error.field) == (code, field)
    assert -MTI_AT <= error.offset <= len(data) - MTI_AT
    assert error.hint
    assert hint in error.hint
    assert PAN not in str(error)


@pytest.mark.parametrize("name", [*MESSAGES, *PRIVATE_BYTES])
def test_what_only_the_host_can_refuse_is_read_and_written_unchanged(name: str) -> None:
    """A value that a host must refuse would be altered on its way there, and two parsers would disagree about it."""
    payload = seal(MESSAGES[name].message if name in MESSAGES else changed(PRIVATE_BYTES[name]))
    assert seal(unseal(payload).message) == payload


@pytest.mark.parametrize("name", DIALECT_BODIES)
def test_a_spoiled_body_of_another_dialect_is_one_error(name: str) -> None:
    """An acquirer's terminal would crash the reader, or be misread without a word."""
    dialect, body, code, field = DIALECT_BODIES[name]
    with pytest.raises(DecodeError) as caught:
        unpack(body, DIALECTS[dialect])
    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.hint


@pytest.mark.parametrize("name", CHIP_DATA)
def test_spoiled_chip_data_is_one_error(name: str) -> None:
    """A card with a broken object would take the memory or the stack of the host."""
    data, code, offset = CHIP_DATA[name]
    with pytest.raises(DecodeError) as caught:
        decode_chip_data(data)
    assert (caught.value.code, caught.value.offset) == (code, offset)


@pytest.mark.parametrize("name", SOUND_CHIP_DATA)
def test_duplicate_tags_and_zeros_between_objects_are_read(name: str) -> None:
    """Chip data that cards really send would be refused."""
    nodes = decode(SOUND_CHIP_DATA[name], padding=Padding.ZEROS)
    assert [node.tag for node in nodes][-2:] == ([0x82, 0x82] if "B68" in name else [0x82, 0x9A])
    assert encode(nodes) == SOUND_CHIP_DATA[name].replace(b"\x00" * 2, b"")


@pytest.mark.parametrize("size", [0, 1])
def test_next_to_nothing_is_one_error(size: int) -> None:
    """An empty payload (B1, B2) would raise what nobody catches."""
    with pytest.raises(DecodeError) as caught:
        unseal(SOUND[:size])
    assert (caught.value.code, caught.value.offset) == ("truncated", size - MTI_AT)
    assert caught.value.hint
    framer = Len2Framer()
    assert framer.feed(FRAME[:size]) == []
    assert framer.waiting is bool(size)


def test_a_length_one_too_small_cuts_the_message() -> None:
    """A frame that lacks its last byte (B5) would be taken for a message, and the byte for the next one."""
    framer = Len2Framer()
    [payload] = framer.feed((len(SOUND) - 1).to_bytes(2, "big") + SOUND)
    with pytest.raises(DecodeError) as caught:
        unseal(payload)
    assert (caught.value.code, caught.value.field) == ("truncated", 64)
    assert framer.waiting


def test_a_length_one_too_large_is_waited_for_and_given_up() -> None:
    """A frame that announces a byte too many (B6) would hang its line for ever."""
    framer = Len2Framer()
    assert framer.feed((len(SOUND) + 1).to_bytes(2, "big") + SOUND) == []
    with pytest.raises(FrameError, match="half a frame") as caught:
        framer.expire()
    assert caught.value.offset == len(FRAME)


def test_frames_may_be_merged_and_split() -> None:
    """Two requests in one packet (B11), or one in two (B12), would be lost."""
    assert Len2Framer().feed(FRAME + FRAME) == [SOUND, SOUND]
    for cut in range(len(FRAME)):
        framer = Len2Framer()
        assert framer.feed(FRAME[:cut]) + framer.feed(FRAME[cut:]) == [SOUND]


def test_a_message_cut_anywhere_is_one_error() -> None:
    """A message that ends too early (B34) would be believed as far as it goes."""
    for size in range(len(SOUND)):
        with pytest.raises(DecodeError) as caught:
            unseal(SOUND[:size])
        assert caught.value.code in ("truncated", "value")
        assert caught.value.offset <= max(size - MTI_AT, BITMAP_AT)
        assert caught.value.hint


def test_every_number_of_the_list_has_an_input() -> None:
    """A kind of bad input would be forgotten, and the next attacker would remember it."""
    tables = (STREAMS, PAYLOADS, MESSAGES, DIALECT_BODIES, CHIP_DATA, SOUND_CHIP_DATA)
    named = {name.split()[0] for table in tables for name in table}
    elsewhere = {"B1", "B2", "B5", "B6", "B11", "B12", "B34"}
    at_the_host = {"B19", "B61"}
    assert {f"B{number}" for number in range(1, 70)} - named - elsewhere == at_the_host
    assert len(SOUND) < MAX_PAYLOAD
