"""Signed remote commands: what the host tells one terminal and only the host can say (product decision 10).

Rules owned here: TABLE COMMAND_KINDS; a command is bound to one serial number, one counter and one expiry; a document
is the canonical JSON of the command and the Ed25519 signature over it, and fits in one field 62 with the proof that
goes with it. The proof is the host's signature over the nonce of the fetch that the document answers: the counter alone
would stop no document that somebody kept, where the memory that holds the counter was put back to an older image (T12),
and a MAC over the exclusive or of blocks is no proof against whoever can choose what is in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from protocol.crypto import signing
from protocol.crypto.document import Form, Nested, Text, Whole, fault, read_document, write_document
from protocol.errors import DecodeError, EncodeError, SignatureError
from protocol.image import SHA256, VERSION

DOCUMENT_BYTES_MAX = 900
COUNTER_MAX = 0xFFFFFFFF
EPOCH_S_MAX = 0xFFFFFFFF
NONCE_BYTES = 8

_ANY_TEXT = Text(r"(?s:.*)")

# kind -> the exact keys of its body, each with the form of its value
COMMAND_KINDS: Mapping[str, Mapping[str, Text]] = {
    "notice": dict.fromkeys(("title_zh", "title_en", "text_zh", "text_en", "reason", "stop_at"), _ANY_TEXT),
    "announcement": dict.fromkeys(("title_zh", "title_en", "text_zh", "text_en"), _ANY_TEXT),
    "update_firmware": {"version": VERSION, "size": Text(r"[1-9][0-9]{0,8}"), "sha256": SHA256},
    "diagnose": {},
}

_FORM: Form = {
    "kind": Text("|".join(COMMAND_KINDS)),
    "serial_number": Text(),
    "counter": Whole(1, COUNTER_MAX),
    "issued_at": Whole(0, EPOCH_S_MAX),
    "expires_at": Whole(0, EPOCH_S_MAX),
    "body": Nested(),
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


def sign_command(command: RemoteCommand, private_key: bytes) -> bytes:
    """Return the document: canonical UTF-8 JSON, then the 64-byte signature over it.

    Raises EncodeError when the command breaks COMMAND_KINDS or the document is longer than 900 bytes, KeyLoadError on a
    key that is not 32 bytes.
    """
    signed = write_document({name: getattr(command, name) for name in _FORM} | {"body": dict(command.body)}, _FORM)
    if broken := _fault(command):
        raise EncodeError(broken)
    size = len(signed) + signing.SIGNATURE_BYTES
    if size > DOCUMENT_BYTES_MAX:
        raise EncodeError(
            f"a command document of {size} bytes", hint=f"{DOCUMENT_BYTES_MAX} fit in one reply: shorten the texts"
        )
    return signed + signing.sign(private_key, signed)


def open_command(document: bytes, public_key: bytes, *, serial_number: str) -> RemoteCommand:
    """Return the command in ``document`` if it was signed for this terminal; whether it is new and in time, who has a
    counter and a clock must ask.

    Raises SignatureError with the first code that applies: "malformed" (a length no document has), "signature",
    "malformed" (signed, but no command), "other_device".
    """
    if not signing.SIGNATURE_BYTES < len(document) <= DOCUMENT_BYTES_MAX:
        raise SignatureError(f"a command document of {len(document)} bytes", code="malformed")
    signed, signature = document[: -signing.SIGNATURE_BYTES], document[-signing.SIGNATURE_BYTES :]
    if not signing.verify(public_key, signed, signature):
        raise SignatureError("the host did not sign this command", code="signature")
    command = _read(signed)
    if command.serial_number != serial_number:
        raise SignatureError(f"a command for {command.serial_number}", code="other_device")
    return command


def prove_answer(document: bytes, nonce: bytes, private_key: bytes) -> bytes:
    """Return the 64 bytes by which the host states that ``document`` answers the fetch that told ``nonce``.

    Raises KeyLoadError on a key that is not 32 bytes.
    """
    return signing.sign(private_key, _answer(document, nonce))


def check_answer(document: bytes, nonce: bytes, proof: bytes, public_key: bytes) -> None:
    """Raises SignatureError "replayed" unless the host gave ``document`` in answer to the fetch that told ``nonce``."""
    if not signing.verify(public_key, _answer(document, nonce), proof):
        raise SignatureError("a command that the host did not give in answer to this fetch", code="replayed")


def _answer(document: bytes, nonce: bytes) -> bytes:
    # no document begins like this: nothing signed as the one can pass for the other
    return b"answer " + nonce.hex().encode() + b" " + document


def read_body(document: bytes) -> dict[str, str]:
    """Return the body of a document that its reader signed itself; raises SignatureError "malformed" on others."""
    return dict(_read(document[: -signing.SIGNATURE_BYTES]).body)


def _read(signed: bytes) -> RemoteCommand:
    try:
        command = RemoteCommand(**read_document(signed, _FORM))
    except DecodeError as error:
        raise SignatureError(f"no command: {error.message}", code="malformed") from None
    if broken := _fault(command):
        raise SignatureError(f"no command: {broken}", code="malformed")
    return command


def _fault(command: RemoteCommand) -> str:
    """Return what a form cannot tell: a body of another kind, an expiry before the issue; "" when all is well."""
    if command.expires_at <= command.issued_at:
        return "expires_at is not after issued_at"
    return fault(command.body, COMMAND_KINDS[command.kind])
