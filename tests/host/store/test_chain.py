"""The audit's chain: every way of working on it by hand is found, and the row is named."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable

import pytest

from host.errors import AdminError, StoreError
from host.retirement import audit
from tests.host.wire import FORM, Lab, Wire

pytestmark = pytest.mark.feature("K")
Spoil = Callable[[sqlite3.Connection], object]


def breaches(lab: Lab) -> list[str]:
    """What the verification finds."""
    return [f"{row['number']}: {row['what']}" for row in lab.act("verify_audit")["breaches"]]


def spoil(lab: Lab, work: Spoil) -> None:
    """Work on the database by hand, behind the host's back."""
    connection = sqlite3.connect(lab.path)
    work(connection)
    connection.commit()
    connection.close()


def row(lab: Lab, act: str) -> int:
    """The number of the row of an act."""
    return int(next(row["number"] for row in lab.rows("audit") if row["act"] == act))


def test_the_chain_holds_over_a_life(active: Wire) -> None:
    """An honest host would be called a forger."""
    active.sell(100)
    active.lab.act("stop", serial_number=active.serial_number)
    active.lab.reopen()
    active.lab.act("lose", serial_number=active.serial_number)
    verdict = active.lab.act("verify_audit")
    assert verdict["breaches"] == []
    assert verdict["whole"]
    assert verdict["checked"] == len(active.lab.rows("audit")) > 5
    places = [row["place"] for row in active.lab.rows("audit")]
    assert sorted(places) == list(range(1, len(places) + 1))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("detail = 'nothing happened'", "its detail was altered"),
        ("actor = 'somebody else'", "it was altered"),
        ("at = at + 1", "it was altered"),
        ("serial_number = 'PXE90-0002'", "it was altered"),
        ("act = 'ship'", "it was altered"),
        ("salt = x'00'", "its detail was altered"),
        ("commitment = x'00'", "its detail was altered"),
        ("digest = x'00'", "it was altered"),
        ("detail = '', salt = x''", "its detail was erased without a certificate"),
        ("place = 999", "it was put in beside the chain"),
    ],
)
def test_an_altered_row_is_found(wire: Wire, change: str, told: str) -> None:
    """Whoever stopped the terminal could write another name into the book."""
    number = row(wire.lab, "approve")
    spoil(wire.lab, lambda database: database.execute(f"UPDATE audit SET {change} WHERE number = {number}"))
    assert any(breach.startswith(f"{number}: ") and told in breach for breach in breaches(wire.lab))


@pytest.mark.parametrize(
    "work",
    [
        lambda database: database.execute("DELETE FROM audit WHERE act = 'approve'"),
        lambda database: database.execute("DELETE FROM audit WHERE place = (SELECT max(place) FROM audit)"),
        lambda database: database.execute("DELETE FROM audit"),
        lambda database: database.execute("DELETE FROM chains"),
        lambda database: database.execute(
            "INSERT INTO audit SELECT 9999, at, actor, serial_number, act, detail, salt, commitment, NULL, digest"
            " FROM audit LIMIT 1"
        ),
        lambda database: database.execute(
            "INSERT INTO audit SELECT 9999, at, actor, serial_number, act, detail, salt, commitment, 9999, digest"
            " FROM audit LIMIT 1"
        ),
        lambda database: database.execute(
            "UPDATE audit SET act = CASE place WHEN 2 THEN 'deliver' ELSE 'ship' END WHERE place IN (2, 3)"
        ),
    ],
)
def test_rows_taken_away_put_in_or_swapped_are_found(wire: Wire, work: Spoil) -> None:
    """An act could be made never to have happened."""
    spoil(wire.lab, work)
    assert breaches(wire.lab)


def test_an_act_that_fails_leaves_no_row_and_no_gap(wire: Wire) -> None:
    """Every typing error would look like a forgery afterwards."""
    for _ in range(3):
        with pytest.raises(AdminError):
            wire.lab.act("register", terminal_id="10000009", merchant_id="898100000000009", name="?")
        wire.lab.act("hold", serial_number=wire.serial_number, reason="fault")
        wire.lab.act("release", serial_number=wire.serial_number, reason="fault")
    assert breaches(wire.lab) == []


