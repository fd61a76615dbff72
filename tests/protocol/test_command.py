"""Signed remote commands."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.command import (
    COMMAND_KINDS,
    COUNTER_MAX,
    DOCUMENT_BYTES_MAX,
    NONCE_BYTES,
    RemoteCommand,
    check_answer,
    open_command,
    prove_answer,
    sign_command,
)
from protocol.crypto import signing
from protocol.errors import EncodeError, KeyLoadError, SignatureError
from protocol.private import pack_tags

PRIVATE = bytes(range(32))
PUBLIC = signing.public_key(PRIVATE)
OTHER_PRIVATE = bytes(range(1, 33))
NOTICE = RemoteCommand(
    kind="notice",
    serial_number="SN000001",
    counter=7,
    issued_at=1_700_000_000,
    expires_at=1_700_086_400,
    body={
        "title_zh": "停用通知",
        "title_en": "Retirement notice",
        "text_zh": "本机型将于九十天后停用，请更换设备。",
        "text_en": "This model retires in 90 days. Please swap the device.",
        "reason": "model_retired",
        "stop_at": "1707776000",
    },
)
UPDATE = replace(
    NOTICE, kind="update_firmware", body={"version": "1.2.0", "size": "4096", "sha256": "0123456789abcdef" * 4}
)


def opened(document: bytes, *, serial_number: str = "SN000001") -> RemoteCommand:
    return open_command(document, PUBLIC, serial_number=serial_number)


def refused(document: bytes, **circumstances: Any) -> str:
    with pytest.raises(SignatureError) as caught:
        opened(document, **circumstances)
    return caught.value.code


def signed(document: object) -> bytes:
    """What a host with the right key and a wrong program might send."""
    spelling = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    return spelling + signing.sign(PRIVATE, spelling)


def plain(command: RemoteCommand) -> dict[str, Any]:
    return dict(json.loads(sign_command(command, PRIVATE)[:-64]))


@pytest.mark.parametrize("command", [NOTICE, UPDATE], ids=lambda command: command.kind)
def test_round_trip(command: RemoteCommand) -> None:
    """The terminal would not learn that it is to be retired."""
    document = sign_command(command, PRIVATE)
    assert len(document) <= DOCUMENT_BYTES_MAX
    assert opened(document) == command
    assert signed(plain(command)) == document


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    body=st.fixed_dictionaries(dict.fromkeys(COMMAND_KINDS["notice"], texts)),
    serial_number=st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=20),
    counter=st.integers(1, COUNTER_MAX),
    issued_at=st.integers(0, 2**31),
    lasts_s=st.integers(1, 2**31 - 1),
)
def test_any_notice_round_trip(
    body: dict[str, str], serial_number: str, counter: int, issued_at: int, lasts_s: int
) -> None:
    """A notice with an unusual character would never be shown."""
    command = RemoteCommand("notice", serial_number, counter, issued_at, issued_at + lasts_s, body)
    document = sign_command(command, PRIVATE)
    assert opened(document, serial_number=serial_number) == command


def test_every_flipped_bit_is_refused() -> None:
    """A notice altered on the way would tell the merchant another date."""
    document = sign_command(UPDATE, PRIVATE)
    for bit in range(8 * len(document)):
        altered = bytearray(document)
        altered[bit // 8] ^= 1 << bit % 8
        assert refused(bytes(altered)) == "signature"


@pytest.mark.parametrize("serial_number", ["SN000002", ""])
def test_a_command_for_another_device(serial_number: str) -> None:
    """A stop meant for another shop would close this one."""
    assert refused(sign_command(NOTICE, PRIVATE), serial_number=serial_number) == "other_device"


def test_other_signer() -> None:
    """Whoever can speak to the terminal could stop it."""
    assert refused(sign_command(NOTICE, OTHER_PRIVATE)) == "signature"


def test_a_proof_is_good_for_one_fetch_and_one_document() -> None:
    """Whoever kept a command could have a device carry it out whose memory was put back (T12, C2)."""
    document, nonce = sign_command(NOTICE, PRIVATE), bytes(range(NONCE_BYTES))
    proof = prove_answer(document, nonce, PRIVATE)
    check_answer(document, nonce, proof, PUBLIC)
    for wrong in (
        (sign_command(UPDATE, PRIVATE), nonce, proof),
        (document, bytes(NONCE_BYTES), proof),
        (document, nonce, prove_answer(document, nonce, OTHER_PRIVATE)),
        (document, nonce, document[-signing.SIGNATURE_BYTES :]),
        (document, nonce, b""),
    ):
        with pytest.raises(SignatureError) as caught:
            check_answer(*wrong, PUBLIC)
        assert caught.value.code == "replayed"
    longest = pack_tags([("CM", bytes(DOCUMENT_BYTES_MAX)), ("AP", proof)])
    assert len(longest) <= 999, "it has to fit in field 62"


def test_lengths() -> None:
    """Noise on the line would crash the terminal instead of being refused."""
    document = sign_command(NOTICE, PRIVATE)
    assert refused(b"") == "malformed"
    assert refused(bytes(64)) == "malformed"
    assert refused(bytes(DOCUMENT_BYTES_MAX + 1)) == "malformed"
    assert refused(bytes(DOCUMENT_BYTES_MAX)) == "signature"
    for cut in range(65, len(document)):
        assert refused(document[:cut]) == "signature"


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "self_destruct"},
        {"kind": 1},
        {"kind": "update_firmware"},
        {"serial_number": ""},
        {"serial_number": 1},
        {"counter": 0},
        {"counter": True},
        {"counter": 7.0},
        {"counter": "7"},
        {"counter": COUNTER_MAX + 1},
        {"issued_at": -1},
        {"issued_at": None},
        {"issued_at": NOTICE.expires_at},
        {"expires_at": float("nan")},
        {"body": []},
        {"body": {}},
        {"body": dict(NOTICE.body) | {"extra": ""}},
        {"body": dict(NOTICE.body) | {"reason": 1}},
        {"body": dict(NOTICE.body) | {"reason": None}},
        {"extra": 1},
    ],
)
def test_signed_but_no_command(change: dict[str, Any]) -> None:
    """A fault in the host's program would make the terminal do something nobody asked for."""
    assert refused(signed(plain(NOTICE) | change)) == "malformed"


