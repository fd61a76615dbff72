"""A master key by its two ways: carried in parts by people, and over the line under RSA."""

from __future__ import annotations

from collections.abc import Callable
from operator import xor

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from firmware_sim.chip import Chip
from firmware_sim.errors import SecureModuleError
from firmware_sim.key_memory import BAD_LOADS_MAX
from firmware_sim.power import PowerLost, cuts
from firmware_sim.secure_module import KeyState
from protocol.crypto.keys import check_value, pack_working_keys
from protocol.crypto.tmk_download import transport_key, unpack_master_key
from protocol.crypto.tmk_exchange import pack_answer, pack_signed_key
from protocol.errors import DecodeError, KeyLoadError, SignatureError
from tests.firmware_sim.secure_bench import HOST_KEY, KEYS, SIGNING_KEY, SecureBench

PARTS = (b"\x11" * 16, b"\x22" * 16, b"\x44" * 16)
PRIVATE = rsa.generate_private_key(65537, 1024)
OFFERED = pack_signed_key(transport_key(PRIVATE, bytes.fromhex("A000000333"), b"\x01"), SIGNING_KEY)
NEW_TMK = bytes(range(16, 32))


@pytest.fixture
def bench(fresh: Callable[[int], bytes]) -> SecureBench:
    return SecureBench(fresh)


def shown(key: bytes) -> str:
    """A check value as it stands on a custodian's paper."""
    return check_value(key).hex().upper()


def combined(*parts: bytes) -> bytes:
    """The key that the components make."""
    key = bytes(16)
    for part in parts:
        key = bytes(map(xor, key, part))
    return key


def answer(asked: bytes, tmk: bytes = NEW_TMK) -> bytes:
    """What the host answers to a request for a master key."""
    return pack_answer(unpack_master_key(PRIVATE, asked), tmk)


@pytest.mark.parametrize("count", [2, 3])
def test_components_make_a_master_key(bench: SecureBench, count: int) -> None:
    """Two custodians would leave the depot with a device that has no key."""
    parts, loader = PARTS[:count], bench.module.loader
    for number, part in enumerate(parts, 1):
        assert loader.enter_component(part, shown(part).lower()) == number
    assert bench.module.key_state is KeyState.NONE
    assert loader.combine_components(HOST_KEY, shown(combined(*parts))) == shown(combined(*parts))
    module = bench.reboot()
    assert (module.key_state, module.host_public_key) == (KeyState.TMK, HOST_KEY)
    module.load_working_keys(pack_working_keys(combined(*parts), KEYS))


def test_a_component_is_checked_before_it_counts(bench: SecureBench) -> None:
    """A slip of the first custodian would be found when both have gone home."""
    loader = bench.module.loader
    for component, stated, code in (
        (PARTS[0], shown(PARTS[1]), "component_check_value"),
        (PARTS[0], "", "component_check_value"),
        (PARTS[0], "é", "component_check_value"),
        (PARTS[0][:8], shown(PARTS[0]), "key_length"),
    ):
        with pytest.raises(SecureModuleError) as refused:
            loader.enter_component(component, stated)
        assert refused.value.code == code
    loader.enter_component(PARTS[0], shown(PARTS[0]))
    with pytest.raises(SecureModuleError) as refused:
        loader.enter_component(PARTS[0], shown(PARTS[0]))
    assert refused.value.code == "component_repeated"


@pytest.mark.parametrize("count", [0, 1])
def test_one_custodian_alone_makes_no_key(bench: SecureBench, count: int) -> None:
    """Dual control would be a word."""
    loader = bench.module.loader
    for part in PARTS[:count]:
        loader.enter_component(part, shown(part))
    with pytest.raises(SecureModuleError) as refused:
        loader.combine_components(HOST_KEY, shown(combined(*PARTS[:count])))
    assert (refused.value.code, bench.module.key_state) == ("component_count", KeyState.NONE)


