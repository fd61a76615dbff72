"""The pre-authorisation family (CUP 3.1; invariant M9, product decision 1)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from host.decision import Update
from host.policy import Policy, Preauth
from protocol.codec import unseal
from protocol.elements import Value
from protocol.fields import F
from protocol.kinds import KINDS
from protocol.message import Message
from protocol.private import Original
from tests.host.wire import CREDIT, DEBIT, FOREIGN, STOLEN, WAIT_S, Lab, Sold, Wire, refusal

DAY = "0301"
COMPLETIONS = ("completion", "completion_advice")


@dataclass(frozen=True)
class Held:
    """A hold that was approved, as its slip tells it."""

    batch: str
    stan: str
    amount_fen: int
    pan: str
    auth_id: str


@pytest.fixture(autouse=True)
def books_agree(lab: Lab) -> Iterator[None]:
    """Whatever a test does, the ledger holds together afterwards."""
    yield
    assert lab.violations() == []


def hold(wire: Wire, amount_fen: int = 10_000, pan: str = DEBIT) -> Held:
    """A hold that must be approved."""
    stan = wire.stan()
    reply = wire.send(wire.build("preauth", wire.money(amount_fen, pan, stan) | {F.CONDITION_CODE: "06"}))
    assert reply.text(F.RESPONSE_CODE) == "00", refusal(reply)
    return Held(wire.batch, stan, amount_fen, pan, reply.text(F.AUTH_ID))


def about(
    wire: Wire, kind: str, held: Held, amount_fen: int, *, stan: str = "", day: str = DAY, pan: str = ""
) -> bytes:
    """A request that names a hold by authorisation id and day."""
    fields: dict[int, Value] = {
        F.CONDITION_CODE: KINDS[kind].condition_code,
        F.AUTH_ID: held.auth_id,
        F.ORIGINAL: str(Original("000000", "000000", day)),
    }
    return wire.build(kind, wire.money(amount_fen, pan or held.pan, stan or wire.stan()) | fields)


def complete(wire: Wire, held: Held, amount_fen: int, kind: str = "completion") -> Sold:
    """A completion that must be approved."""
    stan = wire.stan()
    reply = wire.send(about(wire, kind, held, amount_fen, stan=stan))
    assert reply.text(F.RESPONSE_CODE) == "00", refusal(reply)
    return Sold(wire.batch, stan, amount_fen, held.pan, reply.text(F.RRN))


def void_completion(wire: Wire, sold: Sold, *, stan: str = "") -> bytes:
    """A void of a completion."""
    fields: dict[int, Value] = {
        F.CONDITION_CODE: "06",
        F.RRN: sold.rrn,
        F.ORIGINAL: str(Original(sold.batch, sold.stan, DAY)),
    }
    return wire.build("completion_void", wire.money(sold.amount_fen, sold.pan, stan or wire.stan()) | fields)


def reverse(wire: Wire, kind: str, amount_fen: int, stan: str, pan: str = DEBIT, *, batch: str = "") -> bytes:
    """A reversal of whatever was sent as ``kind`` under ``stan``."""
    fields: dict[int, Value] = {
        F.PAN: pan,
        F.RESPONSE_CODE: "98",
        F.CONDITION_CODE: KINDS[kind].condition_code,
    }
    return wire.build(f"{kind}_reversal", wire.money(amount_fen, "", stan) | fields, batch=batch)


def states(wire: Wire) -> dict[str, str]:
    """Kind to state, of everything but the activating sale."""
    rows = wire.lab.rows("transactions")
    return {row["kind"]: row["state"] for row in rows if (row["batch"], row["kind"]) != ("000001", "sale")}


def code(reply: Message) -> tuple[str, str]:
    """Field 39 and the reason."""
    return reply.text(F.RESPONSE_CODE), refusal(reply).reason


# holds


def test_a_hold_moves_no_money(active: Wire) -> None:
    """A hotel guest would be charged on arrival."""
    before = active.lab.act("accounts")
    held = hold(active)
    assert active.lab.act("accounts") == before
    assert states(active) == {"preauth": "captured"}
    assert active.settle().text(F.RESPONSE_CODE) == "00"
    assert held.auth_id == active.lab.rows("transactions", kind="preauth")[0]["auth_id"]


def test_a_hold_is_declined_as_a_sale_is(active: Wire) -> None:
    """A stolen card would get a room."""
    stan = active.stan()
    assert active.code(active.build("preauth", active.money(10_000, STOLEN, stan))) == "43"
    assert states(active) == {"preauth": "declined"}


def test_a_terminal_that_is_not_activated_holds_nothing(wire: Wire) -> None:
    """A till on its first day would block the money of guests."""
    for kind in ("preauth", "additional_preauth"):
        fields = wire.money(10_000, DEBIT, wire.stan()) | {F.CONDITION_CODE: KINDS[kind].condition_code}
        assert code(wire.send(wire.build(kind, fields))) == ("58", "terminal.not_activated")


def test_completions_count_towards_the_activation(lab: Lab, active: Wire) -> None:
    """A hotel, which only completes, would never be activated (product decision 1)."""
    held = hold(active, 20_000)
    second = Wire(lab, "PXE90-0002", "10000002").on_counter()
    assert second.lab.terminal(second.serial_number)["state"] == "registered"
    complete(second, held, 20_000)
    assert second.lab.terminal(second.serial_number)["state"] == "activated"
    assert lab.act("show", serial_number=second.serial_number)["turnover_fen"] == 20_000


# completions


@pytest.mark.parametrize("kind", COMPLETIONS)
@pytest.mark.parametrize("pan", [DEBIT, CREDIT, FOREIGN])
def test_a_completion_captures_with_its_fee(active: Wire, kind: str, pan: str) -> None:
    """A hotel would hand over the room and get nothing, or pay no fee."""
    held = hold(active, 10_000, pan)
    sold = complete(active, held, 9_000, kind)
    row = active.lab.rows("transactions", stan=sold.stan, batch=sold.batch)[0]
    assert (row["kind"], row["state"], row["auth_id"]) == (kind, "captured", held.auth_id)
    assert row["fee_fen"] == (45 if pan == DEBIT else 54)
    assert active.settle().text(F.RESPONSE_CODE) == "00"
    assert active.lab.act("payout", merchant_id=active.merchant_id)["total_fen"] > 9_000


@pytest.mark.parametrize("kind", COMPLETIONS)
@pytest.mark.parametrize(
    ("held_fen", "amount_fen", "expected"),
    [
        (10_000, 11_500, ("00", "")),
        (10_000, 11_501, ("64", "completion.above_bound")),
        (9_999, 11_498, ("00", "")),
        (9_999, 11_499, ("64", "completion.above_bound")),
        (1, 1, ("00", "")),
        (1, 2, ("64", "completion.above_bound")),
        (10_000, 0, ("13", "amount.zero")),
    ],
)
def test_the_bound_is_115_percent_rounded_down(
    active: Wire, kind: str, held_fen: int, amount_fen: int, expected: tuple[str, str]
) -> None:
    """A guest would be charged what nobody agreed to (M9)."""
    held = hold(active, held_fen)
    assert code(active.send(about(active, kind, held, amount_fen))) == expected


def test_the_bound_and_the_time_are_the_policys(tmp_path: Path) -> None:
    """A tester could not play another scheme's rules."""
    lab = Lab(tmp_path / "other.db", Policy(preauth=Preauth(completion_percent=100, ttl_s=60)))
    wire = Wire(lab).activated()
    held = hold(wire)
    assert code(wire.send(about(wire, "completion", held, 10_001)))[1] == "completion.above_bound"
    lab.later(seconds=60)
    assert code(wire.send(about(wire, "completion", held, 10_000)))[1] == "preauth.expired"
    lab.store.close()


