"""The merchant's form at the device: handed in, interrupted, rejected, corrected, reviewed."""

from __future__ import annotations

import pytest

from firmware_sim.power import cuts
from protocol.fields import F
from tests.terminal.bench import Bench, bench_at, once, swallow
from tests.terminal.fake_host import Answer, FakeHost

FORM = ("街角便利店", "王小明", "13000000000", "实验路一号院")
SENT = dict(zip(("NA", "CO", "TE", "AD"), FORM, strict=True))


async def test_a_form_is_handed_in_and_asked_after(bench: Bench) -> None:
    """The merchant would have to call to learn how the registration stands."""
    assert (await bench.do("register")).detail == {"state": "delivered"}
    outcome = await bench.do("register", *FORM)
    assert (outcome.result, outcome.detail["state"]) == ("done", "submitted")
    assert outcome.text_zh == "资料已提交，等待审核"
    assert bench.host.forms == [SENT]
    assert (await bench.do("register")).detail["state"] == "submitted"
    assert bench.host.forms == [SENT]
    bench.host.standing = "registered"
    assert (await bench.do("register")).text_en == "the terminal is registered"
    assert bench.terminal.book.form is None


async def test_a_rejected_form_is_corrected(bench: Bench) -> None:
    """One wrong digit would mean to type everything again."""
    await bench.do("register", *FORM)
    bench.host.standing = "rejected"
    outcome = await bench.do("register")
    assert (outcome.text_zh, outcome.text_en) == (
        "资料被驳回，请更正后重新提交：地址",
        "the form was rejected: correct it and hand it in again: the address",
    )
    assert bench.host.forms == [SENT]
    assert (await bench.do("register", "", "", "", "实验路二号院")).detail["state"] == "submitted"
    assert bench.host.forms[-1] == SENT | {"AD": "实验路二号院"}


@pytest.mark.parametrize(
    "words",
    [FORM[:3], ("店\n名", *FORM[1:]), ("x" * 81, *FORM[1:]), ("", *FORM[1:])],
    ids=["short", "line", "long", "gap"],
)
async def test_a_form_that_cannot_be_sent(bench: Bench, words: tuple[str, ...]) -> None:
    """Half a form would be reviewed."""
    assert (await bench.do("register", *words)).reason == "terminal.form"
    assert bench.host.requests == []
    assert bench.terminal.book.form is None


async def test_a_form_that_never_arrived_is_sent_again(bench: Bench) -> None:
    """A lost line would mean half an hour of typing lost (R7)."""
    bench.host.after.append(once("registration", swallow))
    assert (await bench.do("register", *FORM)).reason == "terminal.no_answer"
    bench.restart()
    assert (await bench.do("register")).detail["state"] == "submitted"
    assert bench.host.forms == [SENT, SENT]


def change_form(answer: Answer) -> None:
    """The telephone number arrives with another digit."""
    changed = answer.request.octets(F.PAYLOAD).replace(b"13000000000", b"13000000001")
    answer.request = answer.request.with_fields({F.PAYLOAD: changed})


async def test_a_form_that_was_changed_on_the_way_is_sent_again(bench: Bench) -> None:
    """The acquirer would call a stranger, and the merchant wait for a review that nobody can end."""
    bench.host.before.append(once("registration", change_form))
    assert (await bench.do("register", *FORM)).detail["state"] == "submitted"
    assert bench.host.forms == [SENT | {"TE": "13000000001"}, SENT]
    assert (await bench.do("register")).detail["state"] == "submitted"
    assert len(bench.host.forms) == 2


async def test_a_form_that_never_arrives_as_it_was_is_no_form(bench: Bench) -> None:
    """A device on a bad line would send its form for ever, or take another one for its own."""
    bench.host.before.append(change_form)
    assert (await bench.do("register", *FORM)).reason == "terminal.bad_reply"
    assert len(bench.host.forms) == 2
    bench.restart()
    bench.host.before.clear()
    assert (await bench.do("register")).detail["state"] == "submitted"
    assert bench.host.forms[-1] == SENT


async def test_a_form_that_was_held_back_does_not_take_the_place_of_its_correction(bench: Bench) -> None:
    """The merchant corrects the address, and the contract goes to the old one."""
    await bench.do("register", *FORM[:3], "实验路二号院")
    await bench.do("register", "", "", "", FORM[3])
    bench.host.forms.append(bench.host.forms[0])
    assert (await bench.do("register")).detail["state"] == "submitted"
    assert bench.host.forms[2:] == [bench.host.forms[0], SENT]
    assert (await bench.do("register")).detail["state"] == "submitted"
    assert len(bench.host.forms) == 4


