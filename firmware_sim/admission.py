"""What an image must state to run on a device, and what besides to be installed on it.

Rules owned here: TABLE BOOT_RULES and TABLE STAGE_RULES, in order of precedence; the first broken rule is the reason.
A device that runs an image goes on running it after its expiry: expiry ends the offer, not the firmware. A clock that
was never set cannot tell that something is over, so without the time nothing has expired; version and security counter
bar old images all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from firmware_sim.errors import UpdateRefused
from firmware_sim.models import Model
from firmware_sim.profiles import PROFILES
from protocol.image import Manifest, parse_version

FORWARD_MAX: Final = 16
"""How far one update may raise the first number of the version, or the security counter: whoever could raise them
without end would lock out every update that follows."""


@dataclass(frozen=True, slots=True)
class Device:
    """What the rules look at: the stored security counter, the running version, epoch seconds or None if unknown."""

    model: Model
    security_counter: int
    version: str = ""
    now_s: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the tables; ``broken`` says by what a manifest breaks it, "" when it does not."""

    code: str
    broken: Callable[[Manifest, Device], str]


def _loader(manifest: Manifest, device: Device) -> str:
    needed, has = manifest.minimum_loader, device.model.loader
    return f"it needs boot loader {needed}, this device has {has}" if has < needed else ""


def _memory(manifest: Manifest, device: Device) -> str:
    needed, has = manifest.nvram_kib, device.model.nvram_kib
    return f"its journal needs {needed} KiB, this device has {has}" if has < needed else ""


def _journal_format(manifest: Manifest, device: Device) -> str:
    needed, has = manifest.journal_format, device.model.journal_format
    return f"its journal has format {needed}, this device takes {has} at most" if has < needed else ""


def _profile(manifest: Manifest, device: Device) -> str:
    return "" if manifest.profile in PROFILES else f"it has the profile {manifest.profile!r}, which nobody knows"


def _security_counter(manifest: Manifest, device: Device) -> str:
    return "its security counter was withdrawn" if manifest.security_counter < device.security_counter else ""


def _expired(manifest: Manifest, device: Device) -> str:
    over = device.now_s is not None and device.now_s >= manifest.expires_at
    return "it was to be installed before now" if over else ""


def _not_newer(manifest: Manifest, device: Device) -> str:
    newer = parse_version(manifest.version) > parse_version(device.version)
    return "" if newer else f"{manifest.version} is not newer than {device.version}"


def _fast_forward(manifest: Manifest, device: Device) -> str:
    steps = (
        parse_version(manifest.version)[0] - parse_version(device.version)[0],
        manifest.security_counter - device.security_counter,
    )
    return f"it leaps ahead by {max(steps)}, {FORWARD_MAX} at most" if max(steps) > FORWARD_MAX else ""


BOOT_RULES: Final = (
    Rule("loader", _loader),
    Rule("memory", _memory),
    Rule("journal_format", _journal_format),
    Rule("profile", _profile),
    Rule("security_counter", _security_counter),
)
"""An image that breaks one of these never runs on this device."""

STAGE_RULES: Final = (
    *BOOT_RULES,
    Rule("expired", _expired),
    Rule("not_newer", _not_newer),
    Rule("fast_forward", _fast_forward),
)
"""An image that breaks one of these is not installed over the running one."""


def admit(manifest: Manifest, device: Device, rules: Iterable[Rule]) -> None:
    """Raise UpdateRefused with the code of the first rule that the manifest breaks."""
    for rule in rules:
        if broken := rule.broken(manifest, device):
            raise UpdateRefused(broken, code=rule.code)
