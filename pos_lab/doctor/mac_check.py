"""Why a MAC is not the one that is due: TABLE HALVES x TABLE RANGES x MAC_ALGORITHMS, tried under a known key.

Rules owned here: which part of a key and which bytes of a frame people take by mistake, and in which order mistakes are
believed. No byte of a key or of a message is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pos_lab.doctor.hypothesis import Hypothesis
from pos_lab.doctor.symptom import Finding
from protocol.crypto.key import MacKey
from protocol.crypto.mac import MAC_ALGORITHMS, MAC_BYTES
from protocol.elements import MAC_FIELDS
from protocol.errors import KeyLoadError

HALVES: Final[tuple[tuple[str, Callable[[bytes], bytes]], ...]] = (
    ("", lambda key: key),
    ("mac_single_des", lambda key: key[:8]),
    ("mac_right_half", lambda key: key[8:]),
    ("mac_halves_swapped", lambda key: key[8:] + key[:8]),
)
"""Symptom, and the key that makes it of a double-length one."""

SINGLE: Final[tuple[tuple[str, Callable[[bytes], bytes]], ...]] = (
    ("", lambda key: key),
    ("mac_triple_des", lambda key: key + bytes(8)),
    ("mac_triple_des", lambda key: key + key),
)
"""The same for a single-length key; with both halves alike only X9.19 and SM4 tell the difference."""

RANGES: Final[tuple[tuple[str, Callable[[bytes, bytes, int, int], bytes]], ...]] = (
    ("", lambda data, mac, start, body_at: data[body_at:]),
    ("with header", lambda data, mac, start, body_at: data[body_at - 6 :] if body_at - start >= 6 else b""),
    ("with TPDU and header", lambda data, mac, start, body_at: data[start:] if body_at > start else b""),
    ("with length, TPDU and header", lambda data, mac, start, body_at: data if start else b""),
    ("with the MAC field as zeros", lambda data, mac, start, body_at: data[body_at:] + bytes(len(mac))),
    ("with the MAC field itself", lambda data, mac, start, body_at: data[body_at:] + mac),
    ("without the MTI", lambda data, mac, start, body_at: data[body_at + 2 :]),
    ("fields only, without MTI and bitmap", lambda data, mac, start, body_at: data[body_at + 10 :]),
    ("as hex text", lambda data, mac, start, body_at: data[body_at:].hex().upper().encode()),
    ("with the bit of the MAC field cleared", lambda data, mac, start, body_at: _bit_cleared(data[body_at:])),
)
"""Name, and the bytes that are covered: of a frame up to its MAC field, whose payload starts at one place and body at
another; empty where there is no such thing."""


def _bit_cleared(body: bytes) -> bytes:
    return body[:9] + bytes([body[9] & 0xFE]) + body[10:] if len(body) > 9 else b""


def check_mac(data: bytes, hypothesis: Hypothesis, mak: bytes) -> Finding:
    """What the MAC of one message in ``data`` says under ``mak``. Raises KeyLoadError for a key of no length."""
    if len(mak) not in (8, 16, 24):
        raise KeyLoadError(f"a MAC key has 8, 16 or 24 bytes, not {len(mak)}", code="key_length")
    last = hypothesis.walk.places[-1] if hypothesis.walk.places else None
    if last is None or last.number not in MAC_FIELDS or not isinstance(last.value, bytes):
        return Finding("mac_absent")
    at = hypothesis.body_at + last.value_at
    found = next(_matches(data[:at], last.value, hypothesis.cut.start, hypothesis.body_at, mak), None)
    return found or Finding("mac_wrong", at, last.number)


def _matches(data: bytes, mac: bytes, start: int, body_at: int, mak: bytes) -> Iterator[Finding]:
    at, number = len(data), MAC_FIELDS[0]
    for range_name, covered in RANGES:
        taken = covered(data, mac, start, body_at)
        for symptom, part in (HALVES if len(mak) == 16 else SINGLE) if taken else ():
            for name, algorithm in MAC_ALGORITHMS.items():
                try:
                    made = algorithm.make(MacKey(part(mak)), taken)
                except KeyLoadError:
                    continue
                for form, written in _forms(made, is_hex_text=algorithm.is_hex_text):
                    if written == mac:
                        yield _told(at, number, name, symptom, range_name, form)


def _forms(made: bytes, *, is_hex_text: bool) -> Iterator[tuple[str, bytes]]:
    yield "", made
    if is_hex_text:
        yield "lower-case hex", made.lower()
        yield "4 bytes and zeros", bytes.fromhex(made.decode("ascii")).ljust(MAC_BYTES, b"\0")
    else:
        yield "the first 4 bytes as hex", made[:4].hex().upper().encode()


def _told(at: int, number: int, algorithm: str, half: str, range_name: str, form: str) -> Finding:
    name = ", ".join(filter(None, (algorithm, range_name, form)))
    if half:
        return Finding(half, at, number, name=name)
    if range_name:
        return Finding("mac_other_range", at, number, name=name)
    if form:
        return Finding("mac_other_form", at, number, name=name)
    code = "mac_right" if algorithm in ("cup-ecb", "cup-sm4") else "mac_other_algorithm"
    return Finding(code, at, number, name=name)
