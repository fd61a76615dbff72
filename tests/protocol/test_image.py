"""Signed firmware images and versions."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import image
from protocol.crypto import signing
from protocol.errors import DecodeError, EncodeError, ProtocolError, SignatureError
from protocol.image import build_image, open_image, parse_version, version_digits, version_from_digits

PRIVATE = bytes(range(32))
PUBLIC = signing.public_key(PRIVATE)
PAYLOAD = b"firmware" * 4
FIELDS: dict[str, Any] = {
    "model": "E100",
    "version": "1.2.0",
    "security_counter": 3,
    "payload": PAYLOAD,
    "minimum_loader": 2,
    "expires_at": 1_800_000_000,
    "journal_format": 2,
    "nvram_kib": 256,
    "profile": "no_sm4",
}
BUILT = build_image(**FIELDS, private_key=PRIVATE)
MANIFEST: dict[str, Any] = {name: value for name, value in FIELDS.items() if name != "payload"} | {
    "sha256": hashlib.sha256(PAYLOAD).hexdigest(),
    "size": len(PAYLOAD),
}


def refused(built: bytes, model: str = "E100") -> str:
    with pytest.raises(SignatureError) as caught:
        open_image(built, PUBLIC, model=model)
    return caught.value.code


def signed(manifest: object, payload: bytes = PAYLOAD) -> bytes:
    """What a maker with the right key and a wrong program might build."""
    stated = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    head = struct.pack(">4sHI", b"PLF1", len(stated), len(payload)) + stated
    return head + signing.sign(PRIVATE, head) + payload


def test_layout() -> None:
    """A device in the field could not read the images of a newer release."""
    assert signed(MANIFEST) == BUILT
    opened = open_image(BUILT, PUBLIC, model="E100")
    assert opened.payload == PAYLOAD
    assert opened.manifest == image.Manifest(**MANIFEST)
    assert "firmware" not in repr(opened)


@given(
    model=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    version=st.tuples(*[st.integers(0, 255)] * 3),
    security_counter=st.integers(0, image.SECURITY_COUNTER_MAX),
    payload=st.binary(min_size=1, max_size=300),
)
def test_round_trip(model: str, version: tuple[int, int, int], security_counter: int, payload: bytes) -> None:
    """An update of some size or version could not be installed."""
    dotted = ".".join(map(str, version))
    built = build_image(
        model=model, version=dotted, security_counter=security_counter, payload=payload, private_key=PRIVATE
    )
    opened = open_image(built, PUBLIC, model=model)
    assert opened.payload == payload
    assert opened.manifest == image.Manifest(
        model=model,
        version=dotted,
        security_counter=security_counter,
        size=len(payload),
        sha256=hashlib.sha256(payload).hexdigest(),
        minimum_loader=1,
        expires_at=image.NEVER,
        journal_format=1,
        nvram_kib=1,
        profile="current",
    )


def test_every_flipped_bit_is_refused() -> None:
    """A terminal would boot what its maker did not build."""
    head = 10
    signed_bytes = len(BUILT) - len(PAYLOAD)
    for bit in range(8 * len(BUILT)):
        altered = bytearray(BUILT)
        altered[bit // 8] ^= 1 << bit % 8
        code = "malformed" if bit < 8 * head else "signature" if bit < 8 * signed_bytes else "hash"
        assert refused(bytes(altered)) == code


def test_every_cut_and_every_addition_is_refused() -> None:
    """A download cut short would be installed."""
    for length in range(len(BUILT)):
        assert refused(BUILT[:length]) == "malformed"
    assert refused(BUILT + b"\0") == "malformed"


def test_other_model_and_other_maker() -> None:
    """A terminal would install the firmware of another machine and never start again."""
    assert refused(BUILT, model="E200") == "other_model"
    assert refused(build_image(**FIELDS, private_key=bytes(32))) == "signature"
    assert open_image(BUILT, PUBLIC, model=None).manifest.model == "E100"


def test_payload_of_another_image() -> None:
    """Chunks of two downloads would be put together into one image."""
    other = build_image(**FIELDS | {"payload": PAYLOAD[::-1]}, private_key=PRIVATE)
    assert refused(BUILT[: -len(PAYLOAD)] + other[-len(PAYLOAD) :]) == "hash"


@pytest.mark.parametrize(
    "change",
    [
        {"model": ""},
        {"model": 1},
        {"version": "1.2"},
        {"version": None},
        {"security_counter": -1},
        {"security_counter": 2**32},
        {"security_counter": True},
        {"size": 0},
        {"size": len(PAYLOAD) + 1},
        {"size": float(len(PAYLOAD))},
        {"size": image.PAYLOAD_BYTES_MAX + 1},
        {"sha256": "0"},
        {"sha256": MANIFEST["sha256"].upper()},
        {"extra": 1},
        {"version": "2147483648.0.0"},
        {"minimum_loader": 0},
        {"minimum_loader": 2**16},
        {"expires_at": -1},
        {"expires_at": 2**32},
        {"expires_at": "2027-01-31"},
        {"journal_format": 0},
        {"nvram_kib": 0},
        {"profile": ""},
        {"profile": "Old"},
        {"profile": "x" * 33},
    ],
)
def test_signed_but_no_manifest(change: dict[str, Any]) -> None:
    """A fault in the maker's program would put a terminal out of order."""
    assert refused(signed(MANIFEST | change)) == "malformed"


