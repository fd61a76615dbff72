"""What TLS costs: a sale from the card to its durable commit, and a connection, against the same over TCP.

Host and terminals are those of a world in this process, both sides with certificates; the two ways take turns.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from firmware_sim.models import MODELS
from host.policy import Activation, Policy
from pos_lab.bench.paired import Row, Spread
from pos_lab.scenario.model import CastMember
from pos_lab.world import Over, World, world
from protocol.transport import connect

ROUNDS: Final = 9
SALES_A_ROUND: Final = 10
CONNECTIONS_A_ROUND: Final = 20
_WAYS: Final = (Over.TLS, Over.TCP)
_MODEL: Final = "PX-E90"
_TILL: Final = "till"
_MEMBER: Final = CastMember(
    serial_number="BENCH000001",
    model=_MODEL,
    firmware=MODELS[_MODEL].factory_firmware,
    terminal_id="10000001",
    merchant_id="898000000000001",
)


def tls() -> list[Row]:
    """Milliseconds of a sale and of a connection over TLS, with TCP as the peer."""
    return asyncio.run(_measure())


async def _measure() -> list[Row]:
    took: dict[tuple[str, Over], list[float]] = {(what, over): [] for what in ("sale", "connect") for over in _WAYS}
    async with AsyncExitStack() as stack:
        worlds = {over: await _world(stack, over) for over in _WAYS}
        for _ in range(ROUNDS):
            for over, built in worlds.items():
                took["sale", over].append(await _sales_ms(built))
                took["connect", over].append(await _connections_ms(built.url))
    return [
        Row(f"tls.{what}", "ms", Spread.of(took[what, Over.TLS]), {"tcp": Spread.of(took[what, Over.TCP])})
        for what in ("sale", "connect")
    ]


async def _world(stack: AsyncExitStack, over: Over) -> World:
    directory = Path(stack.enter_context(TemporaryDirectory(prefix="poslab-bench-")))
    policy = Policy(activation=Activation(turnover_fen=1))
    built = await stack.enter_async_context(world({_TILL: _MEMBER}, policy, over, directory, seed=1))
    who = _MEMBER.model_dump(include={"terminal_id", "merchant_id", "serial_number", "model"})
    await built.act("register", **who)
    await built.load_keys(_TILL)
    await _sell(built)  # signs on
    return built


async def _sell(built: World) -> None:
    outcome = await built.devices[_TILL].terminal.do("sale", "1.00", "debit", "123456")
    if not outcome.is_good:
        raise RuntimeError(f"a sale was refused: {outcome.code} {outcome.text_en}")


async def _sales_ms(built: World) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(SALES_A_ROUND):
        await _sell(built)
    return (loop.time() - began) / SALES_A_ROUND * 1000


async def _connections_ms(url: str) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(CONNECTIONS_A_ROUND):
        transport, _ = await connect(url, asyncio.Protocol)
        transport.close()
    return (loop.time() - began) / CONNECTIONS_A_ROUND * 1000
