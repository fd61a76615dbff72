"""Signed remote commands: what the host tells one terminal and only the host can say (product decision 10).

Rules owned here: TABLE COMMAND_KINDS; a command is bound to one serial number, one counter and one expiry; a document is
the canonical JSON of the command and the Ed25519 signature over it, and fits in one field 62.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from protocol.crypto import signing
from protocol.errors import DecodeError, EncodeError, SignatureError
from protocol.image import SHA256_PATTERN, VERSION_PATTERN

DOCUMENT_BYTES_MAX = 900
COUNTER_MAX = 0xFFFFFFFF

_TEXT = r"(?s:.*)"

# kind -> body key -> pattern of its whole value; a body has exactly these keys
COMMAND_KINDS: Mapping[str, Mapping[str, str]] = {
    "notice": {
        "title_zh": _TEXT,
        "title_en": _TEXT,
        "text_zh": _TEXT,
        "text_en": _TEXT,
        "reason": _TEXT,
        "stop_at": _TEXT,
    },
    "update_firmware": {
        "version": VERSION_PATTERN,
        "size": r"[1-9][0-9]{0,8}",
        "sha256": SHA256_PATTERN,
    },
}


@dataclass(frozen=True, slots=True)
class RemoteCommand:
    """One command to one terminal; times are epoch seconds, ``counter`` strictly increases for each serial number."""

    kind: str
    serial_number: str
    counter: int
    issued_at: int
    expires_at: int
    body: Mapping[str, str]


_TYPES: Mapping[str, type] = {
    "kind": str,
    "serial_number": str,
    "counter": int,
    "issued_at": int,
    "expires_at": int,
    "body": dict,
}


def sign_command(command: RemoteCommand, private_key: bytes) -> bytes:
    """Return the document: canonical UTF-8 JSON, then the 64-byte signature over it.

    Raises EncodeError when the command breaks COMMAND_KINDS or the document is longer than 900 bytes, KeyLoadError on a
    key that is not 32 bytes.
    """
    document = asdict(command) | {"body": dict(command.body)}
    if fault := _fault(document):
        raise EncodeError(fault)
    signed = signing.write_canonical(document)
    size = len(signed) + signing.SIGNATURE_BYTES
    if size > DOCUMENT_BYTES_MAX:
        raise EncodeError(
            f"a command document of {size} bytes", hint=f"{DOCUMENT_BYTES_MAX} fit in one reply: shorten the texts"
        )
    return signed + signing.sign(private_key, signed)


def open_command(
    document: bytes, public_key: bytes, *, serial_number: str, last_counter: int, now_s: int
) -> RemoteCommand:
    """Return the command in ``document`` if it was signed for this terminal, is new and has not expired.

    Raises SignatureError with the first code that applies: "malformed" (a length no document has), "signature",
    "malformed" (signed, but no command), "other_device", "replayed" (counter not above ``last_counter``), "expired" (at
    ``expires_at`` or later).
    """
    if not signing.SIGNATURE_BYTES < len(document) <= DOCUMENT_BYTES_MAX:
        raise SignatureError(f"a command document of {len(document)} bytes", code="malformed")
    signed, signature = document[: -signing.SIGNATURE_BYTES], document[-signing.SIGNATURE_BYTES :]
    if not signing.verify(public_key, signed, signature):
        raise SignatureError("the host did not sign this command", code="signature")
    command = _read(signed)
    if command.serial_number != serial_number:
        raise SignatureError(f"a command for {command.serial_number}", code="other_device")
    if command.counter <= last_counter:
        raise SignatureError(f"command {command.counter} after command {last_counter}", code="replayed")
    if now_s >= command.expires_at:
        raise SignatureError(f"command {command.counter} has expired", code="expired")
    return command


def _read(signed: bytes) -> RemoteCommand:
    try:
        document = signing.read_canonical(signed)
    except DecodeError as error:
        raise SignatureError(error.message, code="malformed") from None
    if fault := _fault(document):
        raise SignatureError(fault, code="malformed")
    return RemoteCommand(**document)  # type: ignore[arg-type]  # _fault has checked every type


def _fault(document: Mapping[str, object]) -> str:
    """Return what keeps ``document`` from being a command, "" if nothing does."""
    if document.keys() != _TYPES.keys():
        return "a command has other keys"
    # not isinstance: True is an int, and has another spelling than 1
    if wrong := [name for name, kind in _TYPES.items() if type(document[name]) is not kind]:
        return f"{wrong[0]} has another type"
    kind, body = document["kind"], document["body"]
    counter, issued_at, expires_at = document["counter"], document["issued_at"], document["expires_at"]
    assert isinstance(kind, str)
    assert isinstance(body, dict)
    assert isinstance(counter, int)
    assert isinstance(issued_at, int)
    assert isinstance(expires_at, int)
    if kind not in COMMAND_KINDS:
        return f"no command kind {kind!r}"
    forms = COMMAND_KINDS[kind]
    if body.keys() != forms.keys():
        return f"the body of {kind} has other keys than {', '.join(forms)}"
    if wrong := [key for key, form in forms.items() if type(body[key]) is not str or not re.fullmatch(form, body[key])]:
        return f"{wrong[0]} of {kind} has another form"
    if not document["serial_number"]:
        return "a command needs a serial number"
    if not 1 <= counter <= COUNTER_MAX:
        return f"a counter is 1 to {COUNTER_MAX}"
    if not 0 <= issued_at < expires_at:
        return "a command expires after it is issued"
    return ""