@pytest.mark.parametrize("second", COMPLETIONS)
@pytest.mark.parametrize("first", COMPLETIONS)
def test_a_hold_is_completed_once(active: Wire, first: str, second: str) -> None:
    """A guest would pay the room twice (M9)."""
    held = hold(active)
    complete(active, held, 5_000, first)
    assert code(active.send(about(active, second, held, 1_000))) == ("12", "original.undone")
    assert code(active.send(about(active, "preauth_void", held, 10_000))) == ("12", "original.undone")


def test_a_completion_that_comes_twice_gets_the_same_reply(active: Wire) -> None:
    """A lost reply would cost the guest the room once more."""
    held, stan = hold(active), active.stan()
    payload = about(active, "completion_advice", held, 10_000, stan=stan)
    assert active.lab.answer(payload).payload == active.lab.answer(payload).payload
    assert len(active.lab.rows("transactions", kind="completion_advice")) == 1


@pytest.mark.parametrize("kind", ["completion", "completion_advice", "preauth_void", "additional_preauth"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pan": CREDIT}, "original.other_card"),
        ({"day": "0302"}, "original.not_found"),
        ({"day": "0000"}, ""),
        ({"day": ""}, ""),
    ],
    ids=str,
)
def test_a_hold_is_named_by_card_and_day(active: Wire, kind: str, change: dict[str, str], reason: str) -> None:
    """The hold of another guest would be taken."""
    held = hold(active)
    assert code(active.send(about(active, kind, held, 10_000, **change)))[1] == reason


