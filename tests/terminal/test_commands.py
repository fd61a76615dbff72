"""What the host tells the terminal to do, and who may tell it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import cast

import pytest

from firmware_sim.power import cuts
from protocol.command import COMMAND_KINDS
from protocol.diagnosis import SECTIONS, read_diagnosis
from protocol.fields import F
from protocol.private import pack_tags, unpack_tags
from terminal.flows.commands import OBEYED
from terminal.flows.diagnose import COLLECTED, diagnose
from tests.terminal.bench import SERIAL_NUMBER, Bench, bench_at, make_image, once, swallow, without_mac, wrong_mac
from tests.terminal.fake_host import Answer, FakeHost
from tests.terminal.test_firmware import offer

NOTICE = {
    "title_zh": "停用通知",
    "title_en": "Stop notice",
    "text_zh": "本机型将于六月停用。",
    "text_en": "This model stops in June.",
    "reason": "model.retired",
    "stop_at": "2026-06-01",
}


async def test_a_notice_comes_through_the_reply_of_a_sale(bench: Bench) -> None:
    """The shop would hear of the stop on the day of the stop."""
    await bench.do("sign_in")
    bench.host.enqueue("notice", NOTICE, SERIAL_NUMBER)
    assert (await bench.sell()).result == "approved"
    assert [told.flow for told in bench.terminal.told][1:] == ["sale", "notice", "commands"]
    notice = bench.terminal.book.notices[0]
    assert (notice.reason, notice.stop_at, notice.read) == ("model.retired", "2026-06-01", False)
    assert bench.host.acknowledged == {1: "done"}
    assert bench.terminal.book.counter == 1
    assert "Stop notice\nThis model stops in June." in bench.screens
    assert (await bench.do("notices")).detail == {"1": "停用通知"}
    assert bench.terminal.book.notices[0].read
    bench.restart()
    assert bench.terminal.book.notices[0].read


async def test_a_lost_acknowledgement_is_repeated_and_not_the_command(bench: Bench) -> None:
    """A notice would be shown as forged because it came twice."""
    bench.host.enqueue("notice", NOTICE, SERIAL_NUMBER)
    bench.host.after.append(once("command_ack", swallow))
    assert (await bench.do("commands")).result == "unknown"
    bench.restart()
    assert (await bench.do("commands")).result == "done"
    assert len(bench.terminal.book.notices) == 1
    assert list(bench.host.acknowledged) == [1]
    assert bench.terminal.book.commands == ()


@pytest.mark.parametrize("spoiled", [without_mac, wrong_mac])
async def test_an_acknowledgement_is_heard_by_the_host_or_said_again(
    bench: Bench, spoiled: Callable[[Answer], None]
) -> None:
    """Whoever answers for the host could keep all later orders from the shop: it would give out the same for ever."""
    bench.host.enqueue("notice", NOTICE, SERIAL_NUMBER)
    bench.host.after.append(once("command_ack", spoiled))
    assert (await bench.do("commands")).reason == "terminal.bad_reply"
    assert len(bench.terminal.book.commands) == 1
    assert (await bench.do("commands")).result == "done"
    assert bench.terminal.book.commands == ()


@pytest.mark.parametrize(
    ("days", "lasts_days", "is_put_right"),
    [
        *((days, 180, True) for days in (-3_650, -400, -100, 0, 100, 366, 400, 3_650)),
        (-400, 3_650, True), (400, 3_650, False),
    ],
)  # fmt: skip
async def test_the_host_tells_the_year_by_what_it_gives_out(
    bench: Bench, days: int, lasts_days: int, is_put_right: bool
) -> None:
    """A till whose clock had jumped by a year would take every order for one that has expired, and none behind it."""
    assert (await bench.do("sign_in")).is_good
    right = bench.terminal.session.now_s
    bench.hardware.crystal.step(timedelta(days=days))
    bench.restart()
    assert (await bench.do("sign_in")).is_good
    life = {"issued_at": right - 3_600, "expires_at": right + lasts_days * 86_400}
    bench.host.commands[1] = bench.host.command("notice", NOTICE, SERIAL_NUMBER, **life)
    assert (await bench.do("commands")).is_good
    assert bench.host.acknowledged == {1: "done"}
    assert (abs(bench.terminal.session.now_s - right) < 60) is is_put_right


async def test_only_what_the_host_gives_out_now_tells_the_year(bench: Bench) -> None:
    """Whoever kept an order could put the clock of a till back by a year."""
    assert (await bench.do("sign_in")).is_good
    right = bench.terminal.session.now_s
    year_s = 365 * 86_400
    life = {"issued_at": right - year_s - 3_600, "expires_at": right - year_s + 3_600}
    bench.host.commands[1] = bench.host.command("notice", NOTICE, SERIAL_NUMBER, **life)
    bench.host.after.append(_with_another_proof)
    assert (await bench.do("commands")).reason == "command.replayed"
    assert abs(bench.terminal.session.now_s - right) < 60


def _with_another_proof(answer: Answer) -> None:
    if answer.kind == "command_fetch":
        tags = unpack_tags(cast(bytes, answer.fields[F.PAYLOAD]), field=F.PAYLOAD)
        answer.fields[F.PAYLOAD] = pack_tags((tags | {"AP": bytes(64)}).items())


async def test_a_kept_command_is_not_carried_out_by_an_older_memory(bench: Bench) -> None:
    """Whoever kept an order could have it carried out again by a till whose memory was put back (T12, C2)."""
    assert (await bench.do("sign_in")).is_good
    older, kept = bench.hardware.chips.journal.image, list[bytes]()
    bench.host.after.append(lambda answer: kept.append(answer.fields.get(F.PAYLOAD, b"")))
    bench.host.enqueue("notice", NOTICE, SERIAL_NUMBER)
    assert (await bench.do("commands")).result == "done"
    assert len(bench.terminal.book.notices) == 1
    bench.hardware.chips.journal._image[:] = older
    bench.restart()
    assert (bench.terminal.book.counter, bench.terminal.book.notices) == (0, ())
    bench.host.after[:] = [once("command_fetch", lambda answer: answer.fields.update({F.PAYLOAD: kept[0]}))]
    outcome = await bench.do("commands")
    assert (outcome.result, outcome.reason) == ("refused", "command.replayed")
    assert (bench.terminal.book.counter, bench.terminal.book.notices) == (0, ())
    assert [event.what for event in bench.terminal.book.events] == ["command refused"]
    nonces = [message.octets(F.PAYLOAD) for message in bench.host.asked("command_fetch")]
    assert len(set(nonces)) == len(nonces) == 3
    bench.host.enqueue("notice", NOTICE, SERIAL_NUMBER)
    assert (await bench.do("commands")).result == "done"
    assert bench.terminal.book.counter == 1


UPDATE = {"version": "2.2.0", "size": "5", "sha256": "ab" * 32}


def _chunk_of_nonsense(answer: Answer) -> None:
    answer.fields[F.PAYLOAD] = b"?"


def _chunk_refused(answer: Answer) -> None:
    answer.refuse("97", "terminal.stopped")


@pytest.mark.parametrize(
    ("spoil", "result"),
    [(_chunk_of_nonsense, "terminal.bad_reply"), (_chunk_refused, "terminal.stopped"), (None, "update.hash")],
)
async def test_a_command_that_fails_does_not_block_the_next(
    bench: Bench, spoil: Callable[[Answer], None] | None, result: str
) -> None:
    """One update that cannot work would keep every later notice from the shop."""
    bench.host.image = b"wrong"
    bench.host.enqueue("update_firmware", UPDATE, SERIAL_NUMBER)
    bench.host.enqueue("notice", NOTICE, SERIAL_NUMBER)
    if spoil:
        bench.host.after.append(once("firmware_chunk", spoil))
    assert (await bench.do("commands")).result == "done"
    assert bench.host.acknowledged == {1: result, 2: "done"}
    assert (len(bench.terminal.book.notices), bench.terminal.book.commands) == (1, ())


def _out_of_step(answer: Answer) -> None:
    answer.refuse("77", "terminal.not_signed_on")


@pytest.mark.parametrize("spoil", [swallow, _out_of_step])
async def test_a_command_whose_time_has_not_come_is_kept(bench: Bench, spoil: Callable[[Answer], None]) -> None:
    """A line that is down for a minute would cost the shop its update."""
    bench.host.image = b"wrong"
    bench.host.enqueue("update_firmware", UPDATE, SERIAL_NUMBER)
    bench.host.after.append(once("firmware_chunk", spoil))
    assert not (await bench.do("commands")).is_good
    bench.restart()
    assert (await bench.do("commands")).result == "done"
    assert len(bench.host.asked("command_ack")) == 1
    assert bench.host.acknowledged == {1: "update.hash"}


async def test_a_cut_at_every_point_of_a_command() -> None:
    """A replay after a power cut would take effect twice, or the notice be lost (C2)."""
    async with bench_at(FakeHost()) as bench:
        await bench.do("sign_in")
        bench.host.enqueue("notice", NOTICE, SERIAL_NUMBER)
        with bench.hardware.power.watched() as points:
            await bench.do("commands")
    for number, phase in cuts(points):
        async with bench_at(FakeHost()) as bench:
            await bench.do("sign_in")
            bench.host.enqueue("notice", NOTICE, SERIAL_NUMBER)
            bench.hardware.power.cut_at(number, phase)
            assert await bench.do_or_die("commands") is None
            bench.restart()
            assert (await bench.do("commands")).result == "done"
            assert (bench.terminal.book.counter, len(bench.terminal.book.notices)) == (1, 1)
            assert list(bench.host.acknowledged) == [1]


@pytest.mark.feature("T10")
async def test_why(bench: Bench) -> None:
    """The cashier could not tell the shop's owner what to do."""
    assert (await bench.do("why")).text_en == "the terminal may sell"
    bench.host.why = {
        "RC": "hold.arrears",
        "CD": "58",
        "ZH": "欠费",
        "EN": "arrears",
        "RZ": "缴费",
        "RE": "pay",
        "CZ": "客服",
        "CE": "desk",
    }
    outcome = await bench.do("why")
    assert (outcome.result, outcome.code, outcome.reason) == ("done", "58", "hold.arrears")
    assert (outcome.text_zh, outcome.remedy_en, outcome.detail["contact_en"]) == ("欠费", "pay", "desk")
    assert not bench.host.asked("sign_in")


