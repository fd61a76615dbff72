"""Steps that happen at a terminal: what a cashier, a supervisor, a bad line, a power cut or a forger does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from firmware_sim.cards import TEST_CARDS
from firmware_sim.faults import FAULT_POINTS, Hold
from firmware_sim.power import Phase, PowerLost
from firmware_sim.signature_pad import SIGNATURES
from host.written import AmountFen, BalanceFen, Count, Digits, FirmwareVersion, Flag, Shape, mistake, shown
from pos_lab.books import compare_books
from pos_lab.forgery import FORGED, forge_reply, is_fetch_reply
from pos_lab.scenario.errors import did_you_mean
from pos_lab.scenario.model import Language, Name, ResponseCode, ScenarioModel, StepList, StepSpec, TerminalRef, Text
from pos_lab.scenario.steps.stage import Stage, StepError, Told
from pos_lab.scenario.story import Fact
from pos_lab.world import Device
from protocol.downloads import DOWNLOADS
from protocol.money import yuan
from terminal.flows import WAYS
from terminal.outcome import Outcome

Reason = Annotated[str, Shape(r"[a-z_]+(\.[a-z0-9_]+)?", "a reason such as terminal.stopped")]
CardName = Annotated[
    str,
    Shape(
        rf"({'|'.join(TEST_CARDS)})(:({'|'.join(WAYS)})(\+({'|'.join(WAYS)}))*)?",
        f"a test card: {', '.join(TEST_CARDS)}; and perhaps how, as in credit:swipe",
    ),
]
SignatureName = Annotated[
    str, Shape(rf"{'|'.join(SIGNATURES)}|cancel", f"a signature: {', '.join(SIGNATURES)}; or cancel")
]
FAULTS: Final = tuple(name for name, point in FAULT_POINTS.items() if point.takes(None))
"""What a scenario can let happen: every fault point that needs nothing but its name."""
_LOST_REPLY: Final = "line.drop_reply"
_MONEY: Final = frozenset(bytes.fromhex(mti) for mti in ("0100", "0110", "0200", "0210", "0220", "0230"))


def _known_fault(value: str) -> str:
    if value not in FAULTS:
        raise mistake(f"there is no fault point {shown(value)}", did_you_mean(value, FAULTS))
    return value


FaultName = Annotated[
    str, Shape(r"[a-z_]+\.[a-z_]+", "a fault point such as reader.torn"), AfterValidator(_known_fault)
]


class AtTerminal(ScenarioModel):
    """Something at one terminal."""

    terminal: TerminalRef


class Disturbed(AtTerminal):
    """A request for money, and what goes wrong with it.

    ``as`` names it for a later step. ``fault`` is a fault point that happens once, on the line to a message for money.
    ``before_reply`` happens while the host's reply is on the wire; ``power_cut_at``
    cuts the power at the n-th durable write from here, 1 is the first.
    """

    amount: AmountFen
    name: Name | None = Field(None, alias="as")
    fault: FaultName | None = None
    before_reply: StepList = ()
    power_cut_at: Count | None = None


class Purchase(Disturbed):
    """What a card pays, and what goes wrong with it.

    ``as`` names it for a later void or refund. ``fault`` is a fault point that happens once, on the line to a message
    for money. ``before_reply`` happens while the host's reply is on the wire;
    ``power_cut_at`` cuts the power at the n-th durable write from here, 1 is the first. ``signature`` is what the
    cardholder draws on the pad, where one is needed and there is a pad.
    """

    card: CardName = "debit"
    pin: Annotated[str, Digits(4, 12)] | None = None
    signature: SignatureName | None = None


class OfSale(AtTerminal):
    """``of`` is the name that a sale got with ``as``."""

    of: Name


class Refund(OfSale):
    """At most what is left of the sale; the card is the sale's."""

    amount: AmountFen
    card: CardName = "debit"


class Download(AtTerminal):
    """``name`` is a download such as contactless, or all."""

    name: Annotated[str, Shape("|".join(("all", *DOWNLOADS)), f"all, {', '.join(DOWNLOADS)}")] = "all"


class OutcomeExpectation(ScenarioModel):
    """What the cashier is told, and what is seen afterwards."""

    outcome: Literal["approved", "done", "refused", "unknown", "cancelled", "power_lost"] | None = None
    code: ResponseCode | None = None
    reason: Reason | None = None
    remedy: Flag | None = None
    balanced: Flag | None = None
    signature: Literal["none", "free", "captured", "uploaded", "paper"] | None = None
    balance: BalanceFen | None = None
    notice: Reason | None = None
    firmware: FirmwareVersion | None = None


class DownloadExpectation(OutcomeExpectation):
    """``tables`` are all that the terminal has then, in order of the alphabet."""

    tables: str | None = None


