"""The pre-authorisation family at the terminal: what is asked, what the book says, what is reversed or sent again."""

from __future__ import annotations

import pytest

from protocol.fields import F
from terminal.outcome import Outcome
from tests.terminal.bench import Bench, bench_at, once, swallow, without_mac
from tests.terminal.fake_host import Answer, FakeHost

PIN = "123456"
ENDS = ("preauth_void", "completion", "completion_advice")


async def hold(bench: Bench, amount: str = "100.00", card: str = "credit") -> Outcome:
    """A hold that must be approved."""
    outcome = await bench.do("preauth", amount, card)
    assert outcome.result == "approved", outcome
    return outcome


def named(outcome: Outcome) -> tuple[str, str]:
    """The words that name a hold."""
    return outcome.detail["auth_id"], outcome.detail["date"]


async def test_a_hold_is_asked_for_as_a_sale_is(bench: Bench) -> None:
    """A hotel could hold nothing, or would charge on arrival."""
    outcome = await bench.do("preauth", "100.00", "debit", PIN)
    assert (outcome.flow, outcome.result, outcome.amount_fen) == ("preauth", "approved", 10_000)
    request = bench.host.asked("preauth")[0]
    expected = {
        F.PROCESSING_CODE: "030000",
        F.AMOUNT: "000000010000",
        F.ENTRY_MODE: "071",
        F.CONDITION_CODE: "06",
        F.CONTROL: "100000010006",
    }
    assert {number: request.text(number) for number in expected} == expected
    assert request.mti == "0100"
    assert request.has(F.PIN_BLOCK)
    assert request.has(F.ICC)
    assert (bench.terminal.book.money, bench.terminal.book.net_fen) == ((), 0)
    assert named(outcome) == ("000001", "0301")
    assert "authorisation: 000001" in outcome.receipt_en


@pytest.mark.parametrize("kind", ENDS)
async def test_what_ends_a_hold_names_it(bench: Bench, kind: str) -> None:
    """The hold of another guest would be taken."""
    held = await hold(bench)
    outcome = await bench.do(kind, "100.00", "credit", *named(held))
    assert (outcome.flow, outcome.result, outcome.amount_fen) == (kind, "approved", 10_000)
    request = bench.host.asked(kind)[0]
    assert (request.text(F.AUTH_ID), request.text(F.ORIGINAL)) == ("000001", f"000001{held.stan}0301")
    assert (request.text(F.PAN), request.text(F.EXPIRY)) == ("6200000200000003", "3012")
    assert (request.text(F.CONDITION_CODE), request.text(F.ENTRY_MODE)[2]) == ("06", "2")
    assert not request.has(F.TRACK2)
    assert "original authorisation: 000001" in outcome.receipt_en
    states = {"preauth_void": "voided", "completion": "captured", "completion_advice": "captured"}
    assert bench.states()[held.stan] == states[kind]
    assert bench.captured() == bench.host.captured()
    assert bench.terminal.book.net_fen == (0 if kind == "preauth_void" else 10_000)


@pytest.mark.parametrize("kind", ENDS)
async def test_a_hold_of_an_earlier_batch_is_named_by_zeros(bench: Bench, kind: str) -> None:
    """A guest who stays a week could not pay (CUP 2.6)."""
    held = await hold(bench)
    assert (await bench.do("settle")).result == "done"
    assert (await bench.do(kind, "100.00", "credit", *named(held))).result == "approved"
    assert bench.host.asked(kind)[0].text(F.ORIGINAL) == "0000000000000301"
    assert bench.captured() == {row for row in bench.host.captured() if row[0].batch == "000002"}


async def test_more_is_held_under_the_same_name(bench: Bench) -> None:
    """A guest who stays on would need a second card."""
    held = await hold(bench)
    outcome = await bench.do("additional_preauth", "50.00", "credit", *named(held))
    assert (outcome.flow, outcome.result) == ("additional_preauth", "approved")
    request = bench.host.asked("additional_preauth")[0]
    assert (request.text(F.CONDITION_CODE), request.text(F.AUTH_ID)) == ("60", "000001")
    assert request.text(F.ORIGINAL) == f"000001{held.stan}0301"
    assert request.has(F.TRACK2)


@pytest.mark.parametrize("kind", [*ENDS, "additional_preauth"])
@pytest.mark.parametrize(
    "words",
    [("x", "credit", "000001", "0301"), ("1.00", "credit", "short", "0301"), ("1.00", "credit", "000001", "３月")],
)
async def test_entries_that_make_no_sense(bench: Bench, kind: str, words: tuple[str, ...]) -> None:
    """A mistyped code would crash the terminal, or name another guest's hold."""
    outcome = await bench.do(kind, *words)
    assert outcome.reason in ("terminal.amount", "terminal.entry")
    assert bench.host.requests == []