@pytest.mark.parametrize("name", ["why", "commands", "update"])
async def test_answers_that_make_no_sense(bench: Bench, name: str) -> None:
    """A foreign host's field 62 would crash the terminal."""
    await bench.do("sign_in")
    bench.host.after.append(lambda answer: answer.fields.update({F.PAYLOAD: b"?"}))
    outcome = await bench.do(name)
    assert (outcome.result, outcome.reason) == ("unknown", "terminal.bad_reply")


@pytest.mark.parametrize("name", ["why", "commands", "update", "echo", "status", "sign_off", "sign_in", "settle"])
async def test_refusals_and_silence(bench: Bench, name: str) -> None:
    """A flow that fails would look as if it had worked."""
    await bench.do("sign_in")
    bench.host.before.append(lambda answer: answer.refuse("96", "host.failure", "系统异常"))
    assert ((await bench.do(name)).result, bench.terminal.told[-1].code) == ("refused", "96")
    bench.host.after.append(swallow)
    outcome = await bench.do(name)
    assert (outcome.result, outcome.reason) == ("unknown", "terminal.no_answer")


async def test_a_host_that_never_stops_asking(bench: Bench) -> None:
    """The terminal would be busy with itself for ever."""
    bench.host.after.append(lambda answer: setattr(answer, "requirement", "3"))
    await bench.do("echo")
    assert len(bench.host.asked("sign_in")) == 3


