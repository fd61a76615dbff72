"""Steps about the rules of the host and what follows from them: policy, scopes, merchants, the catalogue, partners."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from firmware_sim.cards import TEST_CARDS
from host.partners import PARTNERS, PartnerState
from host.policy import Policy
from host.registration import PAPERS
from host.written import AmountFen, Count, FirmwareVersion, LimitFen, Shape
from pos_lab.scenario.model import KnownModel, ScenarioModel, StepSpec, Text
from pos_lab.scenario.steps.act_steps import (
    OfTerminal,
    Reason,
    Words,
    act_step,
    as_written,
    of_terminal,
    tell_holds,
    tell_review,
)
from pos_lab.scenario.steps.stage import Stage, Told
from protocol.money import yuan

Day = Annotated[str, Shape(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "a day such as 2028-06-30")]


class Scope(ScenarioModel):
    """Which terminals: of a model, brand, family, region, or of the merchant of a terminal; every word must be met."""

    model: KnownModel | None = None
    brand: Words | None = None
    family: Words | None = None
    region: Annotated[str, Shape(r"[0-9]{2,6}", "2 to 6 digits")] | None = None


class HoldScope(Scope):
    """A reason for all of a scope."""

    reason: Reason
    note: str = ""
    days: Count = 0


class ReleaseScope(Scope):
    """The reason that is lifted from all of a scope."""

    reason: Reason


class Reregister(Scope):
    """How many days the merchants have."""

    days: Count = 30


class Evidence(OfTerminal):
    """What is filed for a hold."""

    reason: Reason
    reference: Words


class Amount(OfTerminal):
    """An amount of the terminal's merchant."""

    amount: AmountFen


class Days(OfTerminal):
    """How many more days."""

    days: Count


class Reject(OfTerminal):
    """Why a reviewer turns the form down."""

    why: Words


class Paper(OfTerminal):
    """A paper of the terminal's merchant, and how many days it is valid; 0 for always."""

    kind: Annotated[str, Shape("|".join(PAPERS), f"a paper: {', '.join(PAPERS)}")]
    reference: Words
    valid_days: Count = 0


class Card(OfTerminal):
    """A test card of the merchant's own."""

    card: Annotated[str, Shape("|".join(TEST_CARDS), f"a test card: {', '.join(TEST_CARDS)}")] = "debit"


class MerchantLimits(OfTerminal):
    """The merchant's own limits."""

    single: LimitFen = 0
    daily: LimitFen = 0
    count: Count = 0


class Certificate(ScenarioModel):
    """A certificate and its last day."""

    model: KnownModel
    certificate: Words
    until: Day


class Recommended(ScenarioModel):
    """A version, and after how many days it is required and forced."""

    model: KnownModel
    version: FirmwareVersion
    required_days: Count = 30
    forced_days: Count = 60


class Blocked(ScenarioModel):
    """A version of a model."""

    model: KnownModel
    version: FirmwareVersion


class Maintenance(ScenarioModel):
    """How long the host takes no new business, from now on."""

    minutes: Annotated[Count, Field(ge=1, le=1440)] = 10
    name: Words = "maintenance"


class Switch(ScenarioModel):
    """A partner and its state."""

    name: Annotated[str, Shape("|".join(PARTNERS), f"a partner: {', '.join(PARTNERS)}")]
    state: Annotated[str, Shape("|".join(PartnerState), f"one of {', '.join(PartnerState)}")]


def _scope(stage: Stage, written: ScenarioModel) -> dict[str, Any]:
    return {name: value for name, value in written.model_dump().items() if value is not None}


def merchant_of(stage: Stage, name: str) -> dict[str, str]:
    return {"merchant_id": stage.world.devices[name].member.merchant_id}


def _paper(stage: Stage, written: Paper) -> dict[str, Any]:
    return {**merchant_of(stage, written.terminal), **written.model_dump(exclude={"terminal"})}


def of_merchant(stage: Stage, written: OfTerminal) -> dict[str, Any]:
    return merchant_of(stage, written.terminal)


def _reject(stage: Stage, written: Reject) -> dict[str, Any]:
    return {**of_terminal(stage, OfTerminal(terminal=written.terminal)), "reason_zh": written.why}


