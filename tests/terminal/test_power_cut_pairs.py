"""The power goes twice: at every point of a flow, and again at every point of the recovery from that.

Each pair begins at a frozen moment, so only what follows a cut is run; moments that are equal in every byte have the
same future and are looked at once. The quick form takes a part of the second cuts, another part for each first one;
POSLAB_ALL_CUTS=1 in the environment takes them all.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import pytest

from firmware_sim.nvram import Nvram
from firmware_sim.power import Phase, PowerLost, cuts
from firmware_sim.secure_module import KeyState
from protocol.crypto import signing
from protocol.crypto.derived import open_backup, seal_backup
from protocol.kinds import Kind
from protocol.swap import backup_context, pack_backup, unpack_backup
from terminal.records import fold, read
from terminal.recovery import recover
from terminal.transaction import Key
from tests.terminal.bench import SERIAL_NUMBER, make_image, once, swallow
from tests.terminal.fake_host import TMK, Row
from tests.terminal.frozen import Frozen, Ledger, Shop, shop
from tests.terminal.test_firmware import offer
from tests.terminal.test_swap import EMPTY, SwapHost, host_of

ALL: Final = os.environ.get("POSLAB_ALL_CUTS") == "1"
QUICK_SHARE: Final = 12
"""The quick form takes every so many-th of the second cuts."""
PIN: Final = "918273645091"
NEW_FIRMWARE: Final = make_image("2.2.0", b"p" * 900)
ELSEWHERE: Final = (Key("000001", "000777"), Row("sale", 5_55, "captured"))
"""A row of the open batch that this terminal never sent: the books differ until the batch is uploaded."""
STARTS_MAX: Final = 6
PRINTING: Final = "PX-A920"
"""A model with a printer."""

Act = Callable[[Shop], Awaitable[None]]


def _assert_sound(till: Shop) -> None:
    """Both books agree, and what was told, captured and printed is so once and for all."""
    host, book = till.host, till.terminal.book
    there = {row for row in host.captured() if row[0].batch == book.batch and row[0] != ELSEWHERE[0]}
    assert till.captured() == there
    assert {row.batch: row.balanced for row in book.closed} == host.closed
    assert book.batch == host.batch
    assert till.told_differently() == []
    assert till.broken_promises() == []
    assert till.captured_twice() == []
    assert till.printed_twice() == []


async def _next_day(till: Shop) -> None:
    """The next customer is served, and the batch is closed; new firmware, where there was some, is in force."""
    await _resolve(till)
    till.listen()
    assert till.is_resolved()
    _assert_sound(till)
    assert (await till.sell("1.23", "credit")).is_good
    assert (await till.do("settle")).is_good
    till.listen()
    _assert_sound(till)
    assert not till.terminal.board.update.on_trial
    if till.host.image:
        assert till.terminal.board.running.version == "2.2.0"
        assert till.terminal.book.staged == ""


@dataclass(frozen=True)
class Play:
    """A row of PLAYS: what was done before, what the power goes in, and what the cashier does after a cut."""

    prepare: Act
    act: Act
    recover: Act
    model: str = "PX-E90"
    host: Callable[[], Ledger] = Ledger
    end: Act = _next_day
    """What is done and seen in the end, besides that both books agree."""


async def _sold(shop: Shop) -> None:
    await shop.do("sign_in")
    assert (await shop.sell("10.00", "credit", PIN)).result == "approved"


async def _sell(shop: Shop) -> None:
    await shop.sell("60.00", "debit", PIN)


async def _sell_signed(shop: Shop) -> None:
    await shop.do("sale", "60.00", "credit", PIN, "initials")


async def _resolve(shop: Shop) -> None:
    await shop.do("reverse")


async def _resolve_and_reprint(shop: Shop) -> None:
    await shop.do("reverse")
    await shop.do("reprint")


async def _in_doubt(shop: Shop) -> None:
    """A sale was captured by the host, and its reply was lost."""
    await _sold(shop)
    shop.host.after.append(once("sale", swallow))
    assert (await shop.sell("60.00", "debit", PIN)).result == "unknown"


async def _batch(shop: Shop) -> None:
    """More than one message of an upload, a void and a refund among it."""
    await _sold(shop)
    for amount in ("1.00", "2.00", "3.00"):
        assert (await shop.sell(amount, "debit")).is_good
    assert (await shop.do("void", "000003")).is_good
    assert (await shop.do("refund", "1.00", "debit", "000000000001", "0301")).is_good


async def _batch_that_differs(shop: Shop) -> None:
    await _batch(shop)
    key, row = ELSEWHERE
    shop.host.book[key] = row


async def _settle(shop: Shop) -> None:
    await shop.do("settle")


async def _settle_on(shop: Shop) -> None:
    """The shopkeeper looks whether the batch is closed, and settles where it is not."""
    await shop.do("reverse")
    if shop.terminal.book.batch == "000001":
        await shop.do("settle")


async def _commanded(shop: Shop) -> None:
    await _sold(shop)
    shop.host.enqueue("update_firmware", offer(shop.host, NEW_FIRMWARE), SERIAL_NUMBER)


async def _update(shop: Shop) -> None:
    """Download, stage, restart, and prove the new firmware by a sign-on."""
    for _ in range(STARTS_MAX):
        await shop.do("commands")
        if shop.terminal.reboot_due:
            shop.listen()
            shop.terminal.reboot()
    if shop.terminal.board.running.version != "2.2.0":  # the power went on trial too often: the host asks again
        await shop.do("update")
        shop.listen()
        shop.terminal.reboot()
        await shop.do("sign_in")


@dataclass
class SwapLedger(Ledger, SwapHost):
    """A host with a swap, that counts what it captures; a MAC that comes must be good."""

    def _wants_mac(self, kind: Kind, came: bool) -> bool:
        return came or super()._wants_mac(kind, came)


async def _hand_over(shop: Shop) -> None:
    await shop.do("hand_over")


async def _handed_over(shop: Shop) -> None:
    """The batch is settled, and the host has the whole backup of it."""
    assert (await shop.do("hand_over")).is_good
    shop.listen()
    _assert_sound(shop)
    assert host_of(shop).swap_state == "backed up"
    parts = unpack_backup(open_backup(TMK, host_of(shop).come, backup_context(SERIAL_NUMBER, host_of(shop).swap)))
    assert [row["batch"] for row in parts["closed"]] == ["000001"]
    assert not shop.terminal.book.rows


async def _ordered_to_wipe(shop: Shop) -> None:
    await _sold(shop)
    await _hand_over(shop)
    host_of(shop).orders()


async def _wiped(shop: Shop) -> None:
    """There is one certificate, and nothing that was the shop's."""
    assert (await shop.do("hand_over")).is_good
    assert (host_of(shop).swap_state, len(set(host_of(shop).certificates))) == ("wiped", 1)
    assert shop.terminal.board.secure_module.key_state is KeyState.TAMPERED
    assert not shop.terminal.book.rows
    assert not shop.terminal.book.closed


