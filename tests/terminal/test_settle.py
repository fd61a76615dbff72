"""The end of the day: totals, upload, the next batch."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocol.fields import F
from protocol.kinds import KINDS
from protocol.private import Control, Totals, keys_digest, unpack_tags
from terminal.transaction import Key
from tests.terminal.bench import Bench, bench_at, once, swallow, without_mac, wrong_mac
from tests.terminal.fake_host import HOST_PUBLIC_KEY, TMK, Answer, FakeHost, Row


async def test_a_balanced_batch_closes(bench: Bench) -> None:
    """The shop's money of the day would not be paid."""
    first = await bench.sell("60.00")
    second = await bench.sell("0.01", "credit")
    await bench.do("void", second.stan)
    await bench.do("refund", "10.00", "debit", first.rrn, "0301")
    digest = keys_digest([(first.stan, "22", 6000), ("000005", "25", 1000)])
    outcome = await bench.do("settle")
    assert (outcome.result, outcome.detail["balanced"], outcome.detail["net_fen"]) == ("done", "yes", "5000")
    request = bench.host.asked("settlement")[0]
    totals = Totals.parse(request.text(F.TOTALS)).domestic
    assert (totals.debit_fen, totals.debit_count, totals.credit_fen, totals.credit_count) == (6000, 1, 1000, 1)
    assert unpack_tags(request.octets(F.PAYLOAD), field=F.PAYLOAD) == {"KD": digest}
    assert request.text(F.TEXT) == "01 "
    end = bench.host.asked("batch_end")[0]
    assert (Control.parse(end.text(F.CONTROL)).network, end.text(F.TOTALS)) == ("207", "0000")
    book = bench.terminal.book
    assert (book.batch, book.rows, book.settling) == ("000002", {}, None)
    assert (book.closed[0].batch, book.closed[0].digest, book.closed[0].balanced) == ("000001", digest.hex(), True)


async def test_what_differs_is_uploaded(bench: Bench) -> None:
    """A difference of one fen would hold back the whole day."""
    for number in range(10):
        await bench.sell(f"{number + 1}.00")
    bench.host.book[Key("000001", "000900")] = Row("sale", 100, "captured")
    outcome = await bench.do("settle")
    assert (outcome.result, outcome.detail["balanced"]) == ("done", "no")
    assert [message.text(F.TOTALS)[:2] for message in bench.host.asked("batch_upload")] == ["08", "02"]
    assert sum(bench.host.uploaded.values()) == 5500
    assert "6200000100000004" in bench.host.asked("batch_upload")[0].text(F.TOTALS)
    end = bench.host.asked("batch_end")[0]
    assert (Control.parse(end.text(F.CONTROL)).network, end.text(F.TOTALS)) == ("202", "0010")
    assert (bench.terminal.book.batch, bench.terminal.book.closed[0].balanced) == ("000002", False)


async def test_a_lost_settlement_is_asked_again_under_the_same_stan(bench: Bench) -> None:
    """The day would be paid, and then be asked for again, or never close."""
    await bench.sell()
    bench.host.after.append(once("settlement", swallow))
    assert (await bench.do("settle")).result == "unknown"
    assert bench.host.closed == {"000001": True}
    bench.restart()
    assert (await bench.do("settle")).detail["balanced"] == "yes"
    first, second = bench.host.asked("settlement")
    assert first.fields == second.fields
    assert bench.terminal.book.batch == bench.host.batch == "000002"


async def test_no_sale_slips_into_a_batch_that_is_being_settled(bench: Bench) -> None:
    """A sale would be in this batch for the shop and in the next one for the bank."""
    await bench.sell()
    bench.host.after.append(lambda answer: swallow(answer) if answer.kind == "settlement" else None)
    await bench.do("settle")
    outcome = await bench.sell()
    assert (outcome.result, outcome.reason) == ("refused", "terminal.settlement_pending")
    bench.host.after.clear()
    assert (await bench.sell("1.00")).result == "approved"
    assert bench.captured() == {row for row in bench.host.captured() if row[0].batch == "000002"}


async def test_reversals_come_first(bench: Bench) -> None:
    """The totals would hold money that is about to be given back."""
    await bench.do("sign_in")
    bench.host.after.append(once("sale", swallow))
    await bench.sell()
    assert (await bench.do("settle")).detail["balanced"] == "yes"
    assert [name for name, _ in bench.host.requests][2:] == ["sale_reversal", "settlement", "batch_end"]