def test_there_is_no_fourth_custodian(bench: SecureBench) -> None:
    """A key of four components would be made that no other device of the acquirer takes."""
    for part in PARTS:
        bench.module.loader.enter_component(part, shown(part))
    with pytest.raises(SecureModuleError) as refused:
        bench.module.loader.enter_component(b"\x88" * 16, shown(b"\x88" * 16))
    assert refused.value.code == "component_count"


def test_components_that_do_not_fit_change_nothing_and_are_overwritten(bench: SecureBench) -> None:
    """The parts of two keys would make a third one, or lie in memory for whoever comes next."""
    bench.load()
    loader, before = bench.module.loader, bench.module.check_values()
    for part in PARTS[:2]:
        loader.enter_component(part, shown(part))
    entered = list(loader._components._entered)
    with pytest.raises(KeyLoadError, match="check value of the TMK"):
        loader.combine_components(HOST_KEY, shown(PARTS[0]))
    assert entered == [bytearray(16)] * 2
    assert (bench.module.check_values(), bench.module.counters["bad_key_load"]) == (before, 1)
    with pytest.raises(SecureModuleError, match="components"):
        loader.combine_components(HOST_KEY, shown(combined(*PARTS[:2])))


def test_components_do_not_outlive_the_power(bench: SecureBench) -> None:
    """A component would wait in memory for the night."""
    bench.module.loader.enter_component(PARTS[0], shown(PARTS[0]))
    entered = bench.module.loader._components._entered[0]
    bench.power.cut()
    assert entered == bytearray(16)


def test_a_download_brings_the_hosts_master_key(bench: SecureBench) -> None:
    """A terminal far from any depot could not get its key, or somebody on the line would know it."""
    bench.module.loader.load_host_key(HOST_KEY)
    asked = bench.module.loader.begin_download(OFFERED)
    told = answer(asked)
    assert NEW_TMK not in told
    assert bench.module.loader.finish_download(told) == shown(NEW_TMK)
    module = bench.reboot()
    assert (module.key_state, module.host_public_key) == (KeyState.TMK, HOST_KEY)
    module.load_working_keys(pack_working_keys(NEW_TMK, KEYS))


def test_a_download_replaces_keys_and_keeps_card_data(bench: SecureBench) -> None:
    """Pending reversals would lose their cards with a new master key, or old working keys stay good."""
    bench.load()
    sealed = bench.module.seal(b"card data")
    bench.module.loader.finish_download(answer(bench.module.loader.begin_download(OFFERED)))
    assert bench.module.key_state is KeyState.TMK
    assert bench.reboot().unseal(sealed) == b"card data"


def test_a_transport_key_is_for_one_answer(bench: SecureBench) -> None:
    """An answer that somebody recorded would bring back an old master key."""
    loader = bench.load().module.loader
    told = answer(loader.begin_download(OFFERED))
    loader.finish_download(told)
    with pytest.raises(SecureModuleError) as refused:
        loader.finish_download(told)
    assert refused.value.code == "no_download"
    loader.begin_download(OFFERED)
    with pytest.raises(KeyLoadError, match="check value"):
        loader.finish_download(told)
    assert bench.module.check_values()["TMK"] == shown(NEW_TMK)
    loader.begin_download(OFFERED)
    with pytest.raises(SecureModuleError, match="no download"):
        bench.reboot().loader.finish_download(told)


