"""The power goes at every point of the flows that no other file cuts off; and no flow is without such a test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

from firmware_sim.power import cuts
from terminal.flows import FLOWS
from terminal.records import fold, read
from terminal.recovery import recover
from tests.terminal.bench import SERIAL_NUMBER, Bench, bench_at, once, swallow
from tests.terminal.fake_host import FakeHost

PIN = "123456"
TEXTS: Final = {"title_zh": "通知", "title_en": "Notice", "text_zh": "维护", "text_en": "Maintenance"}
DATED: Final = {"reason": "model.retired", "stop_at": "2026-06-30"}
Play = Callable[[Bench], Awaitable[object]]
HERE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "sign_in": (),
        "sign_off": (),
        "echo": (),
        "status": (),
        "configuration": (),
        "cashier_sign_in": (),
        "why": (),
        "moto_sale": ("60.00", "6200000200000003", "3012"),
        "reprint": (),
        "training": ("on",),
        "clear_reversal": (),
        "notices": (),
        "acknowledge": ("enter",),
        "audit": (),
        "log_off": (),
    }
)
"""Flow -> the words of it that are cut off below."""

ELSEWHERE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "test_power_cuts.py": (
            "sale", "void", "refund", "balance", "qr_sale", "preauth", "additional_preauth", "preauth_void",
            "completion", "completion_advice", "completion_void", "offline_sale", "offline_adjustment",
            "tip_adjustment", "settle", "reverse",
        ),
        "test_downloads.py": ("download",),
        "test_keys.py": ("download_master_key",),
        "test_commands.py": ("commands",),
        "test_operators.py": ("log_on", "add_operator", "remove_operator"),
        "test_pause.py": ("pause", "resume"),
        "test_register.py": ("register",),
        "test_firmware.py": ("update",),
        "../end_to_end/test_swap.py": ("hand_over", "take_over"),
    }
)  # fmt: skip
"""File -> the flows that it cuts off at every point."""


async def _lose_a_sale(bench: Bench) -> None:
    bench.host.after.append(once("sale", swallow))
    await bench.sell()


async def _fetch(bench: Bench, kind: str) -> None:
    bench.host.enqueue(kind, {**TEXTS, **(DATED if kind == "notice" else {})}, SERIAL_NUMBER)
    await bench.do("commands")


PREPARED: Final[Mapping[str, Play]] = MappingProxyType(
    {
        "clear_reversal": _lose_a_sale,
        "notices": lambda bench: _fetch(bench, "notice"),
        "acknowledge": lambda bench: _fetch(bench, "announcement"),
    }
)


async def _begin(bench: Bench, flow: str) -> None:
    await bench.do("sign_in")
    assert (await bench.sell("10.00", "credit", PIN)).result == "approved"
    if flow in PREPARED:
        await PREPARED[flow](bench)


def test_every_flow_is_cut_off_somewhere() -> None:
    """A flow that nobody pulled the plug on would brick the terminals of a whole street."""
    cut = [*HERE, *(flow for flows in ELSEWHERE.values() for flow in flows)]
    assert sorted(cut) == sorted(FLOWS)
    for name in ELSEWHERE:
        assert "cuts(" in (Path(__file__).parent / name).read_text(encoding="utf-8"), name


@pytest.mark.parametrize("flow", HERE)
async def test_a_cut_at_every_point(flow: str) -> None:
    """A terminal whose plug was pulled at the wrong moment would not start, or forget what it owes."""
    words = HERE[flow]
    async with bench_at(FakeHost(), manual_entry=True) as bench:
        await _begin(bench, flow)
        with bench.hardware.power.watched() as points:
            good = await bench.do(flow, *words)
        assert good.result in ("done", "approved"), good
    for number, phase in cuts(points):
        where = f"{flow}, {phase.value} {points[number - 1]}, point {number}"
        async with bench_at(FakeHost(), manual_entry=True) as bench:
            await _begin(bench, flow)
            owed = bench.captured()
            bench.hardware.power.cut_at(number, phase)
            await bench.do_or_die(flow, *words)
            bench.restart()
            book = fold(map(read, bench.terminal.board.nvram.records()))
            assert (recover(book), book) == ([], bench.terminal.book), where
            assert owed <= bench.captured(), where
            if bench.terminal.book.training:
                await bench.do("training", "off")
            assert (await bench.do("reverse")).result == "done", where
            again = await bench.do(flow, *words)
            assert again.result in {good.result, "refused", "done"} or flow == "sign_off", where  # its keys are gone
            if bench.terminal.book.training:
                await bench.do("training", "off")
            if not bench.terminal.book.signed_on:
                await bench.do("sign_in")
            assert (await bench.sell("5.00", "credit", PIN)).result == "approved", where
            given_up = any(event.what == "reversal cleared" for event in bench.terminal.book.events)
            assert bench.captured() == bench.host.captured() or (given_up and flow == "clear_reversal"), where
