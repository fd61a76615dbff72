"""The catalogue of device models.

Rules owned here: TABLE MODELS. The brands exist, the model ids are invented (product decision 13).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from firmware_sim.errors import UnknownName


class Family(Enum):
    """What kind of device it is (product G10)."""

    TRADITIONAL = "traditional"
    MPOS = "mpos"
    E_SIGN = "e_sign"
    SMART = "smart"


@dataclass(frozen=True, slots=True)
class Model:
    """One row of the catalogue; ``nvram_kib`` is the size of one journal bank in KiB."""

    id: str
    brand: str
    family: Family
    factory_firmware: str
    nvram_kib: int
    printer: bool = False
    contactless: bool = True
    sm4: bool = False
    update_in_place: bool = True


MODELS: Mapping[str, Model] = {
    model.id: model
    for model in (
        Model("PX-E90", "百富", Family.E_SIGN, "2.1.0", 256, sm4=True),
        Model("PX-S80", "百富", Family.TRADITIONAL, "3.0.2", 512, printer=True, contactless=False),
        Model("PX-A920", "百富", Family.SMART, "5.2.0", 512, printer=True, sm4=True),
        Model("NX-E21", "新大陆", Family.E_SIGN, "1.4.0", 256, sm4=True),
        Model("NX-G10", "新大陆", Family.TRADITIONAL, "2.0.5", 256, printer=True, update_in_place=False),
        Model("NX-N910", "新大陆", Family.SMART, "4.1.0", 512, printer=True, sm4=True),
        Model("LK-E12", "拉卡拉", Family.E_SIGN, "1.2.3", 256),
        Model("LK-M01", "拉卡拉", Family.MPOS, "1.0.1", 64, contactless=False, update_in_place=False),
        Model("YS-E60", "银联商务", Family.E_SIGN, "2.3.0", 256, sm4=True),
        Model("YS-Q7", "银联商务", Family.SMART, "6.0.0", 512, printer=True, sm4=True),
        Model("SF-E30", "盛付通", Family.E_SIGN, "1.1.0", 256),
        Model("RY-M20", "瑞银信", Family.MPOS, "1.3.0", 64),
    )
}


def find_model(model: str) -> Model:
    """The row of a model; raises UnknownName with the nearest one."""
    if model not in MODELS:
        raise UnknownName("model", model, MODELS)
    return MODELS[model]
