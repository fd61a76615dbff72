"""A supervisor drops the reversal of a void or an adjustment that the host has done: the settlement names the rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from host.policy import Activation, Policy
from pos_lab.world import Over, World, world
from tests.end_to_end.shop import Till


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[World]:
    """A host at which the first sale activates."""
    async with world({}, Policy(activation=Activation(turnover_fen=1)), Over.MEMORY, tmp_path, seed=7) as built:
        yield built


@pytest.mark.parametrize(
    ("flow", "words", "host_fen"),
    [("void", (), None), ("completion_void", (), None), ("tip_adjustment", ("60.50",), 60_50)],
)
async def test_what_was_cleared_is_named_at_the_settlement(
    lab: World, flow: str, words: tuple[str, ...], host_fen: int | None
) -> None:
    """The shop would believe that it has money that its bank gave back, and nobody ever look (decision 2, S3)."""
    till = await Till.open(lab, 1)
    assert (await till.sell(60_00, "credit")).is_good
    if flow == "completion_void":
        held = await till.do("preauth", "60.00", "credit", "")
        done = await till.do("completion", "60.00", "credit", held.detail["auth_id"], held.detail["date"])
        assert done.is_good
    [*_, original] = till.sold
    till.device.hardware.faults.arm("line.drop_reply")
    with till.impatient():
        undoing = await till.do(flow, original, *words)
    assert undoing.result == "unknown"
    assert (await till.do("clear_reversal")).is_good
    settled = await till.do("settle")
    assert (settled.result, settled.detail["balanced"]) == ("done", "no")
    found = await lab.read(lambda books: books.rows("differences"))
    named = {row["stan"]: (row["host_fen"], row["terminal_fen"]) for row in found}
    in_its_place = {undoing.stan: (host_fen, None)} if host_fen else {}
    assert named == {original: (None, 60_00), **in_its_place}
    assert (await lab.act("verify"))["violations"] == []