@pytest.mark.parametrize("kind", ["completion", "preauth_void", "additional_preauth"])
def test_an_authorisation_id_that_nobody_gave_is_not_found(active: Wire, kind: str) -> None:
    """A mistyped code would take a hold at random."""
    held = Held(active.batch, "000000", 10_000, DEBIT, "999999")
    assert code(active.send(about(active, kind, held, 10_000))) == ("25", "original.not_found")


def test_a_hold_of_another_merchant_is_not_found(lab: Lab, active: Wire) -> None:
    """A shop would take the deposit that a guest left at a hotel."""
    other = Wire(lab, "PXE90-0002", "10000002", "898100000000002").activated()
    held = hold(active)
    assert code(other.send(about(other, "completion", held, 100))) == ("25", "original.not_found")


def test_the_own_card_counts_where_an_id_came_twice(active: Wire) -> None:
    """After a million holds a guest would be told that the card is another one."""
    held = hold(active, 10_000, DEBIT)
    hold(active, 10_000, CREDIT)
    same = Update("transactions", {"kind": "preauth"}, {"auth_id": held.auth_id})
    active.lab.store.run(lambda books: books.write(same))
    complete(active, held, 10_000)


def test_a_hold_outlives_its_batch_and_is_completed_at_another_till(lab: Lab, active: Wire) -> None:
    """A guest who stays a week could not pay."""
    held = hold(active)
    assert active.settle().text(F.RESPONSE_CODE) == "00"
    lab.later(days=6)
    second = Wire(lab, "PXE90-0002", "10000002").activated()
    complete(second, held, 11_000)


def test_an_expired_hold_stays_expired_when_the_clock_goes_back(lab: Lab, active: Wire) -> None:
    """A clock that is set back would revive what the guest's bank has long let go (M9)."""
    held = hold(active)
    lab.later(days=30)
    for kind in ("completion", "additional_preauth", "preauth_void"):
        assert code(active.send(about(active, kind, held, 10_000))) == ("12", "preauth.expired")
    lab.later(days=-29)
    assert code(active.send(about(active, "completion_advice", held, 10_000))) == ("12", "preauth.expired")
    assert states(active) == {"preauth": "expired"}


def test_the_last_second_of_a_hold(lab: Lab, active: Wire) -> None:
    """A guest would be refused on the last day."""
    held = hold(active)
    lab.later(days=30, seconds=-1)
    complete(active, held, 10_000)


def test_two_tills_that_complete_one_hold_at_once(lab: Lab, active: Wire) -> None:
    """Two desks that check the same guest out would both be paid (M9)."""
    second = Wire(lab, "PXE90-0002", "10000002").activated()
    held = hold(active)
    payloads = [about(wire, "completion", held, 10_000) for wire in (active, second)]
    answers = [future.result(WAIT_S) for future in [lab.acquirer.submit(payload) for payload in payloads]]
    codes = sorted(unseal(answer.payload).message.text(F.RESPONSE_CODE) for answer in answers)
    assert codes == ["00", "12"]
    assert len(lab.rows("transactions", kind="completion")) == 1


# more


