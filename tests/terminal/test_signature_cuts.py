"""The power goes at every point of a sale with its signature: the money is right, and nothing is signed twice."""

from __future__ import annotations

import pytest

from firmware_sim.power import cuts
from terminal.transaction import Signing, State
from tests.terminal.bench import Bench, bench_at, once, swallow
from tests.terminal.fake_host import FakeHost

pytestmark = pytest.mark.feature("E")

PIN = "918273645091"


async def _play(bench: Bench, upload: str) -> None:
    if upload == "lost":
        bench.host.after.append(once("signature_upload", swallow))
    await bench.do_or_die("sale", "60.00", "credit", PIN, "initials")
    if upload != "at once":
        await bench.do_or_die("echo")


async def _sign_in(bench: Bench) -> None:
    assert (await bench.do("sign_in")).is_good


def _settings(upload: str) -> dict[str, str]:
    return {"signature_upload": "queued" if upload == "queued" else "at_once"}


@pytest.mark.parametrize("upload", ["at once", "queued", "lost"])
async def test_a_cut_at_every_point_of_a_signed_sale(upload: str) -> None:
    """The evidence, or the money, would depend on the socket (G1, G3, G5)."""
    async with bench_at(FakeHost(), **_settings(upload)) as bench:
        await _sign_in(bench)
        with bench.hardware.power.watched() as points:
            await _play(bench, upload)
    assert points.count("line.send") >= 2
    seen = set()
    for number, phase in cuts(points):
        async with bench_at(FakeHost(), **_settings(upload)) as bench:
            await _sign_in(bench)
            bench.hardware.power.cut_at(number, phase)
            await _play(bench, upload)
            bench.host.after.clear()
            if bench.hardware.power.is_on:
                bench.restart()
            waiting = bench.terminal.book.signatures
            bench.restart()
            where = f"{upload}, {phase.value} {points[number - 1]}, point {number}"
            assert bench.terminal.book.signatures == waiting, where
            assert (await bench.do("reverse")).is_good, where
            assert bench.captured() == bench.host.captured(), where
            rows = [row for row in bench.terminal.book.rows.values() if row.state is State.CAPTURED]
            seen |= {row.signature for row in rows}
            for row in rows:
                assert row.signature in (Signing.UPLOADED, Signing.PAPER), where
                assert (row.key in bench.host.signatures) is (row.signature is Signing.UPLOADED), where
            assert (await bench.do("settle")).detail["balanced"] == "yes", where
            assert bench.terminal.book.signatures == (), where
    assert seen == {Signing.UPLOADED, Signing.PAPER}
