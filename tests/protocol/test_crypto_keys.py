"""Working keys in field 62."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto import keys
from protocol.crypto.cipher import SM4, TDES
from protocol.crypto.key import KEY_TYPES, KeyUse, MacKey, MasterKey, PinKey, TrackKey
from protocol.crypto.keys import KEY_CIPHERS, KEY_LAYOUTS, LAYOUTS, TYPED, WorkingKeys
from protocol.errors import KeyLoadError
from tests.vectors import shared_vector

TMK = bytes.fromhex("11" * 16)
PIK, MAK, TDK = bytes.fromhex("22" * 16), bytes.fromhex("33" * 8), bytes.fromhex("44" * 16)
FIELD62_60 = bytes.fromhex(
    "950973182317F80B950973182317F80B00962B60F679786E2411E3DE0000000000000000ADC67D84"
    "A0C45C59F1E549BBA0C45C59F1E549BBE2F24340"
)
# 60.3 -> where each key and each check value stands
PLACES = {
    "001": {KeyUse.PIK: (0, 8, 12), KeyUse.MAK: (12, 20, 24)},
    "003": {KeyUse.PIK: (0, 16, 20), KeyUse.MAK: (20, 36, 40)},
    "004": {KeyUse.PIK: (0, 16, 20), KeyUse.MAK: (20, 36, 40), KeyUse.TDK: (40, 56, 60)},
}


def made(network: str, seed: int = 1) -> WorkingKeys:
    return keys.make_working_keys(network, random.Random(seed).randbytes)


@pytest.mark.parametrize(("key", "value"), [(PIK, "00962B60"), (MAK, "ADC67D84"), (TDK, "E2F24340")])
def test_check_value(key: bytes, value: str) -> None:
    """Every sign-on would fail with a right key."""
    assert keys.check_value(key).hex().upper() == value


@pytest.mark.parametrize(
    ("working", "field62"),
    [
        (WorkingKeys(PIK, MAK), FIELD62_60[:40]),
        (WorkingKeys(PIK, MAK, TDK), FIELD62_60),
        (WorkingKeys(PIK[:8], MAK), FIELD62_60[:8] + bytes.fromhex("00962B60") + FIELD62_60[20:28] + FIELD62_60[36:40]),
    ],
)
def test_golden_chain(working: WorkingKeys, field62: bytes) -> None:
    """A terminal in the field could not load what the host issues."""
    assert keys.pack_working_keys(TMK, working) == field62
    assert keys.unpack_working_keys(TMK, field62) == working


@pytest.mark.parametrize("name", ["kcv-code456-pik", "kcv-code456-mak", "kcv-npp-pik", "kcv-npp-mak", "kcv-npp-tdk"])
def test_shared_check_values(name: str) -> None:
    """Keys of a real host would be refused."""
    vector = shared_vector(name)
    key = keys.unwrap_key(bytes.fromhex(vector["inputs"]["tmk"]), bytes.fromhex(vector["hex"]))
    assert key == bytes.fromhex(vector["computed"]["clear_key"])
    assert keys.check_value(key).hex().upper() == vector["expected"]


def test_shared_key() -> None:
    """A MAC key of a real host would be unwrapped wrongly."""
    vector = shared_vector("key-zhu-mak")
    tmk, clear = bytes.fromhex(vector["inputs"]["tmk"]), bytes.fromhex(vector["expected"])
    assert keys.unwrap_key(tmk, bytes.fromhex(vector["hex"])) == clear
    assert keys.wrap_key(tmk, clear) == bytes.fromhex(vector["hex"])


def test_shared_field62() -> None:
    """The sign-on reply of a real host would load no keys."""
    vector = shared_vector("key-code456-f62")
    tmk, field62 = bytes.fromhex(vector["inputs"]["tmk"]), bytes.fromhex(vector["hex"])
    working = keys.unpack_working_keys(tmk, field62)
    assert working.pik == bytes.fromhex(vector["expected"]["pik"])
    assert working.mak == bytes.fromhex(vector["expected"]["mak"])
    assert working.tdk is None
    assert keys.pack_working_keys(tmk, working) == field62


def test_shared_sign_on_reply() -> None:
    """The 60-byte sign-on reply of a real host would load no keys."""
    field62 = bytes.fromhex(shared_vector("signin-rsp-npp")["fields"]["62"])
    assert keys.unpack_working_keys(TMK, field62) == WorkingKeys(PIK, MAK, TDK)


@pytest.mark.parametrize(
    ("network", "lengths"),
    [("001", (8, 8, 0)), ("003", (16, 16, 0)), ("004", (16, 16, 16)), ("005", (16, 16, 0)), ("006", (16, 16, 16))],
)
def test_made_keys(network: str, lengths: tuple[int, int, int]) -> None:
    """A host would issue half-length MAC keys, or keys that a strict terminal refuses for their parity."""
    working = made(network)
    held = (working.pik, working.mak, working.tdk or b"")
    assert tuple(len(key) for key in held) == lengths
    assert all(byte.bit_count() % 2 for key in held for byte in key) is (KEY_CIPHERS[network] is TDES)
    assert made(network, seed=2) != working


def test_unknown_network_code() -> None:
    """A sign-on of a kind we do not know would get keys of a length that its terminal cannot load."""
    with pytest.raises(KeyLoadError):
        made("002")


@given(
    network=st.sampled_from(sorted(KEY_LAYOUTS)),
    seed=st.integers(0, 2**32),
    single=st.booleans(),
    tmk=st.binary(min_size=16, max_size=16),
)
def test_round_trip(network: str, seed: int, single: bool, tmk: bytes) -> None:
    """Terminal and host would hold different keys after a sign-on that both think went well."""
    working, cipher = made(network, seed), KEY_CIPHERS[network]
    if single and cipher is TDES:
        working = WorkingKeys(working.pik, MacKey(working.mak[:8]), working.tdk)
    field62 = keys.pack_working_keys(tmk, working, cipher)
    assert len(field62) == {"001": 24, "003": 40, "004": 60, "005": 40, "006": 60}[network]
    assert keys.unpack_working_keys(tmk, field62, cipher) == working


@pytest.mark.parametrize("length", [0, 1, 23, 25, 39, 41, 55, 57, 59, 61, 74, 76, 83, 85, 99, 101, 104, 125])
def test_wrong_length_refused(length: int) -> None:
    """Half a download would be loaded as keys."""
    with pytest.raises(KeyLoadError) as caught:
        keys.unpack_working_keys(TMK, (FIELD62_60 * 3)[:length])
    assert caught.value.code == "key_length"


@pytest.mark.parametrize("network", sorted(PLACES))
def test_every_flipped_bit_of_a_check_value_is_refused(network: str) -> None:
    """A damaged key would be loaded, and every sale after it would be answered A0."""
    field62 = keys.pack_working_keys(TMK, made(network))
    for use, (_, value_at, end) in PLACES[network].items():
        for bit in range(8 * value_at, 8 * end):
            damaged = bytearray(field62)
            damaged[bit // 8] ^= 1 << bit % 8
            with pytest.raises(KeyLoadError, match=use) as caught:
                keys.unpack_working_keys(TMK, bytes(damaged))
            assert caught.value.code == "key_check_value"


@pytest.mark.parametrize("network", sorted(PLACES))
def test_every_damaged_byte_of_a_key_is_refused(network: str) -> None:
    """A damaged key would be loaded, and every sale after it would be answered A0."""
    field62 = keys.pack_working_keys(TMK, made(network))
    for use, (start, value_at, _) in PLACES[network].items():
        for at in range(start, value_at):
            damaged = bytearray(field62)
            damaged[at] ^= 0xFF
            with pytest.raises(KeyLoadError, match=use):
                keys.unpack_working_keys(TMK, bytes(damaged))


def test_other_master_key_refused() -> None:
    """A terminal with another merchant's master key would load rubbish as keys."""
    with pytest.raises(KeyLoadError, match="PIK"):
        keys.unpack_working_keys(TDK, FIELD62_60)


