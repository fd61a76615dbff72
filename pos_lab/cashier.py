"""What a cashier is at any till, simulated or real: keeps slips, keys in words, and takes what the till says.

Rules owned here: a cashier knows slips and nothing else, and reaches for one of the latest; what is keyed in to undo,
refund or complete what a slip is of stands on it; and how an outcome is taken: of what is no word about a transaction,
or none to whoever stands at the till (UNTOLD), nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple, Protocol, TypeVar

from protocol.money import yuan

PIN: Final = "123456"
SLIPS_MAX: Final = 5
"""Among how many of the latest slips of a kind a cashier finds one."""
UNTOLD: Final = frozenset({"upload", "reprint", "print", "signature"})
"""Flows whose end says nothing of how a transaction ended."""
Words = tuple[str, ...]


class Slip(NamedTuple):
    """What is kept of an approved transaction."""

    flow: str
    stan: str
    rrn: str
    amount_fen: int
    card: str
    auth_id: str
    date: str

    def share_fen(self, percent: int) -> int:
        """A share of its amount, at least a fen."""
        return max(1, self.amount_fen * percent // 100)

    def refund(self, amount_fen: int) -> Words:
        """What is keyed in to give back so much of it."""
        return yuan(amount_fen), self.card, self.rrn, self.date

    def about_hold(self, amount_fen: int) -> Words:
        """What is keyed in to complete it with so much, to hold so much more, or to let go of all."""
        return yuan(amount_fen), self.card, self.auth_id, self.date


@dataclass(slots=True)
class Drawer:
    """The slips of a till, newest last."""

    slips: list[Slip] = field(default_factory=list)

    def some(self, chance: Random, *flows: str) -> Slip | None:
        """One of the latest of these flows, None where there is none."""
        found = [slip for slip in self.slips if slip.flow in flows]
        return chance.choice(found[-SLIPS_MAX:]) if found else None

    def keep(self, words: Words, *, flow: str, stan: str, rrn: str, amount_fen: int, detail: Mapping[str, str]) -> None:
        """File the slip of what was approved; ``words`` were keyed in, the card after the amount."""
        card = words[1] if len(words) > 1 else ""
        self.slips.append(Slip(flow, stan, rrn, amount_fen, card, detail.get("auth_id", ""), detail.get("date", "")))


class Cashier(Protocol):
    """Somebody at a till."""

    chance: Random
    drawer: Drawer


C = TypeVar("C", bound=Cashier)
Intents = Mapping[str, tuple[int, Callable[[C], Words | None]]]
"""Flow -> how often against the others, and the words that are keyed in, None where there is nothing to do it with."""


def drawn_flow(intents: Intents[C], chance: Random) -> str:
    """What is to be done next."""
    return chance.choices(list(intents), [weight for weight, _ in intents.values()])[0]


def nothing(cashier: Cashier) -> Words:
    """The words of a flow that asks for none."""
    return ()


def payment_code(chance: Random) -> str:
    """A code that a customer shows."""
    return f"62{chance.randrange(10**17):017d}"


def completed(cashier: Cashier) -> Words | None:
    """The number of a completion that is to be voided."""
    slip = cashier.drawer.some(cashier.chance, "completion")
    return (slip.stan,) if slip else None


def held(cashier: Cashier, percents: tuple[int, ...]) -> Words | None:
    """A hold that is to be completed with one of these shares of it."""
    slip = cashier.drawer.some(cashier.chance, "preauth")
    return slip.about_hold(slip.share_fen(cashier.chance.choice(percents))) if slip else None


def as_told(flow: str, result: str, stan: str) -> str:
    """How a cashier takes an outcome: approved, refused, reversed, unknown; "" where it is about no transaction."""
    if flow == "reverse" and stan and result in ("approved", "done"):
        return "reversed"
    if flow in UNTOLD or not stan or result not in ("approved", "refused", "unknown"):
        return ""
    return result