@pytest.mark.parametrize("spelling", [b"{}", b"[]", b"null", b"x", b'{"a":1,"a":1}', b"\xff", b"[" * 800])
def test_signed_but_no_document(spelling: bytes) -> None:
    """A fault in the host's program would crash the terminal."""
    assert refused(spelling + signing.sign(PRIVATE, spelling)) == "malformed"


def test_duplicate_key_refused() -> None:
    """Two readers of one command would read two serial numbers."""
    spelling = sign_command(NOTICE, PRIVATE)[:-64].replace(b'"counter":7', b'"counter":7,"counter":7')
    assert refused(spelling + signing.sign(PRIVATE, spelling)) == "malformed"


def test_missing_key_refused() -> None:
    """A command without an expiry would be good for ever."""
    for name in plain(NOTICE):
        document = plain(NOTICE)
        del document[name]
        assert refused(signed(document)) == "malformed"


@pytest.mark.parametrize(
    "command",
    [
        replace(NOTICE, kind="self_destruct"),
        replace(NOTICE, serial_number=""),
        replace(NOTICE, counter=0),
        replace(NOTICE, counter=COUNTER_MAX + 1),
        replace(NOTICE, expires_at=NOTICE.issued_at),
        replace(NOTICE, body={}),
        replace(NOTICE, body=dict(NOTICE.body) | {"extra": ""}),
        replace(NOTICE, body=dict[str, Any](NOTICE.body) | {"reason": 1}),
        replace(NOTICE, body=dict[str, Any](NOTICE.body) | {"reason": b""}),
        replace(NOTICE, body=dict(NOTICE.body) | {"reason": "\ud800"}),
        *(
            replace(UPDATE, body=dict(UPDATE.body) | wrong)
            for wrong in (
                {"version": "1.2"},
                {"version": "1.2.256"},
                {"version": "1.2.0\n"},
                {"size": "0"},
                {"size": "-1"},
                {"size": "１"},
                {"sha256": "0" * 63},
                {"sha256": "G" * 64},
            )
        ),
    ],
)
def test_what_the_host_may_not_sign(command: RemoteCommand) -> None:
    """A mistake in the back office would be signed and sent to the whole fleet."""
    with pytest.raises(EncodeError):
        sign_command(command, PRIVATE)


def test_size_at_the_limit_and_beyond() -> None:
    """A long notice would not fit in the reply and never arrive."""
    room = DOCUMENT_BYTES_MAX - len(sign_command(replace(NOTICE, body=dict(NOTICE.body) | {"text_en": ""}), PRIVATE))
    fits = replace(NOTICE, body=dict(NOTICE.body) | {"text_en": "x" * room})
    document = sign_command(fits, PRIVATE)
    assert len(document) == DOCUMENT_BYTES_MAX
    assert opened(document) == fits
    with pytest.raises(EncodeError, match="901"):
        sign_command(replace(NOTICE, body=dict(NOTICE.body) | {"text_en": "x" * (room + 1)}), PRIVATE)


def test_key_length() -> None:
    """A key file cut short would show as a traceback instead of an error."""
    with pytest.raises(KeyLoadError):
        sign_command(NOTICE, b"")
