"""TABLE OCCASIONS: what a scenario may let happen in virtual time, where, and at which occasions.

Rules owned here: a rule is asked at every occasion of its kind at its place, in the order in which they come, and lets
the fault happen at the one that it names, or in a share of them that the seed draws; what it draws moves nobody else's
draws. Kinds that have no place in a scenario are told with what to write instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from firmware_sim.power import TEARABLE, Cut, Phase, kind_of
from pos_lab.sim.acquirer import BUSY, CRASHES, DEFECTS, FAILURES
from pos_lab.sim.attack import ON_PATH, STRANGERS
from pos_lab.sim.faults import KINDS, FaultLedger
from pos_lab.sim.weather import CONNECTING, FAULTS

Target = Literal["line", "device", "host"]
HOST: Final = "host"
LOST_BITS: Final = 8
TORN_BYTES_MAX: Final = 256


class Occasion(NamedTuple):
    """A row of OCCASIONS: what the fault happens to, and what is counted."""

    target: Target
    english: str


MESSAGE: Final = Occasion("line", "a message, in either direction")
CONNECTION: Final = Occasion("line", "a connection")
LINE_AT_STEP: Final = Occasion("line", "a step")
COMMIT: Final = Occasion("host", "a commit of what terminals ask")
HOST_AT_STEP: Final = Occasion("host", "a step")
OPERATION: Final = Occasion("device", "a write, an erasure or a barrier of a chip, a sending, a printed line")
DEVICE_AT_STEP: Final = Occasion("device", "a step")

REQUEST: Final = Occasion("host", "a request that the host decides")

AT_ONCE: Final = "power.at_once"
AT_ONCE_WITHIN_S: Final = 5.0
AT_STEP: Final[Mapping[str, Occasion]] = MappingProxyType(
    {
        "net.partition": LINE_AT_STEP,
        "net.rebound": LINE_AT_STEP,
        **dict.fromkeys(("host.crash", "host.restarts", "disk.full"), HOST_AT_STEP),
        **dict.fromkeys((AT_ONCE, "clock.stepped", "clock.drifting"), DEVICE_AT_STEP),
        **dict.fromkeys(STRANGERS, HOST_AT_STEP),
    }
)
"""What is brought about at the beginning of a step."""
AT_HOST: Final[Mapping[str, Occasion]] = MappingProxyType(
    {
        **dict.fromkeys((*CRASHES.values(), *FAILURES.values(), BUSY, "disk.slow"), COMMIT),
        **dict.fromkeys(DEFECTS, REQUEST),
    }
)
"""What befalls the host while it works."""
OCCASIONS: Final[Mapping[str, Occasion]] = MappingProxyType(
    {
        **dict.fromkeys((*FAULTS, *ON_PATH), MESSAGE),
        **dict.fromkeys(CONNECTING, CONNECTION),
        **dict.fromkeys(("power.cut", "power.torn"), OPERATION),
        **AT_HOST,
        **AT_STEP,
    }
)
"""Kind of fault -> where it happens and what its occasions are. What it does, KINDS says."""
INSTEAD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "uart.": "the tills of a scenario are not on serial lines; poslab sim has some",
        "operator.": "write the steps hold and stop",
        "part": "write the step fault with one of the fault points",
    }
)
"""Beginning of a kind that has no place in a scenario -> what there is instead."""


def instead_of(kind: str) -> str:
    """What to write in place of a kind of fault of ``poslab sim`` that no scenario has; "" for what is no kind."""
    if kind not in KINDS or kind in OCCASIONS:
        return ""
    return next((hint for name, hint in INSTEAD.items() if kind.startswith(name)), "only poslab sim has it")


@dataclass(slots=True)
class Rule:
    """One fault as somebody wrote it: at occasion number ``at``, or in a ``rate`` of them; ``where`` "" is anywhere.

    ``line`` is where it is written. ``seen`` and ``fired`` count.
    """

    kind: str
    at: int = 0
    rate: float = 0.0
    where: str = ""
    line: int = 0
    seen: int = 0
    fired: int = 0

    @property
    def is_due(self) -> bool:
        """Has its occasion not come yet?"""
        return bool(self.at) and not self.fired


class Plan:
    """Decides by ``rules``, which may be exchanged at any time; what happens goes into ``ledger``."""

    def __init__(self, ledger: FaultLedger, chance: Callable[[str], Random], rules: Sequence[Rule] = ()) -> None:
        self.ledger = ledger
        self.rules: list[Rule] = list(rules)
        self._chance = chance
        self._streams: dict[str, Random] = {}

    def happens(self, kind: str, where: str) -> bool:
        """Is this occasion of a kind of fault one at which it happens?"""
        struck = [rule for rule in self.rules if rule.kind == kind and self._strikes(rule, where)]
        if not struck or not self.ledger.happens(kind, where):
            return False
        for rule in struck:
            rule.fired += 1
        return True

    def cut(self, name: str, point: str) -> Cut | None:
        """Does the power of a device go at this point?"""
        draws = self.draws("power")
        if self.happens("power.cut", name):
            return Cut("", draws.choice((Phase.BEFORE, Phase.AFTER)))
        if kind_of(point) in TEARABLE and self.happens("power.torn", name):
            return Cut("", Phase.TORN, torn_bytes=draws.randint(0, TORN_BYTES_MAX), lost=draws.getrandbits(LOST_BITS))
        return None

    def noticed(self, where: str, point: str) -> bool:
        """No rule is about these points."""
        return False

    @property
    def kinds(self) -> frozenset[str]:
        """What can happen now."""
        return frozenset(rule.kind for rule in self.rules)

    def draws(self, name: str) -> Random:
        """The chance of one kind of thing."""
        if name not in self._streams:
            self._streams[name] = self._chance(f"fault.{name}")
        return self._streams[name]

    def _strikes(self, rule: Rule, where: str) -> bool:
        if rule.where not in ("", where):
            return False
        rule.seen += 1
        if rule.at:
            return rule.seen == rule.at
        return self.draws(f"{rule.kind}@{where}").random() < rule.rate
