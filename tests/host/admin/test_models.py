"""The catalogue: blocklist in and out, who is affected, certificates, firmware on its way (product G1 to G13, R14)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.errors import AdminError
from host.policy import Combination, Firmware, Gates, Mandate, Models, Policy
from protocol.fields import F
from protocol.private import pack_tags
from tests.host.wire import Lab, Wire, refusal

RETIRE = Path(__file__).parents[3] / "scenarios" / "retirement" / "models_to_retire.csv"
HEAD = "model,brand,family,stop_date,reason\n"


def with_rules(lab: Lab, **sections: Any) -> None:
    """The host gets other rules."""
    lab.policy = lab.acquirer.policy = Policy(**sections)


@pytest.mark.feature("G1")
def test_the_list_of_196_models_comes_in_and_goes_out_the_same(lab: Lab) -> None:
    """A planner's list would lose a model on its way through the host."""
    content = RETIRE.read_bytes()
    lab.act("add_model", model="PX-S08", brand="百富", family="traditional")
    wire = Wire(lab, model="PX-S08").on_counter()
    assert lab.act("block_models", content=content) == {"models": 196, "terminals": 1}
    out = lab.act("blocklist")
    assert out["models"] == 196
    assert sorted(out["csv"].splitlines()) == sorted(content.decode().splitlines())
    assert lab.act("block_models", content=out["csv"].encode())["models"] == 196
    hit = lab.act("affected")
    assert (hit["total"], hit["by_model"], hit["merchants"]) == (1, {"PX-S08": 1}, 1)
    assert hit["affected"][0]["serial_number"] == wire.serial_number
    wire.sell(100)
    lab.later(days=305)  # from 2026-03-01 to 2026-12-31
    assert wire.reason(wire.sale(100)) == "model.retired"


@pytest.mark.feature("G1")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "line 1"),
        (b"model,stop\n", "line 1"),
        (HEAD.encode(), "names no model"),
        ((HEAD + "A,b,c,2027-13-01,r\nB,b,c,x,r\n").encode(), "line 2: '2027-13-01' is no day"),
        ((HEAD + "A,b,c,2027-01-01,r\nB,b,c,x,r\n").encode(), "line 3: 'x' is no day"),
        ((HEAD + "A,b,c,2027-01-01,r\nA,b,c,2027-01-01,r\n").encode(), "is in line 2 already"),
        ((HEAD + "A,b,2027-01-01,r\n").encode(), "cells"),
        ((HEAD + "A,b,c,2027-01-01,r,more\n").encode(), "cells"),
        ((HEAD + ",b,c,2027-01-01,r\n").encode(), "model is ''"),
        ((HEAD + "A\x1b[31m,b,c,2027-01-01,r\n").encode(), "model is"),
        ((HEAD + '"A,b,c,2027-01-01,r\n').encode(), "line 2: unexpected end of data"),
        ((HEAD + '"A,b,c,2027-01-01,r\nB,b,c,2027-01-01,r\n').encode(), "line 2: unexpected end of data"),
        ((HEAD + '\nA,b,c,2027-01-01,r\n"B"x,b,c,2027-01-01,r\n').encode(), "line 4: .* expected"),
        ((HEAD + '"A\nA",b,c,2027-01-01,r\nB,b,c,x,r\n').encode(), "line 2: model is .*; line 4: 'x' is no day"),
        ((HEAD + "A,b,2027-01-01,r\nB,b,c,x,r\n").encode(), "line 2: it has not 5 cells; line 3: 'x' is no day"),
        (HEAD.encode() + b"\xff,b,c,2027-01-01,r\n", "line 2: byte .* is not UTF-8"),
        (b"\n" + HEAD.encode() + b"A,b,c,2027-01-01,r\n", "line 1: the columns"),
    ],
)
def test_a_list_with_a_mistake_is_told_by_line_and_changes_nothing(lab: Lab, content: bytes, said: str) -> None:
    """Half a list would stop half a country."""
    with pytest.raises(AdminError, match=said) as refused:
        lab.act("block_models", content=content)
    assert refused.value.code == "blocklist"
    assert lab.rows("models") == []


def test_a_model_named_like_a_formula_stays_text_in_the_list(lab: Lab) -> None:
    """A planner's spreadsheet would run what somebody wrote into a model's name."""
    lab.act("block_models", content=(HEAD + "=HYPERLINK,b,c,2027-01-01,-r\n").encode())
    assert lab.act("blocklist")["csv"].splitlines()[1] == "'=HYPERLINK,b,c,2027-01-01,'-r"


@pytest.mark.feature("R14")
def test_a_certificate_ends_with_its_last_day(lab: Lab) -> None:
    """A model would sell a year after its certificate, or a day less than it may."""
    with_rules(lab, gates=Gates(certificate=True))
    wire = Wire(lab).on_counter()
    lab.act("certify_model", model=wire.model, certificate="CT-1", until="2026-03-02")
    lab.later(days=1)
    wire.sell(100)
    lab.later(hours=6)  # midnight in China
    assert wire.reason(wire.sale(100)) == "model.certificate"
    lab.act("certify_model", model=wire.model, certificate="CT-2", until="2028-03-02")
    wire.sell(100)


