"""The catalogue of models."""

from __future__ import annotations

import re

from firmware_sim.models import MODELS, Family
from protocol.image import parse_version


def test_the_catalogue_is_sound() -> None:
    """A scenario could not buy the device that it names."""
    assert {model.brand for model in MODELS.values()} == {"拉卡拉", "银联商务", "新大陆", "百富", "盛付通", "瑞银信"}
    assert {model.family for model in MODELS.values()} == set(Family)
    for name, model in MODELS.items():
        assert name == model.id
        assert re.fullmatch(r"[A-Z]{2}-[A-Z][0-9]{1,3}", name)
        assert parse_version(model.factory_firmware) > (0, 0, 0)
        assert model.nvram_kib >= 64
    assert (MODELS["PX-E90"].family, MODELS["PX-E90"].factory_firmware) == (Family.E_SIGN, "2.1.0")
    assert (MODELS["NX-E21"].family, MODELS["NX-E21"].factory_firmware) == (Family.E_SIGN, "1.4.0")