def test_acts_at_once_are_one_chain(wire: Wire) -> None:
    """Two administrators at once would break the chain."""
    from host.admin.acts import conduct, desk_at

    def announce(number: int) -> Callable[..., object]:
        arguments = {"model": f"M{number}", "brand": "b", "family": "mpos"}
        return lambda books: conduct(desk_at(books, wire.lab.store.keys, wire.lab.now), "add_model", arguments)

    for future in [wire.lab.store.submit(announce(number)) for number in range(40)]:
        future.result(20)
    assert len([row for row in wire.lab.rows("audit") if row["act"] == "add_model"]) == 1 + 40
    assert breaches(wire.lab) == []


ENDED = {"why": "asked for by the merchant"}


def ended(wire: Wire) -> Wire:
    """A terminal whose merchant has left."""
    wire.lab.act("hold", serial_number=wire.serial_number, reason="fault", note=f"call {FORM['contact']}")
    wire.lab.act("stop", serial_number=wire.serial_number)
    wire.lab.act("retire", serial_number=wire.serial_number)
    wire.lab.act("payout", merchant_id=wire.merchant_id)
    return wire


def test_erasure_leaves_no_person_and_a_chain_that_holds(active: Wire) -> None:
    """A merchant who has left would stay in the book for ever, or the book would be worth nothing after."""
    wire, lab = ended(active), active.lab
    certificate = lab.act("erase", merchant_id=wire.merchant_id, **ENDED)
    everything = str([lab.rows(table) for table in ("merchants", "registrations", "audit", "certificates")])
    assert not [text for text in FORM.values() if text in everything]
    assert breaches(lab) == []
    assert lab.act("certificates")["certificates"] == [certificate]
    assert len(certificate["audit_places"]) == 1
    assert lab.violations() == []


def test_erasure_finds_a_person_in_proposals_commands_and_messages(active: Wire) -> None:
    """The certificate would say that nobody is named any more, and a signed command still does."""
    lab, name = active.lab, FORM["contact"]
    about = {"serial_number": active.serial_number}
    title = {"title_zh": "通知", "title_en": "notice", "text_en": "call"}
    lab.act("announce", **about, **title, text_zh=f"请{name}来电")
    lab.act("announce", **about, **title, text_zh="请来电")
    lab.act("propose", act="stop", arguments=json.dumps({**about, "why": f"{name} has left"}))
    lab.act("complain", merchant_id=active.merchant_id, about=f"{name} was called thrice")
    lab.act("report_fault", **about, cause="defect", note=f"ask {name}")
    wire = ended(active)
    certificate = lab.act("erase", merchant_id=wire.merchant_id, **ENDED)
    everything = [lab.rows(table) for table in ("proposals", "commands", "complaints", "repairs", "holds", "audit")]
    assert name not in str(everything)
    assert name not in str([row["document"].decode("utf-8", "replace") for row in lab.rows("commands")])
    [proposed] = lab.rows("proposals")
    assert json.loads(proposed["arguments"]) == {**about, "why": "erased"}
    assert sorted(bool(row["document"]) for row in lab.rows("commands")) == [False, True]
    assert lab.act("show", **about)["state"] == "retired"
    assert certificate["rows"] > 0
    assert breaches(lab) == []


def test_erasure_finds_a_person_in_what_was_written_of_a_device_in_an_earlier_life(active: Wire) -> None:
    """The next shop's terminal would carry the last one's names, and whoever looks at it read them."""
    lab, name = active.lab, FORM["contact"]
    about = {"serial_number": active.serial_number}
    lab.act("hold", **about, reason="fault", note=f"ask {name}")
    spare = Wire(lab, "PXE90-0002").order(merchant_id="", terminal_id="")
    lab.act("replace", **about, successor=spare.serial_number)
    lab.later(days=1)
    lab.act("refurbish", **about, reference="sheet 1")
    lab.act("hold", **about, reason="fault", note="ask the depot")
    for act in ("stop", "retire"):
        lab.act(act, serial_number=spare.serial_number)
    lab.act("payout", merchant_id=active.merchant_id)
    lab.act("erase", merchant_id=active.merchant_id, **ENDED)
    assert [row["note"] for row in lab.rows("holds", **about)] == ["", "ask the depot"]