def test_what_is_added_is_completed_with_the_rest(active: Wire) -> None:
    """A guest who stays on would need a second card."""
    held = hold(active)
    reply = active.send(about(active, "additional_preauth", held, 5_000))
    assert (reply.text(F.RESPONSE_CODE), reply.text(F.AUTH_ID)) == ("00", held.auth_id)
    assert code(active.send(about(active, "completion", held, 17_251)))[1] == "completion.above_bound"
    complete(active, held, 17_250)
    assert code(active.send(about(active, "additional_preauth", held, 100)))[1] == "original.undone"


def test_an_addition_that_the_issuer_declines_holds_nothing(active: Wire) -> None:
    """A guest would be charged above what the card is good for."""
    held = hold(active)
    assert active.code(about(active, "additional_preauth", held, 5_000_001)) == "61"
    assert code(active.send(about(active, "completion", held, 11_501)))[1] == "completion.above_bound"


def test_a_reversed_addition_counts_no_more(active: Wire) -> None:
    """An addition that nobody heard of would raise the bill."""
    held, stan = hold(active), active.stan()
    assert active.code(about(active, "additional_preauth", held, 5_000, stan=stan)) == "00"
    assert active.code(reverse(active, "additional_preauth", 5_000, stan)) == "00"
    assert code(active.send(about(active, "completion", held, 11_501)))[1] == "completion.above_bound"
    assert active.code(about(active, "preauth_void", held, 10_000)) == "00"


# voids


@pytest.mark.parametrize("added_fen", [0, 5_000])
def test_a_void_lets_go_of_all_that_is_held(active: Wire, added_fen: int) -> None:
    """A guest who left would find part of the money still blocked."""
    held = hold(active)
    if added_fen:
        assert active.code(about(active, "additional_preauth", held, added_fen)) == "00"
    assert code(active.send(about(active, "preauth_void", held, 9_999 + added_fen)))[1] == "original.other_amount"
    assert active.code(about(active, "preauth_void", held, 10_000 + added_fen)) == "00"
    for kind in ("preauth_void", *COMPLETIONS):
        assert code(active.send(about(active, kind, held, 10_000 + added_fen))) == ("12", "original.undone")


def test_a_reversed_void_gives_the_hold_back(active: Wire) -> None:
    """A lost reply would cost the hotel its deposit."""
    held, stan = hold(active), active.stan()
    assert active.settle().text(F.RESPONSE_CODE) == "00"
    assert active.code(about(active, "preauth_void", held, 10_000, stan=stan)) == "00"
    assert active.code(reverse(active, "preauth_void", 10_000, stan)) == "00"
    complete(active, held, 10_000)


def test_a_void_of_a_completion_takes_the_money_back_and_uses_the_hold_up(active: Wire) -> None:
    """A guest would be charged again for what the desk has taken back."""
    before = active.lab.act("accounts")
    held = hold(active)
    sold = complete(active, held, 10_000)
    assert active.code(void_completion(active, sold)) == "00"
    assert active.lab.act("accounts") == before
    assert states(active) == {"preauth": "captured", "completion": "voided", "completion_void": "captured"}
    assert code(active.send(about(active, "completion", held, 10_000)))[1] == "original.undone"
    assert code(active.send(void_completion(active, sold)))[1] == "original.undone"


def test_a_reversed_void_gives_the_completion_back(active: Wire) -> None:
    """A lost reply would cost the hotel the room (M9: and never does it get two)."""
    held, stan = hold(active, pan=CREDIT), active.stan()
    sold = complete(active, held, 10_000)
    before = active.lab.act("accounts")
    assert active.code(void_completion(active, sold, stan=stan)) == "00"
    assert code(active.send(about(active, "completion", held, 10_000)))[1] == "original.undone"
    assert active.code(reverse(active, "completion_void", 10_000, stan, CREDIT)) == "00"
    assert active.lab.act("accounts") == before
    assert states(active)["completion"] == "captured"


def test_a_completion_of_a_settled_batch_is_not_voided_but_refunded(active: Wire) -> None:
    """A settled room would be taken back behind the merchant's books."""
    sold = complete(active, hold(active), 10_000)
    assert active.settle().text(F.RESPONSE_CODE) == "00"
    assert code(active.send(void_completion(active, sold)))[1] == "original.not_found"
    assert active.code(active.refund(sold, 6_000)) == "00"
    assert code(active.send(active.refund(sold, 4_001)))[1] == "refund.above_rest"


