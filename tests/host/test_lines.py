"""Several lines for one terminal, and lines that guess: who speaks, who is refused, who is harmed (C4, I6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from host.acquirer import Answer
from host.decision import Insert, Update
from host.errors import StoreError
from host.guard import BARS, CLONE_TURNS, Line
from host.store.books import Books
from protocol.codec import unseal
from protocol.fields import F
from protocol.message import Message
from protocol.responses import RESPONSES
from tests.host.handlers.test_signature import signed
from tests.host.wire import Lab, Wire, refusal, totals_of

PAIR = BARS["terminal"]


def ask(wire: Wire, line: Line, payload: bytes) -> Answer:
    """What the host answers on a line."""
    return wire.lab.acquirer.submit(payload, line).result(20)


def code(answer: Answer) -> str:
    """Field 39 of an answer."""
    return unseal(answer.payload).message.text(F.RESPONSE_CODE)


def alarms(lab: Lab) -> list[str]:
    """The alarms of the audit."""
    return [row["detail"] for row in lab.rows("audit") if row["act"] == "alarm"]


def forged(wire: Wire) -> bytes:
    """A sale whose last MAC byte is another."""
    payload = wire.sale(1_000)
    return payload[:-1] + bytes([payload[-1] ^ 1])


def test_the_newest_line_that_proves_the_keys_speaks(active: Wire) -> None:
    """After a change of address the till could not sell; or an old line could sell after it (faults N20, N21)."""
    old, new = active.lab.acquirer.line("10.0.0.1"), active.lab.acquirer.line("10.0.0.2")
    assert code(ask(active, old, active.sale(100))) == "00"
    assert active.lab.terminal(active.serial_number)["fence"] == 1
    assert code(ask(active, new, active.sale(100))) == "00"
    late = ask(active, old, active.sale(100))
    assert (code(late), late.ends, late.reason) == ("98", True, "terminal.superseded")
    assert code(ask(active, new, active.sale(100))) == "00"
    terminal = active.lab.terminal(active.serial_number)
    assert (terminal["fence"], terminal["line"]) == (2, new.name)
    assert len(active.lab.rows("transactions", batch=active.batch)) == 3
    assert alarms(active.lab) == []


def test_a_late_frame_is_refused_even_as_a_repetition(active: Wire) -> None:
    """The old line would go on reading replies."""
    old, new = active.lab.acquirer.line("10.0.0.1"), active.lab.acquirer.line("10.0.0.2")
    sale = active.sale(100)
    assert code(ask(active, old, sale)) == "00"
    assert code(ask(active, new, active.sale(100))) == "00"
    assert code(ask(active, old, sale)) == "98"
    assert code(ask(active, new, sale)) == "00", "the new line gets the stored reply"


def test_a_line_on_which_a_terminal_only_said_again_what_it_had_said_is_old_once_another_speaks(active: Wire) -> None:
    """What comes late on a line that the till gave up would take it from the line on which it sells, and its next sale
    would be turned away."""
    first, second, third = (active.lab.acquirer.line(f"10.0.0.{number}") for number in (1, 2, 3))
    reversal, late = active.reversal(100, active.stan()), active.sale(200)
    assert code(ask(active, first, reversal)) == "00"
    assert code(ask(active, second, reversal)) == "00", "it never heard the answer, and asks again"
    assert code(ask(active, third, active.sale(100))) == "00"
    seat = [active.lab.terminal(active.serial_number)[name] for name in ("line", "fence")]
    for payload in (reversal, late):
        answer = ask(active, second, payload)
        assert (code(answer), answer.reason) == ("98", "terminal.superseded")
    assert [active.lab.terminal(active.serial_number)[name] for name in ("line", "fence")] == seat
    assert code(ask(active, third, active.sale(100))) == "00"


def test_copies_make_no_clone_of_a_till(active: Wire) -> None:
    """Who has recorded a few messages of a till could have the shop searched for a copied device, whenever it likes."""
    stranger, copies = active.lab.acquirer.line("10.0.0.9"), [active.sale(100), active.management("command_fetch")]
    ask(active, active.lab.acquirer.line("10.0.0.1"), copies[0])
    told = []
    for number in range(CLONE_TURNS + 3):
        assert code(ask(active, active.lab.acquirer.line("10.0.0.1"), active.sale(100 + number))) == "00"
        told += [code(ask(active, stranger, copy)) for copy in copies]
    assert told[:2] == ["00", "00"]
    assert set(told[2:]) == {"98"}
    assert alarms(active.lab) == []


@pytest.mark.parametrize("is_copy", [True, False])
def test_whoever_hears_a_line_first_may_go_on_with_it(active: Wire, is_copy: bool) -> None:
    """A till that begins on its new line with what it had said before would have to hang up once more."""
    old, new = active.lab.acquirer.line("10.0.0.1"), active.lab.acquirer.line("10.0.0.2")
    sale = active.sale(100)
    assert code(ask(active, old, sale)) == "00"
    assert code(ask(active, new, sale if is_copy else active.management("command_fetch"))) == "00"
    assert code(ask(active, old, active.sale(100))) == "00", "it still speaks, and takes nothing from the new one"
    assert code(ask(active, new, active.sale(100))) == "00"
    assert code(ask(active, old, active.sale(100))) == "98"


def test_a_copy_of_a_request_moves_no_terminal(active: Wire) -> None:
    """Who has recorded one message of a till could hang it up with it, again and again (fault A02)."""
    till, stranger = active.lab.acquirer.line("10.0.0.1"), active.lab.acquirer.line("10.0.0.9")
    earlier, fetching = active.sale(100), active.management("command_fetch")
    ask(active, till, earlier)
    ask(active, till, fetching)
    seat = [active.lab.terminal(active.serial_number)[name] for name in ("line", "fence")]
    for copy in (earlier, fetching, earlier):
        assert code(ask(active, stranger, copy)) == "00"
    assert [active.lab.terminal(active.serial_number)[name] for name in ("line", "fence")] == seat
    assert code(ask(active, till, active.sale(100))) == "00"
    assert alarms(active.lab) == []


def test_what_was_refused_on_an_old_line_is_captured_by_nobody_later(active: Wire) -> None:
    """Whoever has recorded the sale that was refused could send it again: the customer would be charged for what the
    shop never sold (fault A02)."""
    old, new = active.lab.acquirer.line("10.0.0.1"), active.lab.acquirer.line("10.0.0.2")
    ask(active, old, active.sale(100))
    ask(active, new, active.sale(100))
    sale = active.sale(2_000, stan="000777")
    answer = ask(active, old, sale)
    assert RESPONSES[code(answer)].leaves_doubt, "the till reverses it, which leaves a tombstone"
    again = active.lab.acquirer.line("10.0.0.1")
    assert code(ask(active, again, active.reversal(2_000, "000777"))) == "00"
    ask(active, active.lab.acquirer.line("10.0.0.9"), sale)
    assert [row["state"] for row in active.lab.rows("transactions")][-1] == "tombstone"


def test_a_sale_that_was_refused_for_the_merchants_sake_is_captured_on_no_other_day(active: Wire) -> None:
    """A recorded sale of the day on which the merchant was shut could be sent once it is open again (fault A02)."""
    lab, key = active.lab, {"merchant_id": active.merchant_id}
    lab.store.run(lambda books: books.write(Update("merchants", key, {"active": False})))
    sale = active.sale(2_000)
    refused = [active.reason(sale) for _ in range(2)]
    assert refused == ["merchant.inactive"] * 2
    lab.store.run(lambda books: books.write(Update("merchants", key, {"active": True})))
    before = lab.rows("transactions")
    assert active.reason(sale) == "merchant.inactive", "what was answered once is answered so again"
    assert lab.rows("transactions") == before
    active.sell(2_000)


def test_a_device_that_names_anothers_till_uses_up_none_of_its_numbers(active: Wire) -> None:
    """A dishonest shop could make its neighbour's next hundred sales fail."""
    thief = Wire(active.lab, "PXE90-0002", "10000002", "898100000000002").activated()
    thief.terminal_id, thief.merchant_id, thief.batch = active.terminal_id, active.merchant_id, active.batch
    stan = active.stan()
    assert thief.reason(thief.sale(100, stan=stan)) == "terminal.other_device"
    active.sell(100, stan=stan)