async def test_a_reversal_that_fails_stops_the_settlement(bench: Bench) -> None:
    """A batch would be closed over money that nobody has accounted for."""
    bench.host.after.append(lambda answer: swallow(answer) if "sale" in answer.kind else None)
    await bench.sell()
    assert (await bench.do("settle")).reason == "terminal.reversal_pending"
    assert bench.host.asked("settlement") == []


async def test_sign_on_in_the_middle(bench: Bench) -> None:
    """A host that forgot the session would keep the shop from settling."""
    await bench.sell()
    bench.host.before.append(once("settlement", lambda answer: answer.refuse("77")))
    assert (await bench.do("settle")).detail["balanced"] == "yes"
    first, second = bench.host.asked("settlement")
    assert first.without(F.MAC).fields == second.without(F.MAC).fields
    assert first.octets(F.MAC) != second.octets(F.MAC)


async def test_a_settlement_is_never_sent_without_keys(bench: Bench) -> None:
    """One bit on the line would be other totals to the host, which keeps its answer to them: the day never closes."""
    await bench.sell()
    bench.host.after.append(once("settlement", swallow))
    await bench.do("settle")
    bench.terminal.board.secure_module.inject_tmk(TMK, HOST_PUBLIC_KEY)
    assert (await bench.sell("1.00")).result == "approved"
    assert [name for name, _ in bench.host.requests][2:] == ["settlement", "sign_in", "settlement", "batch_end", "sale"]
    assert all(message.has(F.MAC) for message in bench.host.asked("settlement"))


async def test_what_cannot_sign_on_settles_nothing(bench: Bench) -> None:
    """The same, where the sign-on fails."""
    await bench.sell()
    bench.host.after.append(once("settlement", swallow))
    await bench.do("settle")
    bench.terminal.board.secure_module.inject_tmk(TMK, HOST_PUBLIC_KEY)
    bench.host.after.append(lambda answer: swallow(answer) if answer.kind == "sign_in" else None)
    assert (await bench.sell("1.00")).reason == "terminal.settlement_pending"
    assert (await bench.do("settle")).reason == "terminal.no_answer"
    assert len(bench.host.asked("settlement")) == 1


async def test_a_stan_that_is_somebody_elses_is_given_up(bench: Bench) -> None:
    """A shop whose settlement changed on the way, or whose memory was set back, could never settle again."""
    await bench.sell()
    bench.host.before.append(once("settlement", lambda answer: answer.refuse("94", "request.key_reused")))
    assert (await bench.do("settle")).detail["balanced"] == "yes"
    first, second = bench.host.asked("settlement")
    assert int(second.text(F.STAN)) == int(first.text(F.STAN)) + 1


async def test_a_stan_is_not_given_up_for_nobodys_word(bench: Bench) -> None:
    """Whoever stands between could have a batch settled twice, and the second time in vain."""
    await bench.sell()
    bench.host.before.append(once("settlement", lambda answer: answer.refuse("94", "request.key_reused")))
    bench.host.after.append(once("settlement", without_mac))
    assert (await bench.do("settle")).result == "refused"
    assert (await bench.do("settle")).detail["balanced"] == "yes"
    first, second = bench.host.asked("settlement")
    assert second.text(F.STAN) == first.text(F.STAN)


_UNBALANCED = Row("sale", 100, "captured")
FORGED = {
    "settlement": ("settlement", False),
    "unbalanced": ("settlement", True),
    "upload": ("batch_upload", True),
    "end": ("batch_end", False),
    "end of an upload": ("batch_end", True),
}


@pytest.mark.parametrize("spoil", [without_mac, wrong_mac])
@pytest.mark.parametrize(("kind", "differs"), FORGED.values(), ids=FORGED)
async def test_a_forged_answer_closes_nothing(
    bench: Bench, kind: str, differs: bool, spoil: Callable[[Answer], None]
) -> None:
    """Whoever writes on the line could end the shop's day while the host has no word of it."""
    await bench.sell()
    if differs:
        bench.host.book[Key("000001", "000900")] = _UNBALANCED
    bench.host.after.append(once(kind, spoil))
    outcome = await bench.do("settle")
    assert (outcome.is_good, outcome.reason) == (False, "terminal.bad_reply")
    settling = bench.terminal.book.settling
    assert settling is not None
    assert settling.balanced == (None if kind == "settlement" else not differs)
    assert (bench.terminal.book.batch, len(bench.terminal.book.rows), bench.terminal.book.closed) == ("000001", 1, ())
    bench.restart()
    assert (await bench.do("settle")).detail["balanced"] == ("no" if differs else "yes")
    assert bench.terminal.book.batch == bench.host.batch == "000002"


