"""Old firmware misbehaves as its profile says, and in nothing else."""

from __future__ import annotations

import pytest

from firmware_sim.profiles import PROFILES
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.message import Message
from protocol.private import Control, DeviceInfo
from terminal.outcome import LOCAL
from terminal.transaction import State
from tests.terminal.bench import SERIAL_NUMBER, Bench, bench_at, make_image, swallow
from tests.terminal.fake_host import Answer, FakeHost
from tests.terminal.test_commands import NOTICE
from tests.terminal.test_firmware import offer

EXTENDED = [name for name, profile in PROFILES.items() if profile.extensions and profile.tag_length_digits == 3]
FOREIGN = [name for name, profile in PROFILES.items() if not profile.extensions]


def device(message: Message) -> DeviceInfo:
    return DeviceInfo.parse(message.octets(F.DEVICE))


def deaf(answer: Answer) -> None:
    """The host hears no sale and no reversal of one."""
    if "sale" in answer.kind:
        swallow(answer)


@pytest.mark.parametrize("profile", PROFILES)
async def test_every_firmware_sells(profile: str) -> None:
    """An old terminal would be an empty box, and nothing could be found out about it."""
    async with bench_at(FakeHost(demands_mac=PROFILES[profile].extensions), profile=profile) as bench:
        assert (await bench.sell()).result == "approved"
        assert (await bench.do("settle")).detail["balanced"] == "yes"


@pytest.mark.parametrize("profile", EXTENDED)
async def test_extended_firmware_says_who_it_is_and_obeys(profile: str) -> None:
    """A terminal that could be told of its end would never hear of it."""
    async with bench_at(FakeHost(), profile=profile) as bench:
        bench.host.enqueue("notice", NOTICE, SERIAL_NUMBER)
        await bench.sell()
        assert device(bench.host.asked("sale")[0]) == DeviceInfo(SERIAL_NUMBER, "02010000", "PX-E90")
        assert bench.host.acknowledged == {1: "done"}


@pytest.mark.parametrize("profile", FOREIGN)
async def test_firmware_without_the_extensions_knows_nothing_of_them(profile: str) -> None:
    """The host would wait for an answer from a terminal that does not know the question (decision 10)."""
    host = FakeHost(demands_mac=False)
    async with bench_at(host, profile=profile) as bench:
        host.enqueue("notice", NOTICE, SERIAL_NUMBER)
        offer(host)
        await bench.sell()
        for flow in ("commands", "why", "update"):
            assert (await bench.do(flow)).reason == "terminal.no_extension"
        await bench.do("echo")
        await bench.do("settle")
        assert {name for name, _ in host.requests} == {"sign_in", "sale", "echo", "settlement", "batch_end"}
        for _, message in host.requests:
            assert device(message) == DeviceInfo(SERIAL_NUMBER, "02010000")
        assert not host.asked("echo")[0].has(F.MAC)
        assert not host.asked("settlement")[0].has(F.PAYLOAD)
        assert not host.acknowledged


async def test_a_refusal_without_the_extensions_has_no_remedy() -> None:
    """The emulated old terminal would be friendlier than a real one."""
    host = FakeHost()
    async with bench_at(host, profile="no_commands") as bench:
        host.before.append(lambda answer: answer.refuse("58", "model.retired") if answer.kind == "sale" else None)
        outcome = await bench.sell()
        assert (outcome.result, outcome.reason, outcome.remedy_en) == ("refused", "model.retired", "")
        assert not host.asked("why")


async def test_tags_with_lengths_of_two_digits() -> None:
    """The fault for which the host must have an answer could not be shown."""
    async with bench_at(FakeHost(), profile="two_digit_tags") as bench:
        await bench.sell()
        sale = bench.host.asked("sale")[0]
        assert sale.octets(F.DEVICE).startswith(b"A20390213" + SERIAL_NUMBER.encode())
        with pytest.raises(DecodeError) as refused:
            device(sale)
        assert refused.value.code == "tag_length"
        await bench.do("settle")
        assert bench.host.asked("settlement")[0].octets(F.PAYLOAD).startswith(b"KD32")


