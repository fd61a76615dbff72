"""Chip data: names, masks, CA public keys, and what a cryptogram is over."""

from __future__ import annotations

import hashlib

import pytest

from protocol.crypto.cryptogram import application_cryptogram, card_key, session_key, verify_cryptogram
from protocol.emv import (
    CRYPTOGRAM_TAGS,
    EMV_TAGS,
    capk_check_value,
    cryptogram_data,
    decode_chip_data,
    describe,
    row_of,
    verify_capk,
)
from protocol.errors import DecodeError, EncodeError
from protocol.fields import Mask
from protocol.tlv import Node, decode, encode
from tests.vectors import shared_vector, shared_vectors

PAN = "6200000100000004"
CHIP = bytes.fromhex(
    "9F2608000000000000000095050000008000"
    "9F101307010103A0A802010A010000000000328E7BDA9F37045FEA9AF8"
    "9F360201969A031607269C01009F02060000000000015F2A02015682027C009F1A0201569F0306000000000000"
)
HIDDEN = {0x56, 0x57, 0x5F20, 0x80, 0x83, 0x86, 0x99, 0x9F1F, 0x9F20, 0x9F61, 0x9F6B, 0xDF23}


def test_every_row_is_complete() -> None:
    """A name would be missing on the screen, or one tag would have two names."""
    assert len({row.tag for row in EMV_TAGS.values()}) == len(EMV_TAGS) > 120
    for tag, row in EMV_TAGS.items():
        assert row.tag == tag
        assert row.zh
        assert row.en.isascii()
        assert encode(decode(encode([Node(tag)]), flat=True)) == encode([Node(tag)])
        assert (row.format == "tlv") == bool(tag.to_bytes(4, "big").lstrip(b"\0")[0] & 0x20)


def test_what_is_hidden() -> None:
    """A screenshot in a ticket would give a card away."""
    assert {tag for tag, row in EMV_TAGS.items() if row.mask is Mask.HIDDEN} == HIDDEN
    assert {tag for tag, row in EMV_TAGS.items() if row.mask is Mask.PAN} == {0x5A}
    assert (row_of(0xDF7F).tag, row_of(0xDF7F).mask) == (0xDF7F, Mask.HIDDEN)


@pytest.mark.parametrize(
    ("tag", "raw", "shown", "unmasked"),
    [
        (0x5A, PAN, "620000******0004", PAN),
        (0x5A, "620000010000000000" + "1F", "620000*********0001", "6200000100000000001"),
        (0x57, PAN + "D3012F", "<11 bytes hidden>", PAN + "D3012F"),
        (0x9F6B, PAN, "<8 bytes hidden>", PAN),
        (0x9F20, "123F", "<2 bytes hidden>", "123"),
        (0x9F02, "000000006000", "000000006000", "000000006000"),
        (0x50, "554E494F4E", "UNION", "UNION"),
        (0x50, "1B5B324A", "1B5B324A", "1B5B324A"),
        (0x50, "D6D0", "D6D0", "D6D0"),
        (0x9F26, "0C9A", "0C9A", "0C9A"),
        (0x8A, "3035", "05", "05"),
        (0x70, "5A08" + PAN, "<10 bytes hidden>", "5A08" + PAN),
        (0xDF7F, "313233", "<3 bytes hidden>", "313233"),
    ],
)
def test_shown(tag: int, raw: str, shown: str, unmasked: str) -> None:
    """A card number would be on the screen, or nobody could read what is allowed to be read."""
    octets = bytes.fromhex(raw)
    assert row_of(tag).shown(octets) == shown
    assert row_of(tag).shown(octets, unmask=True) == unmasked


def test_describe() -> None:
    """Nobody could see what is in a template, or in which order."""
    nodes = decode(bytes.fromhex("700C5A086200000100000004" + "9500" + "9A03260101" + "DF7F0139"))
    rows = [(row.tag, row.name, row.length, row.depth, row.shown) for row in describe(nodes)]
    assert rows == [
        ("70", "record template", 12, 0, ""),
        ("5A", "primary account number", 8, 1, "620000******0004"),
        ("95", "terminal verification results", 0, 1, ""),
        ("9A", "transaction date", 3, 0, "260101"),
        ("DF7F", "unknown tag", 1, 0, "<1 bytes hidden>"),
    ]
    assert [row.shown for row in describe(nodes, unmask=True)][1] == PAN
    names = ["响应报文模板", "应用主账号", "终端验证结果", "交易日期", "未知标签"]
    assert [row.name for row in describe(nodes, lang="zh")] == names
    assert PAN not in repr(list(describe(nodes)))


def test_shared_chip_data_reads_and_writes() -> None:
    """The chip data of a real terminal would be changed on its way."""
    fields = [v["fields"]["55"] for v in shared_vectors("message", "cup") if v.get("fields", {}).get("55")]
    assert fields
    for spelt in fields:
        nodes = decode_chip_data(bytes.fromhex(spelt))
        assert encode(nodes).hex().upper() == spelt
        assert all(node.tag in EMV_TAGS for node in nodes)