def test_a_fence_outlives_the_host(active: Wire) -> None:
    """After a restart the old line would be as good as the new one."""
    old, new = active.lab.acquirer.line("10.0.0.1"), active.lab.acquirer.line("10.0.0.2")
    ask(active, old, active.sale(100))
    ask(active, new, active.sale(100))
    active.lab.reopen()
    assert code(ask(active, old, active.sale(100))) == "98"
    assert code(ask(active, new, active.sale(100))) == "00"


def test_who_has_no_keys_takes_nobodys_place(active: Wire) -> None:
    """Anybody could hang up a till by sending its sign-on."""
    till, stranger = active.lab.acquirer.line("10.0.0.1"), active.lab.acquirer.line("10.0.0.9")
    ask(active, till, active.sale(100))
    for payload in (active.sign_in(), forged(active), active.management("echo", mac=False)):
        ask(active, stranger, payload)
    active.sign_on()
    assert code(ask(active, till, active.sale(100))) == "00"
    assert active.lab.terminal(active.serial_number)["fence"] == 1


def test_two_devices_that_take_turns_raise_one_alarm(active: Wire) -> None:
    """A copied till would sell beside the real one, and nobody would know (faults N22, A06)."""
    for _ in range(CLONE_TURNS + 2):
        first, second = active.lab.acquirer.line("10.0.0.1"), active.lab.acquirer.line("10.0.0.2")
        for line in (first, second, first):
            ask(active, line, active.sale(100))
    assert len([alarm for alarm in alarms(active.lab) if "clone" in alarm]) == 1
    assert active.lab.violations() == []