@pytest.mark.parametrize("kind", ["sale_void", "moto_sale_void"])
def test_a_completion_is_voided_as_what_it_is(active: Wire, kind: str) -> None:
    """A void of a sale would take back a room, and no hold end with it."""
    sold = complete(active, hold(active), 10_000)
    fields = active.money(10_000, DEBIT, active.stan()) | {
        F.CONDITION_CODE: KINDS[kind].condition_code,
        F.RRN: sold.rrn,
        F.ORIGINAL: str(Original(sold.batch, sold.stan, DAY)),
    }
    assert code(active.send(active.build(kind, fields)))[1] == "original.not_found"


# reversals


@pytest.mark.parametrize("kind", ["preauth", "completion", "preauth_void", "completion_void", "additional_preauth"])
def test_a_reversal_that_comes_first_leaves_a_tombstone(active: Wire, kind: str) -> None:
    """What the terminal has given up would be booked when it comes late (M10)."""
    held = hold(active)
    sold = complete(active, held, 10_000) if kind == "completion_void" else None
    stan = active.stan()
    assert active.code(reverse(active, kind, 10_000, stan)) == "00"
    late = void_completion(active, sold, stan=stan) if sold else about(active, kind, held, 10_000, stan=stan)
    if kind == "preauth":
        late = active.build("preauth", active.money(10_000, DEBIT, stan) | {F.CONDITION_CODE: "06"})
    assert code(active.send(late)) == ("12", "transaction.reversed")


def test_a_reversed_hold_is_gone(active: Wire) -> None:
    """A hold that nobody was told of would be completed."""
    held = hold(active)
    assert active.code(reverse(active, "preauth", 10_000, held.stan)) == "00"
    assert code(active.send(about(active, "completion", held, 10_000)))[1] == "original.undone"


def test_a_reversed_completion_leaves_the_hold_as_it_was(active: Wire) -> None:
    """The desk that tries again would be told that the room is paid."""
    before = active.lab.act("accounts")
    held = hold(active)
    sold = complete(active, held, 10_000)
    assert active.code(reverse(active, "completion", 10_000, sold.stan)) == "00"
    assert active.lab.act("accounts") == before
    complete(active, held, 11_500)


@pytest.mark.parametrize("kind", ["preauth", "additional_preauth"])
def test_what_was_completed_is_not_taken_from_under_it(active: Wire, kind: str) -> None:
    """A late reversal would leave a completion without its hold."""
    held, stan = hold(active), active.stan()
    assert active.code(about(active, "additional_preauth", held, 10_000, stan=stan)) == "00"
    complete(active, held, 23_000)
    target = held.stan if kind == "preauth" else stan
    assert code(active.send(reverse(active, kind, 10_000, target)))[1] == "original.undone"


def test_a_refunded_completion_is_reversed_by_nothing(active: Wire) -> None:
    """The guest would get the money back twice."""
    sold = complete(active, hold(active), 10_000)
    assert active.code(active.refund(sold, 1)) == "00"
    assert code(active.send(reverse(active, "completion", 10_000, sold.stan)))[1] == "original.undone"
    assert code(active.send(void_completion(active, sold)))[1] == "original.undone"


# random lives


@dataclass
class Life:
    """A hold as the model has it."""

    held: Held
    added_fen: int = 0
    is_open: bool = True
    completed: Sold | None = None
    void_stan: str = ""


