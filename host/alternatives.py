"""What is offered in place of a model that retires (product T11)."""

from __future__ import annotations

from collections.abc import Iterable

from host.records import DeviceModel


def offered_instead(old: DeviceModel, models: Iterable[DeviceModel], at: int) -> list[DeviceModel]:
    """Models with a price that do not retire and can do all that the old one can: its family first, the cheapest first.

    The security level is not below the old one's, and the certificate is valid.
    """
    able = set(old.capabilities.split())
    fit = [
        model
        for model in models
        if model.price_fen
        and model.model != old.model
        and model.retired_at is None
        and able <= set(model.capabilities.split())
        and model.security_level >= old.security_level
        and (model.certificate_until is None or model.certificate_until > at)
    ]
    return sorted(fit, key=lambda model: (model.family != old.family, model.price_fen, model.model))
