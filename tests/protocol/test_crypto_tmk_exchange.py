"""What device and host of ours say to each other in a master-key download."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from protocol.crypto import signing
from protocol.crypto.key import MasterKey, TrackKey
from protocol.crypto.tmk_download import transport_key, unpack_public_key
from protocol.crypto.tmk_exchange import SIGNATURE, pack_answer, pack_signed_key, unpack_answer, unpack_signed_key
from protocol.errors import DecodeError, KeyLoadError, SignatureError
from protocol.tlv import Node, decode, encode

HOST = b"H" * 32
OFFERED = transport_key(rsa.generate_private_key(65537, 2048), bytes.fromhex("A000000333"), b"\x01")
TRANSPORT, TMK = MasterKey(b"t" * 16), bytes(range(16))
FIELD62_BYTES_MAX = 999


def test_a_signed_key_there_and_back() -> None:
    """A device would refuse the key of its own host, or the reply would not fit into field 62."""
    field62 = pack_signed_key(OFFERED, HOST)
    assert len(field62) <= FIELD62_BYTES_MAX
    assert unpack_signed_key(field62, signing.public_key(HOST)) == OFFERED
    assert unpack_public_key(field62) == OFFERED, "a foreign terminal reads it without the signature"
    assert decode(field62)[-1].tag == SIGNATURE


def test_every_flipped_byte_is_noticed() -> None:
    """A key that was changed on the way would get the master key."""
    field62 = pack_signed_key(OFFERED, HOST)
    for at in range(len(field62)):
        changed = field62[:at] + bytes([field62[at] ^ 4]) + field62[at + 1 :]
        with pytest.raises((SignatureError, KeyLoadError, DecodeError)):
            unpack_signed_key(changed, signing.public_key(HOST))


def test_another_host_is_no_host() -> None:
    """Any host on the line could offer its key."""
    with pytest.raises(SignatureError):
        unpack_signed_key(pack_signed_key(OFFERED, HOST), signing.public_key(b"O" * 32))


def test_an_answer_there_and_back() -> None:
    """A terminal could not load the key that its host sends."""
    answer = pack_answer(TRANSPORT, TMK)
    assert TMK not in answer
    key = unpack_answer(TRANSPORT, answer)
    assert (key, type(key)) == (TMK, MasterKey)


def test_an_answer_for_another_transport_key_is_refused() -> None:
    """An answer that was recorded would load an old master key."""
    with pytest.raises(KeyLoadError, match="check value"):
        unpack_answer(MasterKey(b"o" * 16), pack_answer(TRANSPORT, TMK))
    with pytest.raises(KeyLoadError, match="TDK"):
        pack_answer(TrackKey(b"t" * 16), TMK)  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [0, 8, 24])
def test_a_master_key_of_another_length_is_refused_at_both_ends(length: int) -> None:
    """Half a master key would be loaded, and every working key after it be wrong."""
    with pytest.raises(KeyLoadError) as packing:
        pack_answer(TRANSPORT, bytes(length))
    nodes = decode(pack_answer(TRANSPORT, TMK))
    cut = [Node(node.tag, bytes(length)) if len(node.octets) == len(TMK) else node for node in nodes]
    with pytest.raises(KeyLoadError) as unpacking:
        unpack_answer(TRANSPORT, encode(cut))
    assert (packing.value.code, unpacking.value.code) == ("key_length", "key_length")
