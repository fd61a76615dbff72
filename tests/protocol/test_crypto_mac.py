"""The MACs of field 64."""

from __future__ import annotations

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto.cipher import SM4, TDES
from protocol.crypto.mac import MAC_ALGORITHMS, cup_ecb_mac, cup_sm4_mac, verify_cup_ecb_mac
from protocol.errors import KeyLoadError
from tests.vectors import shared_vector

SINGLE = bytes.fromhex("33" * 8)
DOUBLE = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
maks = st.sampled_from([8, 16]).flatmap(lambda n: st.binary(min_size=n, max_size=n))


def by_the_book(mak: bytes, data: bytes) -> bytes:
    """The five steps of CUP 5.4 as they are written, a byte at a time."""

    def enc(block: bytes) -> bytes:
        return Cipher(TripleDES((mak * 3)[:24]), modes.ECB()).encryptor().update(block)

    data += bytes(-len(data) % 8)
    folded = [0] * 8
    for at, byte in enumerate(data):
        folded[at % 8] ^= byte
    characters = "".join(f"{byte:02X}" for byte in folded).encode()
    first = enc(characters[:8])
    second = enc(bytes(a ^ b for a, b in zip(first, characters[8:], strict=True)))
    return "".join(f"{byte:02X}" for byte in second)[:8].encode()


@pytest.mark.parametrize(
    ("mak", "data", "mac"),
    [
        (SINGLE, b"", b"38D02D9C"),
        (SINGLE, bytes(8), b"38D02D9C"),
        (SINGLE, bytes(range(111)), b"6155C7C9"),
    ],
)
def test_golden(mak: bytes, data: bytes, mac: bytes) -> None:
    """A MAC that changes between releases would make every terminal in the field answer A0."""
    assert cup_ecb_mac(mak, data) == mac == by_the_book(mak, data)


@given(mak=maks, data=st.binary(max_size=200))
def test_agrees_with_the_book(mak: bytes, data: bytes) -> None:
    """A fold that is fast but wrong for one length would refuse just the sales of that length."""
    assert cup_ecb_mac(mak, data) == by_the_book(mak, data)


@pytest.mark.parametrize("blocks", [1, 2, 3, 4, 5, 8, 9, 16, 17, 125])
@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_every_fold_length(blocks: int, extra: int) -> None:
    """A message that is just one byte past a block would lose that byte from the MAC."""
    data = bytes((7 * at + 1) % 256 for at in range(8 * blocks + extra))
    assert cup_ecb_mac(DOUBLE, data) == by_the_book(DOUBLE, data)


@pytest.mark.parametrize("name", ["mac-zhu-des", "mac-zfr-3des"])
def test_shared_vectors(name: str) -> None:
    """A real host would refuse our first sale."""
    vector = shared_vector(name)
    mac = cup_ecb_mac(bytes.fromhex(vector["inputs"]["mak"]), bytes.fromhex(vector["hex"]))
    assert mac.decode() == vector["expected"][:8]
    if "f64" in vector["inputs"]:
        assert mac == bytes.fromhex(vector["inputs"]["f64"])


def test_every_flipped_bit_of_the_mac_is_refused() -> None:
    """A forged amount would be captured if any bit of field 64 were not looked at."""
    data = bytes(range(111))
    mac = cup_ecb_mac(DOUBLE, data)
    assert verify_cup_ecb_mac(DOUBLE, data, mac)
    for bit in range(64):
        flipped = int.from_bytes(mac, "big") ^ (1 << bit)
        assert not verify_cup_ecb_mac(DOUBLE, data, flipped.to_bytes(8, "big"))


def test_every_flipped_bit_of_the_data_is_refused() -> None:
    """An amount changed on the line would be captured."""
    data = bytes(range(60, 100))
    mac = cup_ecb_mac(DOUBLE, data)
    for bit in range(8 * len(data)):
        flipped = int.from_bytes(data, "big") ^ (1 << bit)
        assert not verify_cup_ecb_mac(DOUBLE, flipped.to_bytes(len(data), "big"), mac)