async def _backup_waits(shop: Shop) -> None:
    host = host_of(shop)
    host.swap_state, host.role = "backed up", "new"
    trail = [{"at": at, "what": "x" * 30, "detail": str(at), "operator": ""} for at in range(30)]
    host.gives = seal_backup(TMK, pack_backup(EMPTY | {"events": trail}), backup_context(SERIAL_NUMBER, 7))


async def _take_over(shop: Shop) -> None:
    await shop.do("take_over")


async def _take_over_on(shop: Shop) -> None:
    """The shopkeeper tries again where the keys went in the cut."""
    if (await shop.do("take_over")).reason != "swap.restored_already":
        await shop.do("take_over")


async def _taken_over(shop: Shop) -> None:
    """What the old device had is here, and the shop sells on."""
    assert (await shop.do("take_over")).reason == "swap.restored_already"
    assert host_of(shop).swap_state == "restored"
    await _next_day(shop)


PLAYS: Final[dict[str, Play]] = {
    "sale": Play(_sold, _sell, _resolve),
    "signed sale": Play(_sold, _sell_signed, _resolve),
    "printed sale": Play(_sold, _sell, _resolve_and_reprint, PRINTING),
    "reversal": Play(_in_doubt, _resolve, _resolve),
    "settlement": Play(_batch, _settle, _settle_on),
    "batch upload": Play(_batch_that_differs, _settle, _settle_on),
    "update": Play(_commanded, _update, _update),
    "hand over": Play(_sold, _hand_over, _hand_over, host=SwapLedger, end=_handed_over),
    "wipe": Play(_ordered_to_wipe, _hand_over, _hand_over, host=SwapLedger, end=_wiped),
    "take over": Play(_backup_waits, _take_over, _take_over_on, host=SwapLedger, end=_taken_over),
}


@dataclass
class Tally:
    """How many cuts there were, and what came of the moments that they led to."""

    firsts: int = 0
    pairs: int = 0
    taken: int = 0
    seconds: dict[bytes, int] = field(default_factory=dict)
    """Digest of a moment -> how many second cuts it has."""
    checked: set[bytes] = field(default_factory=set)
    ended: set[bytes] = field(default_factory=set)


