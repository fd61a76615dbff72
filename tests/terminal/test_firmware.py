"""New firmware over the line: asked for or commanded, interrupted, refused, tried, confirmed."""

from __future__ import annotations

import hashlib

import pytest

from firmware_sim.power import PowerLost, cuts
from protocol.fields import F
from protocol.private import pack_tags
from tests.terminal.bench import SERIAL_NUMBER, Bench, bench_at, make_image, once, swallow
from tests.terminal.fake_host import Answer, FakeHost

IMAGE = make_image("2.2.0")


def offer(host: FakeHost, image: bytes = IMAGE, version: str = "2.2.0") -> dict[str, str]:
    """The host has an image; returns the body of the command that asks to install it."""
    host.image = image
    sha256 = hashlib.sha256(image).hexdigest()
    host.offered = {"VN": version, "SZ": str(len(image)), "SH": sha256}
    return {"version": version, "size": str(len(image)), "sha256": sha256}


async def test_an_update_is_downloaded_tried_and_confirmed(bench: Bench) -> None:
    """A terminal below the required version could never sell again."""
    offer(bench.host)
    outcome = await bench.do("update")
    assert (outcome.result, outcome.code, bench.terminal.reboot_due) == ("done", "staged", True)
    bench.terminal.reboot()
    assert (bench.terminal.board.running.version, bench.terminal.board.update.on_trial) == ("2.2.0", True)
    assert not bench.terminal.reboot_due
    assert (await bench.sell()).result == "approved"
    assert [name for name, _ in bench.host.requests][-3:] == ["sign_in", "firmware_report", "sale"]
    assert bench.host.reports == [("2.2.0", "confirmed")]
    assert not bench.terminal.board.update.on_trial
    await bench.do("sign_in")
    assert len(bench.host.reports) == 1
    assert (await bench.do("update")).text_en == "the firmware is up to date"


async def test_an_update_that_is_commanded(bench: Bench) -> None:
    """The host could not bring a terminal up to date without a visit."""
    await bench.do("sign_in")
    bench.host.enqueue("update_firmware", offer(bench.host), SERIAL_NUMBER)
    assert (await bench.do("echo")).result == "done"
    assert [told.flow for told in bench.terminal.told] == ["sign_in", "echo", "update", "commands"]
    assert bench.host.acknowledged == {1: "staged"}
    assert bench.terminal.reboot_due
    bench.restart()
    assert bench.terminal.board.running.version == "2.2.0"


@pytest.mark.feature("G8")
async def test_firmware_that_does_not_work_goes_back(bench: Bench) -> None:
    """Bad firmware would turn the terminal into a brick."""
    offer(bench.host)
    await bench.do("update")
    for _ in range(3):
        bench.restart()
        assert bench.terminal.board.running.version == "2.2.0"
    bench.restart()
    assert bench.terminal.board.running.version == "2.1.0"
    await bench.do("sign_in")
    assert bench.host.reports == [("2.2.0", "reverted")]
    assert bench.terminal.book.staged == ""


async def _goes_back(bench: Bench) -> None:
    """New firmware never signs on, and its failure waits to be told."""
    offer(bench.host)
    await bench.do("update")
    for _ in range(4):
        bench.restart()


async def test_a_failed_update_that_is_told_again_is_one_failure(bench: Bench) -> None:
    """Three lost replies would make three failures of one, and the shop would never be brought up to date."""
    await bench.sell()
    await _goes_back(bench)
    for flow in ("settle", "sign_in"):
        bench.host.after.append(once("firmware_report", swallow))
        assert (await bench.do(flow)).result == "done"
    bench.restart()
    await bench.do("sign_in")
    assert bench.terminal.book.batch == "000002"
    first, *again = (message.without(F.MAC) for message in bench.host.asked("firmware_report"))
    assert again == [first, first]
    assert (bench.host.reports, bench.terminal.book.staged) == ([("2.2.0", "reverted")], "")


