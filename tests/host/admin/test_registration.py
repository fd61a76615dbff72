"""Order, shipping, registration with review (product R2, R4, R5, R10)."""

from __future__ import annotations

from typing import Any

import pytest

from host.errors import AdminError
from host.policy import Policy, Registration, Window
from protocol.fields import F
from protocol.private import pack_tags
from tests.host.wire import CREDIT, FORM, Lab, Wire

GOOD_TELEPHONES = ["13000000000", "010-1234567", "0571-12345678"]
BAD_FIELDS = [
    ("name", "店"),
    ("name", "x" * 41),
    ("contact", "王"),
    ("contact", ""),
    ("telephone", "1300000000"),
    ("telephone", "130000000000"),
    ("telephone", "23000000000"),
    ("telephone", "１３０００００００００"),
    ("telephone", "10-1234567"),
    ("telephone", "010-123456"),
    ("telephone", "13000000000 "),
    ("address", "路一号院"),
    ("address", "x" * 81),
]


@pytest.mark.feature("R2", "R10")
def test_the_way_to_the_counter_is_stepwise(lab: Lab) -> None:
    """A terminal that was never delivered would be registered."""
    wire = Wire(lab).order()
    with pytest.raises(AdminError):
        lab.act("deliver", serial_number=wire.serial_number)
    assert wire.reason(wire.sign_in()) == "terminal.not_registered"
    lab.act("submit", serial_number=wire.serial_number, **FORM)
    assert wire.reason(wire.sign_in()) == "terminal.not_registered"
    assert lab.act("review", serial_number=wire.serial_number)["verdict"] == "approved"
    wire.sign_on()
    acts = [row["act"] for row in lab.act("audit", serial_number=wire.serial_number)["audit"]]
    assert acts == ["order", "key card", "ship", "deliver", "submit", "approve"]


@pytest.mark.parametrize("telephone", GOOD_TELEPHONES)
def test_good_telephone_numbers_are_approved(lab: Lab, telephone: str) -> None:
    """A shop with a landline could not be registered."""
    wire = Wire(lab).order()
    lab.act("submit", serial_number=wire.serial_number, **FORM | {"telephone": telephone})
    assert lab.act("review", serial_number=wire.serial_number)["reasons"] == []


@pytest.mark.feature("R4", "R5")
@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_a_bad_field_is_rejected_by_name_and_corrected(lab: Lab, field: str, value: str) -> None:
    """The shop could not be reached when something is wrong with its money."""
    wire = Wire(lab).order()
    lab.act("submit", serial_number=wire.serial_number, **FORM | {field: value})
    result = lab.act("review", serial_number=wire.serial_number)
    assert (result["verdict"], result["state"]) == ("rejected", "rejected")
    assert [reason["field"] for reason in result["reasons"]] == [field]
    assert wire.reason(wire.sign_in()) == "terminal.not_registered"
    lab.act("submit", serial_number=wire.serial_number, **FORM)
    assert lab.act("review", serial_number=wire.serial_number)["verdict"] == "approved"
    wire.sign_on()


def test_every_reason_is_told_at_once(lab: Lab) -> None:
    """The merchant would come back four times for four mistakes."""
    wire = Wire(lab).order()
    lab.act("submit", serial_number=wire.serial_number, name="", contact="", telephone="", address="")
    result = lab.act("review", serial_number=wire.serial_number)
    assert [reason["field"] for reason in result["reasons"]] == ["name", "contact", "telephone", "address"]
    assert all(reason["zh"] and reason["en"] for reason in result["reasons"])


def test_a_form_is_reviewed_once(lab: Lab) -> None:
    """A second review would move an approved terminal again."""
    wire = Wire(lab).register()
    with pytest.raises(AdminError):
        lab.act("review", serial_number=wire.serial_number)
    with pytest.raises(AdminError):
        lab.act("submit", serial_number=wire.serial_number, **FORM)


