"""The laboratory's firmware maker: builds and signs the images that emulated devices run.

Rules owned here: the factory firmware of a model behaves as the catalogue says, any other as firmware of today unless
told otherwise. The maker's key is derived from a public phrase: it protects nothing, and no real device trusts it.
"""

from __future__ import annotations

import hashlib
from typing import Final

from firmware_sim.errors import UnknownName
from firmware_sim.models import Model
from firmware_sim.profiles import PROFILES
from protocol.crypto.signing import public_key
from protocol.image import NEVER, build_image, parse_version

_PRIVATE_KEY: Final = hashlib.sha256(b"pos-lab firmware maker").digest()
VENDOR_PUBLIC_KEY: Final = public_key(_PRIVATE_KEY)
IMAGE_BYTES: Final = 6_000
CURRENT: Final = "current"


def make_image(
    model: Model,
    version: str,
    *,
    profile: str = "",
    security_counter: int | None = None,
    minimum_loader: int = 1,
    expires_at: int = NEVER,
    journal_format: int = 1,
    nvram_kib: int = 1,
    payload_bytes: int = IMAGE_BYTES,
) -> bytes:
    """A signed image; its security counter follows the major version unless given.

    Raises UnknownName for a profile that there is not, ProtocolError for a version that is none, EncodeError for
    another value that no image carries.
    """
    counter = parse_version(version)[0] if security_counter is None else security_counter
    profile = profile or (model.factory_profile if version == model.factory_firmware else CURRENT)
    if profile not in PROFILES:
        raise UnknownName("profile", profile, PROFILES)
    return build_image(
        model=model.id,
        version=version,
        security_counter=counter,
        payload=hashlib.shake_256(f"{model.id} {version}".encode()).digest(payload_bytes),
        private_key=_PRIVATE_KEY,
        minimum_loader=minimum_loader,
        expires_at=expires_at,
        journal_format=journal_format,
        nvram_kib=nvram_kib,
        profile=profile,
    )
