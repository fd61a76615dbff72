"""The firmware maker of the laboratory."""

from __future__ import annotations

import pytest

from firmware_sim.errors import UnknownName
from firmware_sim.models import MODELS
from pos_lab.vendor import CURRENT, VENDOR_PUBLIC_KEY, make_image
from protocol.errors import EncodeError, ProtocolError
from protocol.image import NEVER, Manifest, open_image


def stated(image: bytes, model: str) -> Manifest:
    return open_image(image, VENDOR_PUBLIC_KEY, model=model).manifest


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_factory_image_of_every_model_runs_on_it_and_behaves_as_the_catalogue_says(model: object) -> None:
    """A device of the catalogue could not be switched on."""
    from firmware_sim.admission import BOOT_RULES, Device, admit
    from firmware_sim.models import Model

    assert isinstance(model, Model)
    manifest = stated(make_image(model, model.factory_firmware), model.id)
    assert manifest.profile == model.factory_profile
    admit(manifest, Device(model, manifest.security_counter), BOOT_RULES)


def test_later_firmware_behaves_as_today() -> None:
    """An update would bring the old fault back."""
    model = next(model for model in MODELS.values() if model.factory_profile != CURRENT)
    manifest = stated(make_image(model, "9.8.7"), model.id)
    assert (manifest.profile, manifest.security_counter, manifest.expires_at) == (CURRENT, 9, NEVER)


def test_an_image_is_the_same_bytes_every_time() -> None:
    """A download that was interrupted could not go on after the host was started again."""
    assert make_image(MODELS["PX-E90"], "2.2.0") == make_image(MODELS["PX-E90"], "2.2.0")
    assert make_image(MODELS["PX-E90"], "2.2.0") != make_image(MODELS["PX-E90"], "2.2.1")


def test_what_cannot_be_made() -> None:
    """A mistake would be signed."""
    model = MODELS["PX-E90"]
    with pytest.raises(UnknownName):
        make_image(model, "2.2.0", profile="martian")
    with pytest.raises(ProtocolError):
        make_image(model, "2.2")
    with pytest.raises(EncodeError):
        make_image(model, "2.2.0", minimum_loader=0)