def test_missing_key_refused() -> None:
    """An image without a security counter could bring an old fault back."""
    for name in MANIFEST:
        assert refused(signed({key: value for key, value in MANIFEST.items() if key != name})) == "malformed"


@pytest.mark.parametrize(
    "change",
    [
        {"model": ""},
        {"model": "x" * image.MANIFEST_BYTES_MAX},
        {"version": "1"},
        {"version": "1.2.256"},
        {"security_counter": -1},
        {"security_counter": 2**32},
        {"payload": b""},
        {"minimum_loader": 0},
        {"expires_at": 2**32},
        {"profile": "no such profile"},
    ],
)
def test_what_no_image_carries(change: dict[str, Any]) -> None:
    """A mistake at the maker would be signed."""
    with pytest.raises(EncodeError):
        build_image(**FIELDS | change, private_key=PRIVATE)


def test_payload_at_the_limit_and_beyond() -> None:
    """A stated size of four gigabytes would fill the terminal's memory before the signature is looked at."""
    huge = struct.pack(">4sHI", b"PLF1", 10, 0xFFFFFFFF)
    assert refused(huge) == "malformed"
    largest = bytes(image.PAYLOAD_BYTES_MAX)
    built = build_image(**FIELDS | {"payload": largest}, private_key=PRIVATE)
    assert open_image(built, PUBLIC, model="E100").payload == largest
    with pytest.raises(EncodeError):
        build_image(**FIELDS | {"payload": largest + b"\0"}, private_key=PRIVATE)


@pytest.mark.parametrize(
    ("version", "numbers", "digits"),
    [
        ("0.0.0", (0, 0, 0), "00000000"),
        ("1.2.0", (1, 2, 0), "01020000"),
        ("1.10.9", (1, 10, 9), "010A0900"),
        ("255.255.255", (255, 255, 255), "FFFFFF00"),
    ],
)
def test_versions(version: str, numbers: tuple[int, int, int], digits: str) -> None:
    """Version 1.10 would be taken for older than 1.9, and the host would refuse an up-to-date terminal."""
    assert parse_version(version) == numbers
    assert version_digits(version) == digits
    assert version_from_digits(digits) == version


@given(st.tuples(*[st.integers(0, 255)] * 3), st.tuples(*[st.integers(0, 255)] * 3))
def test_versions_compare(one: tuple[int, int, int], two: tuple[int, int, int]) -> None:
    """The host would let an older firmware pass as a newer one."""
    dotted = [".".join(map(str, numbers)) for numbers in (one, two)]
    assert (parse_version(dotted[0]) < parse_version(dotted[1])) == (one < two)
    assert [version_from_digits(version_digits(version)) for version in dotted] == dotted


@pytest.mark.parametrize(
    "version",
    [
        "",
        "1",
        "1.2",
        "1.2.3.4",
        "1.2.256",
        "1.2.999",
        "01.2.0",
        "1.2.-1",
        "1..2",
        "v1.2.0",
        "1.2.0 ",
        "1.2.0\n",
        "１.2.0",
    ],
)
def test_no_version(version: str) -> None:
    """A version with a typing error in the catalogue would stop or pass a whole fleet."""
    for use in (parse_version, version_digits):
        with pytest.raises(ProtocolError) as caught:
            use(version)
        assert caught.value.code == "version"


@pytest.mark.parametrize(
    "digits", ["", "0102000", "010200000", "01020001", "010a0000", "0102000g", "０1020000", "10.2.0  "]
)
def test_no_version_digits(digits: str) -> None:
    """A terminal with an unreadable version would pass the firmware gate."""
    with pytest.raises(DecodeError) as caught:
        version_from_digits(digits)
    assert (caught.value.code, caught.value.field) == ("version", 59)
