"""What seeds are lived of: drawn worlds of a scale, or the story of a scenario."""

from __future__ import annotations

from dataclasses import dataclass, field

from pos_lab.sim.explore import explore
from pos_lab.sim.run import Result, run_seed
from pos_lab.sim.world import Scale


@dataclass(frozen=True, slots=True)
class Subject:
    """Worlds of ``scale``, unless ``scenario`` names a file."""

    scale: Scale = field(default_factory=Scale)
    scenario: str = ""

    def live(
        self, seed: int, profile: str = "", *, suppressed: frozenset[str] = frozenset(), whole: bool = False
    ) -> Result:
        """One seed; ``whole`` with the books as they stand in the end. Raises ScenarioErrors for a wrong file."""
        if self.scenario:
            return explore(self.scenario, seed, profile, suppressed=suppressed)
        return run_seed(seed, profile, suppressed=suppressed, scale=self.scale, with_books=whole)

    def command(self, result: Result) -> str:
        """The one command that plays a seed again."""
        command = f"poslab sim --seed {result.seed} --profile {result.profile}"
        if self.scenario:
            return f"{command} --scenario {self.scenario}"
        return f"{command} --shops {self.scale.shops_max} --intents {self.scale.intents}"