class Writing:
    """What the journal may hold after a cut: the records that were acknowledged, or those with the one in flight."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.allowed: tuple[tuple[bytes, ...], ...] = ()
        append, rewrite = Nvram.append, Nvram.rewrite

        def appending(nvram: Nvram, payload: bytes, *, reserved: bool = False) -> None:
            self._begin(nvram, lambda before: (*before, payload))
            append(nvram, payload, reserved=reserved)
            self._end(nvram)

        def rewriting(nvram: Nvram, payloads: Iterator[bytes]) -> None:
            kept = tuple(payloads)
            self._begin(nvram, lambda before: kept)
            rewrite(nvram, kept)
            self._end(nvram)

        monkeypatch.setattr(Nvram, "append", appending)
        monkeypatch.setattr(Nvram, "rewrite", rewriting)

    def _begin(self, nvram: Nvram, then: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> None:
        if _is_journal(nvram):
            before = nvram.records()
            self.allowed = (before, then(before))

    def _end(self, nvram: Nvram) -> None:
        if _is_journal(nvram):
            self.allowed = (nvram.records(),)


def _is_journal(nvram: Nvram) -> bool:
    return nvram._port._chip.name == "journal"


@pytest.fixture
def writing(monkeypatch: pytest.MonkeyPatch) -> Writing:
    """The same signature over the same bytes is checked once, and what goes to the journal is watched."""
    monkeypatch.setattr(signing, "verify", cache(signing.verify))
    return Writing(monkeypatch)


@pytest.mark.parametrize("name", PLAYS)
async def test_two_power_cuts(name: str, writing: Writing) -> None:
    """A shop with a bad socket would lose in the second cut what it kept through the first."""
    play, tally = PLAYS[name], Tally()
    async with shop(play.host(), play.model) as till:
        await play.prepare(till)
        begun = till.freeze()
        firsts = await _cuts(till, begun, play.act)
        for first in firsts:
            moment = await _cut(till, begun, first, play.act, writing)
            tally.firsts += 1
            await _check(till, play, moment, tally, f"{name}: {first}")
            if moment.digest not in tally.seconds:
                seconds = await _cuts(till, moment, play.recover)
                tally.seconds[moment.digest] = len(seconds)
                for second in seconds if ALL else seconds[tally.firsts % QUICK_SHARE :: QUICK_SHARE]:
                    tally.taken += 1
                    after = await _cut(till, moment, second, play.recover, writing)
                    await _check(till, play, after, tally, f"{name}: {first}, then {second}")
            tally.pairs += tally.seconds[moment.digest]
    print(
        f"{name}: {tally.firsts} first cuts to {len(tally.seconds)} moments, {tally.pairs} pairs, "
        f"{tally.taken} taken to {len(tally.checked)} moments, {len(tally.ended)} ends"
    )
    assert tally.pairs >= tally.taken > len(tally.seconds) // QUICK_SHARE


async def _start(till: Shop, act: Act) -> None:
    """Switch on, and act."""
    till.restart()
    await act(till)


async def _cuts(till: Shop, frozen: Frozen, act: Act) -> list[tuple[int, Phase]]:
    """Where the power can go in ``act``, the start before it included."""
    till.thaw(frozen)
    with till.hardware.power.watched() as points:
        await _start(till, act)
    return list(cuts(points))


async def _cut(till: Shop, frozen: Frozen, cut: tuple[int, Phase], act: Act, writing: Writing) -> Frozen:
    """The moment after the power went there; the journal holds what was acknowledged, no less and no more (J5)."""
    till.thaw(frozen)
    writing.allowed = (till.journal(),)
    till.hardware.power.cut_at(*cut)
    with pytest.raises(PowerLost):
        await _start(till, act)
    assert till.journal() in writing.allowed, cut
    assert till.printed_twice() == [], cut
    return till.freeze()


async def _check(till: Shop, play: Play, moment: Frozen, tally: Tally, where: str) -> None:
    """Look at a moment that was not seen before."""
    if moment.digest in tally.checked:
        return
    tally.checked.add(moment.digest)
    try:
        await _recovers(till, moment)
        till.thaw(moment)
        await _start(till, play.recover)
        end = till.freeze()
        if end.digest not in tally.ended:
            tally.ended.add(end.digest)
            till.thaw(end)
            await _start(till, play.end)
    except AssertionError as error:
        raise AssertionError(f"{where}: {error}") from error


async def _recovers(till: Shop, moment: Frozen) -> None:
    """The device starts, and recovering twice is recovering once (J9)."""
    till.thaw(moment)
    till.restart()
    book = fold(map(read, till.terminal.board.nvram.records()))
    assert recover(book) == []
    assert book == till.terminal.book
    till.restart()
    assert till.terminal.book == book