async def test_sign_on_again_when_the_header_asks(bench: Bench) -> None:
    """The host could not change the keys of a running terminal."""
    bench.host.after.append(once("sale", lambda answer: setattr(answer, "requirement", "3")))
    await bench.sell()
    assert [name for name, _ in bench.host.requests] == ["sign_in", "sale", "sign_in"]
    assert (await bench.sell()).result == "approved"


async def test_unknown_requirements_are_left_alone(bench: Bench) -> None:
    """A host with more wishes than the terminal knows would stop it."""

    def wish(answer: Answer) -> None:
        answer.requirement = "F"

    bench.host.after.append(wish)
    assert (await bench.sell()).result == "approved"
    assert len(bench.host.requests) == 2


@pytest.mark.feature("F")
async def test_a_device_is_diagnosed_from_afar(bench: Bench) -> None:
    """Somebody would have to drive to the shop to find that the battery is empty."""
    await bench.do("sign_in")
    bench.hardware.faults.fired["reader.torn"] = 3
    bench.hardware.power.unplug()
    bench.hardware.power.drain(90)
    bench.host.enqueue("diagnose", {}, SERIAL_NUMBER)
    assert (await bench.do("commands")).result == "done"
    assert [told.flow for told in bench.terminal.told][1:] == ["diagnose", "commands"]
    assert bench.terminal.told[1].detail["faults"] == "battery low"
    tags = unpack_tags(bench.host.asked("command_ack")[0].octets(F.PAYLOAD), field=F.PAYLOAD)
    assert (tags["CN"], tags["RS"]) == (b"1", b"done")
    diagnosis = read_diagnosis(tags)
    assert diagnosis.keys() == {section.name for section in SECTIONS.values()}
    assert (diagnosis["self_test"]["battery"], diagnosis["self_test"]["memory"]) == ("low", "good")
    assert diagnosis["firmware"] == {"version": "2.1.0", "boot": "normal", "trial": "no"}
    assert diagnosis["power"] == {"battery_percent": "10", "plugged": "no", "restarts": "0", "last_cut": "mains"}
    assert diagnosis["wear"].keys() == {"journal", "keys", "slots", "slot_record"}
    assert diagnosis["fail_counters"]["bad_mac"] == "0"
    assert diagnosis["faults"] == {"reader.torn": "3"}