@pytest.mark.parametrize(
    "working",
    [
        WorkingKeys(PIK, b""),
        WorkingKeys(PIK[:8], MAK * 2),
        WorkingKeys(PIK[:8], MAK, TDK),
        WorkingKeys(PIK, MAK, TDK[:8]),
        WorkingKeys(PIK + MAK, MAK),
        WorkingKeys(PIK + MAK, PIK + MAK, TDK),
    ],
)
def test_lengths_without_a_layout(working: WorkingKeys) -> None:
    """The host would send a field 62 that no terminal can take apart."""
    with pytest.raises(KeyLoadError) as caught:
        keys.pack_working_keys(TMK, working)
    assert caught.value.code == "key_length"


def test_keys_are_never_shown() -> None:
    """A key in a log file is a key lost."""
    shown = repr(WorkingKeys(PIK, MAK, TDK))
    assert shown == "WorkingKeys()"


ITEM_KEYS = {0: bytes.fromhex("55" * 16), 1: bytes.fromhex("33" * 16), 2: PIK, 3: TDK}


def items(*types: int, wrapped_by: bytes = b"") -> bytes:
    """Field 62 of 25-byte items in this order; a new master key wraps the others."""
    wrapped_by = wrapped_by or (ITEM_KEYS[0] if 0 in types else TMK)
    return b"".join(
        bytes([kind])
        + keys.wrap_key(TMK if kind == 0 else wrapped_by, ITEM_KEYS[kind])
        + keys.check_value(ITEM_KEYS[kind], length_bytes=8)
        for kind in types
    )