def test_a_till_that_connects_for_every_sale_is_no_clone(active: Wire) -> None:
    """Every shop with short connections would raise alarms."""
    for _ in range(10):
        assert code(ask(active, active.lab.acquirer.line("10.0.0.1"), active.sale(100))) == "00"
    assert alarms(active.lab) == []


def test_guessing_ends_the_session_and_moves_nothing(active: Wire) -> None:
    """A MAC of 32 bits falls in a month at a thousand tries a second (faults A03)."""
    line, before = active.lab.acquirer.line("10.0.0.9"), money(active.lab)
    answers = [ask(active, line, forged(active)) for _ in range(PAIR.wrong_macs)]
    assert [answer.ends for answer in answers] == [False] * (PAIR.wrong_macs - 1) + [True]
    assert {code(answer) for answer in answers} == {"A0"}
    assert len(alarms(active.lab)) == 1
    barred = ask(active, active.lab.acquirer.line("10.0.0.9"), active.sale(100))
    assert (code(barred), barred.ends) == ("A0", True), "even the right MAC is not looked at"
    assert money(active.lab) == before
    active.lab.later(seconds=PAIR.first_s)
    assert code(ask(active, active.lab.acquirer.line("10.0.0.9"), active.sale(100))) == "00"


def test_the_reply_to_a_barred_line_is_that_to_a_wrong_mac(active: Wire) -> None:
    """The guesser would learn when to come back."""
    line = active.lab.acquirer.line("10.0.0.9")
    wrong = [unseal(ask(active, line, forged(active)).payload).message for _ in range(PAIR.wrong_macs + 1)]
    told: list[Callable[[Message], Any]] = [lambda m: m.text(F.RESPONSE_CODE), refusal, lambda m: m.has(F.MAC)]
    for look in told:
        assert look(wrong[0]) == look(wrong[-1])


def test_the_till_next_to_the_guesser_sells(active: Wire) -> None:
    """One attacker behind the router of a shopping centre would shut every till there."""
    neighbour = Wire(active.lab, "PXE90-0002", "10000002", "898100000000002").activated()
    till, beside, attacker = (active.lab.acquirer.line("10.0.0.1") for _ in range(3))
    assert code(ask(active, till, active.sale(100))) == "00"
    for _ in range(3 * PAIR.wrong_macs):
        ask(active, attacker, forged(active))
        attacker = active.lab.acquirer.line("10.0.0.1")
    assert code(ask(active, till, active.sale(100))) == "00"
    assert code(ask(neighbour, beside, neighbour.sale(100))) == "00"


