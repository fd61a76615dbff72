"""The cashier's and the supervisor's side, with the real host: registration, operators, pause, announcements."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from host.policy import Activation, Policy
from pos_lab.world import Device, Over, World, world
from tests.end_to_end.shop import Till, member

FORM = ("街角便利店", "王小明", "13000000000", "实验路一号院")
TEXTS = {"title_zh": "公告", "title_en": "News", "text_zh": "请更换纸卷。", "text_en": "Change the paper roll."}
BOSS, CASHIER = "246810", "135791"


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr("pos_lab.world.REPLY_TIMEOUT_S", 30.0)
    async with world({}, Policy(activation=Activation(turnover_fen=1)), Over.MEMORY, tmp_path, seed=12) as built:
        yield built


async def delivered(lab: World) -> Device:
    """A device out of its box, with its keys, that nobody has registered."""
    who = member(1)
    device = lab.add("till", who)
    till = {"terminal_id": who.terminal_id, "merchant_id": who.merchant_id}
    await lab.act("order", serial_number=who.serial_number, model=who.model, **till)
    await lab.load_keys("till")
    for act in ("ship", "deliver"):
        await lab.act(act, serial_number=who.serial_number)
    return device


async def shown(till: Till) -> dict[str, Any]:
    """What the desk sees of it."""
    return await till.world.act("show", serial_number=till.device.member.serial_number)


async def test_a_shop_registers_itself(lab: World) -> None:
    """A merchant would hold a terminal that nobody but the acquirer's own staff can bring to life."""
    device = await delivered(lab)
    terminal, serial_number = device.terminal, device.member.serial_number
    refused = await terminal.do("sale", "1.00", "debit", "123456")
    assert (refused.code, refused.reason) == ("97", "terminal.not_registered")
    assert refused.remedy_en == "submit the registration and wait for its review"
    assert (await terminal.do("register", FORM[0], FORM[1], "12", FORM[3])).detail["state"] == "submitted"
    await lab.act("review", serial_number=serial_number)
    rejected = await terminal.do("register")
    assert (rejected.detail["state"], "联系电话格式不正确" in rejected.text_zh) == ("rejected", True)
    device.power_cycle()
    assert (await device.terminal.do("register", "", "", FORM[2])).detail["state"] == "submitted"
    assert "submitted" in (await device.terminal.do("why")).text_en
    await lab.act("review", serial_number=serial_number)
    assert (await device.terminal.do("register")).detail["state"] == "registered"
    assert (await device.terminal.do("sale", "1.00", "debit", "123456")).result == "approved"


async def test_a_form_is_filed_as_it_was_entered_last(lab: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract would go to an address that was corrected, or name a telephone number that nobody entered."""
    device = await delivered(lab)
    line = device.terminal.board.line
    send, receive, sent, late = line.send, line.receive, list[bytes](), list[bytes]()

    async def bent(payload: bytes) -> None:
        if late:
            await send(late.pop())
            await receive(30.0)
        sent.append(payload)
        await send(payload.replace(FORM[2].encode(), b"13000000001") if len(sent) == 1 else payload)

    async def filed() -> tuple[str, ...]:
        [row] = await lab.read(lambda books: books.rows("registrations"))
        return tuple(row[name] for name in ("name", "contact", "telephone", "address"))

    monkeypatch.setattr(line, "send", bent)
    first = (*FORM[:3], "实验路二号院")
    assert (await device.terminal.do("register", *first)).detail["state"] == "submitted"
    assert (await filed(), len(sent)) == (first, 2)
    assert (await device.terminal.do("register", "", "", "", FORM[3])).detail["state"] == "submitted"
    late.append(sent[1])
    assert (await device.terminal.do("register")).detail["state"] == "submitted"
    assert (await filed(), len(sent)) == (FORM, 5)


async def test_a_pause_is_the_hosts_as_well(lab: World) -> None:
    """The merchant closes the shop, and the acquirer knows nothing."""
    till = await Till.open(lab, 1)
    await till.sell(600)
    assert (await till.do("pause")).detail["told"] == "yes"
    assert (await shown(till))["holds"] == ["merchant"]
    assert (await till.sell(600)).reason == "terminal.paused"
    assert (await till.do("settle")).result == "done"
    assert (await till.do("resume")).detail["told"] == "yes"
    assert (await shown(till))["holds"] == []
    assert (await till.sell(600)).result == "approved"
    await till.assert_sound()


async def test_an_announcement_is_read_before_the_next_sale(lab: World) -> None:
    """The acquirer announces, and nobody can tell who knew."""
    till = await Till.open(lab, 1)
    await till.sell(600)
    await lab.act("announce", **TEXTS)
    await till.do("echo")
    assert (await till.sell(600)).reason == "terminal.announcement_unread"
    assert (await till.do("acknowledge")).text_en == "News"
    [notice] = (await shown(till))["notices"]
    assert (notice["state"], notice["read_at"]) == ("acknowledged", till.device.terminal.book.notices[0].read_at)
    assert (await till.sell(600)).result == "approved"
    await till.assert_sound()


async def test_a_day_with_operators(lab: World) -> None:
    """A shop with roles could not sell, refund or settle."""
    till = await Till.open(lab, 1)
    assert (await till.do("log_on", "00", BOSS, BOSS)).is_good
    assert (await till.do("add_operator", "01", "112233")).is_good
    assert (await till.do("log_on", "01", "112233", CASHIER, CASHIER)).is_good
    assert (await till.do("cashier_sign_in")).detail["operator"] == "01"
    sold = await till.sell(600)
    assert (await till.do("settle")).is_good
    date = till.device.terminal.board.clock.now().strftime("%m%d")
    refund = ("refund", "6.00", "debit", sold.rrn, date)
    assert (await till.do(*refund)).reason == "terminal.supervisor_needed"
    assert (await till.do(*refund, BOSS)).result == "approved"
    trail = await till.do("audit", BOSS)
    assert sum("supervisor: refund" in line for line in trail.detail.values()) == 1
    audit: Any = await lab.act("audit", serial_number=till.device.member.serial_number)
    assert [row["detail"] for row in audit["audit"] if row["act"] == "cashier"] == ["01"]
    await till.assert_sound()
