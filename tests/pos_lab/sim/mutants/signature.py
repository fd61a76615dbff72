"""Bugs that break invariants of signature."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from host.decision import Decision, Insert
from host.engine import HANDLERS
from terminal.flows import signature as _signature
from terminal.records import Moved
from terminal.session import Session
from terminal.transaction import Event, State
from tests.pos_lab.sim.mutants.mutant import Mutant


def _handling(name: str, handler: Callable[[Any], Decision]) -> Mapping[str, Any]:
    return {**HANDLERS, name: handler}


def _another_signature(case: Any) -> Decision:
    decision = HANDLERS["signature_upload"](case)
    return dataclasses.replace(
        decision, writes=tuple(Insert(write.table, {**write.row, "sha256": "0" * 64}) for write in decision.writes)
    )


async def _nobody_signs(session: Session) -> None:
    """The cardholder is not asked, and nobody notes it."""


async def _undone_unsigned(session: Session, signature: Any) -> bool:
    """A sale is taken back where its signature does not go through."""
    sent = await _upload(session, signature)
    row = session.book.rows.get(signature.key)
    if row and row.state is State.CAPTURED and any(each.key == signature.key for each in session.book.signatures):
        session.journal.append(Moved(batch=row.batch, stan=row.stan, event=Event.VOID))
    return sent


def _no_picture(bitmap: Any) -> bytes:
    return b"\x00\x00\x01\x00" + b"\x00\x01\x00\x00" * 2 + bytes(40)


async def _sent_is_stored(session: Session, signature: Any) -> bool | None:
    stored = await _is_stored(session, signature)
    return None if stored is None else True


_upload = _signature._upload
_is_stored = _signature._is_stored


SIGNATURE: Final[Mapping[str, Mutant]] = {
    "nobody_signs": Mutant("nobody is asked for a signature", "calm", "G1", {"terminal.app.sign": _nobody_signs}),
    "other_signature": Mutant(
        "the host keeps another signature", "calm", "G2",
        {"host.engine.HANDLERS": _handling("signature_upload", _another_signature)},
        seed=2,
    ),
    "undone_unsigned": Mutant(
        "a sale is taken back for want of its signature", "network", "G3",
        {"terminal.flows.signature._upload": _undone_unsigned},
        seed=13,
    ),
    "paper_at_once": Mutant(
        "a signature is given up at the first failure", "network", "G3", {"terminal.flows.signature.RESENDS_MAX": 0},
        seed=13,
    ),
    "no_picture": Mutant(
        "the host keeps what no pad can have made", "calm", "G4", {
            "firmware_sim.signature_pad.encode": _no_picture,
            "host.handlers.signature._is_picture": lambda image: True,
        },
        seed=2,
    ),
    "sent_is_stored": Mutant(
        "a signature is forgotten once it was sent", "network", "G5",
        {"terminal.flows.signature._is_stored": _sent_is_stored},
        seed=16,
    ),
}  # fmt: skip
