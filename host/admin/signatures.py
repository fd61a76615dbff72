"""Signatures of cardholders: those that are kept, those that are missing, and one as a picture (invariants G1, G2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from host.admin.desk import Desk, Result
from host.errors import AdminError
from host.records import TransactionState
from host.store.books import columns_of
from protocol.jbig.bitmap import Bitmap, write_pbm
from protocol.jbig.decoder import decode
from protocol.jbig.png import write_png
from protocol.signature import PAD_PIXELS_MAX, is_signed

FORMS: Final[Mapping[str, Callable[[Bitmap], bytes]]] = MappingProxyType({"pbm": write_pbm, "png": write_png})
_KEY: Final = ("terminal_id", "batch", "stan")
_SHOWN: Final = (*_KEY, "kind", "state", "amount_fen", "card", "rrn", "at")


def signatures(desk: Desk, terminal_id: str = "", batch: str = "") -> Result:
    """The signatures that are kept, each with what became of its transaction; of one terminal id or batch if given."""
    matches = _matches(terminal_id, batch)
    rows = {_key(row): row for row in desk.books.rows("transactions", **matches)}
    kept = columns_of(desk.books.rows("signatures", **matches), "image", "receipt")
    return {"signatures": [{**row, "kind": rows[_key(row)]["kind"], "state": rows[_key(row)]["state"]} for row in kept]}


def missing_signatures(desk: Desk, terminal_id: str = "", batch: str = "") -> Result:
    """What needs a signature and has none here: the shop must have it on a paper slip."""
    matches = _matches(terminal_id, batch)
    kept = {_key(row) for row in desk.books.rows("signatures", **matches)}
    free_fen = desk.policy.signatures.free_fen
    missing = [
        {name: row[name] for name in _SHOWN}
        for row in desk.books.rows("transactions", **matches, state=TransactionState.CAPTURED)
        if _key(row) not in kept and is_signed(row["kind"], row["entry_mode"], row["amount_fen"], free_fen=free_fen)
    ]
    return {"missing": missing}


def signature(desk: Desk, terminal_id: str, batch: str, stan: str, form: str = "png") -> Result:
    """One signature as a picture, pbm or png, with the transaction that was signed for; its card is masked."""
    if form not in FORMS:
        raise AdminError(f"no picture is written as {form!r}", hint=f"one of {', '.join(FORMS)}", code="unknown_form")
    key = {"terminal_id": terminal_id, "batch": batch, "stan": stan}
    found = desk.books.rows("signatures", **key)
    if not found:
        hint = "poslab admin signatures lists what there is"
        raise AdminError(f"no signature of {terminal_id} {batch}/{stan}", hint=hint, code="unknown_signature")
    kept, row = found[0], desk.books.rows("transactions", **key)[0]
    bitmap = decode(bytes(kept["image"]), pixels_max=PAD_PIXELS_MAX)
    return {
        **{name: row[name] for name in _SHOWN},
        "feature_code": kept["feature_code"],
        "sha256": kept["sha256"],
        "width": bitmap.width,
        "height": bitmap.height,
        "picture": FORMS[form](bitmap),
    }


def _matches(terminal_id: str, batch: str) -> dict[str, str]:
    return {name: value for name, value in (("terminal_id", terminal_id), ("batch", batch)) if value}


def _key(row: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(row[name] for name in _KEY)
