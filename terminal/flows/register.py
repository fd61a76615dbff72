"""Hands in the merchant's form at the device, and asks how it stands (product R2, R7).

Rules owned here: the form is durable before it is sent and is sent until the host says that it has it; an entry left
empty stays as it was; the form is forgotten once the terminal is registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from protocol.errors import DecodeError, EncodeError
from protocol.fields import F
from protocol.private import TEXT_CHARSET, text_tag
from terminal.book import Form
from terminal.outcome import Outcome, done, local
from terminal.records import FormKept
from terminal.session import Session, Silence, refused, silent

FLOW: Final = "register"
ENTRY_MAX: Final = 80

# entry of the form -> its tag in field 62, and what is asked
ENTRIES: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        "name": ("NA", "请输入商户名称", "enter the merchant's name"),
        "contact": ("CO", "请输入联系人", "enter the contact's name"),
        "telephone": ("TE", "请输入联系电话", "enter the telephone number"),
        "address": ("AD", "请输入地址", "enter the address"),
    }
)

# state that the host tells -> what is shown
STANDINGS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "delivered": ("尚未提交资料", "no form was handed in yet"),
        "submitted": ("资料已提交，等待审核", "the form was handed in and waits for its review"),
        "rejected": ("资料被驳回，请更正后重新提交", "the form was rejected: correct it and hand it in again"),
        "registered": ("终端已注册", "the terminal is registered"),
    }
)


async def register(session: Session) -> Outcome:
    """Hand in what is entered, or what was entered before and never arrived; else ask how the form stands.

    Raises EntryTimeout, EntryCancelled.
    """
    if not session.profile.extensions:
        return local(FLOW, "terminal.no_extension")
    entered = {name: await _ask(session, zh, en) for name, (_, zh, en) in ENTRIES.items()}
    entered = {name: text for name, text in entered.items() if text}
    kept = session.book.form
    if entered:
        form = _merged(kept, entered)
        if form is None:
            return local(FLOW, "terminal.form")
        session.journal.append(FormKept(form=form))
    due = session.book.form if session.book.form and not session.book.form.state else None
    try:
        tags = [(tag, getattr(due, name).encode(TEXT_CHARSET)) for name, (tag, _, _) in ENTRIES.items()] if due else []
        payload = session.pack(tags)
    except EncodeError:
        return local(FLOW, "terminal.form")
    answer = await session.ask("registration", {F.PAYLOAD: payload} if payload else {})
    if isinstance(answer, Silence):
        return silent(FLOW, answer)
    if not answer.response.approved:
        return refused(FLOW, answer)
    if session.can_seal and not session.believes(answer):
        return local(FLOW, "terminal.bad_reply")
    try:
        told = answer.tags()
        state, reasons_zh, reasons_en = (text_tag(told, tag) for tag in ("ST", "RZ", "RE"))
    except DecodeError:
        return local(FLOW, "terminal.bad_reply")
    if state not in STANDINGS:
        return local(FLOW, "terminal.bad_reply")
    _keep_standing(session, state)
    zh, en = STANDINGS[state]
    if reasons_en:
        zh, en = f"{zh}：{reasons_zh}", f"{en}: {reasons_en}"
    return done(FLOW, zh, en, state=state)


def _merged(kept: Form | None, entered: Mapping[str, str]) -> Form | None:
    """The form with what was entered; None where something is missing or is no line of text."""
    before = kept.model_dump(exclude={"state"}) if kept else {}
    merged = {**before, **entered}
    whole = merged.keys() == ENTRIES.keys()
    fit = all(text.isprintable() and len(text) <= ENTRY_MAX for text in merged.values())
    return Form.model_validate(merged) if whole and fit else None


def _keep_standing(session: Session, state: str) -> None:
    form = session.book.form
    if form and state == "registered":
        session.journal.append(FormKept(form=None))
    elif form and form.state != state:
        session.journal.append(FormKept(form=form.model_copy(update={"state": state})))


async def _ask(session: Session, zh: str, en: str) -> str:
    session.show(zh, en)
    return await session.board.keypad.read(session.settings.entry_timeout_s)
