"""The master key over the line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from protocol.crypto.key import MasterKey
from protocol.crypto.keys import check_value
from protocol.crypto.tmk_download import (
    CHECK_VALUE,
    ENCRYPTED_KEY,
    EXPONENT,
    MODULUS,
    TransportKey,
    pack_master_key,
    pack_public_key,
    read_private_key,
    transport_key,
    unpack_master_key,
    unpack_public_key,
)
from protocol.errors import DecodeError, KeyLoadError
from protocol.tlv import Node, decode, encode, value_of

PRIVATE = rsa.generate_private_key(65537, 1024)
OTHER = rsa.generate_private_key(65537, 1024)
RID, INDEX = bytes.fromhex("A000000333"), b"\x01"
PUBLIC = transport_key(PRIVATE, RID, INDEX)
TMK = bytes(range(16))


def chance(size: int) -> bytes:
    """Zeros among the bytes, which the padding must not have."""
    return bytes(at % 3 for at in range(size))


def changed(field62: bytes, tag: int, value: bytes | None) -> bytes:
    return encode(
        replace(node, value=value) if node.tag == tag else node
        for node in decode(field62)
        if node.tag != tag or value is not None
    )


@pytest.mark.parametrize("length", [8, 16, 24])
def test_there_and_back(length: int) -> None:
    """A terminal fresh from the depot could not get its master key over the line."""
    field62 = pack_public_key(PUBLIC)
    assert [node.tag for node in decode(field62)] == [0x9F06, 0x9F22, MODULUS, EXPONENT]
    assert unpack_public_key(field62) == PUBLIC
    sent = pack_master_key(PUBLIC, bytes(range(length)), chance)
    assert [node.tag for node in decode(sent)] == [CHECK_VALUE, 0x9F06, ENCRYPTED_KEY, 0x9F22]
    assert (value_of(decode(sent), 0x9F06), value_of(decode(sent), 0x9F22)) == (RID, INDEX)
    received = unpack_master_key(PRIVATE, sent)
    assert (received, type(received)) == (bytes(range(length)), MasterKey)


def test_the_padding_is_fresh() -> None:
    """Whoever listens could see that two terminals have the same master key."""
    assert pack_master_key(PUBLIC, TMK, chance) != pack_master_key(PUBLIC, TMK, lambda size: b"\x07" * size)


def test_the_padding_is_all_chance() -> None:
    """A padding that is known in part makes the master key easier to find for whoever listens."""
    numbers = PRIVATE.private_numbers()
    encrypted = int.from_bytes(value_of(decode(pack_master_key(PUBLIC, TMK, chance)), ENCRYPTED_KEY), "big")
    block = pow(encrypted, numbers.d, PUBLIC.modulus).to_bytes(PUBLIC.modulus_bytes, "big")
    padding = bytes(at % 2 + 1 for at in range(PUBLIC.modulus_bytes - len(TMK) - 3))
    assert block == b"\0\2" + padding + b"\0" + TMK


@pytest.mark.parametrize("exponent", [3, 65537, 0xFFFFFFFB])
def test_an_exponent_is_spelt_without_zeros_before_it(exponent: int) -> None:
    """The check value that the other side makes of a public key would differ."""
    key = TransportKey(PUBLIC.modulus, exponent, RID, INDEX)
    spelt = value_of(decode(pack_public_key(key)), EXPONENT)
    assert spelt[0]
    assert unpack_public_key(pack_public_key(key)) == key


SENT = pack_master_key(PUBLIC, TMK, chance)


@pytest.mark.parametrize(
    ("private", "field62"),
    [
        (OTHER, SENT),
        (PRIVATE, changed(SENT, CHECK_VALUE, bytes(4))),
        (PRIVATE, changed(SENT, CHECK_VALUE, b"")),
        (PRIVATE, changed(SENT, CHECK_VALUE, check_value(TMK)[:2])),
        (PRIVATE, changed(SENT, ENCRYPTED_KEY, bytes(128))),
        (PRIVATE, changed(SENT, ENCRYPTED_KEY, b"\xff" * 128)),
        (PRIVATE, changed(SENT, ENCRYPTED_KEY, b"short")),
    ],
)
def test_a_key_that_is_not_ours_or_damaged(private: rsa.RSAPrivateKey, field62: bytes) -> None:
    """A terminal would load rubbish as its master key, or tell an attacker how the padding fared."""
    with pytest.raises(KeyLoadError, match="check value of the TMK") as caught:
        unpack_master_key(private, field62)
    assert caught.value.code == "key_check_value"


def test_eight_bytes_of_check_value() -> None:
    """The key of an acquirer that states the whole check value would be refused."""
    assert unpack_master_key(PRIVATE, changed(SENT, CHECK_VALUE, check_value(TMK, length_bytes=8))) == TMK


@pytest.mark.parametrize("tag", [CHECK_VALUE, ENCRYPTED_KEY])
def test_missing_objects(tag: int) -> None:
    """A reply without a key would stop the program instead of the download."""
    with pytest.raises(DecodeError):
        unpack_master_key(PRIVATE, changed(SENT, tag, None))


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (MODULUS, b""),
        (MODULUS, b"\x7f" * 64),
        (MODULUS, b"\xff" * 513),
        (MODULUS, b"\xfe" * 128),
        (EXPONENT, b"\x01"),
        (EXPONENT, b"\x04"),
        (EXPONENT, b"\x01" * 5),
        (0x9F06, b"\xa0"),
        (0x9F22, b"\x01\x02"),
    ],
)
def test_weak_public_keys(tag: int, value: bytes) -> None:
    """The master key would be sent under a key that anybody can break, or that costs minutes to use."""
    with pytest.raises(KeyLoadError) as caught:
        unpack_public_key(changed(pack_public_key(PUBLIC), tag, value))
    assert caught.value.code == "rsa_key"


def test_master_key_length() -> None:
    """Half a master key would be sent."""
    with pytest.raises(KeyLoadError) as caught:
        pack_master_key(PUBLIC, bytes(15), chance)
    assert caught.value.code == "key_length"


def test_private_keys_from_files() -> None:
    """The tool could not read the key file of the acquirer, or would die on another file."""
    pem = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert read_private_key(pem).private_numbers() == PRIVATE.private_numbers()
    for other in (
        b"",
        b"not a key",
        PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")),
        ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    ):
        with pytest.raises(KeyLoadError) as caught:
            read_private_key(other)
        assert caught.value.code == "rsa_key"


def test_the_name_of_a_key_is_checked() -> None:
    """A public key would be sent that the other side cannot name."""
    with pytest.raises(KeyLoadError):
        transport_key(PRIVATE, RID, b"")
    assert Node(MODULUS) not in decode(pack_public_key(TransportKey(PUBLIC.modulus, 3, RID, INDEX)))