@pytest.mark.feature("G2", "G3", "G9", "G10")
@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"models": Models(security_level=4)}, "model.security_level"),
        ({"models": Models(capabilities=("sm4",))}, "model.incapable"),
        ({"models": Models(families_refused=("smart",))}, "model.family"),
        ({"mandates": (Mandate(region="44", since_at=1, security_level=4),)}, "model.region"),
        ({"mandates": (Mandate(region="44", since_at=1, capabilities=("sm4",)),)}, "model.region"),
        ({"mandates": (Mandate(region="11", since_at=1, security_level=9),)}, ""),
        ({"mandates": (Mandate(region="44", since_at=2_000_000_000, security_level=9),)}, ""),
        ({"models": Models(security_level=3, capabilities=("chip",), families_refused=("mpos",))}, ""),
    ],
)
def test_a_model_must_be_what_the_rules_demand(lab: Lab, sections: dict[str, Any], reason: str) -> None:
    """A device that everybody can open would go on taking PINs."""
    described = {"security_level": 3, "capabilities": "chip contactless"}
    lab.act("add_model", model="NX-1", brand="新大陆", family="smart", **described)
    wire = Wire(lab, model="NX-1").on_counter()
    lab.store.run(lambda books: books.apply([_region(wire.merchant_id)]))
    with_rules(lab, **sections)
    if reason:
        assert wire.reason(wire.sale(100)) == reason
    else:
        wire.sell(100)


def _region(merchant_id: str) -> Any:
    from host.decision import Update

    return Update("merchants", {"merchant_id": merchant_id}, {"region": "440300"})


@pytest.mark.feature("G3")
def test_a_card_cannot_be_read_by_what_a_model_has_not(lab: Lab) -> None:
    """A forged message would say that a chip was read by a device without a reader for it."""
    lab.act("add_model", model="NX-1", brand="新大陆", family="smart", capabilities="chip")
    wire = Wire(lab, model="NX-1").on_counter()
    assert wire.reason(wire.sale(100)) == "model.incapable"  # read contactless
    fields = {**wire.money(100, "6200000100000004", wire.stan()), F.ENTRY_MODE: "051"}
    assert wire.reason(wire.build("sale", fields)) != "model.incapable"
    with pytest.raises(AdminError) as refused:
        lab.act("add_model", model="NX-2", brand="b", family="smart", capabilities="fly")
    assert refused.value.code == "unknown_capability"


@pytest.mark.feature("G4", "G6")
def test_firmware_and_protocol_must_go_together(wire: Wire) -> None:
    """A firmware would send fields that its protocol version has not."""
    lab = wire.lab
    with_rules(lab, compatibility=(Combination(model=wire.model, firmware_from="2.2.0", protocols=("32",)),))
    assert wire.reason(wire.sale(100)) == "firmware.incompatible"
    with_rules(lab, compatibility=(Combination(model=wire.model, firmware_to="2.2.0", protocols=("32",)),))
    wire.sell(100)
    with_rules(lab, compatibility=(Combination(model="other"),), firmware=Firmware(protocol_min="33"))
    reply = wire.send(wire.sale(100))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("40", "protocol.too_old")


def publish(wire: Wire, version: str) -> None:
    """Publish an image."""
    wire.lab.act("publish_firmware", model=wire.model, version=version, image=version.encode() * 9)


def report(wire: Wire, version: str, result: str) -> None:
    """The device tells how an update went."""
    wire.send(wire.management("firmware_report", pack_tags([("VN", version.encode()), ("RS", result.encode())])))


def commands(wire: Wire) -> int:
    """How many updates were commanded."""
    return sum(row["kind"] == "update_firmware" for row in wire.lab.rows("commands"))


@pytest.mark.feature("G5", "G8")
def test_an_update_is_offered_then_required_then_forced(active: Wire) -> None:
    """A shop would be shut by an update that it could not install, or a hole stay open for ever."""
    lab, about = active.lab, {"model": active.model, "version": "2.2.0"}
    with pytest.raises(AdminError) as refused:
        lab.act("recommend_firmware", **about)
    assert refused.value.code == "not_published"
    publish(active, "2.2.0")
    lab.act("recommend_firmware", **about, required_days=10, forced_days=20)
    assert lab.act("rollout", model=active.model)["stage"] == "offered"
    active.sell(100)
    active.sell(100)
    assert commands(active) == 1
    lab.later(days=10)
    assert active.reason(active.sale(100)) == "firmware.too_old"
    report(active, "2.2.0", "update.batch_open")
    for _ in range(3):
        report(active, "2.2.0", "update.hash")
    active.sell(100)
    assert lab.act("rollout", model=active.model)["terminals"][0]["failures"] == 3
    lab.later(days=10)
    assert active.reason(active.sale(100)) == "firmware.too_old"
    active.firmware = "2.2.0"
    active.sell(100)
    told = lab.act("rollout", model=active.model)
    assert (told["stage"], told["states"]) == ("forced", {"installed": 1})


@pytest.mark.feature("G5", "G8")
def test_a_blocked_version_is_rolled_back(active: Wire) -> None:
    """A bad firmware would be offered to the next shop while the first one cannot sell."""
    lab, model = active.lab, active.model
    for version in ("2.0.5", "2.2.0"):
        publish(active, version)
    lab.act("recommend_firmware", model=model, version="2.2.0", required_days=0, forced_days=0)
    active.firmware = "2.2.0"
    active.sell(100)
    lab.act("block_firmware", model=model, version="2.2.0")
    assert lab.act("rollout", model=model)["stage"] == "none"
    assert active.reason(active.sale(100)) == "firmware.blocked"
    tags = active.tags(active.send(active.management("firmware_query")))
    assert tags["VN"] == b"2.0.5"
    assert commands(active) == 1
    active.firmware = "2.0.5"
    active.sell(100)
    with pytest.raises(AdminError) as refused:
        lab.act("recommend_firmware", model=model, version="2.2.0")
    assert refused.value.code == "blocked"
