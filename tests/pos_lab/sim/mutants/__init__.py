"""TABLE MUTANTS: the bugs that naive hosts and terminals have, put in for the length of a block.

Each is known from the field or from the design; an invariant that kills none of them may be dead. They stand by the
section of the invariants that is meant to find them; one more section is one more line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.pos_lab.sim.mutants.durability import DURABILITY
from tests.pos_lab.sim.mutants.firmware import FIRMWARE
from tests.pos_lab.sim.mutants.idempotency import IDEMPOTENCY
from tests.pos_lab.sim.mutants.keys import KEYS
from tests.pos_lab.sim.mutants.lifecycle import LIFECYCLE
from tests.pos_lab.sim.mutants.liveness import LIVENESS
from tests.pos_lab.sim.mutants.money import MONEY
from tests.pos_lab.sim.mutants.mutant import Mutant
from tests.pos_lab.sim.mutants.privacy import PRIVACY
from tests.pos_lab.sim.mutants.settlement import SETTLEMENT
from tests.pos_lab.sim.mutants.signature import SIGNATURE
from tests.pos_lab.sim.mutants.swap import SWAP

SEEDS: Final = 160
"""How many seeds a bug has to show itself, from its own on."""
MUTANTS: Final[Mapping[str, Mutant]] = {
    **MONEY,
    **SETTLEMENT,
    **DURABILITY,
    **IDEMPOTENCY,
    **LIFECYCLE,
    **KEYS,
    **FIRMWARE,
    **SWAP,
    **SIGNATURE,
    **PRIVACY,
    **LIVENESS,
}
