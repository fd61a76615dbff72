"""Framers: whatever the line does to the bytes, the same payloads come out, or one clear error."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import FrameError
from protocol.framing import (
    ACK,
    EOT,
    ETX,
    FRAMINGS,
    LINE_TIMERS,
    MAX_PAYLOAD,
    MIN_PAYLOAD,
    NAK,
    STX,
    UNANSWERED,
    Ascii4Framer,
    Bcd2Framer,
    Framer,
    Len2Framer,
    StxFramer,
    Timer,
    Timers,
    Wait,
    lrc,
)
from protocol.framing import hunt as hunt_file

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


def test_stx_expire_with_nothing_under_way_does_nothing() -> None:
    """A timer that comes late would make the terminal repeat a sale."""
    framer = StxFramer()
    assert framer.expire() == []
    framer.wrap(SALE)
    framer.feed(ONE["ack"])
    assert framer.expire() == []
    assert framer.outgoing() == b""


def test_stx_half_a_frame_may_hide_whole_ones() -> None:
    """A disturbed length would swallow the sale behind it until that is asked again."""
    grown = bytearray(StxFramer().wrap(SALE))
    grown[1] = 0x81
    framer = StxFramer()
    assert framer.feed(bytes(grown) + StxFramer().wrap(ECHO) + StxFramer().wrap(SALE)[:50]) == []
    assert framer.expire() == [ECHO]
    assert (framer.waiting, framer.garbled, framer.skipped) == (False, 2, len(grown) + 50)
    assert framer.outgoing() == ONE["nak"] + ONE["ack"] + ONE["nak"]


def test_stx_damage_behind_damage_is_refused_when_the_line_is_silent() -> None:
    """A terminal that repeats only what was refused would wait for ever after two disturbances on end."""
    bad = bytearray(StxFramer().wrap(SALE))
    bad[40] ^= 1
    framer = StxFramer()
    assert framer.feed(bytes(bad)) == []
    assert framer.outgoing() == ONE["nak"]
    assert framer.feed(bytes(bad)) == []
    assert framer.outgoing() == b""
    assert framer.expire() == []
    assert framer.outgoing() == ONE["nak"]
    assert (framer.waiting, framer.garbled, framer.skipped) == (False, 2, 2 * len(bad))


def test_stx_damage_is_refused_once_until_the_answer_has_left() -> None:
    """The peer would repeat its frame as often as the line was disturbed while it was deaf."""
    bad = bytearray(StxFramer().wrap(SALE))
    bad[40] ^= 1
    framer = StxFramer()
    assert framer.feed(StxFramer().wrap(ECHO) + bytes(bad + bad)) == [ECHO]
    assert framer.expire() == []
    assert framer.garbled == 2
    assert framer.outgoing() == ONE["ack"] + ONE["nak"]


def test_stx_silence_after_a_refusal_is_not_refused_again() -> None:
    """The peer would repeat one frame twice, and give up on the next disturbance."""
    bad = bytearray(StxFramer().wrap(SALE))
    bad[40] ^= 1
    framer = StxFramer()
    framer.feed(bytes(bad))
    assert framer.outgoing() == ONE["nak"]
    assert framer.expire() == []
    assert framer.outgoing() == b""
    assert (framer.waiting, framer.garbled) == (False, 1)


class Cut(NamedTuple):
    """What came out of a stream of frames."""

    payloads: list[bytes]
    garbled: int
    skipped: int


def claimed(stream: bytes, at: int) -> int | None:
    """The end of the frame at ``at``, 0 where its length is none, None where that is not there yet."""
    digits = stream[at + 1 : at + 3].hex()
    if len(digits) < 4:
        return None
    length = int(digits) if digits.isdecimal() else 0
    return at + 5 + length if MIN_PAYLOAD <= length <= MAX_PAYLOAD else 0


def is_whole(stream: bytes, at: int) -> bool:
    end = claimed(stream, at) if stream[at] == STX else 0
    return bool(
        end and end <= len(stream) and stream[end - 2] == ETX and lrc(stream[at + 1 : end - 1]) == stream[end - 1]
    )


def expected_cut(stream: bytes) -> Cut:
    """The rule in its plainest form: frame behind frame; after damage the sound frame that ends first."""
    payloads, garbled, skipped, at = [], 0, 0, 0
    while at < len(stream):
        if stream[at] != STX:
            skipped += stream[at] not in (ACK, NAK, EOT)
            at += 1
            continue
        start, end = at, claimed(stream, at)
        if not is_whole(stream, at):
            garbled += 1
            told = len(stream) if end is None or end > len(stream) else end or at + 3
            ends = [
                (claimed(stream, start) or 0, start) for start in range(at + 1, len(stream)) if is_whole(stream, start)
            ]
            if not ends:
                return Cut(payloads, garbled + (told < len(stream)), skipped + len(stream) - at)
            end, start = min(ends)
            skipped += start - at
        assert end
        payloads.append(stream[start + 3 : end - 2])
        at = end
    return Cut(payloads, garbled, skipped)


def cut_by(framer: Framer, chunks: list[bytes]) -> tuple[Cut, bytes]:
    """What the framer makes of the chunks and the silence behind them, and what it answers."""
    payloads, answers = [], b""
    for step in (*(lambda chunk=chunk: framer.feed(chunk) for chunk in chunks), framer.expire):
        payloads += step()
        answers += framer.outgoing()
    assert not framer.waiting
    return Cut(payloads, framer.garbled, framer.skipped), answers


SMALL = [bytes(MIN_PAYLOAD), bytes([STX]) * 40, TPDU + StxFramer().wrap(bytes([EOT]) * 22), b"\x02\x00\x21" * 9]
"""Payloads that look like frames, beginnings of frames and control bytes."""

frames = st.sampled_from(SMALL).map(lambda payload: StxFramer().wrap(payload))
places = st.integers(0, 10_000)
noise = st.lists(st.sampled_from([STX, STX, ETX, EOT, ACK, NAK, 0x00, 0x21, 0x22, 0x99, 0xFF]), max_size=12).map(bytes)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A frame of which a byte was flipped, lost, doubled or inserted, or the end cut off."""
    frame, place = draw(frames), draw(places)
    at = place % len(frame)
    instead = draw(st.sampled_from([b"", frame[at : at + 1] * 2, b"\x02" + frame[at : at + 1]]) | st.binary(max_size=2))
    return frame[:at] + instead + (frame[at + 1 :] if draw(st.booleans()) else b"")


