"""Old firmware in front of our host: it does harm as its profile says, and the gate finds it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from firmware_sim.models import MODELS, Model
from firmware_sim.profiles import PROFILES
from host.policy import Activation, Policy
from pos_lab.doctor.examination import Verdict, examine
from pos_lab.vendor import make_image
from pos_lab.world import Over, World, world
from protocol.codec import seal, unseal
from protocol.fields import F
from tests.end_to_end.shop import Till

SALE_FEN = 60_00
REQUIRED = "9.0.0"
OLD = [name for name in PROFILES if name != "current"]


def model_of(profile: str, *, updates: bool | None = None) -> Model:
    """A model whose factory firmware behaves so."""
    return next(
        model
        for model in MODELS.values()
        if model.factory_profile == profile and updates in (None, model.update_in_place)
    )


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[World]:
    async with world({}, Policy(activation=Activation(turnover_fen=1)), Over.MEMORY, tmp_path, seed=7) as built:
        yield built


@pytest.mark.parametrize("profile", OLD)
async def test_the_gate_refuses_old_firmware(lab: World, profile: str) -> None:
    """Terminals that lose reversals would go on selling after the day on which they must not."""
    model = model_of(profile)
    till = await Till.open(lab, 1, model.id)
    sold = await till.sell(SALE_FEN)
    assert sold.is_good is (profile != "two_digit_tags")
    await lab.act("require_firmware", model=model.id, version=REQUIRED)
    outcome = await till.sell(SALE_FEN)
    expected = ("30", "message.malformed") if profile == "two_digit_tags" else ("58", "firmware.too_old")
    assert (outcome.result, outcome.code, outcome.reason) == ("refused", *expected)


@pytest.mark.parametrize("profile", ["no_sm4", "gives_up_reversals"])
@pytest.mark.feature("G8")
async def test_what_is_told_to_update_does_and_sells_again(lab: World, profile: str) -> None:
    """The shop would be closed until somebody comes with a cable."""
    model = model_of(profile, updates=True)
    till = await Till.open(lab, 1, model.id)
    await lab.act("publish_firmware", model=model.id, version=REQUIRED, image=make_image(model, REQUIRED))
    await lab.act("require_firmware", model=model.id, version=REQUIRED)
    assert (await till.sell(SALE_FEN)).reason == "firmware.too_old"
    assert till.device.terminal.reboot_due
    till.device.terminal.reboot()
    assert (await till.sell(SALE_FEN)).is_good
    assert till.device.terminal.board.running.profile is PROFILES["current"]


@pytest.mark.parametrize("profile", ["no_commands", "old_protocol"])
async def test_what_knows_no_commands_is_not_asked_to_obey_any(lab: World, profile: str) -> None:
    """Only its replacement helps, and an update that nobody fetches would wait for ever (decision 10)."""
    model = model_of(profile)
    till = await Till.open(lab, 1, model.id)
    await lab.act("publish_firmware", model=model.id, version=REQUIRED, image=make_image(model, REQUIRED))
    await lab.act("require_firmware", model=model.id, version=REQUIRED)
    assert (await till.sell(SALE_FEN)).reason == "firmware.too_old"
    assert (await till.do("update")).reason == "terminal.no_extension"
    [row] = (await lab.act("terminals"))["terminals"]  # type: ignore[misc]
    assert (row["extended"], row["firmware"]) == (False, "")
    assert (await lab.act("show", serial_number=row["serial_number"]))["commands"] == []


async def test_a_reversal_that_is_given_up_leaves_the_books_apart(lab: World) -> None:
    """The loss for which this firmware must go could not be shown, nor found by the comparison of the books."""
    till = await Till.open(lab, 1, model_of("gives_up_reversals").id)
    await till.do("sign_in")
    faults = till.device.hardware.faults
    faults.arm("line.drop_reply")
    faults.arm("line.drop_request", when=lambda payload: payload[11:13] == b"\x04\x00", times=3)
    with till.impatient():
        assert (await till.sell(SALE_FEN)).result == "unknown"
        for _ in range(3):
            assert (await till.do("reverse")).reason == "terminal.reversal_pending"
    assert (await till.do("reverse")).is_good
    assert till.device.terminal.book.net_fen == 0
    assert "batch 000001: the rows differ" in await till.differences()
    assert (await till.do("settle")).detail["balanced"] == "no"


async def test_tags_of_two_digits_are_refused_in_words_that_the_doctor_repeats(lab: World) -> None:
    """Nobody at either end could tell why this model cannot sign on."""
    till = await Till.open(lab, 1, model_of("two_digit_tags").id)
    outcome = await till.do("sign_in")
    assert (outcome.result, outcome.code, outcome.reason) == ("refused", "30", "message.malformed")
    assert outcome.text_zh == "报文错误：field 59 at offset 0: tag lengths: 2 digits, not 3"
    request = lab.passed[0].payload
    [case] = examine(len(request).to_bytes(2, "big") + request)
    assert case.verdict is Verdict.FINDINGS
    assert [finding.code for finding in case.findings] == ["tag_length"]


@dataclass(frozen=True)
class Bent:
    """A bit that falls over on the way, in a digit of a field of the first message of an MTI.

    ``lost`` tells that its answer never arrives.
    """

    mti: str
    number: F
    at: int
    lost: bool = False

    def passes(self, payload: bytes) -> bytes:
        """The message, as it arrives."""
        message = unseal(payload).message
        if message.mti != self.mti:
            return payload
        text = message.text(self.number)
        other = str(int(text[self.at]) ^ 2)
        return seal(message.with_fields({self.number: text[: self.at] + other + text[self.at + 1 :]}))


BENT = {
    "its trace number": Bent("0500", F.STAN, 5),
    "its currency": Bent("0500", F.CURRENCY, 1, lost=True),
    "the domestic result": Bent("0510", F.TOTALS, 30),
    "the foreign result": Bent("0510", F.TOTALS, 61),
}


@pytest.mark.parametrize("what", BENT)
@pytest.mark.parametrize("profile", ["no_commands", "old_protocol"])
async def test_a_settlement_that_is_changed_on_the_way_comes_to_its_end(
    lab: World, monkeypatch: pytest.MonkeyPatch, profile: str, what: str
) -> None:
    """A till that adds no MAC to a settlement would, after one bit, settle and sell no more."""
    bent, till = BENT[what], await Till.open(lab, 1, model_of(profile).id)
    assert (await till.sell(SALE_FEN, "debit_stripe")).is_good
    line = till.device.terminal.board.line
    send, receive, left = line.send, line.receive, [bent]

    def passing(payload: bytes) -> bytes:
        arrived = left[0].passes(payload) if left else payload
        if arrived != payload:
            left.clear()
        return arrived

    async def sent(payload: bytes) -> None:
        await send(passing(payload))

    async def received(timeout_s: float) -> bytes:
        return passing(await receive(timeout_s))

    monkeypatch.setattr(line, "send", sent)
    monkeypatch.setattr(line, "receive", received)
    if bent.lost:
        till.device.hardware.faults.arm("line.drop_reply")
    with till.impatient():
        outcome = await till.do("settle")
    if bent.mti == "0500":
        assert outcome.reason == "terminal.no_answer"
        outcome = await till.do("settle")
    assert outcome.is_good
    assert (await till.sell(SALE_FEN, "debit_stripe")).is_good
    await till.assert_sound()
    assert (await till.do("settle")).detail["balanced"] == "yes"
    batches = await lab.read(lambda books: books.rows("batches"))
    assert [(row["batch"], row["state"], row["balanced"]) for row in batches] == [
        ("000001", "closed", True),
        ("000002", "closed", True),
    ]
