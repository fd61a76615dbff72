"""Whether a chip is what it says, found out without its issuer (EMV Book 2, 5 and 6; PBOC 3.0, fDDA).

Rules owned here: TABLE NEEDED, what each proof takes; the chain goes from the CA key that was downloaded over the
issuer to the card, and each link is good, not expired, not revoked and of this card. Why a chip is not believed is
told apart by code: "no_data", "ca_key_unknown", "ca_key_expired", "certificate_expired", "certificate_revoked",
"other_card", and "forged" for what nobody with that key has signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from firmware_sim.cards import Proof
from protocol.crypto.certificate import (
    CARD,
    ISSUER,
    Certificate,
    open_certificate,
    open_dynamic,
    open_static,
    static_data,
)
from protocol.crypto.rsa import PublicKey
from protocol.emv import RID_BYTES
from protocol.errors import SignatureError
from terminal.chip_rules import ChipRules

_CERTIFIED: Final = (0x8F, 0x90, 0x9F32)
_CARD: Final = (0x9F46, 0x9F47)
NEEDED: Final[Mapping[Proof, tuple[int, ...]]] = MappingProxyType(
    {Proof.STATIC: (*_CERTIFIED, 0x93), Proof.DYNAMIC: (*_CERTIFIED, *_CARD), Proof.COMBINED: (*_CERTIFIED, *_CARD)}
)
# the proof, the bit of the interchange profile (EMV Book 3, C1) and of the terminal's capabilities (Book 4, A2)
_KNOWN_BY_BOTH: Final = ((Proof.COMBINED, 0x01, 0x08), (Proof.DYNAMIC, 0x20, 0x40), (Proof.STATIC, 0x40, 0x80))
DEFAULT_DDOL: Final = bytes.fromhex("9F3704")
_ISSUER_REMAINDER, _CARD_REMAINDER = 0x92, 0x9F48
_STATIC_LIST: Final = b"\x82"
_OF_A_KEY: Final = frozenset({"length", "format", "hash"})


@dataclass(frozen=True, slots=True)
class Chip:
    """What is known of a chip: its ``objects`` by tag, its interchange ``profile``, application and number."""

    objects: Mapping[int, bytes]
    profile: bytes
    application: bytes
    pan: str

    @property
    def static(self) -> bytes:
        """What its issuer has signed. Raises SignatureError "no_data" for a list that the standard does not allow."""
        listed = self.objects.get(0x9F4A, b"")
        if listed not in (b"", _STATIC_LIST):
            raise SignatureError("a list of static data that may not be", code="no_data")
        return static_data(self.objects, self.profile if listed else b"")


def proof_for(profile: bytes, capabilities: bytes) -> Proof:
    """The best proof that chip and terminal both know."""
    return next(
        (proof for proof, chip, terminal in _KNOWN_BY_BOTH if profile[0] & chip and capabilities[2] & terminal),
        Proof.NONE,
    )


def authenticate(
    chip: Chip, proof: Proof, rules: ChipRules, now: datetime, signed: Callable[[], tuple[bytes, bytes]]
) -> PublicKey | None:
    """Check a STATIC or DYNAMIC proof, or what a COMBINED one will need: the card's key, None where it has none.

    ``signed`` gets tag 9F4B from the chip and tells what the terminal gave it. Raises SignatureError, and as
    ``signed`` does.
    """
    if any(tag not in chip.objects for tag in NEEDED[proof]):
        raise SignatureError("the chip does not carry what proves it", code="no_data")
    try:
        issuer = _issuer(chip, rules, now)
        if proof is Proof.STATIC:
            open_static(issuer.key, chip.objects[0x93], chip.static)
            return None
        key = _card(chip, issuer, now).key
        if proof is Proof.DYNAMIC:
            open_dynamic(key, *signed())
    except SignatureError as error:
        raise (forged(error) if error.code in _OF_A_KEY else error) from error
    return key


def forged(error: SignatureError) -> SignatureError:
    """What nobody has signed who has the key."""
    return SignatureError(error.message, code="forged")


def _issuer(chip: Chip, rules: ChipRules, now: datetime) -> Certificate:
    objects, rid = chip.objects, chip.application[:RID_BYTES]
    index = int.from_bytes(objects[0x8F], "big")
    ca = rules.ca_key(rid, index)
    if ca is None:
        raise SignatureError(f"nobody knows CA key {index:02X}", code="ca_key_unknown")
    if ca.expiry < f"{now:%Y%m%d}":
        raise SignatureError(f"CA key {index:02X} was good until {ca.expiry}", code="ca_key_expired")
    remainder = objects.get(_ISSUER_REMAINDER, b"")
    issuer = open_certificate(ca.key, ISSUER, objects[0x90], remainder=remainder, exponent=objects[0x9F32])
    if (rid + objects[0x8F] + issuer.serial).hex().upper() in rules.revoked:
        raise SignatureError("the issuer's certificate was revoked", code="certificate_revoked")
    return _checked(issuer, now, is_holders=chip.pan.startswith(issuer.holder))


def _card(chip: Chip, issuer: Certificate, now: datetime) -> Certificate:
    objects = chip.objects
    card = open_certificate(
        issuer.key,
        CARD,
        objects[0x9F46],
        remainder=objects.get(_CARD_REMAINDER, b""),
        exponent=objects[0x9F47],
        static=chip.static,
    )
    return _checked(card, now, is_holders=card.holder == chip.pan)


def _checked(certificate: Certificate, now: datetime, *, is_holders: bool) -> Certificate:
    if not is_holders:
        raise SignatureError("a certificate of another card", code="other_card")
    if certificate.expiry < f"{now:%y%m}":
        raise SignatureError(f"a certificate that was good until {certificate.expiry}", code="certificate_expired")
    return certificate
