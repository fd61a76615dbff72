"""Steps that an administrator takes: rows over the acts of ``host.admin``, with a terminal of the cast in place of its
serial number."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from firmware_sim.models import MODELS
from host.downloads import ASKED_BESIDES
from host.errors import AdminError
from host.holds import HOLDS
from host.lifecycle import CHINESE_STATES, State
from host.registration import MERCHANT_TYPES
from host.swap import CHINESE_STATES as SWAP_STATES
from host.written import BalanceFen, Count, DurationS, FirmwareVersion, Flag, LimitFen, Shape
from pos_lab.scenario.model import KnownModel, Name, ScenarioModel, StepSpec, TerminalRef, Text
from pos_lab.scenario.steps.stage import Stage, Told
from pos_lab.scenario.story import Fact
from pos_lab.vendor import make_image
from protocol.downloads import DOWNLOADS
from protocol.money import yuan
from protocol.swap import SwapState

Words = Annotated[str, Shape(r"[^\x00-\x1f]{1,80}", "one line of text")]
StateName = Annotated[str, Shape(r"[a-z]+", "a state such as activated")]
Reason = Annotated[str, Shape(r"[a-z]+", "a reason such as dispute")]


class OfTerminal(ScenarioModel):
    """An act on one terminal."""

    terminal: TerminalRef


class Order(OfTerminal):
    """``stock: yes`` orders it for no till yet."""

    stock: Flag = False


class Submit(OfTerminal):
    """The merchant's form."""

    name: Words
    contact: Words
    telephone: Words
    address: Words
    merchant_type: Annotated[str, Shape("|".join(("", *MERCHANT_TYPES)), f"one of {', '.join(MERCHANT_TYPES)}")] = ""
    region: Annotated[str, Shape(r"|[0-9]{6}", "a region of 6 digits")] = ""


class Hold(OfTerminal):
    """One reason to suspend, perhaps for some days, for some kinds, until a firmware runs or what is owed is paid."""

    reason: Reason
    note: str = ""
    days: Count = 0
    kinds: Annotated[str, Shape(r"[a-z_ ]*", "kinds of new business between blanks")] = ""
    version: FirmwareVersion | Literal[""] = ""
    owed: LimitFen = 0
    in_days: Count = 0


class Release(OfTerminal):
    """The reason that is lifted."""

    reason: Reason


class Stop(OfTerminal):
    """Why it is stopped."""

    why: Words = "ordered by the acquirer"


class RetireModel(ScenarioModel):
    """A model and its dates, in days from now."""

    model: KnownModel
    grace_days: Count = 90
    stop_days: Count = 97


class OfVersion(ScenarioModel):
    """A firmware version of a model."""

    model: KnownModel
    version: FirmwareVersion


class Published(ScenarioModel):
    """A newer version of a download: ``values`` by code where it has codes, else the list ``items``."""

    name: Annotated[str, Shape("|".join(DOWNLOADS), f"a download: {', '.join(DOWNLOADS)}")]
    values: dict[str, str] | None = None
    items: tuple[str, ...] = ()


class Wish(OfTerminal):
    """What it is asked for: a download, or to sign on, or to upload its state."""

    name: Annotated[
        str, Shape("|".join((*DOWNLOADS, *ASKED_BESIDES)), f"one of {', '.join((*DOWNLOADS, *ASKED_BESIDES))}")
    ]


class Replace(OfTerminal):
    """``terminal`` gives way to ``by``."""

    by: TerminalRef


class Advance(ScenarioModel):
    """How much time passes."""

    by: DurationS


class Nothing(ScenarioModel):
    """No arguments."""


class ActExpectation(ScenarioModel):
    """What an act may be expected to say; ``error`` is the code with which it is refused.

    ``count`` is how many rows a list has; ``signed`` is whether the host holds a cardholder's signature.
    """

    error: Annotated[str, Shape(r"[a-z_]+", "an error code such as batch_open")] | None = None
    state: StateName | None = None
    verdict: Annotated[str, Shape(r"approved|rejected", "approved or rejected")] | None = None
    field: Name | None = None
    planned: TerminalRef | None = None
    turnover: BalanceFen | None = None
    total: BalanceFen | None = None
    sum: BalanceFen | None = None
    fees: BalanceFen | None = None
    count: Count | None = None
    signed: Flag | None = None


Arguments = Callable[[Stage, Any], dict[str, Any]]
Tell = Callable[[Stage, dict[str, Any]], tuple[Text, dict[str, object]]]


