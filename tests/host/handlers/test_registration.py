"""The merchant's form from the device: filed once, corrected, reviewed, and no way into an account."""

from __future__ import annotations

import pytest

from host.decision import Update
from protocol.fields import F
from protocol.message import Message
from protocol.private import Waiting, pack_tags, text_tag
from tests.host.wire import FORM, Lab, Wire, refusal

TAGS = {"NA": "name", "CO": "contact", "TE": "telephone", "AD": "address"}


@pytest.fixture
def delivered(lab: Lab) -> Wire:
    """A terminal that nobody has registered."""
    return Wire(lab).order()


def hand_in(wire: Wire, **changes: str) -> Message:
    """The form, as the device sends it."""
    form = FORM | changes
    return wire.send(
        wire.management("registration", pack_tags([(tag, form[name].encode("gb18030")) for tag, name in TAGS.items()]))
    )


def standing(wire: Wire, reply: Message | None = None) -> list[str]:
    """State and reasons."""
    tags = wire.tags(reply or wire.send(wire.management("registration")))
    return [text_tag(tags, tag) for tag in ("ST", "RZ", "RE")]


@pytest.mark.feature("R2")
def test_a_form_is_filed_reviewed_and_lets_the_terminal_sell(delivered: Wire) -> None:
    """A shop far from any office could not be opened."""
    lab = delivered.lab
    assert standing(delivered) == ["delivered", "", ""]
    assert delivered.reason(delivered.sign_in()) == "terminal.not_registered"
    assert standing(delivered, hand_in(delivered)) == ["submitted", "", ""]
    [row] = lab.rows("registrations")
    assert {name: row[name] for name in FORM} == FORM
    assert (row["credit_bp"], row["debit_bp"], row["debit_cap_fen"], row["verdict"]) == (60, 50, 2500, "")
    line = lab.rows("audit")[-1]
    assert (line["actor"], line["act"], line["detail"]) == ("device", "submit", "delivered -> submitted")
    assert lab.act("review", serial_number=delivered.serial_number)["state"] == "registered"
    assert standing(delivered) == ["registered", "", ""]
    delivered.sign_on()
    delivered.sell(100)
    assert lab.rows("merchants")[0]["name"] == FORM["name"]


@pytest.mark.feature("R8")
def test_a_repeated_form_is_one(delivered: Wire) -> None:
    """A merchant who presses twice would get two contracts (R8)."""
    for _ in range(3):
        assert standing(delivered, hand_in(delivered))[0] == "submitted"
    assert len(delivered.lab.rows("registrations")) == 1
    assert standing(delivered, hand_in(delivered, contact="李小红"))[0] == "submitted"
    [row] = delivered.lab.rows("registrations")
    assert row["contact"] == "李小红"


def test_a_device_is_told_which_form_waits(delivered: Wire) -> None:
    """A form that was changed on the way, or came after its correction, would be reviewed for the merchant's own."""

    def waits(reply: Message) -> Waiting | None:
        return Waiting.read(delivered.tags(reply))

    def asked() -> Waiting | None:
        return waits(delivered.send(delivered.management("registration")))

    act, serial_number = delivered.lab.act, delivered.serial_number
    corrected = FORM | {"telephone": "12"}
    assert asked() is None
    for _ in range(2):
        assert waits(hand_in(delivered)) == asked() == Waiting.of(1, FORM)
    assert waits(hand_in(delivered, telephone="12")) == asked() == Waiting.of(1, corrected)
    act("review", serial_number=serial_number)
    assert asked() is None
    assert waits(hand_in(delivered, telephone="12")) == asked() == Waiting.of(2, corrected)
    act("review", serial_number=serial_number)
    act("submit", serial_number=serial_number, **FORM)
    assert asked() == Waiting.of(3, FORM)
    act("review", serial_number=serial_number)
    assert (asked(), waits(hand_in(delivered))) == (None, None)


