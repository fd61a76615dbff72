"""Cryptograms of chip cards: ARQC and ARPC, and the keys that they are made with (EMV Book 2, 8 and A1).

Rules owned here: option A for the key of a card, the common session key, and TABLE PADDINGS for the data of a
cryptogram. Keys have 16 bytes; each step takes the type of key that the step before it gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.constant_time import bytes_eq

from protocol.crypto.cipher import TDES
from protocol.crypto.key import CardKey, IssuerKey, SessionKey, require_use
from protocol.crypto.keys import odd_parity
from protocol.crypto.mac import retail_mac
from protocol.errors import EncodeError, KeyLoadError

KEY_BYTES: Final = 16
CRYPTOGRAM_BYTES: Final = 8
ARPC_METHOD_2_BYTES: Final = 4
_ATC_BYTES: Final = 2
_RESPONSE_BYTES: Final = 2
_STATUS_BYTES: Final = 4
_PROPRIETARY_BYTES_MAX: Final = 8
_PAN_DIGITS: Final = range(8, 20)
_ONES: Final = 0xFFFFFFFFFFFFFFFF

PADDINGS: Final[Mapping[str, Callable[[bytes], bytes]]] = MappingProxyType(
    {"zero": TDES.padded, "80": lambda data: TDES.padded(data + b"\x80")}
)
"""How cryptogram data becomes whole blocks: ISO 9797-1 method 1, and method 2, which always adds something."""


def card_key(issuer_key: IssuerKey, pan: str, sequence: str = "00") -> CardKey:
    """Return the key of the card with ``pan`` and PAN sequence number, 2 digits (EMV Book 2 A1.4.1, option A).

    Raises EncodeError on other digits, KeyLoadError.
    """
    if not (len(pan) in _PAN_DIGITS and _is_number(pan) and len(sequence) == 2 and _is_number(sequence)):
        raise EncodeError("a PAN has 8 to 19 digits, its sequence number 2")
    left = int((pan + sequence)[-16:], 16)
    blocks = left.to_bytes(8, "big") + (left ^ _ONES).to_bytes(8, "big")
    return CardKey(odd_parity(TDES.encrypt(_double(issuer_key), blocks, IssuerKey.use)))


def session_key(key: CardKey, atc: bytes) -> SessionKey:
    """Return the session key of the transaction with counter ``atc``, 2 bytes (EMV Book 2 A1.3.1); raises EncodeError.

    Raises KeyLoadError on a key of another length or use.
    """
    _check_length("ATC", atc, _ATC_BYTES)
    blocks = b"".join(atc + half + bytes(5) for half in (b"\xf0", b"\x0f"))
    return SessionKey(odd_parity(TDES.encrypt(_double(key), blocks, CardKey.use)))


def application_cryptogram(key: SessionKey, data: bytes, padding: str = "zero") -> bytes:
    """Return the 8 bytes of tag 9F26 over ``data``, ISO 9797-1 algorithm 3 (EMV Book 2, 8.1.2).

    ``padding`` is a name of PADDINGS. Raises EncodeError on no data, KeyLoadError.
    """
    require_use(key, SessionKey.use)
    if not data:
        raise EncodeError("a cryptogram is over some data")
    return retail_mac(key, PADDINGS[padding](data))


def verify_cryptogram(key: SessionKey, data: bytes, cryptogram: bytes, padding: str = "zero") -> bool:
    """Whether ``cryptogram`` is that of ``data``; the time taken does not tell where they differ."""
    return bytes_eq(application_cryptogram(key, data, padding), cryptogram)


def arpc_1(key: SessionKey, arqc: bytes, response: bytes) -> bytes:
    """Return the 8 bytes of the ARPC for a 2-byte response code, by method 1 (EMV Book 2, 8.2.1); raises EncodeError.

    Tag 91 carries them with ``response`` behind. Raises KeyLoadError on a key of another length or use.
    """
    _check_length("ARQC", arqc, CRYPTOGRAM_BYTES)
    _check_length("response code", response, _RESPONSE_BYTES)
    mixed = int.from_bytes(arqc, "big") ^ int.from_bytes(response + bytes(6), "big")
    return TDES.encrypt(_double(key), mixed.to_bytes(8, "big"), SessionKey.use)


def arpc_2(key: SessionKey, arqc: bytes, status: bytes, proprietary: bytes = b"") -> bytes:
    """Return the 4 bytes of the ARPC for a 4-byte card status update and up to 8 proprietary bytes, by method 2.

    Tag 91 carries them with ``status`` and ``proprietary`` behind (EMV Book 2, 8.2.2). Raises as ``arpc_1`` does.
    """
    require_use(key, SessionKey.use)
    _check_length("ARQC", arqc, CRYPTOGRAM_BYTES)
    _check_length("card status update", status, _STATUS_BYTES)
    if len(proprietary) > _PROPRIETARY_BYTES_MAX:
        raise EncodeError(f"proprietary data has up to {_PROPRIETARY_BYTES_MAX} bytes, not {len(proprietary)}")
    return retail_mac(key, PADDINGS["80"](arqc + status + proprietary))[:ARPC_METHOD_2_BYTES]


def _double(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise KeyLoadError(f"a key of a chip's issuer has {KEY_BYTES} bytes, not {len(key)}", code="key_length")
    return key


def _check_length(name: str, value: bytes, length_bytes: int) -> None:
    if len(value) != length_bytes:
        raise EncodeError(f"the {name} has {length_bytes} bytes, not {len(value)}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
