"""What a side of a TLS connection shows and whom it believes, from the files that its URL names.

Rules owned here: TLS 1.2 is the least; the name of a host is checked by the ssl module, against alternative names only;
no ticket is given, so there is no early data that could be played again; a file that does not serve is named with
the option that names it, none is passed over (TABLE PARTNERS), and no password is asked for at a keyboard.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from protocol.errors import EndpointWrong
from protocol.transport.endpoint import Endpoint

_PASSWORD_BYTES_MAX: Final = 1024
PARTNERS: Final[Mapping[str, str]] = MappingProxyType({"crl": "ca", "key": "cert", "password_file": "cert"})
"""Option -> the one without which nobody would look at it."""


def client_context(endpoint: Endpoint) -> ssl.SSLContext:
    """Trust for who connects: the host must prove its name. EndpointWrong names the option and the file at fault."""
    if endpoint.options["client_certificate"]:
        raise _wrong(endpoint, "client_certificate is for who listens", "a terminal shows one with ?cert= and ?key=")
    context = _context(ssl.PROTOCOL_TLS_CLIENT, endpoint)
    context.hostname_checks_common_name = False
    if endpoint.options["cert"]:
        _show(context, endpoint)
    if endpoint.options["ca"]:
        _believe(context, endpoint)
    else:
        context.load_default_certs()
    return context


def server_context(endpoint: Endpoint) -> ssl.SSLContext:
    """Trust for who listens: terminals show certificates where ``client_certificate=yes``. Errors as the other."""
    wants = bool(endpoint.options["client_certificate"])
    if not endpoint.options["cert"]:
        raise _wrong(endpoint, "who listens needs a certificate", "name it with ?cert= and ?key=")
    if endpoint.options["name"]:
        raise _wrong(endpoint, "name is for who connects", "a host's names stand in its certificate")
    if wants != bool(endpoint.options["ca"]):
        raise _wrong(endpoint, "client_certificate=yes and ca go together", "ca is whose certificates terminals show")
    context = _context(ssl.PROTOCOL_TLS_SERVER, endpoint)
    context.options |= ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0
    _show(context, endpoint)
    if wants:
        context.verify_mode = ssl.CERT_REQUIRED
        _believe(context, endpoint)
    return context


def _context(role: int, endpoint: Endpoint) -> ssl.SSLContext:
    for option, partner in PARTNERS.items():
        if endpoint.options[option] and not endpoint.options[partner]:
            raise _wrong(endpoint, f"{option} has no use without {partner}", f"name both, with ?{partner}=")
    context = ssl.SSLContext(role)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def _show(context: ssl.SSLContext, endpoint: Endpoint) -> None:
    cert = _readable(endpoint, "cert")
    key = _readable(endpoint, "key") if endpoint.options["key"] else cert
    option = "key" if endpoint.options["key"] else "cert"
    password = _password(endpoint)
    asked = False

    def tell() -> bytes:
        nonlocal asked
        asked = True
        return password

    try:
        context.load_cert_chain(cert, key, tell)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", "") or ""
        if reason == "KEY_VALUES_MISMATCH":
            raise _wrong(
                endpoint, f"{option} {key} does not fit cert {cert}", "take the key it was made with"
            ) from error
        if asked and not password:
            raise _wrong(endpoint, f"{option} {key} has a password", "give a file with it as password_file") from error
        if asked:
            named = endpoint.options["password_file"]
            raise _wrong(endpoint, f"{option} {key} has another password than password_file {named}") from error
        if reason in _TOO_WEAK:
            raise _wrong(endpoint, f"cert {cert} is too weak", "RSA of 2048 bits or P-256 at least, SHA-256") from error
        hint = "PEM: -----BEGIN CERTIFICATE-----, and -----BEGIN PRIVATE KEY-----"
        raise _wrong(endpoint, f"cert {cert} with {option} {key} cannot be read", hint) from error


_TOO_WEAK: Final = frozenset({"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"})


def _believe(context: ssl.SSLContext, endpoint: Endpoint) -> None:
    _load(context, endpoint, "ca", "CERTIFICATE")
    if endpoint.options["crl"]:
        _load(context, endpoint, "crl", "X509 CRL")
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF


def _load(context: ssl.SSLContext, endpoint: Endpoint, option: str, kind: str) -> None:
    file = _readable(endpoint, option)
    known = context.cert_store_stats()
    try:
        context.load_verify_locations(file)
    except ssl.SSLError as error:
        raise _wrong(endpoint, f"{option} {file} cannot be read", f"PEM: -----BEGIN {kind}-----") from error
    added = "crl" if option == "crl" else "x509"
    if context.cert_store_stats()[added] == known[added]:
        raise _wrong(endpoint, f"{option} {file} holds none", f"PEM: -----BEGIN {kind}-----")


def _password(endpoint: Endpoint) -> bytes:
    if not endpoint.options["password_file"]:
        return b""
    with _readable(endpoint, "password_file").open("rb") as file:
        password = file.readline(_PASSWORD_BYTES_MAX).rstrip(b"\r\n")
    if not password:
        raise _wrong(endpoint, f"password_file {endpoint.options['password_file']} is empty", "its first line counts")
    return password


def _readable(endpoint: Endpoint, option: str) -> Path:
    """The file that an option names; EndpointWrong where it cannot be read."""
    file = Path(str(endpoint.options[option]))
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        raise _wrong(endpoint, f"{option} {file} cannot be read", error.strerror or "") from error
    except ValueError as error:  # a NUL in the name
        raise _wrong(endpoint, f"{option} {str(file)!r} names no file") from error
    return file


def _wrong(endpoint: Endpoint, what: str, hint: str = "") -> EndpointWrong:
    return EndpointWrong(f"{endpoint.url!r}: {what}", url=endpoint.url, hint=hint)
