"""The case is opened: every key goes, at once and for ever, and the journal stays (invariant K4, fault A13)."""

from __future__ import annotations

import gc
import hashlib
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

from firmware_sim.board import Hardware
from firmware_sim.chip import BLANK, SECTOR_BYTES, Chip
from firmware_sim.errors import ChipError, SecureModuleError
from firmware_sim.fuse import FUSE_BYTES, Fuse
from firmware_sim.key_store import tamper
from firmware_sim.power import Phase, PowerLost, cuts
from firmware_sim.secure_module import KeyState
from protocol.crypto import cipher
from protocol.crypto.key import MacKey, PinKey, TrackKey
from protocol.crypto.keys import WorkingKeys, pack_working_keys
from tests.firmware_sim.secure_bench import FUSE_KEY, HOST_KEY, KEYS, PAN, PIN, TMK, SecureBench
from tests.firmware_sim.test_secure_module import CALLS, VALUES

ROOT = Path(__file__).parents[2]


@pytest.fixture
def loaded(fresh: Callable[[int], bytes]) -> SecureBench:
    return SecureBench(fresh).load()


def is_clean(bench: SecureBench) -> bool:
    """Nothing is left on chip and fuse, and nothing in memory is good for anything."""
    return (
        not bench.chip.image.strip(BLANK)
        and not bench.fuse.image.strip(b"\0")
        and bench.module.key_state is KeyState.TAMPERED
    )


@pytest.mark.feature("G12")
def test_after_tamper_every_operation_is_refused(loaded: SecureBench) -> None:
    """An opened terminal would go on taking PINs."""
    loaded.module.tamper()
    for is_boot in (False, True):
        module = loaded.reboot() if is_boot else loaded.module
        assert is_clean(loaded)
        for name, arguments in CALLS.items():
            if name == "tamper":
                continue
            for given in arguments:
                loaded.keypad.enter_pin(PIN)
                use = module.loader if name.startswith("loader.") else module
                with pytest.raises(SecureModuleError) as refused:
                    getattr(use, name.removeprefix("loader."))(*given)
                assert refused.value.code == "tampered", name
        for name in VALUES - {"key_state", "counters", "is_locked"}:
            with pytest.raises(SecureModuleError) as refused:
                getattr(module, name)
            assert refused.value.code == "tampered", name
        assert not module.is_locked
        module.tamper()


def test_a_pin_in_the_entry_goes_with_the_keys(loaded: SecureBench) -> None:
    """The PIN that the cardholder has just typed would be in the opened terminal."""
    loaded.keypad.enter_pin(PIN)
    digits = loaded.entry._digits
    loaded.module.tamper()
    assert bytes(digits) == bytes(6)
    with pytest.raises(SecureModuleError):
        loaded.module.pin_block(PAN)


def test_the_erasure_goes_on_battery_when_the_power_is_off(loaded: SecureBench) -> None:
    """A thief would pull the plug first."""
    loaded.power.cut()
    tamper(loaded.fuse, loaded.chip, loaded.power)
    assert not loaded.chip.image.strip(BLANK)
    loaded.reboot()
    assert is_clean(loaded)


@pytest.mark.parametrize("lost", [0, ~0], ids=["kept", "lost"])
def test_a_cut_in_the_erasure_leaves_no_usable_key(loaded: SecureBench, lost: int) -> None:
    """Somebody who opens the case and pulls the plug at once would find half of the keys."""
    image = loaded.chip.image
    with loaded.power.watched() as points:
        loaded.module.tamper()
    assert len(points) >= 2
    for number, phase in cuts(points):
        loaded.chip, loaded.fuse = Chip.holding(image, name="keys"), Fuse(FUSE_KEY)
        loaded.reboot()
        loaded.power.cut_at(number, phase, lost=lost)
        with pytest.raises(PowerLost):
            loaded.module.tamper()
        assert not loaded.fuse.image.strip(b"\0")
        loaded.reboot()
        assert is_clean(loaded)


