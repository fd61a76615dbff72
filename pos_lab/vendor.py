"""The laboratory's firmware maker: builds and signs the images that emulated devices run.

Its key is derived from a public phrase: it protects nothing, and no real device trusts it.
"""

from __future__ import annotations

import hashlib
from typing import Final

from firmware_sim.models import Model
from protocol.crypto.signing import public_key
from protocol.image import build_image, parse_version

_PRIVATE_KEY: Final = hashlib.sha256(b"pos-lab firmware maker").digest()
VENDOR_PUBLIC_KEY: Final = public_key(_PRIVATE_KEY)
IMAGE_BYTES: Final = 6_000


def make_image(model: Model, version: str) -> bytes:
    """A signed image of some thousand bytes; its security counter follows the major version. Raises EncodeError."""
    seed = f"{model.id} {version}".encode()
    payload = b"".join(hashlib.sha256(seed + bytes([n])).digest() for n in range(IMAGE_BYTES // 32))
    counter = parse_version(version)[0]
    return build_image(
        model=model.id, version=version, security_counter=counter, payload=payload, private_key=_PRIVATE_KEY
    )
