"""Keys go in and never come out."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from operator import attrgetter

import pytest

from firmware_sim.chip import Chip
from firmware_sim.errors import SecureModuleError
from firmware_sim.key_memory import BAD_LOADS_MAX, BAD_MACS_MAX, FAIL_COUNTERS
from firmware_sim.key_slots import KEY_SLOTS, SUITES, Algorithm, Operation, Slot
from firmware_sim.power import PowerLost, cuts
from firmware_sim.secure_module import KeyState
from protocol.crypto import derived, vault
from protocol.crypto.cipher import SM4, TDES
from protocol.crypto.derived import Purpose
from protocol.crypto.key import MacKey, MasterKey, PinKey
from protocol.crypto.keys import ITEM_BYTES, WorkingKeys, check_value, pack_working_keys, wrap_key
from protocol.crypto.mac import cup_ecb_mac, cup_sm4_mac
from protocol.crypto.pinblock import PIN_FORMATS, decrypt_pin_block
from protocol.crypto.track import decrypt_track
from protocol.errors import DecodeError, EncodeError, KeyLoadError, ProtocolError
from tests.firmware_sim.secure_bench import HOST_KEY, KEYS, PAN, PIN, TMK, SecureBench

TRACK = f"{PAN}D30122010000000000000"
FIELD62 = pack_working_keys(TMK, KEYS)
OTHER = pack_working_keys(TMK, WorkingKeys(pik=PinKey(b"Q" * 16), mak=MacKey(b"N" * 16)))
FORGED = pack_working_keys(bytes(16), KEYS)


@pytest.fixture
def bench(fresh: Callable[[int], bytes]) -> SecureBench:
    return SecureBench(fresh)


@pytest.fixture
def loaded(bench: SecureBench) -> SecureBench:
    return bench.load()


def code_of(use: Callable[[], object]) -> str:
    """The code of the SecureModuleError that ``use`` raises."""
    with pytest.raises(SecureModuleError) as refused:
        use()
    return refused.value.code


def test_the_lattice_of_keys(bench: SecureBench) -> None:
    """A terminal without keys would send sales that nobody can verify."""
    module = bench.module
    assert (module.key_state, module.host_public_key, module.check_values()) == (KeyState.NONE, b"", {})
    with pytest.raises(SecureModuleError, match="no TMK"):
        module.load_working_keys(bytes(40))
    module.inject_tmk(TMK, HOST_KEY)
    assert (module.key_state, module.host_public_key, module.encrypts_tracks) == (KeyState.TMK, HOST_KEY, False)
    with pytest.raises(SecureModuleError, match="no MAK"):
        module.mac(b"data")
    module.load_working_keys(FIELD62)
    assert (module.key_state, module.encrypts_tracks) == (KeyState.WORKING, True)
    assert module.check_values()["PIK"] == check_value(KEYS.pik).hex().upper()
    assert list(module.check_values()) == ["TMK", "PIK", "MAK", "TDK"]
    module.erase_working_keys()
    assert module.key_state.value == "tmk"
    with pytest.raises(SecureModuleError, match="no MAK"):
        module.verify_mac(b"data", b"12345678")
    module.load_working_keys(FIELD62)
    module.inject_tmk(TMK, HOST_KEY)
    assert module.key_state.value == "tmk"


def test_keys_survive_a_cut(loaded: SecureBench) -> None:
    """Every power cut would send the terminal back to the acquirer for its master key."""
    sealed = loaded.module.seal(b"card data")
    module = loaded.reboot()
    assert module.key_state is KeyState.WORKING
    assert module.mac(b"data") == cup_ecb_mac(KEYS.mak, b"data")
    assert module.unseal(sealed) == b"card data"


def operations(bench: SecureBench) -> dict[Operation, Callable[[Slot], object]]:
    """Every operation, with the slot whose key it is to use."""
    module, sealed = bench.module, bench.module.seal(b"data")
    backup = derived.seal_backup(TMK, b"data", b"swap 1")
    return {
        Operation.LOAD_KEYS: lambda slot: module.load_working_keys(FIELD62, slot=slot),
        Operation.MAC: lambda slot: module.mac(b"data", slot),
        Operation.VERIFY_MAC: lambda slot: module.verify_mac(b"data", b"12345678", slot),
        Operation.PIN_BLOCK: lambda slot: module.pin_block(PAN, slot),
        Operation.ENCRYPT_TRACK: lambda slot: module.encrypt_track(TRACK, slot),
        Operation.VERIFY_HOST: lambda slot: module.loader.begin_download(b"", slot),
        Operation.SEAL: lambda slot: module.seal(b"data", slot),
        Operation.UNSEAL: lambda slot: module.unseal(sealed, slot),
        Operation.SEAL_BACKUP: lambda slot: module.seal_backup(b"data", b"swap 1", slot),
        Operation.OPEN_BACKUP: lambda slot: module.open_backup(backup, b"swap 1", slot),
        Operation.PROVE: lambda slot: module.prove(Purpose.CLAIM, b"statement", slot),
    }


@pytest.mark.parametrize(("operation", "slot"), list(product(Operation, Slot)))
def test_each_key_has_one_use(loaded: SecureBench, operation: Operation, slot: Slot) -> None:
    """A PIN could be tried out through the MAC, a master key decrypt data, a MAC be made with the PIN key."""
    before = loaded.chip.image
    loaded.keypad.enter_pin(PIN)
    use = operations(loaded)[operation]
    if operation not in KEY_SLOTS[slot].operations:
        assert code_of(lambda: use(slot)) == "key_use"
        assert (loaded.module.counters["key_use"], loaded.chip.image) == (1, before)
        return
    if operation is Operation.VERIFY_HOST:
        with pytest.raises(DecodeError, match="DF02"):
            use(slot)  # it gets as far as the RSA key that is missing
    else:
        use(slot)
    assert loaded.module.counters["key_use"] == 0


# what was done to a module -> the slots that hold a key then
STATES: dict[str, tuple[Callable[[SecureBench], object], set[Slot]]] = {
    "born": (lambda bench: None, {Slot.STORAGE}),
    "host's key only": (
        lambda bench: bench.module.loader.load_host_key(HOST_KEY),
        {Slot.STORAGE, Slot.HOST_PUBLIC},
    ),
    "master key": (
        lambda bench: bench.module.inject_tmk(TMK, HOST_KEY),
        {Slot.STORAGE, Slot.HOST_PUBLIC, Slot.TMK},
    ),
    "opened": (lambda bench: bench.load().module.tamper(), set()),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("operation", "slot"), list(product(Operation, Slot)))
def test_a_key_that_is_not_there_is_not_used(bench: SecureBench, operation: Operation, slot: Slot, state: str) -> None:
    """A MAC would be made with a key of zeros, or a device that was opened go on as if nothing had happened."""
    bring, loaded = STATES[state]
    use = operations(bench)[operation]
    bring(bench)
    before = bench.chip.image
    bench.keypad.enter_pin(PIN)
    if state == "opened":
        assert code_of(lambda: use(slot)) == "tampered"
    elif operation not in KEY_SLOTS[slot].operations:
        assert (code_of(lambda: use(slot)), bench.module.counters["key_use"]) == ("key_use", 1)
    elif slot not in loaded:
        assert code_of(lambda: use(slot)) == "no_key"
    else:
        with suppress(DecodeError):  # no RSA key came
            use(slot)
        return
    assert bench.chip.image == before
    assert bench.entry.take() == (b"" if operation is Operation.PIN_BLOCK else PIN.encode())


def test_every_operation_has_a_key() -> None:
    """A new operation would be refused for every key, or a key be good for two."""
    allowed = [operation for row in KEY_SLOTS.values() for operation in row.operations]
    assert sorted(allowed) == sorted(Operation)
    assert KEY_SLOTS.keys() == set(Slot)


def test_the_keys_are_used_as_the_protocol_says(loaded: SecureBench) -> None:
    """The host would understand neither MAC nor PIN nor track."""
    module = loaded.module
    assert module.mac(b"data") == cup_ecb_mac(KEYS.mak, b"data") != cup_ecb_mac(MacKey(KEYS.pik), b"data")
    assert module.verify_mac(b"data", module.mac(b"data"))
    assert not module.verify_mac(b"date", module.mac(b"data"))
    loaded.keypad.enter_pin(PIN)
    assert decrypt_pin_block(KEYS.pik, module.pin_block(PAN), PAN) == PIN
    assert KEYS.tdk is not None
    assert decrypt_track(KEYS.tdk, module.encrypt_track(TRACK)) == TRACK


# algorithm -> the clear keys of a sign-on; the model's name for it is the algorithm's
SETS = {
    Algorithm.DES: WorkingKeys(PinKey(b"p" * 8), MacKey(b"m" * 8)),
    Algorithm.TDES: WorkingKeys(PinKey(b"P" * 16), MacKey(b"m" * 8)),
    Algorithm.SM4: KEYS,
}
UNDER = {Algorithm.DES: TDES, Algorithm.TDES: TDES, Algorithm.SM4: SM4}


@pytest.mark.parametrize("algorithm", Algorithm)
def test_the_sign_on_decides_the_algorithm(bench: SecureBench, algorithm: Algorithm) -> None:
    """A terminal that got SM4 keys would go on with DES, or a single-length key be stretched."""
    keys, asked = SETS[algorithm], Algorithm.SM4 if algorithm is Algorithm.SM4 else Algorithm.TDES
    bench.module.inject_tmk(TMK, HOST_KEY)
    bench.module.load_working_keys(pack_working_keys(TMK, keys, UNDER[algorithm]), asked)
    module = bench.reboot()
    assert module.algorithm is algorithm
    assert module.check_values()["MAK"] == check_value(keys.mak, UNDER[algorithm]).hex().upper()
    made = cup_sm4_mac if algorithm is Algorithm.SM4 else cup_ecb_mac
    assert module.mac(b"data") == made(keys.mak, b"data")
    bench.keypad.enter_pin(PIN)
    block = module.pin_block(PAN)
    assert len(block) == (16 if algorithm is Algorithm.SM4 else 8)
    pin_format = PIN_FORMATS["sm4" if algorithm is Algorithm.SM4 else "x98"]
    assert pin_format.decrypt(keys.pik, block, PAN) == PIN
    if keys.tdk:
        assert decrypt_track(keys.tdk, module.encrypt_track(TRACK), SM4) == TRACK


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_model_loads_no_keys_of_an_algorithm_that_it_lacks(
    fresh: Callable[[int], bytes], algorithm: Algorithm
) -> None:
    """A device would take keys that it cannot use, and lose those that it can."""
    bench = SecureBench(fresh, algorithms=frozenset(Algorithm) - {algorithm})
    bench.module.inject_tmk(TMK, HOST_KEY)
    asked = Algorithm.SM4 if algorithm is Algorithm.SM4 else Algorithm.TDES
    before = bench.chip.image
    field62 = pack_working_keys(TMK, SETS[algorithm], UNDER[algorithm])
    assert code_of(lambda: bench.module.load_working_keys(field62, asked)) == "algorithm"
    assert (bench.module.key_state, bench.chip.image) == (KeyState.TMK, before)


def test_keys_of_another_algorithm_are_damaged_keys(bench: SecureBench) -> None:
    """Keys wrapped by 3DES would be taken for SM4 keys, and every MAC be wrong."""
    bench.module.inject_tmk(TMK, HOST_KEY)
    with pytest.raises(KeyLoadError, match="check value"):
        bench.module.load_working_keys(pack_working_keys(TMK, KEYS), Algorithm.SM4)
    with pytest.raises(KeyLoadError, match="check value"):
        bench.module.load_working_keys(pack_working_keys(TMK, KEYS, SM4))
    assert SUITES[Algorithm.DES] is SUITES[Algorithm.TDES]


def test_a_new_master_key_may_come_with_a_sign_on(bench: SecureBench) -> None:
    """A terminal of a host that sends items of 25 bytes could never sign on a second time."""
    new = MasterKey(b"n" * 16)
    items = [(0, TMK, new), (1, new, KEYS.mak), (2, new, KEYS.pik)]
    field62 = b"".join(
        bytes([kind]) + wrap_key(MasterKey(under), key) + check_value(key, length_bytes=8) for kind, under, key in items
    )
    assert len(field62) == 3 * ITEM_BYTES
    bench.module.inject_tmk(TMK, HOST_KEY)
    bench.module.load_working_keys(field62)
    assert bench.reboot().check_values()["TMK"] == check_value(new).hex().upper()
    bench.module.load_working_keys(pack_working_keys(new, KEYS))


def test_a_pin_is_used_once_and_gone_after_any_end(loaded: SecureBench) -> None:
    """The PIN of one customer would be sent with the card of the next."""
    module, keypad = loaded.module, loaded.keypad
    with pytest.raises(SecureModuleError, match="no PIN"):
        module.pin_block(PAN)
    keypad.enter_pin(PIN)
    digits = loaded.entry._digits
    module.pin_block(PAN)
    assert bytes(digits) == bytes(6)
    keypad.enter_pin(PIN)
    with pytest.raises(EncodeError):
        module.pin_block("12")
    with pytest.raises(SecureModuleError, match="no PIN"):
        module.pin_block(PAN)
    for slot, state in ((Slot.MAK, "the PIN key of the MAC"), (Slot.PIK, "no PIN key")):
        module.erase_working_keys()
        keypad.enter_pin(PIN)
        digits = loaded.entry._digits
        with pytest.raises(SecureModuleError):
            module.pin_block(PAN, slot)
        assert bytes(digits) == bytes(6), state


def test_all_working_keys_or_none(loaded: SecureBench) -> None:
    """A damaged sign-on reply would leave a new PIN key with an old MAC key."""
    for at in range(40):
        damaged = bytearray(OTHER)
        damaged[at] ^= 0x10
        with pytest.raises(KeyLoadError):
            loaded.module.load_working_keys(bytes(damaged))
        loaded.module.load_working_keys(FIELD62)
    with pytest.raises(KeyLoadError):
        loaded.module.load_working_keys(OTHER[:-1])
    assert loaded.module.mac(b"data") == cup_ecb_mac(KEYS.mak, b"data")
    assert loaded.module.counters["bad_key_load"] == 41
    assert loaded.reboot().check_values()["PIK"] == check_value(KEYS.pik).hex().upper()


@pytest.mark.parametrize("lost", [0, ~0], ids=["kept", "lost"])
def test_every_cut_of_a_key_load_leaves_the_old_or_the_new_keys(loaded: SecureBench, lost: int) -> None:
    """A plug pulled during sign-on would leave a terminal that neither signs on nor sells."""
    image = loaded.chip.image
    with loaded.power.watched() as points:
        loaded.module.load_working_keys(OTHER)
    new, seen = loaded.module.check_values(), set[bool]()
    for number, phase in cuts(points):
        loaded.chip = Chip.holding(image, name="keys")
        old = loaded.reboot().check_values()
        loaded.power.cut_at(number, phase, lost=lost)
        with pytest.raises(PowerLost):
            loaded.module.load_working_keys(OTHER)
        assert loaded.reboot().check_values() in (old, new)
        seen.add(loaded.module.check_values() == new)
    assert seen == {False, True}


def test_too_many_bad_loads_lock_the_loading_across_power_cuts(loaded: SecureBench) -> None:
    """Whoever holds the line could try out what the master key makes of his bytes, all night."""
    for number in range(BAD_LOADS_MAX):
        assert not loaded.module.is_locked
        with pytest.raises(KeyLoadError):
            loaded.module.load_working_keys(FORGED)
        assert loaded.reboot().counters["bad_key_loads_in_a_row"] == number + 1
    assert loaded.module.is_locked
    assert code_of(lambda: loaded.module.load_working_keys(FIELD62)) == "locked"
    loaded.module.erase_working_keys()
    assert loaded.reboot().is_locked
    loaded.module.inject_tmk(TMK, HOST_KEY)
    loaded.module.load_working_keys(FIELD62)
    assert (loaded.module.is_locked, loaded.module.counters["bad_key_loads_in_a_row"]) == (False, 0)


def test_a_good_load_forgives(loaded: SecureBench) -> None:
    """Ten bad sign-ons in ten years would lock the terminal."""
    for _ in range(BAD_LOADS_MAX):
        with pytest.raises(KeyLoadError):
            loaded.module.load_working_keys(FORGED)
        loaded.module.load_working_keys(FIELD62)
    assert not loaded.module.is_locked


def test_macs_are_not_tried_out_for_long(loaded: SecureBench) -> None:
    """Half of a 32-bit MAC could be guessed in a day by whoever answers for the host (C4)."""
    module = loaded.module
    for _ in range(BAD_MACS_MAX - 1):
        assert not module.verify_mac(b"data", b"00000000")
    assert module.verify_mac(b"data", module.mac(b"data"))
    for number in range(BAD_MACS_MAX):
        assert (module.key_state, module.counters["keys_given_up"]) == (KeyState.WORKING, 0), number
        assert not module.verify_mac(b"data", b"00000000")
    assert (module.key_state, module.counters["keys_given_up"]) == (KeyState.TMK, 1)
    assert module.counters["bad_mac"] == 2 * BAD_MACS_MAX - 1
    module.load_working_keys(FIELD62)
    assert not module.verify_mac(b"data", b"00000000")
    assert module.key_state is KeyState.WORKING


@pytest.mark.parametrize("mac", [b"", b"0" * 7, b"0" * 9, b"\0" * 8, b"0" * 8])
def test_a_mac_is_compared_whole(loaded: SecureBench, mac: bytes) -> None:
    """A MAC cut to its first byte would be guessed at once."""
    good = loaded.module.mac(b"data")
    assert not loaded.module.verify_mac(b"data", mac)
    assert not loaded.module.verify_mac(b"data", good[:-1])
    assert not loaded.module.verify_mac(b"data", good + b"0")


def test_wrong_keys_and_foreign_chips_are_told(bench: SecureBench) -> None:
    """A device put together from two others would start with somebody's keys."""
    for key, host_key in ((bytes(8), HOST_KEY), (bytes(24), HOST_KEY), (TMK, b"")):
        with pytest.raises(SecureModuleError, match="16 bytes"):
            bench.module.inject_tmk(key, host_key)
    bench.serial_number = "PXE9000000002"
    assert code_of(bench.reboot) == "foreign_storage"