@pytest.mark.parametrize(("note", "stays"), [("a policeman called", True), ("call li at once", False), ("问li", False)])
def test_a_short_name_erases_no_other_words(active: Wire, note: str, stays: bool) -> None:
    """Whoever has a short name could have the audit of all others blanked."""
    lab = active.lab
    lab.act("hold", serial_number=active.serial_number, reason="fault", note=note)
    other = Wire(lab, "PXE90-0002", "10000002", "898100000000002")
    other.order()
    lab.act("submit", serial_number=other.serial_number, **{**FORM, "contact": "li"})
    lab.act("review", serial_number=other.serial_number)
    lab.act("stop", serial_number=other.serial_number)
    lab.act("retire", serial_number=other.serial_number)
    lab.act("erase", merchant_id=other.merchant_id, **ENDED)
    assert any(note in row["detail"] for row in lab.rows("audit")) is stays
    assert breaches(lab) == []


def test_erased_texts_are_in_no_file(active: Wire) -> None:
    """Whoever finds an old disk would read what is certified to be gone."""
    wire, lab = ended(active), active.lab
    lab.act("erase", merchant_id=wire.merchant_id, **ENDED)
    lab.store.close()
    content = b"".join(file.read_bytes() for file in lab.path.parent.iterdir())
    assert wire.merchant_id.encode() in content
    assert not [text for text in FORM.values() if text.encode() in content]


def test_who_looks_up_cannot_write_and_holds_up_nobody(active: Wire) -> None:
    """A list that somebody opens could change the books, or a long one could stop the tills."""
    store = active.lab.store
    with pytest.raises(StoreError):
        store.read(lambda books: books.write(audit("x", "", "y", "z", 1))).result(20)
    go = threading.Event()
    slow = store.read(lambda books: (books.count("audit"), go.wait(20), books.count("audit")))
    active.sell(100)
    active.lab.store.run(lambda books: books.write(audit("x", "", "y", "z", 1)))
    go.set()
    before, _, after = slow.result(20)
    assert before == after, "one view, whatever happens meanwhile"


def test_a_certificate_is_signed(active: Wire) -> None:
    """Anybody could claim that the data is gone."""
    from protocol.crypto.signing import verify

    certificate = ended(active).lab.act("erase", merchant_id=active.merchant_id, **ENDED)
    signature = bytes.fromhex(certificate.pop("signature"))
    document = json.dumps(certificate, sort_keys=True, ensure_ascii=False).encode()
    assert verify(active.host_public_key, document, signature)


def test_nobody_in_service_is_erased(active: Wire) -> None:
    """A slip would leave a shop that sells without a name."""
    with pytest.raises(AdminError) as refused:
        active.lab.act("erase", merchant_id=active.merchant_id, **ENDED)
    assert refused.value.code == "in_service"
    active.sell(5_000)
    active.settle()
    for act in ("stop", "retire"):
        active.lab.act(act, serial_number=active.serial_number)
    with pytest.raises(AdminError) as refused:
        active.lab.act("erase", merchant_id=active.merchant_id, **ENDED)
    assert refused.value.code == "owed"


def test_what_is_erased_is_erased_once(active: Wire) -> None:
    """A second certificate would say that data was there which was not."""
    wire = ended(active)
    wire.lab.act("erase", merchant_id=wire.merchant_id, **ENDED)
    with pytest.raises(AdminError) as refused:
        wire.lab.act("erase", merchant_id=wire.merchant_id, **ENDED)
    assert refused.value.code == "nothing_to_erase"