@pytest.mark.parametrize(
    "spelt", ["9F02069F03069F1A029505", "9F02069505", "9F3704", "9F02069F03069F1A0295055F2A029A039C019F3704"]
)
def test_a_list_without_values(spelt: str) -> None:
    """An engineer would look for a broken card where somebody sent the DOL instead of the data (B69)."""
    with pytest.raises(DecodeError) as caught:
        decode_chip_data(bytes.fromhex(spelt))
    assert ("DOL" in caught.value.hint) == (len(spelt) > 6)


@pytest.mark.parametrize("spelt", ["9F26", "9580", "82039F26"])
def test_other_faults_are_no_list(spelt: str) -> None:
    """An engineer would be sent after a DOL that is not there."""
    with pytest.raises(DecodeError) as caught:
        decode_chip_data(bytes.fromhex(spelt))
    assert "DOL" not in caught.value.hint


def test_shared_ca_public_key() -> None:
    """A terminal would refuse the CA public keys of every host, or take a damaged one."""
    vector = shared_vector("key-capk-sha1")
    rid, index, exponent = (bytes.fromhex(vector["inputs"][name]) for name in ("rid", "index", "exponent"))
    modulus = bytes.fromhex(vector["hex"])
    value = capk_check_value(rid, index[0], modulus, exponent)
    assert value.hex().upper() == vector["expected"]


def ca_public_key(**changes: bytes) -> list[Node]:
    """The objects of a download, the check value made by the book (CUP 3.7)."""
    parts = {"rid": b"\xa0\0\0\3\x33", "index": b"\x09", "modulus": bytes(range(1, 129)), "exponent": b"\3"}
    stated = hashlib.sha1(b"".join(parts.values()), usedforsecurity=False).digest()
    octets = {**parts, "stated": stated, **changes}
    return [Node(tag, octets[name]) for name, tag in CA_PUBLIC_KEY_TAGS.items()]


CA_PUBLIC_KEY_TAGS = {"rid": 0x9F06, "index": 0x9F22, "modulus": 0xDF02, "exponent": 0xDF04, "stated": 0xDF03}


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("rid", b"\xa0\0\0\3\x32"),
        ("rid", b"\xa0\0\0\3"),
        ("rid", b"\xa0\0\0\3\x33\x09"),
        ("index", b"\x08"),
        ("index", b""),
        ("index", b"\x09\1"),
        ("modulus", bytes(range(128))),
        ("exponent", b"\1\0\1"),
        ("stated", b""),
        ("stated", bytes(20)),
    ],
)
def test_a_damaged_ca_public_key(name: str, octets: bytes) -> None:
    """A terminal would take the key of a forger for that of the card scheme."""
    assert verify_capk(ca_public_key())
    assert not verify_capk(ca_public_key(**{name: octets}))


@pytest.mark.parametrize("at", range(5))
def test_an_incomplete_ca_public_key(at: int) -> None:
    """A download that was cut off would stop the terminal."""
    key = ca_public_key()
    with pytest.raises(DecodeError) as caught:
        verify_capk(key[:at] + key[at + 1 :])
    assert caught.value.code == "tlv_missing"


@pytest.mark.parametrize(("rid", "index"), [(b"", 1), (b"12345", -1), (b"12345", 256)])
def test_other_names_of_a_key(rid: bytes, index: int) -> None:
    """The check value of a key that nobody can name would be made."""
    with pytest.raises(EncodeError):
        capk_check_value(rid, index, b"modulus", b"\3")


def test_cryptogram_data() -> None:
    """The host's issuer would take every chip sale for forged."""
    nodes = decode(CHIP)
    assert cryptogram_data(nodes).hex().upper() == (
        "000000000001000000000000015600000080000156160726005FEA9AF87C00019603A0A802"
    )


def test_a_chip_sale_from_end_to_end() -> None:
    """The host's issuer would take every chip sale for forged, or a changed amount for true."""
    nodes = decode(CHIP)
    key = session_key(card_key(bytes(range(16)), PAN), bytes.fromhex("0196"))
    arqc = application_cryptogram(key, cryptogram_data(nodes))
    assert verify_cryptogram(key, cryptogram_data(nodes), arqc)
    changed = [Node(node.tag, b"\0\0\0\0\0\2") if node.tag == 0x9F02 else node for node in nodes]
    assert not verify_cryptogram(key, cryptogram_data(changed), arqc)


@pytest.mark.parametrize("tag", [*CRYPTOGRAM_TAGS, 0x9F10])
def test_missing_objects(tag: int) -> None:
    """A cryptogram would be checked over less than the card signed."""
    with pytest.raises(DecodeError):
        cryptogram_data(node for node in decode(CHIP) if node.tag != tag)


@pytest.mark.parametrize("iad", ["", "070101", "07010100", "07010103A0A8"])
def test_no_card_results(iad: str) -> None:
    """A cryptogram would be checked over less than the card signed."""
    nodes = [Node(node.tag, bytes.fromhex(iad)) if node.tag == 0x9F10 else node for node in decode(CHIP)]
    with pytest.raises(DecodeError, match="9F10") as caught:
        cryptogram_data(nodes)
    assert caught.value.code == "emv"
