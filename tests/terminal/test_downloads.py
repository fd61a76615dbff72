"""What a terminal fetches, what it does then, and what it keeps when a download breaks off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from firmware_sim.cards import TEST_CARDS
from firmware_sim.power import cuts
from host.downloads import CONTENTS, Content, listed, listing, page, whole
from protocol.downloads import DOWNLOAD_OF, DOWNLOADS, Form
from protocol.fields import F
from protocol.private import unpack_status
from protocol.tlv import decode
from terminal.book import Book
from terminal.downloads import admits, in_effect, made, needs_no_pin
from terminal.outcome import LOCAL
from terminal.records import TableDownloaded, fold, read
from tests.terminal.bench import Bench, bench_at, once, swallow, without_mac, wrong_mac
from tests.terminal.fake_host import Answer, FakeHost

KINDS = tuple(DOWNLOAD_OF)
NEWER: dict[str, Content] = {
    "parameters": {"12": "45", "17": "95000", "20": "1", "22": "街角便利店", "23": "1"},
    "contactless": {"FF8054": "1", "FF8058": "000000005000", "FF8059": "000000004000", "FF805A": "0"},
    "no_pin_bins": [f"62{number:04d}" for number in range(150)],
}


class TablesHost(FakeHost):
    """A fake host with ``tables`` to hand out."""

    def __init__(self, **tables: Content) -> None:
        super().__init__()
        self.tables: dict[str, Content] = {**CONTENTS, **tables}

    def __getattr__(self, name: str) -> Callable[[Answer, object], None]:
        if name.removeprefix("_") not in (*DOWNLOAD_OF, "cashier_sign_in"):
            raise AttributeError(name)
        return self._hand_out

    def _hand_out(self, answer: Answer, key: object) -> None:
        row = DOWNLOAD_OF.get(answer.kind)
        if row is None or answer.kind == row.end:
            return
        content, asked = self.tables[row.name], answer.request.octets(F.PAYLOAD)
        if not isinstance(content, list):
            answer.fields[F.PAYLOAD] = whole(row, content)
        elif row.form is Form.PAGED:
            answer.fields[F.PAYLOAD] = page(content, int(asked))
        elif answer.kind == row.query:
            answer.fields[F.PAYLOAD] = listing(row, content, int(asked[1:]))
        else:
            answer.fields[F.PAYLOAD] = listed(row, content, asked)


def kept(bench: Bench, name: str) -> Any:
    """A table as the host wrote it."""
    items = bench.terminal.book.downloads[name].items
    row = DOWNLOADS[name]
    return dict(items) if row.form is Form.WHOLE else list(items.values() if row.form is Form.LISTED else items)


def versions(bench: Bench) -> dict[str, str]:
    """Which tables there are."""
    return {name: table.version for name, table in bench.terminal.book.downloads.items()}


def spoil(payload: bytes) -> Callable[[Answer], None]:
    """Another field 62."""
    return lambda answer: answer.fields.__setitem__(F.PAYLOAD, payload)


def spoiling(kind: str, payload: bytes) -> Callable[[Answer], None]:
    """Another field 62 in every answer of a kind."""
    return lambda answer: spoil(payload)(answer) if answer.kind == kind else None


def hand_out(bench: Bench, **tables: Content) -> None:
    """What the host of a bench has from here on."""
    assert isinstance(bench.host, TablesHost)
    bench.host.tables = {**CONTENTS, **tables}


def wish(*nibbles: str) -> Callable[[Answer], None]:
    """The next answers of a sale or a download ask for this, one after the other."""
    left = list(nibbles)

    def rule(answer: Answer) -> None:
        if left and answer.kind != "sign_in":
            answer.requirement = left.pop(0)

    return rule


async def test_everything_is_fetched_and_outlives_the_power() -> None:
    """A terminal would forget its limits every night."""
    async with bench_at(TablesHost(**NEWER)) as bench:
        outcome = await bench.do("download", "all")
        assert (outcome.result, set(outcome.detail)) == ("done", set(DOWNLOADS))
        expected = {**CONTENTS, **NEWER}
        assert {name: kept(bench, name) for name in DOWNLOADS} == expected
        before = bench.terminal.book
        bench.terminal.session.journal.compact()
        assert fold(map(read, bench.terminal.board.nvram.records())) == before
        bench.restart()
        assert bench.terminal.book.downloads == before.downloads
        settings = bench.terminal.session.settings
        assert (settings.reply_timeout_s, settings.manual_entry, settings.merchant_name) == (45, True, "街角便利店")
        assert (settings.reversal_alarm_after, settings.management_phone) == (2, "95000")
        assert (settings.no_pin_limit_fen, settings.no_signature) == (5000, False)


async def test_the_same_again_wears_no_memory() -> None:
    """A host that asks every day would wear the memory out."""
    async with bench_at(TablesHost()) as bench:
        await bench.do("download", "contactless")
        records = bench.terminal.board.nvram.records()
        assert (await bench.do("download", "contactless")).result == "done"
        assert bench.terminal.board.nvram.records() == records


@pytest.mark.parametrize("kind", KINDS)
async def test_a_lost_answer_leaves_a_whole_table(kind: str) -> None:
    """A terminal would work with half of a table, or never get the rest."""
    async with bench_at(TablesHost()) as bench:
        name = DOWNLOAD_OF[kind].name
        await bench.do("download", name)
        hand_out(bench, **{name: _other(name)})
        before = versions(bench)
        bench.host.after.append(once(kind, swallow))
        outcome = await bench.do("download", name)
        assert (outcome.result, outcome.reason) == ("unknown", "terminal.no_answer")
        assert (versions(bench) == before) is (kind != DOWNLOAD_OF[kind].end)
        assert (await bench.do("download", name)).result == "done"
        assert kept(bench, name) == _other(name)


def _other(name: str) -> Content:
    """A newer version of a table."""
    content = CONTENTS[name]
    if isinstance(content, list):
        return content[:1] if DOWNLOADS[name].form is Form.LISTED else ["620001", "620002"]
    return {"parameters": {"12": "45"}, "tms_parameters": {"23": "3"}, "rates": {"840": "67000000"}}.get(
        name, {"FF8054": "0"}
    )


@pytest.mark.parametrize("name", ["parameters", "ca_keys", "no_pin_bins"])
async def test_a_cut_at_every_point(name: str) -> None:
    """A power cut would leave a till with half of a table, or with none."""

    async def begun(bench: Bench) -> None:
        await bench.do("download", name)
        hand_out(bench, **{name: _other(name)})

    async with bench_at(TablesHost()) as bench:
        await begun(bench)
        old = versions(bench)
        with bench.hardware.power.watched() as points:
            await bench.do("download", name)
        new = versions(bench)
    assert {"journal.program", "line.send"} <= set(points)
    for number, phase in cuts(points):
        async with bench_at(TablesHost()) as bench:
            await begun(bench)
            bench.hardware.power.cut_at(number, phase)
            await bench.do_or_die("download", name)
            assert versions(bench) in (old, new)
            ended = len(bench.host.asked(DOWNLOADS[name].end))
            assert ended == 1 or versions(bench) == new  # the host is never told of what was not kept
            assert (await bench.do("download", name)).result == "done"
            assert versions(bench) == new


_BAD_KEY = str(next(iter(CONTENTS["ca_keys"])))


@pytest.mark.parametrize(
    ("name", "kind", "payload", "reason"),
    [
        ("parameters", "parameters", b"1200", "download.value"),
        ("parameters", "parameters", b"12x0", "download.value"),
        ("parameters", "parameters", b"202", "download.value"),
        ("parameters", "parameters", b"011", "terminal.bad_reply"),
        ("parameters", "parameters", b"12", "terminal.bad_reply"),
        ("parameters", "parameters", b"17call me now!  ", "download.value"),
        ("contactless", "contactless_parameters", b"FF8058012999999999999", "download.value"),
        ("contactless", "contactless_parameters", b"FF8058", "terminal.bad_reply"),
        ("rates", "rates", b"8406720000", "terminal.bad_reply"),
        ("no_pin_bins", "no_pin_bins", b"1000", "done"),
        ("no_pin_bins", "no_pin_bins", b"1000066200", "terminal.bad_reply"),
        ("no_pin_bins", "no_pin_bins", b"2999" + b"06620000    ", "terminal.bad_reply"),
        ("ca_keys", "ca_key_query", b"29F0605A0000003339F220101", "terminal.bad_reply"),
        ("ca_keys", "ca_key", b"0", "download.missing"),
        ("ca_keys", "ca_key", b"1" + bytes.fromhex(_BAD_KEY[:-2] + "00"), "download.check"),
        ("ca_keys", "ca_key", b"1" + bytes.fromhex("9F0605A0000003339F220109"), "terminal.bad_reply"),
        ("applications", "aid", b"1" + bytes.fromhex("9F0605A000000003"), "terminal.bad_reply"),
        ("parameters", "parameters", b"", "terminal.bad_reply"),
        ("applications", "aid_query", b"", "terminal.bad_reply"),
        ("applications", "aid_query", b"1\xdf\x01\x00", "terminal.bad_reply"),
    ],
)  # fmt: skip
async def test_a_table_that_is_not_sound_changes_nothing(name: str, kind: str, payload: bytes, reason: str) -> None:
    """A bad value would stop the till, a forged key accept forged cards."""
    async with bench_at(TablesHost()) as bench:
        await bench.do("download", name)
        before, settings = versions(bench), bench.terminal.session.settings
        bench.host.after.append(once(kind, spoil(payload)))
        outcome = await bench.do("download", name)
        if reason == "done":
            assert outcome.result == "done"
            return
        assert outcome.reason == reason
        assert reason in LOCAL
        assert (versions(bench), bench.terminal.session.settings) == (before, settings)


async def test_a_list_that_never_ends() -> None:
    """A hostile host would hold the terminal for ever."""
    async with bench_at(TablesHost()) as bench:
        await bench.do("sign_in")
        bench.host.after.append(spoil(b"2" + bytes.fromhex("9F0605A000000333")))
        assert (await bench.do("download", "applications")).reason == "terminal.bad_reply"


@pytest.mark.parametrize("spoiled", [without_mac, wrong_mac])
async def test_what_the_host_did_not_seal_is_not_believed(spoiled: Callable[[Answer], None]) -> None:
    """Whoever holds the line could raise the limit without PIN to what he likes."""
    async with bench_at(TablesHost(**NEWER)) as bench:
        bench.host.after.append(once("contactless_parameters", spoiled))
        assert (await bench.do("download", "contactless")).reason == "terminal.bad_reply"
        assert not versions(bench)


async def test_a_table_too_large_is_refused() -> None:
    """A long BIN table would leave no room for a day's sales."""
    many = [f"62{number:06d}" for number in range(900)]
    more = [f"63{number:08d}" for number in range(900)]
    async with bench_at(TablesHost(bin_blacklist=many, no_pin_bins=more), model="PX-S03") as bench:
        told = [await bench.do("download", name) for name in ("bin_blacklist", "no_pin_bins")]
        assert [outcome.reason for outcome in told] == ["", "download.too_large"]
        assert set(versions(bench)) == {"bin_blacklist"}