async def run_flow(stage: Stage, name: str, flow: str, *words: str, keep_as: str | None = None) -> Told:
    """Play one flow of a terminal and tell what the cashier was told, with what the terminal did on the way.

    The outcome is kept under ``keep_as`` for a later step.
    """
    device = stage.world.devices[name]
    terminal = device.terminal
    seen = len(terminal.told)
    try:
        outcome = await terminal.do(flow, *words)
    except PowerLost:
        return _in_the_dark(device)
    if keep_as:
        stage.named[keep_as] = outcome
    return tell(device, outcome, terminal.told[seen:])


def _in_the_dark(device: Device) -> Told:
    """The power went in the middle, and comes back."""
    device.power_cycle()
    text = Text(zh="断电，重新开机后恢复", en="the power went; it was switched on again and recovered")
    return Told(text, False, {"outcome": "power_lost", "code": "", "reason": "", "remedy": False})


def tell(device: Device, outcome: Outcome, told: Sequence[Outcome]) -> Told:
    """An outcome as a step tells it; ``told`` is all that the cashier was told meanwhile. Staged firmware boots."""
    if device.terminal.reboot_due:
        device.power_cycle()
    terminal = device.terminal
    notices = terminal.book.notices
    row = terminal.book.find(outcome.stan)
    return Told(
        Text(zh="；".join(_said(each, "zh") for each in told), en="; ".join(_said(each, "en") for each in told)),
        outcome.is_good,
        {
            "outcome": outcome.result,
            "code": outcome.code,
            "reason": outcome.reason,
            "remedy": bool(outcome.remedy_zh and outcome.remedy_en),
            "balanced": outcome.detail.get("balanced") == "yes",
            "signature": row.signature or "none" if row else "none",
            "balance": int(outcome.detail.get("balance_fen", 0)),
            "notice": notices[-1].reason if notices else "",
            "firmware": terminal.board.running.version,
        },
    )


def _said(outcome: Outcome, language: Language) -> str:
    zh = language == "zh"
    text, remedy = (outcome.text_zh, outcome.remedy_zh) if zh else (outcome.text_en, outcome.remedy_en)
    arrow = " → " if text and remedy else ""
    return f"{outcome.code} {text}{arrow}{remedy}".strip() or outcome.result


async def _sale(stage: Stage, written: Purchase) -> Told:
    return await play(stage, written, "sale", written.card, pin_of(written), written.signature or "")


def pin_of(written: Purchase) -> str:
    """The PIN that the cardholder enters: the card's own unless told, "" for none."""
    return TEST_CARDS[written.card.partition(":")[0]].pin if written.pin is None else written.pin


async def play(stage: Stage, written: Disturbed, flow: str, *words: str) -> Told:
    """Play a flow that asks for money, with everything that shall go wrong; ``words`` follow the amount."""
    device = stage.world.devices[written.terminal]
    terminal, faults = device.terminal, device.hardware.faults
    seen = len(terminal.told)
    hold = Hold() if written.before_reply else None
    fault = written.fault or ""
    if hold:
        faults.arm("line.hold_reply", hold, when=_is_money)
        fault = fault if fault != _LOST_REPLY else ""  # the reply that is held is never released
    if fault:
        fired = faults.fired[fault]
        faults.arm(fault, when=_is_money)
    if written.power_cut_at:
        device.hardware.power.cut_at(written.power_cut_at, Phase.AFTER, of="barrier")
    selling = asyncio.ensure_future(terminal.do(flow, yuan(written.amount), *words))
    missed = False
    if hold:
        missed = not await _is_held(hold, selling)
        if missed:
            _take_back(device, fault)
        for step in () if missed else written.before_reply:
            await stage.play(step)
        if written.fault != _LOST_REPLY:
            hold.release()
    try:
        outcome = await selling
    except PowerLost:
        if missed and written.power_cut_at:
            device.power_cycle()
            raise StepError("the power went before a reply came: nothing can happen before that reply") from None
        return _in_the_dark(device)
    if missed:
        raise StepError(f"there was no reply, it was {outcome.result}: nothing can happen before that reply")
    if fault and faults.fired[fault] == fired:
        faults.disarm(fault)
        raise StepError(f"{fault} never came: nothing here asks for it")
    if device.hardware.power.spare():
        text = Text(zh="断电点没有到达", en=f"write {written.power_cut_at} never came, so the power stayed")
        return Told(text, False, {"outcome": outcome.result})
    if written.name:
        stage.named[written.name] = outcome
    return tell(device, outcome, terminal.told[seen:])


async def _is_held(hold: Hold, selling: asyncio.Future[Outcome]) -> bool:
    """Whether a reply waits, or what was begun has ended without one."""
    caught = asyncio.ensure_future(hold.caught())
    await asyncio.wait((caught, selling), return_when=asyncio.FIRST_COMPLETED)
    if caught.done():
        return True
    caught.cancel()
    return False


