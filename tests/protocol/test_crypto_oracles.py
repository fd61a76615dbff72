"""Our cryptography against psec and pyemv, which share no line with it."""

from __future__ import annotations

import warnings

import pytest
from cryptography.utils import CryptographyDeprecationWarning
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto.cipher import TDES
from protocol.crypto.cryptogram import application_cryptogram, arpc_1, arpc_2, card_key, session_key
from protocol.crypto.keys import check_value
from protocol.crypto.mac import MAC_ALGORITHMS
from protocol.crypto.pinblock import PIN_FORMATS
from protocol.tlv import decode

with warnings.catch_warnings():
    warnings.simplefilter("ignore", CryptographyDeprecationWarning)
    psec = pytest.importorskip("psec")
    pyemv = pytest.importorskip("pyemv")

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

keys = st.binary(min_size=16, max_size=16)
pins = st.text("0123456789", min_size=4, max_size=12)
pans = st.text("0123456789", min_size=13, max_size=19)
chance = st.binary(min_size=16, max_size=16)


@given(pin=pins, pan=pans, raw=chance)
def test_pin_blocks(pin: str, pan: str, raw: bytes) -> None:
    """An issuer with another library would find every PIN wrong."""
    assert PIN_FORMATS["iso0"].clear(pin, pan, bytes) == psec.pinblock.encode_pinblock_iso_0(pin, pan)
    iso3 = PIN_FORMATS["iso3"].clear(pin, pan, lambda size: raw[:size])
    assert psec.pinblock.decode_pinblock_iso_3(iso3, pan) == pin
    assert PIN_FORMATS["iso3"].read(psec.pinblock.encode_pinblock_iso_3(pin, pan), pan) == pin


@given(
    key=st.sampled_from([16, 24, 32]).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
    pin=pins,
    pan=pans,
    raw=chance,
)
def test_iso_4(key: bytes, pin: str, pan: str, raw: bytes) -> None:
    """An issuer with another library would find every PIN wrong."""
    ours = PIN_FORMATS["iso4"].encrypt(key, pin, pan, lambda size: raw[:size])
    assert psec.pinblock.decipher_pinblock_iso_4(key, ours, pan) == pin
    assert PIN_FORMATS["iso4"].decrypt(key, psec.pinblock.encipher_pinblock_iso_4(key, pin, pan), pan) == pin


@given(key=keys, data=st.binary(min_size=1, max_size=120))
def test_macs_and_check_values(key: bytes, data: bytes) -> None:
    """An acquirer with the older methods would refuse every sale."""
    left, right = key[:8], key[8:]
    assert MAC_ALGORITHMS["x9.9"].make(left, data) == psec.mac.generate_cbc_mac(left, data, 1)
    assert MAC_ALGORITHMS["x9.19"].make(key, data) == psec.mac.generate_retail_mac(left, right, data, 1)
    assert check_value(key) == psec.des.generate_kcv(key, 4)
    assert TDES.encrypt(key, TDES.padded(data)) == psec.des.encrypt_tdes_ecb(key, TDES.padded(data))


@given(
    issuer=keys,
    pan=st.text("0123456789", min_size=13, max_size=19),
    sequence=st.text("0123456789", min_size=2, max_size=2),
    atc=st.binary(min_size=2, max_size=2),
    data=st.binary(min_size=1, max_size=60),
    extra=st.binary(max_size=8),
)
def test_chip_cryptograms(issuer: bytes, pan: str, sequence: str, atc: bytes, data: bytes, extra: bytes) -> None:
    """Chip cards of another maker would have every sale refused."""
    card = card_key(issuer, pan, sequence)
    assert card == pyemv.kd.derive_icc_mk_a(issuer, pan, sequence)
    session = session_key(card, atc)
    assert session == pyemv.kd.derive_common_sk(bytes(card), atc + bytes(6))
    kinds = pyemv.mac.PaddingType if hasattr(pyemv.mac, "PaddingType") else pyemv.ac.PaddingType
    arqc = application_cryptogram(session, data)
    assert arqc == pyemv.ac.generate_ac(bytes(session), data, kinds.VISA)
    assert application_cryptogram(session, data, "80") == pyemv.ac.generate_ac(bytes(session), data, kinds.EMV)
    assert arpc_1(session, arqc, b"00") == pyemv.ac.generate_arpc_1(bytes(session), arqc, b"00")
    assert arpc_2(session, arqc, b"\1\2\3\4", extra) == pyemv.ac.generate_arpc_2(
        bytes(session), arqc, b"\1\2\3\4", extra
    )


@given(value=st.binary(min_size=1, max_size=300), other=st.binary(max_size=3))
def test_objects(value: bytes, other: bytes) -> None:
    """Chip data that another library wrote could not be read."""
    theirs = pyemv.tlv.encode({"9F26": value, "82": other})
    assert [(node.tag, node.value) for node in decode(theirs)] == [(0x9F26, value), (0x82, other)]