streams = st.lists(frames | damaged() | noise, max_size=8).map(b"".join)


@settings(max_examples=300)
@given(stream=streams, cuts=st.lists(places, max_size=12))
def test_stx_what_comes_out_does_not_depend_on_how_the_bytes_are_cut(stream: bytes, cuts: list[int]) -> None:
    """A fault on a real line could not be found in its capture: played again it would give other messages."""
    whole, answers = cut_by(StxFramer(ack=False), [stream])
    assert whole == expected_cut(stream)
    assert answers == b""
    for chunks in (cut(stream, cuts), [bytes([byte]) for byte in stream]):
        assert cut_by(StxFramer(ack=False), chunks)[0] == whole
        assert cut_by(StxFramer(), chunks) == cut_by(StxFramer(), [stream])


@given(stream=streams)
def test_stx_every_byte_is_accounted_for(stream: bytes) -> None:
    """A line that loses bytes would look like a clean one in the host's log."""
    found, _ = cut_by(StxFramer(ack=False), [stream])
    controls = sum(map(stream.count, ONE.values()))
    of_frames = sum(len(payload) + 5 for payload in found.payloads)
    assert found.skipped + of_frames <= len(stream) <= found.skipped + of_frames + controls


LONGEST = StxFramer().wrap(TPDU + b"\x02\x81\x92\x03" * 2046 + b"\x02\x81\x92")
"""Its payload claims a longest frame at every fourth byte."""


