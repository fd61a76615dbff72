"""Bugs that break invariants of money."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final
from unittest.mock import patch

from firmware_sim.errors import PrinterError
from host.decision import Decision, Insert
from host.handlers import HANDLERS, undo
from host.handlers import purchase as _purchase
from host.keys import KeyDesk, MacCheck
from host.policy import Policy, Preauth
from protocol.fields import F
from terminal import money as _money
from terminal.flows import resolve
from terminal.records.money import Moved
from terminal.session import Session, Silence
from terminal.transaction import Event, Judgement, Mac, State
from tests.pos_lab.sim.mutants.mutant import Mutant
from tests.pos_lab.sim.mutants.parts import (
    GatesWithout,
    busy_with,
    case_with,
    message_with,
    nothing_pending,
    remembered_again,
    world_of,
)


def _silence_is_no(session: Session, row: Any, answer: Any) -> Judgement:
    return Judgement(Event.DECLINE) if isinstance(answer, Silence) else _judged(session, row, answer)


def _judged(session: Session, row: Any, answer: Any) -> Judgement:
    from terminal.transaction import judge

    return judge(
        row.row,
        approved=answer.response.approved,
        leaves_doubt=answer.response.leaves_doubt,
        mac=answer.mac,
        decline_needs_mac=session.settings.decline_mac == "required",
    )


async def _reversed_unanswered(session: Session, row: Any) -> bool:
    await _reverse(session, row)
    if session.book.rows[row.key].state is State.MUST_REVERSE:
        session.journal.append(Moved(batch=row.batch, stan=row.stan, event=Event.REVERSE))
    return True


_reverse = resolve._reverse


async def _reversed_under_new_stan(session: Session, row: Any) -> bool:
    ask = session.ask

    async def renamed(kind: str, fields: Any = None, **names: Any) -> Any:
        if kind.endswith("_reversal"):
            names["stan"] = session.take_stan()
        return await ask(kind, fields, **names)

    with patch.object(session, "ask", renamed):
        return await _reverse(session, row)


async def _given_up(session: Session, row: Any) -> bool:
    if row.tries < 3:
        return await _reverse(session, row)
    session.journal.append(Moved(batch=row.batch, stan=row.stan, event=Event.CLEAR))
    return True


def _attempts(attempt: Callable[..., Any]) -> Mapping[State, Any]:
    return {**resolve._ATTEMPTS, State.MUST_REVERSE: (attempt, "terminal.reversal_pending")}


def _mac_unchecked(self: Session, unsealed: Any) -> Mac:
    return Mac.GOOD


def _told_no_where_approved(session: Session, outcome: Any) -> None:
    if outcome.result == "approved" and outcome.stan.endswith("7"):
        session.tell(dataclasses.replace(outcome, result="refused"))


def _doubted_again(session: Session, outcome: Any) -> None:
    if outcome.result == "approved" and outcome.stan.endswith("7"):
        session.tell(dataclasses.replace(outcome, result="unknown"))


def _printed_first(session: Session, row: Any, answer: Any) -> Judgement:
    """The slip is out before the journal knows that there is anything to print."""
    judgement = _judgement(session, row, answer)
    if judgement.event is Event.APPROVE and session.board.printer is not None:
        with suppress(PrinterError):
            session.board.printer.print((f"批次号: {row.batch}", f"凭证号: {row.stan}"))
    return judgement


_judgement = _money._judged


def _unsent_is_no(kind: Any, judgement: Judgement) -> Judgement:
    return judgement if kind.reversal else Judgement(Event.DECLINE)


def _handlers(suffix: str, handler: Callable[[Any], Decision]) -> Mapping[str, Any]:
    return {name: handler if name.endswith(suffix) else usual for name, usual in HANDLERS.items()}


def _agreed(case: Any) -> Decision:
    return Decision()


def _nothing_moved(row: Any, at: int) -> tuple[()]:
    return ()


def _one_fen_more(*arguments: Any, **names: Any) -> Any:
    row = _record(*arguments, **names)
    return dataclasses.replace(row, amount_fen=row.amount_fen + 1)


def _over_what_was(table: str, row: Any) -> Insert:
    return Insert(table, row, replace=True)


def _believed(self: KeyDesk, terminal: Any, unsealed: Any) -> MacCheck:
    return MacCheck.CURRENT if terminal.working_keys else MacCheck.ABSENT


_record = _purchase.record


_NO_REFUND = property(lambda self: 0)


_BAD_IS_NO = {
    (True, Mac.GOOD): Judgement(Event.APPROVE),
    (True, Mac.BAD): Judgement(Event.DECLINE),
    (True, Mac.ABSENT): Judgement(Event.DECLINE),
    (False, Mac.GOOD): Judgement(Event.DECLINE),
    (False, Mac.BAD): Judgement(Event.DECLINE),
    (False, Mac.ABSENT): Judgement(Event.DECLINE),
}


def _by_the_first_rules(case: Any) -> Decision:
    """Holds are completed by the share that was allowed before anybody published rules."""
    return HANDLERS["completion"](case_with(case, policy=case.policy.model_copy(update={"preauth": Preauth()})))


def _less_than_nothing(*arguments: Any, **names: Any) -> Any:
    row = _record(*arguments, **names)
    return dataclasses.replace(row, amount_fen=-row.amount_fen)


def _another_amount(row: Any) -> Any:
    fields = _amount_fields(row)
    return {**fields, F.AMOUNT: f"{row.amount_fen + 1:012d}"}


def _reverses_whatever(case: Any) -> Decision:
    """What the key names is undone, whatever the request says of it."""
    row = case.snapshot.existing
    if row is not None:
        case = message_with(case, {F.AMOUNT: f"{row.amount_fen:012d}"})
    return _reversal(case)


_amount_fields = _money.amount_fields
_reversal = undo.reversal


MONEY: Final[Mapping[str, Mutant]] = {
    "no_boot_reversal": Mutant(
        "recovery leaves what was pending", "power", "J9 M1 M4", {"terminal.journal.recover": lambda book: []},
        seed=10,
    ),
    "silence_is_no": Mutant(
        "no answer counts as a refusal", "network", "M1 J6", {"terminal.money._judged": _silence_is_no}
    ),
    "bad_mac_is_no": Mutant(
        "an answer with a bad MAC counts as a refusal", "adversary", "M1 M4",
        {"terminal.transaction.JUDGEMENTS": _BAD_IS_NO},
        seed=5,
    ),
    "reversed_unanswered": Mutant(
        "a reversal is sent once and counts as done", "network", "M12 M1",
        {"terminal.flows.resolve._ATTEMPTS": _attempts(_reversed_unanswered)},
    ),
    "reversal_new_stan": Mutant(
        "a reversal goes out under a STAN of its own", "network", "M12 M4",
        {"terminal.flows.resolve._ATTEMPTS": _attempts(_reversed_under_new_stan)},
    ),
    "given_up_after_three": Mutant(
        "a reversal is given up after three tries", "everything", "M12",
        {"terminal.flows.resolve._ATTEMPTS": _attempts(_given_up)},
        seed=45,
    ),
    "reversal_any_answer": Mutant(
        "any answer ends a reversal", "everything", "M12",
        {"terminal.flows.resolve._is_done": lambda session, reply: True},
        seed=5,
    ),
    "sells_while_pending": Mutant(
        "new business goes out before a reversal is done", "network", "M13 M15",
        {"terminal.flows.transact.resolve": nothing_pending},
    ),
    "no_mac_at_terminal": Mutant(
        "the terminal checks no MAC", "adversary", "I4",
        {"terminal.session.Session._mac_of": _mac_unchecked},
        seed=6,
    ),
    "void_forgets_original": Mutant(
        "a void leaves the sale as it was", "calm", "S2", {"terminal.records.money.MOVES_ORIGINAL": {}},
        seed=2,
    ),
    "told_both_ways": Mutant(
        "the cashier is told that an approved sale is refused", "calm", "M5 M4",
        {"terminal.app.hand_out": _told_no_where_approved},
    ),
    "told_in_doubt_again": Mutant(
        "the cashier is told that nobody knows of a sale that was told as approved", "calm", "M5",
        {"terminal.app.hand_out": _doubted_again},
    ),
    "slip_before_journal": Mutant(
        "a slip is printed before the journal knows of the approval", "power", "M5",
        {"terminal.money._judged": _printed_first, "pos_lab.sim.shop.INTENTS": busy_with("sale", "reverse")},
        seed=19,
    ),
    "old_rules_complete": Mutant(
        "a hold is completed by rules that are in force no more", "calm", "M9",
        {
            **world_of("sale", "publish_policy"),
            "pos_lab.sim.shop.INTENTS": busy_with("sale", "preauth", "completion"),
            "host.engine.HANDLERS": {**HANDLERS, "completion": _by_the_first_rules},
        },
        seed=1,
    ),
    "refund_not_sent_again": Mutant(
        "a refund without an answer counts as refused", "network", "M1",
        {"terminal.money.in_doubt": _unsent_is_no, "pos_lab.sim.shop.INTENTS": busy_with("sale", "refund")},
        seed=7,
    ),
    "amount_off": Mutant(
        "the host captures a fen more", "calm", "M2 J3", {"host.handlers.purchase.record": _one_fen_more}
    ),
    "resurrected": Mutant(
        "a late original takes the place of its tombstone", "network", "M10 I5",
        {
            "host.gates._asked": GatesWithout("STAN used"),
            "host.handlers.purchase.Insert": _over_what_was,
        },
        seed=75,
    ),
    "completed_too_high": Mutant(
        "a hold is completed with twice of it", "calm", "M9",
        {
            "pos_lab.sim.world.Policy": lambda: Policy(preauth=Preauth(completion_percent=200)),
            "pos_lab.sim.shop.INTENTS": busy_with("sale", "preauth", "completion"),
        },
    ),
    "no_tombstone": Mutant(
        "a reversal of an unknown original leaves nothing", "everything", "J3",
        {"host.handlers.undo._tombstone": _agreed},
        seed=3,
    ),
    "reversal_undone": Mutant(
        "a reversal is approved and nothing happens", "network", "M1",
        {"host.engine.HANDLERS": _handlers("_reversal", _agreed)},
    ),
    "money_stays": Mutant(
        "an undone sale leaves its postings", "calm", "M7", {"host.postings.undo": _nothing_moved},
        seed=2,
    ),
    "money_comes_not": Mutant(
        "a sale makes no postings", "calm", "M7", {"host.handlers.purchase.capture": _nothing_moved}
    ),
    "refund_unbounded": Mutant(
        "a sale is refunded as often as one likes", "calm", "M8", {
            "host.case.Snapshot.refunded_fen": _NO_REFUND,
            "pos_lab.sim.shop.INTENTS": busy_with("sale", "refund"),
        },
        seed=1,
    ),
    "no_mac_at_host": Mutant(
        "the host checks no MAC", "adversary", "M1", {"host.keys.KeyDesk.check": _believed},
        seed=12,
    ),
    "captured_twice": Mutant(
        "a request that comes again is a new one", "network", "M3 M7 I1",
        {
            "host.acquirer.repeats": lambda case: b"",
            "host.engine.RENEWED": frozenset(HANDLERS),
            "host.acquirer._remembered": remembered_again,
            "host.gates._asked": GatesWithout("STAN used"),
            "host.handlers.purchase.Insert": _over_what_was,
        },
        seed=15,
    ),
    "in_suspense": Mutant(
        "fees go to an account that is nobody's", "calm", "M6 M7 S8", {"host.postings.FEE_INCOME": "suspense:fees"}
    ),
    "reverses_whatever": Mutant(
        "a reversal undoes what its key names, whatever it says of it", "network", "M11",
        {
            "terminal.flows.resolve.amount_fields": _another_amount,
            "host.engine.HANDLERS": _handlers("_reversal", _reverses_whatever),
        },
    ),
    "less_than_nothing": Mutant(
        "a refund is a sale of less than nothing", "calm", "M14", {"host.handlers.undo.record": _less_than_nothing},
        seed=6,
    ),
}  # fmt: skip
