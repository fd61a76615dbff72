"""A cashier at a real terminal: sells, takes back, settles, and switches the terminal on again where it went dark.

Rules owned here: TABLE INTENTS, what cashiers do here and how often; who is told no waits a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import Any, Final

from pos_lab.cashier import PIN, Drawer, Intents, completed, drawn_flow, held, nothing, payment_code
from pos_lab.soak.till import TillGone, TillProcess
from protocol.money import yuan

CARDS: Final = ("debit", "debit_second:insert", "credit:insert", "credit_second", "debit_poor", "forced_96")
CARD_WEIGHTS: Final = (40, 15, 30, 15, 2, 1)
SIGNATURE: Final = ""
"""The one that a cardholder makes who is not told how."""
PAUSE_S: Final = 0.15
"""What a cashier waits who was told no."""
DARK_S: Final = 0.2
TRIES: Final = 60
RETRY_S: Final = 0.25


def _paying(cashier: Cashier) -> tuple[str, ...]:
    card = cashier.chance.choices(CARDS, CARD_WEIGHTS)[0]
    return yuan(cashier.chance.randint(1, 50_000)), card, PIN, SIGNATURE


def _small(cashier: Cashier) -> tuple[str, ...]:
    return yuan(cashier.chance.randint(1, 20_000)), "credit:insert"


def _scanned(cashier: Cashier) -> tuple[str, ...]:
    return yuan(cashier.chance.randint(1, 50_000)), payment_code(cashier.chance), SIGNATURE


def _voided(cashier: Cashier) -> tuple[str, ...] | None:
    slip = cashier.drawer.some(cashier.chance, "sale", "qr_sale")
    return (slip.stan,) if slip else None


def _refunded(cashier: Cashier) -> tuple[str, ...] | None:
    slip = cashier.drawer.some(cashier.chance, "sale")
    return slip.refund(slip.share_fen(cashier.chance.choice((100, 50, 34)))) if slip else None


def _held(cashier: Cashier) -> tuple[str, ...] | None:
    words = held(cashier, (100, 50, 115))
    return (*words, SIGNATURE) if words else None


def _let_go(cashier: Cashier) -> tuple[str, ...] | None:
    return held(cashier, (100,))


INTENTS: Final[Intents[Cashier]] = MappingProxyType(
    {
        "sale": (60, _paying),
        "void": (10, _voided),
        "refund": (5, _refunded),
        "preauth": (4, _paying),
        "completion": (3, _held),
        "preauth_void": (1, _let_go),
        "completion_void": (1, completed),
        "offline_sale": (4, _small),
        "qr_sale": (3, _scanned),
        "settle": (5, nothing),
        "reverse": (2, nothing),
        "sign_in": (1, nothing),
        "echo": (1, nothing),
    }
)
"""Flow -> how often of a hundred, and its words."""


class Cashier:
    """At one terminal; ``done`` counts flows that came to an end, ``starts`` how often the terminal was switched on.

    ``news`` is set whenever one of them has grown. ``told`` is what the terminal said in the latest flow.
    """

    def __init__(self, name: str, chance: Random, news: asyncio.Event) -> None:
        self.name = name
        self.till: TillProcess
        self.chance = chance
        self.drawer = Drawer()
        self.done = 0
        self.starts = 0
        self.closing = False
        self.told: list[Mapping[str, Any]] = []
        self._news = news
        self._words: tuple[str, ...] = ()

    def keep(self, outcome: Mapping[str, Any]) -> None:
        """Remember what was said, and file the slip of what was approved."""
        self.told.append(outcome)
        if outcome["result"] == "approved" and outcome["flow"] in INTENTS:
            names = ("flow", "stan", "rrn", "amount_fen", "detail")
            self.drawer.keep(self._words, **{name: outcome[name] for name in names})

    async def work(self) -> None:
        """One intent after the other, until the shop is ``closing``."""
        while not self.closing:
            flow = drawn_flow(INTENTS, self.chance)
            words = INTENTS[flow][1](self)
            if words is not None and not await self.play(flow, *words):
                await asyncio.sleep(PAUSE_S)

    async def play(self, flow: str, *words: str) -> bool:
        """Do something, at a terminal that is switched on first; was it good?"""
        self._words, self.told = words, []
        try:
            if not self.till.is_alive:
                self.starts += 1
                self._news.set()
                await self.till.start()
            good = await self.till.play(flow, *words)
        except TillGone:
            await self.till.kill()
            await asyncio.sleep(self.chance.uniform(0, DARK_S))
            return False
        self.done += 1
        self._news.set()
        return good

    async def insist(self, flow: str) -> bool:
        """Try until it is done; False where it never is."""
        for _ in range(TRIES):
            if await self.play(flow):
                return True
            await asyncio.sleep(RETRY_S)
        return False