async def test_what_was_refused_is_in_the_diagnosis(bench: Bench) -> None:
    """Nobody would see that somebody tries to install firmware of his own."""
    offer(bench.host, make_image("2.0.0"), "2.0.0")
    for _ in range(2):
        assert (await bench.do("update")).reason == "update.not_newer"
    assert diagnose(bench.terminal.board)["firmware"]["refused.not_newer"] == "2"
    assert [event.what for event in bench.terminal.book.events] == ["update refused"] * 2


async def test_a_diagnosis_whose_answer_is_lost_is_told_as_the_device_is_then(bench: Bench) -> None:
    """The desk would look at a device that was repaired since."""
    bench.host.enqueue("diagnose", {}, SERIAL_NUMBER)
    bench.host.after.append(once("command_ack", swallow))
    assert (await bench.do("commands")).result == "unknown"
    bench.hardware.faults.fired["printer.jam"] = 1
    bench.restart()
    assert (await bench.do("commands")).result == "done"
    first, second = (
        read_diagnosis(unpack_tags(message.octets(F.PAYLOAD), field=F.PAYLOAD))
        for message in bench.host.asked("command_ack")
    )
    assert ("faults" in first, second["faults"], second["power"]["restarts"]) == (False, {"printer.jam": "1"}, "1")


def test_every_section_is_collected_and_every_kind_of_command_obeyed() -> None:
    """A device would accept an order of its host and not know what to do."""
    assert COLLECTED.keys() == {section.name for section in SECTIONS.values()}
    assert OBEYED.keys() == COMMAND_KINDS.keys()


ANNOUNCEMENT = {name: NOTICE[name] for name in ("title_zh", "title_en", "text_zh", "text_en")}


