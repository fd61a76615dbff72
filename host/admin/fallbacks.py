"""Codes by which a shop is paid while its terminal is away: opened, paid by, closed, settled by the day (X10)."""

from __future__ import annotations

from typing import Final

from host import postings
from host.admin.desk import Desk, Result
from host.admin.partners import needs
from host.decision import Insert, Update
from host.errors import AdminError
from host.fallback import Fallback, batch_of, is_away, till_of
from host.fees import fee_due
from host.holds import in_force
from host.issuer import Answer, Issuer, authorise, find_wallet
from host.limits import limit_of
from host.records import Batch, BatchState, Terminal, Transaction, TransactionState, columns
from host.refusals import Refused
from protocol.describe import mask_pan
from protocol.money import yuan

HOURS_MAX: Final = 30 * 24
KIND: Final = "qr_sale"
PARTNER: Final = "qr"
_CODE_BYTES: Final = 8
_HOUR_S: Final = 3600


def open_fallback(desk: Desk, serial_number: str, hours: int = 0) -> Result:
    """Give a shop a code to put up while its terminal is away; its customers pay by it, without the terminal."""
    terminal = desk.terminal(serial_number)
    if not 0 <= hours <= HOURS_MAX:
        message = f"a code is good for 1 to {HOURS_MAX} hours, or for what the policy says"
        raise AdminError(message, code="hours", field="hours")
    why = _away(desk, terminal)
    if not why:
        hint = "a fault, a repair or a swap under way comes first; who is stopped, or on hold as a merchant, gets none"
        raise AdminError(f"the till of {serial_number} is not away", hint=hint, code="not_away")
    if found := _standing(desk, serial_number):
        raise AdminError(f"{serial_number} has the code {found.code}", hint="close-fallback", code="already_open")
    number = desk.books.add("fallback", 1)
    row = {
        "code": f"FQ{desk.keys.fresh(_CODE_BYTES).hex()}",
        "serial_number": serial_number,
        "merchant_id": terminal.merchant_id,
        "terminal_id": till_of(number),
        "opened_at": desk.at,
        "until": desk.at + (hours * _HOUR_S or desk.policy.service.fallback_s),
    }
    desk.insert("fallbacks", number=number, **row, why=why, actor=desk.actor)
    desk.note(serial_number, "open fallback", f"{number}: {why}")
    return {"number": number, **row, "why": why}


def close_fallback(desk: Desk, serial_number: str) -> Result:
    """The terminal sells again: the code takes nothing more, and what it took is settled."""
    desk.terminal(serial_number)
    found = _standing(desk, serial_number)
    if found is None:
        raise AdminError(f"{serial_number} has no code", hint="poslab admin fallbacks", code="unknown_fallback")
    desk.books.write(Update("fallbacks", {"number": found.number}, {"closed_at": desk.at}))
    settled = [_settle(desk, batch) for batch in desk.books.open_batches() if batch.terminal_id == found.terminal_id]
    desk.note(serial_number, "close fallback", str(found.number))
    return {"number": found.number, "settled": settled}


def pay_fallback(desk: Desk, code: str, payment_code: str, amount_fen: int) -> Result:
    """A customer pays by a shop's code with a wallet: captured with its fee, or declined with a reason."""
    rows = desk.books.rows("fallbacks", code=code)
    if not rows:
        raise AdminError("no shop has this code", hint="poslab admin fallbacks", code="unknown_fallback", field="code")
    fallback = Fallback(**rows[0])
    needs(desk, PARTNER)
    _must_take(desk, fallback, amount_fen)
    wallet = find_wallet(payment_code)
    if wallet is None:
        return _told(Refused("qr.unknown"))
    token = desk.keys.card_token(payment_code)
    if desk.books.code_used(token):
        return _told(Refused("qr.used"))
    answer = authorise(wallet, payment_code, amount_fen, None, 0, desk.books.spent_fen(token))
    row = _row(desk, fallback, wallet, answer, payment_code, amount_fen)
    desk.insert("transactions", **columns(row))
    if answer.refused:
        return _told(answer.refused)
    desk.books.write(*postings.capture(row, desk.at))
    if desk.books.batch(row.terminal_id, row.batch) is None:
        opened = Batch(row.terminal_id, row.batch, row.merchant_id, BatchState.OPEN)
        desk.books.write(Insert("batches", columns(opened)))
    desk.note(fallback.serial_number, "pay fallback", f"{fallback.number}: {yuan(amount_fen)} yuan, {row.rrn}")
    paid = {"rrn": row.rrn, "amount_fen": amount_fen, "fee_fen": row.fee_fen}
    return {"approved": True, "code": answer.code, "reason": "", **paid, "terminal_id": row.terminal_id}