def test_a_terminal_that_need_not_register_any_more_is_registered(lab: Lab) -> None:
    """A form that nobody reviews any more would be told of for ever, and its correction never be taken."""
    wire = Wire(lab).activated()
    lab.act("reregister", days=0, merchant_id=wire.merchant_id)
    assert wire.tags(hand_in(wire))["ST"] == b"submitted"
    lab.act("release", serial_number=wire.serial_number, reason="registration")
    assert wire.tags(hand_in(wire, telephone="13000000008")) == {"ST": b"registered"}


def test_a_form_that_was_erased_is_not_told_of(delivered: Wire) -> None:
    """A device would hand in once more what its merchant had erased."""
    hand_in(delivered)
    delivered.lab.store.run(lambda books: books.write(Update("registrations", {"number": 1}, dict.fromkeys(FORM, ""))))
    assert delivered.tags(delivered.send(delivered.management("registration"))) == {"ST": b"submitted"}


def test_a_rejected_form_tells_why_and_comes_again(delivered: Wire) -> None:
    """The merchant would type the same mistake again."""
    hand_in(delivered, telephone="12", address="路")
    delivered.lab.act("review", serial_number=delivered.serial_number)
    state, zh, en = standing(delivered)
    assert (state, zh) == ("rejected", "联系电话格式不正确；地址须为6至80字")
    assert en.startswith("a telephone number has 11 digits")
    assert standing(delivered, hand_in(delivered)) == ["submitted", "", ""]
    assert delivered.lab.act("review", serial_number=delivered.serial_number)["verdict"] == "approved"
    assert [row["verdict"] for row in delivered.lab.rows("registrations")] == ["rejected", "approved"]


def test_a_form_by_hand_after_one_by_device(delivered: Wire) -> None:
    """The number of a form would be given twice, and one form lost."""
    hand_in(delivered, telephone="12")
    delivered.lab.act("review", serial_number=delivered.serial_number)
    given = delivered.lab.act("submit", serial_number=delivered.serial_number, **FORM)
    assert given["registration"] == 2
    assert [row["number"] for row in delivered.lab.rows("registrations")] == [1, 2]


def test_a_registered_terminal_files_nothing(active: Wire) -> None:
    """A thief could change the name on the account."""
    before = active.lab.rows("registrations")
    assert standing(active, hand_in(active, name="别的店")) == ["registered", "", ""]
    assert active.lab.rows("registrations") == before


@pytest.mark.parametrize(
    "changes", [{"name": ""}, {"name": "店\n名"}, {"address": "路" * 81}], ids=["empty", "two lines", "long"]
)
def test_a_form_that_is_no_form(delivered: Wire, changes: dict[str, str]) -> None:
    """A line break in a name would end up on every receipt."""
    assert refusal(hand_in(delivered, **changes)).reason == "message.malformed"
    assert delivered.lab.rows("registrations") == []
    assert standing(delivered)[0] == "delivered"


def test_a_form_for_another_device(delivered: Wire, lab: Lab) -> None:
    """Whoever knows a terminal id could hand in a form for somebody else's device."""
    nameless = Wire(lab, serial_number="", terminal_id=delivered.terminal_id)
    assert refusal(hand_in(nameless)).reason == "terminal.other_device"
    stranger = Wire(lab, serial_number="PXE90-9999", terminal_id="10000099")
    assert refusal(hand_in(stranger)).reason == "terminal.unknown"
    assert lab.rows("registrations") == []


def test_nothing_else_is_let_through(delivered: Wire) -> None:
    """A device that nobody has reviewed would sell (R1)."""
    hand_in(delivered)
    for kind in ("echo", "status_upload", "command_fetch"):
        assert delivered.reason(delivered.management(kind, b"011", mac=False)) in (
            "terminal.not_registered",
            "message.malformed",
        )
    assert delivered.send(delivered.sign_in()).text(F.RESPONSE_CODE) == "97"