async def test_the_host_learns_when_a_notice_was_read(bench: Bench) -> None:
    """Nobody could prove that the merchant was warned (N10)."""
    await bench.do("sign_in")
    bench.host.enqueue("notice", NOTICE, SERIAL_NUMBER)
    await bench.do("commands")
    assert bench.host.read == {}
    at = bench.terminal.session.now_s
    await bench.do("notices")
    assert bench.host.read == {1: bench.terminal.book.notices[0].read_at}
    assert at <= bench.host.read[1] <= at + 5
    await bench.do("notices")
    assert len(bench.host.asked("command_ack")) == 2


async def test_reading_is_told_until_the_host_knows(bench: Bench) -> None:
    """A lost reply would leave the merchant unwarned on paper."""
    await bench.do("sign_in")
    bench.host.enqueue("notice", NOTICE, SERIAL_NUMBER)
    await bench.do("commands")
    bench.host.after.append(once("command_ack", swallow))
    await bench.do("notices")
    assert not bench.terminal.book.notices[0].read_told
    read_at = bench.terminal.book.notices[0].read_at
    bench.now += timedelta(hours=1)
    bench.restart()
    await bench.do("sign_in")
    assert bench.terminal.book.notices[0].read_told
    assert bench.host.read == {1: read_at}


@pytest.mark.feature("U11")
async def test_an_announcement_waits_for_enter(bench: Bench) -> None:
    """A new rule would be known to nobody at the till (U11)."""
    await bench.do("sign_in")
    for _ in range(2):
        bench.host.enqueue("announcement", ANNOUNCEMENT, SERIAL_NUMBER)
    assert (await bench.sell()).result == "approved"
    assert [notice.must_confirm for notice in bench.terminal.book.notices] == [True, True]
    await bench.do("notices")
    bench.restart()
    refused = await bench.sell()
    assert (refused.result, refused.reason) == ("refused", "terminal.announcement_unread")
    assert (await bench.do("offline_sale", "10.00", "credit")).reason == "terminal.announcement_unread"
    bench.terminal.board.keypad.cancel()
    assert (await bench.terminal.run("acknowledge")).reason == "terminal.cancelled"
    assert (await bench.terminal.run("acknowledge")).reason == "terminal.entry_timeout"
    assert (await bench.do("acknowledge")).detail == {"counter": "1", "left": "1"}
    assert (await bench.sell()).reason == "terminal.announcement_unread"
    assert (await bench.do("acknowledge")).detail == {"counter": "2", "left": "0"}
    assert (await bench.do("acknowledge")).detail == {"left": "0"}
    assert (await bench.sell()).result == "approved"
    assert set(bench.host.read) == {1, 2}


async def test_what_drains_does_not_wait_for_an_announcement(bench: Bench) -> None:
    """A shop could not settle in the evening because nobody had read the news."""
    await bench.do("sign_in")
    bench.host.enqueue("announcement", ANNOUNCEMENT, SERIAL_NUMBER)
    await bench.sell()
    assert (await bench.do("settle")).result == "done"
    assert (await bench.do("reverse")).result == "done"


@pytest.mark.parametrize(("kind", "flow"), [("notice", "notices"), ("announcement", "acknowledge")])
async def test_a_cut_while_somebody_reads(kind: str, flow: str) -> None:
    """A power cut would leave a notice unread for ever, or a shop that cannot confirm."""
    body = NOTICE if kind == "notice" else ANNOUNCEMENT

    async def begin(bench: Bench) -> None:
        await bench.do("sign_in")
        bench.host.enqueue(kind, body, SERIAL_NUMBER)
        await bench.do("commands")

    async with bench_at(FakeHost()) as bench:
        await begin(bench)
        with bench.hardware.power.watched() as points:
            await bench.do(flow)
    assert {"journal.program", "line.send"} <= set(points)
    for number, phase in cuts(points):
        async with bench_at(FakeHost()) as bench:
            await begin(bench)
            bench.hardware.power.cut_at(number, phase)
            await bench.do_or_die(flow)
            if bench.hardware.power.is_on:
                bench.restart()
            await bench.do(flow)
            await bench.do("sign_in")
            [notice] = bench.terminal.book.notices
            assert notice.read_told
            assert bench.host.read == {1: notice.read_at}
