"""The firmware gate and the image in chunks (product G5, invariants L4, F5)."""

from __future__ import annotations

import hashlib

import pytest

from host.errors import AdminError
from host.handlers.firmware import CHUNK_BYTES
from protocol.command import open_command
from protocol.fields import F
from protocol.private import pack_tags
from tests.host.wire import Lab, Wire, refusal

IMAGE = bytes(range(256)) * 11 + b"end"


def publish(lab: Lab, model: str, version: str, image: bytes = IMAGE) -> str:
    """Offer an image; returns its hash."""
    sha256 = hashlib.sha256(image).hexdigest()
    lab.act("publish_firmware", model=model, version=version, image=image)
    return sha256


@pytest.mark.feature("G8")
def test_an_old_firmware_is_refused_commanded_once_downloaded_and_let_through(active: Wire) -> None:
    """A terminal with a known hole would go on selling, or be refused without ever getting its update."""
    lab, sha256 = active.lab, publish(active.lab, active.model, "2.2.0")
    lab.act("require_firmware", model=active.model, version="2.2.0")
    for _ in range(3):
        reply = active.send(active.sale(100))
        assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("58", "firmware.too_old")
        assert reply.header is not None
        assert reply.header.processing_requirement == "E"
    assert len(lab.rows("commands")) == 1
    document = active.tags(active.send(active.management("command_fetch")))["CM"]
    command = open_command(document, active.host_public_key, serial_number=active.serial_number)
    assert command.kind == "update_firmware"
    assert command.body == {"version": "2.2.0", "size": str(len(IMAGE)), "sha256": sha256}
    assert download(active, "2.2.0") == IMAGE
    active.firmware = "2.2.0"
    active.sell(100)
    assert lab.terminal(active.serial_number)["firmware"] == "2.2.0"


def download(wire: Wire, version: str) -> bytes:
    """The whole image, a chunk after the other."""
    image = b""
    while True:
        asked = pack_tags([("VN", version.encode()), ("OF", str(len(image)).encode())])
        tags = wire.tags(wire.send(wire.management("firmware_chunk", asked)))
        assert int(tags["OF"]) == len(image)
        assert len(tags["DA"]) <= CHUNK_BYTES
        if not tags["DA"]:
            return image
        image += tags["DA"]


def test_a_query_tells_the_newest_by_number_and_not_by_spelling(active: Wire) -> None:
    """2.10.0 would be taken for older than 2.9.0."""
    for version in ("2.9.0", "2.10.0", "2.2.0"):
        publish(active.lab, active.model, version)
    tags = active.tags(active.send(active.management("firmware_query")))
    assert tags["VN"] == b"2.10.0"


def test_a_query_where_nothing_is_published_is_answered_empty(active: Wire) -> None:
    """A terminal that asks would be refused for asking."""
    reply = active.send(active.management("firmware_query"))
    assert (reply.text(F.RESPONSE_CODE), reply.octets(F.PAYLOAD)) == ("00", b"")


@pytest.mark.parametrize("offset", ["", "-1", "1.5", "x", "9999999999", "١"])
def test_an_offset_that_is_none_is_malformed(active: Wire, offset: str) -> None:
    """A broken download would end in a crash of the host instead of an answer."""
    publish(active.lab, active.model, "2.2.0")
    asked = pack_tags([("VN", b"2.2.0"), ("OF", offset.encode("gb18030"))])
    reply = active.send(active.management("firmware_chunk", asked))
    assert (reply.text(F.RESPONSE_CODE), "field 62" in refusal(reply).chinese) == ("30", True)


@pytest.mark.parametrize("version", ["9.9.9", "", "x" * 300])
def test_a_version_that_is_not_published_has_no_bytes(active: Wire, version: str) -> None:
    """A terminal would install the image of another version."""
    publish(active.lab, active.model, "2.2.0")
    asked = pack_tags([("VN", version.encode()), ("OF", b"0")])
    assert active.tags(active.send(active.management("firmware_chunk", asked)))["DA"] == b""


def test_an_image_of_another_model_is_not_given_out(active: Wire) -> None:
    """A terminal would fetch firmware that was never meant for it."""
    active.lab.act("add_model", model="NX-E21", brand="b", family="f")
    publish(active.lab, "NX-E21", "3.0.0")
    asked = pack_tags([("VN", b"3.0.0"), ("OF", b"0")])
    assert active.tags(active.send(active.management("firmware_chunk", asked)))["DA"] == b""


def test_a_terminal_that_tells_no_version_is_refused_where_one_is_required(lab: Lab) -> None:
    """Whoever hides the version would pass the gate."""
    wire = Wire(lab, extended=False).on_counter()
    lab.act("require_firmware", model=wire.model, version="1.0.0")
    assert wire.reason(wire.sale(100)) == "firmware.too_old"


