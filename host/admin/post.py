"""Sending: a notice is signed, put into the inbox on every channel, and goes out when each channel lets it (product N).

Rules owned here: what waits and was overtaken, since its plan ended or has another date, is not sent any more; what a
channel cannot carry now waits for it.
"""

from __future__ import annotations

from typing import Any, Final

from host.admin.desk import Desk, Result
from host.alternatives import offered_instead
from host.campaign import OPEN, Item
from host.decision import Delete, Update
from host.errors import AdminError
from host.handlers.commands import enqueue
from host.lifecycle import IN_SERVICE
from host.notices import (
    CHANNELS,
    STEP_NAMES,
    STOP,
    TEMPLATES,
    TERMINAL,
    WITHDRAWN,
    Template,
    asks_for_money,
    carries_stop,
    compose,
    day,
    send_at,
    sign_text,
    step_name,
    words_of,
)
from host.partners import PartnerState
from host.records import DeviceModel
from protocol.errors import EncodeError

MARKETING: Final = "marketing"
_MARKETING_CHANNELS: Final = ("app", "email")
_BLOCKED: Final = (PartnerState.DOWN, PartnerState.WRONG)


class Offers:
    """The model that is offered first in place of each one, looked up once a run."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._known: dict[str, str] = {}
        self._priced: list[DeviceModel] | None = None

    def instead_of(self, name: str) -> str:
        """Its name, "" where none is offered."""
        if name not in self._known:
            if self._priced is None:
                rows = self._desk.books.rows("models")
                self._priced = [DeviceModel(**row) for row in rows if row["price_fen"]]
            own = self._desk.books.model(name)
            offers = offered_instead(own, self._priced, self._desk.at) if own else []
            self._known[name] = offers[0].model if offers else ""
        return self._known[name]


def tell(desk: Desk, item: Item, days: int, offers: Offers) -> None:
    """A notice of the stop on every channel: the step that so many days before it is for."""
    _write(desk, item, step_name(days), TEMPLATES[STOP], offers.instead_of(item.model))


def tell_withdrawn(desk: Desk, item: Item) -> None:
    """The notice that a terminal does not stop after all."""
    _write(desk, item, WITHDRAWN, TEMPLATES[WITHDRAWN])


def promote(desk: Desk, text_zh: str, text_en: str, model: str = "") -> Result:
    """Send marketing to the merchants of a model, or to all; it may carry no stop date and ask for no money."""
    desk.line(text_zh=text_zh, text_en=text_en)
    text = f"{text_zh}\n{text_en}"
    if carries_stop(text):
        raise AdminError("marketing carries no stop date", hint="a campaign tells that", code="marketing_date")
    if asks_for_money(text):
        raise AdminError("no message of the acquirer asks for money or secrets", code="asks_for_money")
    if model:
        desk.model(model)
    since, told = desk.at - desk.policy.notices.window_s, []
    recent = {row["merchant_id"] for row in desk.books.rows("notices", step=MARKETING) if row["at"] > since}
    for row in desk.books.rows("terminals", **({"model": model} if model else {})):
        merchant_id = str(row["merchant_id"])
        if row["state"] in IN_SERVICE and merchant_id not in recent:
            _post(desk, {"serial_number": row["serial_number"], "merchant_id": merchant_id}, MARKETING, text,
                  _MARKETING_CHANNELS)  # fmt: skip
            recent.add(merchant_id)
            told.append(merchant_id)
    desk.note("", "promote", text_en)
    post_due(desk, len(told) * len(_MARKETING_CHANNELS))
    return {"told": told}


def post_due(desk: Desk, count: int) -> tuple[int, bool]:
    """Send what may go now, so many at most: how many went, and whether more could."""
    down = {row["name"] for row in desk.books.rows("partners") if row["state"] in _BLOCKED}
    key = desk.keys.signing_key(desk.books.secret("signing"))
    sent = after = seen = 0
    while (left := count - seen) > 0 and (rows := desk.books.due_inbox(desk.at, after, min(left, 1_000))):
        for row in rows:
            channel = CHANNELS[row["channel"]]
            if channel.partner not in down:
                sent += _send(desk, row, key)
        seen, after = seen + len(rows), rows[-1]["number"]
    return sent, seen == count and seen > 0


def _send(desk: Desk, row: dict[str, Any], key: bytes) -> bool:
    """Send one delivery; what was overtaken is taken out of the inbox."""
    changes: dict[str, object] = {"sent_at": desk.at}
    notice = desk.books.notice(row["notice"])
    assert notice
    if item := desk.books.item(notice.campaign, notice.serial_number):
        if notice.step in STEP_NAMES and (item.state not in OPEN or item.stop_at != notice.stop_at):
            desk.books.write(Delete("inbox", {"number": row["number"]}))
            return False
        if row["channel"] == TERMINAL:
            changes["counter"] = _command(desk, item, notice.step, key)
    desk.books.write(Update("inbox", {"number": row["number"]}, changes))
    return True


def _command(desk: Desk, item: Item, step: str, key: bytes) -> int:
    """Leave a signed command for the terminal; one that is too long for it loses its details."""
    template, terminal = TEMPLATES[WITHDRAWN if step == WITHDRAWN else STOP], desk.terminal(item.serial_number)
    words = words_of(item)
    bare = words | {"more_zh": "", "more_en": "", "reason_zh": "收单机构决定", "reason_en": "the acquirer's decision"}
    more = {"reason": item.reason, "stop_at": day(item.stop_at)}
    ttl_s = desk.policy.commands.ttl_s
    try:
        body = compose(template, words) | more
        writes = enqueue(terminal, "notice", body, signing_key=key, at=desk.at, ttl_s=ttl_s)
    except EncodeError:
        body = compose(template, bare) | more
        writes = enqueue(terminal, "notice", body, signing_key=key, at=desk.at, ttl_s=ttl_s)
    desk.books.apply(writes)
    return terminal.command_counter + 1


def _write(desk: Desk, item: Item, step: str, template: Template, alternative: str = "") -> None:
    texts = compose(template, words_of(item, alternative))
    whose = {name: getattr(item, name) for name in ("campaign", "serial_number", "merchant_id", "stop_at")}
    _post(desk, whose, step, f"{texts['text_zh']}\n{texts['text_en']}", tuple(CHANNELS))


def _post(desk: Desk, whose: dict[str, Any], step: str, text: str, channels: tuple[str, ...]) -> None:
    key = desk.keys.signing_key(desk.books.secret("signing"))
    number, figures = desk.books.next_number(), desk.policy.notices
    signed = sign_text(text, number, key)
    desk.insert("notices", number=number, step=step, text=signed, at=desk.at, **whose)
    earlier = desk.books.sent_since(whose["serial_number"], desk.at - figures.window_s)
    for name in channels:
        before = [sent_at for channel, sent_at in earlier if channel == name]
        desk.insert(
            "inbox",
            number=desk.books.next_number(),
            notice=number,
            channel=name,
            serial_number=whose["serial_number"],
            merchant_id=whose["merchant_id"],
            send_at=send_at(CHANNELS[name], before, figures, desk.at),
        )
