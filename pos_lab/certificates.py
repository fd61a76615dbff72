"""Certificates of a laboratory: a CA, a host's, a terminal's, and bad ones by which to see that they are refused.

Rules owned here: TABLE BAD, what a bad certificate has wrong, and nothing else. Keys are P-256 from the randomness that
is passed in; the key of a CA is kept nowhere, so nobody can make another certificate of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Fresh = Callable[[int], bytes]
EARLIER: Final = timedelta(hours=1)
"""Clocks may differ by so much."""
_CN_MAX: Final = 64
_LABEL_MAX: Final = 63
_LONG_AGO: Final = timedelta(days=400)
_SECRET_BYTES: Final = 40
_CURVE: Final = ec.SECP256R1()
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_HOST: Final = ExtendedKeyUsageOID.SERVER_AUTH
_TERMINAL: Final = ExtendedKeyUsageOID.CLIENT_AUTH
_MAIL: Final = ExtendedKeyUsageOID.EMAIL_PROTECTION


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A certificate to make. ``subject`` are attributes in order, ``names`` its alternative names."""

    subject: tuple[tuple[x509.ObjectIdentifier, str], ...]
    names: tuple[str, ...]
    since: datetime
    until: datetime
    uses: tuple[x509.ObjectIdentifier, ...] = (_HOST, _TERMINAL)
    is_foreign: bool = False
    is_self_signed: bool = False


@dataclass(frozen=True, slots=True)
class Bad:
    """A row of BAD: what is wrong, and the certificate with that."""

    what: str
    spoil: Callable[[_Wanted], _Wanted] = field(repr=False)


BAD: Final[Mapping[str, Bad]] = MappingProxyType(
    {
        "expired": Bad(
            "its time is over",
            lambda good: replace(good, since=good.since - _LONG_AGO, until=good.since - timedelta(days=1)),
        ),
        "not_yet_valid": Bad(
            "its time has not begun", lambda good: replace(good, since=good.until, until=good.until + _LONG_AGO)
        ),
        "wrong_name": Bad("it is another host's", lambda good: replace(good, names=("another.invalid",))),
        "name_in_cn": Bad(
            "its CN is the right name, and no alternative name is",
            lambda good: replace(good, subject=((NameOID.COMMON_NAME, good.names[0]),), names=()),
        ),
        "name_in_ou": Bad(
            "its OU holds the text CN= with the right name",
            lambda good: replace(
                good,
                subject=(
                    (NameOID.ORGANIZATIONAL_UNIT_NAME, f"x, CN={good.names[0]}"),
                    (NameOID.COMMON_NAME, "another.invalid"),
                ),
                names=(),
            ),
        ),
        "other_ca": Bad("a CA of the same name made it", lambda good: replace(good, is_foreign=True)),
        "self_signed": Bad("it signs itself", lambda good: replace(good, is_self_signed=True)),
        "wrong_use": Bad("it is for e-mail only", lambda good: replace(good, uses=(_MAIL,))),
        "revoked": Bad("crl.pem revokes it", lambda good: good),
    }
)  # fmt: skip


class _Ca:
    """A CA, for as long as its certificates are made."""

    def __init__(self, fresh: Fresh, since: datetime, until: datetime) -> None:
        self._fresh = fresh
        self._key = _new_key(fresh)
        self._name = _name(((NameOID.ORGANIZATION_NAME, "POS laboratory"), (NameOID.COMMON_NAME, "lab CA")))
        self.certificate = self._sign(
            _builder(self._name, self._name, self._key, fresh, since, until)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(is_ca=True), critical=True)
        )

    def issue(self, wanted: _Wanted) -> tuple[x509.Certificate, bytes]:
        """A certificate, and its key as PEM."""
        key = _new_key(self._fresh)
        subject = _name(wanted.subject)
        signer, issuer = (key, subject) if wanted.is_self_signed else (self._key, self._name)
        builder = (
            _builder(subject, issuer, key, self._fresh, wanted.since, wanted.until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(is_ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(wanted.uses), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )
        if wanted.names:
            alternatives = x509.SubjectAlternativeName([general_name(name) for name in wanted.names])
            builder = builder.add_extension(alternatives, critical=False)
        certificate = builder.sign(signer, hashes.SHA256(), ecdsa_deterministic=True)
        return certificate, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def revoke(self, serial_number: int, since: datetime, until: datetime) -> bytes:
        """The list of what was revoked, as PEM."""
        revoked = x509.RevokedCertificateBuilder().serial_number(serial_number).revocation_date(since).build()
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name).last_update(since).next_update(until)
        builder = builder.add_revoked_certificate(revoked)
        return builder.sign(self._key, hashes.SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.PEM)

    def _sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.sign(self._key, hashes.SHA256(), ecdsa_deterministic=True)


def make_certificates(
    names: Sequence[str], *, now: datetime, days: int, fresh: Fresh, bad: bool = False
) -> dict[str, bytes]:
    """File name to content, PEM: the CA, host and terminal with their keys, and with ``bad`` a row of BAD each.

    ``names`` are the host's, DNS names or addresses; a bad certificate that claims a name claims the first. ValueError
    names one that is neither, or that a bad certificate cannot claim.
    """
    if bad and len(names[0]) > _CN_MAX:
        raise ValueError(f"{names[0]!r} is too long for a CN, which --bad makes: {_CN_MAX} characters")
    since, until = now - EARLIER, now + timedelta(days=days)
    ca = _Ca(fresh, since - _LONG_AGO, until + _LONG_AGO)
    host = _Wanted(((NameOID.COMMON_NAME, "lab host"),), tuple(names), since, until, uses=(_HOST,))
    terminal = _Wanted(((NameOID.COMMON_NAME, "lab terminal"),), (), since, until, uses=(_TERMINAL,))
    files = {"ca.pem": _pem(ca.certificate)}
    for name, wanted in (("host", host), ("terminal", terminal)):
        certificate, files[f"{name}.key"] = ca.issue(wanted)
        files[f"{name}.pem"] = _pem(certificate)
    if not bad:
        return files
    foreign = _Ca(fresh, since - _LONG_AGO, until + _LONG_AGO)
    good = replace(host, uses=(_HOST, _TERMINAL))
    for name, row in BAD.items():
        wanted = row.spoil(good)
        certificate, files[f"bad-{name}.key"] = (foreign if wanted.is_foreign else ca).issue(wanted)
        files[f"bad-{name}.pem"] = _pem(certificate)
        if name == "revoked":
            files["crl.pem"] = ca.revoke(certificate.serial_number, since, until)
    return files


def general_name(name: str) -> x509.GeneralName:
    """An alternative name: an address where it is one. ValueError where it can be neither."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        labels = name.removeprefix("*.").split(".")
        if not all(
            label.isascii() and label.replace("-", "").isalnum() and len(label) <= _LABEL_MAX for label in labels
        ):
            raise ValueError(f"{name!r} is neither a DNS name nor an address") from None
        return x509.DNSName(name)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    fresh: Fresh,
    since: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(fresh(15), "big") + 1)
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


def _name(attributes: tuple[tuple[x509.ObjectIdentifier, str], ...]) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in attributes])


def _new_key(fresh: Fresh) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(fresh(_SECRET_BYTES), "big") % (_ORDER - 1) + 1, _CURVE)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
