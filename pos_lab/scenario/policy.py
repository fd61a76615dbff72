"""The policy as people write it, in a scenario or in a file for ``poslab host --policy``: yuan and days, not fen."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from host.policy import Policy
from pos_lab.scenario.model import AmountFen, Count, DurationS, Flag, ScenarioModel
from protocol.money import yuan


class WrittenPolicy(ScenarioModel):
    """Every key may be left out; the defaults are the product's (``host.policy``)."""

    activation: AmountFen = Policy().activation_fen
    single_limit: AmountFen = Policy().single_limit_fen
    unknown_reversal_code: Literal["00", "25"] = "00"
    preauth_ttl: DurationS = Policy().preauth_ttl_s
    completion_percent: Annotated[Count, Field(ge=100, le=200)] = Policy().completion_percent
    tip_percent: Annotated[Count, Field(le=100)] = Policy().tip_percent
    parameters_required: Flag = Policy().parameters_required
    command_ttl: DurationS = Policy().command_ttl_s

    def as_policy(self) -> Policy:
        """The host's own figures."""
        return Policy(
            activation_fen=self.activation,
            single_limit_fen=self.single_limit,
            unknown_reversal_code=self.unknown_reversal_code,
            preauth_ttl_s=self.preauth_ttl,
            completion_percent=self.completion_percent,
            tip_percent=self.tip_percent,
            parameters_required=self.parameters_required,
            command_ttl_s=self.command_ttl,
        )

    def as_yaml(self) -> str:
        """The same as a file for a host of its own process."""
        words = {
            "activation": yuan(self.activation),
            "single_limit": yuan(self.single_limit),
            "unknown_reversal_code": self.unknown_reversal_code,
            "preauth_ttl": f"{self.preauth_ttl}s",
            "completion_percent": str(self.completion_percent),
            "tip_percent": str(self.tip_percent),
            "parameters_required": "yes" if self.parameters_required else "no",
            "command_ttl": f"{self.command_ttl}s",
        }
        return "".join(f'{name}: "{value}"\n' for name, value in words.items())
