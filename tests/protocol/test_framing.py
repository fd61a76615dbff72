"""Framers: whatever the line does to the bytes, the same payloads come out, or one clear error."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import FrameError
from protocol.framing import (
    ACK,
    EOT,
    FRAMINGS,
    MAX_PAYLOAD,
    MAX_RETRANSMISSIONS,
    MIN_PAYLOAD,
    NAK,
    Ascii4Framer,
    Bcd2Framer,
    Framer,
    Len2Framer,
    StxFramer,
    lrc,
)

TPDU = bytes.fromhex("6000030000")
HEADER = bytes.fromhex("603100310001")
SALE = TPDU + HEADER + bytes.fromhex("0200702406C020C09811") + bytes(40)
ECHO = TPDU + HEADER + bytes.fromhex("08200000000000C00012") + b"12345678" + bytes(7)
ONE = {"ack": bytes([ACK]), "nak": bytes([NAK]), "eot": bytes([EOT])}

payloads = st.builds(lambda rest: TPDU + rest, st.binary(min_size=MIN_PAYLOAD - 5, max_size=300))
each_framing = pytest.mark.parametrize("framing", sorted(FRAMINGS))


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


def feed_all(framer: Framer, chunks: list[bytes]) -> list[bytes]:
    return [payload for chunk in chunks for payload in framer.feed(chunk)]


@each_framing
@given(sent=st.lists(payloads, max_size=6), places=st.lists(st.integers(0, 10_000), max_size=30))
def test_any_chunking_gives_the_same_payloads(framing: str, sent: list[bytes], places: list[int]) -> None:
    """A slow mobile network that splits and merges packets would lose or double sales."""
    sender = FRAMINGS[framing]()
    receiver = StxFramer(ack=False) if framing == "stx" else FRAMINGS[framing]()
    stream = b"".join(sender.wrap(payload) for payload in sent)
    assert feed_all(receiver, cut(stream, places)) == sent
    assert not receiver.waiting


@each_framing
def test_one_byte_at_a_time(framing: str) -> None:
    """A terminal on a slow modem would never be answered."""
    sender, receiver = FRAMINGS[framing](), FRAMINGS[framing]()
    stream = sender.wrap(SALE) + sender.wrap(ECHO)
    assert feed_all(receiver, [bytes([byte]) for byte in stream]) == [SALE, ECHO]


@each_framing
def test_every_truncated_prefix_waits(framing: str) -> None:
    """Half a sale would be taken for a whole one, or a dead connection would be held for ever."""
    frame = FRAMINGS[framing]().wrap(SALE)
    for length in range(1, len(frame)):
        receiver = FRAMINGS[framing]()
        assert receiver.feed(frame[:length]) == []
        assert receiver.waiting
        assert receiver.feed(frame[length:]) == [SALE]
        assert not receiver.waiting


@each_framing
@pytest.mark.parametrize("length", [MIN_PAYLOAD, MAX_PAYLOAD])
def test_lengths_at_the_limit(framing: str, length: int) -> None:
    """The largest batch upload, or the smallest echo, would be refused."""
    payload = TPDU + bytes(length - 5)
    assert FRAMINGS[framing]().feed(FRAMINGS[framing]().wrap(payload)) == [payload]


@each_framing
@pytest.mark.parametrize("length", [0, MIN_PAYLOAD - 1, MAX_PAYLOAD + 1])
def test_a_payload_outside_the_limits_is_not_wrapped(framing: str, length: int) -> None:
    """We would send what every peer refuses, and wait for an answer until the timeout."""
    with pytest.raises(FrameError, match=f"payload of {length} bytes"):
        FRAMINGS[framing]().wrap(bytes(length))


@pytest.mark.parametrize("length", [0, 1, MIN_PAYLOAD - 1, MAX_PAYLOAD + 1, 0xFFFF])
def test_len2_refuses_lengths_outside_the_limits(length: int) -> None:
    """A stranger could make the host hold memory for messages that never come."""
    framer = Len2Framer()
    with pytest.raises(FrameError, match=f"announce {length} bytes"):
        framer.feed(length.to_bytes(2, "big") + TPDU)
    with pytest.raises(FrameError):
        framer.feed(Len2Framer().wrap(SALE))


@pytest.mark.parametrize(
    ("stream", "hint"),
    [
        (b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n", "HTTP"),
        (b"POST /api HTTP/1.1\r\n", "HTTP"),
        (bytes.fromhex("160301020001FC0303"), "TLS"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
        (b"0097" + SALE, "ASCII"),
        (len(SALE).to_bytes(4, "big") + SALE, "4-byte"),
        (SALE, "without a length"),
        (SALE[11:], "without a length"),
        (ECHO[11:], "without a length"),
        (StxFramer().wrap(SALE), "framing=stx"),
        (b"\xff" * 64, "another framing"),
    ],
)
def test_len2_says_what_a_foreign_stream_looks_like(stream: bytes, hint: str) -> None:
    """An engineer who plugged the wrong thing into the port would look for the fault for hours."""
    with pytest.raises(FrameError) as caught:
        feed_all(Len2Framer(), [stream])
    assert hint in caught.value.hint
    with pytest.raises(FrameError):
        feed_all(Len2Framer(), [bytes([byte]) for byte in stream])


def test_len2_believes_a_length_that_spells_an_mti() -> None:
    """A firmware chunk of 2048 bytes would be mistaken for a bare 0800."""
    payload = TPDU + bytes(0x0800 - 5)
    assert Len2Framer().feed(Len2Framer().wrap(payload)) == [payload]


def test_len2_delivers_what_came_before_the_damage() -> None:
    """A good sale would be lost because the bytes behind it are bad."""
    framer = Len2Framer()
    assert framer.feed(Len2Framer().wrap(SALE) + b"\xff\xff\xff") == [SALE]
    assert framer.waiting
    with pytest.raises(FrameError):
        framer.feed(b"")


@pytest.mark.parametrize(("length", "says"), [(1, "1 of a length of two bytes"), (30, "30 of 63 bytes")])
def test_len2_half_a_frame_is_an_error_when_its_time_is_up(length: int, says: str) -> None:
    """A client that sends half a frame would hold its connection for ever, and the log would not say why."""
    framer = Len2Framer()
    framer.feed(Len2Framer().wrap(SALE)[:length])
    with pytest.raises(FrameError, match=says) as caught:
        framer.expire()
    assert caught.value.offset == length


PREFIXED = {
    "ascii4": (Ascii4Framer, b"%04d" % len(SALE)),
    "bcd2": (Bcd2Framer, bytes.fromhex(f"{len(SALE):04d}")),
}


@pytest.mark.parametrize("framing", PREFIXED)
def test_the_length_is_written_as_the_framing_says(framing: str) -> None:
    """A peer would read another length than we mean, and both would wait."""
    framer, prefix = PREFIXED[framing]
    assert FRAMINGS[framing] is framer
    assert framer().wrap(SALE) == prefix + SALE
    assert framer().outgoing() == b""


@pytest.mark.parametrize(
    ("prefix", "hint"),
    [
        (b"-001", "four digits"),
        (b"+010", "four digits"),
        (b" 010", "four digits"),
        (b"1_0 ", "four digits"),
        (b"0x10", "four digits"),
        (b"00A1", "four digits"),
        ("٠٠٩٧".encode(), "another framing"),
        ("००".encode(), "another framing"),
        (b"\xb2\xb3\xb9\xb2", "another framing"),
        (b"0000", "another framing"),
        (b"0020", "another framing"),
        (b"8193", "another framing"),
        (b"9999", "another framing"),
        ((2**31).to_bytes(4, "big"), "another framing"),
        ((2**32 - 1).to_bytes(4, "big"), "another framing"),
        (len(SALE).to_bytes(4, "big"), "4-byte"),
        (len(SALE).to_bytes(2, "big"), "framing=len2"),
        (b"\x02" + bytes.fromhex(f"{len(SALE):04d}"), "framing=stx"),
        (b"", "without a length"),
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (bytes.fromhex("160301020001FC0303"), "TLS"),
        (b"SSH-2.0-x\r\n", "SSH"),
    ],
)
def test_ascii4_takes_four_digits_and_nothing_else(prefix: bytes, hint: str) -> None:
    """A length with a sign would be believed, and the host would wait for bytes that never come (B9, B10)."""
    framer = Ascii4Framer()
    with pytest.raises(FrameError) as caught:
        framer.feed(prefix + SALE)
    assert hint in caught.value.hint
    assert len(framer._rest) <= 4 + MAX_PAYLOAD
    with pytest.raises(FrameError):
        feed_all(Ascii4Framer(), [bytes([byte]) for byte in prefix + SALE])


@pytest.mark.parametrize(
    ("prefix", "hint"),
    [
        (b"\x00\x6a", "framing=len2"),
        (b"\x00\x20", "framing=len2"),
        (b"\xa0\x97", "another framing"),
        (b"\x81\x93", "another framing"),
        (b"\x99\x99", "another framing"),
        (b"\xff\xff", "another framing"),
        (b"0097", "framing=ascii4"),
        (len(SALE).to_bytes(4, "big"), "4-byte"),
        (b"\x02" + bytes.fromhex(f"{len(SALE):04d}"), "framing=stx"),
        (b"", "without a length"),
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (bytes.fromhex("160301020001FC0303"), "TLS"),
        (b"SSH-2.0-x\r\n", "SSH"),
    ],
)
def test_bcd2_takes_decimal_digits_and_nothing_else(prefix: bytes, hint: str) -> None:
    """A binary length would be read as another number, and sales would be cut in the middle."""
    framer = Bcd2Framer()
    with pytest.raises(FrameError) as caught:
        framer.feed(prefix + SALE)
    assert hint in caught.value.hint
    with pytest.raises(FrameError):
        feed_all(Bcd2Framer(), [bytes([byte]) for byte in prefix + SALE])


@pytest.mark.parametrize("length", [1603, 3030, 3939, 4745, 5055, 5353, 5452, 6000])
def test_bcd2_believes_a_length_that_spells_something_else(length: int) -> None:
    """A batch upload of 4745 bytes would be mistaken for an HTTP request."""
    payload = TPDU + bytes(length - 5)
    assert Bcd2Framer().feed(Bcd2Framer().wrap(payload)) == [payload]


@pytest.mark.parametrize(
    ("framing", "length", "says"),
    [
        ("ascii4", 3, "3 of a length of four digits"),
        ("bcd2", 1, "1 of a length of two bytes of BCD"),
        ("ascii4", 30, "30 of 65 bytes"),
        ("bcd2", 30, "30 of 63 bytes"),
    ],
)
def test_half_a_frame_of_digits_is_an_error_when_its_time_is_up(framing: str, length: int, says: str) -> None:
    """A client that sends half a frame would hold its connection for ever, and the log would not say why."""
    framer = FRAMINGS[framing]()
    framer.feed(FRAMINGS[framing]().wrap(SALE)[:length])
    with pytest.raises(FrameError, match=says):
        framer.expire()


@given(st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=10))
def test_random_bytes_give_one_error_or_nothing(noise: bytes, places: list[int]) -> None:
    """Noise on a port would crash the host for every shop."""
    line = StxFramer()
    feed_all(line, cut(noise, places))
    if line.waiting:
        line.expire()
    connection = Len2Framer()
    with suppress(FrameError):
        feed_all(connection, cut(noise, places))
    if connection.waiting:
        with pytest.raises(FrameError):
            connection.expire()


def test_stx_frame_layout() -> None:
    """A real MIS-POS terminal would not understand one frame of ours."""
    frame = StxFramer().wrap(SALE)
    assert frame[:3].hex() == "020061"
    assert frame[3:-2] == SALE
    assert frame[-2] == 0x03
    xor = 0
    for byte in frame[1:-1]:
        xor ^= byte
    assert frame[-1] == xor == lrc(frame[1:-1])


@given(st.binary(max_size=300))
def test_lrc_is_the_xor_of_all_bytes(block: bytes) -> None:
    """Every frame of a certain length would be refused by the peer."""
    xor = 0
    for byte in block:
        xor ^= byte
    assert lrc(block) == xor


def test_stx_acknowledges_a_good_frame() -> None:
    """The terminal would repeat every request three times and give up."""
    framer = StxFramer()
    assert framer.feed(StxFramer().wrap(SALE)) == [SALE]
    assert framer.outgoing() == ONE["ack"]
    assert framer.outgoing() == b""


def test_stx_without_acknowledgement_says_nothing() -> None:
    """A line that has no answers would read ours as garbage."""
    framer = StxFramer(ack=False)
    frame = StxFramer().wrap(SALE)
    assert framer.feed(frame + frame[:-1] + b"\x00" + frame) == [SALE, SALE]
    assert framer.outgoing() == b""
    assert framer.garbled == 1


@pytest.mark.parametrize("before", [b"\x06", b"\x06\x06", b"\x00\xffnoise", b"\x15", b"\x04"])
def test_stx_skips_what_is_glued_before_a_frame(before: bytes) -> None:
    """A reply would be lost because the terminal sends its ACK in the same breath."""
    framer = StxFramer()
    assert framer.feed(before + StxFramer().wrap(SALE)) == [SALE]
    assert framer.garbled == 0
    assert framer.skipped == (len(before) if len(before) > 2 else 0)


@given(place=st.integers(0, len(SALE) + 4), flip=st.integers(1, 255), split=st.integers(0, len(SALE) + 5))
def test_stx_any_damaged_byte_is_refused_and_the_repetition_is_heard(place: int, flip: int, split: int) -> None:
    """A sale would be taken with a wrong amount, or the line would be deaf after one disturbance."""
    frame = StxFramer().wrap(SALE)
    damaged = bytearray(frame)
    damaged[place] ^= flip
    framer = StxFramer()
    got = feed_all(framer, [bytes(damaged[:split]), bytes(damaged[split:])])
    if framer.waiting:
        got += framer.expire()
    assert got == []
    answer = framer.outgoing()
    assert answer in (b"", ONE["nak"]) if place == 0 else answer == ONE["nak"]
    got = framer.feed(frame)
    if framer.waiting:
        got += framer.expire()
    assert got == [SALE]


def test_stx_damage_in_front_of_a_good_frame() -> None:
    """A good frame behind a damaged one would be swallowed by it."""
    good = StxFramer().wrap(ECHO)
    bad = bytearray(StxFramer().wrap(SALE))
    bad[40] ^= 1
    framer = StxFramer()
    assert framer.feed(bytes(bad) + good) == [ECHO]
    assert framer.garbled == 1
    assert framer.outgoing() == ONE["nak"] + ONE["ack"]


def test_stx_a_length_that_grew_does_not_swallow_the_next_frame() -> None:
    """A disturbed length would cost the next sale too."""
    good = StxFramer().wrap(ECHO)
    bad = bytearray(StxFramer().wrap(SALE))
    bad[2] = 0x99
    framer = StxFramer()
    assert framer.feed(bytes(bad) + good + good) == [ECHO]
    assert framer.garbled == 1


@pytest.mark.parametrize("digits", ["0000", "0020", "8193", "9999", "00A1", "FFFF"])
def test_stx_refuses_lengths_that_are_none(digits: str) -> None:
    """A disturbed length would make the line wait for bytes that never come."""
    framer = StxFramer()
    assert framer.feed(b"\x02" + bytes.fromhex(digits)) == []
    assert not framer.waiting
    assert framer.outgoing() == ONE["nak"]
    assert framer.feed(StxFramer().wrap(SALE)) == [SALE]


def test_stx_half_a_frame_is_refused_when_its_time_is_up() -> None:
    """A cable pulled in the middle of a frame would swallow the next one."""
    frame = StxFramer().wrap(SALE)
    framer = StxFramer()
    framer.feed(frame[:40])
    assert framer.expire() == []
    assert not framer.waiting
    assert framer.outgoing() == ONE["nak"]
    framer.feed(frame[:40])
    assert framer.feed(frame) == [SALE]


def test_stx_expire_with_nothing_buffered_does_nothing() -> None:
    """A timer that comes late would make the terminal repeat a sale."""
    framer = StxFramer()
    assert framer.expire() == []
    assert framer.outgoing() == b""


def test_stx_retransmits_until_it_may_not() -> None:
    """A disturbed line would lose the reply to an approved sale, or repeat it without end."""
    framer = StxFramer()
    frame = framer.wrap(SALE)
    for _ in range(MAX_RETRANSMISSIONS):
        assert framer.feed(ONE["nak"]) == []
        assert framer.outgoing() == frame
    with pytest.raises(FrameError, match="refused a frame 4 times"):
        framer.feed(ONE["nak"])
    assert framer.outgoing() == b""
    assert framer.feed(StxFramer().wrap(ECHO)) == [ECHO]


def test_stx_delivers_what_came_with_the_last_refusal() -> None:
    """A request would be lost because our previous reply failed."""
    framer = StxFramer()
    framer.wrap(SALE)
    assert framer.feed(ONE["nak"] * 4 + StxFramer().wrap(ECHO)) == [ECHO]
    assert framer.waiting
    with pytest.raises(FrameError):
        framer.feed(b"")
    assert not framer.waiting


@pytest.mark.parametrize("answer", ["ack", "eot"])
def test_stx_forgets_a_frame_that_has_been_answered(answer: str) -> None:
    """Noise that looks like NAK would send yesterday's reply again."""
    framer = StxFramer()
    framer.wrap(SALE)
    framer.feed(ONE[answer] + ONE["nak"])
    assert framer.outgoing() == b""


def test_stx_drops_the_repetition_after_a_lost_ack() -> None:
    """A lost ACK would show the host one sale twice."""
    frame = StxFramer().wrap(SALE)
    framer = StxFramer()
    assert framer.feed(frame) == [SALE]
    for _ in range(MAX_RETRANSMISSIONS):
        assert framer.feed(frame) == []
    assert framer.outgoing() == ONE["ack"] * 4


@pytest.mark.parametrize(
    "between",
    [
        lambda framer: framer.wrap(ECHO),
        lambda framer: framer.feed(ONE["eot"]),
        lambda framer: framer.feed(StxFramer().wrap(ECHO)),
        lambda framer: [framer.feed(StxFramer().wrap(SALE)) for _ in range(MAX_RETRANSMISSIONS)],
    ],
    ids=["our reply", "end of exchange", "another frame", "more repetitions than a sender makes"],
)
def test_stx_delivers_a_request_that_is_made_again(between: Callable[[StxFramer], object]) -> None:
    """A reversal that is repeated until it is answered would never reach the host."""
    frame = StxFramer().wrap(SALE)
    framer = StxFramer()
    assert framer.feed(frame) == [SALE]
    between(framer)
    assert framer.feed(frame) == [SALE]
