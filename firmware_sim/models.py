"""The catalogue of device models.

Rules owned here: TABLE MODELS, whose rows stand in ``models.csv``. The brands exist, the models are invented (product
decision 13). A row is what the hardware can do, and every part of a board is bound by it; what the firmware of a device
can do besides is its profile's (``firmware_sim.profiles``).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from firmware_sim.errors import UnknownName

CATALOGUE: Final = Path(__file__).with_name("models.csv")
_YES_NO: Final = {"yes": True, "no": False}


class Family(Enum):
    """What kind of device it is (product G10)."""

    TRADITIONAL = "traditional"
    MPOS = "mpos"
    E_SIGN = "e_sign"
    SMART = "smart"


@dataclass(frozen=True, slots=True)
class Model:
    """One row of the catalogue.

    ``algorithms`` are names of ``protocol.crypto.cipher.CIPHERS`` or "des", single-length keys; ``links`` are "tcp",
    "tls", "serial" and "bluetooth", which a host sees as a serial line. ``slot_kib`` is the size of one firmware slot
    and ``nvram_kib`` of one journal bank, in KiB; ``journal_format`` is the newest that the memory is laid out for,
    ``loader`` the version of the boot loader, ``protocol_version`` digits 3 and 4 of the header (CUP 1.8). The display
    has ``lines`` of ``columns`` half-width characters. ``factory_profile`` names how the factory firmware behaves.
    """

    id: str
    brand: str
    family: Family
    factory_firmware: str
    factory_profile: str
    security_level: int
    certificate: str
    certificate_expires: date
    algorithms: frozenset[str]
    protocol_version: str
    loader: int
    slot_kib: int
    nvram_kib: int
    journal_format: int
    update_in_place: bool
    printer: bool
    signature_pad: bool
    magnetic: bool
    chip: bool
    contactless: bool
    battery: bool
    columns: int
    lines: int
    links: frozenset[str]

    @property
    def sm4(self) -> bool:
        """Whether it can encrypt by SM4."""
        return "sm4" in self.algorithms

    def is_certified(self, on: date) -> bool:
        """Whether its certificate is still valid on this day, the day of its expiry included (product R14)."""
        return on <= self.certificate_expires


def _model(row: Mapping[str, str]) -> Model:
    return Model(
        id=row["model"],
        brand=row["brand"],
        family=Family(row["family"]),
        factory_firmware=row["factory_firmware"],
        factory_profile=row["factory_profile"],
        security_level=int(row["security_level"]),
        certificate=row["certificate"],
        certificate_expires=date.fromisoformat(row["certificate_expires"]),
        algorithms=frozenset(row["algorithms"].split()),
        protocol_version=row["protocol_version"],
        loader=int(row["loader"]),
        slot_kib=int(row["slot_kib"]),
        nvram_kib=int(row["nvram_kib"]),
        journal_format=int(row["journal_format"]),
        update_in_place=_YES_NO[row["update_in_place"]],
        printer=_YES_NO[row["printer"]],
        signature_pad=_YES_NO[row["signature_pad"]],
        magnetic=_YES_NO[row["magnetic"]],
        chip=_YES_NO[row["chip"]],
        contactless=_YES_NO[row["contactless"]],
        battery=_YES_NO[row["battery"]],
        columns=int(row["columns"]),
        lines=int(row["lines"]),
        links=frozenset(row["links"].split()),
    )


def _catalogue() -> dict[str, Model]:
    with CATALOGUE.open(encoding="utf-8", newline="") as file:
        return {row["model"]: _model(row) for row in csv.DictReader(file)}


MODELS: Final[Mapping[str, Model]] = MappingProxyType(_catalogue())


def find_model(model: str) -> Model:
    """The row of a model; raises UnknownName with the nearest one."""
    if model not in MODELS:
        raise UnknownName("model", model, MODELS)
    return MODELS[model]
