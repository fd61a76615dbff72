"""Working keys: what field 62 of a sign-on reply carries, under the terminal master key (CUP 5.1, 5.2).

Rules owned here: TABLE KEY_LAYOUTS, the check value, and that no key leaves ``unpack_working_keys`` before every check
value has been verified. A single-length MAK stands in a 16-byte slot as 8 encrypted bytes and 8 zero bytes; its check
value is over the 8 clear bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography.hazmat.primitives.constant_time import bytes_eq

from protocol.crypto import tdes
from protocol.errors import KeyLoadError

CHECK_VALUE_BYTES = 4
SINGLE_BYTES = 8
_SINGLE_FILLER = bytes(8)


class KeyUse(StrEnum):
    """What a key may be used for (CUP 5.1)."""

    TMK = "TMK"
    PIK = "PIK"
    MAK = "MAK"
    TDK = "TDK"


@dataclass(frozen=True, slots=True)
class WorkingKeys:
    """The clear keys of one sign-on for PIN, MAC and, in the 60-byte layout, track data; 8 or 16 bytes, never shown."""

    pik: bytes = field(repr=False)
    mak: bytes = field(repr=False)
    tdk: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class KeySlot:
    """The place of one key in field 62: ``key_bytes`` under the master key, then 4 bytes of check value."""

    use: KeyUse
    key_bytes: int
    may_be_single: bool = False

    @property
    def slot_bytes(self) -> int:
        return self.key_bytes + CHECK_VALUE_BYTES

    def fits(self, key: bytes) -> bool:
        """Whether the slot can carry ``key``."""
        return len(key) == self.key_bytes or (self.may_be_single and len(key) == SINGLE_BYTES)

    def pack(self, tmk: bytes, key: bytes) -> bytes:
        """Return the bytes of the slot: the wrapped key, zero-filled when single, and its check value."""
        return wrap_key(tmk, key).ljust(self.key_bytes, b"\0") + check_value(key)


_PIK, _MAK, _TDK = KeySlot(KeyUse.PIK, 16), KeySlot(KeyUse.MAK, 16, may_be_single=True), KeySlot(KeyUse.TDK, 16)

# 60.3 -> the slots of field 62 in order: 24, 40 and 60 bytes (CUP 5.2)
KEY_LAYOUTS: Mapping[str, tuple[KeySlot, ...]] = {
    "001": (KeySlot(KeyUse.PIK, 8), KeySlot(KeyUse.MAK, 8)),
    "003": (_PIK, _MAK),
    "004": (_PIK, _MAK, _TDK),
}

_LAYOUT_BY_LENGTH = {sum(slot.slot_bytes for slot in layout): layout for layout in KEY_LAYOUTS.values()}


def check_value(key: bytes) -> bytes:
    """Return the check value of a clear key: the first 4 bytes of 8 zero bytes encrypted under it (CUP 5.2)."""
    return tdes.encrypt(key, bytes(tdes.BLOCK_BYTES))[:CHECK_VALUE_BYTES]


def wrap_key(tmk: bytes, key: bytes) -> bytes:
    """Encrypt a clear key of 8 or 16 bytes under the master key, ECB, same length (CUP 5.1)."""
    return tdes.encrypt(tmk, key)


def unwrap_key(tmk: bytes, wrapped: bytes) -> bytes:
    """Decrypt a key of 8 or 16 bytes under the master key, ECB, same length (CUP 5.1)."""
    return tdes.decrypt(tmk, wrapped)


def make_working_keys(network: str, fresh: Callable[[int], bytes]) -> WorkingKeys:
    """Make the full-length keys that sign-on ``network`` (60.3) asks for from ``fresh(n)`` = n random bytes.

    Every byte gets odd parity, as DES keys have it. Raises KeyLoadError for a network code outside KEY_LAYOUTS.
    """
    if network not in KEY_LAYOUTS:
        raise KeyLoadError(f"no key layout for network code {network!r}", hint=f"one of {', '.join(KEY_LAYOUTS)}")
    return _working_keys({slot.use: _odd_parity(fresh(slot.key_bytes)) for slot in KEY_LAYOUTS[network]})


def pack_working_keys(tmk: bytes, keys: WorkingKeys) -> bytes:
    """Return field 62: the layout that fits the key lengths, each key under ``tmk`` with its check value (CUP 5.2).

    Raises KeyLoadError "key_length" when no layout carries keys of these lengths.
    """
    held = {KeyUse.PIK: keys.pik, KeyUse.MAK: keys.mak}
    if keys.tdk is not None:
        held[KeyUse.TDK] = keys.tdk
    for layout in KEY_LAYOUTS.values():
        if held.keys() == {slot.use for slot in layout} and all(slot.fits(held[slot.use]) for slot in layout):
            return b"".join(slot.pack(tmk, held[slot.use]) for slot in layout)
    raise KeyLoadError("no layout of field 62 carries keys of these lengths", code="key_length")


def unpack_working_keys(tmk: bytes, field62: bytes) -> WorkingKeys:
    """Return the clear keys of field 62; its length alone decides the layout, whatever 60.3 says (CUP 5.2, 10).

    Raises KeyLoadError "key_length" for another length than 24, 40 or 60 bytes, and "key_check_value" naming the first
    key whose check value differs: then no key at all is returned.
    """
    layout = _LAYOUT_BY_LENGTH.get(len(field62))
    if layout is None:
        raise KeyLoadError(
            f"field 62 has {len(field62)} bytes of keys", hint="24, 40 or 60 are known", code="key_length"
        )
    keys: dict[KeyUse, bytes] = {}
    at = 0
    for slot in layout:
        wrapped, expected = field62[at : at + slot.key_bytes], field62[at + slot.key_bytes : at + slot.slot_bytes]
        if slot.may_be_single and wrapped.endswith(_SINGLE_FILLER):
            wrapped = wrapped[:SINGLE_BYTES]
        key = unwrap_key(tmk, wrapped)
        if not bytes_eq(check_value(key), expected):
            raise KeyLoadError(
                f"the check value of the {slot.use} differs",
                hint="the host encrypted under another master key, or the field was damaged",
                code="key_check_value",
            )
        keys[slot.use] = key
        at += slot.slot_bytes
    return _working_keys(keys)


def _working_keys(keys: Mapping[KeyUse, bytes]) -> WorkingKeys:
    return WorkingKeys(pik=keys[KeyUse.PIK], mak=keys[KeyUse.MAK], tdk=keys.get(KeyUse.TDK))


def _odd_parity(key: bytes) -> bytes:
    return bytes(byte ^ (byte.bit_count() + 1) % 2 for byte in key)