@pytest.mark.parametrize(
    "offered",
    [
        pack_signed_key(transport_key(PRIVATE, bytes.fromhex("A000000333"), b"\x01"), b"X" * 32),
        OFFERED.replace(b"\x9f\x22\x01\x01", b"\x9f\x22\x01\x02"),
        OFFERED[: OFFERED.rindex(b"\xdf\x25")],
        OFFERED + OFFERED[OFFERED.rindex(b"\xdf\x25") :],
    ],
    ids=["another signer", "another index", "unsigned", "signed twice"],
)
def test_a_forged_rsa_key_is_refused_and_counted(bench: SecureBench, offered: bytes) -> None:
    """The master key would be sent to whoever sits on the line (A08)."""
    bench.load()
    before = bench.chip.image
    with pytest.raises(SignatureError):
        bench.module.loader.begin_download(offered)
    assert (bench.module.counters["bad_signature"], bench.chip.image) == (1, before)
    with pytest.raises(SecureModuleError, match="no download"):
        bench.module.loader.finish_download(b"")


def test_without_the_hosts_key_nothing_is_downloaded(bench: SecureBench) -> None:
    """A fresh device would take the key of the first host that speaks."""
    with pytest.raises(SecureModuleError) as refused:
        bench.module.loader.begin_download(OFFERED)
    assert refused.value.code == "no_key"


def test_damaged_answers_change_nothing_and_lock_in_the_end(bench: SecureBench) -> None:
    """A damaged byte would leave a terminal without any key, or answers be tried until one fits (K3)."""
    bench.load()
    before = bench.module.check_values()
    for number in range(BAD_LOADS_MAX):
        damaged = bytearray(answer(bench.module.loader.begin_download(OFFERED)))
        damaged[-1 - number] ^= 1
        with pytest.raises((KeyLoadError, DecodeError)):
            bench.module.loader.finish_download(bytes(damaged))
        assert bench.module.check_values() == before
    assert bench.module.counters["bad_key_load"] == BAD_LOADS_MAX
    with pytest.raises(SecureModuleError) as refused:
        bench.module.loader.begin_download(OFFERED)
    assert refused.value.code == "locked"


def test_every_cut_of_a_download_leaves_the_old_or_the_new_master_key(bench: SecureBench) -> None:
    """A cut between the master key and its working keys would lock the terminal out (A14)."""
    bench.load()
    image, old = bench.chip.image, bench.module.check_values()
    told = answer(bench.module.loader.begin_download(OFFERED))
    with bench.power.watched() as points:
        bench.module.loader.finish_download(told)
    new = bench.module.check_values()
    assert new != old
    for number, phase in cuts(points):
        bench.chip = Chip.holding(image, name="keys")
        told = answer(bench.reboot().loader.begin_download(OFFERED))
        bench.power.cut_at(number, phase)
        with pytest.raises(PowerLost):
            bench.module.loader.finish_download(told)
        assert bench.reboot().check_values() in (old, new)
        bench.module.loader.finish_download(answer(bench.module.loader.begin_download(OFFERED)))
        assert bench.module.check_values() == new


def test_another_hosts_key_ends_what_was_under_the_first(bench: SecureBench) -> None:
    """A device that changes hands would obey its former owner."""
    bench.load()
    sealed = bench.module.seal(b"card data")
    bench.module.loader.load_host_key(HOST_KEY)
    assert bench.module.key_state is KeyState.WORKING
    bench.module.loader.load_host_key(b"O" * 32)
    assert (bench.module.key_state, bench.module.host_public_key) == (KeyState.NONE, b"O" * 32)
    assert bench.reboot().unseal(sealed) == b"card data"
    with pytest.raises(SecureModuleError, match="32 bytes"):
        bench.module.loader.load_host_key(b"short")


def test_a_transport_key_wraps_one_length_of_master_keys(bench: SecureBench) -> None:
    """A master key of half the strength would be taken for a whole one."""
    loader = bench.load().module.loader
    asked = loader.begin_download(OFFERED)
    with pytest.raises(KeyLoadError, match="16 bytes"):
        answer(asked, bytes(8))
    whole = answer(asked)
    at = whole.index(b"\xdf\x23\x10")
    with pytest.raises(KeyLoadError, match="16 bytes"):
        loader.finish_download(whole[:at] + b"\xdf\x23\x08" + whole[at + 3 : at + 11])
