"""A firmware version on its way: TABLE STAGES, offered, then required, then forced (product G5, G8).

Rules owned here: which version a terminal needs to sell at an instant. ``min_firmware`` is needed at once and without
mercy. A recommended version is commanded as soon as it is offered; from ``required_at`` on it is needed, but a terminal
whose update failed too often sells on and is left to the service; from ``forced_at`` on nobody does.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from host.policy import Firmware
from host.records import DeviceModel, Progress
from protocol.image import parse_version

RETRY_S: Final = 86_400


class Stage(StrEnum):
    """Where a version stands."""

    NONE = "none"
    OFFERED = "offered"
    REQUIRED = "required"
    FORCED = "forced"


STAGES: Final[Mapping[Stage, str]] = MappingProxyType(
    {
        Stage.NONE: "no version is recommended",
        Stage.OFFERED: "the update is commanded; what it runs now sells on",
        Stage.REQUIRED: "new business needs it, unless the update failed too often",
        Stage.FORCED: "new business needs it, whatever happened",
    }
)


def stage_of(model: DeviceModel, at: int) -> Stage:
    """The stage of a model's recommended version."""
    if not model.recommended_firmware:
        return Stage.NONE
    if model.forced_at is not None and at >= model.forced_at:
        return Stage.FORCED
    return Stage.REQUIRED if model.required_at is not None and at >= model.required_at else Stage.OFFERED


def is_below(running: str, version: str) -> bool:
    """Is what runs older than a version, or unknown? Nothing is older than no version."""
    return bool(version) and (not running or parse_version(running) < parse_version(version))


def is_blocked(model: DeviceModel, running: str) -> bool:
    """May nobody sell with this version?"""
    return running in model.blocked_firmware.split()


def gave_up(model: DeviceModel, progress: Progress | None, firmware: Firmware) -> bool:
    """Did the update to the recommended version fail so often that it is not commanded any more?"""
    failed = progress is not None and progress.version == model.recommended_firmware
    return failed and progress is not None and progress.failures >= firmware.failures_max


def needed(model: DeviceModel, progress: Progress | None, firmware: Firmware, at: int) -> str:
    """The version that new business needs, empty for any."""
    if not model.min_firmware and not model.recommended_firmware:
        return ""
    stage = stage_of(model, at)
    is_needed = stage is Stage.FORCED or (stage is Stage.REQUIRED and not gave_up(model, progress, firmware))
    versions = [model.min_firmware, model.recommended_firmware if is_needed else ""]
    return max(filter(None, versions), key=parse_version, default="")


def offered(model: DeviceModel, progress: Progress | None, firmware: Firmware, running: str, at: int) -> bool:
    """Is the recommended version to be commanded now? It is tried once in RETRY_S, until it failed too often."""
    if stage_of(model, at) is Stage.NONE or gave_up(model, progress, firmware):
        return False
    tried = progress is not None and progress.version == model.recommended_firmware and at < progress.at + RETRY_S
    return is_below(running, model.recommended_firmware) and not tried
