"""Framers with a length before every payload: what they believe, when they stop believing, and what they count."""

from __future__ import annotations

import pytest

from protocol.codec import seal
from protocol.errors import FrameError
from protocol.framing import FRAMINGS, MAX_PAYLOAD, Framer, Timers, Wait
from tests.protocol.samples import ECHO, SALE

each_framing = pytest.mark.parametrize("framing", sorted(FRAMINGS))
PAYLOAD = seal(SALE)
TPDU = PAYLOAD[:5]


def begun(framing: str) -> Framer:
    """A framer that has delivered one message."""
    framer = FRAMINGS[framing]()
    assert framer.feed(FRAMINGS[framing]().wrap(PAYLOAD)) == [PAYLOAD]
    return framer


@each_framing
@pytest.mark.parametrize("last", [1, 2, 3])
def test_the_largest_message_may_come_in_pieces(framing: str, last: int) -> None:
    """The largest batch upload would be lost on a line that splits it before its last byte."""
    payload = TPDU + bytes(MAX_PAYLOAD - len(TPDU))
    frame = FRAMINGS[framing]().wrap(payload)
    framer = FRAMINGS[framing]()
    assert framer.feed(frame[:-last]) == []
    assert framer.feed(frame[-last:]) == [payload]


@pytest.mark.parametrize(
    ("framing", "length"), [("len2", b"\xff\xff"), ("len2", b"\0\0"), ("ascii4", b"0000"), ("bcd2", b"\x99\x99")]
)
def test_a_length_that_is_none_is_refused_as_soon_as_it_is_there(framing: str, length: bytes) -> None:
    """A stranger who sends a length and nothing more would hold a connection until its timeout."""
    framer = FRAMINGS[framing]()
    assert framer.feed(length[:-1]) == []
    with pytest.raises(FrameError):
        framer.feed(length[-1:])


@pytest.mark.parametrize("length", [1603, 3030, 3939, 4745, 5055, 5353, 5452, 6000])
def test_a_length_is_judged_when_a_tpdu_could_have_been_seen(length: int) -> None:
    """A batch upload of 4745 bytes would be mistaken for an HTTP request whenever its length comes alone."""
    payload = TPDU + bytes(length - len(TPDU))
    frame = FRAMINGS["bcd2"]().wrap(payload)
    framer = FRAMINGS["bcd2"]()
    assert framer.feed(frame[:2]) == framer.feed(frame[2:3]) == []
    assert framer.feed(frame[3:]) == [payload]


@pytest.mark.parametrize(("framing", "length"), [("len2", 0x1603), ("bcd2", 1603)])
def test_a_stream_that_has_begun_well_is_believed(framing: str, length: int) -> None:
    """One message without a TPDU would cut off all that come behind it, instead of being refused alone."""
    frame = FRAMINGS[framing]().wrap(bytes(length))
    with pytest.raises(FrameError):
        FRAMINGS[framing]().feed(frame)
    assert begun(framing).feed(frame) == [bytes(length)]
    framer = begun(framing)
    assert [framer.feed(frame[at : at + 1]) for at in range(5)] == [[]] * 5
    assert framer.feed(frame[5:]) == [bytes(length)]


@pytest.mark.parametrize("framing", ["ascii4", "bcd2"])
def test_a_binary_length_may_hold_a_line_end(framing: str) -> None:
    """The engineer would not be told of the other framing where the length happens to be 10 or 266."""
    with pytest.raises(FrameError) as caught:
        FRAMINGS[framing]().feed(b"\x01\x0a" + PAYLOAD)
    assert "framing=len2" in caught.value.hint


@each_framing
def test_each_frame_has_its_own_time(framing: str) -> None:
    """A terminal that sends one message after another without a pause would be cut off in the middle of one."""
    framer = FRAMINGS[framing](timers=Timers(between_bytes_s=None, frame_s=9.0))
    frames = [FRAMINGS[framing]().wrap(seal(ECHO.with_fields({11: f"{stan:06d}"}))) for stan in range(4)]
    stream, size, waits = b"".join(frames), len(frames[0]), []
    for end in range(size // 2, len(stream), size):
        framer.feed(stream[max(end - size, 0) : end])
        waits.append(framer.timer)
    assert len(set(waits)) == len(waits) == len(frames)
    assert {(wait.wait, wait.timeout_s) for wait in waits if wait} == {(Wait.FRAME, 9.0)}


@each_framing
def test_good_frames_count_as_no_damage(framing: str) -> None:
    """The engineer would look for a fault of a line that has none."""
    fresh, used = FRAMINGS[framing](), begun(framing)
    assert (fresh.garbled, fresh.skipped, used.garbled, used.skipped) == (0, 0, 0, 0)
