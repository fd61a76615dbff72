"""A log that strangers cannot flood, and from which nothing is lost."""

from __future__ import annotations

from host.sparing import QUIET_S, Sparing


def test_the_first_is_told_at_once_and_the_others_are_counted() -> None:
    """A noisy line would fill the disk with its log, or nobody would learn how often it was."""
    told: list[str] = []
    now_s = [100.0]
    sparing = Sparing(told.append, lambda: now_s[0])
    for number in range(5):
        sparing.tell(f"line {number}")
    assert told == ["line 0"]
    now_s[0] += QUIET_S
    sparing.tell("line 5")
    assert told == ["line 0", "line 5, and 4 like it before"]
    sparing.end()
    assert len(told) == 2
    sparing.tell("line 6")
    sparing.tell("line 7")
    sparing.end()
    sparing.end()
    assert told[2:] == ["line 7, and 1 like it before"]
    sparing.tell("line 8")
    sparing.end()
    assert told[3:] == ["line 8"]
