"""Signatures at the terminal: asked for after the approval, uploaded, sent again, given up; money never cares."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from firmware_sim.cards import TEST_CARDS
from firmware_sim.errors import NvramFull
from firmware_sim.faults import Faults
from firmware_sim.keypad import Key as Button
from firmware_sim.power import Power
from firmware_sim.signature_pad import SIGNATURES, SignaturePad
from protocol.feature_code import feature_code
from protocol.fields import F
from protocol.jbig.bitmap import Bitmap
from protocol.jbig.decoder import decode
from protocol.private.receipt import read_receipt
from terminal.book import ClosedBatch
from terminal.journal import SIGNATURE_BYTES, TRANSACTION_BYTES
from terminal.records import BatchClosed, Record
from terminal.transaction import Key, Signing
from tests.terminal.bench import Bench, bench_at, swallow, without_mac
from tests.terminal.fake_host import Answer, FakeHost

pytestmark = pytest.mark.feature("E")

PIN = "123456"
DATE = "0301"


def dated(answer: Answer) -> None:
    """A host that names the day of settlement."""
    answer.fields[F.SETTLEMENT_DATE] = DATE


def lost(answer: Answer) -> None:
    """No upload is ever answered."""
    if answer.kind == "signature_upload":
        swallow(answer)


def refused(answer: Answer) -> None:
    """Every upload is refused."""
    if answer.kind == "signature_upload":
        answer.refuse("96", "host.failure")


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with bench_at(FakeHost()) as built:
        built.host.after.append(dated)
        yield built


async def signed_sale(bench: Bench, signature: str = "", card: str = "credit") -> Signing:
    """Sell, and tell what became of the signature."""
    outcome = await bench.do("sale", "60.00", card, PIN, signature)
    assert outcome.result == "approved", outcome
    row = bench.terminal.book.find(outcome.stan)
    assert row is not None
    return row.signature


async def drawn(name: str, code: str) -> Bitmap:
    """What a pad makes of a signature."""
    power = Power()
    power.switch_on()
    pad = SignaturePad(power, Faults())
    pad.sign(SIGNATURES[name])
    return (await pad.capture(0, feature_code=code)).bitmap


@pytest.mark.parametrize("name", SIGNATURES)
async def test_what_was_signed_is_what_is_uploaded(bench: Bench, name: str) -> None:
    """In a dispute the acquirer would show another signature, or one without its sale."""
    assert await signed_sale(bench, name) is Signing.UPLOADED
    request = bench.host.asked("signature_upload")[0]
    code = feature_code(DATE, request.text(F.RRN))
    assert decode(request.octets(F.PAYLOAD)) == await drawn(name, code)
    assert (request.text(F.STAN), request.text(F.SETTLEMENT_DATE)) == ("000002", DATE)
    assert request.text(F.CONTROL) == "07000001800"
    told = {tag.key: value for tag, value in read_receipt(request.octets(F.ICC))}
    assert told["amount_approved"] == b"000000006000"
    assert told["transaction_type"].decode("gb18030") == "消费"
    assert {"application_id", "cryptogram", "verification_results", "transaction_counter"} <= told.keys()
    assert any(screen.en == f"please sign\n{code}" for screen in bench.hardware.shown)
    assert bench.terminal.book.signatures == ()


@pytest.mark.parametrize(("amount", "signing"), [("300.00", Signing.FREE), ("300.01", Signing.UPLOADED)])
async def test_small_taps_need_no_signature(bench: Bench, amount: str, signing: Signing) -> None:
    """A queue would stand at the counter for a coffee, or a dear sale go unsigned (CUP 7.9)."""
    outcome = await bench.do("sale", amount, "debit", PIN)
    row = bench.terminal.book.find(outcome.stan)
    assert row is not None
    assert row.signature is signing
    assert len(bench.host.asked("signature_upload")) == (signing is Signing.UPLOADED)
    assert any("no signature required" in line for line in outcome.receipt_en) is (signing is Signing.FREE)


async def test_the_shop_may_ask_for_fewer_signatures() -> None:
    """A shop could not follow the rules of its acquirer."""
    async with bench_at(FakeHost(), signature_above_fen=6000, no_signature=False) as bench:
        assert await signed_sale(bench) is Signing.FREE
        assert (await bench.do("sale", "60.01", "debit", PIN)).is_good
        assert [str(row.signature) for row in bench.terminal.book.rows.values()] == ["free", "uploaded"]


async def test_nobody_signs_for_what_was_declined(bench: Bench) -> None:
    """The customer would sign for nothing, and the signature turn up under the next sale."""
    bench.host.before.append(lambda answer: answer.refuse("51") if answer.kind == "sale" else None)
    assert (await bench.do("sale", "60.00", "credit", PIN, "cross")).result == "refused"
    bench.host.before.clear()
    assert await signed_sale(bench, "none") is Signing.PAPER
    assert bench.host.signatures == {}


@pytest.mark.parametrize(("word", "why"), [("cancel", "cancelled"), ("none", "timeout")])
async def test_who_does_not_sign_gets_a_paper_slip(bench: Bench, word: str, why: str) -> None:
    """A sale that was approved would be taken back, or stay without any signature."""
    assert await signed_sale(bench, word) is Signing.PAPER
    _is_on_paper(bench, why)


def _is_on_paper(bench: Bench, why: str) -> None:
    told = bench.terminal.told[-1]
    assert (told.flow, told.result, told.reason, told.detail["why"]) == ("signature", "done", "signature.paper", why)
    assert bench.terminal.book.events[-1].detail == f"000001/000002: {why}"
    assert bench.captured() == bench.host.captured() != set()
    assert bench.host.asked("signature_upload") == []


async def test_a_reference_number_of_letters_gives_no_feature_code(bench: Bench) -> None:
    """A foreign host would crash the till after it had sold."""
    bench.host.after.append(lambda answer: answer.fields.update({F.RRN: "ABC000000001"}))
    assert await signed_sale(bench) is Signing.PAPER


@pytest.mark.parametrize("rule", [lost, refused])
async def test_three_resends_then_paper(bench: Bench, rule: Callable[[Answer], None]) -> None:
    """A host that takes no signature would be asked for ever, or the evidence be forgotten after one try."""
    bench.host.after.append(rule)
    assert await signed_sale(bench) is Signing.CAPTURED
    for tries in (2, 3):
        await bench.do("echo")
        assert len(bench.host.asked("signature_upload")) == tries
        assert bench.terminal.book.signatures[0].tries == tries
    await bench.do("echo")
    for _ in range(2):
        await bench.do("echo")
    uploads = bench.host.asked("signature_upload")
    assert len(uploads) == 4
    assert len({str(sorted(each.without(F.MAC).fields.items())) for each in uploads}) == 1
    assert bench.terminal.book.signatures == ()
    assert bench.terminal.book.rows[Key("000001", "000002")].signature is Signing.PAPER
    assert bench.terminal.told[-3].reason == "signature.paper"
    assert bench.captured() == bench.host.captured()


async def test_a_settlement_waits_for_no_signature(bench: Bench) -> None:
    """A shop could not settle for a picture that the host does not take (G3)."""
    bench.host.after.append(refused)
    assert await signed_sale(bench) is Signing.CAPTURED
    settled = await bench.do("settle")
    assert (settled.result, settled.detail["balanced"]) == ("done", "yes")
    assert len(bench.host.asked("signature_upload")) == 4
    assert [told.reason for told in bench.terminal.told[-2:]] == ["signature.paper", ""]


async def test_what_the_host_has_already_counts_as_stored(bench: Bench) -> None:
    """CUP 6: a lost reply would end on paper although the signature is there."""
    bench.host.after.append(lost)
    assert await signed_sale(bench) is Signing.CAPTURED
    bench.host.after.clear()
    bench.host.before.append(lambda answer: answer.refuse("94") if answer.kind == "signature_upload" else None)
    await bench.do("echo")
    assert bench.terminal.book.rows[Key("000001", "000002")].signature is Signing.UPLOADED


async def test_an_answer_that_nobody_proved_is_none(bench: Bench) -> None:
    """Whoever sits on the line could make the evidence disappear."""
    bench.host.after.append(lambda answer: without_mac(answer) if answer.kind == "signature_upload" else None)
    assert await signed_sale(bench) is Signing.CAPTURED
    assert bench.terminal.book.signatures[0].tries == 1


async def test_queued_signatures_go_after_the_next_flow() -> None:
    """A shop on a slow line would wait for the picture of one customer while the next one stands there (N24)."""
    async with bench_at(FakeHost(), signature_upload="queued") as bench:
        assert await signed_sale(bench) is Signing.CAPTURED
        assert await signed_sale(bench) is Signing.CAPTURED
        assert [each.text(F.STAN) for each in bench.host.asked("signature_upload")] == ["000002"]
        assert [row.stan for row in bench.terminal.book.signatures] == ["000003"]
        assert (await bench.do("settle")).is_good
        assert set(bench.host.signatures) == {Key("000001", "000002"), Key("000001", "000003")}


async def test_signatures_that_wait_outlive_the_power() -> None:
    """The evidence of a day would be gone with a plug (G5)."""
    async with bench_at(FakeHost(), signature_upload="queued") as bench:
        assert await signed_sale(bench, "cross") is Signing.CAPTURED
        kept = bench.terminal.book.signatures
        assert "image" not in repr(kept[0])
        bench.restart()
        assert bench.terminal.book.signatures == kept
        bench.terminal.session.journal.compact()
        bench.restart()
        assert bench.terminal.book.signatures == kept
        assert (await bench.do("settle")).is_good
        assert set(bench.host.signatures) == {Key("000001", "000002")}


async def test_signatures_that_wait_outlive_their_batch(bench: Bench) -> None:
    """The evening's settlement would drop the evidence, or send it under the wrong batch (G5)."""
    bench.host.after.append(lost)
    assert await signed_sale(bench) is Signing.CAPTURED
    waiting = bench.terminal.book.signatures
    summary = ClosedBatch(
        batch="000001", debit_fen=6000, debit_count=1, credit_fen=0, credit_count=0, digest="", balanced=True, at=0
    )
    bench.terminal.session.journal.append(BatchClosed(summary=summary))
    bench.terminal.session.journal.compact()
    bench.restart()
    assert (bench.terminal.book.batch, bench.terminal.book.signatures) == ("000002", waiting)
    bench.host.after.clear()
    await bench.do("echo")
    assert bench.terminal.book.signatures == ()
    assert bench.host.asked("signature_upload")[-1].text(F.CONTROL)[:8] == "07000001"


