"""Steps that happen to the network between a terminal and its host."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Final

from firmware_sim.errors import DeviceError
from firmware_sim.network import NETWORKS
from host.written import Count, Shape
from pos_lab.scenario.model import StepSpec, Text
from pos_lab.scenario.steps.stage import Stage, StepError, Told
from pos_lab.scenario.steps.terminal_steps import AtTerminal

NetworkName = Annotated[str, Shape("|".join(NETWORKS), f"a network: {', '.join(NETWORKS)}")]


class Connected(AtTerminal):
    """``name`` is the network from now on; ``signal`` in bars, 0 to 5, and ``bandwidth_bps`` where they are others."""

    name: NetworkName
    signal: Count | None = None
    bandwidth_bps: Count | None = None


async def _network(stage: Stage, written: Connected) -> Told:
    other: dict[str, Any] = {
        name: value
        for name, value in (("signal", written.signal), ("bandwidth_bps", written.bandwidth_bps))
        if value is not None
    }
    try:
        network = replace(NETWORKS[written.name], **other)
    except DeviceError as error:
        raise StepError(str(error)) from error
    stage.world.devices[written.terminal].hardware.network = network
    bars = network.signal
    return Told(Text(zh=f"网络：{network.chinese}，信号{bars}格", en=f"network: {network.english}, {bars} bars"))


NETWORK_STEPS: Final = (
    StepSpec("network", Connected, None, "Connect the device by another network, faster or slower.", _network),
)
