"""The audit as evidence: verification of its chain, and erasure of personal data with a certificate (product K)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from host.admin.desk import Desk, Result
from host.decision import Update
from host.errors import AdminError
from host.lifecycle import IN_SERVICE
from host.postings import payable
from host.store.chain import ERASE, as_words
from protocol.command import read_body
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
            "complaints": ("about", "outcome"),
            "violations": ("reference", "note", "appeal", "outcome"),
            "repairs": ("note", "outcome"),
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
_OF_LIVES: Final = {
    "registrations": "serial_number",
    "repairs": "serial_number",
    "swaps": "successor",
    "loans": "spare",
}
"""Tables by merchant that name devices, which may belong to another one by now."""
_SINCE: Final = {"holds": "since"}
"""The instant of a row, where it is not ``at``."""


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
    held += _forget_former(desk, merchant_id)
    held += _forget_words(desk, merchant_id, owners["serial_number"], texts)
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


def _forget_former(desk: Desk, merchant_id: str) -> list[dict[str, Any]]:
    """What people wrote of devices that were the merchant's in an earlier life of theirs; returns what was there."""
    held: list[dict[str, Any]] = []
    serials = {
        str(row[of]) for table, of in _OF_LIVES.items() for row in desk.books.rows(table, merchant_id=merchant_id)
    }
    for serial_number in sorted(serials):
        terminal = desk.books.terminal(serial_number)
        if terminal is None or terminal.merchant_id == merchant_id:
            continue
        for table, blanked in PERSONAL["serial_number"].items():
            for row in desk.books.rows(table, serial_number=serial_number) if table != "terminals" else ():
                told = {name: row[name] for name in blanked if row[name]}
                if told and row[_SINCE.get(table, "at")] < terminal.refurbished_at:
                    held.append({"table": table, **told})
                    desk.books.write(Update(table, {"number": row["number"]}, dict.fromkeys(blanked, "")))
    return held


def _forget_words(desk: Desk, merchant_id: str, serials: list[str], texts: set[str]) -> list[dict[str, Any]]:
    """The names where they stand among other words: proposals, signed commands, messages; returns what was there."""
    words, held = as_words(texts), list[dict[str, Any]]()

    def tells(values: Iterable[object]) -> bool:
        return any(word.search(str(value)) for word in words for value in values)

    for row in desk.books.rows("proposals"):
        arguments: dict[str, Any] = json.loads(row["arguments"])
        if tells(arguments.values()):
            held.append({"table": "proposals", "arguments": row["arguments"]})
            kept = {name: ERASED if tells([value]) else value for name, value in arguments.items()}
            told = {"arguments": json.dumps(kept, ensure_ascii=False)}
            desk.books.write(Update("proposals", {"number": row["number"]}, told))
    for row in (row for serial in serials for row in desk.books.rows("commands", serial_number=serial)):
        if row["document"] and tells(read_body(row["document"]).values()):
            held.append({"table": "commands", "document": row["document"].hex()})
            key = {"serial_number": row["serial_number"], "counter": row["counter"]}
            gone = {"document": b"", "state": "acknowledged", "result": ERASED}
            desk.books.write(Update("commands", key, gone))
    for table in ("notices", "inbox"):
        for row in desk.books.rows(table, merchant_id=merchant_id):
            if tells([row["text"]]):
                held.append({"table": table, "text": row["text"]})
                desk.books.write(Update(table, {"number": row["number"]}, {"text": ERASED}))
    return held


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
