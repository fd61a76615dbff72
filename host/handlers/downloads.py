"""Answers to the downloads of TABLE DOWNLOADS: query, fetch, end (CUP 3.2, 3.7).

Rules owned here: a terminal that has begun with a version gets all of it from that version, whatever is published
meanwhile; only the end of the newest one counts, so that nothing half is taken for the whole.
"""

from __future__ import annotations

import re
from typing import Final

from host.case import Case
from host.decision import Decision, Insert, Write
from host.downloads import FIRST_VERSION, answered, content_of, listed, listing, page, whole
from host.records import Fetch, Published, columns
from protocol.downloads import DOWNLOAD_OF, Download, Form
from protocol.errors import DecodeError
from protocol.fields import F

_START: Final = re.compile(rb"[0-9]{3}")
_RECEIVED: Final = re.compile(rb"1[0-9]{2}")


def query(case: Case) -> Decision:
    """What there is, behind what the terminal has got already."""
    received = int(_told(case, _RECEIVED)[1:])
    row = _row(case)
    published, writes = _version(case, begins=not received)
    return _carrying(listing(row, list(content_of(row, published)), received), writes)


def fetch(case: Case) -> Decision:
    """A set, a page of it or one of its objects."""
    row = _row(case)
    start = int(_told(case, _START)) if row.form is Form.PAGED else 0
    published, writes = _version(case, begins=row.form is not Form.LISTED and not start)
    content = content_of(row, published)
    if not isinstance(content, list):
        return _carrying(whole(row, content, case.merchant.name), writes)
    if row.form is Form.PAGED:
        return _carrying(page(content, start), writes)
    return _carrying(listed(row, content, case.request.message.octets(F.PAYLOAD)), writes)


def end(case: Case) -> Decision:
    """The terminal has it all."""
    begun, newest = case.snapshot.fetch, _newest(case)
    if begun is None or begun.begun != newest:
        return Decision(remember=False)
    serial_number = case.terminal.serial_number
    row = {"serial_number": serial_number, "name": begun.name, "begun": newest, "fetched": newest, "at": case.at}
    met = answered(case.terminal, _row(case).requirement)
    return Decision(writes=(Insert("fetches", row, replace=True), *met), remember=False)


def _row(case: Case) -> Download:
    return DOWNLOAD_OF[case.request.kind.name]


def _newest(case: Case) -> int:
    return max((published.version for published in case.snapshot.published), default=FIRST_VERSION)


def _version(case: Case, *, begins: bool) -> tuple[Published | None, tuple[Write, ...]]:
    """The version that this terminal gets, None for the embedded one, and what is written down of that."""
    known = case.snapshot.fetch
    version = known.begun if known and not begins else _newest(case)
    published = next((row for row in case.snapshot.published if row.version == version), None)
    if not begins:
        return published, ()
    row = Fetch(case.terminal.serial_number, _row(case).name, version, known.fetched if known else 0, case.at)
    return published, (Insert("fetches", columns(row), replace=True),)


def _told(case: Case, form: re.Pattern[bytes]) -> bytes:
    payload = case.request.message.octets(F.PAYLOAD)
    if not form.fullmatch(payload):
        raise DecodeError("no number of three digits", field=F.PAYLOAD, code="download")
    return payload


def _carrying(payload: bytes, writes: tuple[Write, ...]) -> Decision:
    return Decision(fields={F.PAYLOAD: payload}, writes=writes, remember=False)
