"""Answers to firmware query, chunk and report: the image goes to the device in pieces that it can resume."""

from __future__ import annotations

from typing import Final

from host.case import Case
from host.decision import Decision, Insert
from host.records import Progress, columns
from host.retirement import audit
from protocol.fields import F
from protocol.private import number_tag, pack_tags, text_tag, unpack_tags

CHUNK_BYTES = 900
CONFIRMED: Final = "confirmed"
"""What a device says of an update that it keeps; everything else is a failure."""
POSTPONED: Final = frozenset({"update.money_in_flight", "update.battery_low", "update.batch_open"})
"""Why a device updates later by itself."""
COMMANDED: Final = "commanded"
FAILED: Final = "failed"
INSTALLED: Final = "installed"


def query(case: Case) -> Decision:
    """Which version the host offers this model, and how large it is; an empty answer offers none."""
    release = case.snapshot.release
    if release is None:
        return Decision(remember=False)
    tags = [("VN", release.version.encode()), ("SZ", str(release.size).encode()), ("SH", release.sha256.encode())]
    return Decision(fields={F.PAYLOAD: pack_tags(tags)}, remember=False)


def chunk(case: Case) -> Decision:
    """The bytes of an image from an offset on; no bytes at its end. Raises DecodeError for an offset that is none."""
    tags = unpack_tags(case.request.message.octets(F.PAYLOAD), field=F.PAYLOAD)
    data = case.snapshot.read_image(text_tag(tags, "VN"), number_tag(tags, "OF"), CHUNK_BYTES)
    return Decision(fields={F.PAYLOAD: pack_tags([("OF", tags["OF"]), ("DA", data)])}, remember=False)


def report(case: Case) -> Decision:
    """How an update went, for the record and the count of failures (product G8); one that comes again counts no more.

    The version itself is learnt from authenticated frames alone.
    """
    tags = unpack_tags(case.request.message.octets(F.PAYLOAD), field=F.PAYLOAD)
    version, result = text_tag(tags, "VN")[:16], text_tag(tags, "RS")[:40]
    serial_number = case.terminal.serial_number
    line = audit(serial_number, serial_number, "firmware report", f"{version}: {result}", case.at)
    known = case.snapshot.progress
    before = known.failures if known and known.version == version else 0
    if result in POSTPONED:
        return Decision(writes=(line,))
    done = result == CONFIRMED
    row = Progress(serial_number, version, INSTALLED if done else FAILED, before + (not done), case.at)
    return Decision(writes=(Insert("updates", columns(row), replace=True), line))