@pytest.mark.parametrize("name", ["kcv-newland-tmk", "kcv-newland-mak", "kcv-newland-pik"])
def test_shared_long_check_values(name: str) -> None:
    """Keys of an acquirer with 25-byte items would be refused."""
    vector = shared_vector(name)
    key = keys.unwrap_key(bytes.fromhex(vector["inputs"]["tmk"]), bytes.fromhex(vector["hex"]))
    assert keys.check_value(key, length_bytes=8).hex().upper() == vector["expected"]


def test_shared_items() -> None:
    """The sign-on reply of an acquirer with 25-byte items would load no keys."""
    vector = shared_vector("key-newland-f62")
    working = keys.unpack_working_keys(bytes.fromhex(vector["inputs"]["old_tmk"]), bytes.fromhex(vector["hex"]))
    held = {"tmk": working.tmk, "mak": working.mak, "pik": working.pik}
    assert {name: (key or b"").hex().upper() for name, key in held.items()} == vector["expected"]
    assert working.tdk is None


@pytest.mark.parametrize("types", [(0, 1, 2), (1, 2, 3, 0), (2, 1), (3, 2, 1), (1, 0, 2)])
def test_items_go_by_their_type(types: tuple[int, ...]) -> None:
    """A terminal would take the PIN key for the MAC key where an acquirer sends them in another order."""
    working = keys.unpack_working_keys(TMK, items(*types))
    assert working == WorkingKeys(
        PinKey(PIK),
        MacKey(ITEM_KEYS[1]),
        TrackKey(TDK) if 3 in types else None,
        MasterKey(ITEM_KEYS[0]) if 0 in types else None,
    )


@pytest.mark.parametrize(
    ("field62", "code"),
    [
        (b"\4" + items(1, 2)[1:], "key_layout"),
        (items(1, 1), "key_layout"),
        (items(1, 2, 2), "key_layout"),
        (items(0, 1), "key_layout"),
        (items(2, 3), "key_layout"),
        (items(0, 1, 2, wrapped_by=TMK), "key_check_value"),
        (items(1, 2)[:-1] + b"\0", "key_check_value"),
    ],
)
def test_items_that_are_no_set_of_keys(field62: bytes, code: str) -> None:
    """A terminal would sign on and then refuse every sale for want of a key."""
    with pytest.raises(KeyLoadError) as caught:
        keys.unpack_working_keys(TMK, field62)
    assert caught.value.code == code


@pytest.mark.parametrize(("track", "length"), [(False, 56), (True, 84)])
def test_triple_length_keys(track: bool, length: int) -> None:
    """A terminal of a host with 24-byte keys could not sign on."""
    working = WorkingKeys(bytes(range(24)), bytes(range(24, 48)), bytes(range(48, 72)) if track else None)
    field62 = keys.pack_working_keys(TMK, working)
    assert len(field62) == length
    assert keys.unpack_working_keys(TMK, field62) == working


def test_sm4_keys() -> None:
    """A terminal with SM4 keys could not sign on."""
    clear = [b"P" * 16, b"M" * 8 + b"m" * 8, b"T" * 16]
    field62 = b"".join(keys.wrap_key(TMK, key, SM4) + keys.check_value(key, SM4) for key in clear)
    assert keys.unpack_working_keys(TMK, field62, SM4) == WorkingKeys(*clear)
    with pytest.raises(KeyLoadError, match="PIK"):
        keys.unpack_working_keys(TMK, field62)


def test_an_sm4_key_may_end_in_zeros() -> None:
    """A wrapped SM4 key with zeros at its end would be cut in half as if it were a single DES key."""
    wrapped = bytes(range(8)) + bytes(8)
    clear = keys.unwrap_key(TMK, wrapped, SM4)
    field62 = keys.wrap_key(TMK, PIK, SM4) + keys.check_value(PIK, SM4) + wrapped + keys.check_value(clear, SM4)
    assert keys.split_keys(field62, cipher=SM4)[1].wrapped == wrapped
    assert keys.unpack_working_keys(TMK, field62, SM4) == WorkingKeys(PIK, clear)