def serial_of(stage: Stage, name: str) -> str:
    return stage.world.devices[name].member.serial_number


def _name(stage: Stage, serial_number: str) -> str:
    return next((name for name in stage.world.devices if serial_of(stage, name) == serial_number), serial_number)


def of_terminal(stage: Stage, written: OfTerminal) -> dict[str, Any]:
    own = written.model_dump(exclude={"terminal", "by", "stock"})
    return {"serial_number": serial_of(stage, written.terminal), **own}


def _order(stage: Stage, written: Order) -> dict[str, Any]:
    member = stage.world.devices[written.terminal].member
    till = {} if written.stock else {"merchant_id": member.merchant_id, "terminal_id": member.terminal_id}
    return {"serial_number": member.serial_number, "model": member.model, **till}


def _replace(stage: Stage, written: Replace) -> dict[str, Any]:
    return {"serial_number": serial_of(stage, written.terminal), "successor": serial_of(stage, written.by)}


def _publish(stage: Stage, written: OfVersion) -> dict[str, Any]:
    image = make_image(MODELS[written.model], written.version)
    return {"model": written.model, "version": written.version, "image": image}


def _publish_table(stage: Stage, written: Published) -> dict[str, Any]:
    content = list(written.items) if written.values is None else written.values
    return {"name": written.name, "content": json.dumps(content).encode()}


def _hold(stage: Stage, written: Hold) -> dict[str, Any]:
    values = of_terminal(stage, written)
    owed_fen = values.pop("owed")
    return {**values, "owed_fen": owed_fen}


def _payout(stage: Stage, written: OfTerminal) -> dict[str, Any]:
    return {"merchant_id": stage.world.devices[written.terminal].member.merchant_id}


def as_written(stage: Stage, written: ScenarioModel) -> dict[str, Any]:
    return written.model_dump()


