"""Invariants G: every signature is with its transaction, as it was given, and never in the way of money."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from pos_lab.sim.checker.evidence import Entered, Evidence, Moved, Quiet
from pos_lab.sim.checker.invariant import Invariant, name_of, spelt
from pos_lab.sim.checker.ledger import Change
from protocol.errors import DecodeError
from protocol.jbig.decoder import decode

IMAGE_BYTES_MAX: Final = 999
PIXELS_MAX: Final = 320 * 240
RESENDS_MAX: Final = 3
NOT_TAKEN: Final = "not_taken"
UNDONE: Final = frozenset({"voided", "adjusted"})


def _one_each(evidence: Evidence, event: Quiet) -> Iterator[str]:
    for terminal_id, till in evidence.tills.items():
        for key in sorted(till.unsigned):
            yield f"{spelt((terminal_id, *key))} needs a signature, and has none on the pad and none on paper"
    for name in evidence.ledger.tables["signatures"]:
        if not evidence.row((name[0], name[1], name[2])):
            yield f"the signature of {'/'.join(name)} belongs to no transaction"


def _unchanged(evidence: Evidence, event: Change) -> Iterator[str]:
    if event.table != "signatures" or not event.after:
        return
    name = name_of(event.after)
    till, image = evidence.tills.get(name[0]), evidence.image_of(name)
    given = till.images.get(name[1:]) if till else None
    if given is None:
        yield f"the signature of {spelt(name)} is at the host, and nobody gave it"
    elif event.after["sha256"] != given or (image and sha256(image).hexdigest() != given):
        yield f"the signature of {spelt(name)} is another one at the host"


def _moves_no_money(evidence: Evidence, event: Moved) -> Iterator[str]:
    """What is captured stays so, whatever becomes of its signature; it ends by what undoes it alone."""
    step = event.step
    if step.before != "captured":
        return
    till = evidence.tills[event.terminal_id]
    undone = any(row.original == step.key and row.state == "captured" for row in till.rows.values())
    if step.after not in UNDONE or not undone:
        yield f"{spelt((event.terminal_id, *step.key))} was captured and is {step.after}, and nothing undid it"


def _tried_before_paper(evidence: Evidence, event: Entered) -> Iterator[str]:
    record = event.record
    if record["record"] != "signature_given_up" or record["reason"] != NOT_TAKEN:
        return
    key = (record["batch"], record["stan"])
    tries = evidence.tills[event.terminal_id].tries[key]
    if tries < RESENDS_MAX:
        yield f"the signature of {spelt((event.terminal_id, *key))} is given up after {tries + 1} tries"


def _bounded(evidence: Evidence, event: Change) -> Iterator[str]:
    if event.table != "signatures" or not event.after:
        return
    name = name_of(event.after)
    image = evidence.image_of(name)
    if len(image) > IMAGE_BYTES_MAX:
        yield f"the signature of {spelt(name)} has {len(image)} bytes"
    elif image:
        try:
            decode(image, pixels_max=PIXELS_MAX)
        except DecodeError as error:
            yield f"the signature of {spelt(name)} is no picture that a pad makes: {error.message}"


def _never_lost(evidence: Evidence, event: Quiet) -> Iterator[str]:
    stored = evidence.ledger.tables["signatures"]
    for terminal_id, till in evidence.tills.items():
        for key in till.images:
            if key not in till.waiting | till.on_paper and (terminal_id, *key) not in stored:
                yield f"the signature of {spelt((terminal_id, *key))} is not at the host, waits nowhere, is on no paper"


SIGNATURE: Final = (
    Invariant("G1", Quiet, "what needs a signature has one, and every signature a transaction", _one_each),
    Invariant("G2", Change, "the host has the signature that was given", _unchanged),
    Invariant("G3", Moved, "a signature moves no money", _moves_no_money),
    Invariant("G3", Entered, "and is on paper after enough tries only", _tried_before_paper),
    Invariant("G4", Change, "a signature is a picture of bounded size", _bounded),
    Invariant("G5", Quiet, "no signature is lost", _never_lost),
)
