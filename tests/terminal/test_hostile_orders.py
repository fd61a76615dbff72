"""Forged, replayed, expired, foreign and downgraded commands and images: refused, counted, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from firmware_sim.admission import FORWARD_MAX
from firmware_sim.chips import SIZES
from firmware_sim.flash import Flash
from protocol.command import COMMAND_KINDS, DOCUMENT_BYTES_MAX, RemoteCommand, sign_command
from protocol.crypto import signing
from protocol.image import build_image
from terminal.book import Book
from tests.terminal.bench import SERIAL_NUMBER, VENDOR_KEY, Bench, make_image
from tests.terminal.fake_host import SIGNING_KEY
from tests.terminal.test_firmware import IMAGE, offer

GONE_BY: Final = 1_000
FAR: Final = 4_000_000_000
LAST_COUNTER: Final = 3
SAMPLES: Final = ("x", "2.2.0", "5", "ab" * 32, "2026-06-01", SERIAL_NUMBER)
"""One of these suits every field of every body."""


def command(bench: Bench, kind: str, *, key: bytes = SIGNING_KEY, **changes: Any) -> bytes:
    """A document that is good but for ``changes``, and signed by ``key``."""
    body = {name: next(text for text in SAMPLES if form.admits(text)) for name, form in COMMAND_KINDS[kind].items()}
    good = RemoteCommand(kind, SERIAL_NUMBER, LAST_COUNTER + 1, 1, FAR, body)
    return sign_command(replace(good, **changes), key)


def flipped(document: bytes, at: int) -> bytes:
    """One bit of it is another."""
    changed = bytearray(document)
    changed[at] ^= 1
    return bytes(changed)


@dataclass(frozen=True)
class Attack:
    """A row of ATTACKS: the document that comes instead of a good one, and the code of its refusal."""

    make: Callable[[Bench, str], bytes]
    code: str


ATTACKS: Final[dict[str, Attack]] = {
    "signed by somebody else": Attack(lambda bench, kind: command(bench, kind, key=b"F" * 32), "signature"),
    "signed by the maker of the firmware": Attack(
        lambda bench, kind: command(bench, kind, key=VENDOR_KEY), "signature"
    ),
    "with another body": Attack(lambda bench, kind: flipped(command(bench, kind), 10), "signature"),
    "with another signature": Attack(lambda bench, kind: flipped(command(bench, kind), -1), "signature"),
    "without a signature": Attack(lambda bench, kind: command(bench, kind)[: -signing.SIGNATURE_BYTES], "signature"),
    "nothing but a signature": Attack(
        lambda bench, kind: command(bench, kind)[-signing.SIGNATURE_BYTES :], "malformed"
    ),
    "endless": Attack(lambda bench, kind: command(bench, kind).ljust(DOCUMENT_BYTES_MAX + 1), "malformed"),
    "signed, but no command": Attack(lambda bench, kind: b"{}" + signing.sign(SIGNING_KEY, b"{}"), "malformed"),
    "foreign": Attack(lambda bench, kind: command(bench, kind, serial_number="SOMEBODY"), "other_device"),
    "expired": Attack(lambda bench, kind: command(bench, kind, expires_at=GONE_BY), "expired"),
    "expired this second": Attack(
        lambda bench, kind: command(bench, kind, expires_at=bench.terminal.session.now_s), "expired"
    ),
}


def noticed(bench: Bench, flow: str) -> int:
    """How often the audit trail has a refusal."""
    return sum(event.what == f"{flow} refused" for event in bench.terminal.book.events)


def flash(bench: Bench) -> Flash:
    """The program memory of this power epoch."""
    return bench.terminal.board.update._flash


def images(bench: Bench, *names: str) -> dict[str, bytes]:
    """What is on these chips."""
    return {name: getattr(bench.hardware.chips, name).image for name in names}


def without_trail(book: Book) -> Book:
    """All but what is noted."""
    return replace(book, events=())


async def had_commands(bench: Bench) -> None:
    """Some good commands came before."""
    assert (await bench.do("sign_in")).is_good
    for counter in range(1, LAST_COUNTER + 1):
        bench.host.commands[counter] = command(bench, "diagnose", counter=counter)
    assert (await bench.do("commands")).is_good
    assert bench.terminal.book.counter == LAST_COUNTER


@pytest.mark.parametrize("kind", COMMAND_KINDS)
@pytest.mark.parametrize("name", ATTACKS)
async def test_a_hostile_command_changes_nothing(bench: Bench, name: str, kind: str) -> None:
    """Whoever writes on the line could stop the shop, or make it install his program (C1 to C3, A01, A02)."""
    await had_commands(bench)
    book, before = bench.terminal.book, images(bench, *(chip for chip in SIZES if chip != "journal"))
    records, acknowledged = bench.terminal.board.nvram.records(), len(bench.host.asked("command_ack"))
    told = len(bench.terminal.told)
    bench.host.commands[LAST_COUNTER + 1] = ATTACKS[name].make(bench, kind)
    outcome = await bench.do("commands")
    assert (outcome.result, outcome.reason) == ("refused", f"command.{ATTACKS[name].code}")
    assert "forged notice refused" in outcome.text_en
    assert bench.terminal.told[told:] == [outcome]
    for _ in range(2):
        terminal = bench.terminal
        assert without_trail(terminal.book) == without_trail(book)
        assert noticed(bench, "command") == 1
        assert terminal.board.nvram.records()[: len(records)] == records
        assert len(terminal.board.nvram.records()) == len(records) + 1
        assert images(bench, *before) == before
        assert not terminal.reboot_due
        bench.restart()
    assert len(bench.host.asked("command_ack")) == acknowledged
    bench.host.commands[LAST_COUNTER + 1] = command(bench, "diagnose")
    assert (await bench.do("commands")).is_good
    assert bench.terminal.book.counter == LAST_COUNTER + 1


@pytest.mark.parametrize("kind", COMMAND_KINDS)
@pytest.mark.parametrize("counter", [1, LAST_COUNTER])
async def test_a_command_that_was_here_is_told_of_and_not_carried_out(bench: Bench, counter: int, kind: str) -> None:
    """An order would be carried out twice; or one whose end the host never heard of keep all others from the shop."""
    await had_commands(bench)
    book, before = bench.terminal.book, images(bench, *(chip for chip in SIZES if chip != "journal"))
    bench.host.acknowledged.clear()
    bench.host.commands[counter] = command(bench, kind, counter=counter)
    assert (await bench.do("commands")).detail == {"count": "0"}
    assert bench.host.acknowledged == {counter: "command.replayed"}
    assert (images(bench, *before), without_trail(bench.terminal.book)) == (before, without_trail(book))
    assert [(event.what, event.detail) for event in bench.terminal.book.events[-1:]] == [
        ("command again", str(counter))
    ]
    bench.host.commands[LAST_COUNTER + 1] = command(bench, "diagnose")
    assert (await bench.do("commands")).detail == {"count": "1"}


# image -> the code of its refusal
HOSTILE_IMAGES: Final[dict[str, tuple[bytes, str]]] = {
    "of another maker": (
        build_image(model="PX-E90", version="2.2.0", security_counter=1, payload=b"p", private_key=SIGNING_KEY),
        "signature",
    ),
    "a changed manifest": (IMAGE[:200] + b"?" + IMAGE[201:], "signature"),
    "a changed program": (IMAGE[:-1] + b"?", "hash"),
    "of another model": (make_image("2.2.0", model="NX-E21"), "other_model"),
    "no image": (bytes(500), "malformed"),
    "an older version": (make_image("2.0.0", security_counter=9), "not_newer"),
    "a withdrawn security counter": (make_image("2.2.0", security_counter=0), "security_counter"),
    "expired": (make_image("2.2.0", expires_at=GONE_BY), "expired"),
    "a leap of the version": (make_image(f"{3 + FORWARD_MAX}.0.0"), "fast_forward"),
    "a leap of the counter": (make_image("2.2.0", security_counter=2**31), "fast_forward"),
}


@pytest.mark.parametrize("flow", ["update", "commands"])
@pytest.mark.parametrize("name", HOSTILE_IMAGES)
async def test_a_hostile_image_changes_nothing(bench: Bench, name: str, flow: str) -> None:
    """Somebody else's program would read the customers' PINs, or one with a known hole come back (F2, F3, A10)."""
    image, code = HOSTILE_IMAGES[name]
    await had_commands(bench)
    assert (await bench.do("update")).is_good
    body = offer(bench.host, image, "2.2.0")
    if flow == "commands":
        bench.host.enqueue("update_firmware", body, SERIAL_NUMBER)
        bench.host.commands = {LAST_COUNTER + 1: command(bench, "update_firmware", body=body)}
    record, keys = flash(bench).record, images(bench, "keys")
    program = flash(bench).read(0, record.sizes[0])
    await bench.do(flow)
    [told] = [outcome for outcome in bench.terminal.told if outcome.flow == "update" and outcome.result == "refused"]
    assert told.reason == f"update.{code}"
    assert bench.host.reports == [("2.2.0", told.reason)]
    assert bench.host.acknowledged.get(LAST_COUNTER + 1) == (told.reason if flow == "commands" else None)
    for _ in range(2):
        terminal = bench.terminal
        assert terminal.board.update.refused == {code: 1}
        assert replace(flash(bench).record, refused={}) == record
        assert flash(bench).read(0, record.sizes[0]) == program
        assert images(bench, "keys") == keys
        assert (terminal.board.running.version, terminal.book.staged, terminal.reboot_due) == ("2.1.0", "", False)
        assert noticed(bench, "update") == 1
        bench.restart()
    offer(bench.host)
    assert (await bench.do("update")).code == "staged"
