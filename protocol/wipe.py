"""The end of a device that was swapped: the host's order to wipe it, and the certificate that it did.

Rules owned here: an order is canonical JSON under the host's Ed25519 signature, bound to device, successor, swap and
backup, so that nobody else can wipe a device and no order serves twice; a certificate is canonical JSON under a proof
that only the device's own master key makes, and holds no secret.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from protocol.crypto import signing
from protocol.crypto.derived import PROOF_BYTES
from protocol.crypto.document import Form, Text, Whole, read_document, write_document
from protocol.errors import DecodeError, SignatureError
from protocol.image import SHA256
from protocol.swap import NUMBER_MAX

EPOCH_S_MAX: Final = 0xFFFFFFFF
_SERIAL: Final = Text(r"[0-9A-Za-z-]{1,20}")
_BOTH: Final[Form] = {
    "serial_number": _SERIAL,
    "successor": _SERIAL,
    "swap": Whole(1, NUMBER_MAX),
    "sha256": SHA256,
    "at": Whole(0, EPOCH_S_MAX),
}
_ORDER: Final[Form] = {**_BOTH, "order": Text("wipe")}
_CERTIFICATE: Final[Form] = {**_BOTH, "erased": Text(r"[ -~]{1,120}")}


@dataclass(frozen=True, slots=True)
class WipeOrder:
    """What the host orders: ``sha256`` is that of the backup which the device sent; ``at`` in epoch seconds."""

    serial_number: str
    successor: str
    swap: int
    sha256: str
    at: int


@dataclass(frozen=True, slots=True)
class WipeCertificate:
    """What the device states: what was ``erased``, when by its clock, and the backup by which its work goes on."""

    serial_number: str
    successor: str
    swap: int
    sha256: str
    at: int
    erased: str


def sign_order(order: WipeOrder, private_key: bytes) -> bytes:
    """Return the order as JSON, then the signature over it. Raises EncodeError, KeyLoadError."""
    signed = write_document({**asdict(order), "order": "wipe"}, _ORDER)
    return signed + signing.sign(private_key, signed)


def open_order(document: bytes, public_key: bytes) -> WipeOrder:
    """Return the order that the host signed. Raises SignatureError "signature" or "malformed"."""
    signed, signature = document[: -signing.SIGNATURE_BYTES], document[-signing.SIGNATURE_BYTES :]
    if len(public_key) != signing.KEY_BYTES or not signing.verify(public_key, signed, signature):
        raise SignatureError("the host did not sign this order", code="signature")
    try:
        stated = read_document(signed, _ORDER)
    except DecodeError as error:
        raise SignatureError(f"no order: {error.message}", code="malformed") from None
    return WipeOrder(**{name: stated[name] for name in _BOTH})


def make_certificate(certificate: WipeCertificate, prove: Callable[[bytes], bytes]) -> bytes:
    """Return the certificate as JSON, then the proof that ``prove`` makes of it. Raises EncodeError."""
    stated = write_document(asdict(certificate), _CERTIFICATE)
    return stated + prove(stated)


def open_certificate(document: bytes, is_proof: Callable[[bytes, bytes], bool]) -> WipeCertificate:
    """Return what a device certified; ``is_proof`` is given statement and proof. Raises SignatureError."""
    stated, proof = document[:-PROOF_BYTES], document[-PROOF_BYTES:]
    if not is_proof(stated, proof):
        raise SignatureError("the device did not make this certificate", code="signature")
    try:
        return WipeCertificate(**read_document(stated, _CERTIFICATE))
    except DecodeError as error:
        raise SignatureError(f"no certificate: {error.message}", code="malformed") from None
