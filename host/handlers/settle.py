"""Answers to settlement, batch upload and its end (CUP 7.12, 7.13; invariants S2, S3, S4).

Totals that agree close the batch at once. Totals or digests that disagree leave it waiting for the upload, whose end
closes it and names every row on which the two books differ. What is closed stays as it is: a terminal that never heard
so, since a message without a MAC was changed on the way, is told again under whatever STAN it asks, as far as it says
what the ledger has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from host.case import Case
from host.decision import Decision, Delete, Insert, Update, Write, refuse
from host.records import Batch, BatchState, Transaction, columns
from host.refusals import Refused
from host.transactions import batch_digest, group_totals
from protocol.elements import Value
from protocol.fields import F
from protocol.private import GroupTotals, Totals, UploadItem, unpack_tags, unpack_upload

BALANCED, UNBALANCED = 1, 2
END_AFTER_UPLOAD = "202"
_LAST_BATCH = 999_999


def settlement(case: Case) -> Decision:
    """Compares the terminal's totals, and its digest where it sends one, with the ledger.

    Those of a closed batch agree once more, or name the wrong batch; what the ledger has is not told then.
    """
    message, rows = case.request.message, case.snapshot.rows
    theirs = Totals.parse(message.text(F.TOTALS))
    domestic = _compare(theirs.domestic, group_totals(rows, foreign=False))
    foreign = _compare(theirs.foreign, group_totals(rows, foreign=True))
    digest = _digest(message.octets(F.PAYLOAD))
    if digest and digest != batch_digest(rows):
        domestic, foreign = replace(domestic, result=UNBALANCED), replace(foreign, result=UNBALANCED)
    fields: dict[int, Value] = {F.TOTALS: str(Totals(domestic, foreign)), F.SETTLEMENT_DATE: f"{case.now:%m%d}"}
    if domestic.result == foreign.result == BALANCED:
        return Decision(fields=fields, writes=() if case.is_settled else _close(case, balanced=True))
    if case.is_settled:
        return Decision(Refused("terminal.wrong_batch", {"batch": case.terminal.batch}), remember=False)
    batch = Batch(case.request.terminal_id, case.request.control.batch, case.merchant.merchant_id, BatchState.UPLOADING)
    key = {"terminal_id": batch.terminal_id, "batch": batch.batch}
    return Decision(Refused("settlement.unbalanced"), fields, (_batch(batch), Delete("uploads", key)))


def batch_upload(case: Case) -> Decision:
    """Keeps the rows of a batch that waits for them; a row that comes twice is kept once.

    A terminal that never heard that its batch is closed uploads it all the same: what is known is acknowledged.
    """
    items = unpack_upload(case.request.message.text(F.TOTALS))
    if _is_said_again(case, items):
        return Decision(fields={F.TOTALS: f"{len(items):02d}"})
    if not _is_uploading(case):
        return refuse("upload.uncalled")
    key = {"terminal_id": case.request.terminal_id, "batch": case.request.control.batch}
    writes = tuple(
        Insert("uploads", {**key, "stan": item.stan, "amount_fen": item.amount_fen}, replace=True) for item in items
    )
    return Decision(fields={F.TOTALS: f"{len(items):02d}"}, writes=writes)


def batch_end(case: Case) -> Decision:
    """After an upload, closes the batch and writes down each row that only one book has or that differs.

    Said again of a closed batch, or after a balanced settlement, it changes nothing.
    """
    batch = case.snapshot.batch
    if batch is None:
        return refuse("upload.uncalled")
    if batch.state is BatchState.CLOSED or case.request.control.network != END_AFTER_UPLOAD:
        return Decision()
    if batch.batch != case.terminal.batch:
        return refuse("upload.uncalled")  # its successor's
    uploaded = dict(case.snapshot.uploaded)
    due = int(case.request.message.text(F.TOTALS)[:4] or 0)
    if len(uploaded) < due:
        return refuse("upload.incomplete", got=str(len(uploaded)), due=str(due))
    differences = _differences(case, uploaded)
    return Decision(writes=(*differences, *_close(case, balanced=not differences)))


def _is_uploading(case: Case) -> bool:
    return case.snapshot.batch is not None and case.snapshot.batch.state is BatchState.UPLOADING


def _is_said_again(case: Case, items: Sequence[UploadItem]) -> bool:
    """Of a closed batch, is each row one that was uploaded or that the ledger has?"""
    known = {*case.snapshot.uploaded, *((row.stan, row.amount_fen) for row in case.snapshot.rows)}
    return case.is_settled and bool(items) and known.issuperset((item.stan, item.amount_fen) for item in items)


def _compare(theirs: GroupTotals, ours: GroupTotals) -> GroupTotals:
    agree = replace(theirs, result=0) == ours
    return replace(ours, result=BALANCED if agree else UNBALANCED)


def _digest(payload: bytes) -> bytes:
    return unpack_tags(payload, field=F.PAYLOAD).get("KD", b"") if payload.startswith(b"KD") else b""


def _close(case: Case, *, balanced: bool) -> tuple[Write, ...]:
    request = case.request
    closed = Batch(
        request.terminal_id,
        request.control.batch,
        case.merchant.merchant_id,
        BatchState.CLOSED,
        balanced=balanced,
        settled_at=case.at,
    )
    following = f"{int(request.control.batch) % _LAST_BATCH + 1:06d}"
    key = {"serial_number": case.terminal.serial_number}
    return (_batch(closed), Update("terminals", key, {"batch": following}))


def _batch(batch: Batch) -> Insert:
    return Insert("batches", columns(batch), replace=True)


def _differences(case: Case, uploaded: dict[str, int]) -> tuple[Insert, ...]:
    held = {row.stan: row for row in case.snapshot.rows}
    key = {"terminal_id": case.request.terminal_id, "batch": case.request.control.batch}
    return tuple(
        Insert(
            "differences",
            {
                **key,
                "stan": stan,
                "host_fen": _amount(held.get(stan)),
                "terminal_fen": uploaded.get(stan),
                "at": case.at,
            },
            replace=True,
        )
        for stan in sorted(held.keys() | uploaded.keys())
        if _amount(held.get(stan)) != uploaded.get(stan)
    )


def _amount(row: Transaction | None) -> int | None:
    return None if row is None else row.amount_fen
