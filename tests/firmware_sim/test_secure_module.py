"""Keys go in and never come out."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from firmware_sim.chip import Chip
from firmware_sim.errors import SecureModuleError
from firmware_sim.keypad import Keypad, SecureEntry
from firmware_sim.power import Phase, Power, PowerLost
from firmware_sim.secure_module import KeyState, SecureModule
from protocol.crypto.keys import WorkingKeys, check_value, pack_working_keys
from protocol.crypto.mac import cup_ecb_mac
from protocol.crypto.pinblock import decrypt_pin_block
from protocol.errors import EncodeError, KeyLoadError

TMK = bytes(range(16))
HOST_KEY = b"H" * 32
KEYS = WorkingKeys(pik=b"P" * 8 + b"p" * 8, mak=b"M" * 8 + b"m" * 8, tdk=b"T" * 8 + b"t" * 8)
FUSE_KEY = b"F" * 32
PAN = "6200000100000004"
PIN = "123456"


@dataclass
class Bench:
    """A secure module with what it is wired to, rebuilt from its chip by ``reboot``."""

    fresh: Callable[[int], bytes]
    chip: Chip = field(default_factory=lambda: Chip(8192))
    power: Power = field(default_factory=Power)
    serial_number: str = "PXE9000000001"
    made: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reboot()

    def reboot(self) -> SecureModule:
        self.power.cut()
        self.power.switch_on()
        entry = SecureEntry()
        self.keypad = Keypad(self.power, entry)
        self.module = SecureModule(
            self.power,
            self.chip,
            fuse_key=FUSE_KEY,
            serial_number=self.serial_number,
            secure_entry=entry,
            fresh=self._fresh,
        )
        return self.module

    def _fresh(self, length: int) -> bytes:
        self.made.append(self.fresh(length))
        return self.made[-1]

    @property
    def secrets(self) -> list[bytes]:
        """Every key and PIN that is in the module, in the order it got them."""
        keys = [TMK, KEYS.pik, KEYS.mak, KEYS.tdk or b"", FUSE_KEY, PIN.encode()]
        return keys + [made for made in self.made if len(made) == 32]


@pytest.fixture
def bench(fresh: Callable[[int], bytes]) -> Bench:
    return Bench(fresh)


@pytest.fixture
def loaded(bench: Bench) -> Bench:
    bench.module.inject_tmk(TMK, HOST_KEY)
    bench.module.load_working_keys(pack_working_keys(TMK, KEYS))
    return bench


def test_the_lattice_of_keys(bench: Bench) -> None:
    """A terminal without keys would send sales that nobody can verify."""
    module = bench.module
    assert (module.key_state, module.host_public_key, module.check_values()) == (KeyState.NONE, b"", {})
    with pytest.raises(SecureModuleError, match="no TMK"):
        module.load_working_keys(bytes(40))
    module.inject_tmk(TMK, HOST_KEY)
    assert (module.key_state, module.host_public_key) == (KeyState.TMK, HOST_KEY)
    with pytest.raises(SecureModuleError, match="no MAK"):
        module.mac(b"data")
    module.load_working_keys(pack_working_keys(TMK, KEYS))
    assert module.key_state is KeyState.WORKING
    assert module.check_values()["PIK"] == check_value(KEYS.pik).hex().upper()
    assert list(module.check_values()) == ["TMK", "PIK", "MAK", "TDK"]
    module.erase_working_keys()
    assert module.key_state.value == "tmk"
    with pytest.raises(SecureModuleError, match="no MAK"):
        module.verify_mac(b"data", b"12345678")
    module.load_working_keys(pack_working_keys(TMK, KEYS))
    module.inject_tmk(TMK, HOST_KEY)
    assert module.key_state.value == "tmk"


def test_keys_survive_a_cut(loaded: Bench) -> None:
    """Every power cut would send the terminal back to the acquirer for its master key."""
    sealed = loaded.module.seal(b"card data")
    module = loaded.reboot()
    assert module.key_state is KeyState.WORKING
    assert module.mac(b"data") == cup_ecb_mac(KEYS.mak, b"data")
    assert module.unseal(sealed) == b"card data"


def test_each_key_has_one_use(loaded: Bench) -> None:
    """A PIN could be tried out through the MAC, or a MAC be made with the PIN key."""
    module = loaded.module
    assert module.mac(b"data") == cup_ecb_mac(KEYS.mak, b"data") != cup_ecb_mac(KEYS.pik, b"data")
    assert module.verify_mac(b"data", module.mac(b"data"))
    assert not module.verify_mac(b"date", module.mac(b"data"))
    loaded.keypad.enter_pin(PIN)
    assert decrypt_pin_block(KEYS.pik, module.pin_block(PAN), PAN) == PIN


def test_a_pin_is_used_once_and_gone_after_any_end(loaded: Bench) -> None:
    """The PIN of one customer would be sent with the card of the next."""
    module, keypad = loaded.module, loaded.keypad
    with pytest.raises(SecureModuleError, match="no PIN"):
        module.pin_block(PAN)
    keypad.enter_pin(PIN)
    digits = keypad._secure_entry._digits
    module.pin_block(PAN)
    assert bytes(digits) == bytes(6)
    keypad.enter_pin(PIN)
    with pytest.raises(EncodeError):
        module.pin_block("12")
    with pytest.raises(SecureModuleError, match="no PIN"):
        module.pin_block(PAN)
    module.erase_working_keys()
    keypad.enter_pin(PIN)
    digits = keypad._secure_entry._digits
    with pytest.raises(SecureModuleError, match="no PIK"):
        module.pin_block(PAN)
    assert bytes(digits) == bytes(6)


def test_all_working_keys_or_none(loaded: Bench) -> None:
    """A damaged sign-on reply would leave a new PIN key with an old MAC key."""
    other = WorkingKeys(pik=b"Q" * 16, mak=b"N" * 16)
    for at in range(40):
        damaged = bytearray(pack_working_keys(TMK, other))
        damaged[at] ^= 0x10
        with pytest.raises(KeyLoadError):
            loaded.module.load_working_keys(bytes(damaged))
    with pytest.raises(KeyLoadError):
        loaded.module.load_working_keys(pack_working_keys(TMK, other)[:-1])
    assert loaded.module.mac(b"data") == cup_ecb_mac(KEYS.mak, b"data")
    assert loaded.reboot().check_values()["PIK"] == check_value(KEYS.pik).hex().upper()


def test_every_cut_of_a_key_load_leaves_the_old_or_the_new_keys(loaded: Bench) -> None:
    """A plug pulled during sign-on would leave a terminal that neither signs on nor sells."""
    other = pack_working_keys(TMK, WorkingKeys(pik=b"Q" * 16, mak=b"N" * 16))
    image, before = loaded.chip.image, loaded.power.operations
    loaded.module.load_working_keys(other)
    new = loaded.module.check_values()
    for operation in range(1, loaded.power.operations - before + 1):
        for phase in Phase:
            loaded.chip = Chip.holding(image)
            old = loaded.reboot().check_values()
            loaded.power.cut_at(operation, phase)
            with pytest.raises(PowerLost):
                loaded.module.load_working_keys(other)
            assert loaded.reboot().check_values() in (old, new)


def test_wrong_keys_and_foreign_chips_are_told(bench: Bench) -> None:
    """A device put together from two others would start with somebody's keys."""
    for key, host_key in ((bytes(8), HOST_KEY), (bytes(24), HOST_KEY), (TMK, b"")):
        with pytest.raises(SecureModuleError, match="16 bytes"):
            bench.module.inject_tmk(key, host_key)
    bench.serial_number = "PXE9000000002"
    with pytest.raises(SecureModuleError, match="another device"):
        bench.reboot()


