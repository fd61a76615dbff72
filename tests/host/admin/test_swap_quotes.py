"""What a swap costs, which deposit it needs, when it is: quoted once and kept (product X1, X3, X4)."""

from __future__ import annotations

from typing import Any

import pytest

from host.policy import Policy, Retirement, Service
from tests.host.admin.test_ending import stock
from tests.host.admin.test_repairs import refused
from tests.host.handlers.test_swap import restored
from tests.host.wire import Lab, Wire

FEE_FEN, DEPOSIT_FEN = 1_500, 10_000


@pytest.fixture
def charged(lab: Lab) -> Wire:
    """A till at an acquirer whose swaps cost something and need a deposit, two of them a day."""
    service = Service(swap_fee_fen=FEE_FEN, deposit_fen=DEPOSIT_FEN, swaps_a_day=2)
    lab.policy = lab.acquirer.policy = Policy(service=service, retirement=Retirement(window_s=3600))
    return Wire(lab).activated()


def begun(wire: Wire, new: Wire, **options: Any) -> dict[str, Any]:
    return wire.lab.act("begin_swap", serial_number=wire.serial_number, successor=new.serial_number, **options)


def deposit_fen(wire: Wire) -> int:
    return int(wire.lab.act("merchants", merchant_id=wire.merchant_id)["merchants"][0]["deposit_fen"])


@pytest.mark.feature("X4")
def test_a_swap_costs_what_was_quoted_whatever_the_policy_says_later(charged: Wire) -> None:
    """The merchant would be told one fee and pay another."""
    lab, new = charged.lab, stock(charged.lab)
    quote = lab.act("quote_swap", serial_number=charged.serial_number)
    assert (quote["fee_fen"], quote["deposit_fen"], quote["due_fen"]) == (FEE_FEN, DEPOSIT_FEN, FEE_FEN + DEPOSIT_FEN)
    about = {"serial_number": charged.serial_number, "successor": new.serial_number}
    assert refused(lab, "begin_swap", **about) == "deposit_short"
    lab.act("deposit", merchant_id=charged.merchant_id, amount_fen=quote["due_fen"])
    assert refused(lab, "begin_swap", **about, quoted_fen=FEE_FEN - 1) == "quote"
    begun(charged, new, quoted_fen=FEE_FEN)
    assert deposit_fen(charged) == DEPOSIT_FEN
    lab.policy = lab.acquirer.policy = Policy(service=Service(swap_fee_fen=9_999))
    restored(charged, new)
    [swap] = lab.act("swaps")["swaps"]
    assert (swap["fee_fen"], swap["deposit_fen"], swap["credit_bp"], swap["rate_kept"]) == (1_500, 10_000, 60, True)
    assert deposit_fen(charged) == DEPOSIT_FEN
    assert (lab.act("accounts")["accounts"]["acquirer:service"], lab.act("accounts")["sum_fen"]) == (FEE_FEN, 0)


@pytest.mark.feature("X4")
@pytest.mark.parametrize("way", ["cancel", "replace"])
def test_a_swap_that_does_not_happen_costs_nothing(charged: Wire, way: str) -> None:
    """The merchant would pay for a device that never came."""
    lab, new = charged.lab, stock(charged.lab)
    lab.act("deposit", merchant_id=charged.merchant_id, amount_fen=FEE_FEN + DEPOSIT_FEN)
    begun(charged, new)
    if way == "cancel":
        lab.act("cancel_swap", serial_number=charged.serial_number)
    else:
        lab.act("replace", serial_number=charged.serial_number, successor=new.serial_number)
    assert deposit_fen(charged) == FEE_FEN + DEPOSIT_FEN
    assert lab.act("accounts")["sum_fen"] == 0


@pytest.mark.feature("X1", "X3")
def test_appointments_lie_in_the_off_peak_window_and_have_a_capacity(charged: Wire) -> None:
    """Ten shops would wait for one technician at noon."""
    lab = charged.lab
    tills = [charged, *(Wire(lab, f"PXE90-010{n}", f"1000010{n}", f"89810000000010{n}").activated() for n in range(2))]
    for till in tills:
        lab.act("deposit", merchant_id=till.merchant_id, amount_fen=FEE_FEN + DEPOSIT_FEN)
    spares = [stock(lab, f"NXE21-000{number}") for number in range(3)]
    told = [begun(till, new, day="2026-03-10")["appointment"] for till, new in zip(tills[:2], spares, strict=False)]
    assert told == ["2026-03-10 14:00", "2026-03-10 14:30"]
    third = {"serial_number": tills[2].serial_number, "successor": spares[2].serial_number}
    assert refused(lab, "begin_swap", **third, day="2026-03-10") == "capacity"
    assert refused(lab, "begin_swap", **third, day="2026-02-10") == "day"
    assert refused(lab, "begin_swap", **third, day="soon") == "day"
    lab.act("cancel_swap", serial_number=tills[0].serial_number)
    assert begun(tills[2], spares[2], day="2026-03-10")["appointment"] == "2026-03-10 14:00"
    waiting = lab.store.run(lambda books: books.waiting_commands(tills[2].serial_number, 0))
    assert b"2026-03-10 14:00" in waiting[-1].document
