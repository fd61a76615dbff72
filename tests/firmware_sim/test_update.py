"""Firmware update: whatever is sent and wherever the power goes, a verified image boots."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from firmware_sim.board import Board, Hardware
from firmware_sim.boot import Outcome
from firmware_sim.errors import UpdateRefused
from firmware_sim.flash import SLOT_BYTES
from firmware_sim.models import MODELS
from firmware_sim.power import Phase, PowerLost
from protocol.errors import SignatureError

CHUNK = 120


def sha256(image: bytes) -> str:
    return hashlib.sha256(image).hexdigest()


def download(board: Board, image: bytes) -> None:
    """Bring the image into the device, from wherever it stopped."""
    under_way = board.update.begin(sha256(image), len(image))
    while under_way.offset < under_way.size:
        under_way = board.update.write(under_way.offset, image[under_way.offset : under_way.offset + CHUNK])


def step(board: Board, image: bytes, version: str) -> None:
    """Do what an application does at each start until ``version`` runs for good."""
    if board.update.on_trial:
        board.update.confirm()
    elif board.running.version != version:
        download(board, image)
        board.update.stage(money_in_flight=False)


def run(hardware: Hardware, image: bytes, version: str) -> list[str]:
    """Power on, step, cut, until the update is through; return the versions that ran."""
    ran = []
    for _ in range(3):
        board = hardware.power_on()
        ran.append(board.running.version)
        step(board, image, version)
        hardware.cut_power()
    return ran


@pytest.fixture
def image(make_image: Callable[..., bytes]) -> bytes:
    return make_image("2.2.0", security_counter=2, payload=bytes(range(200)))


def test_an_update_runs_on_trial_and_is_kept_when_confirmed(hardware: Hardware, image: bytes) -> None:
    """A terminal below the required version could never sell again."""
    assert run(hardware, image, "2.2.0") == ["2.1.0", "2.2.0", "2.2.0"]
    board = hardware.power_on()
    assert (board.running.version, board.running.outcome) == ("2.2.0", Outcome.NORMAL)
    assert board.update.download is None


def test_a_cut_at_every_operation_boots_a_verified_image_and_the_update_gets_through(
    make_hardware: Callable[..., Hardware], image: bytes
) -> None:
    """A plug pulled during an update would brick the terminal."""
    dry = make_hardware()
    run(dry, image, "2.2.0")
    for operation in range(1, dry.power.operations + 1):
        for phase in Phase:
            hardware = make_hardware()
            hardware.power.cut_at(operation, phase)
            with pytest.raises(PowerLost):
                run(hardware, image, "2.2.0")
            ran = [*run(hardware, image, "2.2.0"), *run(hardware, image, "2.2.0")]
            assert set(ran) <= {"2.1.0", "2.2.0"}, (operation, phase)
            assert ran[-1] == "2.2.0", (operation, phase)


def test_a_download_goes_on_where_it_stopped(hardware: Hardware, image: bytes) -> None:
    """A slow line would have to carry the image from the start after every cut."""
    update = hardware.power_on().update
    update.begin(sha256(image), len(image))
    update.write(0, image[:CHUNK])
    hardware.cut_power()
    update = hardware.power_on().update
    assert update.begin(sha256(image), len(image)).offset == CHUNK
    assert update.begin("0" * 64, len(image)).offset == 0


@pytest.mark.parametrize(
    ("offset", "length", "code"),
    [(0, 10, "offset"), (CHUNK - 1, 10, "offset"), (CHUNK + 1, 10, "offset"), (CHUNK, 10_000, "too_large")],
)
def test_chunks_out_of_order_are_refused(hardware: Hardware, image: bytes, offset: int, length: int, code: str) -> None:
    """A host that repeats or overlaps chunks would put an image of its own together."""
    update = hardware.power_on().update
    update.begin(sha256(image), len(image))
    update.write(0, image[:CHUNK])
    with pytest.raises(UpdateRefused) as refused:
        update.write(offset, bytes(length))
    assert refused.value.code == code
    assert update.download is not None
    assert update.download.offset == CHUNK


def test_what_may_not_be_staged(hardware: Hardware, make_image: Callable[..., bytes]) -> None:
    """Firmware of a thief, of another model, or with a known hole would be installed by remote command."""
    running = make_image("2.1.5", security_counter=5)
    assert run(hardware, running, "2.1.5")[-1] == "2.1.5"
    good = make_image("2.2.0", security_counter=5)
    update = hardware.power_on().update
    cases = [
        (make_image("2.2.0", security_counter=5, model="NX-E21"), None, "other_model"),
        (good[:80] + b"X" + good[81:], None, "signature"),
        (good[:-1] + b"X", None, "hash"),
        (good[:-1] + b"X", sha256(good), "hash"),
        (make_image("2.1.5", security_counter=5), None, "not_newer"),
        (make_image("1.9.9", security_counter=9), None, "not_newer"),
        (make_image("2.2.0", security_counter=4), None, "security_counter"),
        (bytes(100), None, "malformed"),
    ]
    for image, announced, code in cases:
        update.begin(announced or sha256(image), len(image))
        update.write(0, image)
        with pytest.raises((UpdateRefused, SignatureError)) as refused:
            update.stage(money_in_flight=False)
        assert isinstance(refused.value, UpdateRefused | SignatureError)
        assert refused.value.code == code
        assert update.download is None
    hardware.cut_power()
    assert hardware.power_on().running.version == "2.1.5"


def test_each_refusal_of_a_step(hardware: Hardware, image: bytes, make_image: Callable[..., bytes]) -> None:
    """The application could lose an open reversal to an update, or start one that cannot end."""
    update = hardware.power_on().update

    def refused(use: Callable[[], object]) -> str:
        with pytest.raises(UpdateRefused) as refusal:
            use()
        return refusal.value.code

    assert refused(lambda: update.write(0, b"x")) == "no_download"
    assert refused(lambda: update.stage(money_in_flight=False)) == "no_download"
    assert refused(update.confirm) == "not_on_trial"
    assert refused(lambda: update.begin("0" * 64, 0)) == "too_large"
    assert refused(lambda: update.begin("0" * 64, SLOT_BYTES + 1)) == "too_large"
    assert update.begin("0" * 64, SLOT_BYTES).size == SLOT_BYTES
    update.begin(sha256(image), len(image))
    update.write(0, image[:-1])
    assert refused(lambda: update.stage(money_in_flight=False)) == "incomplete"
    update.write(len(image) - 1, image[-1:])
    assert refused(lambda: update.stage(money_in_flight=True)) == "money_in_flight"
    assert update.stage(money_in_flight=False).version == "2.2.0"
    assert refused(lambda: update.begin("0" * 64, 100)) == "busy"
    hardware.cut_power()
    on_trial = hardware.power_on().update
    assert on_trial.on_trial
    assert refused(lambda: on_trial.begin("0" * 64, 100)) == "busy"


def test_a_model_without_remote_update(
    make_hardware: Callable[..., Hardware], make_image: Callable[..., bytes]
) -> None:
    """The host would send a whole image to a device that can only be updated by hand."""
    model = MODELS["NX-G10"]
    assert not model.update_in_place
    update = make_hardware(model=model, factory_image=make_image("2.0.5", model=model.id)).power_on().update
    with pytest.raises(UpdateRefused) as refused:
        update.begin("0" * 64, 100)
    assert refused.value.code == "not_in_place"


def test_the_security_counter_rises_on_confirmation_only(
    hardware: Hardware, image: bytes, make_image: Callable[..., bytes]
) -> None:
    """A trial that fails could not be reverted, and the terminal would be lost."""
    board = hardware.power_on()
    step(board, image, "2.2.0")
    hardware.cut_power()
    assert hardware.power_on().running.outcome is Outcome.TEST
    hardware.cut_power()
    assert hardware.power_on().running.outcome is Outcome.REVERT
    hardware.cut_power()
    run(hardware, image, "2.2.0")
    withdrawn = make_image("2.3.0", security_counter=1)
    update = hardware.power_on().update
    update.begin(sha256(withdrawn), len(withdrawn))
    update.write(0, withdrawn)
    with pytest.raises(UpdateRefused, match="withdrawn"):
        update.stage(money_in_flight=False)


def test_an_old_epoch_updates_nothing(hardware: Hardware, image: bytes) -> None:
    """The program that lost its power would go on writing firmware."""
    update = hardware.power_on().update
    hardware.cut_power()
    uses: list[Callable[[], object]] = [
        lambda: update.begin(sha256(image), len(image)),
        lambda: update.download,
        update.confirm,
    ]
    for use in uses:
        with pytest.raises(PowerLost):
            use()
