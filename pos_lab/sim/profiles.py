"""TABLE PROFILES: the swarms. Each seed draws which faults of its profile it has, and how often they come.

Rules owned here: a fault of a profile is in a given seed with IN_SWARM, at a rate between a tenth of the table's figure
and all of it: faults that are always there hide those that need calm.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import Final

from pos_lab.sim import uart
from pos_lab.sim.attack import STRANGERS
from pos_lab.sim.weather import CONNECTING, FAULTS

IN_SWARM: Final = 0.6
TOGETHER: Final = 0.4
"""How often a fault comes where every other one does too, against where it has its own profile: shops still sell."""
_COMMON: Final = 0.06
_NET: Final[Mapping[str, float]] = {
    **dict.fromkeys(uart.FAULTS, _COMMON),
    uart.STUCK: _COMMON,
    **dict.fromkeys(FAULTS, _COMMON),
    **dict.fromkeys(CONNECTING, 0.10),
    "net.lost": 0.20,
    "net.duplicated": 0.20,
    "net.at_timeout": 0.20,
    "net.delayed": 0.20,
    "net.partition": 0.05,
    "net.swizzle": 0.02,
    "net.rerouted": 0.03,
    "net.rebound": 0.05,
}
_POWER: Final[Mapping[str, float]] = {
    "power.cut": 0.20,
    "power.torn": 0.15,
    "power.at_once": 0.10,
    "power.cut_again": 0.30,
    "power.battery_low": 0.05,
    "part": 0.30,
    "device.tampered": 0.015,
    "device.battery_dead": 0.015,
    "device.worn": 0.015,
    "device.short_journal": 0.03,
    "clock.stepped": 0.05,
    "clock.drifting": 0.05,
    "firmware.crashes": 0.10,
}
_STORAGE: Final[Mapping[str, float]] = {
    "host.crash_before_commit": 0.06,
    "host.crash_after_commit": 0.06,
    "host.crash_in_job": 0.50,
    "host.crash": 0.05,
    "host.restarts": 0.02,
    "host.exception": 0.03,
    "host.out_of_memory": 0.03,
    "disk.commit_fails": 0.06,
    "disk.commit_unknown": 0.06,
    "disk.busy": 0.05,
    "disk.slow": 0.05,
    "disk.full": 0.05,
}
_ADVERSARY: Final[Mapping[str, float]] = {
    **dict.fromkeys(STRANGERS, 0.04),
    "attack.replay": 0.20,
    "attack.forged": 0.20,
    "attack.approved": 0.10,
    "attack.stripped": 0.10,
    "attack.previous": 0.10,
    "attack.command": 0.30,
    "operator.hold": 0.05,
    "operator.flickers": 0.02,
    "operator.stop": 0.01,
    "operator.old_device": 0.10,
    "operator.doubles": 0.03,
    "operator.removes": 0.02,
    "net.lost": 0.05,
}
_PEOPLE: Final[Mapping[str, float]] = {"operator.clears": 0.50}

PROFILES: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {
        "calm": {},
        "network": {**_NET, **_PEOPLE},
        "power": {**_POWER, "net.lost": 0.05},
        "storage": {**_STORAGE, "net.lost": 0.05},
        "adversary": {**_ADVERSARY, "net.duplicated": 0.10},
        "everything": {
            kind: highest * TOGETHER
            for kind, highest in {**_NET, **_POWER, **_STORAGE, **_ADVERSARY, **_PEOPLE}.items()
        },
    }
)
"""Profile -> kind of fault -> its highest share: of writes, connections, commits or intents."""

WEIGHTS: Final[Mapping[str, int]] = MappingProxyType(
    {"calm": 5, "network": 30, "power": 20, "storage": 15, "adversary": 10, "everything": 20}
)
"""How often a seed that is not told its profile has which."""


def drawn_profile(chance: Random) -> str:
    """A profile by WEIGHTS."""
    return chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]


def drawn_rates(profile: str, chance: Random) -> Mapping[str, float]:
    """The faults of one seed and their rates."""
    rates = {}
    for kind, highest in PROFILES[profile].items():
        share, is_in = chance.uniform(0.1, 1.0), chance.random() < IN_SWARM
        if is_in:
            rates[kind] = highest * share
    return rates
