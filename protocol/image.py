"""Signed firmware images: what a terminal may boot, as one run of bytes.

    magic "PLF1"  4      manifest length  2, big-endian      payload length  4, big-endian
    manifest      canonical JSON, the keys of a Manifest
    signature     64, Ed25519 over everything in front of it
    payload

Rules owned here: the layout, the version form (three dotted numbers 0 to 255) and its 8 digits in field 59. The
signature covers the hash of the payload, so a chunked download is checked as a whole before a byte of it is believed.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import asdict, dataclass, field
from functools import lru_cache

from protocol.crypto import signing
from protocol.crypto.document import Form, Text, Whole, read_document, write_document
from protocol.errors import DecodeError, EncodeError, ProtocolError, SignatureError

PAYLOAD_BYTES_MAX = 16 * 1024 * 1024
MANIFEST_BYTES_MAX = 512
SECURITY_COUNTER_MAX = 0xFFFFFFFF
NEVER = 0xFFFFFFFF
"""The expiry of an image that may be installed at any time."""

_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
VERSION = Text(rf"{_BYTE}\.{_BYTE}\.{_BYTE}")
SHA256 = Text(r"[0-9a-f]{64}")

_FORM: Form = {
    "model": Text(),
    "version": VERSION,
    "security_counter": Whole(0, SECURITY_COUNTER_MAX),
    "size": Whole(1, PAYLOAD_BYTES_MAX),
    "sha256": SHA256,
    "minimum_loader": Whole(1, 0xFFFF),
    "expires_at": Whole(0, NEVER),
    "journal_format": Whole(1, 0xFFFF),
    "nvram_kib": Whole(1, 0xFFFF),
    "profile": Text(r"[a-z][a-z0-9_]{0,31}"),
}

_MAGIC = b"PLF1"
_HEAD = struct.Struct(">4sHI")
_VERSION_FIELD = 59


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the maker states of a payload: ``size`` in bytes, ``sha256`` in 64 lower-case hex digits.

    The boot loader must be ``minimum_loader`` or newer, the image be staged before ``expires_at`` (epoch seconds), and
    its program keeps its journal in ``journal_format`` on banks of at least ``nvram_kib``. ``profile`` names how the
    program behaves.
    """

    model: str
    version: str
    security_counter: int
    size: int
    sha256: str
    minimum_loader: int
    expires_at: int
    journal_format: int
    nvram_kib: int
    profile: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image whose signature, model and hash have been verified."""

    manifest: Manifest
    payload: bytes = field(repr=False)


def build_image(
    *,
    model: str,
    version: str,
    security_counter: int,
    payload: bytes,
    private_key: bytes,
    minimum_loader: int = 1,
    expires_at: int = NEVER,
    journal_format: int = 1,
    nvram_kib: int = 1,
    profile: str = "current",
) -> bytes:
    """Return the signed image of ``payload``; raises EncodeError on a value or size no image carries."""
    manifest = Manifest(
        model=model,
        version=version,
        security_counter=security_counter,
        size=len(payload),
        sha256=hashlib.sha256(payload).hexdigest(),
        minimum_loader=minimum_loader,
        expires_at=expires_at,
        journal_format=journal_format,
        nvram_kib=nvram_kib,
        profile=profile,
    )
    stated = write_document(asdict(manifest), _FORM)
    if len(stated) > MANIFEST_BYTES_MAX:
        raise EncodeError(f"a manifest of {len(stated)} bytes", hint=f"at most {MANIFEST_BYTES_MAX}")
    signed = _HEAD.pack(_MAGIC, len(stated), len(payload)) + stated
    return signed + signing.sign(private_key, signed) + payload


def open_image(image: bytes, public_key: bytes, *, model: str | None) -> Image:
    """Return the image if its maker signed it for ``model``, None for any, and every byte is there.

    Raises SignatureError with the first code that applies: "malformed" (no image, or cut short), "signature",
    "malformed" (signed, but no manifest), "other_model", "hash".
    """
    signed_bytes, payload_bytes = _lengths(image)
    signed, rest = image[:signed_bytes], image[signed_bytes:]
    signature, payload = rest[: signing.SIGNATURE_BYTES], rest[signing.SIGNATURE_BYTES :]
    if not signing.verify(public_key, signed, signature):
        raise SignatureError("the maker did not sign this image", code="signature")
    manifest = _read(signed[_HEAD.size :])
    if manifest.size != payload_bytes:
        raise SignatureError(f"a payload of {payload_bytes} bytes, {manifest.size} stated", code="malformed")
    if model not in (None, manifest.model):
        raise SignatureError(f"an image for {manifest.model}", code="other_model")
    if hashlib.sha256(payload).hexdigest() != manifest.sha256:
        raise SignatureError("the payload is not the one that was signed", code="hash")
    return Image(manifest, payload)


def parse_version(version: str) -> tuple[int, int, int]:
    """Return "1.2.0" as (1, 2, 0), for comparing; raises ProtocolError "version" unless three numbers 0 to 255."""
    if not VERSION.admits(version):
        raise ProtocolError(
            f"no version: {version!r}", hint='three dotted numbers 0 to 255, like "1.2.0"', code="version"
        )
    major, minor, patch = (int(part) for part in version.split("."))
    return major, minor, patch


def version_digits(version: str) -> str:
    """Return "1.2.0" as "01020000", the 8 hex digits of field 59 A2 sub-tag 05 (CUP 2.9); raises as parse_version."""
    return "{:02X}{:02X}{:02X}00".format(*parse_version(version))


@lru_cache(256)
def version_from_digits(digits: str) -> str:
    """Return "01020000" as "1.2.0"; raises DecodeError "version" on anything ``version_digits`` does not write."""
    if not re.fullmatch(r"[0-9A-F]{6}00", digits):
        raise DecodeError("no application version", field=_VERSION_FIELD, code="version")
    return ".".join(str(part) for part in bytes.fromhex(digits)[:3])


def _lengths(image: bytes) -> tuple[int, int]:
    """Return (bytes under the signature, bytes of payload) of an image that is as long as it says."""
    if len(image) < _HEAD.size:
        raise SignatureError(f"an image of {len(image)} bytes", code="malformed")
    magic, manifest_bytes, payload_bytes = _HEAD.unpack_from(image)
    if magic != _MAGIC or manifest_bytes > MANIFEST_BYTES_MAX or payload_bytes > PAYLOAD_BYTES_MAX:
        raise SignatureError("not a firmware image", code="malformed")
    signed_bytes = _HEAD.size + manifest_bytes
    stated = signed_bytes + signing.SIGNATURE_BYTES + payload_bytes
    if len(image) != stated:
        raise SignatureError(f"an image of {len(image)} bytes, {stated} stated", code="malformed")
    return signed_bytes, payload_bytes


def _read(stated: bytes) -> Manifest:
    try:
        return Manifest(**read_document(stated, _FORM))
    except DecodeError as error:
        raise SignatureError(f"no manifest: {error.message}", code="malformed") from None
