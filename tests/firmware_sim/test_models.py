"""The catalogue of models, and the list of those to retire."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from firmware_sim.errors import UnknownName
from firmware_sim.models import CATALOGUE, MODELS, Family, Model, find_model
from firmware_sim.profiles import PROFILES
from protocol.image import parse_version

RETIREMENT_LIST = Path(__file__).parents[2] / "scenarios/retirement/models_to_retire.csv"
BRANDS = {"拉卡拉", "银联商务", "新大陆", "百富", "盛付通", "瑞银信"}
LINKS = {"tcp", "tls", "serial", "bluetooth"}

# reason -> what must be true of a model that is retired for it, on the day on which it stops
REASONS: dict[str, Callable[[Model, date], bool]] = {
    "certificate_expired": lambda model, stop: not model.is_certified(stop),
    "no_sm4": lambda model, stop: not model.sm4,
    "security_level": lambda model, stop: model.security_level < 3,
    "protocol_version": lambda model, stop: model.protocol_version < "30",
    "no_update_in_place": lambda model, stop: not model.update_in_place,
    "memory": lambda model, stop: model.nvram_kib < 128,
}


def retirement_list() -> list[dict[str, str]]:
    with RETIREMENT_LIST.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.feature("G11", "G10")
def test_the_catalogue_is_sound() -> None:
    """A scenario could not buy the device that it names."""
    assert {model.brand for model in MODELS.values()} == BRANDS
    assert {(model.brand, model.family) for model in MODELS.values()} == {
        (brand, family) for brand in BRANDS for family in Family
    }
    for name, model in MODELS.items():
        assert name == model.id
        assert re.fullmatch(r"[A-Z]{2}-[A-Z][0-9]{1,3}", name)
        assert parse_version(model.factory_firmware) > (0, 0, 0)
        assert model.factory_profile in PROFILES
        assert 1 <= model.security_level <= 5
        assert re.fullmatch(r"CT-20[0-9]{2}-[0-9]{4}", model.certificate)
        assert model.algorithms <= {"des", "3des", "sm4"}
        assert "3des" in model.algorithms
        assert re.fullmatch(r"[0-9]{2}", model.protocol_version)
        assert model.loader >= 1
        assert model.slot_kib >= 128
        assert model.nvram_kib >= 64
        assert model.journal_format in (1, 2)
        assert model.chip or model.magnetic
        assert model.columns >= 16
        assert model.lines >= 2
        assert model.links
        assert model.links <= LINKS
    assert len({model.certificate for model in MODELS.values()}) == len(MODELS)
    assert (MODELS["PX-E90"].family, MODELS["PX-E90"].factory_firmware) == (Family.E_SIGN, "2.1.0")
    assert (MODELS["NX-E21"].family, MODELS["NX-E21"].factory_firmware) == (Family.E_SIGN, "1.4.0")


def test_no_line_of_the_file_hides_another() -> None:
    """Two lines for one model, and nobody could say what the device can do."""
    lines = CATALOGUE.read_text(encoding="utf-8").splitlines()
    assert len(lines) - 1 == len(MODELS)


def test_families_have_what_makes_them_one() -> None:
    """A signature would be asked for at a device without a pad, or a slip printed where there is no printer."""
    for model in MODELS.values():
        assert model.signature_pad is (model.family in (Family.E_SIGN, Family.SMART)), model.id
        assert not (model.printer and model.family in (Family.E_SIGN, Family.MPOS)), model.id
        assert ("bluetooth" in model.links) is (model.family is Family.MPOS), model.id


@pytest.mark.parametrize("profile", PROFILES)
def test_there_is_a_model_whose_factory_firmware_behaves_so(profile: str) -> None:
    """A gate would have nothing to gate."""
    assert any(model.factory_profile == profile for model in MODELS.values())


@pytest.mark.feature("G1")
def test_the_retirement_list_is_196_models_of_the_catalogue_and_spares_the_others() -> None:
    """The plan that the operator rehearses would not be the one that is announced."""
    rows = retirement_list()
    names = {row["model"] for row in rows}
    assert (len(rows), len(names)) == (196, 196)
    assert names < MODELS.keys()
    for row in rows:
        model = MODELS[row["model"]]
        assert (row["brand"], row["family"]) == (model.brand, model.family.value)
    stays = [model for name, model in MODELS.items() if name not in names]
    assert {model.brand for model in stays} == BRANDS
    assert {model.family for model in stays} == set(Family)


def test_every_reason_of_the_list_is_true_of_its_model() -> None:
    """A merchant would be told that a good device is too old, and prove the acquirer wrong."""
    rows = retirement_list()
    assert {row["reason"] for row in rows} == REASONS.keys()
    for row in rows:
        stop = date.fromisoformat(row["stop_date"])
        assert date(2026, 12, 31) <= stop <= date(2027, 12, 31)
        assert REASONS[row["reason"]](MODELS[row["model"]], stop), row


def test_what_stays_is_worth_keeping() -> None:
    """A merchant would swap a device for one that retires next year."""
    retired = {row["model"] for row in retirement_list()}
    for name in MODELS.keys() - retired:
        model = MODELS[name]
        assert model.sm4, name
        assert model.is_certified(date(2027, 12, 31)), name
        assert model.factory_profile == "current", name


def test_a_certificate_is_valid_on_its_last_day() -> None:
    """A device would be refused on a day on which it may still sell."""
    model = MODELS["PX-E90"]
    assert model.is_certified(model.certificate_expires)
    assert not model.is_certified(model.certificate_expires + timedelta(days=1))


def test_a_model_that_there_is_not() -> None:
    """A typing error would end in a traceback, or in a page of model names."""
    assert find_model("PX-E90") is MODELS["PX-E90"]
    with pytest.raises(UnknownName, match="did you mean 'PX-E90'"):
        find_model("PX-E9O")
    with pytest.raises(UnknownName, match=f"and {len(MODELS) - 40} more"):
        find_model("?")
