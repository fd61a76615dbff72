"""Answers to firmware query, chunk and report: the image goes to the device in pieces that it can resume."""

from __future__ import annotations

from host.case import Case
from host.decision import Decision, Insert
from protocol.fields import F
from protocol.private import number_tag, pack_tags, text_tag, unpack_tags

CHUNK_BYTES = 900


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
    """How an update went, for the record; the version itself is learnt from authenticated frames alone."""
    tags = unpack_tags(case.request.message.octets(F.PAYLOAD), field=F.PAYLOAD)
    detail = f"{text_tag(tags, 'VN')[:16]}: {text_tag(tags, 'RS')[:40]}"
    row = {
        "at": case.at,
        "actor": case.terminal.serial_number,
        "serial_number": case.terminal.serial_number,
        "act": "firmware report",
        "detail": detail,
    }
    return Decision(writes=(Insert("audit", row),), remember=False)
