"""Voids, refunds, and the supervisor's last resort."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocol.fields import F
from tests.terminal.bench import Bench, bench_at, once, swallow, without_mac, wrong_mac
from tests.terminal.fake_host import HOST_PUBLIC_KEY, TMK, Answer, FakeHost


async def test_a_void_takes_a_sale_back(bench: Bench) -> None:
    """A cashier's mistake could not be undone, or would be undone at one end only."""
    sold = await bench.sell()
    outcome = await bench.do("void", sold.stan.lstrip("0"))
    assert (outcome.flow, outcome.result, outcome.amount_fen) == ("void", "approved", 6000)
    request = bench.host.asked("sale_void")[0]
    assert (request.text(F.RRN), request.text(F.ORIGINAL)) == (sold.rrn, f"000001{sold.stan}0301")
    assert not request.has(F.PAN)
    assert bench.states() == {"000002": "voided", "000003": "captured"}
    assert bench.captured() == bench.host.captured() == set()
    again = await bench.do("void", sold.stan)
    assert (again.result, again.reason) == ("refused", "terminal.original_undone")


async def test_a_lost_void_is_reversed_and_the_sale_stands(bench: Bench) -> None:
    """The shop would believe in a void that the host took back, or the other way round."""
    sold = await bench.sell()
    bench.host.after.append(once("sale_void", swallow))
    assert (await bench.do("void", sold.stan)).result == "unknown"
    assert (await bench.do("reverse")).result == "done"
    assert bench.host.asked("sale_void_reversal")[0].text(F.ORIGINAL) == f"000001{sold.stan}0301"
    assert bench.states() == {"000002": "captured", "000003": "reversed"}
    assert bench.captured() == bench.host.captured() != set()
    assert (await bench.do("void", sold.stan)).result == "approved"


@pytest.mark.parametrize("stan", ["999999", "1", "abc", "", "1234567"])
async def test_a_void_of_nothing(bench: Bench, stan: str) -> None:
    """A mistyped number would void somebody else's sale."""
    await bench.sell()
    outcome = await bench.do("void", stan)
    assert outcome.result == "refused"
    assert outcome.reason in ("terminal.original_not_found", "terminal.entry")
    assert bench.host.asked("sale_void") == []


async def test_a_refund(bench: Bench) -> None:
    """Goods could not be taken back."""
    sold = await bench.sell()
    await bench.do("settle")
    outcome = await bench.do("refund", "10.00", "debit", sold.rrn, "0301")
    assert (outcome.flow, outcome.result, outcome.amount_fen) == ("refund", "approved", 1000)
    request = bench.host.asked("refund")[0]
    assert (request.text(F.RRN), request.text(F.ORIGINAL)) == (sold.rrn, "0000000000000301")
    assert (request.text(F.PAN), request.text(F.ENTRY_MODE)) == ("6200000100000004", "072")
    assert not request.has(F.TRACK2)
    assert bench.captured() == {row for row in bench.host.captured() if row[0].batch == "000002"}
    assert bench.terminal.book.net_fen == -1000


def _decline_unproven(answer: Answer) -> None:
    answer.refuse("51")
    without_mac(answer)


@pytest.mark.parametrize("spoil", [swallow, wrong_mac, without_mac, _decline_unproven])
async def test_an_unproven_refund_is_sent_again_unchanged(bench: Bench, spoil: object) -> None:
    """A customer would get the money twice, or never."""
    sold = await bench.sell()
    bench.host.after.append(once("refund", spoil))  # type: ignore[arg-type]
    outcome = await bench.do("refund", "10.00", "debit", sold.rrn, "0301")
    assert (outcome.result, outcome.receipt_zh) == ("unknown", ())
    assert bench.states()[outcome.stan] == "pending"
    bench.restart()
    assert bench.states()[outcome.stan] == "pending"
    assert (await bench.sell("1.00")).result == "approved"
    first, second = bench.host.asked("refund")
    assert dict(first.without(F.MAC).fields) == dict(second.without(F.MAC).fields)
    assert [(told.flow, told.result) for told in bench.terminal.told] == [("refund", "approved"), ("sale", "approved")]
    assert bench.captured() == bench.host.captured()


async def test_a_refund_that_stays_unanswered_blocks_and_alarms(bench: Bench) -> None:
    """Refunds would pile up unseen."""
    sold = await bench.sell()
    bench.host.after.append(lambda answer: swallow(answer) if answer.kind == "refund" else None)
    await bench.do("refund", "10.00", "debit", sold.rrn, "0301")
    for _ in range(3):
        assert (await bench.sell()).reason == "terminal.refund_pending"
    assert "alarm: refund 000003 cannot be resolved" in bench.screens


@pytest.mark.parametrize(
    "words",
    [
        ("10.00", "debit", "short", "0301"),
        ("10.00", "debit", "000000000001", "３月"),
        ("x", "debit", "000000000001", "0301"),
    ],
)
async def test_refund_entries(bench: Bench, words: tuple[str, ...]) -> None:
    """A mistyped reference would crash the terminal instead of asking again."""
    assert (await bench.do("refund", *words)).result == "refused"
    assert bench.host.requests == []


@pytest.mark.parametrize("code", ["00", "12", "25", "94"])
async def test_answers_that_end_a_reversal(bench: Bench, code: str) -> None:
    """A shop could not sell for ever, though nothing is left to reverse."""
    bench.host.after.append(once("sale", swallow))
    await bench.sell()
    if code != "00":
        bench.host.before.append(once("sale_reversal", lambda answer: answer.refuse(code)))
    assert (await bench.do("reverse")).result == "done"
    assert bench.states() == {"000002": "reversed"}


