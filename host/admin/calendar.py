"""What falls due with the days: warnings before holds, holds whose time is up (product R15, U10).

Nothing depends on it: holds begin and end by their dates without anybody. It tells people, and tidies the books.
"""

from __future__ import annotations

from datetime import datetime

from host.admin.desk import Desk, Result
from host.admin.service import announce
from host.decision import Update
from host.holds import stale_at
from host.lifecycle import IN_SERVICE
from host.records import Hold, Merchant
from host.suspension import lift
from host.written import CHINA_TIME


def sweep(desk: Desk) -> Result:
    """Warn merchants whose data are to be renewed, once, and close the holds whose time is up."""
    warned = _stale(desk)
    for merchant in warned:
        _warn(desk, merchant)
    ended = _ended(desk)
    for held in ended:
        desk.books.apply(lift(held, "host", held.until or desk.at))
    return {"warned": [merchant.merchant_id for merchant in warned], "ended": [held.number for held in ended]}


def is_sweep_due(desk: Desk) -> bool:
    """Is there something for ``sweep`` to do?"""
    return bool(_ended(desk) or _stale(desk))


def _ended(desk: Desk) -> list[Hold]:
    return list(desk.books.ended_holds(desk.at))


def _stale(desk: Desk) -> list[Merchant]:
    after_s = desk.policy.registration.stale_after_s
    found = desk.books.stale_merchants(desk.at, desk.at - after_s if after_s else 0)
    return [merchant for merchant in found if 0 < stale_at(merchant, desk.policy) <= desk.at]


def _warn(desk: Desk, merchant: Merchant) -> None:
    hold_at = stale_at(merchant, desk.policy) + desk.policy.registration.stale_grace_s
    day = f"{datetime.fromtimestamp(hold_at, CHINA_TIME):%Y-%m-%d}"
    for row in desk.books.rows("terminals", merchant_id=merchant.merchant_id):
        if row["state"] in IN_SERVICE:
            announce(
                desk,
                "商户资料待更新",
                "Your papers are to be renewed",
                f"请在{day}前更新商户资料，逾期将暂停交易。",
                f"Renew them before {day}: no sale after that.",
                serial_number=str(row["serial_number"]),
            )
    desk.books.write(Update("merchants", {"merchant_id": merchant.merchant_id}, {"warned_at": desk.at}))
    desk.note("", "warn merchant", f"{merchant.merchant_id}: papers to be renewed before {day}")
