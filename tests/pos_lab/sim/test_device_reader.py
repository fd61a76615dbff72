"""The examiner reads the chips of a device besides its journal: keys under the fuse, slots of firmware."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from random import Random

import pytest

from firmware_sim.board import Hardware
from firmware_sim.key_slots import Slot
from firmware_sim.models import MODELS
from host.written import CHINA_TIME
from pos_lab.sim.checker.bank import records_of
from pos_lab.sim.checker.device import DeviceReader, Flashed, Maker, Memory, Opened, Rekeyed
from pos_lab.vendor import VENDOR_PUBLIC_KEY, make_image
from protocol.crypto.keys import make_working_keys, pack_working_keys
from protocol.errors import SignatureError

MODEL = MODELS["PX-S80"]
TMK = bytes(range(16))
HOST_KEY = VENDOR_PUBLIC_KEY
SERIAL_NUMBER = "SIM000000001"


class Bench:
    """A device, and what the examiner sees of it."""

    def __init__(self) -> None:
        fresh = Random(1).randbytes
        self.hardware = Hardware.make(
            MODEL,
            SERIAL_NUMBER,
            factory_image=make_image(MODEL, MODEL.factory_firmware),
            vendor_public_key=VENDOR_PUBLIC_KEY,
            url="memory:host",
            now=lambda: datetime(2026, 3, 14, tzinfo=CHINA_TIME),
            fresh=fresh,
        )
        chips = self.hardware.chips
        memories = {
            name: Memory(getattr(chips, name).read, getattr(chips, name).size_bytes)
            for name in ("journal", "keys", "slot_record", "slots")
        }
        maker = Maker(MODEL.id, VENDOR_PUBLIC_KEY)
        self.reader = DeviceReader(SERIAL_NUMBER, lambda: chips.fuse.image, memories, maker)


@pytest.fixture
def bench() -> Bench:
    """As it was shipped."""
    return Bench()


def test_it_sees_which_keys_a_device_has(bench: Bench) -> None:
    """A key that came without its check value, or stayed behind, would be nobody's business."""
    module = bench.hardware.power_on().secure_module
    list(bench.reader.look())
    module.inject_tmk(TMK, HOST_KEY)
    (change,) = [event for event in bench.reader.look() if isinstance(event, Rekeyed)]
    assert change.after.keys["tmk"] == TMK
    assert not change.after.is_working
    keys = make_working_keys("003", Random(2).randbytes)
    module.load_working_keys(pack_working_keys(TMK, keys))
    list(bench.reader.look())
    assert bench.reader.ring.keys["mak"] == keys.mak
    assert bench.reader.ring.made(b"0200 and so on", module.mac(b"0200 and so on"))
    assert not bench.reader.ring.made(b"0200 and so on", b"00000000")
    assert {TMK, bytes(keys.pik)} <= bench.reader.known_keys


def test_a_device_that_was_opened_has_no_keys_left(bench: Bench) -> None:
    """Half of the keys would stay in a device that somebody took apart."""
    bench.hardware.power_on().secure_module.inject_tmk(TMK, HOST_KEY)
    list(bench.reader.look())
    assert bench.reader.key_bytes_left
    bench.hardware.open_case()
    assert list(bench.reader.look()) == [Opened(SERIAL_NUMBER)]
    assert bench.reader.is_opened
    assert not bench.reader.key_bytes_left
    assert list(bench.reader.look()) == []


def test_a_nonce_that_seals_twice_is_seen(bench: Bench) -> None:
    """Two keys under one nonce would tell each other away."""
    board = bench.hardware.power_on()
    list(bench.reader.look())
    board.fresh = board.secure_module._fresh = board.secure_module._memory._store._fresh = bytes
    for key in (TMK, bytes(16)):
        board.secure_module.inject_tmk(key, HOST_KEY)
        list(bench.reader.look())
    assert bench.reader.reused_nonces == ["its keys"]


def test_it_sees_what_runs_and_what_is_tried(bench: Bench) -> None:
    """Firmware that nobody signed would run, and the examiner would look at another slot."""
    list(bench.reader.look())
    assert bench.reader.version == MODEL.factory_firmware
    update, image = bench.hardware.power_on().update, make_image(MODEL, "3.9.0")
    begun = update.begin(sha256(image).hexdigest(), len(image))
    while begun.offset < len(image):
        begun = update.write(begun.offset, image[begun.offset : begun.offset + 900])
    update.stage(money_in_flight=False, batch_open=False)
    staged = [event for event in bench.reader.look() if isinstance(event, Flashed)]
    assert staged[-1].after.states == ("confirmed", "staged")
    assert bench.reader.version == MODEL.factory_firmware
    bench.hardware.cut_power()
    board = bench.hardware.power_on()
    list(bench.reader.look())
    assert bench.reader.slots.running == 1
    assert bench.reader.version == board.running.version == "3.9.0"
    board.update.confirm()
    list(bench.reader.look())
    assert bench.reader.slots.states == ("empty", "confirmed")


def test_an_image_that_was_changed_is_not_whole(bench: Bench) -> None:
    """A device would be trusted whose only firmware is damaged."""
    list(bench.reader.look())
    bench.hardware.chips.slots._image[4_000] ^= 1
    with pytest.raises(SignatureError, match="not the one"):
        bench.reader.manifest(0)


def test_records_end_where_a_write_was_torn(bench: Bench) -> None:
    """What was never written would count as keys."""
    bench.hardware.power_on().secure_module.inject_tmk(TMK, HOST_KEY)
    image = bench.hardware.chips.keys.image
    (record,) = records_of(image)
    torn = bytearray(image)
    at = image.index(record)
    torn[at + 20] ^= 1
    assert records_of(bytes(torn)) == []
    assert records_of(b"\xff" * len(image)) == []


def test_slots_are_named_as_the_device_names_them() -> None:
    """A key of a slot that was renamed would never be looked for."""
    assert {"tmk", "pik", "mak", "host_public", "storage"} <= {str(slot) for slot in Slot}