def test_sealed_card_data_belongs_to_one_device(loaded: SecureBench, fresh: Callable[[int], bytes]) -> None:
    """Card data copied from one terminal's journal could be read by another."""
    sealed = loaded.module.seal(b"6200000100000004")
    assert b"62000001" not in sealed
    assert loaded.module.seal(b"6200000100000004") != sealed
    with pytest.raises(KeyLoadError):
        SecureBench(fresh).module.unseal(sealed)
    with pytest.raises(KeyLoadError):
        loaded.module.unseal(sealed[:-1])


def test_a_restored_memory_repeats_no_nonce(loaded: SecureBench) -> None:
    """Two cards sealed under one nonce open each other, for whoever keeps copies of the memory (K5)."""
    image, seen = loaded.chip.image, set[bytes]()
    for _ in range(3):
        loaded.chip = Chip.holding(image, name="keys")
        module = loaded.reboot()
        module.erase_working_keys()
        seen |= {module.seal(b"card data")[: vault.NONCE_BYTES], loaded.chip.image}
    assert len(seen) == 6


def test_nothing_wrong_is_counted_from_the_start(bench: SecureBench) -> None:
    """The service would look for faults that never happened, or find a counter that nobody explains."""
    assert bench.module.counters == dict.fromkeys(FAIL_COUNTERS, 0)
    bench.keypad.cancel_pin()
    assert bench.module.counters["pin_cancelled"] == 1


