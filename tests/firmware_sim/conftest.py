"""A device on the bench: deterministic chance, a fixed clock, and a vendor who signs images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol

import pytest

from firmware_sim.board import Hardware
from firmware_sim.models import MODELS
from firmware_sim.power import Power
from protocol.crypto import signing
from protocol.image import build_image

VENDOR_KEY = hashlib.sha256(b"vendor").digest()


class MakeImage(Protocol):
    def __call__(
        self, version: str, *, security_counter: int = 1, model: str = "PX-E90", payload: bytes = b"program"
    ) -> bytes: ...


@pytest.fixture
def fresh() -> Callable[[int], bytes]:
    numbers = count()
    return lambda length: hashlib.shake_256(str(next(numbers)).encode()).digest(length)


@pytest.fixture
def power() -> Power:
    power = Power()
    power.switch_on()
    return power


@pytest.fixture
def make_image() -> MakeImage:
    def make(version: str, *, security_counter: int = 1, model: str = "PX-E90", payload: bytes = b"program") -> bytes:
        return build_image(
            model=model,
            version=version,
            security_counter=security_counter,
            payload=payload,
            private_key=VENDOR_KEY,
        )

    return make


@pytest.fixture
def make_hardware(fresh: Callable[[int], bytes], make_image: MakeImage) -> Callable[..., Hardware]:
    def make(**more: Any) -> Hardware:
        bench: dict[str, Any] = {
            "model": MODELS["PX-E90"],
            "serial_number": "PXE9000000001",
            "factory_image": make_image("2.1.0"),
            "vendor_public_key": signing.public_key(VENDOR_KEY),
            "url": "memory:host",
            "now": lambda: datetime(2026, 3, 1, 1, 0, tzinfo=UTC),
            "fresh": fresh,
        }
        return Hardware.make(**(bench | more))

    return make


@pytest.fixture
def hardware(make_hardware: Callable[..., Hardware]) -> Hardware:
    return make_hardware()