async def test_a_reversal_is_forgotten_after_three_tries() -> None:
    """The customer pays for nothing, and neither book says so: why this firmware must go."""
    host = FakeHost()
    async with bench_at(host, profile="gives_up_reversals") as bench:
        await bench.do("sign_in")
        host.after.append(deaf)
        assert (await bench.sell()).result == "unknown"
        for tries in ("1", "2", "3"):
            outcome = await bench.do("reverse")
            assert (outcome.reason, outcome.detail["tries"]) == ("terminal.reversal_pending", tries)
        assert bench.states() == {"000002": State.CLEARED}
        assert bench.terminal.book.events[-1].what == "reversal given up"
        assert (await bench.do("reverse")).result == "done"
        assert len(host.asked("sale_reversal")) == 3


async def test_firmware_of_today_never_forgets_a_reversal(bench: Bench) -> None:
    """A table with one wrong number, and every terminal would lose money again."""
    await bench.do("sign_in")
    bench.host.after.append(deaf)
    await bench.sell()
    for _ in range(6):
        await bench.do("reverse")
    assert bench.states() == {"000002": State.MUST_REVERSE}


async def test_an_old_edition_of_the_specification() -> None:
    """Nothing would be left that a protocol gate could refuse."""
    async with bench_at(FakeHost(), profile="old_protocol") as bench:
        await bench.sell()
        assert {message.header.version for _, message in bench.host.requests if message.header} == {"10"}
        assert Control.parse(bench.host.asked("sign_in")[0].text(F.CONTROL)).network == "001"


@pytest.mark.parametrize(("model", "version"), [("PX-E90", "32"), ("PX-S60", "31")])
async def test_the_header_tells_the_edition_that_the_model_knows(model: str, version: str) -> None:
    """Every device would claim to know the newest edition."""
    async with bench_at(FakeHost(), model=model) as bench:
        await bench.do("echo")
        header = bench.host.asked("echo")[0].header
        assert header is not None
        assert header.version == version


async def test_an_update_leaves_the_old_behaviour_behind() -> None:
    """A terminal would be refused for a fault that its new firmware no longer has."""
    host = FakeHost()
    async with bench_at(host, profile="gives_up_reversals") as bench:
        offer(host)
        await bench.do("update")
        bench.restart()
        assert bench.terminal.board.running.profile is PROFILES["current"]


async def test_an_update_to_firmware_without_the_extensions_is_kept_and_not_reported() -> None:
    """A device whose new firmware cannot report would be on trial for ever."""
    host = FakeHost()
    async with bench_at(host) as bench:
        offer(host, make_image("2.2.0", profile="no_commands"))
        await bench.do("update")
        bench.restart()
        assert (await bench.sell()).result == "approved"
        assert (bench.terminal.board.update.on_trial, bench.terminal.book.staged, host.reports) == (False, "", [])


def test_every_refusal_of_an_update_has_words() -> None:
    """The cashier would be shown a traceback in place of a reason."""
    from firmware_sim.admission import STAGE_RULES

    assert {f"update.{rule.code}" for rule in STAGE_RULES} <= LOCAL.keys()


@pytest.mark.parametrize("network", ["005", "006"])
@pytest.mark.parametrize("profile", [name for name, profile in PROFILES.items() if not profile.sm4])
async def test_firmware_that_does_not_know_sm4_asks_for_no_such_keys(profile: str, network: str) -> None:
    """The shop would get keys that its terminal cannot use, and stand still until somebody comes."""
    async with bench_at(FakeHost(), profile=profile, network=network) as bench:
        outcome = await bench.do("sign_in")
        if PROFILES[profile].network:
            assert outcome.result == "done"
        else:
            assert (outcome.result, outcome.reason) == ("refused", "terminal.no_sm4")
            assert not bench.host.requests
