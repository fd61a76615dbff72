"""Hands in the merchant's form at the device, and asks how it stands (product R2, R7).

Rules owned here: the form is durable before it is sent and is sent until the host says that it has it, and this one:
what waits there under its number and is another was changed or held back on the way; an entry left empty stays as it
was; the form is forgotten once the terminal is registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from protocol.errors import DecodeError, EncodeError
from protocol.fields import F
from protocol.private import FORM_TAGS, TEXT_CHARSET, Waiting, text_tag
from terminal.book import Form
from terminal.outcome import Outcome, done, local
from terminal.records import FormKept
from terminal.session import Session, Silence, refused, silent

FLOW: Final = "register"
ENTRY_MAX: Final = 80
TRIES: Final = 2
"""How often a form is sent in one flow until the host has it as it is."""

# entry of the form -> what is asked
ENTRIES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "name": ("请输入商户名称", "enter the merchant's name"),
        "contact": ("请输入联系人", "enter the contact's name"),
        "telephone": ("请输入联系电话", "enter the telephone number"),
        "address": ("请输入地址", "enter the address"),
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


@dataclass(frozen=True, slots=True)
class _Standing:
    """How the form stands, as the host says, and which one waits there."""

    state: str
    reasons_zh: str
    reasons_en: str
    waiting: Waiting | None

    @property
    def outcome(self) -> Outcome:
        """What is shown of it."""
        zh, en = STANDINGS[self.state]
        if self.reasons_en:
            zh, en = f"{zh}：{self.reasons_zh}", f"{en}: {self.reasons_en}"
        return done(FLOW, zh, en, state=self.state)


async def register(session: Session) -> Outcome:
    """Hand in what is entered, or what was entered before and never arrived; else ask how the form stands.

    Raises EntryTimeout, EntryCancelled.
    """
    if not session.profile.extensions:
        return local(FLOW, "terminal.no_extension")
    entered = {name: await _ask(session, zh, en) for name, (zh, en) in ENTRIES.items()}
    entered = {name: text for name, text in entered.items() if text}
    kept = session.book.form
    if entered:
        form = _merged(kept, entered)
        if form is None:
            return local(FLOW, "terminal.form")
        session.journal.append(FormKept(form=form))
    for _ in range(TRIES):
        told = await _hand_in(session)
        if isinstance(told, Outcome):
            return told
        _keep_standing(session, told)
        if not _due(session.book.form):
            return told.outcome
    return local(FLOW, "terminal.bad_reply")


def _due(form: Form | None) -> Form | None:
    """The form, where the host has still to get it."""
    return form if form and not form.state else None


async def _hand_in(session: Session) -> _Standing | Outcome:
    """Send the form if it is due, else ask only; an outcome where the host does not say how it stands."""
    due = _due(session.book.form)
    try:
        sent = [(tag, getattr(due, name).encode(TEXT_CHARSET)) for name, tag in FORM_TAGS.items()] if due else []
        payload = session.pack(sent)
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
        tags = answer.tags()
        state, reasons_zh, reasons_en = (text_tag(tags, tag) for tag in ("ST", "RZ", "RE"))
        told = _Standing(state, reasons_zh, reasons_en, Waiting.read(tags))
    except DecodeError:
        return local(FLOW, "terminal.bad_reply")
    return told if told.state in STANDINGS else local(FLOW, "terminal.bad_reply")


def _merged(kept: Form | None, entered: Mapping[str, str]) -> Form | None:
    """The form with what was entered; None where something is missing or is no line of text."""
    before = kept.model_dump(exclude={"state", "number"}) if kept else {}
    merged = {**before, **entered}
    whole = merged.keys() == ENTRIES.keys()
    fit = all(text.isprintable() and len(text) <= ENTRY_MAX for text in merged.values())
    return Form.model_validate(merged) if whole and fit else None


def _keep_standing(session: Session, told: _Standing) -> None:
    """Write down what it means for the form that is kept here."""
    form = session.book.form
    if form is None:
        return
    changes = _changes(form, told.state, told.waiting)
    kept = None if told.state == "registered" else form.model_copy(update=changes)
    if kept != form:
        session.journal.append(FormKept(form=kept))


def _changes(form: Form, state: str, waiting: Waiting | None) -> dict[str, object]:
    """Another one that waits under its number came over it, and it is due again; any other was handed in by hand."""
    if waiting is None:
        return {"state": state}
    if waiting == Waiting.of(waiting.number, form.model_dump()):
        return {"state": state, "number": waiting.number}
    return {"state": ""} if waiting.number == form.number else {}


async def _ask(session: Session, zh: str, en: str) -> str:
    session.show(zh, en)
    return await session.board.keypad.read(session.settings.entry_timeout_s)