def test_a_second_till_does_not_change_the_contract(lab: Lab) -> None:
    """The rates that were signed would change because a second terminal was ordered (product decision 8)."""
    wire = Wire(lab).register()
    second = Wire(lab, "PXE90-0002", "10000002").order()
    lab.act("submit", serial_number=second.serial_number, **FORM | {"name": "另一家店"}, credit_bp=99)
    lab.act("review", serial_number=second.serial_number)
    [merchant] = lab.rows("merchants", merchant_id=wire.merchant_id)
    assert (merchant["credit_bp"], merchant["name"]) == (60, FORM["name"])


def test_a_rejected_form_does_not_close_the_shop_next_door(lab: Lab) -> None:
    """One merchant's mistake would stop another terminal of the same merchant."""
    wire = Wire(lab).on_counter()
    second = Wire(lab, "PXE90-0002", "10000002").order()
    lab.act("submit", serial_number=second.serial_number, **FORM | {"telephone": "0"})
    assert lab.act("review", serial_number=second.serial_number)["verdict"] == "rejected"
    wire.sell(100)


@pytest.mark.parametrize(
    "rates", [{"credit_bp": -1}, {"credit_bp": 1_001}, {"debit_bp": -1}, {"debit_bp": 1_001}, {"debit_cap_fen": -1}]
)
def test_impossible_rates_are_refused(lab: Lab, rates: dict[str, Any]) -> None:
    """A fee of less than nothing would be paid by the acquirer."""
    wire = Wire(lab).order()
    with pytest.raises(AdminError, match="rate"):
        lab.act("submit", serial_number=wire.serial_number, **FORM, **rates)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"serial_number": "PXE90-0001"}, "serial_number_taken"),
        ({"serial_number": "x"}, "serial_number"),
        ({"serial_number": "A" * 21}, "serial_number"),
        ({"serial_number": "A B C D"}, "serial_number"),
        ({"terminal_id": "10000001"}, "terminal_id_taken"),
        ({"terminal_id": "1234567"}, "terminal_id"),
        ({"terminal_id": "1234567é"}, "terminal_id"),
        ({"terminal_id": ""}, "terminal_id"),
        ({"merchant_id": "89810000000000"}, "merchant_id"),
        ({"merchant_id": ""}, "merchant_id"),
        ({"tmk": "11" * 15}, "tmk"),
        ({"tmk": "G" * 32}, "tmk"),
        ({"model": "PX-E91"}, "unknown_model"),
    ],
)
def test_an_order_that_cannot_be_is_refused_and_leaves_nothing(lab: Lab, changes: dict[str, str], code: str) -> None:
    """Two devices would share a terminal id, and their sales be mixed up."""
    Wire(lab).order()
    order = {
        "serial_number": "PXE90-0009",
        "model": "PX-E90",
        "merchant_id": "898100000000001",
        "terminal_id": "10000009",
    }
    with pytest.raises(AdminError) as refused:
        lab.act("order", **order | changes)
    assert refused.value.code == code
    assert len(lab.rows("terminals")) == 1


def test_a_device_for_stock_has_no_till_yet(lab: Lab) -> None:
    """A replacement device could not be kept ready."""
    wire = Wire(lab).order(merchant_id="", terminal_id="")
    with pytest.raises(AdminError, match="no terminal id"):
        lab.act("submit", serial_number=wire.serial_number, **FORM)


def test_the_key_card_is_the_only_act_that_shows_a_key(lab: Lab) -> None:
    """A list on a screen would give the keys of every terminal away."""
    wire = Wire(lab, "PXE90-0001").on_counter()
    assert len(wire.tmk) == 16
    shown = [
        lab.act("terminals"),
        lab.act("show", serial_number=wire.serial_number),
        lab.act("audit"),
        lab.act("transactions"),
        lab.act("batches"),
        lab.act("models"),
    ]
    assert wire.tmk.hex().upper() not in str(shown).upper()
    assert not any("key" in column for row in lab.act("terminals")["terminals"] for column in row)