async def test_no_signature_leaves_without_keys(bench: Bench) -> None:
    """A till without keys would crash in its idle work, or throw the evidence away."""
    bench.host.after.append(lost)
    assert await signed_sale(bench) is Signing.CAPTURED
    bench.host.after.clear()
    await bench.do("sign_off")
    await bench.do("echo")
    assert bench.terminal.book.signatures[0].tries == 1
    await bench.do("sign_in")
    assert bench.terminal.book.signatures == ()


async def test_a_full_journal_counts_the_signature(bench: Bench) -> None:
    """A sale would be approved whose signature finds no room (J8)."""
    nvram = bench.terminal.board.nvram
    journal = bench.terminal.session.journal
    while nvram.room_bytes >= TRANSACTION_BYTES + SIGNATURE_BYTES:
        nvram.append(bytes(min(1024, nvram.room_bytes)))
    journal.compact = lambda: None  # type: ignore[method-assign]
    assert nvram.room_bytes >= TRANSACTION_BYTES
    assert (await bench.sell("60.00", "credit")).reason == "terminal.journal_full"
    assert bench.host.asked("sale") == []


@pytest.mark.parametrize(
    ("no_room_for", "signing"),
    [({"signature"}, Signing.PAPER), ({"signature", "event", "signature_given_up"}, Signing.DUE)],
    ids=["the image", "anything"],
)
async def test_no_room_for_the_signature_is_paper(bench: Bench, no_room_for: set[str], signing: Signing) -> None:
    """A worn journal would turn an approved sale into a crash."""
    append = bench.terminal.session.journal.append

    def full(record: Record) -> None:
        if record.record in no_room_for:
            raise NvramFull("no room")
        append(record)

    bench.terminal.session.journal.append = full  # type: ignore[method-assign]
    assert await signed_sale(bench) is signing
    assert bench.terminal.told[-1].reason == "signature.paper"
    assert bench.captured() == bench.host.captured()
    bench.restart()
    assert bench.terminal.book.rows[Key("000001", "000002")].signature is Signing.PAPER


async def test_no_card_number_goes_with_a_signature(bench: Bench) -> None:
    """The evidence would give the customer's card away (P1)."""
    await signed_sale(bench)
    image = bench.hardware.chips.journal.image
    for request in bench.host.asked("signature_upload"):
        told = b"".join(value if isinstance(value, bytes) else value.encode() for value in request.fields.values())
        for card in TEST_CARDS.values():
            assert card.pan.encode() not in told
            assert bytes.fromhex(card.pan) not in told
            assert card.pan.encode() not in image


async def test_the_cancel_key_ends_the_wait_for_a_signature(bench: Bench) -> None:
    """A cardholder who will not sign would block the till until the time is up."""
    bench.terminal.session.settings = bench.settings.model_copy(update={"entry_timeout_s": 5})
    keypad = bench.terminal.board.keypad
    bench.host.after.append(lambda answer: keypad.cancel() if answer.kind == "sale" else None)  # too early
    selling = asyncio.create_task(bench.terminal.do("sale", "60.00", "credit", "123456", "none"))
    while not bench.screens[-1].startswith("please sign"):
        await asyncio.sleep(0)
    keypad.strike(Button.CANCEL)
    assert (await selling).result == "approved"
    _is_on_paper(bench, "cancelled")