async def test_a_name_that_no_download_has(bench: Bench) -> None:
    """A slip at the keypad would do something."""
    assert (await bench.do("download", "everything")).reason == "terminal.entry"
    assert bench.host.requests == []


async def test_taps_without_a_pin_follow_the_tables() -> None:
    """The acquirer could not take back what it lets people do without a PIN."""
    async with bench_at(TablesHost()) as bench:
        tap = ("sale", "60.00", "debit:tap")
        assert (await bench.do(*tap)).result == "approved"
        for table in ({"no_pin_blacklist": ["620000"]}, {"contactless": {"FF8058": "000000005999"}}):
            hand_out(bench, **table)
            await bench.do("download", *table)
            assert (await bench.do(*tap)).reason == "terminal.pin_required", table
            assert (await bench.do(*tap, TEST_CARDS["debit"].pin)).result == "approved"
            hand_out(bench)
            await bench.do("download", *table)
        hand_out(bench, contactless={"FF8055": "1", "FF8056": "0"}, no_pin_bins=["999999"])
        await bench.do("download", "contactless")
        await bench.do("download", "no_pin_bins")
        assert (await bench.do(*tap)).reason == "terminal.pin_required"


async def test_cards_and_applications_that_are_not_taken() -> None:
    """A card that the acquirer bars would be sold to."""
    async with bench_at(TablesHost(applications=[], bin_blacklist=["620000020"])) as bench:
        assert (await bench.do("sale", "60.00", "credit", "123456")).result == "approved"
        await bench.do("download", "bin_blacklist")
        assert (await bench.do("sale", "60.00", "credit", "123456")).reason == "terminal.card_blacklisted"
        assert (await bench.do("sale", "60.00", "debit:swipe", "123456")).reason != "terminal.card_blacklisted"
        bench.terminal.session.settings = bench.terminal.session.settings.model_copy(update={"manual_entry": True})
        keyed = await bench.do("moto_sale", "60.00", TEST_CARDS["credit"].pan, "3012")
        assert (keyed.reason, bench.host.asked("moto_sale")) == ("terminal.card_blacklisted", [])
        assert (await bench.do("moto_sale", "60.00", TEST_CARDS["debit"].pan, "3012")).result == "approved"
        await bench.do("download", "applications")
        assert (await bench.do("sale", "60.00", "debit_second", "123456")).reason == "terminal.chip_aid"


