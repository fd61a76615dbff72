"""The policy as people write it, in a scenario or in a file for ``poslab host --policy``: yuan and days, not fen."""

from __future__ import annotations

from typing import Literal

from host.policy import Policy
from pos_lab.scenario.model import AmountFen, DurationS, ScenarioModel
from protocol.money import yuan


class WrittenPolicy(ScenarioModel):
    """Every key may be left out; the defaults are the product's (``host.policy``)."""

    activation: AmountFen = Policy().activation_fen
    single_limit: AmountFen = Policy().single_limit_fen
    unknown_reversal_code: Literal["00", "25"] = "00"
    command_ttl: DurationS = Policy().command_ttl_s

    def as_policy(self) -> Policy:
        """The host's own figures."""
        return Policy(
            activation_fen=self.activation,
            single_limit_fen=self.single_limit,
            unknown_reversal_code=self.unknown_reversal_code,
            command_ttl_s=self.command_ttl,
        )

    def as_yaml(self) -> str:
        """The same as a file for a host of its own process."""
        words = {
            "activation": yuan(self.activation),
            "single_limit": yuan(self.single_limit),
            "unknown_reversal_code": self.unknown_reversal_code,
            "command_ttl": f"{self.command_ttl}s",
        }
        return "".join(f'{name}: "{value}"\n' for name, value in words.items())
