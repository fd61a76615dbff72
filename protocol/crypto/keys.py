"""Working keys: what field 62 of a sign-on reply carries, under the terminal master key (CUP 5.1, 5.2).

Rules owned here: TABLE LAYOUTS, TABLE KEY_CIPHERS and TABLE ITEM_TYPES, the check value, and that no key leaves
``unpack_working_keys`` before every check value has been verified. The length of field 62 decides the layout, whatever
60.3 says (CUP 10); a layout that no length stands for is spelt slot by slot. A single-length MAK stands in a 16-byte
slot as 8 encrypted bytes and 8 zero bytes; its check value is over the 8 clear bytes. The acquirer layout of 25-byte
items goes by the type byte of each; where a new master key comes along, it is the one that wraps the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.constant_time import bytes_eq

from protocol.crypto.cipher import SM4, TDES, BlockCipher
from protocol.crypto.key import KEY_TYPES, Key, KeyUse, MacKey, MasterKey, PinKey, TrackKey
from protocol.errors import KeyLoadError

CHECK_VALUE_BYTES: Final = 4
SINGLE_BYTES: Final = 8
ITEM_BYTES: Final = 25
TYPED: Final = "typed"
_SINGLE_FILLER: Final = bytes(8)
_ITEM_KEY: Final = slice(1, 17)
_ITEM_CHECK: Final = slice(17, 25)


@dataclass(frozen=True, slots=True)
class WorkingKeys:
    """The clear keys of one sign-on for PIN, MAC and track data, and a new master key where one came; never shown."""

    pik: PinKey = field(repr=False)
    mak: MacKey = field(repr=False)
    tdk: TrackKey | None = field(default=None, repr=False)
    tmk: MasterKey | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class KeySlot:
    """The place of one key in field 62: ``key_bytes`` under the master key, then ``check_bytes`` of check value."""

    use: KeyUse
    key_bytes: int
    may_be_single: bool = False
    check_bytes: int = CHECK_VALUE_BYTES

    @property
    def slot_bytes(self) -> int:
        return self.key_bytes + self.check_bytes

    def fits(self, key: bytes) -> bool:
        """Whether the slot can carry ``key``."""
        return len(key) == self.key_bytes or (self.may_be_single and len(key) == SINGLE_BYTES)

    def pack(self, tmk: bytes, key: bytes, cipher: BlockCipher = TDES) -> bytes:
        """Return the bytes of the slot: the wrapped key, zero-filled when single, and its check value."""
        sealed = wrap_key(tmk, key, cipher).ljust(self.key_bytes, b"\0")
        return sealed + check_value(key, cipher, length_bytes=self.check_bytes)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """One key of field 62 as it came: under the master key, with the check value that the sender states."""

    use: KeyUse
    wrapped: bytes = field(repr=False)
    check_value: bytes


@dataclass(frozen=True, slots=True)
class OpenedKey:
    """One key of field 62 decrypted: its own check value, and whether that is the one which the sender stated."""

    key: Key
    check_value: bytes
    is_right: bool


_PIK, _MAK, _TDK = KeySlot(KeyUse.PIK, 16), KeySlot(KeyUse.MAK, 16, may_be_single=True), KeySlot(KeyUse.TDK, 16)
_TRIPLE = KeySlot(KeyUse.PIK, 24), KeySlot(KeyUse.MAK, 24), KeySlot(KeyUse.TDK, 24)

# layout -> the slots of field 62 in order: 24, 40, 60, 56 and 84 bytes (CUP 5.2). Of the last two only the lengths are
# published; two and three keys of 24 bytes have them, and the check values tell whether it is so.
LAYOUTS: Final[Mapping[str, tuple[KeySlot, ...]]] = MappingProxyType(
    {
        "single": (KeySlot(KeyUse.PIK, 8), KeySlot(KeyUse.MAK, 8)),
        "double": (_PIK, _MAK),
        "double-track": (_PIK, _MAK, _TDK),
        "triple": _TRIPLE[:2],
        "triple-track": _TRIPLE,
    }
)

# 60.3 -> the layout that a sign-on of that code asks for (CUP 5.2); 005 stands to 006 as 003 does to 004, our reading
KEY_LAYOUTS: Final[Mapping[str, tuple[KeySlot, ...]]] = MappingProxyType(
    {
        "001": LAYOUTS["single"],
        "003": LAYOUTS["double"],
        "004": LAYOUTS["double-track"],
        "005": LAYOUTS["double"],
        "006": LAYOUTS["double-track"],
    }
)

# 60.3 -> the cipher of the keys that a sign-on of that code asks for, and of the master key over them (CUP 5.2)
KEY_CIPHERS: Final[Mapping[str, BlockCipher]] = MappingProxyType(
    {"001": TDES, "003": TDES, "004": TDES, "005": SM4, "006": SM4}
)

# type byte of a 25-byte item -> the use of its key (CUP 5.2, CJ-dev)
ITEM_TYPES: Final[Mapping[int, KeyUse]] = MappingProxyType(
    {0x00: KeyUse.TMK, 0x01: KeyUse.MAK, 0x02: KeyUse.PIK, 0x03: KeyUse.TDK}
)

SPELT_EXAMPLE: Final = "tmk16,pik16,mak16,tdk24+8"
_SPELT: Final = re.compile(r"(tmk|pik|mak|tdk)(8|16|24)(?:\+([1-8]))?")

_LAYOUT_BY_LENGTH: Final = {
    **{sum(slot.slot_bytes for slot in slots): name for name, slots in LAYOUTS.items()},
    **{items * ITEM_BYTES: TYPED for items in range(2, len(ITEM_TYPES) + 1)},
}


def check_value(key: bytes, cipher: BlockCipher = TDES, length_bytes: int = CHECK_VALUE_BYTES) -> bytes:
    """Return the check value of a clear key: the first bytes of a zero block encrypted under it (CUP 5.2)."""
    return cipher.encrypt(key, bytes(cipher.block_bytes))[:length_bytes]


def wrap_key(tmk: bytes, key: bytes, cipher: BlockCipher = TDES) -> bytes:
    """Encrypt a clear key of whole blocks under the master key, ECB, same length (CUP 5.1)."""
    return cipher.encrypt(tmk, key, KeyUse.TMK)


def unwrap_key(tmk: bytes, wrapped: bytes, cipher: BlockCipher = TDES) -> bytes:
    """Decrypt a key of whole blocks under the master key, ECB, same length (CUP 5.1)."""
    return cipher.decrypt(tmk, wrapped, KeyUse.TMK)


def make_working_keys(network: str, fresh: Callable[[int], bytes]) -> WorkingKeys:
    """Make the full-length keys that sign-on ``network`` (60.3) asks for from ``fresh(n)`` = n random bytes.

    Every byte of a DES key gets odd parity. Raises KeyLoadError for a network code outside KEY_LAYOUTS.
    """
    if network not in KEY_LAYOUTS:
        raise KeyLoadError(f"no key layout for network code {network!r}", hint=f"one of {', '.join(KEY_LAYOUTS)}")
    finish = odd_parity if KEY_CIPHERS[network] is TDES else bytes
    return _working_keys(KEY_TYPES[slot.use](finish(fresh(slot.key_bytes))) for slot in KEY_LAYOUTS[network])


def pack_working_keys(tmk: bytes, keys: WorkingKeys, cipher: BlockCipher = TDES) -> bytes:
    """Return field 62: the layout that fits the key lengths, each key under ``tmk`` with its check value (CUP 5.2).

    Raises KeyLoadError "key_length" when no layout carries keys of these lengths.
    """
    held: dict[KeyUse, bytes] = {KeyUse.PIK: keys.pik, KeyUse.MAK: keys.mak}
    if keys.tdk is not None:
        held[KeyUse.TDK] = keys.tdk
    for layout in LAYOUTS.values():
        if held.keys() == {slot.use for slot in layout} and all(slot.fits(held[slot.use]) for slot in layout):
            return b"".join(slot.pack(tmk, held[slot.use], cipher) for slot in layout)
    raise KeyLoadError("no layout of field 62 carries keys of these lengths", code="key_length")


def unpack_working_keys(tmk: bytes, field62: bytes, cipher: BlockCipher = TDES) -> WorkingKeys:
    """Return the clear keys of field 62; its length alone decides the layout, whatever 60.3 says (CUP 5.2, 10).

    Raises KeyLoadError "key_length" for a length that no layout has, "key_layout" for items that are no set of keys,
    and "key_check_value" naming the first key whose check value differs: then no key at all is returned.
    """
    opened = open_keys(tmk, field62, cipher)
    for each in opened:
        if not each.is_right:
            raise KeyLoadError(
                f"the check value of the {each.key.use} differs",
                hint="the host encrypted under another master key, or the field was damaged",
                code="key_check_value",
            )
    return _working_keys(each.key for each in opened)


def open_keys(
    tmk: bytes, field62: bytes, cipher: BlockCipher = TDES, layout: str | None = None
) -> tuple[OpenedKey, ...]:
    """Return the keys of field 62 decrypted, also those with a wrong check value: for a calculator, not for use.

    A new master key goes first, wherever it stands: it wraps the others. Raises KeyLoadError "key_length" and
    "key_layout" as ``split_keys`` does.
    """
    opened: list[OpenedKey] = []
    for each in sorted(split_keys(field62, layout, cipher), key=lambda wrapped: wrapped.use is not KeyUse.TMK):
        key = KEY_TYPES[each.use](unwrap_key(tmk, each.wrapped, cipher))
        value = check_value(key, cipher, len(each.check_value))
        opened.append(OpenedKey(key, value, bytes_eq(value, each.check_value)))
        tmk = key if each.use is KeyUse.TMK else tmk
    return tuple(opened)


def split_keys(field62: bytes, layout: str | None = None, cipher: BlockCipher = TDES) -> tuple[WrappedKey, ...]:
    """Return the keys of field 62 as they came.

    ``layout`` is a name of LAYOUTS, TYPED, or slots as ``spelt_layout`` reads them; by default the length tells it.
    Raises KeyLoadError "key_length" for a length that the layout, or every layout, does not have, and "key_layout" for
    items of an unknown type, of one type twice, or without PIN and MAC key, and for a layout that is none.
    """
    if layout is not None and layout != TYPED and layout not in LAYOUTS:
        slots = spelt_layout(layout)
        due = sum(slot.slot_bytes for slot in slots)
        if due != len(field62):
            raise KeyLoadError(f"field 62 has {len(field62)} bytes, {layout} {due}", code="key_length")
        return _split_slots(field62, slots, cipher)
    found = _LAYOUT_BY_LENGTH.get(len(field62))
    if found is None:
        lengths = ", ".join(map(str, sorted(_LAYOUT_BY_LENGTH)))
        raise KeyLoadError(
            f"field 62 has {len(field62)} bytes of keys, and no layout is known for that",
            hint=f"known are {lengths}; spell another layout, such as {SPELT_EXAMPLE}",
            code="key_length",
        )
    if layout not in (None, found):
        raise KeyLoadError(f"{len(field62)} bytes are no {layout} layout", hint=f"try {found}", code="key_length")
    return _split_items(field62) if found == TYPED else _split_slots(field62, LAYOUTS[found], cipher)


def spelt_layout(text: str) -> tuple[KeySlot, ...]:
    """Return slots spelt in order: use and key bytes of each, and "+" with its check-value bytes where these are not 4.

    A MAK of 16 bytes may be a single one, as in the layouts that have a name. Raises KeyLoadError "key_layout" on
    anything else, and on two slots of one use.
    """
    slots = []
    for spelt in text.split(","):
        found = _SPELT.fullmatch(spelt)
        if found is None:
            raise KeyLoadError(
                f"there is no layout {text!r}",
                hint=f"{', '.join((*LAYOUTS, TYPED))}, or slots such as {SPELT_EXAMPLE}",
                code="key_layout",
            )
        use, key_bytes = KeyUse(found[1].upper()), int(found[2])
        may_be_single = use is KeyUse.MAK and key_bytes == 2 * SINGLE_BYTES
        slots.append(KeySlot(use, key_bytes, may_be_single, int(found[3] or CHECK_VALUE_BYTES)))
    if len({slot.use for slot in slots}) != len(slots):
        raise KeyLoadError("two slots have the same use", code="key_layout")
    return tuple(slots)


def odd_parity(key: bytes) -> bytes:
    """Return ``key`` with the low bit of every byte set so that its number of ones is odd, as DES keys have it."""
    return bytes(byte ^ (byte.bit_count() + 1) % 2 for byte in key)


def _split_slots(field62: bytes, slots: tuple[KeySlot, ...], cipher: BlockCipher) -> tuple[WrappedKey, ...]:
    found, at = [], 0
    for slot in slots:
        wrapped, stated = field62[at : at + slot.key_bytes], field62[at + slot.key_bytes : at + slot.slot_bytes]
        if slot.may_be_single and cipher is TDES and wrapped.endswith(_SINGLE_FILLER):
            wrapped = wrapped[:SINGLE_BYTES]
        found.append(WrappedKey(slot.use, wrapped, stated))
        at += slot.slot_bytes
    return tuple(found)


def _split_items(field62: bytes) -> tuple[WrappedKey, ...]:
    items = [field62[at : at + ITEM_BYTES] for at in range(0, len(field62), ITEM_BYTES)]
    unknown = [item[0] for item in items if item[0] not in ITEM_TYPES]
    if unknown:
        raise KeyLoadError(f"a key item has the type {unknown[0]:02X}", hint="00, 01, 02 or 03", code="key_layout")
    found = [WrappedKey(ITEM_TYPES[item[0]], item[_ITEM_KEY], item[_ITEM_CHECK]) for item in items]
    uses = {each.use for each in found}
    if len(uses) != len(found):
        raise KeyLoadError("two key items have the same type", code="key_layout")
    if not {KeyUse.PIK, KeyUse.MAK} <= uses:
        raise KeyLoadError("the key items lack the PIK or the MAK", code="key_layout")
    return tuple(found)


def _working_keys(keys: Iterable[Key]) -> WorkingKeys:
    return WorkingKeys(**{key.use.value.lower(): key for key in keys})  # type: ignore[arg-type]  # KEY_TYPES pairs them
