"""Firmware update: what is taken, what is refused and counted, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from firmware_sim.admission import FORWARD_MAX
from firmware_sim.boot import Outcome
from firmware_sim.errors import UpdateRefused
from firmware_sim.flash import SlotState
from firmware_sim.models import MODELS
from firmware_sim.power import PowerLost
from firmware_sim.update import Update
from protocol.errors import SignatureError
from tests.firmware_sim.program_memory import CHUNK_BYTES, MODEL, Memory, download, make_image, sha256, stage

FACTORY = make_image("2.1.0", security_counter=5)
IMAGE = make_image("2.2.0", security_counter=6, payload=bytes(range(200)))
NOW_S = int(datetime(2026, 3, 1, 9, tzinfo=UTC).timestamp())


def memory() -> Memory:
    made = Memory(FACTORY)
    made.put((SlotState.CONFIRMED, SlotState.EMPTY), (FACTORY, b""), security_counter=5)
    return made


def refused(use: Callable[[], object]) -> str:
    """The code of a refusal."""
    with pytest.raises((UpdateRefused, SignatureError)) as refusal:
        use()
    assert isinstance(refusal.value, UpdateRefused | SignatureError)
    return refusal.value.code


def test_an_update_runs_on_trial_and_is_kept_when_confirmed() -> None:
    """A terminal below the required version could never sell again."""
    device = memory()
    update = device.power_on()
    stage(update, IMAGE)
    assert not update.on_trial
    update = device.restart()
    assert (device.running.version, device.running.outcome, update.on_trial) == ("2.2.0", Outcome.TEST, True)
    assert device.flash.record.security_counter == 5
    update.confirm()
    assert not update.on_trial
    assert device.flash.record.security_counter == 6
    update = device.restart()
    assert (device.running.version, device.running.outcome) == ("2.2.0", Outcome.NORMAL)
    assert (update.download, update.refused) == (None, {})


def test_a_download_goes_on_where_it_stopped() -> None:
    """A slow line would have to carry the image from the start after every cut."""
    device = memory()
    update = device.power_on()
    update.begin(sha256(IMAGE), len(IMAGE))
    update.write(0, IMAGE[:CHUNK_BYTES])
    update = device.restart()
    assert update.begin(sha256(IMAGE), len(IMAGE)).offset == CHUNK_BYTES


def test_a_download_of_which_bytes_were_lost_begins_anew() -> None:
    """The terminal would download an image again and again that can never be right."""
    device = memory()
    update = device.power_on()
    update.begin(sha256(IMAGE), len(IMAGE))
    update.write(0, IMAGE[:CHUNK_BYTES])
    device.power.cut()
    device.slots.erase(1)
    device.slots.barrier()
    update = device.power_on()
    assert update.begin(sha256(IMAGE), len(IMAGE)).offset == 0
    stage(update, IMAGE)


@pytest.mark.parametrize(
    ("sha", "size"), [("0" * 64, len(IMAGE)), (sha256(IMAGE), len(IMAGE) + 1)], ids=["other bytes", "other size"]
)
def test_another_image_is_not_added_to_the_one_under_way(sha: str, size: int) -> None:
    """Two images put together would be a brick, or somebody's masterpiece."""
    update = memory().power_on()
    update.begin(sha256(IMAGE), len(IMAGE))
    update.write(0, IMAGE[:CHUNK_BYTES])
    assert update.begin(sha, size).offset == 0


@pytest.mark.parametrize(
    ("offset", "length", "code"),
    [
        pytest.param(0, CHUNK_BYTES, "offset", id="duplicated"),
        pytest.param(CHUNK_BYTES - 1, 10, "offset", id="overlapping"),
        pytest.param(2 * CHUNK_BYTES, 10, "offset", id="reordered"),
        pytest.param(CHUNK_BYTES, 4096, "too_large", id="endless"),
    ],
)
def test_chunks_out_of_order_are_refused(offset: int, length: int, code: str) -> None:
    """A host that repeats or overlaps chunks would put an image of its own together."""
    update = memory().power_on()
    update.begin(sha256(IMAGE), len(IMAGE))
    before = update.write(0, IMAGE[:CHUNK_BYTES])
    assert refused(lambda: update.write(offset, bytes(length))) == code
    assert update.download == before
    assert update.refused == {code: 1}
    stage(update, IMAGE)