def settle_fallbacks(desk: Desk) -> Result:
    """Settle what was paid by codes on the days that are over."""
    return {"settled": [_settle(desk, batch) for batch in _ended(desk)]}


def is_settling_due(desk: Desk) -> bool:
    """Is there something for ``settle_fallbacks`` to do?"""
    return bool(_ended(desk))


def fallbacks(desk: Desk, serial_number: str = "") -> Result:
    """Every code, or those of one terminal: whether it is open and good, and what was paid by it."""
    matches = {"serial_number": desk.terminal(serial_number).serial_number} if serial_number else {}
    told = []
    for row in desk.books.rows("fallbacks", **matches):
        found = Fallback(**row)
        paid = desk.books.rows("transactions", terminal_id=found.terminal_id, state=TransactionState.CAPTURED)
        sums = {"payments": len(paid), "amount_fen": sum(each["amount_fen"] for each in paid)}
        good = found.is_open(desk.at) and bool(_away(desk, desk.terminal(found.serial_number)))
        told.append({**row, "good": good, **sums})
    return {"fallbacks": told}


def _away(desk: Desk, terminal: Terminal) -> str:
    books, serial_number = desk.books, terminal.serial_number
    standing = in_force(
        books.holds(serial_number), terminal, books.merchant(terminal.merchant_id), desk.policy, desk.at,
        books.plan(serial_number),
    )  # fmt: skip
    swap = books.swap(serial_number)
    return is_away(terminal, swap, standing)


def _standing(desk: Desk, serial_number: str) -> Fallback | None:
    rows = desk.books.rows("fallbacks", serial_number=serial_number, closed_at=None)
    return next((found for row in rows if (found := Fallback(**row)).is_open(desk.at)), None)


def _must_take(desk: Desk, fallback: Fallback, amount_fen: int) -> None:
    """AdminError where the code is not good now, or not for so much."""
    merchant = desk.merchant(fallback.merchant_id)
    if not fallback.is_open(desk.at):
        raise AdminError("this code is closed", hint="ask the shop for another way", code="fallback_closed")
    if not merchant.active or not _away(desk, desk.terminal(fallback.serial_number)):
        raise AdminError(
            "the shop does not take payments by this code now", hint="pay at its terminal", code="not_away"
        )
    single_fen = limit_of("single_fen", merchant, desk.policy.limits)
    most_fen = min(desk.policy.service.fallback_most_fen, single_fen or desk.policy.service.fallback_most_fen)
    if not 0 < amount_fen <= most_fen:
        raise AdminError(f"a payment is 1 to {most_fen} fen", code="amount", field="amount_fen")


def _row(
    desk: Desk, fallback: Fallback, wallet: Issuer, answer: Answer, payment_code: str, amount_fen: int
) -> Transaction:
    batch, number = batch_of(desk.at), desk.books.next_number()
    stan = desk.books.add(f"stan {fallback.terminal_id} {batch}", 1)
    refused, merchant = answer.refused, desk.merchant(fallback.merchant_id)
    token = desk.keys.card_token(payment_code)
    return Transaction(
        terminal_id=fallback.terminal_id,
        batch=batch,
        stan=f"{stan:06d}",
        serial_number="",
        merchant_id=fallback.merchant_id,
        kind=KIND,
        state=TransactionState.DECLINED if refused else TransactionState.CAPTURED,
        amount_fen=amount_fen,
        fee_fen=0 if refused else fee_due(merchant, KIND, wallet.card_type, amount_fen),
        code=refused.code if refused else answer.code,
        card=mask_pan(payment_code),
        card_token=token,
        card_type=wallet.card_type,
        rrn=f"{number:012d}",
        auth_id=f"{number % 10**6:06d}",
        account=token if wallet.keeps_accounts else "",
        at=desk.at,
    )


def _told(refused: Refused) -> Result:
    return {"approved": False, **refused.texts()}


def _ended(desk: Desk) -> list[Batch]:
    today = batch_of(desk.at)
    return [batch for batch in desk.books.open_batches() if batch.batch < today]


def _settle(desk: Desk, batch: Batch) -> str:
    key = {"terminal_id": batch.terminal_id, "batch": batch.batch}
    closed = {"state": BatchState.CLOSED, "balanced": True, "settled_at": desk.at}
    desk.books.write(Update("batches", key, closed))
    return f"{batch.terminal_id}/{batch.batch}"