async def test_a_host_that_makes_no_mac_where_the_dialect_has_none() -> None:
    """A shop with a foreign acquirer could never settle."""
    async with bench_at(FakeHost(demands_mac=False), decline_mac="optional") as bench:
        bench.host.after.append(lambda answer: without_mac(answer) if KINDS[answer.kind].may_mac else None)
        await bench.sell()
        bench.host.book[Key("000001", "000900")] = _UNBALANCED
        assert (await bench.do("settle")).detail["balanced"] == "no"
        assert (await bench.do("sign_off")).result == "done"


async def test_a_refused_settlement_and_upload_are_told(bench: Bench) -> None:
    """The cashier would go home and believe that the day is closed."""
    await bench.sell()
    bench.host.before.append(once("settlement", lambda answer: answer.refuse("96", "host.failure")))
    outcome = await bench.do("settle")
    assert (outcome.result, outcome.code, outcome.reason) == ("refused", "96", "host.failure")

    def uncertain(answer: Answer) -> None:
        answer.refuse("95")
        answer.fields.pop(F.TOTALS, None)

    bench.host.before.append(once("settlement", uncertain))
    bench.host.before.append(once("batch_upload", lambda answer: answer.refuse("96", "host.failure")))
    assert (await bench.do("settle")).code == "96"
    assert (await bench.do("settle")).detail["balanced"] == "no"


async def test_the_batch_of_the_sign_on_reply(bench: Bench) -> None:
    """A replacement device would begin with a batch that the host has closed long ago."""
    bench.host.batch = "000042"
    await bench.sell()
    assert bench.terminal.book.batch == "000042"
    bench.host.batch = "000050"
    await bench.do("sign_in")
    assert bench.terminal.book.batch == "000042"


async def test_a_batch_without_money_gives_way_to_the_hosts(bench: Bench) -> None:
    """After a sale that was voided the terminal would stay in a batch that the host has closed, and not sell."""
    sold = await bench.sell()
    await bench.do("void", sold.stan)
    bench.host.batch = "000050"
    await bench.do("sign_in")
    assert bench.terminal.book.batch == "000050"
    assert (await bench.do("void", sold.stan)).reason == "terminal.original_not_found"
    assert (await bench.sell("1.00")).result == "approved"
    assert bench.captured() == bench.host.captured()
    bench.restart()
    assert (await bench.do("settle")).detail["net_fen"] == "100"
    assert (bench.terminal.book.batch, bench.terminal.book.rows) == ("000051", {})


@pytest.mark.parametrize("kind", ["sale", "sale_void", "refund"])
async def test_what_is_unresolved_holds_its_batch(bench: Bench, kind: str) -> None:
    """A reversal would name a batch that its sale was never in."""
    sold = await bench.sell()
    if kind != "sale_void":
        await bench.do("void", sold.stan)
    bench.host.after.append(once(kind, swallow))
    words = {"sale": ("1.00", "debit"), "sale_void": (sold.stan,), "refund": ("1.00", "debit", sold.rrn, "0301")}
    assert (await bench.do(kind.removeprefix("sale_"), *words[kind])).result == "unknown"
    bench.host.batch = "000050"
    await bench.do("sign_in")
    assert bench.terminal.book.batch == "000001"
    assert (await bench.do("reverse")).result == "done"
    assert bench.captured() == bench.host.captured()


async def test_a_settlement_under_way_holds_its_batch(bench: Bench) -> None:
    """The host would be asked again about a batch that it never saw."""
    bench.host.after.append(once("settlement", swallow))
    assert (await bench.do("settle")).result == "unknown"
    assert bench.host.batch == "000002"
    await bench.do("sign_in")
    assert bench.terminal.book.batch == "000001"
    assert (await bench.do("settle")).detail["balanced"] == "yes"
    assert bench.terminal.book.batch == "000002"


async def test_nothing_of_a_card_stays_after_settlement(bench: Bench) -> None:
    """A stolen terminal would give away the cards of the whole year."""
    await bench.sell()
    sealed = next(iter(bench.terminal.book.rows.values())).card_sealed
    assert sealed.encode() in bench.hardware.chips.journal.image
    await bench.do("settle")
    assert sealed.encode() not in bench.hardware.chips.journal.image
    assert b"620000" not in bench.hardware.chips.journal.image