def test_a_cut_in_the_resumed_erasure_is_resumed_again(loaded: SecureBench) -> None:
    """A battery that dies twice would save the keys."""
    image = loaded.chip.image
    loaded.power.cut_at(1, Phase.BEFORE)
    with pytest.raises(PowerLost):
        loaded.module.tamper()
    assert loaded.chip.image == image
    loaded.chip = Chip.holding(image, name="keys")
    with loaded.power.watched() as points:
        loaded.reboot()
    for number, phase in cuts(points):
        loaded.chip = Chip.holding(image, name="keys")
        loaded.power.cut_at(number, phase)
        with pytest.raises(PowerLost):
            loaded.reboot()
        loaded.reboot()
        assert is_clean(loaded)


def test_memory_that_cannot_be_erased_any_more_is_overwritten(loaded: SecureBench) -> None:
    """A worn chip would keep its keys for ever."""
    loaded.chip.cycles_max = 0
    loaded.module.tamper()
    used = [at for at in range(0, loaded.chip.size_bytes, SECTOR_BYTES) if loaded.chip.read(at, 1) != BLANK]
    assert used
    assert all(loaded.chip.read(at, SECTOR_BYTES) == bytes(SECTOR_BYTES) for at in used)
    loaded.reboot()
    assert loaded.module.key_state is KeyState.TAMPERED


def test_what_was_sealed_is_sealed_for_ever(loaded: SecureBench) -> None:
    """Whoever kept a copy of the chip would have the keys back."""
    image = loaded.chip.image
    loaded.module.tamper()
    loaded.chip = Chip.holding(image, name="keys")
    loaded.reboot()
    assert is_clean(loaded)


def test_fault_the_case_is_opened_as_the_module_works(loaded: SecureBench) -> None:
    """A scenario could not open the case in the middle of a sale."""
    loaded.faults.arm("secure_module.tamper")
    with pytest.raises(SecureModuleError) as refused:
        loaded.module.mac(b"data")
    assert (refused.value.code, loaded.faults.fired["secure_module.tamper"]) == ("tampered", 1)
    assert is_clean(loaded)


# no key byte in memory


def digest(key: bytes) -> bytes:
    """What a test may keep of a key, so that it does not find its own copy."""
    return hashlib.sha256(b"of a test" + key).digest()


def objects() -> Iterator[object]:
    """Everything alive that the collector can reach, and what it refers to."""
    seen: set[int] = set()
    waiting: list[object] = [*gc.get_objects(), *sys._current_frames().values()]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, ModuleType):
            continue
        seen.add(id(thing))
        yield thing
        waiting += gc.get_referents(thing)


def keys_in_memory(wanted: set[bytes]) -> int:
    """How many live byte strings are one of the keys, or hold one at their start."""
    lengths = (8, 16, 32)
    return sum(
        1
        for thing in objects()
        if isinstance(thing, bytes | bytearray)
        for length in lengths
        if len(thing) >= length and digest(bytes(thing[:length])) in wanted
    )


def with_keys_of_its_own(fresh: Callable[[int], bytes]) -> tuple[SecureBench, set[bytes]]:
    """A loaded bench, and the digests of its secrets: the test itself keeps no key."""
    made: list[bytes] = []

    def make(length: int) -> bytes:
        made.append(hashlib.shake_256(fresh(32) + bytes([len(made)])).digest(length))
        return made[-1]

    bench = SecureBench(lambda length: hashlib.shake_256(fresh(32) + b"module").digest(length), fuse=Fuse(make(32)))
    tmk = make(16)
    bench.module.inject_tmk(tmk, HOST_KEY)
    keys = WorkingKeys(PinKey(make(16)), MacKey(make(8)), TrackKey(make(16)))
    bench.module.load_working_keys(pack_working_keys(tmk, keys))
    storage = bench.made[0]
    bench.made.clear()
    sealed = bench.module.seal(b"card data")
    bench.keypad.enter_pin(PIN)
    bench.module.pin_block(PAN)
    bench.module.mac(b"data")
    bench.module.unseal(sealed)
    return bench, {digest(key) for key in (*made, storage)}


def look_for_keys(event: str) -> None:
    """Raises AssertionError where a key is still in the memory of this process, or none was there before."""
    chance = Random(event)
    cipher.forget()
    bench, wanted = with_keys_of_its_own(chance.randbytes)
    gc.collect()
    assert keys_in_memory(wanted) >= len(wanted)
    if event == "tamper":
        bench.module.tamper()
        assert keys_in_memory(wanted) == 0
    else:
        bench.power.cut()
        assert keys_in_memory(wanted) == 1, "the fuse alone keeps its key without power"