def fee_fen(wire: Wire) -> int:
    """What a sale of 100 yuan by credit card costs."""
    sold = wire.sell(10_000, CREDIT)
    return int(wire.lab.rows("transactions", terminal_id=wire.terminal_id, stan=sold.stan)[0]["fee_fen"])


def test_a_rejected_form_signs_nothing(lab: Lab) -> None:
    """The rates of a form that was turned down would be the merchant's contract."""
    wire = Wire(lab).order()
    bad = FORM | {"telephone": "0", "name": "另一家店"}
    lab.act("submit", serial_number=wire.serial_number, **bad, credit_bp=1)
    assert lab.act("review", serial_number=wire.serial_number)["verdict"] == "rejected"
    assert lab.rows("merchants") == []
    lab.act("submit", serial_number=wire.serial_number, **FORM, credit_bp=58)
    lab.act("review", serial_number=wire.serial_number)
    [merchant] = lab.rows("merchants")
    assert (merchant["credit_bp"], merchant["name"], merchant["active"]) == (58, FORM["name"], True)
    wire.sign_on()
    assert fee_fen(wire) == 58


def test_the_form_that_is_approved_first_is_the_contract(lab: Lab) -> None:
    """Whoever hands a form in last would set the rates of the others."""
    first, second = Wire(lab).order(), Wire(lab, "PXE90-0002", "10000002").order()
    lab.act("submit", serial_number=first.serial_number, **FORM, credit_bp=99)
    lab.act("submit", serial_number=second.serial_number, **FORM, credit_bp=55)
    for wire in (second, first):
        lab.act("review", serial_number=wire.serial_number)
        wire.sign_on()
    assert (fee_fen(first), fee_fen(second)) == (55, 55)


def test_a_form_in_the_merchants_name_changes_no_contract(lab: Lab) -> None:
    """A bad form for a second till would give the first one other rates."""
    wire = Wire(lab).on_counter()
    second = Wire(lab, "PXE90-0002", "10000002").order()
    before = lab.rows("merchants")
    lab.act("submit", serial_number=second.serial_number, **FORM | {"telephone": "0"}, credit_bp=1)
    assert lab.act("review", serial_number=second.serial_number)["verdict"] == "rejected"
    assert lab.rows("merchants") == before
    assert fee_fen(wire) == 60


@pytest.mark.parametrize("field", FORM)
def test_a_field_of_two_lines_is_refused_when_it_is_handed_in(lab: Lab, field: str) -> None:
    """A form would break the line of the log that it is written to."""
    wire = Wire(lab).order()
    with pytest.raises(AdminError) as refused:
        lab.act("submit", serial_number=wire.serial_number, **FORM | {field: "a\nb"})
    assert refused.value.code == field
    assert lab.rows("registrations") == []


def test_a_quick_registration_that_is_rejected_leaves_nothing(lab: Lab) -> None:
    """A script would go on with a terminal that cannot sign on."""
    lab.act("add_model", model="PX-E90", brand="brand", family="family")
    with pytest.raises(AdminError) as refused:
        lab.act("register", terminal_id="10000001", merchant_id="898100000000001", name="x")
    assert refused.value.code == "rejected"
    assert [lab.rows(table) for table in ("terminals", "registrations", "merchants")] == [[], [], []]


def filed(lab: Lab, wire: Wire, kind: str, reference: str, **more: Any) -> dict[str, Any]:
    """A paper of the merchant's is handed in."""
    return lab.act("file_paper", merchant_id=wire.merchant_id, kind=kind, reference=reference, **more)