@pytest.mark.parametrize("mac", [b"", b"6155C7C", b"6155C7C90", b"6155c7c9", bytes.fromhex("6155C7C9")])
def test_other_spellings_are_refused(mac: bytes) -> None:
    """A MAC cut to nothing would let anything through."""
    assert not verify_cup_ecb_mac(SINGLE, bytes(range(111)), mac)


@pytest.mark.parametrize("length", [0, 7, 9, 32])
def test_key_length_refused(length: int) -> None:
    """A terminal without a MAC key would sign with an empty one."""
    with pytest.raises(KeyLoadError):
        cup_ecb_mac(bytes(length), b"data")


def sm4_by_the_book(mak: bytes, data: bytes) -> bytes:
    """CUP 5.5 as it is written, a byte at a time."""
    data += bytes(-len(data) % 16)
    folded = [0] * 16
    for at, byte in enumerate(data):
        folded[at % 16] ^= byte
    characters = "".join(f"{byte:02X}" for byte in folded).encode()
    first = SM4.encrypt(mak, characters[:16])
    second = SM4.encrypt(mak, bytes(a ^ b for a, b in zip(first, characters[16:], strict=True)))
    return second.hex().upper().encode()[:8]


@given(mak=st.binary(min_size=16, max_size=16), data=st.binary(max_size=200))
def test_sm4_agrees_with_the_book(mak: bytes, data: bytes) -> None:
    """A fold that is fast but wrong for one length would refuse just the sales of that length."""
    assert cup_sm4_mac(mak, data) == sm4_by_the_book(mak, data)


def test_shared_sm4_vector() -> None:
    """A terminal with SM4 keys would have its first sale refused."""
    vector = shared_vector("mac-sm4-blog")
    key, data = bytes.fromhex(vector["inputs"]["mak"]), bytes.fromhex(vector["hex"])
    assert cup_sm4_mac(key, data).decode() == vector["computed"]["mac"]


@given(data=st.binary(max_size=100))
def test_the_chained_ones_agree_with_the_book(data: bytes) -> None:
    """An acquirer with the older methods would refuse every sale."""
    left, right = DOUBLE[:8], DOUBLE[8:]
    last, folded = bytes(8), 0
    padded = data + bytes(-len(data) % 8) or bytes(8)
    for at in range(0, len(padded), 8):
        block = padded[at : at + 8]
        last = TDES.encrypt(left, bytes(a ^ b for a, b in zip(block, last, strict=True)))
        folded ^= int.from_bytes(block, "big")
    assert MAC_ALGORITHMS["x9.9"].make(left, data) == last
    assert MAC_ALGORITHMS["x9.19"].make(DOUBLE, data) == TDES.encrypt(left, TDES.decrypt(right, last))
    assert MAC_ALGORITHMS["3des-plain"].make(DOUBLE, data) == TDES.encrypt(DOUBLE, folded.to_bytes(8, "big"))


@pytest.mark.parametrize("name", sorted(MAC_ALGORITHMS))
def test_every_algorithm_verifies_its_own_and_nothing_else(name: str) -> None:
    """A forged amount would be captured."""
    algorithm = MAC_ALGORITHMS[name]
    key = DOUBLE[:8] if name == "x9.9" else DOUBLE
    mac = algorithm.make(key, b"data")
    assert algorithm.name == name
    assert len(mac) == 8
    assert algorithm.verify(key, b"data", mac)
    assert not algorithm.verify(key, b"Data", mac)
    assert not any(algorithm.verify(key, b"data", other) for other in (b"", mac[:-1], mac + b"0", mac.swapcase()[::-1]))
    assert algorithm.shown(mac) == (mac.decode() if name.startswith("cup") else mac.hex().upper())


@pytest.mark.parametrize(
    ("name", "length"), [("x9.9", 16), ("x9.19", 8), ("x9.19", 24), ("cup-sm4", 8), ("3des-plain", 9)]
)
def test_key_lengths_of_the_algorithms(name: str, length: int) -> None:
    """A MAC would be made under half of the key, and nobody would see it."""
    with pytest.raises(KeyLoadError) as caught:
        MAC_ALGORITHMS[name].make(bytes(length), b"data")
    assert caught.value.code == "key_length"
