"""Why TLS failed, by name: what OpenSSL says of a handshake becomes one code, one sentence and one hint.

Rules owned here: TABLES FAULTS, VERIFY and ALERTS. OpenSSL's own words are told only where nothing is known better.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from protocol.errors import TlsFailed


class Fault(NamedTuple):
    """A row of FAULTS: what is wrong, and what to do about it."""

    what: str
    hint: str


FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        "peer_expired": Fault("the peer's certificate, or its CA's, has expired", "have a new one made"),
        "peer_not_yet_valid": Fault("the peer's certificate is not valid yet", "is a clock wrong?"),
        "peer_wrong_name": Fault(
            "the peer's certificate is for another name",
            "its alternative names count, CN does not: connect to one of them, or say ?name=",
        ),
        "peer_other_ca": Fault("the peer's certificate comes from a CA that we do not trust", "name its CA with ?ca="),
        "peer_self_signed": Fault("the peer's certificate is self-signed", "have a CA make it one, which ?ca= names"),
        "peer_revoked": Fault("the peer's certificate was revoked", "have its CA make a new one"),
        "peer_unfit": Fault("the peer's certificate is not made for this", "a host's is not a terminal's"),
        "no_crl": Fault("the revocation list does not fit the CA or has expired", "get the newest one of that CA"),
        "no_certificate": Fault("the terminal shows no certificate", "name its certificate with ?cert= and ?key="),
        "ours_refused": Fault("the peer refuses our certificate", "look into its log: another CA, expired, revoked?"),
        "ours_missing": Fault("the peer wants a certificate of ours", "name it with ?cert= and ?key="),
        "ours_unknown_ca": Fault("the peer does not trust our CA", "compare the ?ca= of both ends"),
        "ours_expired": Fault("our certificate has expired, the peer says", "have our CA make a new one"),
        "ours_revoked": Fault("our certificate was revoked, the peer says", "have our CA make a new one"),
        "too_old": Fault("the peer's TLS is too old, or ours for it", "TLS 1.2 is the least"),
        "not_tls": Fault("the peer does not speak TLS", "is the port meant for tcp://?"),
        "ended": Fault("the peer ended the connection in the handshake", "does it speak TLS? its log may say why"),
        "silent": Fault("the peer did not finish the handshake in time", "does it speak TLS at this port?"),
        "crowded": Fault("too many others are in the handshake", "is somebody flooding the port?"),
        "cut_off": Fault("the connection was cut: no farewell came", "nothing tells that all was received"),
        "tls": Fault("TLS failed", ""),
    }
)  # fmt: skip

# what X509_verify_cert says -> a row of FAULTS
VERIFY: Final[Mapping[int, str]] = MappingProxyType(
    {
        3: "no_crl",
        7: "peer_other_ca",
        9: "peer_not_yet_valid",
        10: "peer_expired",
        11: "no_crl",
        12: "no_crl",
        18: "peer_self_signed",
        19: "peer_other_ca",
        20: "peer_other_ca",
        21: "peer_other_ca",
        23: "peer_revoked",
        26: "peer_unfit",
        62: "peer_wrong_name",
        64: "peer_wrong_name",
    }
)

# the end of OpenSSL's name of an error -> a row of FAULTS
ALERTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ALERT_CERTIFICATE_REQUIRED": "ours_missing",
        "ALERT_CERTIFICATE_EXPIRED": "ours_expired",
        "ALERT_CERTIFICATE_REVOKED": "ours_revoked",
        "ALERT_UNKNOWN_CA": "ours_unknown_ca",
        "ALERT_BAD_CERTIFICATE": "ours_refused",
        "ALERT_CERTIFICATE_UNKNOWN": "ours_refused",
        "ALERT_UNSUPPORTED_CERTIFICATE": "ours_refused",
        "ALERT_ACCESS_DENIED": "ours_refused",
        "ALERT_PROTOCOL_VERSION": "too_old",
        "UNSUPPORTED_PROTOCOL": "too_old",
        "NO_PROTOCOLS_AVAILABLE": "too_old",
        "WRONG_VERSION_NUMBER": "too_old",
        "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no_certificate",
    }
)


def code_of(error: ssl.SSLError) -> str:
    """The row of FAULTS for what OpenSSL says."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return VERIFY.get(error.verify_code, "peer_unfit")
    reason = error.reason or ""
    return next((code for end, code in ALERTS.items() if reason.endswith(end)), "tls")


def failed(code: str, *, url: str = "", about: str = "", detail: str = "") -> TlsFailed:
    """The error of a row of FAULTS; ``about`` names the peer or the endpoint, ``detail`` what was seen of it."""
    what, hint = FAULTS[code]
    said = f"{about}: {what}" if about else what
    return TlsFailed(f"{said}: {detail}" if detail else said, url=url, hint=hint, code=code)


def failure_of(error: ssl.SSLError, *, url: str = "", about: str = "") -> TlsFailed:
    """The error of what OpenSSL says, in its own words only where no row fits."""
    code = code_of(error)
    unnamed = code in ("tls", "peer_unfit")
    said = getattr(error, "verify_message", "") or (error.reason or "").replace("_", " ").lower()
    return failed(code, url=url, about=about, detail=said if unnamed else "")
