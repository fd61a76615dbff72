"""The audit as evidence: verification of its chain, and erasure of personal data with a certificate (product K)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from host.admin.desk import Desk, Result
from host.decision import Update
from host.errors import AdminError
from host.lifecycle import IN_SERVICE
from host.postings import payable
from host.store.chain import ERASE
from protocol.crypto.signing import sign

NAMES: Final = ("name", "contact", "telephone", "address")
"""The columns of a merchant and of its forms that are about people; where else their texts stand is looked for."""
PERSONAL: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = MappingProxyType(
    {
        "merchant_id": {
            "merchants": (*NAMES, "payout_card"),
            "registrations": (*NAMES, "reasons", "reasons_zh"),
            "documents": ("reference",),
            "amendments": ("signed_by",),
            "disputes": ("answer", "note"),
        },
        "serial_number": {
            "terminals": ("why",),
            "holds": ("note",),
            "hold_evidence": ("reference", "note"),
            "alerts": ("evidence", "note"),
        },
    }
)
"""TABLE PERSONAL: what is blanked, by whose row it is: the merchant's, or one of its terminals'."""
ERASED: Final = "erased"


def verify_audit(desk: Desk) -> Result:
    """Recompute the chain of the audit; every breach says which row."""
    breaches = desk.books.breaches(desk.keys)
    rows = [{"number": breach.number, "what": breach.what} for breach in breaches]
    return {"checked": desk.books.count("audit"), "breaches": rows, "whole": not rows}


def erase(desk: Desk, merchant_id: str, why: str) -> Result:
    """Erase what is kept of a merchant's people, and give a signed certificate of it; the ledger stays.

    Only where no terminal of the merchant is in service and nothing is owed. The audit's chain still holds: of an
    erased text a salted hash stays. The certificate's fingerprint is one that only the host can make again.
    """
    desk.line(why=why)
    merchant = desk.books.merchant(merchant_id)
    if merchant is None:
        raise AdminError(f"no merchant {merchant_id}", code="unknown_merchant")
    terminals = desk.books.rows("terminals", merchant_id=merchant_id)
    if serving := [row["serial_number"] for row in terminals if row["state"] in IN_SERVICE]:
        raise AdminError(f"{', '.join(serving)} is in service", hint="retire it first", code="in_service")
    if balance_fen := desk.books.balance_fen(payable(merchant_id)):
        raise AdminError(f"{balance_fen} fen are owed", hint="pay the merchant out first", code="owed")
    owners = {"merchant_id": [merchant_id], "serial_number": [str(row["serial_number"]) for row in terminals]}
    held, texts = _held(desk, owners)
    if not texts:
        raise AdminError(f"nothing personal is kept of {merchant_id}", code="nothing_to_erase")
    for column, tables in PERSONAL.items():
        for table, blanked in tables.items():
            for owner in owners[column]:
                desk.books.write(Update(table, {column: owner}, dict.fromkeys(blanked, "")))
    desk.books.write(Update("merchants", {"merchant_id": merchant_id}, {"name": ERASED, "active": False}))
    places = desk.books.forget_details(texts)
    desk.note("", ERASE, json.dumps({"merchant_id": merchant_id, "places": places, "why": why}, ensure_ascii=False))
    return _certify(desk, merchant_id, why, held, places)


def certificates(desk: Desk) -> Result:
    """Every certificate of erasure."""
    return {"certificates": [json.loads(row["document"]) for row in desk.books.rows("certificates")]}


def _held(desk: Desk, owners: Mapping[str, list[str]]) -> tuple[list[dict[str, Any]], set[str]]:
    """What is kept, row by row, and the names among it."""
    held, texts = [], set[str]()
    for column, tables in PERSONAL.items():
        for table, blanked in tables.items():
            for row in [row for owner in owners[column] for row in desk.books.rows(table, **{column: owner})]:
                told = {name: row[name] for name in blanked if row[name] and row[name] != ERASED}
                held.append({"table": table, **told})
                texts |= {str(text) for name, text in told.items() if name in NAMES}
    return held, texts


def _certify(desk: Desk, merchant_id: str, why: str, held: list[dict[str, Any]], places: list[int]) -> Result:
    told = {
        "merchant_id": merchant_id,
        "why": why,
        "by": desk.actor,
        "at": desk.at,
        "columns": {table: list(names) for tables in PERSONAL.values() for table, names in tables.items()},
        "rows": len(held),
        "audit_places": places,
        "fingerprint": desk.keys.fingerprint(json.dumps(held).encode()).hex(),
    }
    document = json.dumps(told, sort_keys=True, ensure_ascii=False).encode()
    signature = sign(desk.keys.signing_key(desk.books.secret("signing")), document)
    kept = json.dumps({**told, "signature": signature.hex().upper()}, ensure_ascii=False).encode()
    desk.insert("certificates", merchant_id=merchant_id, document=kept, at=desk.at)
    return json.loads(kept)  # type: ignore[no-any-return]
