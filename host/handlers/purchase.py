"""The answer to what a card pays or holds: sale, sale by telephone, offline sale, pre-authorisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from host.answers import ruled
from host.case import Case
from host.decision import Decision, Insert, Write
from host.fees import fee_due
from host.issuer import Answer, Issuer, answer_chip, authorise, proves_chip
from host.postings import capture
from host.records import Transaction, TransactionState, columns
from host.refusals import Refused
from host.transactions import SIGNS
from host.value import value
from protocol.describe import mask_pan
from protocol.elements import Value
from protocol.emv import decode_chip_data
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.tlv import Node


@value
class Consulted:
    """What an issuer said, with field 55 for the card's chip and the count of wrong PINs."""

    answer: Answer
    fields: Mapping[int, Value] = field(default_factory=dict, repr=False)
    writes: tuple[Write, ...] = ()


def sale(case: Case) -> Decision:
    """Captured with its fee and its postings, or declined by the card's issuer, who answers the chip.

    What moves no money is captured as well: a hold stands. Raises DecodeError where field 55 is no chip data.
    """
    if nothing := nothing_due(case):
        return Decision(nothing)
    issuer = case.request.issuer
    if issuer is None:
        return Decision(Refused("card.unknown"))
    return captured(case, issuer, consult(case, issuer))


def consult(case: Case, issuer: Issuer) -> Consulted:
    """Ask the card's issuer, once its chip is proven. Raises DecodeError where field 55 is no chip data."""
    icc = case.request.message.octets(F.ICC)
    chip = decode_chip_data(icc) if icc else ()
    if chip and not _proves(case, chip):
        return Consulted(Answer(Refused("card.cryptogram"), wrong_pins=case.snapshot.wrong_pins))
    refused = ruled(case)
    answer = Answer(refused, wrong_pins=case.snapshot.wrong_pins) if refused else _ask(case, issuer)
    return Consulted(answer, _chip_fields(case, issuer, chip, answer), _count_pins(case, answer))


def captured(case: Case, issuer: Issuer, consulted: Consulted) -> Decision:
    """The ledger row of what the issuer approved or declined, and the reply."""
    answer, fields = consulted.answer, dict(consulted.fields)
    row = record(case, issuer, answer.refused, case.snapshot.original, code=answer.code)
    writes: tuple[Write, ...] = (Insert("transactions", columns(row)), *consulted.writes)
    if answer.refused:
        return Decision(answer.refused, fields, writes)
    fields |= {F.AUTH_ID: row.auth_id, F.TEXT: issuer.organisation}
    fields[F.ADDITIONAL_RESPONSE] = f"{issuer.prefix:11}{case.policy.acquirer.id:11}"
    return Decision(
        fields=fields,
        writes=(*writes, *capture(row, case.at)),
        turnover_fen=SIGNS.get(row.kind, 0) * row.amount_fen,
        approval=answer.code,
    )


def record(
    case: Case, issuer: Issuer, refused: Refused | None, original: Transaction | None = None, *, code: str = "00"
) -> Transaction:
    """The ledger row of a request that its issuer answered; a declined one moves nothing and costs nothing."""
    request, amount_fen = case.request, case.request.amount_fen
    fee_fen = 0 if refused else fee_due(case.merchant, request.kind.name, issuer.card_type, amount_fen)
    return Transaction(
        terminal_id=request.terminal_id,
        batch=request.control.batch,
        stan=request.stan,
        serial_number=case.terminal.serial_number,
        merchant_id=case.merchant.merchant_id,
        kind=request.kind.name,
        state=TransactionState.DECLINED if refused else TransactionState.CAPTURED,
        amount_fen=amount_fen,
        fee_fen=fee_fen,
        code=refused.code if refused else code,
        card=mask_pan(request.payer),
        card_token=case.keys.card_token(request.payer),
        card_type=issuer.card_type,
        foreign_card=issuer.foreign,
        rrn=f"{case.snapshot.number:012d}",
        auth_id=f"{case.snapshot.number % 10**6:06d}",
        original_terminal_id=original.terminal_id if original else "",
        original_batch=original.batch if original else "",
        original_stan=original.stan if original else "",
        entry_mode=request.message.text(F.ENTRY_MODE),
        account=case.keys.card_token(request.payer) if issuer.keeps_accounts else "",
        at=case.at,
        policy=case.policy_version,
    )


def nothing_due(case: Case) -> Refused | None:
    """Nothing at all to pay."""
    return None if case.request.amount_fen else Refused("amount.zero")


def _ask(case: Case, issuer: Issuer) -> Answer:
    block, wrong_pins = case.request.pin_block, case.snapshot.wrong_pins
    try:
        pin = case.keys.pin(case.terminal, case.mac, block, case.request.pan) if block else None
    except DecodeError:
        return Answer(Refused("card.pin_block"), wrong_pins=wrong_pins)
    return authorise(issuer, case.request.pan, case.request.amount_fen, pin, wrong_pins, case.snapshot.spent_fen)


def _count_pins(case: Case, answer: Answer) -> tuple[Write, ...]:
    if answer.wrong_pins == case.snapshot.wrong_pins:
        return ()
    row = {"card_token": case.keys.card_token(case.request.pan), "wrong_pins": answer.wrong_pins}
    return (Insert("cards", row, replace=True),)


def _proves(case: Case, chip: tuple[Node, ...]) -> bool:
    request = case.request
    sequence = request.message.text(F.PAN_SEQUENCE)
    return proves_chip(request.pan, sequence, request.amount_fen, chip, offline=_is_offline(case))


def _is_offline(case: Case) -> bool:
    return case.request.kind.name == "offline_sale"


def _chip_fields(case: Case, issuer: Issuer, chip: tuple[Node, ...], answer: Answer) -> dict[int, Value]:
    """Field 55 for a chip that was proven and waits for the answer: what proves the issuer to it."""
    if not chip or _is_offline(case):
        return {}
    request, refused = case.request, answer.refused
    code, sequence = refused.code if refused else answer.code, request.message.text(F.PAN_SEQUENCE)
    return {F.ICC: answer_chip(issuer, request.pan, sequence, chip, code, approved=refused is None)}