@pytest.mark.feature("R3")
def test_a_company_is_approved_once_every_paper_of_its_type_is_there(lab: Lab) -> None:
    """A firm without a licence would take cards, or be turned away without being told what is missing."""
    wire = Wire(lab).order()
    about = {"serial_number": wire.serial_number}
    lab.act("submit", **about, **FORM, merchant_type="company", region="440300")
    told = lab.act("review", **about)
    assert [reason["field"] for reason in told["reasons"]] == ["identity", "licence", "account", "premises"]
    for kind in ("identity", "account"):
        filed(lab, wire, kind, "A-0001")
    filed(lab, wire, "premises", "A-0001", valid_days=1)
    with pytest.raises(AdminError) as refused:
        filed(lab, wire, "licence", "A-0001")
    assert refused.value.code == "reference"
    assert filed(lab, wire, "licence", "91440300MA5EXAMPL7")["papers"]
    assert lab.act("papers", merchant_id=wire.merchant_id, merchant_type="company")["missing"] == []
    lab.later(days=1)
    lab.act("submit", **about, **FORM, merchant_type="company", region="440300")
    assert [reason["field"] for reason in lab.act("review", **about)["reasons"]] == ["premises"]
    filed(lab, wire, "premises", "A-0002")
    lab.act("submit", **about, **FORM, merchant_type="company", region="440300")
    assert lab.act("review", **about)["verdict"] == "approved"
    [merchant] = lab.rows("merchants")
    assert (merchant["merchant_type"], merchant["region"]) == ("company", "440300")


@pytest.mark.feature("R3", "R5")
@pytest.mark.parametrize(
    ("act", "arguments", "code"),
    [
        ("submit", {**FORM, "merchant_type": "club"}, "type"),
        ("file_paper", {"merchant_id": "M", "kind": "diary", "reference": "A-0001"}, "unknown_paper"),
        ("file_paper", {"merchant_id": "M", "kind": "identity", "reference": "a\nb"}, "reference"),
        ("file_paper", {"merchant_id": "M", "kind": "identity", "reference": "A-0001", "valid_days": -1}, "days"),
        ("papers", {"merchant_id": "M", "merchant_type": "club"}, "type"),
    ],
)
def test_papers_and_types_that_are_none_are_refused(lab: Lab, act: str, arguments: dict[str, Any], code: str) -> None:
    """A merchant would wait for a review that can never come."""
    wire = Wire(lab).order()
    with pytest.raises(AdminError) as refused:
        lab.act(act, **({"serial_number": wire.serial_number} if act == "submit" else {}), **arguments)
    assert refused.value.code == code


@pytest.mark.feature("R4")
def test_a_reviewer_turns_a_form_down_and_the_device_is_told_why(lab: Lab) -> None:
    """The merchant would not learn what a person saw and no rule can see."""
    wire = Wire(lab).order()
    about = {"serial_number": wire.serial_number}
    lab.act("submit", **about, **FORM)
    with pytest.raises(AdminError):
        lab.act("reject", **about, reason_zh="")
    assert lab.act("reject", **about, reason_zh="照片不清晰", reason_en="the picture is blurred")["state"] == "rejected"
    tags = wire.tags(wire.send(wire.build("registration", {})))
    assert (tags["ST"], tags["RE"]) == (b"rejected", b"the picture is blurred")
    assert tags["RZ"].decode("gbk") == "照片不清晰"
    lab.act("submit", **about, **FORM)
    assert lab.act("review", **about)["verdict"] == "approved"


@pytest.mark.feature("R9")
def test_no_form_is_approved_while_the_network_is_away_and_none_is_lost(lab: Lab) -> None:
    """A terminal would sell that the network has never heard of, or the merchant start from the beginning."""
    wire = Wire(lab).order()
    about = {"serial_number": wire.serial_number}
    lab.act("submit", **about, **FORM)
    lab.act("partner", name="network", state="down")
    with pytest.raises(AdminError) as refused:
        lab.act("review", **about)
    assert refused.value.code == "partner_down"
    lab.act("partner", name="network", state="up")
    assert lab.act("review", **about)["verdict"] == "approved"


def handed_in(wire: Wire, **changes: str) -> bytes:
    """The form as the device sends it."""
    tags = {"NA": "name", "CO": "contact", "TE": "telephone", "AD": "address"}
    form = FORM | changes
    payload = pack_tags([(tag, form[name].encode("gbk")) for tag, name in tags.items()])
    return wire.build("registration", {F.PAYLOAD: payload})


