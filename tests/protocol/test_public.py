"""The public names of the protocol."""

from __future__ import annotations

import protocol

NAMES = """
    FIELDS FRAMINGS KINDS REQUIREMENTS RESPONSES DecodeError EncodeError EndpointInUse Event Exchange F Frame FrameError
    Header Identity KeyLoadError Kind Len2Framer Message ProtocolError Response SignatureError StxFramer Tpdu
    TransportError Unsealed document identify mask_pan message_from_document pack response seal unpack unseal
"""


def test_the_public_names_are_these() -> None:
    """A name that a tester's script uses would vanish unnoticed."""
    assert sorted(protocol.__all__) == sorted(NAMES.split())
    assert all(hasattr(protocol, name) for name in protocol.__all__)