def _tell_state(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    state = str(result.get("state", ""))
    facts: dict[str, object] = {"state": state}
    if "turnover_fen" in result:
        facts["turnover"] = result["turnover_fen"]
        held = ", ".join(result["holds"])
        rest = f", {yuan(result['turnover_fen'])}" + (f", {held}" if held else "")
        return Text(zh=_chinese(state) + rest, en=state + rest), facts
    return Text(zh=_chinese(state), en=state), facts


def _chinese(state: str) -> str:
    return CHINESE_STATES[State(state)] if state in set(State) else state or "完成"


def tell_review(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    reasons = result["reasons"]
    zh = "；".join(reason["zh"] for reason in reasons) or "通过"
    en = "; ".join(reason["en"] for reason in reasons) or "approved"
    fields = ", ".join(reason["field"] for reason in reasons)
    return Text(zh=zh, en=en), {"verdict": result["verdict"], "state": str(result["state"]), "field": fields}


def tell_holds(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    zh = "、".join(HOLDS[reason].chinese for reason in result["holds"])
    en = ", ".join(result["holds"])
    return Text(zh=f"暂停项：{zh or '无'}", en=f"holds: {en or 'none'}"), {}


def _tell_plan(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    planned = ", ".join(_name(stage, serial) for serial in result["planned"])
    day = result["stop_at"]
    return Text(zh=f"{day}停用：{planned}", en=f"stops on {day}: {planned}"), {"planned": planned}


def _tell_firmware(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    said = " ".join(str(result.get(key, "")) for key in ("model", "version", "min_firmware")).strip()
    return Text(zh=said, en=said), {}


def _tell_table(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    row = DOWNLOADS[result["name"]]
    zh, en = f"{row.chinese}第{result['version']}版", f"{row.english}, version {result['version']}"
    return Text(zh=zh, en=en), {}


def _tell_wish(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    return Text(zh=f"处理要求 {result['due']}", en=f"processing requirements {result['due']}"), {}


def _tell_replaced(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    successor, terminal_id = result["successor"], result["terminal_id"]
    zh, en = f"{successor}接替终端号{terminal_id}", f"{successor} takes over {terminal_id}"
    return Text(zh=zh, en=en), {"state": str(result["state"])}


def _tell_swap(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    state = SwapState(result["state"])
    return Text(zh=f"换机{SWAP_STATES[state]}", en=f"the swap is {state}"), {"state": str(state)}


def _tell_payout(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    total = yuan(result["total_fen"])
    stage.facts["payout"] = Fact(Text(zh="付给商户", en="Paid to the merchant"), total)
    batches = len(result["batches"])
    text = Text(zh=f"{batches}批，共{total}元", en=f"{total} yuan for {batches} batches")
    return text, {"total": result["total_fen"]}


def _tell_accounts(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    fees_fen = result["accounts"].get("acquirer:fees", 0)
    stage.facts["fees"] = Fact(Text(zh="手续费", en="Fees"), yuan(fees_fen))
    stage.facts["accounts"] = Fact(Text(zh="账户合计", en="Sum of all accounts"), yuan(result["sum_fen"]))
    text = Text(
        zh=f"合计{yuan(result['sum_fen'])}，手续费{yuan(fees_fen)}",
        en=f"they sum to {yuan(result['sum_fen'])}; fees {yuan(fees_fen)}",
    )
    return text, {"sum": result["sum_fen"], "fees": fees_fen}


def act_step(
    act: str, arguments: type[ScenarioModel], summary: str, read: Arguments = of_terminal, tell: Tell = _tell_state
) -> StepSpec:
    async def run(stage: Stage, written: Any) -> Told:
        return await perform_act(stage, act, read(stage, written), tell)

    return StepSpec(act, arguments, ActExpectation, summary, run)


async def perform_act(stage: Stage, act: str, arguments: dict[str, Any], tell: Tell) -> Told:
    """One act of ``host.admin`` as a step tells it; a refusal is told, not raised."""
    try:
        result = await stage.world.act(act, **arguments)
    except AdminError as error:
        return Told(Text(zh=f"拒绝：{error}", en=f"refused: {error}"), False, {"error": error.code})
    text, actual = tell(stage, result)
    return Told(text, result.get("verdict") != "rejected", {"error": "none", **actual})


async def _advance(stage: Stage, written: Advance) -> Told:
    result = await stage.world.advance(written.by)
    stopped = [_name(stage, serial) for serial in map(str, result["stopped"])]  # type: ignore[call-overload]
    days = f"{written.by / 86_400:g}"
    tail_zh, tail_en = (f"，停用：{', '.join(stopped)}", f", stopped: {', '.join(stopped)}") if stopped else ("", "")
    return Told(Text(zh=f"时间前进{days}天{tail_zh}", en=f"{days} days pass{tail_en}"))


async def _load_keys(stage: Stage, written: OfTerminal) -> Told:
    await stage.world.load_keys(written.terminal)
    values = stage.world.devices[written.terminal].terminal.board.secure_module.check_values()
    shown = ", ".join(f"{use} {value}" for use, value in values.items())
    return Told(Text(zh=f"校验值 {shown}", en=f"check value {shown}"))


ACT_STEPS: Final = (
    act_step("order", Order, "Order a device for the till of its cast member, or for stock.", _order),
    act_step("ship", OfTerminal, "The depot sends it."),
    act_step("deliver", OfTerminal, "It arrives at the merchant's."),
    StepSpec("load_keys", OfTerminal, None, "The depot loads the master key into the device.", _load_keys),
    act_step("submit", Submit, "Hand in the merchant's registration form."),
    act_step("review", OfTerminal, "Hold the form against the rules: approved or rejected.", tell=tell_review),
    act_step("show", OfTerminal, "Look at a terminal: state, turnover, holds."),
    act_step("hold", Hold, "Suspend a terminal for one reason.", _hold, tell_holds),
    act_step("release", Release, "Lift one reason.", tell=tell_holds),
    act_step("retire_model", RetireModel, "Put a model on the retirement list.", as_written, _tell_plan),
    act_step("stop", Stop, "Stop a terminal at once."),
    act_step("replace", Replace, "Let a new device take over from an old one.", _replace, _tell_replaced),
    act_step("begin_swap", Replace, "Order the swap of a device for a delivered one.", _replace, _tell_swap),
    act_step("cancel_swap", OfTerminal, "Call the swap of an old device off.", tell=_tell_swap),
    act_step("publish_firmware", OfVersion, "Offer a firmware image.", _publish, _tell_firmware),
    act_step("require_firmware", OfVersion, "Refuse older firmware.", as_written, _tell_firmware),
    act_step("publish_parameters", Published, "Publish a newer version of a download.", _publish_table, _tell_table),
    act_step("ask_for", Wish, "Ask a terminal by the header of its next reply.", tell=_tell_wish),
    act_step("payout", OfTerminal, "Pay the merchant's settled batches.", _payout, _tell_payout),
    act_step("accounts", Nothing, "Sum up every account.", as_written, _tell_accounts),
    StepSpec("advance", Advance, None, "Let time pass for the host and every device.", _advance),
)
