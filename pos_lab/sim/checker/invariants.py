"""TABLE INVARIANTS: what must hold, as predicates over the evidence, in the order and by the ids of the design.

The rows stand by section in modules of their own; one more section is one more line here.
"""

from __future__ import annotations

from typing import Final

from pos_lab.sim.checker.durability import DURABILITY
from pos_lab.sim.checker.firmware import FIRMWARE
from pos_lab.sim.checker.idempotency import IDEMPOTENCY
from pos_lab.sim.checker.invariant import Invariant
from pos_lab.sim.checker.keys import KEYS
from pos_lab.sim.checker.lifecycle import LIFECYCLE
from pos_lab.sim.checker.liveness import LIVENESS
from pos_lab.sim.checker.money import MONEY
from pos_lab.sim.checker.privacy import PRIVACY
from pos_lab.sim.checker.secrecy import SECRECY
from pos_lab.sim.checker.settlement import SETTLEMENT
from pos_lab.sim.checker.signature import SIGNATURE
from pos_lab.sim.checker.swap import SWAP

INVARIANTS: Final[tuple[Invariant, ...]] = (
    *MONEY,
    *SETTLEMENT,
    *DURABILITY,
    *IDEMPOTENCY,
    *LIFECYCLE,
    *KEYS,
    *FIRMWARE,
    *SWAP,
    *SIGNATURE,
    *PRIVACY,
    *SECRECY,
    *LIVENESS,
)
"""The rows are asked in this order; the first that fails names the violation."""
