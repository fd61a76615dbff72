"""Slips on paper, whole and in part."""

from __future__ import annotations

import pytest

from firmware_sim.errors import PrinterError
from firmware_sim.faults import Faults
from firmware_sim.models import MODELS
from firmware_sim.power import Phase, Power, PowerLost, cuts
from firmware_sim.printer import COLUMNS, CUT_HERE, Printer
from firmware_sim.text import columns_of

SLIP = ("商户: 街角便利店", "金额: RMB 60.00", "持卡人签名", "x" * 40)
ON_PAPER = [*SLIP[:3], "x" * 32, "x" * 8, CUT_HERE]


@pytest.fixture
def paper() -> list[str]:
    return []


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def printer(power: Power, faults: Faults, paper: list[str]) -> Printer:
    return Printer(power, faults, paper)


def test_a_slip_comes_out_as_wide_as_the_paper(printer: Printer, paper: list[str]) -> None:
    """The amount would be printed beside the paper."""
    printer.print(SLIP)
    assert paper == ON_PAPER
    assert all(columns_of(line) <= COLUMNS for line in paper)
    printer.print(())
    assert paper == [*ON_PAPER, CUT_HERE]


@pytest.mark.parametrize(
    ("fault", "code", "lines"),
    [("printer.out_of_paper", "out_of_paper", 0), ("printer.overheated", "overheated", 0), ("printer.jam", "jam", 2)],
)
@pytest.mark.feature("F")
def test_fault_what_stops_the_paper(
    printer: Printer, faults: Faults, paper: list[str], fault: str, code: str, lines: int
) -> None:
    """A jam would pass for a slip that the customer took."""
    faults.arm(fault)
    with pytest.raises(PrinterError) as stopped:
        printer.print(SLIP)
    assert (stopped.value.code, faults.fired[fault]) == (code, 1)
    assert paper == ON_PAPER[:lines]
    printer.print(SLIP)
    assert paper == ON_PAPER[:lines] + ON_PAPER


def test_the_power_goes_at_every_line(power: Power, faults: Faults) -> None:
    """Half a slip would be taken for a whole one, or come out after the power is gone."""
    with power.watched() as points:
        Printer(power, faults, []).print(SLIP)
    assert points == ["printer.line"] * len(ON_PAPER)
    for number, phase in cuts(points):
        paper: list[str] = []
        printer = Printer(power, faults, paper)
        power.cut_at(number, phase)
        with pytest.raises(PowerLost):
            printer.print(SLIP)
        assert paper == ON_PAPER[: number if phase is Phase.AFTER else number - 1]
        with pytest.raises(PowerLost):
            printer.print(SLIP)
        power.switch_on()


def test_some_models_have_a_printer() -> None:
    """A device for signatures on the screen would wait for its paper."""
    with_printer = {model.family.value for model in MODELS.values() if model.printer}
    assert "e_sign" not in with_printer
    assert "traditional" in with_printer
