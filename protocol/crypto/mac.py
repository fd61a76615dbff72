"""Message authentication codes of field 64 (CUP 5.4, 5.5).

Rules owned here: TABLE MAC_ALGORITHMS. Each makes the 8 bytes of field 64 of ``data`` = MTI up to the byte before field
64, zero-padded to whole blocks. The UnionPay "ECB" ones put 8 ASCII hex characters there, the others 8 binary bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.constant_time import bytes_eq

from protocol.crypto.cipher import DES, SM4, TDES
from protocol.crypto.key import MacKey, require_use
from protocol.errors import KeyLoadError

MAC_BYTES: Final = 8
_DOUBLE: Final = 16


@dataclass(frozen=True, slots=True)
class MacAlgorithm:
    """One way to make field 64; ``make(mak, data)`` raises KeyLoadError on a key of another length or use."""

    name: str
    make: Callable[[MacKey, bytes], bytes]
    is_hex_text: bool

    def verify(self, mak: MacKey, data: bytes, mac: bytes) -> bool:
        """Whether ``mac`` is exactly the field 64 of ``data``; the time taken does not tell where they differ."""
        return bytes_eq(self.make(mak, data), mac)

    def shown(self, mac: bytes) -> str:
        """``mac`` as people write it: the characters themselves, or upper-case hex."""
        return mac.decode("ascii") if self.is_hex_text else mac.hex().upper()


def cup_ecb_mac(mak: MacKey, data: bytes) -> bytes:
    """Return field 64, 8 upper-case ASCII hex characters, of ``data`` = MTI up to the byte before field 64 (CUP 5.4).

    ``mak`` of 8 bytes means DES, of 16 or 24 bytes 3DES; other lengths raise KeyLoadError.
    """
    encrypt = TDES.encryptor(mak, MacKey.use)
    folded = b"%016X" % _xor_of_blocks(data)
    first = int.from_bytes(encrypt(folded[:8]), "big") ^ int.from_bytes(folded[8:], "big")
    return encrypt(first.to_bytes(8, "big"))[:4].hex().upper().encode()


def verify_cup_ecb_mac(mak: MacKey, data: bytes, mac: bytes) -> bool:
    """Whether ``mac`` is exactly the field 64 of ``data``; the time taken does not tell where they differ (CUP 5.4)."""
    return bytes_eq(cup_ecb_mac(mak, data), mac)


def cup_sm4_mac(mak: MacKey, data: bytes) -> bytes:
    """Return field 64, 8 upper-case ASCII hex characters, under the 16 bytes of an SM4 key (CUP 5.5)."""
    encrypt = SM4.encryptor(mak, MacKey.use)
    folded = b"%032X" % _xor_of_blocks(data, SM4.block_bytes)
    first = int.from_bytes(encrypt(folded[:16]), "big") ^ int.from_bytes(folded[16:], "big")
    return encrypt(first.to_bytes(16, "big"))[:4].hex().upper().encode()


def x9_9_mac(mak: MacKey, data: bytes) -> bytes:
    """Return the last block of single DES in CBC, the key 8 bytes (ANSI X9.9 with zero padding, CUP 5.4 variants)."""
    return DES.encrypt_cbc(mak, _blocks(data), MacKey.use)[-8:]


def x9_19_mac(mak: MacKey, data: bytes) -> bytes:
    """Return the X9.9 code under the left half of a 16-byte key, its last block 3DES (ANSI X9.19, CUP 5.4 variants)."""
    require_use(mak, MacKey.use)
    return retail_mac(mak, _blocks(data))


def plain_tdes_mac(mak: MacKey, data: bytes) -> bytes:
    """Return the XOR of all 8-byte blocks encrypted in one go; 8, 16 or 24 bytes of key (CUP 5.4 variants)."""
    return TDES.encryptor(mak, MacKey.use)(_xor_of_blocks(data).to_bytes(8, "big"))


def retail_mac(key: bytes, blocks: bytes) -> bytes:
    """Return the 8 bytes of ISO 9797-1 algorithm 3 over whole blocks, at least one; ``key`` has 16 bytes."""
    if len(key) != _DOUBLE:
        raise KeyLoadError(f"a key for two DES halves has {_DOUBLE} bytes, not {len(key)}", code="key_length")
    left, right = key[:8], key[8:]
    chained = DES.encrypt_cbc(left, blocks)[-8:]
    return DES.encrypt(left, DES.decrypt(right, chained))


MAC_ALGORITHMS: Final[Mapping[str, MacAlgorithm]] = MappingProxyType(
    {
        algorithm.name: algorithm
        for algorithm in (
            MacAlgorithm("cup-ecb", cup_ecb_mac, is_hex_text=True),
            MacAlgorithm("cup-sm4", cup_sm4_mac, is_hex_text=True),
            MacAlgorithm("x9.9", x9_9_mac, is_hex_text=False),
            MacAlgorithm("x9.19", x9_19_mac, is_hex_text=False),
            MacAlgorithm("3des-plain", plain_tdes_mac, is_hex_text=False),
        )
    }
)


def _blocks(data: bytes) -> bytes:
    """Zero-padded whole blocks, at least one: a chain over nothing has no last block."""
    return TDES.padded(data) or bytes(TDES.block_bytes)


def _xor_of_blocks(data: bytes, block_bytes: int = 8) -> int:
    """XOR all blocks of ``data``, zero-padded, by folding one long integer in halves.

    Read little-endian, the padding is at the top and costs nothing; bits above the fold are waste until the last mask.
    """
    folded = int.from_bytes(data, "little")
    block_bits = 8 * block_bytes
    shift = block_bits // 2 << ((len(data) + block_bytes - 1) // block_bytes - 1).bit_length()
    while shift >= block_bits:
        folded ^= folded >> shift
        shift >>= 1
    return int.from_bytes((folded & ((1 << block_bits) - 1)).to_bytes(block_bytes, "little"), "big")