def test_how_an_application_is_selected() -> None:
    """A card with a longer name would be refused, or one of another scheme taken."""

    def book(*objects: str) -> Book:
        items = {DOWNLOADS["applications"].key_of(_decoded(each)): each for each in objects}
        return Book(downloads={"applications": made("applications", 0, items)})

    aid = bytes.fromhex("A000000333010101")
    assert admits(Book(), aid)
    assert not admits(Book(), bytes.fromhex("A0000000031010"))
    assert admits(book("9F0605A000000333DF010100"), aid)
    assert not admits(book("9F0605A000000333DF010101"), aid)
    assert admits(book("9F0608A000000333010101DF010101"), aid)
    assert not admits(book(), aid)


def _decoded(objects: str) -> Iterable[Any]:
    return decode(bytes.fromhex(objects))


async def test_several_wishes_are_kept_and_done_in_order() -> None:
    """The second of two wishes would be forgotten, or the sale be interrupted."""
    async with bench_at(TablesHost()) as bench:
        await bench.do("sign_in")
        bench.host.after.append(wish("9", "D", "4", "2"))
        assert (await bench.sell()).result == "approved"
        asked = [name for name, _ in bench.host.requests][1:]
        assert asked[:3] == ["sale", "contactless_parameters", "contactless_parameters_end"]
        assert asked[3] == "ca_key_query"
        assert asked[-2:] == ["status_upload", "status_upload"]
        states, parameters = unpack_status(bench.host.asked("status_upload")[-1].octets(F.PAYLOAD))
        assert states
        assert parameters == {"12": "20", "20": "0", "23": "2"}
        assert not bench.terminal.session.requirements


