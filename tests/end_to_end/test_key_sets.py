"""Keys from sign-on to settlement through the real host: every set of CUP 5.2, SM4 too, and master keys on the line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firmware_sim.cards import TEST_CARDS
from firmware_sim.key_slots import Algorithm
from firmware_sim.line import Direction
from firmware_sim.secure_module import KeyState
from host.policy import Activation, Policy
from pos_lab.world import Over, World, world
from protocol.codec import unseal
from protocol.fields import F
from protocol.kinds import identify
from protocol.message import Message
from tests.end_to_end.shop import Till

# network -> algorithm, field 53 of a sale with PIN (CUP 2.3, 5.2)
SETS = {
    "001": (Algorithm.DES, "2000000000000000"),
    "003": (Algorithm.TDES, "2600000000000000"),
    "004": (Algorithm.TDES, "2610000000000000"),
    "005": (Algorithm.SM4, "2300000000000000"),
    "006": (Algorithm.SM4, "2310000000000000"),
}


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[World]:
    """A host whose terminals a first sale activates."""
    async with world({}, Policy(activation=Activation(turnover_fen=1)), Over.MEMORY, tmp_path, seed=11) as built:
        yield built


def ask_for(till: Till, network: str) -> None:
    """Set the terminal up for a set of keys (60.3)."""
    session = till.device.terminal.session
    session.settings = session.settings.model_copy(update={"network": network})


def asked(lab: World, kind: str) -> list[Message]:
    """The requests of a kind that went over the line."""
    messages = [unseal(row.payload).message for row in lab.passed if row.direction is Direction.SENT]
    return [message for message in messages if (identity := identify(message)) and identity.kind.name == kind]


def is_key_reply(payload: bytes) -> bool:
    """Is this the answer with the master key?"""
    identity = identify(unseal(payload).message)
    return bool(identity and identity.kind.name == "master_key")


@pytest.mark.parametrize("network", SETS)
async def test_a_day_with_every_set_of_keys(lab: World, network: str) -> None:
    """A terminal that signs on for SM4 would be refused at its first sale, or its PINs be read by nobody."""
    till = await Till.open(lab, 1)
    ask_for(till, network)
    algorithm, security = SETS[network]
    assert (await till.sell(60_00, "debit_stripe")).result == "approved"
    module = till.device.terminal.board.secure_module
    assert (module.key_state, module.algorithm) == (KeyState.WORKING, algorithm)
    request = asked(lab, "sale")[0]
    assert request.text(F.SECURITY) == security
    is_wide = algorithm is Algorithm.SM4
    assert (request.has(F.PIN_BLOCK), request.has(F.PRIVATE57)) == (not is_wide, is_wide)
    assert (request.text(F.TRACK2) == TEST_CARDS["debit_stripe"].track2) is (security[2] == "0")
    wrong = await till.sell(60_00, "debit_stripe", pin="654321")
    assert (wrong.code, wrong.reason) == ("55", "card.wrong_pin")
    tapped = await till.sell(400_00)
    assert tapped.result == "approved"
    assert (await till.do("void", tapped.stan)).result == "approved"
    assert (await till.do("settle")).is_good
    await till.assert_sound()


async def test_a_lost_reply_is_reversed_under_sm4(lab: World) -> None:
    """The reversal would carry a MAC that the host cannot read, and the customer pay twice."""
    till = await Till.open(lab, 2)
    ask_for(till, "006")
    await till.do("sign_in")
    till.device.hardware.faults.arm("line.drop_reply")
    assert (await till.sell(60_00)).result == "unknown"
    till.device.power_cycle()
    ask_for(till, "006")
    await till.resolve()
    assert (await till.sell(10_00)).result == "approved"
    await till.assert_sound()


async def test_from_3des_to_sm4_with_a_reversal_pending(lab: World) -> None:
    """Whoever changes the algorithm of a terminal would lose what was not resolved yet."""
    till = await Till.open(lab, 3)
    assert (await till.sell(60_00)).result == "approved"
    till.device.hardware.faults.arm("line.drop_reply")
    assert (await till.sell(61_00)).result == "unknown"
    ask_for(till, "006")
    await till.do("sign_in")
    await till.resolve()
    assert till.device.terminal.board.secure_module.algorithm is Algorithm.SM4
    await till.assert_sound()


async def test_a_master_key_over_the_line(lab: World) -> None:
    """No terminal could ever be brought into service without a clear key on the way."""
    till = await Till.open(lab, 4)
    who, module = till.device.member, till.device.terminal.board.secure_module
    module.loader.load_host_key(b"N" * 32)
    assert module.key_state is KeyState.NONE
    card = await lab.act("allow_download", serial_number=who.serial_number)
    module.loader.load_host_key(bytes.fromhex(str(card["host_public_key"])))
    assert (await till.do("download_master_key")).is_good
    assert (await till.sell(60_00)).result == "approved"
    await till.assert_sound()


async def test_a_renewed_master_key_with_a_lost_reply(lab: World) -> None:
    """The host would have the new key and the terminal the old one, and neither know it (A14, K2)."""
    till = await Till.open(lab, 5)
    who, module = till.device.member, till.device.terminal.board.secure_module
    assert (await till.sell(60_00)).result == "approved"
    renewed = await lab.act("renew_tmk", serial_number=who.serial_number)
    assert (await till.sell(61_00)).result == "approved", "its working keys stay good"
    till.device.hardware.faults.arm("line.drop_reply", when=is_key_reply)
    assert not (await till.do("download_master_key")).is_good
    assert (await till.do("sign_in")).reason == "terminal.bad_keys"
    assert (await till.sell(62_00)).result == "approved", "the keys of before count until new ones are proven"
    assert (await till.do("download_master_key")).detail["check_value"] == renewed["check_value"]
    assert module.key_state is KeyState.TMK
    assert (await till.sell(63_00)).result == "approved"
    await till.assert_sound()


async def test_no_download_for_whoever_asks(lab: World) -> None:
    """A terminal id from a receipt would be enough for its master key (A07)."""
    till = await Till.open(lab, 6)
    outcome = await till.do("download_master_key")
    assert (outcome.code, outcome.reason) == ("58", "key.download_closed")
    assert outcome.remedy_en == "ask the acquirer to open it"
