"""Certificates of chip cards: what is made is opened, byte by byte as the standard says, and nothing else is."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto.certificate import (
    CARD,
    ISSUER,
    certify,
    open_certificate,
    open_dynamic,
    open_static,
    sign_dynamic,
    sign_static,
    static_data,
)
from protocol.crypto.rsa import PublicKey, lab_key
from protocol.errors import EncodeError, SignatureError

CA, OWN = lab_key(b"a CA for tests", 96), lab_key(b"an issuer for tests", 80)
HOLDERS = {ISSUER: "62000002", CARD: "6200000200000003"}
STATIC = b"the card's own data"


@pytest.mark.parametrize("form", [ISSUER, CARD])
def test_a_certificate_is_laid_out_as_the_standard_says(form: int) -> None:
    """Real readers would refuse the lab's cards (EMV Book 2, tables 6 and 14)."""
    made = certify(CA, form, OWN.public, holder=HOLDERS[form], expiry="3512", serial=b"\1\2\3", static=STATIC)
    block = pow(int.from_bytes(made.certificate, "big"), 3, int.from_bytes(CA.public.modulus, "big")).to_bytes(
        96, "big"
    )
    names = {ISSUER: "62000002", CARD: "6200000200000003FFFF"}
    head = bytes.fromhex(f"{form:02x}{names[form]}1235010203010150" + "01")
    room = 96 - 22 - len(head)
    assert block[:1] + block[-1:] == b"\x6a\xbc"
    assert block[1:-21] == head + OWN.public.modulus[:room]
    assert made.remainder == OWN.public.modulus[room:]
    hashed = block[1:-21] + made.remainder + b"\3" + STATIC
    assert block[-21:-1] == hashlib.sha1(hashed, usedforsecurity=False).digest()


@given(
    st.sampled_from([ISSUER, CARD]),
    st.integers(10, 48).map(lambda half: lab_key(b"sized", half * 2).public),
    st.from_regex(r"[0-9]{2}(0[1-9]|1[0-2])", fullmatch=True),
    st.binary(min_size=3, max_size=3),
    st.binary(max_size=300),
)
def test_what_was_certified_comes_back(form: int, key: PublicKey, expiry: str, serial: bytes, static: bytes) -> None:
    """A genuine card would be refused for the size of its key."""
    made = certify(CA, form, key, holder=HOLDERS[form], expiry=expiry, serial=serial, static=static)
    opened = open_certificate(
        CA.public, form, made.certificate, remainder=made.remainder, exponent=b"\3", static=static
    )
    assert (opened.holder, opened.expiry, opened.serial, opened.key) == (HOLDERS[form], expiry, serial, key)
    assert HOLDERS[form] not in repr(opened)


@given(st.data())
def test_whatever_is_changed_is_found(data: st.DataObject) -> None:
    """A card whose number was changed would pay."""
    made = certify(CA, CARD, OWN.public, holder=HOLDERS[CARD], expiry="3512", serial=b"\1\2\3", static=STATIC)
    parts = {"certificate": made.certificate, "remainder": made.remainder, "exponent": b"\3", "static": STATIC}
    name = data.draw(st.sampled_from(sorted(parts)))
    changed = bytearray(parts[name])
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    parts[name] = bytes(changed)
    certificate = parts.pop("certificate")
    with pytest.raises(SignatureError):
        open_certificate(CA.public, CARD, certificate, **parts)


@given(st.binary(min_size=0, max_size=55), st.binary(max_size=60))
def test_dynamic_data_are_those_of_this_transaction(dynamic: bytes, terminal: bytes) -> None:
    """A signature of yesterday would prove a copied card today."""
    signed = sign_dynamic(OWN, dynamic, terminal)
    assert open_dynamic(OWN.public, signed, terminal) == dynamic
    with pytest.raises(SignatureError):
        open_dynamic(OWN.public, signed, terminal + b"\0")
    with pytest.raises(SignatureError):
        open_static(OWN.public, signed, terminal)


def test_static_data_are_those_of_the_issuer() -> None:
    """A card that somebody wrote at home would pay."""
    signed = sign_static(OWN, STATIC, b"\xda\xc0")
    assert open_static(OWN.public, signed, STATIC) == b"\xda\xc0"
    for key, data in ((OWN, STATIC + b"\0"), (lab_key(b"a forger", 80), STATIC)):
        with pytest.raises(SignatureError):
            open_static(key.public, signed, data)


def _made(told: bytes, known: bytes = b"") -> bytes:
    """A signature with any content and a right hash."""
    told = told.ljust(58, b"\xbb")
    return OWN.sign(b"\x6a" + told + hashlib.sha1(told + known, usedforsecurity=False).digest() + b"\xbc")


def test_what_is_signed_and_still_wrong() -> None:
    """An issuer with a fault would crash every till."""
    for told in (b"\5\2\0", b"\5\1\xff"):
        with pytest.raises(SignatureError):
            open_dynamic(OWN.public, _made(told), b"")
    with pytest.raises(SignatureError):
        open_static(OWN.public, _made(b"\3\2"), b"")
    for tail in ("010150", "020101500101", "010150010101"):
        told = bytes.fromhex(f"0262000002123501020301{tail}")
        with pytest.raises(SignatureError):
            open_certificate(OWN.public, ISSUER, _made(told, b"\3"), remainder=b"", exponent=b"\3")


def test_a_key_that_is_too_short_signs_nothing() -> None:
    """A card would be made that nobody can read."""
    short = lab_key(b"short", 24)
    with pytest.raises(EncodeError):
        certify(short, ISSUER, OWN.public, holder="62000002", expiry="3512", serial=b"\1\2\3")
    with pytest.raises(EncodeError):
        sign_dynamic(short, bytes(8), b"")


def test_static_data_are_in_one_order() -> None:
    """Card and terminal would hash different bytes."""
    objects = {0x5A: b"\x62", 0x57: b"\x63", 0x5F24: b"\x35\x12\x31"}
    assert static_data(objects, b"\x3c\0").hex() == "5f2403351231" + "5a0162" + "3c00"
