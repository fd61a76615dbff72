"""The UnionPay "ECB" message authentication code that fills field 64 (CUP 5.4)."""

from __future__ import annotations

from cryptography.hazmat.primitives.constant_time import bytes_eq

from protocol.crypto import tdes

MAC_BYTES = 8


def cup_ecb_mac(mak: bytes, data: bytes) -> bytes:
    """Return field 64, 8 upper-case ASCII hex characters, of ``data`` = MTI up to the byte before field 64 (CUP 5.4).

    ``mak`` of 8 bytes means DES, of 16 bytes 3DES; other lengths raise KeyLoadError.
    """
    encrypt = tdes.encryptor(mak)
    folded = b"%016X" % _xor_of_blocks(data)
    first = int.from_bytes(encrypt(folded[:8]), "big") ^ int.from_bytes(folded[8:], "big")
    return encrypt(first.to_bytes(8, "big"))[:4].hex().upper().encode()


def verify_cup_ecb_mac(mak: bytes, data: bytes, mac: bytes) -> bool:
    """Whether ``mac`` is exactly the field 64 of ``data``; the time taken does not tell where they differ (CUP 5.4)."""
    return bytes_eq(cup_ecb_mac(mak, data), mac)


def _xor_of_blocks(data: bytes) -> int:
    """XOR all 8-byte blocks of ``data``, zero-padded, by folding one long integer in halves.

    Read little-endian, the padding is at the top and costs nothing; bits above the fold are waste until the last mask.
    """
    folded = int.from_bytes(data, "little")
    shift = 32 << ((len(data) + 7) // 8 - 1).bit_length()
    while shift >= 64:
        folded ^= folded >> shift
        shift >>= 1
    return int.from_bytes((folded & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little"), "big")
