"""The answer to a sale."""

from __future__ import annotations

from host.case import Case
from host.decision import Decision, Insert
from host.fees import contract_rate
from host.issuer import Issuer, authorise, find_issuer
from host.postings import capture
from host.records import Transaction, TransactionState, columns
from host.refusals import Refused
from protocol.describe import mask_pan
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.money import yuan


def sale(case: Case) -> Decision:
    """Captured with its fee and its postings, or declined by a limit or by the card's issuer."""
    if refused := _out_of_bounds(case):
        return Decision(refused)
    issuer = find_issuer(case.request.pan)
    if issuer is None:
        return Decision(Refused("card.unknown"))
    refused = _ask(case, issuer)
    row = record(case, issuer, refused)
    if refused:
        return Decision(refused, writes=(Insert("transactions", columns(row)),))
    return Decision(
        fields={F.AUTH_ID: row.auth_id, F.ADDITIONAL_RESPONSE: f"{issuer.prefix:11}{case.policy.acquirer_id:11}"},
        writes=(Insert("transactions", columns(row)), *capture(row, case.at)),
        turnover_fen=row.amount_fen,
    )


def record(case: Case, issuer: Issuer, refused: Refused | None, original: Transaction | None = None) -> Transaction:
    """The ledger row of a request that its issuer answered; a declined one moves nothing and costs nothing."""
    request, amount_fen = case.request, case.request.amount_fen
    fee_due = not refused and request.kind.name == "sale"
    return Transaction(
        terminal_id=request.terminal_id,
        batch=request.control.batch,
        stan=request.stan,
        serial_number=case.terminal.serial_number,
        merchant_id=case.merchant.merchant_id,
        kind=request.kind.name,
        state=TransactionState.DECLINED if refused else TransactionState.CAPTURED,
        amount_fen=amount_fen,
        fee_fen=contract_rate(case.merchant, issuer.card_type).fee_fen(amount_fen) if fee_due else 0,
        code=refused.code if refused else "00",
        card=mask_pan(request.pan),
        card_token=case.keys.card_token(request.pan),
        card_type=issuer.card_type,
        foreign_card=issuer.foreign,
        rrn=f"{case.snapshot.number:012d}",
        auth_id=f"{case.snapshot.number % 10**6:06d}",
        original_terminal_id=original.terminal_id if original else "",
        original_batch=original.batch if original else "",
        original_stan=original.stan if original else "",
        at=case.at,
    )


def _out_of_bounds(case: Case) -> Refused | None:
    if not case.request.amount_fen:
        return Refused("amount.zero")
    limit_fen = case.policy.single_limit_fen
    return Refused("amount.over_limit", {"limit": yuan(limit_fen)}) if case.request.amount_fen > limit_fen else None


def _ask(case: Case, issuer: Issuer) -> Refused | None:
    block = case.request.message.octets(F.PIN_BLOCK)
    try:
        pin = case.keys.pin(case.terminal, case.mac, block, case.request.pan) if block else None
    except DecodeError:
        return Refused("card.pin_block")
    return authorise(issuer, case.request.amount_fen, pin)