def test_a_barred_till_signs_on_and_goes_on(active: Wire) -> None:
    """A till with old keys would be shut out until somebody drives there."""
    line = active.lab.acquirer.line("10.0.0.1")
    for _ in range(PAIR.wrong_macs):
        ask(active, line, forged(active))
    active.sign_on()
    active.lab.later(seconds=PAIR.first_s)
    assert code(ask(active, active.lab.acquirer.line("10.0.0.1"), active.sale(100))) == "00"


def money(lab: Lab) -> list[Any]:
    """All that a sale would move."""
    return [lab.rows(table) for table in ("transactions", "postings", "terminals", "replies")]


def test_a_line_that_tills_share_stays_for_the_others(active: Wire) -> None:
    """A concentrator would be hung up for one till of ten (and that one could never come back)."""
    neighbour = Wire(active.lab, "PXE90-0002", "10000002", "898100000000002").activated()
    shared, own = active.lab.acquirer.line("10.0.0.1"), active.lab.acquirer.line("10.0.0.2")
    ask(active, shared, active.sale(100))
    ask(neighbour, shared, neighbour.sale(100))
    ask(active, own, active.sale(100))
    late = ask(active, shared, active.sale(100))
    assert (code(late), late.ends) == ("98", False)
    assert code(ask(neighbour, shared, neighbour.sale(100))) == "00"
    assert code(ask(active, shared, active.sale(100))) == "00"
    guesses = [ask(neighbour, shared, forged(neighbour)) for _ in range(PAIR.wrong_macs + 1)]
    assert not [answer for answer in guesses if answer.ends]
    assert code(ask(active, shared, active.sale(100))) == "00"


def test_a_guess_counts_once_though_its_unit_is_run_twice(active: Wire) -> None:
    """A wrong MAC beside a request that fails would count twice, and bar an honest till too early."""
    lab, line = active.lab, active.lab.acquirer.line("10.0.0.1")

    def odd(books: Books) -> None:
        books.write(Insert("audit", {"at": 1, "actor": "t", "serial_number": "", "act": "test", "detail": "half"}))
        books.rows("audit")
        raise ValueError("odd")

    for number in range(PAIR.wrong_macs):
        with lab.store.gathering():
            future, failing = lab.acquirer.submit(forged(active), line), lab.store.submit(odd)
        assert future.result(20).ends is (number == PAIR.wrong_macs - 1)
        assert isinstance(failing.exception(20), ValueError)
    assert len(alarms(lab)) == lab.acquirer.tally.alarms == 1


@pytest.mark.parametrize("what", ["reversal", "settlement", "signature"])
def test_what_is_sent_until_it_is_done_goes_through_once_it_may(active: Wire, what: str) -> None:
    """A till sends its reversal until it is answered 00: the stored refusal of one day would shut it for ever."""
    lab, key = active.lab, {"merchant_id": active.merchant_id}
    sold = active.sell(5_000)
    asked = {
        "reversal": active.reversal(5_000, sold.stan),
        "settlement": active.settlement(totals_of(lab.rows("transactions", batch=active.batch))),
        "signature": signed(active, sold),
    }[what]
    lab.store.run(lambda books: books.write(Update("merchants", key, {"active": False})))
    assert active.reason(asked) == "merchant.inactive"
    lab.store.run(lambda books: books.write(Update("merchants", key, {"active": True})))
    assert active.code(asked) == "00"


def test_a_line_whose_turn_was_not_durable_is_no_newer_than_the_next(
    active: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed commit the older of two lines would pass for the newer one (invariant I6)."""
    lab = active.lab
    old, new = lab.acquirer.line("10.0.0.1"), lab.acquirer.line("10.0.0.2")

    def fails(driver: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as full:
        full.setattr(lab.store.backend, "bump", fails)
        with pytest.raises(StoreError):
            ask(active, old, active.sale(100))
    assert code(ask(active, new, active.sale(100))) == "00"
    assert code(ask(active, old, active.sale(100))) == "98"