@pytest.mark.parametrize("known", [True, False])
async def test_a_form_by_hand_stays_where_it_is(bench: Bench, known: bool) -> None:
    """What the acquirer's staff corrected would be filed over by what they had rejected."""
    await bench.do("register", *FORM)
    if known:
        bench.host.standing = "rejected"
        await bench.do("register")
    by_hand = SENT | {"TE": "13000000009"}
    bench.host.forms.append(by_hand)
    bench.host.standing, bench.host.form_number = "submitted", 2
    for _ in range(2):
        assert (await bench.do("register")).detail["state"] == "submitted"
    assert bench.host.forms == [SENT, by_hand]
    assert (await bench.do("register", "", "", "13000000008")).detail["state"] == "submitted"
    assert bench.host.forms[2:] == [SENT | {"TE": "13000000008"}]


async def test_a_foreign_host_is_believed(bench: Bench) -> None:
    """A device at a host that does not say which form waits would never be registered."""
    bench.host.tells_form = False
    assert (await bench.do("register", *FORM)).detail["state"] == "submitted"
    assert (await bench.do("register")).detail["state"] == "submitted"
    assert bench.host.forms == [SENT]
    bench.host.tells_form = True
    bench.host.forms.append(SENT | {"TE": "13000000009"})
    assert (await bench.do("register")).detail["state"] == "submitted"
    assert len(bench.host.forms) == 2


async def test_the_host_refuses(bench: Bench) -> None:
    """A refusal would be shown as success."""
    bench.host.before.append(lambda answer: answer.refuse("97", "terminal.unknown", "终端号未登记"))
    outcome = await bench.do("register", *FORM)
    assert (outcome.result, outcome.code, outcome.reason) == ("refused", "97", "terminal.unknown")
    assert bench.terminal.book.form
    assert bench.terminal.book.form.state == ""


@pytest.mark.parametrize(
    "payload",
    [b"ST004gone", b"garbage", b"", b"ST009submittedFN001xFD00812345678"],
    ids=["state", "garbage", "empty", "number"],
)
async def test_an_answer_that_makes_no_sense(bench: Bench, payload: bytes) -> None:
    """A foreign host's answer would be taken for a registration."""

    def spoil(answer: Answer) -> None:
        answer.fields[F.PAYLOAD] = payload
        if not payload:
            del answer.fields[F.PAYLOAD]

    bench.host.after.append(once("registration", spoil))
    assert (await bench.do("register", *FORM)).reason == "terminal.bad_reply"
    assert (await bench.do("register")).detail["state"] == "submitted"


async def test_nobody_may_answer_for_the_host(bench: Bench) -> None:
    """A signed-on device would believe a stranger that it is registered no more."""
    await bench.do("sign_in")

    def forge(answer: Answer) -> None:
        answer.mak = b""

    bench.host.after.append(once("registration", forge))
    assert (await bench.do("register")).reason == "terminal.bad_reply"


async def test_old_firmware_does_not_know_it() -> None:
    """It would wait for an answer that never comes."""
    async with bench_at(FakeHost(), profile="no_commands") as bench:
        assert (await bench.do("register", *FORM)).reason == "terminal.no_extension"


async def test_tags_too_narrow_for_the_form() -> None:
    """Firmware with short tags would crash on a long address."""
    async with bench_at(FakeHost(), profile="two_digit_tags") as bench:
        assert (await bench.do("register", *FORM[:3], "路" * 60)).reason == "terminal.form"


async def test_a_cut_at_every_point() -> None:
    """A power cut would leave half a form, or a form that is never sent."""
    async with bench_at(FakeHost()) as bench:
        with bench.hardware.power.watched() as points:
            await bench.do("register", *FORM)
    assert {"journal.program", "journal.barrier", "line.send"} <= set(points)
    for number, phase in cuts(points):
        async with bench_at(FakeHost()) as bench:
            bench.hardware.power.cut_at(number, phase)
            await bench.do_or_die("register", *FORM)
            if bench.hardware.power.is_on:
                bench.restart()
            words = () if bench.terminal.book.form else FORM
            assert (await bench.do("register", *words)).detail["state"] == "submitted"
            assert bench.host.forms
            assert all(form == SENT for form in bench.host.forms)
