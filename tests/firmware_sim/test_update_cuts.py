"""The plug is pulled everywhere in an update: a verified image boots, and no counter goes back (A11, F1, F3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from firmware_sim.boot import Outcome
from firmware_sim.chip import SECTOR_BYTES, Chip
from firmware_sim.errors import UpdateRefused
from firmware_sim.power import Phase, PowerLost, cuts, kind_of
from protocol.crypto import signing
from protocol.image import parse_version
from tests.firmware_sim.program_memory import Memory, make_image, stage

IMAGES = {
    version: make_image(version, security_counter=parse_version(version)[1], payload=version.encode() * 40)
    for version in ("2.1.0", "2.2.0", "2.3.0")
}
ERASED_BYTES_STEP = 256
RESTARTS_MAX = 12


@pytest.fixture(autouse=True)
def _quick_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same signature over the same bytes is checked once: thousands of boots look at three images."""
    monkeypatch.setattr(signing, "verify", cache(signing.verify))


def step(memory: Memory, *versions: str) -> bool:
    """Do what an application does at a start on its way to the last of ``versions``; whether it is there."""
    update = memory.restart()
    if update.on_trial:
        update.confirm()
    for version in versions:
        if parse_version(version) > parse_version(memory.running.version):
            stage(update, IMAGES[version])
            return False
    return True


def walk(memory: Memory, *versions: str) -> None:
    """Go all the way."""
    for _ in range(RESTARTS_MAX):
        if step(memory, *versions):
            memory.power.cut()
            return
    raise AssertionError(f"{memory.running.version} is as far as it gets")


def revert(memory: Memory, *versions: str) -> None:
    """Stage an image that crashes at each of its three boots, then go all the way with it."""
    stage(memory.restart(), IMAGES[versions[0]])
    while memory.restart().on_trial:
        pass
    walk(memory, *versions)


class Watch:
    """What held so far, to be compared at every look."""

    def __init__(self) -> None:
        self.counter = 0

    def look(self, memory: Memory) -> None:
        """The device boots, what runs was confirmed or is on trial, and the counter never fell."""
        update = memory.restart()
        record, running = memory.flash.record, memory.running
        assert running.version in IMAGES
        assert record.security_counter >= self.counter
        assert running.manifest.security_counter >= record.security_counter
        assert update.on_trial is (running.outcome is Outcome.TEST)
        self.counter = record.security_counter


def fresh() -> Memory:
    return Memory(IMAGES["2.1.0"])


def survive(memory: Memory, use: Callable[[], None], *versions: str) -> None:
    """Cut where it was planned, look, and get through all the same."""
    watch = Watch()
    with pytest.raises(PowerLost):
        use()
    watch.look(memory)
    walk(memory, *versions)
    watch.look(memory)
    assert memory.running.version == versions[-1]


def lengths(use: Callable[[Memory], None], monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[int]]:
    """The points of a dry run, and how many bytes each ``program`` among them is long."""
    sizes: list[int] = []
    program = Chip.program

    def measured(chip: Chip, offset: int, data: bytes) -> bool:
        sizes.append(len(data))
        return program(chip, offset, data)

    memory = fresh()
    with monkeypatch.context() as patch, memory.power.watched() as points:
        patch.setattr(Chip, "program", measured)
        use(memory)
    return points, sizes


def bytes_of(points: list[str], sizes: list[int]) -> Iterator[tuple[int, int]]:
    """Every place in every page that is programmed and, by steps, in every sector that is erased."""
    programmed = iter(sizes)
    for number, point in enumerate(points, 1):
        if kind_of(point) == "program":
            yield from ((number, torn) for torn in range(next(programmed) + 1))
        elif kind_of(point) == "erase":
            yield from ((number, torn) for torn in range(0, SECTOR_BYTES + 1, ERASED_BYTES_STEP))


def test_a_cut_at_every_byte_of_two_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug pulled during an update would brick the terminal: at any byte of the image, or of the record of slots."""
    versions = ("2.2.0", "2.3.0")
    points, sizes = lengths(lambda memory: walk(memory, *versions), monkeypatch)
    places = list(bytes_of(points, sizes))
    assert {kind_of(point) for point in points} >= {"program", "erase", "barrier"}
    assert len(places) > sum(len(image) for image in IMAGES.values())
    for number, torn_bytes in places:
        memory = fresh()
        memory.power.cut_at(number, Phase.TORN, torn_bytes=torn_bytes)
        watch = Watch()
        with pytest.raises(PowerLost):
            walk(memory, *versions)
        for _ in range(2):
            watch.look(memory)


@pytest.mark.parametrize("use", [walk, revert], ids=["confirmed", "reverted"])
@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_an_update_gets_through_after_a_cut_at_any_operation(use: Callable[..., None], lost: int) -> None:
    """After the cut the terminal would never be up to date again, whatever of the last writes the flash forgot."""
    versions = ("2.2.0", "2.3.0")
    dry = fresh()
    with dry.power.watched() as points:
        use(dry, *versions)
    for number, phase in cuts(points):
        memory = fresh()
        memory.power.cut_at(number, phase, lost=lost)
        survive(memory, lambda memory=memory: use(memory, *versions), *versions)  # type: ignore[misc]


def test_two_cuts_at_any_two_operations() -> None:
    """The merchant pulls the plug again while the device recovers from the first time."""
    dry = fresh()
    with dry.power.watched() as points:
        walk(dry, "2.2.0")
    pairs = 0
    for number, phase in cuts(points):
        again, more = 1, True
        while more:
            memory = fresh()
            memory.power.cut_at(number, phase)
            with pytest.raises(PowerLost):
                walk(memory, "2.2.0")
            memory.power.cut_at(again, Phase.TORN if again % 2 else Phase.AFTER)
            try:
                walk(memory, "2.2.0")
            except PowerLost:
                pairs += 1
            more = not memory.power.spare()
            Watch().look(memory)
            walk(memory, "2.2.0")
            again += 1
    assert pairs > len(points) ** 2 / 4


def test_a_download_is_refused_by_nothing_that_a_cut_left() -> None:
    """A cut would be told to the host as an attack."""
    dry = fresh()
    with dry.power.watched() as points:
        walk(dry, "2.2.0", "2.3.0")
    for number, phase in cuts(points):
        memory = fresh()
        memory.power.cut_at(number, phase)
        with pytest.raises(PowerLost):
            walk(memory, "2.2.0", "2.3.0")
        try:
            walk(memory, "2.2.0", "2.3.0")
        except UpdateRefused as refused:
            raise AssertionError((number, phase, refused.code)) from refused
        memory.power_on()
        assert memory.flash.record.refused == {}