def test_a_version_without_a_good_mac_is_not_believed(active: Wire) -> None:
    """Anybody on the line could open the gate for a terminal with old firmware."""
    active.lab.act("require_firmware", model=active.model, version="2.2.0")
    active.firmware = "9.9.9"
    payload = active.sale(100)
    assert active.reason(payload[:-1] + bytes([payload[-1] ^ 1])) == "message.mac"
    assert active.code(active.management("echo")) == "00"
    assert active.lab.terminal(active.serial_number)["firmware"] == "2.1.0"


@pytest.mark.parametrize("required", ["2.1.0", "2.0.9", "1.255.255"])
def test_the_required_version_and_newer_ones_sell(active: Wire, required: str) -> None:
    """A terminal that is up to date would be refused."""
    active.lab.act("require_firmware", model=active.model, version=required)
    active.sell(100)


def test_a_report_is_kept_for_people(active: Wire) -> None:
    """Nobody could tell why an update failed."""
    report = pack_tags([("VN", b"2.2.0"), ("RS", b"hash")])
    assert active.code(active.management("firmware_report", report)) == "00"
    assert active.lab.rows("audit", act="firmware report")[0]["detail"] == "2.2.0: hash"


def test_copies_of_a_report_are_one_failure(active: Wire) -> None:
    """A report that a line doubled would let firmware with a hole sell on, and no update be offered any more."""
    publish(active.lab, active.model, "2.2.0")
    active.lab.act("recommend_firmware", model=active.model, version="2.2.0", required_days=0, forced_days=60)
    assert active.reason(active.sale(100)) == "firmware.too_old"
    failed = active.management("firmware_report", pack_tags([("VN", b"2.2.0"), ("RS", b"update.hash")]))
    for _ in range(3):
        assert active.code(failed) == "00"
    [row] = active.lab.rows("updates")
    assert (row["state"], row["failures"]) == ("failed", 1)
    assert active.reason(active.sale(100)) == "firmware.too_old"
    confirmed = active.management("firmware_report", pack_tags([("VN", b"2.2.0"), ("RS", b"confirmed")]))
    for payload in (confirmed, failed):
        assert active.code(payload) == "00"
    assert active.lab.rows("updates")[0]["state"] == "installed"


def test_a_failure_that_is_told_a_day_later_counts(active: Wire) -> None:
    """A shop that settles late would be closed for ever by an update that fails each time: no failure would count."""
    publish(active.lab, active.model, "2.2.0")
    active.lab.act("recommend_firmware", model=active.model, version="2.2.0", required_days=9, forced_days=60)
    for failures in (1, 2):
        active.sell(100)
        command = active.lab.rows("commands")[-1]
        done = pack_tags([("CN", str(command["counter"]).encode()), ("RS", b"staged")])
        assert active.code(active.management("command_ack", done)) == "00"
        active.lab.later(days=2)
        reverted = pack_tags([("VN", b"2.2.0"), ("RS", b"reverted")])
        assert active.code(active.management("firmware_report", reverted)) == "00"
        [row] = active.lab.rows("updates")
        assert (row["state"], row["failures"]) == ("failed", failures)
        active.lab.later(days=2)


@pytest.mark.parametrize("version", ["1.2", "1.2.256", "v1.2.3", ""])
def test_a_version_that_is_none_is_not_required(active: Wire, version: str) -> None:
    """A typing error would refuse every terminal of the model."""
    with pytest.raises(AdminError) as refused:
        active.lab.act("require_firmware", model=active.model, version=version)
    assert (refused.value.code, refused.value.field) == ("version", "version")
    active.sell(100)


@pytest.mark.parametrize(("published", "commanded"), [("2.1.9", False), ("2.2.0", True), ("2.3.0", True)])
def test_an_update_is_commanded_only_where_it_helps(active: Wire, published: str, commanded: bool) -> None:
    """A terminal would download and install a firmware that is refused as well, again and again."""
    publish(active.lab, active.model, published)
    active.lab.act("require_firmware", model=active.model, version="2.2.0")
    assert active.reason(active.sale(100)) == "firmware.too_old"
    assert bool(active.lab.rows("commands")) is commanded


def test_a_version_stands_for_the_same_bytes_for_ever(active: Wire) -> None:
    """A device in the middle of a download would put two images together."""
    publish(active.lab, active.model, "2.2.0")
    publish(active.lab, active.model, "2.2.0")
    with pytest.raises(AdminError) as refused:
        publish(active.lab, active.model, "2.2.0", IMAGE + b"!")
    assert refused.value.code == "version_taken"
    assert download(active, "2.2.0") == IMAGE
