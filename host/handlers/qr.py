"""The answer to a sale by a customer's code, from the partner behind the code (CUP 2.9, field 59)."""

from __future__ import annotations

from dataclasses import replace

from host.answers import ruled
from host.case import Case
from host.decision import Decision
from host.handlers.purchase import Consulted, captured, nothing_due
from host.issuer import Answer, authorise, find_wallet
from host.refusals import Refused
from protocol.fields import F
from protocol.private import pack_tags

_ORDER_DIGITS = 20


def qr_sale(case: Case) -> Decision:
    """Captured under the partner's order number, or declined; a code pays once."""
    if nothing := nothing_due(case):
        return Decision(nothing)
    code = case.request.device.payment_code
    wallet = find_wallet(code)
    if wallet is None:
        return Decision(Refused("qr.unknown"))
    if case.snapshot.code_used:
        return Decision(Refused("qr.used"))
    refused = ruled(case)
    spent_fen = case.snapshot.spent_fen
    answer = Answer(refused) if refused else authorise(wallet, code, case.request.amount_fen, None, 0, spent_fen)
    decision = captured(case, wallet, Consulted(answer))
    if decision.refused:
        return decision
    order = pack_tags([("A4", f"{case.snapshot.number:0{_ORDER_DIGITS}d}".encode())])
    return replace(decision, fields={**decision.fields, F.DEVICE: order})
