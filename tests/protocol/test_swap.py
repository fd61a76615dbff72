"""The backup of a swap, the order to wipe and the certificate of it, as bytes."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto import signing
from protocol.crypto.derived import Purpose, is_proof, prove
from protocol.errors import DecodeError, EncodeError, SignatureError
from protocol.swap import BACKUP_PARTS, CONTENT_BYTES_MAX, backup_context, claim_statement, pack_backup, unpack_backup
from protocol.wipe import WipeCertificate, WipeOrder, make_certificate, open_certificate, open_order, sign_order

EMPTY: dict[str, object] = {key: [] for key in BACKUP_PARTS}
TMK, KEY = bytes(range(16)), b"S" * 32
ORDER = WipeOrder("OLD-1", "NEW-1", 7, "ab" * 32, 1_700_000_000)
CERTIFICATE = WipeCertificate("OLD-1", "NEW-1", 7, "ab" * 32, 1_700_000_000, "all keys")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries(dict.fromkeys(sorted(BACKUP_PARTS), VALUES)))
def test_what_is_packed_is_unpacked(parts: dict[str, object]) -> None:
    """A shop would find other things on its new device."""
    assert unpack_backup(pack_backup(parts)) == parts
    assert pack_backup(parts) == pack_backup(dict(reversed(parts.items())))


@pytest.mark.parametrize(
    "wrong",
    [{}, {**EMPTY, "keys": []}, {key: [] for key in BACKUP_PARTS if key != "closed"}],
    ids=["nothing", "one more", "one less"],
)
def test_other_parts_are_refused(wrong: dict[str, object]) -> None:
    """A part that nobody agreed on would travel: rows of money, or keys."""
    with pytest.raises(EncodeError):
        pack_backup(wrong)
    with pytest.raises(DecodeError):
        unpack_backup(zlib.compress(json.dumps(wrong, sort_keys=True, separators=(",", ":")).encode()))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"rubbish",
        pack_backup(EMPTY)[:-1],
        pack_backup(EMPTY) + b"x",
        zlib.compress(b"[]"),
        zlib.compress(b"{"),
        zlib.compress(b"\xff"),
        zlib.compress(json.dumps(EMPTY).encode()),
        zlib.compress(b"[" * 100_000),
        zlib.compress(b" " * (CONTENT_BYTES_MAX + 1), 9),
    ],
    ids=["empty", "rubbish", "cut", "longer", "list", "half", "no text", "other spelling", "deep", "too long"],
)
def test_what_is_no_backup_is_refused(raw: bytes) -> None:
    """A few bytes could fill the host's memory, or two readers see two backups."""
    with pytest.raises(DecodeError) as refused:
        unpack_backup(raw)
    assert refused.value.code == "backup"


def test_what_does_not_fit_is_not_packed() -> None:
    """A device would send for hours what no other can hold."""
    with pytest.raises(EncodeError, match="a backup of"):
        pack_backup({**EMPTY, "events": "x" * CONTENT_BYTES_MAX})


def test_every_binding_is_another() -> None:
    """A backup or a claim could be used for another swap."""
    assert len({backup_context("A1", 1), backup_context("A", 11), backup_context("A1", 2)}) == 3
    assert len({claim_statement("A", "B", 1), claim_statement("B", "A", 1), claim_statement("A", "B", 2)}) == 3


def test_an_order_is_the_hosts_alone() -> None:
    """Whoever reaches the line could wipe every terminal of the town."""
    document = sign_order(ORDER, KEY)
    public = signing.public_key(KEY)
    assert open_order(document, public) == ORDER
    for forged in (b"", document[:-1], b"x" + document, document[:-64] + bytes(64), sign_order(ORDER, b"T" * 32)):
        with pytest.raises(SignatureError) as refused:
            open_order(forged, public)
        assert refused.value.code == "signature"
    with pytest.raises(SignatureError):
        open_order(document, b"")


@pytest.mark.parametrize(
    "signed", [b"{}", b"[]", json.dumps(asdict(ORDER)).encode(), b'{"kind":"notice"}'], ids=lambda raw: raw[:8].decode()
)
def test_what_the_host_signed_for_another_end_is_no_order(signed: bytes) -> None:
    """A notice could be played to a device as the order to wipe itself."""
    with pytest.raises(SignatureError) as refused:
        open_order(signed + signing.sign(KEY, signed), signing.public_key(KEY))
    assert refused.value.code == "malformed"


def test_a_certificate_is_the_devices_alone() -> None:
    """A device with all its keys could be certified by anybody."""

    def proof(statement: bytes) -> bytes:
        return prove(TMK, Purpose.CERTIFICATE, statement)

    def checked(statement: bytes, given: bytes) -> bool:
        return is_proof(TMK, Purpose.CERTIFICATE, statement, given)

    document = make_certificate(CERTIFICATE, proof)
    assert open_certificate(document, checked) == CERTIFICATE
    assert TMK not in document
    for forged in (b"", document[:-1], document[1:], document[:-32] + bytes(32)):
        with pytest.raises(SignatureError):
            open_certificate(forged, checked)
    with pytest.raises(SignatureError) as refused:
        open_certificate(b"{}" + proof(b"{}"), checked)
    assert refused.value.code == "malformed"


@pytest.mark.parametrize("changes", [{"serial_number": ""}, {"swap": 0}, {"sha256": "x"}, {"at": -1}], ids=str)
def test_what_breaks_the_form_is_not_signed(changes: dict[str, Any]) -> None:
    """A document would go out that no device can read."""
    with pytest.raises(EncodeError):
        sign_order(replace(ORDER, **changes), KEY)
    with pytest.raises(EncodeError):
        make_certificate(replace(CERTIFICATE, **changes), lambda statement: b"")
