"""Steps of a swap at its two devices: the old one hands over and is wiped, the new one takes over."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final

from firmware_sim.power import Phase
from host.written import Count, Flag, Shape
from pos_lab.scenario.model import StepSpec, Text
from pos_lab.scenario.steps.stage import Stage, Told
from pos_lab.scenario.steps.terminal_steps import AtTerminal, OutcomeExpectation, run_flow
from protocol.swap import SwapState

SwapName = Annotated[str, Shape("|".join(SwapState), f"one of {', '.join(SwapState)}")]


class AtSwap(AtTerminal):
    """``power_cut_at`` cuts the power at the n-th durable write from here, 1 is the first."""

    power_cut_at: Count | None = None


class SwapExpectation(OutcomeExpectation):
    """``swap`` is how far it is at the host then, ``wiped`` whether the device has no key and no batch any more."""

    swap: SwapName | None = None
    wiped: Flag | None = None


def _flow(flow: str, summary: str) -> StepSpec:
    async def run(stage: Stage, written: AtSwap) -> Told:
        power = stage.world.devices[written.terminal].hardware.power
        if written.power_cut_at:
            power.cut_at(written.power_cut_at, Phase.AFTER, of="barrier")
        told = await run_flow(stage, written.terminal, flow)
        if power.spare():
            text = Text(zh="断电点没有到达", en=f"write {written.power_cut_at} never came, so the power stayed")
            return Told(text, False, told.actual)
        return replace(told, actual={**told.actual, **await _standing(stage, written.terminal)})

    return StepSpec(flow, AtSwap, SwapExpectation, summary, run)


async def _standing(stage: Stage, name: str) -> dict[str, object]:
    device = stage.world.devices[name]
    swap = await stage.world.read(lambda books: books.swap(device.member.serial_number))
    return {"swap": str(swap.state) if swap else "", "wiped": device.terminal.book.is_wiped}


SWAP_STEPS: Final = (
    _flow("hand_over", "Give the till to the new device: drain, settle, back up; once it has all, wipe."),
    _flow("take_over", "Take the till over from the old device, with its backup."),
)