def chunk_of_another(update: Update) -> None:
    """The host mixes two images while it serves one."""
    other = make_image("2.2.0", security_counter=6, payload=bytes(range(199, -1, -1)))
    download(update, IMAGE[: -CHUNK_BYTES // 2] + other[-CHUNK_BYTES // 2 :], announced=sha256(IMAGE))


def changed_on_the_way(update: Update) -> None:
    """The download is interrupted, and goes on with an image that has changed behind the same name."""
    update.begin(sha256(IMAGE), len(IMAGE))
    update.write(0, IMAGE[:CHUNK_BYTES])
    changed = make_image("2.2.0", security_counter=6, payload=bytes(200))
    download(update, changed, announced=sha256(IMAGE))


def of_bytes(image: bytes) -> Callable[[Update], None]:
    return lambda update: download(update, image)


def stated(**stated: object) -> Callable[[Update], None]:
    """An image that its maker signed."""
    fields: dict[str, object] = {"version": "2.2.0", "security_counter": 5} | stated
    return of_bytes(make_image(**fields))  # type: ignore[arg-type]


HOSTILE: dict[str, tuple[Callable[[Update], None], str]] = {
    "of another maker": (stated(private_key=bytes(32)), "signature"),
    "a changed manifest": (of_bytes(IMAGE[:80] + b"X" + IMAGE[81:]), "signature"),
    "a changed payload": (of_bytes(IMAGE[:-1] + b"X"), "hash"),
    "not the one announced": (lambda update: download(update, IMAGE, announced="0" * 64), "hash"),
    "a chunk of another image": (chunk_of_another, "hash"),
    "changed on the way": (changed_on_the_way, "hash"),
    "of another model": (stated(model="NX-E21"), "other_model"),
    "no image": (of_bytes(bytes(100)), "malformed"),
    "a size that lies": (of_bytes(IMAGE[:6] + b"\xff\xff\xff\xff" + IMAGE[10:]), "malformed"),
    "cut short": (of_bytes(IMAGE[:-1]), "malformed"),
    "with something behind it": (of_bytes(IMAGE + b"X"), "malformed"),
    "the same version": (stated(version="2.1.0"), "not_newer"),
    "an older version": (stated(version="2.0.9", security_counter=9), "not_newer"),
    "an older security counter": (stated(security_counter=4), "security_counter"),
    "expired": (stated(expires_at=NOW_S), "expired"),
    "a leap of the version": (stated(version=f"{2 + FORWARD_MAX + 1}.0.0"), "fast_forward"),
    "a leap of the counter": (stated(security_counter=2**31), "fast_forward"),
    "for a newer loader": (stated(minimum_loader=MODEL.loader + 1), "loader"),
    "too large a journal": (stated(nvram_kib=MODEL.nvram_kib + 1), "memory"),
    "a journal of the future": (stated(journal_format=MODEL.journal_format + 1), "journal_format"),
    "of unknown behaviour": (stated(profile="martian"), "profile"),
}


@pytest.mark.parametrize(("bring", "code"), HOSTILE.values(), ids=HOSTILE)
def test_what_may_not_be_staged_is_refused_counted_and_forgotten(bring: Callable[[Update], None], code: str) -> None:
    """Firmware of a thief, of another model, or with a known hole would be installed by remote command (A10)."""
    device = memory()
    update = device.power_on()
    before = device.flash.record
    bring(update)
    for _ in range(2):
        assert refused(lambda: update.stage(money_in_flight=False, batch_open=False)) in (code, "no_download")
    assert update.refused == {code: 1, "no_download": 1}
    assert replace(device.flash.record, refused={}) == before
    update = device.restart()
    assert (device.running.version, device.running.outcome) == ("2.1.0", Outcome.NORMAL)
    stage(update, IMAGE)


def test_what_stands_at_a_limit_is_taken() -> None:
    """A good update would be refused on its last day, or by the step from one number to the next."""
    at_the_limit = [
        stated(expires_at=NOW_S + 1),
        stated(version=f"{2 + FORWARD_MAX}.0.0", security_counter=5 + FORWARD_MAX),
        stated(minimum_loader=MODEL.loader, nvram_kib=MODEL.nvram_kib, journal_format=MODEL.journal_format),
        stated(version="2.1.1", security_counter=5),
    ]
    for bring in at_the_limit:
        update = memory().power_on()
        bring(update)
        update.stage(money_in_flight=False, batch_open=False)


def test_a_clock_that_was_never_set_says_nothing_is_over() -> None:
    """A terminal whose clock battery died would be cut off from every update."""
    device = memory()
    device.now = None
    update = device.power_on()
    stated(expires_at=1)(update)
    update.stage(money_in_flight=False, batch_open=False)


def test_nothing_is_staged_while_money_is_in_flight() -> None:
    """New firmware might not understand the old journal, and the reversal be lost (F4)."""
    update = memory().power_on()
    download(update, IMAGE)
    assert refused(lambda: update.stage(money_in_flight=True, batch_open=False)) == "money_in_flight"
    assert update.download is not None
    assert update.stage(money_in_flight=False, batch_open=True).version == "2.2.0"


def test_another_journal_waits_for_the_end_of_the_batch() -> None:
    """The batch of the day would be unreadable to the firmware that has to settle it (F4)."""
    update = memory().power_on()
    stated(journal_format=2)(update)
    assert refused(lambda: update.stage(money_in_flight=False, batch_open=True)) == "batch_open"
    assert update.download is not None
    update.stage(money_in_flight=False, batch_open=False)


def test_nothing_is_begun_or_staged_on_a_low_battery() -> None:
    """The device would die in the middle, in the hand of the merchant (T16)."""
    device = memory()
    update = device.power_on()
    device.battery_low = True
    assert refused(lambda: update.begin(sha256(IMAGE), len(IMAGE))) == "battery_low"
    device.battery_low = False
    download(update, IMAGE)
    device.battery_low = True
    assert refused(lambda: update.stage(money_in_flight=False, batch_open=False)) == "battery_low"
    device.battery_low = False
    assert update.stage(money_in_flight=False, batch_open=False).version == "2.2.0"
    assert update.refused == {"battery_low": 2}


def test_each_refusal_of_a_step() -> None:
    """The application could start an update that cannot end, and would not be told why."""
    device = memory()
    update = device.power_on()
    slot_bytes = MODEL.slot_kib * 1024
    assert refused(lambda: update.write(0, b"x")) == "no_download"
    assert refused(lambda: update.stage(money_in_flight=False, batch_open=False)) == "no_download"
    assert refused(update.confirm) == "not_on_trial"
    assert refused(lambda: update.begin("0" * 64, 0)) == "too_large"
    assert refused(lambda: update.begin("0" * 64, slot_bytes + 1)) == "too_large"
    assert update.begin("0" * 64, slot_bytes).size == slot_bytes
    update.begin(sha256(IMAGE), len(IMAGE))
    update.write(0, IMAGE[:-1])
    assert refused(lambda: update.stage(money_in_flight=False, batch_open=False)) == "incomplete"
    update.write(len(IMAGE) - 1, IMAGE[-1:])
    update.stage(money_in_flight=False, batch_open=False)
    assert refused(lambda: update.begin("0" * 64, 100)) == "busy"
    on_trial = device.restart()
    assert refused(lambda: on_trial.begin("0" * 64, 100)) == "busy"
    assert on_trial.refused == {
        "no_download": 2,
        "not_on_trial": 1,
        "too_large": 2,
        "incomplete": 1,
        "busy": 2,
    }


@pytest.mark.parametrize("fault", ["slots.stuck_bit", "slots.erase_fails"])
def test_program_memory_that_fails_fault(fault: str) -> None:
    """Firmware with one wrong bit would run, or the shop be left with none."""
    device = memory()
    device.put((SlotState.CONFIRMED, SlotState.EMPTY), (FACTORY, make_image("2.0.0", payload=bytes(300))), 5)
    update = device.power_on()
    device.faults.arm(fault)
    download(update, IMAGE)
    assert device.faults.fired[fault] == 1
    assert refused(lambda: update.stage(money_in_flight=False, batch_open=False)) == "hash"
    stage(update, IMAGE)
    device.restart()
    assert (device.running.version, device.running.outcome) == ("2.2.0", Outcome.TEST)


def test_a_model_without_remote_update() -> None:
    """The host would send a whole image to a device that can only be updated by hand."""
    model = MODELS["NX-G10"]
    assert not model.update_in_place
    update = Memory(make_image("2.0.5", model=model.id), model).power_on()
    assert refused(lambda: update.begin("0" * 64, 100)) == "not_in_place"


def test_the_security_counter_rises_on_confirmation_only() -> None:
    """A trial that fails could not be reverted, and the terminal would be lost (F3)."""
    device = memory()
    stage(device.power_on(), IMAGE)
    for _ in range(4):
        device.restart()
        assert device.flash.record.security_counter == 5
    assert device.running.outcome is Outcome.REVERT
    stage(device.restart(), IMAGE)
    device.restart().confirm()
    assert device.flash.record.security_counter == 6
    update = device.restart()
    download(update, make_image("2.3.0", security_counter=5))
    assert refused(lambda: update.stage(money_in_flight=False, batch_open=False)) == "security_counter"


def test_an_old_epoch_updates_nothing() -> None:
    """The program that lost its power would go on writing firmware."""
    device = memory()
    update = device.power_on()
    device.power.cut()
    uses: list[Callable[[], object]] = [
        lambda: update.begin(sha256(IMAGE), len(IMAGE)),
        lambda: update.download,
        lambda: update.refused,
        update.confirm,
    ]
    for use in uses:
        with pytest.raises(PowerLost):
            use()
