"""Steps of the other ways to pay: holds and completions, codes, telephone orders, offline sales, tips, balances."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import Field

from firmware_sim.cards import TEST_CARDS
from host.written import AmountFen, Digits
from pos_lab.scenario.model import Name, StepSpec
from pos_lab.scenario.steps.stage import Stage, StepError, Told
from pos_lab.scenario.steps.terminal_steps import (
    AtTerminal,
    CardName,
    Disturbed,
    OfSale,
    OutcomeExpectation,
    Purchase,
    SignatureName,
    named,
    pin_of,
    play,
    run_flow,
)
from protocol.money import yuan

WALLETS: Final[Mapping[str, str]] = MappingProxyType(
    {"unionpay": "6200", "scan": "2800", "empty": "2801", "expired": "2899"}
)
"""How a scenario calls a wallet -> the prefix of its codes (``host.issuer.WALLETS``)."""
_CODE_DIGITS: Final = 19


class AboutHold(Purchase):
    """What follows a hold. ``of`` is the name that it got with ``as``; a PIN is asked of an addition only."""

    of: Name


class Scan(Disturbed):
    """A customer shows a code of a ``wallet``: a fresh one, or the ``code`` that is told."""

    wallet: Literal["unionpay", "scan", "empty", "expired"] = "unionpay"
    code: Annotated[str, Digits(16, 24)] | None = None
    signature: SignatureName | None = None


class Keyed(Disturbed):
    """The cashier keys number and expiry of a card; the terminal of the cast must have ``manual_entry``."""

    card: CardName = "credit"


class SoldOffline(AtTerminal):
    """``as`` names it for a later adjustment, void or refund."""

    amount: AmountFen
    card: CardName = "credit"
    name: Name | None = Field(None, alias="as")


class Adjusted(OfSale):
    """``amount`` is the new one, a tip included; ``as`` names what takes the place of the sale."""

    amount: AmountFen
    name: Name | None = Field(None, alias="as")


class Asked(AtTerminal):
    """Whose balance."""

    card: CardName = "debit"
    pin: Annotated[str, Digits(4, 12)] | None = None


async def _preauth(stage: Stage, written: Purchase) -> Told:
    return await play(stage, written, "preauth", written.card, pin_of(written), written.signature or "")


async def _additional(stage: Stage, written: AboutHold) -> Told:
    words = (*_hold(stage, written), pin_of(written), written.signature or "")
    return await play(stage, written, "additional_preauth", *words)


async def _completion(stage: Stage, written: AboutHold) -> Told:
    return await play(stage, written, "completion", *_hold(stage, written), written.signature or "")


async def _completion_advice(stage: Stage, written: AboutHold) -> Told:
    return await play(stage, written, "completion_advice", *_hold(stage, written))


async def _preauth_void(stage: Stage, written: AboutHold) -> Told:
    return await play(stage, written, "preauth_void", *_hold(stage, written))


def _hold(stage: Stage, written: AboutHold) -> tuple[str, str, str]:
    """Card, authorisation id and date, as the slip of the hold tells them."""
    held = named(stage, written.of)
    if "auth_id" not in held.detail or "date" not in held.detail:
        raise StepError(f"{written.of!r} was not approved, so there is nothing to name it by")
    return written.card, held.detail["auth_id"], held.detail["date"]


async def _completion_void(stage: Stage, written: OfSale) -> Told:
    return await run_flow(stage, written.terminal, "completion_void", named(stage, written.of).stan)


async def _qr_sale(stage: Stage, written: Scan) -> Told:
    code = written.code or _fresh_code(stage, WALLETS[written.wallet])
    return await play(stage, written, "qr_sale", code, written.signature or "")


def _fresh_code(stage: Stage, prefix: str) -> str:
    """A code that nobody has shown before, also not to a host that ran before this scenario."""
    at = f"{stage.world.now():%y%m%d%H%M%S}"
    return f"{prefix}{at}{next(stage.numbers):0{_CODE_DIGITS - len(prefix) - len(at)}d}"


async def _moto_sale(stage: Stage, written: Keyed) -> Told:
    card = TEST_CARDS[written.card.partition(":")[0]]
    return await play(stage, written, "moto_sale", card.pan, card.expiry)


async def _offline_sale(stage: Stage, written: SoldOffline) -> Told:
    words = (yuan(written.amount), written.card)
    return await run_flow(stage, written.terminal, "offline_sale", *words, keep_as=written.name)


async def _offline_adjustment(stage: Stage, written: Adjusted) -> Told:
    words = _adjusted(stage, written)
    return await run_flow(stage, written.terminal, "offline_adjustment", *words, keep_as=written.name)


async def _tip_adjustment(stage: Stage, written: Adjusted) -> Told:
    words = _adjusted(stage, written)
    return await run_flow(stage, written.terminal, "tip_adjustment", *words, keep_as=written.name)


def _adjusted(stage: Stage, written: Adjusted) -> tuple[str, str]:
    return named(stage, written.of).stan, yuan(written.amount)


async def _balance(stage: Stage, written: Asked) -> Told:
    pin = TEST_CARDS[written.card.partition(":")[0]].pin if written.pin is None else written.pin
    return await run_flow(stage, written.terminal, "balance", written.card, pin)


MONEY_STEPS: Final = (
    StepSpec("balance", Asked, OutcomeExpectation, "Ask what is on a card.", _balance),
    StepSpec("preauth", Purchase, OutcomeExpectation, "Hold an amount.", _preauth),
    StepSpec("additional_preauth", AboutHold, OutcomeExpectation, "Hold more.", _additional),
    StepSpec("preauth_void", AboutHold, OutcomeExpectation, "Let go of a hold, whole.", _preauth_void),
    StepSpec("completion", AboutHold, OutcomeExpectation, "Take what a hold is for.", _completion),
    StepSpec("completion_advice", AboutHold, OutcomeExpectation, "The same by an advice.", _completion_advice),
    StepSpec("completion_void", OfSale, OutcomeExpectation, "Void a completion of this batch.", _completion_void),
    StepSpec("qr_sale", Scan, OutcomeExpectation, "Sell by the code that a customer shows.", _qr_sale),
    StepSpec("moto_sale", Keyed, OutcomeExpectation, "Sell by telephone.", _moto_sale),
    StepSpec("offline_sale", SoldOffline, OutcomeExpectation, "Sell without asking the host.", _offline_sale),
    StepSpec(
        "offline_adjustment", Adjusted, OutcomeExpectation, "Change the amount of an offline sale.",
        _offline_adjustment,
    ),
    StepSpec("tip_adjustment", Adjusted, OutcomeExpectation, "Add a tip to a sale.", _tip_adjustment),
)  # fmt: skip