def _deposit(stage: Stage, written: Amount) -> dict[str, Any]:
    return {**merchant_of(stage, written.terminal), "amount_fen": written.amount}


def _arrears(stage: Stage, written: Amount) -> dict[str, Any]:
    return {**of_terminal(stage, OfTerminal(terminal=written.terminal)), "amount_fen": written.amount}


def _bind(stage: Stage, written: Card) -> dict[str, Any]:
    return {**merchant_of(stage, written.terminal), "pan": TEST_CARDS[written.card].pan}


def _limits(stage: Stage, written: MerchantLimits) -> dict[str, Any]:
    figures = {"single_fen": written.single, "daily_fen": written.daily, "daily_count": written.count}
    return {**merchant_of(stage, written.terminal), **figures}


def _maintenance(stage: Stage, written: Maintenance) -> dict[str, Any]:
    return {"begins_at": int(stage.world.now().timestamp()), "minutes": written.minutes, "name": written.name}


def _tell_count(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    lists = {name: len(value) for name, value in result.items() if isinstance(value, list)}
    said = ", ".join(f"{name} {number}" for name, number in lists.items())
    return Text(zh=said, en=said), {}


def tell_plainly(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    said = ", ".join(f"{name} {_shown(name, value)}" for name, value in result.items() if not isinstance(value, list))
    return Text(zh=said or "完成", en=said or "done"), {}


def _shown(name: str, value: object) -> object:
    return yuan(value) if name.endswith("_fen") and isinstance(value, int) else value


async def _set_policy(stage: Stage, written: Policy) -> Told:
    """The sections and figures that are written take the place of those in force; all others stay."""
    standing = (await stage.world.act("policy"))["policy"]
    assert isinstance(standing, dict)
    merged = _merged(standing, written.model_dump(mode="json", exclude_unset=True))
    version = (await stage.world.act("publish_policy", content=json.dumps(merged).encode()))["version"]
    return Told(Text(zh=f"规则第{version}版生效", en=f"version {version} of the rules is in force"))


def _merged(standing: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    both = {name: _merged(standing[name], value) for name, value in changes.items() if isinstance(value, dict)}
    return {**standing, **changes, **both}


RULE_STEPS: Final = (
    StepSpec("set_policy", Policy, None, "Put other rules in force, from the next request on.", _set_policy),
    act_step("schedule_maintenance", Maintenance, "Take no new business for a while.", _maintenance, tell_plainly),
    act_step("hold_scope", HoldScope, "Suspend all terminals of a scope.", _scope, _tell_count),
    act_step("release_scope", ReleaseScope, "Lift one reason from all terminals of a scope.", _scope, _tell_count),
    act_step("file_evidence", Evidence, "File what speaks for the merchant.", tell=_tell_count),
    act_step("pay_arrears", Amount, "Pay what is owed, or a part of it.", _arrears, tell_holds),
    act_step("extend_activation", Days, "Give a terminal more time for its activation.", tell=tell_holds),
    act_step("reject", Reject, "Turn a form down for what only a reviewer sees.", _reject, tell_review),
    act_step("file_paper", Paper, "Hand in a paper of the merchant's.", _paper, _tell_count),
    act_step("renew_merchant", OfTerminal, "Confirm the merchant's data.", of_merchant, tell_plainly),
    act_step("reregister", Reregister, "Make all terminals of a scope register again.", _scope, _tell_count),
    act_step("bind_card", Card, "Bind a card for the merchant's payouts.", _bind, tell_plainly),
    act_step("set_limits", MerchantLimits, "Set the merchant's own limits.", _limits, tell_plainly),
    act_step("deposit", Amount, "Take a deposit from the merchant.", _deposit, tell_plainly),
    act_step("certify_model", Certificate, "Note a model's certificate.", as_written, tell_plainly),
    act_step(
        "recommend_firmware",
        Recommended,
        "Offer a version, to be required and forced later.",
        as_written,
        tell_plainly,
    ),
    act_step("block_firmware", Blocked, "Block a version.", as_written, tell_plainly),
    act_step("partner", Switch, "Switch a partner.", as_written, tell_plainly),
)