async def test_a_report_whose_number_is_used_goes_under_the_next_one(bench: Bench) -> None:
    """A device whose memory was set back would send a report at each sign-on that the host can never take."""
    await _goes_back(bench)
    bench.host.before.append(once("firmware_report", lambda answer: answer.refuse("94", "request.key_reused")))
    for _ in range(2):
        await bench.do("sign_in")
    first, second = (message.text(F.STAN) for message in bench.host.asked("firmware_report"))
    assert first < second
    assert (bench.host.reports, bench.terminal.book.staged) == ([("2.2.0", "reverted")], "")


async def test_an_answer_to_a_report_that_nobody_signed_is_none(bench: Bench) -> None:
    """Whoever writes on the line could keep a failed update from the acquirer."""
    await _goes_back(bench)
    bench.host.after.append(once("firmware_report", lambda answer: setattr(answer, "mak", b"")))
    await bench.do("sign_in")
    assert bench.terminal.book.staged == "2.2.0"
    await bench.do("sign_in")
    assert bench.terminal.book.staged == ""


async def test_no_update_while_money_is_in_flight(bench: Bench) -> None:
    """New firmware might not understand the old journal, and the reversal be lost (F4)."""
    offer(bench.host)
    bench.host.after.append(lambda answer: swallow(answer) if "sale" in answer.kind else None)
    await bench.sell()
    outcome = await bench.do("update")
    assert (outcome.result, outcome.reason) == ("refused", "terminal.reversal_pending")
    bench.host.enqueue("update_firmware", offer(bench.host), SERIAL_NUMBER)
    assert (await bench.do("commands")).reason == "terminal.reversal_pending"
    bench.host.after.clear()
    assert (await bench.do("commands")).result == "done"
    assert bench.host.acknowledged == {1: "staged"}
    assert bench.states() == {"000002": "reversed"}


async def test_an_interrupted_download_goes_on(bench: Bench) -> None:
    """A slow line would never get an image through."""
    body = offer(bench.host)
    bench.host.enqueue("update_firmware", body, SERIAL_NUMBER)
    bench.host.after.append(lambda answer: swallow(answer) if b"OF003900" in answer.request.octets(F.PAYLOAD) else None)
    assert (await bench.do("commands")).result == "unknown"
    bench.restart()
    bench.host.after.clear()
    assert (await bench.do("commands")).result == "done"
    asked = [message.octets(F.PAYLOAD)[-6:] for message in bench.host.asked("firmware_chunk")]
    assert asked == [b"OF0010", b"003900", b"003900", b"041800"]
    assert bench.host.acknowledged == {1: "staged"}


@pytest.mark.parametrize("data", [b"", b"OF0010DA003abc", b"?"])
async def test_chunks_that_make_no_sense(bench: Bench, data: bytes) -> None:
    """A host that answers nonsense would keep the terminal in the download for ever."""
    offer(bench.host)

    def nonsense(answer: Answer) -> None:
        answer.fields[F.PAYLOAD] = data

    bench.host.after.append(lambda answer: nonsense(answer) if answer.kind == "firmware_chunk" else None)
    assert (await bench.do("update")).reason == "terminal.bad_reply"


async def test_no_offer_and_a_senseless_one(bench: Bench) -> None:
    """A terminal would download whatever its host happens to say."""
    assert (await bench.do("update")).text_en == "no firmware is offered"
    bench.host.offered = {"VN": "new", "SZ": "1", "SH": "00"}
    assert (await bench.do("update")).reason == "terminal.bad_reply"
    offer(bench.host)
    bench.host.before.append(once("firmware_chunk", lambda answer: answer.refuse("96", "host.failure")))
    assert (await bench.do("update")).code == "96"


@pytest.mark.parametrize(
    ("announced", "reason"), [(-1, "update.too_large"), (1, "terminal.bad_reply"), (-900, "update.too_large")]
)
async def test_an_image_of_another_size_than_announced(bench: Bench, announced: int, reason: str) -> None:
    """A host that never stops sending would fill the memory of the terminal, one that stops early hold it for ever."""
    offer(bench.host)
    bench.host.offered["SZ"] = str(len(IMAGE) + announced)
    assert (await bench.do("update")).reason == reason
    bench.restart()
    assert (bench.terminal.board.running.version, bench.terminal.book.staged) == ("2.1.0", "")