@pytest.mark.feature("R7", "R8")
def test_a_form_handed_in_during_maintenance_waits_and_makes_one_terminal(lab: Lab) -> None:
    """A merchant would hand the form in again and again, and be registered twice or never."""
    wire = Wire(lab).order()
    lab.policy = lab.acquirer.policy = Policy(maintenance=(Window(begins_at=int(lab.now.timestamp()), lasts_s=600),))
    for _ in range(3):
        assert wire.tags(wire.send(handed_in(wire)))["ST"] == b"submitted"
    with pytest.raises(AdminError) as refused:
        lab.act("review", serial_number=wire.serial_number)
    assert refused.value.code == "maintenance"
    lab.reopen()
    lab.later(minutes=10)
    assert lab.act("review", serial_number=wire.serial_number)["verdict"] == "approved"
    assert len(lab.rows("registrations")) == len(lab.rows("terminals")) == len(lab.rows("merchants")) == 1


@pytest.mark.feature("R8")
def test_a_host_may_refuse_forms_during_maintenance(lab: Lab) -> None:
    """A tester could not play a host that takes nothing at all."""
    wire = Wire(lab).order()
    window = Window(begins_at=int(lab.now.timestamp()), lasts_s=600)
    figures = Registration(in_maintenance="refuse")
    lab.policy = lab.acquirer.policy = Policy(maintenance=(window,), registration=figures)
    assert wire.code(handed_in(wire)) == "90"
    assert lab.rows("registrations") == []


@pytest.mark.feature("R13")
def test_terminals_of_a_scope_register_again_before_the_deadline_or_wait(lab: Lab) -> None:
    """A new rule would leave shops with old data selling for ever, or shut them without a warning."""
    wire = Wire(lab).activated()
    assert lab.act("reregister", model=wire.model, days=10)["asked"] == [wire.serial_number]
    assert lab.act("reregister", model=wire.model, days=10)["asked"] == []
    wire.sell(100)
    lab.later(days=10)
    assert wire.reason(wire.sale(100)) == "hold.registration"
    assert wire.tags(wire.send(handed_in(wire, address="短")))["ST"] == b"submitted"
    assert lab.act("review", serial_number=wire.serial_number)["verdict"] == "rejected"
    assert wire.tags(wire.send(handed_in(wire, address="新址二号院楼")))["ST"] == b"submitted"
    before = lab.rows("merchants")[0]
    assert lab.act("review", serial_number=wire.serial_number)["state"] == "activated"
    wire.sell(100)
    assert wire.tags(wire.send(wire.build("registration", {})))["ST"] == b"registered"
    after = lab.rows("merchants")[0]
    assert (after["address"], after["credit_bp"]) == ("新址二号院楼", before["credit_bp"])
    assert after["renewed_at"] > before["renewed_at"]


@pytest.mark.feature("R10")
def test_every_step_to_the_counter_has_its_instant(lab: Lab) -> None:
    """Nobody could tell how long a merchant waited for the device."""
    wire = Wire(lab)
    lab.act("add_model", model=wire.model, brand="百富", family="e_sign")
    about, began = {"serial_number": wire.serial_number}, int(lab.now.timestamp())
    lab.act("order", **about, model=wire.model)
    for act in ("ship", "deliver"):
        lab.later(days=1)
        lab.act(act, **about)
    with pytest.raises(AdminError):
        lab.act("submit", **about, **FORM)
    lab.act("bind", **about, merchant_id=wire.merchant_id, terminal_id=wire.terminal_id)
    with pytest.raises(AdminError) as refused:
        lab.act("bind", **about, merchant_id=wire.merchant_id, terminal_id="10000009")
    assert refused.value.code == "bound"
    lab.later(days=1)
    lab.act("submit", **about, **FORM)
    lab.act("review", **about)
    days = {act: (at - began) // 86_400 for act, at in lab.act("show", **about)["milestones"].items()}
    assert days == {"order": 0, "ship": 1, "deliver": 2, "submit": 3, "approve": 3}
