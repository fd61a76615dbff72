"""Ed25519 signatures."""

from __future__ import annotations

import pytest

from protocol.crypto import signing
from protocol.errors import KeyLoadError

# the first two tests of RFC 8032, 7.1: private key, public key, message, signature
GOLDEN = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize(("private", "public", "message", "signature"), GOLDEN)
def test_golden(private: str, public: str, message: str, signature: str) -> None:
    """A device in the field would refuse every command of a newer host."""
    secret, data = bytes.fromhex(private), bytes.fromhex(message)
    assert signing.public_key(secret).hex() == public
    assert signing.sign(secret, data).hex() == signature
    assert signing.verify(bytes.fromhex(public), data, bytes.fromhex(signature))


def test_every_flipped_bit_is_refused() -> None:
    """A forged stop notice would be believed."""
    secret = bytes(range(32))
    public, signature = signing.public_key(secret), signing.sign(secret, b"stop")
    for bit in range(512):
        flipped = int.from_bytes(signature, "big") ^ (1 << bit)
        assert not signing.verify(public, b"stop", flipped.to_bytes(64, "big"))


@pytest.mark.parametrize("length", [0, 63, 65])
def test_signature_length(length: int) -> None:
    """An unsigned command would be believed, or crash the terminal."""
    secret = bytes(range(32))
    signature = (signing.sign(secret, b"stop") * 2)[:length]
    assert not signing.verify(signing.public_key(secret), b"stop", signature)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_key_length(length: int) -> None:
    """A key file cut short would show as a traceback instead of an error."""
    key = bytes(length)
    for use in (
        lambda: signing.sign(key, b""),
        lambda: signing.public_key(key),
        lambda: signing.verify(key, b"", bytes(64)),
    ):
        with pytest.raises(KeyLoadError) as caught:
            use()
        assert caught.value.code == "key_length"