@pytest.mark.parametrize("event", ["tamper", "power"])
def test_no_key_byte_stays_in_memory(event: str) -> None:
    """A memory image of the opened terminal would hold its keys, the caches of the ciphers included."""
    # A process of its own holds the device and little else that would have to be looked through.
    code = f"from tests.firmware_sim.test_tamper import look_for_keys; look_for_keys({event!r})"
    process = [sys.executable, "-c", code]
    done = subprocess.run(process, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# the whole device


def test_the_case_of_a_device_in_its_directory(make_hardware: Callable[..., Hardware], tmp_path: Path) -> None:
    """The files of an opened terminal would hold its keys, or its journal be lost with them."""
    hardware = make_hardware(directory=tmp_path)
    board = hardware.power_on()
    board.secure_module.inject_tmk(TMK, HOST_KEY)
    board.secure_module.load_working_keys(pack_working_keys(TMK, KEYS))
    board.nvram.append(b"a pending reversal")
    fuse_key = hardware.chips.fuse.key
    hardware.open_case()
    assert board.secure_module.key_state is KeyState.TAMPERED
    hardware.close()
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        for key in (TMK, KEYS.pik, KEYS.mak, KEYS.tdk or b"", fuse_key):
            for form in (key, key[::-1], key.hex().encode(), key.hex().upper().encode(), b64encode(key)):
                assert form not in content, file.name
    assert not (tmp_path / "keys.chip").read_bytes()[: 2 * SECTOR_BYTES].strip(BLANK)
    again = make_hardware(directory=tmp_path)
    board = again.power_on()
    assert (board.secure_module.key_state, board.nvram.records()) == (KeyState.TAMPERED, (b"a pending reversal",))
    again.close()


def test_a_case_opened_in_the_drawer(hardware: Hardware) -> None:
    """A terminal that is switched off would keep its keys for whoever opens it."""
    board = hardware.power_on()
    board.secure_module.inject_tmk(TMK, HOST_KEY)
    board.nvram.append(b"a pending reversal")
    hardware.cut_power()
    hardware.open_case()
    assert not hardware.chips.keys.image.strip(BLANK)
    board = hardware.power_on()
    assert (board.secure_module.key_state, board.nvram.records()) == (KeyState.TAMPERED, (b"a pending reversal",))


@pytest.mark.parametrize("content", [bytes(FUSE_BYTES), bytes(20) + b"F" * 16, b"F" * FUSE_BYTES])
def test_anything_but_a_whole_fuse_is_an_erased_one(tmp_path: Path, content: bytes) -> None:
    """Half a fuse key would make a device that is neither whole nor tampered with."""
    path = tmp_path / "fuse.key"
    path.write_bytes(content)
    fuse = Fuse.open(path, bytes)
    assert fuse.is_erased
    with pytest.raises(SecureModuleError) as refused:
        fuse.key  # noqa: B018
    assert refused.value.code == "tampered"


def test_a_fuse_is_burnt_once(tmp_path: Path, fresh: Callable[[int], bytes]) -> None:
    """A device would lose its keys at every start."""
    path = tmp_path / "fuse.key"
    key = Fuse.open(path, fresh).key
    assert (Fuse.open(path, fresh).key, path.stat().st_mode & 0o777) == (key, 0o600)
    path.write_bytes(b"short")
    with pytest.raises(ChipError, match="not a fuse"):
        Fuse.open(path, fresh)


def test_a_fuse_that_cannot_be_erased_is_told(tmp_path: Path, fresh: Callable[[int], bytes]) -> None:
    """The laboratory would believe that the keys are gone from the disk."""
    path = tmp_path / "fuse.key"
    fuse = Fuse.open(path, fresh)
    path.unlink()
    with pytest.raises(ChipError, match="cannot be erased"):
        fuse.erase()
    assert fuse.is_erased


def test_the_text_of_a_fuse_shows_nothing(loaded: SecureBench) -> None:
    """A log would hold the key over all keys."""
    assert loaded.fuse.key == FUSE_KEY
    assert "F" * 8 not in repr(loaded.fuse)