def test_an_old_epoch_computes_nothing(loaded: SecureBench) -> None:
    """The program that lost its power would go on making MACs."""
    module, keypad = loaded.module, loaded.keypad
    keypad.enter_pin(PIN)
    loaded.power.cut()
    for name, arguments in CALLS.items():
        for given in arguments:
            with pytest.raises(PowerLost):
                attrgetter(name)(module)(*given)
    for name in VALUES:
        with pytest.raises(PowerLost):
            getattr(module, name)


# a method of the module, or of its loader -> arguments that make it speak, its errors too
CALLS: dict[str, list[tuple[object, ...]]] = {
    "check_values": [()],
    "inject_tmk": [(b"short", b"short"), (TMK, HOST_KEY)],
    "load_working_keys": [(bytes(40),), (b"",), (FIELD62,)],
    "mac": [(b"data",), (b"data", Slot.TMK)],
    "verify_mac": [(b"data", b"12345678")],
    "pin_block": [("12",), (PAN,)],
    "encrypt_track": [(TRACK,), ("no track",)],
    "seal": [(b"data",)],
    "unseal": [(b"data",)],
    "seal_backup": [(b"data", b"swap 1")],
    "open_backup": [(b"data", b"swap 1")],
    "prove": [(Purpose.CLAIM, b"statement")],
    "loader.inject": [(TMK, HOST_KEY), (TMK, b"")],
    "loader.load_host_key": [(HOST_KEY,), (b"",)],
    "loader.enter_component": [(TMK, check_value(TMK).hex()), (TMK, "00000000"), (b"", "")],
    "loader.combine_components": [(HOST_KEY, check_value(TMK).hex())],
    "loader.begin_download": [(b"",)],
    "loader.finish_download": [(b"",)],
    "erase_working_keys": [()],
    "tamper": [()],
}