@pytest.mark.parametrize("kind", ["preauth", "additional_preauth", "preauth_void", "completion"])
async def test_a_lost_reply_is_reversed(bench: Bench, kind: str) -> None:
    """A hold or a charge would stand that nobody was told of (CUP 7.1)."""
    words = named(await hold(bench)) if kind != "preauth" else ()
    bench.host.after.append(once(kind, swallow))
    outcome = await bench.do(kind, "100.00", "credit", *words)
    assert (outcome.result, outcome.receipt_zh) == ("unknown", ())
    assert bench.states()[outcome.stan] == "must_reverse"
    assert (await bench.sell()).result == "approved"
    reversal, original = bench.host.asked(f"{kind}_reversal")[0], bench.host.asked(kind)[0]
    for number in (F.PROCESSING_CODE, F.AMOUNT, F.STAN, F.CONDITION_CODE, F.ENTRY_MODE, F.ORIGINAL, F.PAN):
        assert reversal.text(number) == original.text(number)
    assert reversal.text(F.RESPONSE_CODE) == "98"
    assert "preauth" not in {row.kind for row in bench.host.book.values() if row.state == "reversed"} - {kind}
    assert bench.states()[outcome.stan] == "reversed"
    assert bench.captured() == bench.host.captured()


async def test_a_lost_advice_is_sent_again_unchanged(bench: Bench) -> None:
    """An advice has no reversal: the guest would pay the room twice, or never (CUP 3.1)."""
    held = await hold(bench)
    bench.host.after.append(once("completion_advice", swallow))
    outcome = await bench.do("completion_advice", "90.00", "credit", *named(held))
    assert (outcome.result, bench.states()[outcome.stan]) == ("unknown", "pending")
    bench.restart()
    assert (await bench.do("settle")).result == "done"
    first, second = bench.host.asked("completion_advice")
    assert dict(first.without(F.MAC).fields) == dict(second.without(F.MAC).fields)
    assert bench.host.closed == {"000001": True}
    assert "sending completion advice 000003 again" in bench.screens


def _sign_on_first(answer: Answer, left: list[None]) -> None:
    if answer.kind == "completion_advice" and left:
        left.pop()
        answer.refuse("77", "terminal.not_signed_on")
        without_mac(answer)


@pytest.mark.parametrize("times", [1, 2])
async def test_an_advice_that_wants_a_sign_on_first_is_not_declined(bench: Bench, times: int) -> None:
    """The host booked it, and the terminal would write it off because of a key."""
    held = await hold(bench)
    bench.host.after.append(once("completion_advice", swallow))
    assert (await bench.do("completion_advice", "90.00", "credit", *named(held))).result == "unknown"
    left = [None] * times
    bench.host.before.append(lambda answer: _sign_on_first(answer, left))
    first = await bench.do("reverse")
    assert first.result == ("done" if times == 1 else "refused")
    assert (await bench.do("reverse")).result == "done"
    assert bench.states() == {"000002": "captured", "000003": "captured"}
    assert bench.captured() == bench.host.captured()


async def test_a_completion_is_voided_by_its_number(bench: Bench) -> None:
    """A desk that took too much could not take it back."""
    held = await hold(bench)
    completed = await bench.do("completion", "100.00", "credit", *named(held))
    assert (await bench.do("void", completed.stan)).reason == "terminal.original_not_found"
    assert (await bench.do("completion_void", held.stan)).reason == "terminal.original_not_found"
    outcome = await bench.do("completion_void", completed.stan)
    assert (outcome.flow, outcome.result) == ("completion_void", "approved")
    request = bench.host.asked("completion_void")[0]
    assert (request.text(F.RRN), request.text(F.ORIGINAL)) == (completed.rrn, f"000001{completed.stan}0301")
    assert bench.states()[completed.stan] == "voided"
    assert bench.captured() == bench.host.captured() == set()
    assert (await bench.do("completion_void", completed.stan)).reason == "terminal.original_undone"
    assert (await bench.do("settle")).detail["net_fen"] == "0"


async def test_a_void_of_a_hold_that_was_voided_is_left_to_the_host(bench: Bench) -> None:
    """The journal would contradict itself and the terminal not start any more."""
    held = await hold(bench)
    assert (await bench.do("preauth_void", "100.00", "credit", *named(held))).result == "approved"
    outcome = await bench.do("preauth_void", "100.00", "credit", *named(held))
    assert (outcome.result, outcome.reason) == ("refused", "original.not_found")
    assert bench.host.asked("preauth_void")[-1].text(F.ORIGINAL) == "0000000000000301"


async def test_nothing_is_held_without_room_in_the_journal() -> None:
    """A hold would be approved that the terminal cannot write down (J8)."""
    async with bench_at(FakeHost(), journal_limit=1) as bench:
        held = await hold(bench)
        for kind in ("preauth", "completion", "completion_advice", "preauth_void"):
            words = named(held) if kind != "preauth" else ()
            assert (await bench.do(kind, "100.00", "credit", *words)).reason == "terminal.journal_full"
        assert [name for name, _ in bench.host.requests] == ["sign_in", "preauth", "signature_upload"]
