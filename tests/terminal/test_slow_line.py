"""A terminal on a slow, distant or dead network: what waits, what goes first, and what the cashier reads."""

from __future__ import annotations

import asyncio

import pytest

from firmware_sim.network import NETWORKS
from terminal.line_faults import LINE_FAULTS
from terminal.transaction import Signing
from tests.terminal.bench import Bench, bench_at
from tests.terminal.fake_host import FakeHost
from tests.virtual_time import run_at_once


def test_the_next_sale_goes_before_a_slow_upload() -> None:
    """At 300 bit/s the queue would wait for a picture, and the picture would be lost at last (N24, G3)."""

    async def main() -> None:
        async with bench_at(FakeHost()) as bench:
            assert (await bench.do("sign_in")).is_good
            bench.hardware.network = NETWORKS["collapsed"]
            for _ in range(2):
                began = asyncio.get_running_loop().time()
                outcome = await bench.do("sale", "60.00", "credit", "123456")
                assert outcome.result == "approved"
                assert asyncio.get_running_loop().time() - began < 20
                row = bench.terminal.book.find(outcome.stan)
                assert row is not None
                assert row.signature == Signing.CAPTURED
            assert bench.screens.count("the network is slow: the signature is sent later") == 2
            assert len(bench.terminal.book.signatures) == 2
            bench.hardware.network = NETWORKS["gprs"]
            assert (await bench.do("echo")).is_good
            assert not bench.terminal.book.signatures
            assert (await bench.do("settle")).is_good
            assert bench.is_resolved()

    run_at_once(main())


def test_a_settlement_brings_what_waited_over_the_slow_line() -> None:
    """A signature would never reach the host of a shop with a bad line (N24, G5)."""

    async def main() -> None:
        async with bench_at(FakeHost(), reply_timeout_s=60) as bench:
            assert (await bench.do("sign_in")).is_good
            bench.hardware.network = NETWORKS["collapsed"]
            outcome = await bench.do("sale", "60.00", "credit", "123456")
            assert outcome.result == "approved"
            assert (await bench.do("settle")).is_good
            assert not bench.terminal.book.signatures

    run_at_once(main())


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    ("fault", "code"), [("line.no_signal", "no_signal"), ("line.busy", "busy"), ("line.no_carrier", "no_carrier")]
)
async def test_the_cashier_reads_why_there_is_no_line(bench: Bench, fault: str, code: str, language: str) -> None:
    """The shop would ring support about a host that is well."""
    bench.hardware.faults.arm(fault)
    outcome = await bench.do("sign_in")
    assert (outcome.reason, outcome.detail["line"]) == ("terminal.no_line", code)
    row = LINE_FAULTS[code]
    shown = "\n".join(getattr(screen, language) for screen in bench.hardware.shown)
    said, remedy = (row.chinese, row.remedy_chinese) if language == "zh" else (row.english, row.remedy_english)
    assert said in shown
    assert remedy in shown
