"""What the MAC of the protocol does not see: it covers the exclusive or of its blocks, and so no order of them.

This is the protocol's weakness, not ours (CUP 5.4, 5.5). It is written down as a test so that whoever meets a message
that was damaged and believed finds it, and so that a line that keeps its bytes (TLS) is known to be the only remedy.
"""

from __future__ import annotations

import pytest

from protocol.codec import seal, unseal
from protocol.crypto.key import MacKey
from protocol.crypto.mac import MAC_ALGORITHMS
from protocol.fields import F
from protocol.message import Message

MAK = MacKey(bytes(range(16)))
BLOCKS = {"cup-ecb": 8, "cup-sm4": 16}
TEXT = bytes(range(0x41, 0x41 + 60))


def sealed(algorithm: str) -> bytes:
    """A message with bytes that nothing else checks, under a MAC."""
    fields = {F.AMOUNT: "000000006000", F.STAN: "000007", F.TERMINAL_ID: "20000001", F.CONTROL: "22000001"}
    return seal(Message("0200", {**fields, F.PAYLOAD: TEXT}), lambda data: MAC_ALGORITHMS[algorithm].make(MAK, data))


def swapped(payload: bytes, apart: int) -> bytes:
    """Two bytes of field 62 change places."""
    damaged, at = bytearray(payload), payload.index(TEXT) + 3
    damaged[at], damaged[at + apart] = damaged[at + apart], damaged[at]
    return bytes(damaged)


def flipped(payload: bytes, apart: int) -> bytes:
    """The same bit of two bytes of field 62 is flipped."""
    damaged, at = bytearray(payload), payload.index(TEXT) + 3
    damaged[at] ^= 0x20
    damaged[at + apart] ^= 0x20
    return bytes(damaged)


def is_believed(payload: bytes, algorithm: str) -> bool:
    """Does the MAC say that this is as it was sent?"""
    unsealed = unseal(payload)
    assert unsealed.message.octets(F.PAYLOAD) != TEXT
    return MAC_ALGORITHMS[algorithm].make(MAK, unsealed.mac_input) == unsealed.mac


@pytest.mark.parametrize("damage", [swapped, flipped])
@pytest.mark.parametrize("algorithm", BLOCKS)
@pytest.mark.parametrize("blocks", [1, 2])
def test_damage_a_block_apart_is_believed(damage: object, algorithm: str, blocks: int) -> None:
    """Whoever relies on the MAC on a noisy line stores another signature than was given, and never hears of it."""
    assert callable(damage)
    assert is_believed(damage(sealed(algorithm), blocks * BLOCKS[algorithm]), algorithm)


@pytest.mark.parametrize("damage", [swapped, flipped])
@pytest.mark.parametrize("algorithm", BLOCKS)
def test_damage_nearer_than_a_block_is_seen(damage: object, algorithm: str) -> None:
    """The noise of a simulated world, which is shorter than a block, would be believed as well."""
    assert callable(damage)
    for apart in range(1, BLOCKS[algorithm]):
        assert not is_believed(damage(sealed(algorithm), apart), algorithm), apart
