"""Electronic signatures from the pad to the evidence: drawn at the counter, a picture in the acquirer's hands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware_sim.cards import TEST_CARDS
from firmware_sim.faults import Faults
from firmware_sim.power import Power
from firmware_sim.signature_pad import SIGNATURES, SignaturePad
from protocol.jbig.bitmap import Bitmap, read_pbm
from protocol.jbig.decoder import decode
from terminal.transaction import Signing
from tests.end_to_end.shop import Till, poslab

pytestmark = pytest.mark.feature("E")

PIN = "123456"


async def drawn(name: str, code: str) -> Bitmap:
    """What a pad makes of a signature."""
    power = Power()
    power.switch_on()
    pad = SignaturePad(power, Faults())
    pad.sign(SIGNATURES[name])
    return (await pad.capture(0, feature_code=code)).bitmap


async def kept(till: Till) -> list[dict[str, Any]]:
    """What the host has of this till."""
    rows: list[dict[str, Any]] = await till.world.read(
        lambda books: books.rows("signatures", terminal_id=till.device.member.terminal_id)
    )
    return rows


async def missing(till: Till) -> list[str]:
    """The STANs for which the host misses a signature."""
    told: Any = await till.world.act("missing_signatures", terminal_id=till.device.member.terminal_id)
    return [row["stan"] for row in told["missing"]]


def signing(till: Till, stan: str) -> Signing:
    """What the till says about the signature of a sale."""
    row = till.device.terminal.book.find(stan)
    assert row is not None
    return row.signature


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("sale", "60.00", "credit", PIN), "wave"),
        (("sale", "300.01", "debit", PIN), "cross"),
        (("sale", "60.00", "debit_stripe", PIN), "loop"),
        (("qr_sale", "60.00", "6200000000000000017"), "initials"),
        (("preauth", "60.00", "credit", PIN), "wave"),
    ],
    ids=["chip", "tap", "swipe", "code", "hold"],
)
async def test_the_image_at_the_host_is_the_one_that_was_drawn(till: Till, words: tuple[str, ...], name: str) -> None:
    """In a dispute the acquirer would show something that nobody signed."""
    assert (await till.sell(1_00)).is_good
    outcome = await till.do(*words, name)
    assert outcome.result == "approved", outcome
    (row,) = await kept(till)
    assert (row["stan"], row["batch"]) == (outcome.stan, "000001")
    assert decode(row["image"]) == await drawn(name, row["feature_code"])
    assert any(screen.en.endswith(row["feature_code"]) for screen in till.device.hardware.shown)
    assert signing(till, outcome.stan) is Signing.UPLOADED
    assert await missing(till) == []
    assert (await till.do("settle")).is_good
    await till.assert_sound()


async def test_a_lost_reply_leaves_one_signature(till: Till) -> None:
    """The host would have two signatures for one sale, or the shop a paper slip besides (G1)."""
    faults = till.device.hardware.faults
    faults.arm("line.drop_reply", when=lambda payload: payload[11:13] == b"\x08\x30")
    till.device.terminal.session.settings = till.device.terminal.settings.model_copy(update={"reply_timeout_s": 1.0})
    outcome = await till.sell(60_00, "credit")
    assert faults.fired["line.drop_reply"] == 1
    assert signing(till, outcome.stan) is Signing.CAPTURED
    assert len(await kept(till)) == 1
    await till.do("echo")
    assert signing(till, outcome.stan) is Signing.UPLOADED
    assert len(await kept(till)) == 1
    await till.assert_sound()


async def test_a_void_keeps_the_signature(till: Till) -> None:
    """Nobody could show later what was signed and taken back."""
    outcome = await till.sell(60_00, "credit")
    assert (await till.do("void", outcome.stan)).is_good
    told: Any = await till.world.act("signatures", terminal_id=till.device.member.terminal_id)
    assert [row["state"] for row in told["signatures"]] == ["voided"]
    assert await missing(till) == []


async def test_who_signs_on_paper_is_missing_at_the_host(till: Till) -> None:
    """The acquirer would learn in the dispute that it has no signature (G1)."""
    outcome = await till.do("sale", "60.00", "credit", PIN, "cancel")
    assert signing(till, outcome.stan) is Signing.PAPER
    assert await missing(till) == [outcome.stan]
    assert (await till.do("settle")).detail["balanced"] == "yes"
    await till.assert_sound()


async def test_a_stopped_till_brings_its_signatures(till: Till) -> None:
    """A stop would destroy the evidence of the day (G5)."""
    faults = till.device.hardware.faults
    faults.arm("line.drop_request", when=lambda payload: payload[11:13] == b"\x08\x20")
    till.device.terminal.session.settings = till.device.terminal.settings.model_copy(update={"reply_timeout_s": 1.0})
    outcome = await till.sell(60_00, "credit")
    assert signing(till, outcome.stan) is Signing.CAPTURED
    await till.world.act("stop", serial_number=till.device.member.serial_number)
    assert (await till.do("settle")).detail["balanced"] == "yes"
    assert [row["stan"] for row in await kept(till)] == [outcome.stan]


async def test_nothing_of_the_card_is_left_behind(till: Till, tmp_path: Path) -> None:
    """The evidence would give the card away (P1)."""
    for name in ("credit", "debit_stripe"):
        assert (await till.sell(60_00, name)).is_good
    hardware = till.device.hardware
    screens = "\n".join(screen.zh + screen.en for screen in hardware.shown).encode()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("host.db*"))
    for left in (hardware.chips.journal.image, screens, stored):
        for card in TEST_CARDS.values():
            for canary in (card.pan, card.pan[::-1], card.track2):
                assert canary.encode() not in left
                assert canary.encode().hex().encode() not in left
            assert bytes.fromhex(card.pan) not in left


async def test_a_signature_as_a_file(till: Till, tmp_path: Path) -> None:
    """Whoever decides the dispute could not open the evidence."""
    outcome = await till.do("sale", "60.00", "credit", PIN, "loop")
    where = (till.device.member.terminal_id, "000001", outcome.stan, "--db", str(tmp_path / "host.db"))
    out = tmp_path / "signature.pbm"
    done = poslab("admin", "signature", *where, "--form", "pbm", "--out", str(out), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (row,) = await kept(till)
    assert read_pbm(out.read_bytes()) == await drawn("loop", row["feature_code"])
    shown = poslab("admin", "signature", *where, "--json", cwd=tmp_path)
    assert '"bytes"' in shown.stdout
    assert TEST_CARDS["credit"].pan not in shown.stdout