@pytest.mark.parametrize("row", DOWNLOADS.values(), ids=DOWNLOADS)
async def test_every_download_can_be_asked_for(row: Any) -> None:
    """CUP 1.9: a wish of the host would fall on deaf ears."""
    async with bench_at(TablesHost()) as bench:
        await bench.do("sign_in")
        bench.host.after.append(wish(row.requirement))
        await bench.do("echo")
        assert set(versions(bench)) == {row.name}


async def test_a_download_that_fails_keeps_no_other_back() -> None:
    """One table that is damaged would keep all others old."""
    async with bench_at(TablesHost()) as bench:
        await bench.do("sign_in")
        bench.host.after.append(spoiling("parameters", b"1200"))
        bench.host.after.append(wish("1", "9"))
        await bench.do("echo")
        assert set(versions(bench)) == {"contactless"}


async def test_no_wish_is_done_while_there_is_no_host() -> None:
    """A till without a line would wait a timeout for each table."""
    async with bench_at(TablesHost()) as bench:
        await bench.do("sign_in")
        bench.host.after.append(wish("1", "4"))
        bench.host.after.append(once("parameters", lambda answer: setattr(answer, "requirement", "4")))
        bench.host.after.append(once("parameters_end", swallow))
        await bench.do("echo")
        assert set(versions(bench)) == {"parameters"}
        assert bench.terminal.session.requirements == {"4"}
        await bench.do("echo")
        assert set(versions(bench)) == {"parameters", "ca_keys"}


async def test_values_that_newer_firmware_refuses_do_not_stop_it(bench: Bench) -> None:
    """An update with narrower bounds would leave the terminal dead."""
    for name, items in (("parameters", {"12": "00"}), ("contactless", {"FF8054": "0"})):
        bench.terminal.session.journal.append(TableDownloaded(table=made(name, 0, items)))
    bench.restart()
    settings = bench.terminal.session.settings
    assert (settings.reply_timeout_s, settings.no_pin) == (20, False)
    assert in_effect(bench.settings, bench.terminal.book) == settings
    assert needs_no_pin(bench.terminal.book, settings.model_copy(update={"bin_table_b": False}), "99")


async def test_the_cashier_and_the_configuration_are_told() -> None:
    """Nobody could say who works at the till, or with which parameters."""
    async with bench_at(TablesHost()) as bench:
        assert (await bench.do("cashier_sign_in")).result == "done"
        assert bench.host.asked("cashier_sign_in")[0].text(F.TEXT) == "01 "
        assert (await bench.do("configuration")).result == "done"
        for kind, flow in (("cashier_sign_in", "cashier_sign_in"), ("status_upload", "configuration")):
            bench.host.before.append(once(kind, lambda answer: answer.refuse("58", "terminal.stopped")))
            assert (await bench.do(flow)).result == "refused"
            bench.host.after.append(once(kind, swallow))
            assert (await bench.do(flow)).result == "unknown"