async def test_a_chunk_that_comes_for_another_place(bench: Bench) -> None:
    """A reply of yesterday would be written over the middle of the image."""
    offer(bench.host)
    repeated = pack_tags([("OF", b"0"), ("DA", IMAGE[:900])])
    bench.host.after.append(
        lambda answer: answer.fields.update({F.PAYLOAD: repeated}) if answer.kind == "firmware_chunk" else None
    )
    assert (await bench.do("update")).reason == "terminal.bad_reply"
    assert bench.terminal.board.update.download is not None
    assert bench.terminal.board.update.download.offset == 900


async def test_a_command_to_update_waits_for_the_charger(bench: Bench) -> None:
    """The order would be used up on a device that could not obey it (T16)."""
    power = bench.hardware.power
    power.unplug()
    power.drain(90)
    bench.host.enqueue("update_firmware", offer(bench.host), SERIAL_NUMBER)
    assert (await bench.do("commands")).reason == "update.battery_low"
    assert not bench.host.acknowledged
    power.plug()
    assert (await bench.do("commands")).result == "done"
    assert bench.host.acknowledged == {1: "staged"}


async def test_firmware_with_another_journal_waits_for_the_settlement(bench: Bench) -> None:
    """New firmware would find a batch in its memory that it cannot read (F4)."""
    await bench.sell()
    body = offer(bench.host, make_image("2.2.0", journal_format=2))
    bench.host.enqueue("update_firmware", body, SERIAL_NUMBER)
    assert (await bench.do("commands")).reason == "update.batch_open"
    assert (await bench.do("settle")).result == "done"
    assert bench.host.acknowledged == {1: "staged"}
    assert len(bench.host.asked("firmware_chunk")) == 3
    assert bench.terminal.reboot_due


async def test_a_failure_whose_number_was_taken_is_told_after_the_power_went(bench: Bench) -> None:
    """The host would offer an update that fails for ever, where it had heard something else under the number (G8)."""
    await _goes_back(bench)
    bench.host.before.append(once("firmware_report", lambda answer: answer.refuse("94", "request.key_reused")))
    assert (await bench.do("sign_in")).is_good
    bench.restart()
    assert (await bench.do("sign_in")).is_good
    assert bench.host.reports == [("2.2.0", "reverted")]
    assert bench.terminal.book.staged == ""


async def _bring_up_to_date(bench: Bench) -> None:
    """As a cashier would, who switches on again whatever goes dark."""
    for _ in range(6):
        try:
            await bench.terminal.do("commands")
            if bench.terminal.reboot_due:
                bench.terminal.reboot()
        except PowerLost:
            bench.restart()


async def _commanded(bench: Bench) -> None:
    await bench.do("sign_in")
    bench.host.enqueue("update_firmware", offer(bench.host, make_image("2.2.0", b"p" * 900)), SERIAL_NUMBER)


async def test_a_cut_at_every_point_of_an_update() -> None:
    """A power cut in the update would leave a brick, or a terminal that never updates."""
    async with bench_at(FakeHost()) as bench:
        await _commanded(bench)
        with bench.hardware.power.watched() as points:
            await _bring_up_to_date(bench)
    for operation, phase in cuts(points):
        async with bench_at(FakeHost()) as bench:
            await _commanded(bench)
            bench.hardware.power.cut_at(operation, phase)
            await _bring_up_to_date(bench)
            if bench.host.reports == [("2.2.0", "reverted")]:  # the power went on trial: the host asks again
                await bench.do("update")
                bench.terminal.reboot()
                await bench.do("sign_in")
            assert bench.terminal.board.running.version == "2.2.0", operation
            assert not bench.terminal.board.update.on_trial
            assert list(bench.host.acknowledged) == [1], operation
            assert bench.terminal.book.staged == ""
