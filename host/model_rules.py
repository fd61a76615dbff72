"""What a model and its program must be to sell: the tests behind the gates from "model" to "protocol version".

Rules owned here: a model that is not described (security level 0, no capabilities) meets no demand, but nothing is held
against it where nothing is demanded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from host.case import Case
from host.records import DeviceModel
from host.refusals import Refused
from host.rollout import is_below, is_blocked, needed
from protocol.fields import F
from protocol.header import Header
from protocol.image import parse_version

ENTRIES: Final[Mapping[str, str]] = MappingProxyType(
    {"02": "magnetic", "90": "magnetic", "05": "chip", "95": "chip", "07": "contactless", "91": "contactless"}
)
"""Digits 1 and 2 of field 22 -> what a device must have to say so (CUP 2.1)."""
CAPABILITIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "magnetic": "磁条读卡",
        "chip": "芯片读卡",
        "contactless": "非接读卡",
        "printer": "打印机",
        "signature_pad": "签名板",
        "sm4": "国密SM4",
        "update_in_place": "在线更新",
    }
)


def catalogue(case: Case) -> Refused | None:
    """Product G1 and G13: known, and not past its date."""
    model = case.snapshot.model
    if model is None:
        return Refused("model.unknown")
    over = model.retired_at is not None and case.at >= model.retired_at
    return Refused("model.retired", {"model": model.model}) if over else None


def certificate(case: Case) -> Refused | None:
    """Product R14."""
    model = case.snapshot.model
    if model is None or model.certificate_until is None or case.at < model.certificate_until:
        return None
    return Refused("model.certificate", {"model": model.model, "certificate": model.certificate or "-"})


def security_level(case: Case) -> Refused | None:
    """Product G2."""
    return _level(case, case.policy.models.security_level)


def capability(case: Case) -> Refused | None:
    """Product G3: what every model must have, and what this one must have for the card to have been read so."""
    model = case.snapshot.model
    lacking = _lacking(model, case.policy.models.capabilities)
    if model and model.capabilities:
        how = ENTRIES.get(case.request.message.text(F.ENTRY_MODE)[:2], "")
        if how and how not in model.capabilities.split():
            lacking.append(how)
    return _lacks(case, lacking) if lacking else None


def family(case: Case) -> Refused | None:
    """Product G10."""
    model = case.snapshot.model
    refused = model is not None and model.family in case.policy.models.families_refused
    return Refused("model.family", {"family": model.family}) if refused and model else None


def region(case: Case) -> Refused | None:
    """Product G9: what the merchant's region demands from a day on."""
    merchant = case.snapshot.merchant
    for mandate in case.policy.mandates:
        if merchant and merchant.region and merchant.region.startswith(mandate.region) and case.at >= mandate.since_at:
            wrong = _level(case, mandate.security_level)
            wrong = wrong or _lacks(case, _lacking(case.snapshot.model, mandate.capabilities))
            if wrong:
                return Refused("model.region", {"region": mandate.region, **wrong.words})
    return None


def firmware(case: Case) -> Refused | None:
    """Product G5 and G8."""
    model, running = case.snapshot.model, case.firmware
    if model is None:
        return None
    if is_blocked(model, running):
        return Refused("firmware.blocked", {"version": running})
    required = needed(model, case.snapshot.progress, case.policy.firmware, case.at)
    words = {"version": running or "unknown", "required": required}
    return Refused("firmware.too_old", words) if is_below(running, required) else None


def compatibility(case: Case) -> Refused | None:
    """Product G6: firmware and protocol version must stand in one row of the matrix, where the model has rows."""
    running, spoken = case.firmware, protocol_of(case)
    rows = [row for row in case.policy.compatibility if row.model == case.terminal.model]
    for row in rows:
        within = bool(running) and (
            parse_version(row.firmware_from) <= parse_version(running) <= parse_version(row.firmware_to)
        )
        if within and (not row.protocols or spoken in row.protocols):
            return None
    words = {"version": running or "unknown", "protocol": spoken}
    return Refused("firmware.incompatible", words) if rows else None


def protocol_version(case: Case) -> Refused | None:
    """Product G4."""
    spoken, oldest = protocol_of(case), case.policy.firmware.protocol_min
    return Refused("protocol.too_old", {"version": spoken, "required": oldest}) if spoken < oldest else None


def protocol_of(case: Case) -> str:
    """Digits 3 and 4 of the request's header (CUP 1.8)."""
    return (case.request.message.header or Header()).version


def _level(case: Case, level: int) -> Refused | None:
    model = case.snapshot.model
    if not level or (model and model.security_level >= level):
        return None
    own = model.security_level if model else 0
    what = {"what": f"security level {own}, {level} is needed", "what_zh": f"安全等级{own}，需{level}"}
    return Refused("model.security_level", what)


def _lacking(model: DeviceModel | None, demanded: Collection[str]) -> list[str]:
    has = model.capabilities.split() if model and demanded else []
    return [name for name in demanded if name not in has]


def _lacks(case: Case, names: list[str]) -> Refused | None:
    if not names:
        return None
    what = {"what": "it lacks " + ", ".join(names), "what_zh": "缺少" + "、".join(CAPABILITIES[name] for name in names)}
    return Refused("model.incapable", {"model": case.terminal.model, **what})
