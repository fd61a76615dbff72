"""Host and terminal as processes over TLS, where one of them is not who it should be: named, and no money moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from pos_lab.certificates import BAD
from pos_lab.soak.line import Plan
from pos_lab.soak.shops import Setting, Shops
from tests.end_to_end.shop import port_of

SALE = ("sale", "60.00", "debit", "123456", "")
HOSTS = {
    "expired": "peer_expired",
    "not_yet_valid": "peer_not_yet_valid",
    "wrong_name": "peer_wrong_name",
    "name_in_cn": "peer_wrong_name",
    "name_in_ou": "peer_wrong_name",
    "other_ca": "peer_other_ca",
    "self_signed": "peer_self_signed",
    "wrong_use": "peer_unfit",
    "revoked": "peer_revoked",
}
"""What the host has wrong -> what the terminal says of the line."""
TERMINALS = {
    "bad-expired": ("ours_expired", "the peer's certificate, or its CA's, has expired"),
    "bad-other_ca": ("ours_unknown_ca", "the peer's certificate comes from a CA that we do not trust"),
}
"""What the terminal shows -> what it says of the line, and what stands in the host's log."""


def captured(shops: Shops) -> int:
    """Sales in the host's books."""
    return len([row for row in shops.table.rows("transactions").values() if row["state"] == "captured"])


def line_said(shops: Shops) -> tuple[str, str]:
    """Why the latest flow failed, and what the line had to do with it."""
    told = shops.cashiers[0].told[-1]
    return told["reason"], told["detail"].get("line", "")


def test_every_bad_certificate_is_tried() -> None:
    """A way to deceive would be known, and nobody see whether it works."""
    assert set(HOSTS) == set(BAD)


@pytest.mark.timeout(300)
async def test_nobody_false_gets_a_sale_and_everybody_is_named(tmp_path: Path) -> None:
    """Whoever redirects a line would collect card numbers, or any box could sell; and a shop with an old certificate
    would search for its mistake for days (N26, N27, N28, N30, A08).
    """
    shops = Shops(Setting(tmp_path, 0, 1, tmp_path / "host.db", terminals=1, tls=True))
    async with shops.open():
        assert await shops.cashiers[0].play(*SALE)
        await _false_hosts(shops)
        await _lines_without_a_farewell(shops)
        await _false_terminals(shops)
        assert captured(shops) == 2
        await shops.finish()
    assert shops.witness.violations == []


async def _false_hosts(shops: Shops) -> None:
    """Each is told by what is wrong with it; the right one sells again."""
    (line,), (cashier,) = shops.lines, shops.cashiers
    port = port_of(line.url)
    for name, code in HOSTS.items():
        await line.listen(shops.door(f"bad-{name}", port))
        assert not await cashier.play(*SALE)
        assert line_said(shops) == ("terminal.no_line", code), name
    await line.listen(f"tcp://127.0.0.1:{port}")
    assert not await cashier.play(*SALE)
    assert line_said(shops)[0] == "terminal.no_line", "a host that is not encrypted"
    await line.listen(shops.door(port=port))
    assert captured(shops) == 1
    assert await cashier.play(*SALE)


async def _lines_without_a_farewell(shops: Shops) -> None:
    """What is cut off is no answer, be it half a reply or none."""
    (line,), (cashier,) = shops.lines, shops.cashiers
    for instant in ("half_reply", "held_reply"):
        plan = line.plan = Plan(instant)
        plan.over.set()
        assert not await cashier.play(*SALE)
        told = cashier.told[-1]
        assert (told["result"], line_said(shops)) == ("unknown", ("terminal.no_answer", "cut_off")), instant
        assert await cashier.insist("reverse")


async def _false_terminals(shops: Shops) -> None:
    """The host's log and the cashier's screen say the same; the last one is not encrypted at all."""
    (cashier,), found, log = shops.cashiers, shops.hosts.find(), shops.setting.database.with_suffix(".log")
    assert found
    direct = found[1].partition("?")[0]
    for shown, (code, words) in TERMINALS.items():
        await cashier.till.kill()
        shops.attach(1, direct + shops.shown(shown))
        assert not await cashier.play(*SALE)
        assert line_said(shops) in {("terminal.no_answer", code), ("terminal.no_line", code)}, shown
        assert words in log.read_text(encoding="utf-8"), shown
        await cashier.till.kill()
        shops.attach(1, shops.lines[0].url + shops.shown())
        assert await cashier.insist("reverse")
    await cashier.till.kill()
    shops.attach(1, direct.replace("tls:", "tcp:"))
    assert not await cashier.play("echo")
    await cashier.till.kill()
    shops.attach(1, shops.lines[0].url + shops.shown())