def test_sealed_card_data_belongs_to_one_device(loaded: Bench, fresh: Callable[[int], bytes]) -> None:
    """Card data copied from one terminal's journal could be read by another."""
    sealed = loaded.module.seal(b"6200000100000004")
    assert b"62000001" not in sealed
    assert loaded.module.seal(b"6200000100000004") != sealed
    with pytest.raises(KeyLoadError):
        Bench(fresh).module.unseal(sealed)
    with pytest.raises(KeyLoadError):
        loaded.module.unseal(sealed[:-1])


def test_an_old_epoch_computes_nothing(loaded: Bench) -> None:
    """The program that lost its power would go on making MACs."""
    module, keypad = loaded.module, loaded.keypad
    keypad.enter_pin(PIN)
    loaded.power.cut()
    uses: list[Callable[[], object]] = [
        lambda: module.key_state,
        lambda: module.host_public_key,
        module.check_values,
        module.erase_working_keys,
        lambda: module.inject_tmk(TMK, HOST_KEY),
        lambda: module.load_working_keys(pack_working_keys(TMK, KEYS)),
        lambda: module.mac(b"data"),
        lambda: module.verify_mac(b"data", b"12345678"),
        lambda: module.pin_block(PAN),
        lambda: module.seal(b"data"),
        lambda: module.unseal(b"data"),
    ]
    for use in uses:
        with pytest.raises(PowerLost):
            use()


def spoken(bench: Bench) -> Iterator[object]:
    """Call and read everything public on a loaded module, the errors too."""
    module = bench.module
    sealed = module.seal(b"data")
    calls: dict[str, list[tuple[object, ...]]] = {
        "check_values": [()],
        "inject_tmk": [(b"short", b"short")],
        "load_working_keys": [(bytes(40),), (b"",), (pack_working_keys(TMK, KEYS),)],
        "mac": [(b"data",)],
        "verify_mac": [(b"data", b"12345678")],
        "pin_block": [("12",), (PAN,)],
        "seal": [(b"data",)],
        "unseal": [(sealed,), (b"data",)],
        "erase_working_keys": [()],
    }
    public = [name for name in dir(module) if not name.startswith("_")]
    assert {name for name in public if callable(getattr(module, name))} == set(calls), "a method that nobody scans"
    yield from (getattr(module, name) for name in public)
    yield from (repr(module), str(module), format(module))
    for name, arguments in calls.items():
        for given in arguments:
            bench.keypad.enter_pin(PIN)
            try:
                yield getattr(module, name)(*given)
            except (SecureModuleError, KeyLoadError, EncodeError) as error:
                yield from (str(error), repr(error), vars(error))


def test_nothing_that_is_said_holds_a_key(loaded: Bench) -> None:
    """A key or a PIN would stand in a log, a report or an error message."""
    said = [*spoken(loaded), repr(loaded.keypad), repr(loaded.module._keys), repr(loaded.power), loaded.chip.image]
    for thing in said:
        flat = thing if isinstance(thing, bytes) else repr(thing).encode()
        text = repr(thing).upper().replace(" ", "")
        for secret in loaded.secrets:
            assert secret not in flat
            assert repr(secret)[2:-1].upper() not in text
            assert secret.hex().upper() not in text
            assert secret.hex().encode() not in flat.lower()


def test_a_module_cannot_be_copied(loaded: Bench) -> None:
    """A second module with the same keys would be a cloned terminal."""
    for copier in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(SecureModuleError, match="copied"):
            copier(loaded.module)
