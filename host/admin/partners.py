"""The switch by which a partner of the acquirer is taken for up, slow, down or wrong (product R9, P)."""

from __future__ import annotations

from host.admin.desk import Desk, Result
from host.decision import Insert
from host.errors import AdminError
from host.partners import PARTNERS, PartnerState


def partner(desk: Desk, name: str, state: str) -> Result:
    """Switch a partner: up, slow, down or wrong."""
    if name not in PARTNERS:
        raise AdminError(f"no partner {name!r}", hint=f"one of {', '.join(PARTNERS)}", code="unknown_partner")
    if state not in set(PartnerState):
        raise AdminError(f"a partner is not {state!r}", hint=f"one of {', '.join(PartnerState)}", code="unknown_state")
    row = {"name": name, "state": state, "actor": desk.actor, "since": desk.at}
    desk.books.write(Insert("partners", row, replace=True))
    desk.note("", "partner", f"{name} {state}")
    return {"name": name, "state": state}


def partners(desk: Desk) -> Result:
    """Every partner and how it is taken to be."""
    known = {row["name"]: row for row in desk.books.rows("partners")}
    up = {"state": PartnerState.UP}
    told = [{"name": row.name, **up, **known.get(row.name, {}), "en": row.english} for row in PARTNERS.values()]
    return {"partners": told}


def needs(desk: Desk, name: str) -> None:
    """Nothing where the partner answers; AdminError where what waits for it must be tried again later."""
    rows = desk.books.rows("partners", name=name)
    if rows and rows[0]["state"] in (PartnerState.DOWN, PartnerState.WRONG):
        raise AdminError(f"{name} is {rows[0]['state']}", hint="try again when it is up", code="partner_down")
