"""The merchant's own pause, as the host keeps it: one hold beside all others, under a MAC only."""

from __future__ import annotations

from itertools import count

import pytest

from protocol.fields import F
from protocol.private import pack_tags
from tests.host.wire import DEBIT, Wire


def told(wire: Wire, said: bytes, **options: object) -> str:
    """The reason for which the host does not take it; empty where it does."""
    return wire.reason(wire.management("pause", pack_tags([("PA", said)]), **options))


def test_a_pause_holds_and_a_resume_releases(active: Wire) -> None:
    """The shop is closed, and its stolen terminal sells; or it is open, and the host refuses."""
    assert told(active, b"1") == ""
    assert active.reason(active.sale(100)) == "hold.merchant"
    assert active.code(active.management("echo")) == "00"
    assert told(active, b"0") == ""
    active.sell(100)
    [row] = active.lab.rows("holds")
    assert (row["reason"], row["actor"], row["released_by"]) == ("merchant", "device", "device")
    acts = [(row["actor"], row["act"], row["detail"]) for row in active.lab.rows("audit")]
    assert acts[-2:] == [("device", "hold", "merchant"), ("device", "release", "merchant")]


def test_what_is_told_twice_counts_once(active: Wire) -> None:
    """A lost reply would leave two holds, of which one is never lifted."""
    for said in (b"0", b"1", b"1"):
        assert told(active, said) == ""
    assert active.lab.act("show", serial_number=active.serial_number)["holds"] == ["merchant"]
    for said in (b"0", b"0"):
        assert told(active, said) == ""
    active.sell(100)
    assert len(active.lab.rows("holds")) == 1


def test_a_pause_that_comes_again_behind_its_resume_changes_nothing(active: Wire) -> None:
    """Whoever recorded a pause could close the shop again and again, and the terminal would believe that it is open."""
    pause = active.management("pause", pack_tags([("PA", b"1")]))
    first = active.send(pause)
    assert told(active, b"0") == ""
    again = active.send(pause)
    assert again.text(F.STAN) == first.text(F.STAN)
    assert active.lab.act("show", serial_number=active.serial_number)["holds"] == []
    active.sell(100)


def said(wire: Wire, on: bytes) -> bytes:
    """A word on a pause that has left the terminal and not arrived yet."""
    return wire.management("pause", pack_tags([("PA", on)]))


def holds(wire: Wire) -> list[str]:
    """The reasons of what stands now."""
    return list(wire.lab.act("show", serial_number=wire.serial_number)["holds"])


@pytest.mark.parametrize(("first", "last"), [(b"1", b"0"), (b"0", b"1")], ids=["pause", "resume"])
@pytest.mark.parametrize("is_settled", [False, True], ids=["same batch", "next batch"])
def test_a_word_that_a_line_held_back_changes_nothing(
    active: Wire, first: bytes, last: bytes, *, is_settled: bool
) -> None:
    """A shop that has resumed would be closed by its own pause, which a line held back for a minute."""
    held_back = said(active, first)
    if is_settled:
        active.sell(100)
        active.settle()
    assert told(active, last) == ""
    before = holds(active)
    assert active.reason(held_back) == "pause.superseded"
    assert holds(active) == before == (["merchant"] if last == b"1" else [])
    assert told(active, first) == "", "what is said anew counts"


def test_a_memory_that_was_lost_counts_from_one_in_the_next_batch(active: Wire) -> None:
    """A device with a new memory could not resume any more: its numbers are below those of the one before."""
    assert told(active, b"1") == ""
    active.settle()
    active.numbers = count(1)
    assert told(active, b"0") == ""
    active.sell(100)


@pytest.mark.parametrize("is_off", [False, True])
def test_a_memory_that_was_lost_counts_from_one_in_the_same_batch(active: Wire, is_off: bool) -> None:
    """A shop whose device was repaired would stay closed until it had counted past the numbers that it lost."""
    active.numbers = count(400)
    assert told(active, b"1") == ""
    if is_off:
        assert active.code(active.management("sign_off")) == "00"
    active.numbers = count(1)
    active.sign_on()
    assert told(active, b"0") == ""
    assert holds(active) == []


def test_what_was_held_back_over_a_sign_on_counts_no_more(active: Wire) -> None:
    """A pause of before the sign-on would close the shop that has resumed since."""
    held_back = said(active, b"1")
    assert told(active, b"0") == ""
    active.sign_on()
    assert active.reason(held_back) == "pause.superseded", "its keys serve still"
    active.sell(100)
    assert active.reason(held_back) == "message.mac"
    assert holds(active) == []


def test_words_follow_each_other_over_the_last_number(active: Wire) -> None:
    """A shop would stay closed for ever once its terminal has counted to 999999."""
    active.numbers = count(999_998)
    assert told(active, b"1") == ""
    held_back = said(active, b"1")
    active.numbers = count(1)
    assert told(active, b"0") == ""
    assert active.reason(held_back) == "pause.superseded"
    assert holds(active) == []


def test_a_merchant_lifts_no_other_hold(active: Wire) -> None:
    """A merchant suspected of fraud would press resume (U10)."""
    active.lab.act("hold", serial_number=active.serial_number, reason="fraud")
    assert told(active, b"1") == ""
    assert told(active, b"0") == ""
    assert active.reason(active.sale(100)) == "hold.fraud"


def test_the_acquirer_may_lift_it(active: Wire) -> None:
    """A broken device would close the shop for ever."""
    told(active, b"1")
    active.lab.act("release", serial_number=active.serial_number, reason="merchant")
    active.sell(100)
    active.lab.act("hold", serial_number=active.serial_number, reason="merchant")
    assert told(active, b"0") == ""
    active.sell(100)


@pytest.mark.parametrize("said", [b"", b"2", b"11", "１".encode("gb18030")])
def test_a_pause_that_says_nothing(active: Wire, said: bytes) -> None:
    """A garbled message would close the shop, or open it."""
    assert told(active, said) == "message.malformed"
    assert active.lab.rows("holds") == []


def test_a_pause_needs_its_mac(active: Wire) -> None:
    """Anybody on the line could close every shop of the town."""
    assert told(active, b"1", mac=False) == "message.malformed"
    active.keys = None
    assert told(active, b"1") == "message.mac"
    assert active.lab.rows("holds") == []


def test_a_stopped_terminal_may_still_pause(active: Wire) -> None:
    """A terminal would go on asking, for it drains without being heard."""
    active.lab.act("stop", serial_number=active.serial_number)
    assert told(active, b"1") == ""
    assert active.reason(active.sale(100, DEBIT)) == "terminal.stopped"