class Holds(RuleBasedStateMachine):
    """Holds, additions, completions, voids and reversals in any order: never more than M9 lets happen."""

    @initialize()
    def begin(self) -> None:
        """One activated till, paid out."""
        self.folder = tempfile.TemporaryDirectory()
        self.lab = Lab(Path(self.folder.name) / "host.db")
        self.wire = Wire(self.lab).activated()
        self.paid_fen = self.payable_fen()
        self.lives: list[Life] = []

    def teardown(self) -> None:
        """Close the file."""
        if hasattr(self, "lab"):
            self.lab.store.close()
            self.folder.cleanup()

    def payable_fen(self) -> int:
        """What the merchant is owed."""
        accounts: dict[str, int] = self.lab.act("accounts")["accounts"]
        return accounts[f"merchant:{self.wire.merchant_id}:payable"]

    def pick(self, which: int) -> Life:
        """Some hold."""
        return self.lives[which % len(self.lives)]

    @rule(amount_fen=st.sampled_from([1, 87, 10_000, 500_001]), pan=st.sampled_from([DEBIT, CREDIT]))
    def held(self, amount_fen: int, pan: str) -> None:
        """A hold."""
        self.lives.append(Life(hold(self.wire, amount_fen, pan)))

    @precondition(lambda self: self.lives)
    @rule(which=st.integers(0, 99), amount_fen=st.sampled_from([1, 10_000]))
    def add(self, which: int, amount_fen: int) -> None:
        """An addition."""
        life = self.pick(which)
        legal = life.is_open and life.completed is None
        assert (self.wire.code(about(self.wire, "additional_preauth", life.held, amount_fen)) == "00") is legal
        life.added_fen += amount_fen if legal else 0

    @precondition(lambda self: self.lives)
    @rule(which=st.integers(0, 99), percent=st.integers(1, 130), kind=st.sampled_from(COMPLETIONS))
    def complete(self, which: int, percent: int, kind: str) -> None:
        """A completion of more or less than what is held."""
        life, stan = self.pick(which), self.wire.stan()
        held_fen = life.held.amount_fen + life.added_fen
        amount_fen = held_fen * percent // 100
        reply = self.wire.send(about(self.wire, kind, life.held, amount_fen, stan=stan))
        legal = life.is_open and life.completed is None and 0 < amount_fen <= held_fen * 115 // 100
        assert (reply.text(F.RESPONSE_CODE) == "00") is legal
        if legal:
            life.completed = Sold(self.wire.batch, stan, amount_fen, life.held.pan, reply.text(F.RRN))

    @precondition(lambda self: self.lives)
    @rule(which=st.integers(0, 99))
    def cancel(self, which: int) -> None:
        """A void of the hold."""
        life = self.pick(which)
        legal = life.is_open and life.completed is None
        amount_fen = life.held.amount_fen + life.added_fen
        assert (self.wire.code(about(self.wire, "preauth_void", life.held, amount_fen)) == "00") is legal
        life.is_open = life.is_open and not legal

    @precondition(lambda self: self.lives)
    @rule(which=st.integers(0, 99))
    def void(self, which: int) -> None:
        """A void of the completion."""
        life, stan = self.pick(which), self.wire.stan()
        if life.completed:
            legal = not life.void_stan and life.completed.batch == self.wire.batch
            assert (self.wire.code(void_completion(self.wire, life.completed, stan=stan)) == "00") is legal
            life.void_stan = stan if legal else life.void_stan

    @precondition(lambda self: self.lives)
    @rule(which=st.integers(0, 99))
    def reverse_void(self, which: int) -> None:
        """A reversal of that void."""
        life = self.pick(which)
        if life.completed and life.void_stan:
            fields = self.wire.money(life.completed.amount_fen, "", life.void_stan) | {F.PAN: life.held.pan}
            fields |= {F.RESPONSE_CODE: "98", F.CONDITION_CODE: "06"}
            payload = self.wire.build("completion_void_reversal", fields, batch=life.completed.batch)
            assert self.wire.code(payload) == "00"
            life.void_stan = ""

    @rule()
    def settle(self) -> None:
        """The totals by hand close the batch."""
        assert self.wire.settle().text(F.RESPONSE_CODE) == "00"

    @invariant()
    def the_merchant_is_owed_what_stands(self) -> None:
        """Completions that stand, less their fees."""
        if not hasattr(self, "lab"):
            return
        assert self.lab.violations() == []
        standing = [life.completed for life in self.lives if life.completed and not life.void_stan]
        rate = {DEBIT: (50, 2_500), CREDIT: (60, 10**9)}
        fees = sum(min((sold.amount_fen * rate[sold.pan][0] + 5_000) // 10_000, rate[sold.pan][1]) for sold in standing)
        assert self.payable_fen() - self.paid_fen == sum(sold.amount_fen for sold in standing) - fees


Holds.TestCase.settings = settings(
    max_examples=10,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestHolds = Holds.TestCase