@pytest.mark.parametrize("size", [61, 4000, 20_000, 100_000])
@pytest.mark.parametrize("gap", [0, 10_000, 20_011, 50_007])
def test_stx_a_long_search_forgets_no_frame_that_may_yet_end(gap: int, size: int) -> None:
    """A line that came back after minutes of noise would lose its first message."""
    noise = (b"\x02\x81\x92" + bytes([0x55]) * 97) * (gap // 100)
    stream = b"\x02\xff\xff" + noise + LONGEST + StxFramer().wrap(SALE) + LONGEST
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    found, _ = cut_by(StxFramer(ack=False), chunks)
    assert found == expected_cut(stream)
    assert len(found.payloads) == 3


def payload_of_xor(wanted: int, *, size: int = MIN_PAYLOAD) -> bytes:
    """A payload whose frame has the LRC ``wanted``."""
    payload = b"\x55" * (size - 1)
    return payload + bytes([lrc(bytes.fromhex(f"{size:04d}") + payload + bytes([ETX])) ^ wanted])


INNER = payload_of_xor(ETX)
INNER_FRAME = StxFramer().wrap(INNER)
ENDS_NEXT = StxFramer().wrap(bytes(8) + b"\x02" + INNER_FRAME[:-1])
ENDS_TOO = bytes(9) + bytes([lrc(bytes.fromhex("0034") + b"\x02")]) + INNER_FRAME[:-2]
CROSSED = StxFramer().wrap(bytes(30) + b"\x02\x00\x60")
ACROSS = CROSSED + StxFramer().wrap(CROSSED[-2:] + bytes(58))[5:]


@pytest.mark.parametrize(
    ("stream", "taken"),
    [
        (StxFramer().wrap(bytes(9) + INNER_FRAME + bytes(9)), INNER),
        (b"\x02" + INNER_FRAME, INNER),
        (ENDS_NEXT, INNER),
        (StxFramer().wrap(ENDS_TOO), ENDS_TOO),
        (ACROSS, CROSSED[3:-2]),
    ],
    ids=[
        "one inside another",
        "one behind an STX",
        "one ends a byte earlier",
        "two end together",
        "one across another",
    ],
)
@pytest.mark.parametrize("damage", [b"\x02\xff\xff", b"\x02\x81\x92", b"\x02"])
def test_stx_after_damage_the_frame_that_ends_first_is_taken(damage: bytes, stream: bytes, taken: bytes) -> None:
    """What comes out of a disturbed line would depend on how far the host had read."""
    data = damage + stream
    assert expected_cut(data).payloads[0] == taken
    for size in (1, 7, len(data)):
        found, _ = cut_by(StxFramer(ack=False), [data[at : at + size] for at in range(0, len(data), size)])
        assert found == expected_cut(data)


def test_stx_noise_that_holds_no_frame_is_refused_when_it_ends() -> None:
    """A peer that sent in vain while the line was disturbed would not be asked to send again."""
    noise = b"\x02\xff\xff" + (b"\x02\x81\x92" + bytes([0x55]) * 97) * 600
    framer = StxFramer()
    assert framer.feed(noise[:40_000]) == framer.feed(noise[40_000:]) == framer.expire() == []
    assert Cut([], framer.garbled, framer.skipped) == expected_cut(noise) == Cut([], 2, len(noise))


HOSTILE = {
    "STX": b"\x02",
    "the longest frames": b"\x02\x81\x92\x03",
    "the shortest frames": b"\x02\x00\x21\x03",
    "damage and frame": b"\x02\xff" + StxFramer().wrap(bytes(MIN_PAYLOAD)),
}


@pytest.mark.parametrize(("size", "total"), [(1, 20_000), (64, 100_000), (1_000_000, 1_000_000)])
@pytest.mark.parametrize("name", HOSTILE)
def test_stx_a_hostile_stream_costs_a_look_at_each_byte(
    name: str, size: int, total: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger who sends a megabyte of STX (B14) would stop the host for everybody, or fill its memory."""
    looks = 0

    def counted(data: bytearray, at: int) -> int:
        nonlocal looks
        looks += 1
        return claimed_end(data, at)

    claimed_end = hunt_file.claimed_end
    monkeypatch.setattr(hunt_file, "claimed_end", counted)
    stream = b"\x02\xff\xff" + HOSTILE[name] * (total // len(HOSTILE[name]))
    framer = StxFramer()
    for start in range(0, len(stream), size):
        framer.feed(stream[start : start + size])
        framer.outgoing()
        assert len(framer._buffer) <= 2 * (MAX_PAYLOAD + 5)
        assert framer._hunt is None or len(framer._hunt._xor) <= len(framer._buffer) + 1
    framer.expire()
    assert not framer.waiting
    assert looks <= len(stream)


def test_stx_repeats_until_it_may_not() -> None:
    """A disturbed line would lose the reply to an approved sale, or repeat it without end."""
    framer = StxFramer()
    frame = framer.wrap(SALE)
    for _ in range(LINE_TIMERS.retransmissions):
        assert framer.feed(ONE["nak"]) == []
        assert framer.outgoing() == frame
    with pytest.raises(FrameError, match="refused a frame 4 times") as caught:
        framer.feed(ONE["nak"])
    assert caught.value.code == UNANSWERED
    assert framer.outgoing() == ONE["eot"]
    assert framer.timer is None
    assert framer.feed(StxFramer().wrap(ECHO)) == [ECHO]


@pytest.mark.parametrize("retransmissions", [0, 1, 3])
def test_stx_repeats_what_nobody_answers(retransmissions: int) -> None:
    """A request that got lost on the line would cost the customer a minute and the shop a reversal."""
    framer = StxFramer(timers=Timers(retransmissions=retransmissions))
    frame = framer.wrap(SALE)
    for number in range(1, retransmissions + 1):
        assert framer.timer == Timer(Wait.ANSWER, 3.0, number)
        assert framer.expire() == []
        assert framer.outgoing() == frame
    with pytest.raises(FrameError, match=f"no ACK for {retransmissions + 1} sendings") as caught:
        framer.expire()
    assert caught.value.code == UNANSWERED
    assert "ack=no" in caught.value.hint
    assert framer.outgoing() == ONE["eot"]
    assert framer.timer is None
    assert framer.expire() == []
    framer.wrap(SALE)
    assert framer.timer == Timer(Wait.ANSWER, 3.0, retransmissions + 2)


def test_stx_each_frame_has_its_own_repetitions() -> None:
    """A line with a disturbance now and then would be taken for dead."""
    framer = StxFramer()
    for payload in (SALE, ECHO):
        frame = framer.wrap(payload)
        assert framer.feed(frame) == []
        for _ in range(LINE_TIMERS.retransmissions):
            assert framer.expire() == []
            assert framer.outgoing() == frame
        assert framer.feed(ONE["ack"]) == []
    framer.wrap(SALE)
    for _ in range(LINE_TIMERS.retransmissions):
        framer.expire()
    with pytest.raises(FrameError) as caught:
        framer.expire()
    assert "loopback" not in caught.value.hint


def test_stx_timers_are_values() -> None:
    """A line could not know whether the wait that it keeps is still the one that the framing means."""
    framer = StxFramer(timers=Timers(ack_timeout_s=2.0, between_bytes_s=0.5, byte_s=0.01))
    assert framer.timer is None
    frame = framer.wrap(SALE)
    answer = Timer(Wait.ANSWER, 2.0 + 0.01 * len(frame), 1)
    assert framer.timer == answer
    framer.feed(b"\x00")
    assert framer.timer == answer
    reply = StxFramer().wrap(ECHO)
    framer.feed(reply[:10])
    assert framer.timer == Timer(Wait.FRAME, 0.5, 2)
    framer.feed(b"")
    assert framer.timer == Timer(Wait.FRAME, 0.5, 2)
    framer.feed(reply[10:20])
    assert framer.timer == Timer(Wait.FRAME, 0.5, 3)
    framer.expire()
    assert framer.timer == answer
    framer.feed(reply)
    assert framer.timer is None


@each_framing
def test_half_a_frame_has_its_time_from_the_first_byte_where_none_get_lost(framing: str) -> None:
    """Somebody who drips a byte a second would hold a connection of the host for hours."""
    framer = FRAMINGS[framing](timers=Timers(between_bytes_s=None, frame_s=9.0))
    frame = FRAMINGS[framing]().wrap(SALE)
    assert framer.timer is None
    for byte in frame[:-1]:
        framer.feed(bytes([byte]))
        assert framer.timer == Timer(Wait.FRAME, 9.0, 0)
    framer.feed(frame[-1:] + frame[:5])
    assert framer.timer == Timer(Wait.FRAME, 9.0, 1)


@each_framing
def test_half_a_frame_has_its_time_from_the_last_byte_on_a_serial_line(framing: str) -> None:
    """A frame that lost a byte would wait for the next one and swallow its first byte."""
    framer = FRAMINGS[framing]()
    for number, byte in enumerate(FRAMINGS[framing]().wrap(SALE)[:-1], start=1):
        framer.feed(bytes([byte]))
        assert framer.timer == Timer(Wait.FRAME, 1.0, number)


def test_stx_without_acknowledgement_waits_for_no_answer() -> None:
    """A peer that has no ACK would get every frame four times."""
    framer = StxFramer(ack=False)
    framer.wrap(SALE)
    assert framer.timer is None
    assert framer.feed(ONE["nak"] + ONE["ack"] + ONE["eot"]) == framer.expire() == []
    assert framer.outgoing() == b""
    assert framer.skipped == 0
    frame = StxFramer().wrap(ECHO)
    assert framer.feed(frame + frame) == [ECHO, ECHO]


@pytest.mark.parametrize("answer", [ONE["ack"], ONE["eot"], StxFramer().wrap(ECHO)], ids=["ACK", "EOT", "reply"])
def test_stx_forgets_a_frame_that_has_been_answered(answer: bytes) -> None:
    """Noise that looks like NAK would send yesterday's reply again, or a peer without ACK get each request twice."""
    framer = StxFramer()
    framer.wrap(SALE)
    framer.feed(answer)
    framer.outgoing()
    assert framer.timer is None
    framer.feed(ONE["nak"])
    assert framer.outgoing() == b""


def test_stx_a_repetition_is_no_answer() -> None:
    """A request that crossed with the peer's repetition of its last reply would be given up as delivered."""
    framer = StxFramer()
    reply = StxFramer().wrap(ECHO)
    assert framer.feed(reply) == [ECHO]
    framer.wrap(SALE)
    timer = framer.timer
    assert framer.feed(reply) == [ECHO]
    assert framer.timer == timer
    assert framer.feed(ONE["ack"]) == []
    assert framer.timer is None


def test_stx_delivers_what_came_with_the_last_refusal() -> None:
    """A request would be lost because our previous reply failed."""
    framer = StxFramer()
    framer.wrap(SALE)
    assert framer.feed(ONE["nak"] * 4 + StxFramer().wrap(ECHO)) == [ECHO]
    assert framer.waiting
    with pytest.raises(FrameError):
        framer.expire()
    assert not framer.waiting


def test_stx_hears_who_gives_up_inside_a_frame_after_the_silence() -> None:
    """The end of an exchange would be taken for a byte of the next frame."""
    frame = StxFramer().wrap(SALE)
    framer = StxFramer()
    assert framer.feed(frame) == [SALE]
    assert framer.feed(frame[:50] + ONE["eot"]) == []
    assert framer.expire() == []
    assert framer.feed(frame) == []
    assert framer.feed(frame[:50]) == framer.expire() == framer.feed(ONE["eot"]) == []
    assert framer.feed(frame) == [SALE]


@pytest.mark.parametrize("ack", [True, False])
def test_stx_its_own_frame_that_comes_back_is_no_message(ack: bool) -> None:
    """A cable in loopback would make the terminal answer itself (U14)."""
    framer = StxFramer(ack=ack)
    frame = framer.wrap(SALE)
    assert framer.feed(frame) == framer.feed(frame) == []
    assert framer.outgoing() == b""
    assert (framer.timer is not None) is ack
    assert framer.feed(StxFramer().wrap(ECHO)) == [ECHO]
    assert framer.feed(frame) == [SALE]


def test_stx_tells_of_a_line_in_loopback() -> None:
    """An engineer would look for the fault in the host while the test plug is still in the port."""
    framer = StxFramer()
    framer.feed(framer.wrap(SALE))
    for _ in range(LINE_TIMERS.retransmissions):
        framer.expire()
        framer.feed(framer.outgoing())
    with pytest.raises(FrameError) as caught:
        framer.expire()
    assert "loopback" in caught.value.hint


def test_stx_drops_the_repetition_after_a_lost_ack() -> None:
    """A lost ACK would show the host one sale twice (U08)."""
    frame = StxFramer().wrap(SALE)
    framer = StxFramer()
    assert framer.feed(frame) == [SALE]
    for _ in range(LINE_TIMERS.retransmissions):
        assert framer.feed(frame) == []
    assert framer.outgoing() == ONE["ack"] * 4


@pytest.mark.parametrize(
    "between",
    [
        lambda framer: framer.wrap(ECHO),
        lambda framer: framer.feed(ONE["eot"]),
        lambda framer: framer.feed(StxFramer().wrap(ECHO)),
        lambda framer: [framer.feed(StxFramer().wrap(SALE)) for _ in range(LINE_TIMERS.retransmissions)],
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


@pytest.mark.parametrize(
    ("stream", "hint"),
    [(b"GET / HTTP/1.1", "HTTP"), (bytes.fromhex("003C6000030000"), "framing"), (b"\x00\x3c\x60", "")],
)
def test_an_stx_line_says_what_other_bytes_look_like(stream: bytes, hint: str) -> None:
    """An engineer who set another framing at the till would only read of noise."""
    framer = StxFramer()
    framer.feed(stream)
    assert hint in framer.hint
    assert bool(framer.hint) is bool(hint)