def test_shared_sm4_key() -> None:
    """A working key of a real SM4 host would be unwrapped wrongly."""
    vector = shared_vector("key-sm4-wk")
    key = keys.unwrap_key(bytes.fromhex(vector["inputs"]["tmk"]), bytes.fromhex(vector["hex"]), SM4)
    assert key.hex().upper() == vector["expected"]
    assert len(keys.check_value(key, SM4, 8)) == 8
    assert keys.check_value(key, SM4, 8)[:4] == keys.check_value(key, SM4)


def test_opened_keys_tell_which_is_wrong() -> None:
    """An engineer could not tell a wrong master key from one damaged key."""
    damaged = bytearray(FIELD62_60)
    damaged[37] ^= 1
    opened = keys.open_keys(TMK, bytes(damaged))
    assert [(each.key.use, each.is_right) for each in opened] == [
        (KeyUse.PIK, True),
        (KeyUse.MAK, False),
        (KeyUse.TDK, True),
    ]
    assert [each.check_value.hex().upper() for each in opened] == ["00962B60", "ADC67D84", "E2F24340"]
    assert all(type(each.key) is KEY_TYPES[each.key.use] for each in opened)
    assert "22" not in repr(opened)


@pytest.mark.parametrize("layout", [*LAYOUTS, TYPED])
def test_a_named_layout_must_fit(layout: str) -> None:
    """Keys would be cut at the wrong places because somebody named another layout."""
    if layout == "double":
        assert len(keys.split_keys(FIELD62_60[:40], layout)) == 2
        assert len(keys.open_keys(TMK, FIELD62_60[:40], layout=layout)) == 2
        return
    for call in (
        lambda: keys.split_keys(FIELD62_60[:40], layout),
        lambda: keys.open_keys(TMK, FIELD62_60[:40], layout=layout),
    ):
        with pytest.raises(KeyLoadError, match="try double") as caught:
            call()
        assert caught.value.code == "key_length"


def test_a_spelt_layout() -> None:
    """An acquirer's own layout could not be opened."""
    slots = keys.spelt_layout(keys.SPELT_EXAMPLE)
    assert [(slot.use, slot.key_bytes, slot.check_bytes) for slot in slots] == [
        (KeyUse.TMK, 16, 4),
        (KeyUse.PIK, 16, 4),
        (KeyUse.MAK, 16, 4),
        (KeyUse.TDK, 24, 8),
    ]
    assert [slot.may_be_single for slot in slots] == [False, False, True, False]
    held = (MasterKey(b"N" * 16), PinKey(PIK), MacKey(MAK), TrackKey(b"T" * 24))
    field62 = b"".join(
        slot.pack(TMK if slot.use is KeyUse.TMK else held[0], key) for slot, key in zip(slots, held, strict=True)
    )
    opened = keys.open_keys(TMK, field62, layout=keys.SPELT_EXAMPLE)
    assert tuple(each.key for each in opened) == held
    assert all(each.is_right for each in opened)
    assert [len(each.check_value) for each in opened] == [4, 4, 4, 8]


@pytest.mark.parametrize(
    "spelt", ["", "x", "PIK16", "pik", "pik12", "pik16+0", "pik16+9", "pik16,", "pik16 mak16", "pik１６", "pik16,pik8"]
)
def test_a_layout_that_is_none(spelt: str) -> None:
    """Keys would be cut at places that nobody named."""
    with pytest.raises(KeyLoadError) as caught:
        keys.split_keys(FIELD62_60, spelt)
    assert caught.value.code == "key_layout"


def test_a_spelt_layout_must_fit() -> None:
    """Half a field would be loaded as keys."""
    with pytest.raises(KeyLoadError, match="60 bytes, pik16,mak16 40"):
        keys.split_keys(FIELD62_60, "pik16,mak16")


def test_working_keys_know_their_use() -> None:
    """The PIN key of a sign-on could be made to sign messages."""
    working = keys.unpack_working_keys(TMK, FIELD62_60)
    assert (type(working.pik), type(working.mak), type(working.tdk)) == (PinKey, MacKey, TrackKey)
    assert type(made("001").pik) is PinKey
    assert TDES.encrypt(working.mak, bytes(8))
