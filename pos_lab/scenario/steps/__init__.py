"""TABLE STEPS: every word of the scenario language. The loader, the runner and the documents are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pos_lab.scenario.model import CHAPTER, StepSpec, Text
from pos_lab.scenario.steps.act_steps import ACT_STEPS
from pos_lab.scenario.steps.depot_steps import DEPOT_STEPS
from pos_lab.scenario.steps.money_steps import MONEY_STEPS
from pos_lab.scenario.steps.network_steps import NETWORK_STEPS
from pos_lab.scenario.steps.office_steps import OFFICE_STEPS
from pos_lab.scenario.steps.rule_steps import RULE_STEPS
from pos_lab.scenario.steps.stage import Stage, Told
from pos_lab.scenario.steps.swap_steps import SWAP_STEPS
from pos_lab.scenario.steps.terminal_steps import TERMINAL_STEPS
from pos_lab.scenario.steps.trouble_steps import TROUBLE_STEPS


async def _chapter(stage: Stage, title: Text) -> Told:
    return Told(title)


STEPS: Final[Mapping[str, StepSpec]] = MappingProxyType(
    {
        row.name: row
        for row in (
            StepSpec(CHAPTER, Text, None, "Open a chapter of the story.", _chapter),
            *ACT_STEPS,
            *RULE_STEPS,
            *OFFICE_STEPS,
            *TERMINAL_STEPS,
            *MONEY_STEPS,
            *SWAP_STEPS,
            *DEPOT_STEPS,
            *TROUBLE_STEPS,
            *NETWORK_STEPS,
        )
    }
)