VALUES = {"key_state", "counters", "is_locked", "host_public_key", "algorithm", "encrypts_tracks"}
"""What may be read."""


def public(thing: object) -> set[str]:
    """The names on it that are for others."""
    return {name for name in dir(thing) if not name.startswith("_")}


def spoken(bench: SecureBench) -> Iterator[object]:
    """Call and read everything public on a loaded module, the errors too."""
    module = bench.module
    names = public(module) | {f"loader.{name}" for name in public(module.loader)}
    assert names == CALLS.keys() | VALUES | {"loader", "loader.wipe"}, "something that nobody scans"
    yield from (getattr(module, name) for name in VALUES)
    yield from (repr(module), str(module), format(module), repr(module.loader))
    for name, arguments in CALLS.items():
        for given in arguments:
            if module.key_state is KeyState.TMK:
                module.load_working_keys(FIELD62)
            bench.keypad.enter_pin(PIN)
            try:
                yield attrgetter(name)(module)(*given)
            except (SecureModuleError, ProtocolError) as error:
                yield from (str(error), repr(error), vars(error))


def test_nothing_that_is_said_holds_a_key(loaded: SecureBench) -> None:
    """A key or a PIN would stand in a log, a report or an error message."""
    ring = loaded.module._memory.ring
    said = [repr(ring), repr(loaded.module._memory._stored), repr(loaded.keypad), repr(loaded.power), repr(loaded.fuse)]
    said += [loaded.chip.image, *spoken(loaded)]
    for thing in said:
        flat = thing if isinstance(thing, bytes) else repr(thing).encode()
        text = repr(thing).upper().replace(" ", "")
        for secret in loaded.secrets:
            assert secret not in flat
            assert repr(bytes(secret))[2:-1].upper() not in text
            assert secret.hex().upper() not in text
            assert secret.hex().encode() not in flat.lower()


def test_a_module_cannot_be_copied(loaded: SecureBench) -> None:
    """A second module with the same keys would be a cloned terminal."""
    for copier in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(SecureModuleError, match="copied"):
            copier(loaded.module)