def _take_back(device: Device, fault: str) -> None:
    """The trouble of a step that went no further than its request is not the next one's."""
    device.hardware.faults.disarm("line.hold_reply")
    if fault:
        device.hardware.faults.disarm(fault)
    device.hardware.power.spare()


def _is_money(payload: bytes) -> bool:
    """A request for money or its reply, by MTI: sign-ons on the way to it are left alone."""
    return payload[11:13] in _MONEY


async def _void(stage: Stage, written: OfSale) -> Told:
    sale = named(stage, written.of)
    return await run_flow(stage, written.terminal, "void", sale.stan)


async def _refund(stage: Stage, written: Refund) -> Told:
    sale = named(stage, written.of)
    words = (yuan(written.amount), written.card, sale.rrn, f"{stage.world.now():%m%d}")
    return await run_flow(stage, written.terminal, "refund", *words)


def named(stage: Stage, name: str) -> Outcome:
    """What got a name with ``as``; raises StepError where nothing did."""
    if name not in stage.named:
        raise StepError(f"no sale was named {name!r} before this step")
    return stage.named[name]


async def _forge_notice(stage: Stage, written: AtTerminal) -> Told:
    device = stage.world.devices[written.terminal]
    terminal = device.terminal
    forge = forge_reply(
        device.member.serial_number, terminal.board.secure_module.mac, int(stage.world.now().timestamp())
    )
    device.hardware.faults.arm("line.replace_reply", forge, when=is_fetch_reply)
    told = await run_flow(stage, written.terminal, "commands")
    device.hardware.faults.disarm("line.replace_reply")  # where no reply came, the forger goes home
    believed = any(notice.reason == FORGED for notice in terminal.book.notices)
    return replace(told, went_well=told.actual["outcome"] == "refused" and not believed)


async def _books_agree(stage: Stage, written: AtTerminal) -> Told:
    device = stage.world.devices[written.terminal]
    comparison = await stage.world.read(lambda books: compare_books(device.terminal.book, device.member, books))
    for row in comparison.rows:
        label = Text(zh=f"{written.terminal} 批次{row.batch}", en=f"{written.terminal}, batch {row.batch}")
        stage.facts[f"{written.terminal}.{row.batch}"] = Fact(label, terminal=row.terminal, host=row.host)
    told = "; ".join(comparison.differences) or f"{len(comparison.rows)} batches"
    zh = "；".join(comparison.differences) or f"{len(comparison.rows)}个批次一致"
    return Told(Text(zh=zh, en=told), not comparison.differences)


def _flow(flow: str, summary: str) -> StepSpec:
    async def run(stage: Stage, written: AtTerminal) -> Told:
        return await run_flow(stage, written.terminal, flow)

    return StepSpec(flow, AtTerminal, OutcomeExpectation, summary, run)


async def _download(stage: Stage, written: Download) -> Told:
    told = await run_flow(stage, written.terminal, "download", written.name)
    terminal = stage.world.devices[written.terminal].terminal
    tables = ", ".join(sorted(terminal.book.downloads))
    return replace(told, actual={**told.actual, "tables": tables})


async def _cut_power(stage: Stage, written: AtTerminal) -> Told:
    stage.world.devices[written.terminal].power_cycle()
    return Told(Text(zh="断电后重新开机", en="the power was cut and came back"))


TERMINAL_STEPS: Final = (
    _flow("sign_in", "Sign on: load the working keys."),
    _flow("sign_off", "Sign off."),
    _flow("echo", "Test the line."),
    _flow("status", "Upload the status."),
    _flow("why", "Ask the host why this terminal may not sell."),
    _flow("reverse", "Resolve what is pending."),
    _flow("commands", "Fetch and carry out signed commands."),
    _flow("settle", "Settle the batch."),
    _flow("reprint", "Give out the last slip again."),
    _flow("cashier_sign_in", "Tell the host who is at the till."),
    StepSpec("download", Download, DownloadExpectation, "Fetch parameters or tables: one, or all.", _download),
    StepSpec("sale", Purchase, OutcomeExpectation, "Sell, and let something go wrong.", _sale),
    StepSpec("void", OfSale, OutcomeExpectation, "Void a sale of this batch.", _void),
    StepSpec("refund", Refund, OutcomeExpectation, "Give money back.", _refund),
    StepSpec("forge_notice", AtTerminal, OutcomeExpectation, "Let a forger answer the terminal.", _forge_notice),
    StepSpec("cut_power", AtTerminal, None, "Cut the power and switch it on again.", _cut_power),
    StepSpec("books_agree", AtTerminal, None, "Hold the terminal's book against the host's.", _books_agree),
)
