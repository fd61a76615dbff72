"""Fetches what the host has for every terminal: parameters, chip tables, BIN tables (CUP 1.9, 3.2, 3.7).

Rules owned here: only what comes under a good MAC counts; a download is checked as a whole and kept with one record,
so that a broken one leaves the table that there was, and begins anew; the host is told of the end after that, so that
it never believes of a terminal what its memory does not hold. All tables together get a part of the journal's memory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from firmware_sim.errors import NvramFull, NvramWorn
from protocol.codes import PACKETS
from protocol.downloads import (
    DOWNLOADS,
    LISTED_MAX,
    MORE,
    NOTHING,
    PAGES_END,
    Download,
    Form,
    spell_objects,
)
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.private import BinPage
from protocol.tlv import Node, decode, encode
from terminal.book import Downloaded
from terminal.downloads import PARSERS, changed, in_effect, made
from terminal.explain import unapproved
from terminal.flows.sign_in import sign_in
from terminal.outcome import Outcome, done, local
from terminal.records import TableDownloaded, spell
from terminal.session import Reply, Session

FLOW: Final = "download"
EVERYTHING: Final = "all"
MEMORY_SHARE: Final = 4
"""The tables take at most one part in so many of the journal's memory."""
Items = dict[str, str]


async def download(session: Session) -> Outcome:
    """Fetch what is named at the keypad, or all. Raises EntryTimeout, EntryCancelled."""
    session.show("请输入下载项目或all", "what to download: a name, or all")
    word = await session.board.keypad.read(session.settings.entry_timeout_s)
    if word != EVERYTHING and word not in DOWNLOADS:
        return local(FLOW, "terminal.entry")
    return await fetch(session, *(DOWNLOADS.values() if word == EVERYTHING else [DOWNLOADS[word]]))


async def fetch(session: Session, *rows: Download) -> Outcome:
    """Fetch downloads, one after the other, up to the first that fails; ``detail`` tells the version of each."""
    if not session.is_signed_on and not (outcome := await sign_in(session)).is_good:
        return outcome.of(FLOW)
    versions: dict[str, str] = {}
    for row in rows:
        session.show(f"下载{row.chinese}", f"downloading {row.english}")
        kept = await _fetched(session, row)
        if isinstance(kept, Outcome):
            return kept
        versions[row.name] = kept.version
    zh, en = "、".join(row.chinese for row in rows), ", ".join(row.english for row in rows)
    return done(FLOW, f"已下载{zh}", f"downloaded {en}", **versions)


async def _fetched(session: Session, row: Download) -> Downloaded | Outcome:
    """The table as it is kept now, of which the host knows; else why it is not."""
    try:
        items = await _COLLECT[row.form](session, row)
    except DecodeError as error:
        return local(FLOW, "terminal.bad_reply", name=row.name, fault=error.message)
    if isinstance(items, Outcome):
        return items
    kept = made(row.name, int(session.board.clock.now().timestamp()), items)
    if reason := keep(session, kept):
        return local(FLOW, reason, name=row.name)
    ended = await _ask(session, row.end)
    if isinstance(ended, Outcome):
        return ended
    session.requirements.discard(row.requirement)
    return kept


def keep(session: Session, kept: Downloaded) -> str:
    """Make a table durable and let it take effect; why that cannot be, a row of LOCAL, else empty."""
    known = session.book.downloads
    if kept.name in known and known[kept.name].version == kept.version:
        return ""
    try:
        changed(session.own_settings, kept.name, kept.items)
    except ValueError as error:
        session.note("download refused", f"{kept.name}: {error}")
        return "download.value"
    tables = {**known, kept.name: kept}.values()
    room = session.board.model.nvram_kib * 1024 // MEMORY_SHARE
    if sum(len(spell(TableDownloaded(table=table))) for table in tables) > room:
        return "download.too_large"
    try:
        session.journal.append(TableDownloaded(table=kept))
    except NvramFull:
        return "terminal.journal_full"
    except NvramWorn:
        return "terminal.memory_worn"
    session.settings = in_effect(session.own_settings, session.book)
    return ""


async def _whole(session: Session, row: Download) -> Items | Outcome:
    raw = await _ask(session, row.fetch)
    if isinstance(raw, Outcome):
        return raw
    if not raw:
        raise DecodeError("nothing came", field=F.PAYLOAD, code="download")
    return {} if raw == NOTHING.encode() else PARSERS[row.name](raw)


async def _paged(session: Session, row: Download) -> Items | Outcome:
    items: Items = {}
    start = 0
    while True:
        raw = await _ask(session, row.fetch, f"{start:03d}".encode())
        if isinstance(raw, Outcome):
            return raw
        if raw == NOTHING.encode():
            return items
        page = BinPage.parse(raw)
        items |= dict.fromkeys(page.bins, "")
        if page.flag != MORE:
            return items
        if not start <= int(page.last) < PAGES_END:
            raise DecodeError("pages that do not go on", field=F.PAYLOAD, code="download")
        start = int(page.last) + 1


async def _listed(session: Session, row: Download) -> Items | Outcome:
    names = await _names(session, row)
    if isinstance(names, Outcome):
        return names
    items: Items = {}
    for name in names:
        raw = await _ask(session, row.fetch, encode(name))
        if isinstance(raw, Outcome):
            return raw
        if raw == NOTHING.encode():
            return local(FLOW, "download.missing", name=row.name)
        nodes = decode(raw[1:])
        if row.name_of(nodes) != name:
            raise DecodeError("not what was asked for", field=F.PAYLOAD, code="download")
        if not row.is_sound(nodes):
            return local(FLOW, "download.check", name=row.name)
        items[row.key_of(name)] = spell_objects(nodes)
    return items


async def _names(session: Session, row: Download) -> list[tuple[Node, ...]] | Outcome:
    """What there is, by the query of a LISTED download."""
    names: list[tuple[Node, ...]] = []
    while True:
        raw = await _ask(session, row.query, f"1{len(names):02d}".encode())
        if isinstance(raw, Outcome):
            return raw
        if raw[:1].decode("latin-1") not in PACKETS:
            raise DecodeError("no flag", field=F.PAYLOAD, code="download")
        found = [name for name in row.names_in(raw[1:]) if name not in names]
        names += found
        if raw[:1] != MORE.encode():
            return names
        if not found or len(names) > LISTED_MAX:
            raise DecodeError("a list that does not end", field=F.PAYLOAD, code="download")


async def _ask(session: Session, kind: str, payload: bytes = b"") -> bytes | Outcome:
    """Field 62 of the answer; an outcome where none came that is to be believed."""
    answer = await session.ask(kind, {F.PAYLOAD: payload} if payload else {})
    if not isinstance(answer, Reply) or not answer.response.approved:
        return await unapproved(session, FLOW, answer)
    if not session.believes(answer):
        return local(FLOW, "terminal.bad_reply")
    return answer.message.octets(F.PAYLOAD)


_COLLECT: Final[Mapping[Form, Callable[[Session, Download], Awaitable[Items | Outcome]]]] = MappingProxyType(
    {Form.WHOLE: _whole, Form.PAGED: _paged, Form.LISTED: _listed}
)
