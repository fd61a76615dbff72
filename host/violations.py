"""TABLE RULES_OF_USE: what a merchant may not do with a terminal (product T3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class RuleOfUse:
    """A row of RULES_OF_USE."""

    name: str
    chinese: str
    english: str


RULES_OF_USE: Final[Mapping[str, RuleOfUse]] = MappingProxyType(
    {
        row.name: row
        for row in (
            RuleOfUse("moved", "擅自移机", "the terminal was moved without leave"),
            RuleOfUse("lent", "出租出借终端", "the terminal was lent or let"),
            RuleOfUse("cash", "信用卡套现", "cash was paid out on credit cards"),
            RuleOfUse("split_code", "交易使用不符的商户类别", "payments ran under a foreign category"),
            RuleOfUse("surcharge", "向持卡人加收手续费", "cardholders were charged extra"),
        )
    }
)