@pytest.mark.parametrize("decline_mac", ["required", "optional"])
@pytest.mark.parametrize(
    ("code", "spoil", "believed"),
    [
        ("00", without_mac, ()),
        ("25", without_mac, ("optional",)),
        ("25", wrong_mac, ()),
        ("96", without_mac, ()),
    ],
)
async def test_a_reversal_needs_proof(decline_mac: str, code: str, spoil: object, believed: tuple[str, ...]) -> None:
    """Whoever can write on the line could make the terminal forget a captured sale."""
    async with bench_at(FakeHost(), decline_mac=decline_mac) as bench:
        bench.host.after.append(once("sale", swallow))
        await bench.sell()

        def spoilt(answer: Answer) -> None:
            if code != "00":
                answer.refuse(code)
            spoil(answer)  # type: ignore[operator]

        bench.host.after.append(once("sale_reversal", spoilt))
        outcome = await bench.do("reverse")
        assert outcome.is_good is (decline_mac in believed)


@pytest.mark.parametrize("code", ["77", "A0", "99"])
async def test_sign_on_again_then_reverse(bench: Bench, code: str) -> None:
    """A host that changed its keys would keep the terminal from ever reversing."""
    bench.host.after.append(once("sale", swallow))
    await bench.sell()
    bench.host.before.append(once("sale_reversal", lambda answer: answer.refuse(code)))
    assert (await bench.do("reverse")).result == "done"
    assert [name for name, _ in bench.host.requests][-3:] == ["sale_reversal", "sign_in", "sale_reversal"]
    assert bench.captured() == bench.host.captured()


async def test_a_sale_that_must_sign_on_again(bench: Bench) -> None:
    """Every sale after a key change of the host would fail."""

    def out_of_step(answer: Answer) -> None:
        answer.refuse("A0")
        without_mac(answer)

    bench.host.before.append(once("sale", out_of_step))
    assert (await bench.sell()).code == "A0"
    assert bench.states() == {"000002": "must_reverse"}
    assert [name for name, _ in bench.host.requests] == ["sign_in", "sale", "sign_in"]
    assert (await bench.sell()).result == "approved"
    assert bench.captured() == bench.host.captured()


async def test_a_reversal_goes_out_though_sign_on_is_refused(bench: Bench) -> None:
    """A replaced terminal could never give back what it owes."""
    bench.host.before.append(once("sale", lambda answer: answer.refuse("77")))
    bench.host.after.append(once("sale", without_mac))
    bench.host.before.append(
        lambda answer: (
            answer.refuse("97", "terminal.replaced") if answer.kind == "sign_in" and bench.host.serial else None
        )
    )
    await bench.sell()
    assert bench.states() == {"000002": "must_reverse"}
    assert (await bench.do("reverse")).result == "done"
    assert bench.states() == {"000002": "reversed"}


async def test_a_supervisor_clears_what_cannot_be_resolved(bench: Bench) -> None:
    """A shop whose host is gone could never sell again; or somebody could make money vanish unseen."""
    assert (await bench.do("clear_reversal")).reason == "terminal.nothing_to_clear"
    bench.host.after.append(lambda answer: swallow(answer) if "sale" in answer.kind else None)
    await bench.sell()
    assert (await bench.do("clear_reversal")).result == "done"
    bench.restart()
    assert bench.states() == {"000002": "cleared"}
    event = bench.terminal.book.events[-1]
    assert (event.what, event.detail) == ("reversal cleared", "sale 000001/000002 6000 fen, was must_reverse")
    assert "alarm: a supervisor cleared 000002" in bench.screens
    bench.host.after.clear()
    assert (await bench.sell()).result == "approved"


async def test_sign_off_waits_for_the_reversal(bench: Bench) -> None:
    """The keys that the reversal needs would be erased."""
    bench.host.after.append(once("sale", swallow))
    await bench.sell()
    assert (await bench.do("sign_off")).reason == "terminal.reversal_pending"
    await bench.do("reverse")
    assert (await bench.do("sign_off")).result == "done"
    assert bench.terminal.board.secure_module.key_state == "tmk"
    assert (await bench.sell()).result == "approved"


@pytest.mark.parametrize("spoil", [without_mac, wrong_mac])
async def test_a_forged_sign_off_ends_nothing(bench: Bench, spoil: Callable[[Answer], None]) -> None:
    """Whoever writes on the line could make the terminal forget its keys."""
    await bench.do("sign_in")
    bench.host.after.append(once("sign_off", spoil))
    outcome = await bench.do("sign_off")
    assert (outcome.is_good, outcome.reason) == (False, "terminal.bad_reply")
    assert bench.terminal.book.signed_on
    assert bench.terminal.board.secure_module.key_state == "working"


async def test_a_device_that_lost_its_keys_can_still_reverse(bench: Bench) -> None:
    """A shop whose device lost its battery would owe a reversal for ever, and crash at every sale."""
    bench.host.after.append(once("sale", swallow))
    await bench.sell()
    bench.hardware.cut_power()
    bench.hardware.chips.keys.blank()
    bench.restart()
    assert (await bench.sell()).reason == "terminal.reversal_pending"
    told = [(outcome.flow, outcome.reason) for outcome in bench.terminal.told]
    assert ("sign_in", "terminal.no_master_key") in told, "nobody would come with a key card"
    bench.terminal.board.secure_module.inject_tmk(TMK, HOST_PUBLIC_KEY)
    assert (await bench.do("reverse")).result == "done"
    assert not bench.host.asked("sale_reversal")[0].has(F.PAN)
    assert bench.captured() == bench.host.captured() == set()
