"""What merchants are told and how: TABLES CHANNELS, TEMPLATES, REASONS and FINDINGS (product N).

Rules owned here: a message ends in a line that only the host can make, which is a number and an Ed25519 signature over
all before it; a notice names serial number, model, reason, date and contact; nobody is disturbed in the quiet hours or
more often than the policy allows; what a message is found to be, by its text and by what the host knows of it.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from host.campaign import STEP_DAYS, Item
from host.policy import Notices
from host.refusals import CONTACT
from host.written import CHINA_TIME
from protocol.crypto import signing


@dataclass(frozen=True, slots=True)
class Channel:
    """A row of CHANNELS: one that ``disturbs`` waits for the end of the quiet hours, one with a partner needs it up."""

    name: str
    chinese: str
    english: str
    disturbs: bool = True
    partner: str = ""


TERMINAL: Final = "terminal"
CHANNELS: Final[Mapping[str, Channel]] = MappingProxyType(
    {
        row.name: row
        for row in (
            Channel(TERMINAL, "终端", "the terminal's screen", disturbs=False),
            Channel("sms", "短信", "text message", partner="sms"),
            Channel("app", "应用", "the merchant's app"),
            Channel("email", "邮件", "e-mail", disturbs=False),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Template:
    """A row of TEMPLATES: titles and texts with the words of ``words_of``."""

    name: str
    title_zh: str
    title_en: str
    text_zh: str
    text_en: str


STOP: Final = "stop"
WITHDRAWN: Final = "withdrawn"
TEMPLATES: Final[Mapping[str, Template]] = MappingProxyType(
    {
        row.name: row
        for row in (
            Template(
                STOP, "终端停用通知", "Your terminal stops",
                "终端{serial_number}（{model}）因{reason_zh}将于{stop}停用{more_zh}，请办理换机。咨询：{contact_zh}。",
                "Terminal {serial_number} ({model}) stops on {stop}: {reason_en}{more_en}. Replace it. "
                "Ask {contact_en}.",
            ),
            Template(
                WITHDRAWN, "停用计划取消", "The stop is withdrawn",
                "终端{serial_number}（{model}）原定{stop}的停用（{reason_zh}）已取消。咨询：{contact_zh}。",
                "Terminal {serial_number} ({model}) does not stop on {stop} ({reason_en}): withdrawn. "
                "Ask {contact_en}.",
            ),
        )
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reason:
    """A row of REASONS: why a terminal is to stop."""

    code: str
    chinese: str
    english: str


REASONS: Final[Mapping[str, Reason]] = MappingProxyType(
    {
        row.code: row
        for row in (
            Reason("model.retired", "机型退役", "the model retires"),
            Reason("security_level", "安全等级不足", "its security level is too low"),
            Reason("protocol_version", "协议版本过旧", "its protocol is too old"),
            Reason("memory", "内存不足", "its memory is too small"),
            Reason("certificate_expired", "认证过期", "its certificate expires"),
            Reason("no_sm4", "不支持国密算法", "it lacks the national ciphers"),
            Reason("no_update_in_place", "不能远程升级", "it cannot be updated in place"),
            Reason("end_of_life", "寿命终止", "end of life"),
            Reason("contract.expired", "合同到期", "the contract ends"),
            Reason("violation", "违规", "a breach of the rules"),
            Reason("update.overdue", "逾期未升级", "an update is overdue"),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A row of FINDINGS; one that is ``grave`` makes the message none of ours."""

    name: str
    chinese: str
    english: str
    grave: bool = True


FINDINGS: Final[Mapping[str, Finding]] = MappingProxyType(
    {
        row.name: row
        for row in (
            Finding("unsigned", "没有签名", "nobody signed it"),
            Finding("forged", "签名不符", "the signature is not the acquirer's"),
            Finding("unknown", "没有发出过", "the acquirer never sent it"),
            Finding("other_merchant", "发给其他商户", "it was sent to another merchant"),
            Finding("no_plan", "没有对应的计划", "no plan is behind it"),
            Finding("other_date", "日期与计划不符", "the plan has another date"),
            Finding("money", "索要钱款或密码，请勿支付", "it asks for money or secrets: pay nothing"),
            Finding("marketing_date", "营销信息带停用日期", "marketing that carries a stop date"),
            Finding("no_serial_number", "未写明序列号", "it names no serial number", grave=False),
            Finding("no_model", "未写明机型", "it names no model", grave=False),
            Finding("no_reason", "未写明原因", "it names no reason", grave=False),
            Finding("no_date", "未写明日期", "it names no date", grave=False),
            Finding("no_contact", "未写明联系方式", "it names no contact", grave=False),
        )
    }
)

_SIGNED: Final = re.compile(r"(?P<text>.*)\n\[(?P<number>[0-9]{1,18}) (?P<signature>[A-Za-z0-9_-]{86})\]", re.DOTALL)
_DATE: Final = re.compile(r"[0-9]{4}[-/.年][0-9]{1,2}[-/.月][0-9]{1,2}", re.ASCII)
_MONEY: Final = re.compile(
    r"付款|汇款|转账|缴纳|缴费|手续费|押金|保证金|解冻费|验证码|银行卡号|密码"
    r"|\b(?:pay|transfer|remit|deposit|fee|pin|password|card number)\b",
    re.IGNORECASE,
)
_STOPS: Final = re.compile(r"停用|退役|停机|禁用|作废|\b(?:stops?|retires?|disabled|shut down)\b", re.IGNORECASE)


def words_of(item: Item, alternative: str = "") -> dict[str, str]:
    """The words that templates want, of a terminal in its campaign; ``alternative`` is a model in place of its own."""
    reason = REASONS.get(item.reason) or Reason(item.reason, item.reason, item.reason)
    more_zh, more_en = "", ""
    if item.suspend_at is not None:
        more_zh, more_en = f"，{day(item.suspend_at)}起暂停交易", f"; no sales from {day(item.suspend_at)}"
    if item.swap_at is not None:
        moment = f"{datetime.fromtimestamp(item.swap_at, CHINA_TIME):%Y-%m-%d %H:%M}"
        more_zh, more_en = f"{more_zh}，换机预约{moment}", f"{more_en}; swap at {moment}"
    if alternative:
        more_zh, more_en = f"{more_zh}，可换{alternative}", f"{more_en}; {alternative} is offered"
    return {
        "serial_number": item.serial_number, "model": item.model, "stop": day(item.stop_at),
        "reason_zh": reason.chinese, "reason_en": reason.english, "more_zh": more_zh, "more_en": more_en,
        "contact_zh": CONTACT["zh"], "contact_en": CONTACT["en"],
    }  # fmt: skip


def compose(template: Template, words: Mapping[str, str]) -> dict[str, str]:
    """Titles and texts with the words filled in."""
    return {name: getattr(template, name).format_map(words) for name in ("title_zh", "title_en", "text_zh", "text_en")}


def day(at: int) -> str:
    """A date in China's time."""
    return f"{datetime.fromtimestamp(at, CHINA_TIME):%Y-%m-%d}"


def moment(at: int | None) -> str:
    """A date and time in China's time, empty for none."""
    return f"{datetime.fromtimestamp(at, CHINA_TIME):%Y-%m-%d %H:%M}" if at is not None else ""


def step_name(days: int) -> str:
    """T-90, T-30 and so on."""
    return f"T-{days}"


STEP_NAMES: Final = tuple(step_name(days) for days in STEP_DAYS)


def sign_text(text: str, number: int, private_key: bytes) -> str:
    """The text with its signature line. Raises KeyLoadError."""
    signature = urlsafe_b64encode(signing.sign(private_key, _signed(text, number))).decode().rstrip("=")
    return f"{text}\n[{number} {signature}]"


def read_signed(message: str, public_key: bytes) -> tuple[str, int | None, str]:
    """The text, the number of a message that the host signed, and the finding where it did not. Raises KeyLoadError."""
    found = _SIGNED.fullmatch(message.replace("\r\n", "\n").strip())
    if found is None:
        return message, None, "unsigned"
    text, number = found["text"], int(found["number"])
    good = signing.verify(public_key, _signed(text, number), urlsafe_b64decode(found["signature"] + "=="))
    return (text, number, "") if good else (text, None, "forged")


def lint(text: str, words: Mapping[str, str]) -> list[str]:
    """What a notice fails to name, as rows of FINDINGS (product N6, N9)."""
    wanted = {
        "no_serial_number": (words["serial_number"],),
        "no_model": (words["model"],),
        "no_reason": (words["reason_zh"], words["reason_en"]),
        "no_date": (words["stop"],),
        "no_contact": (words["contact_zh"], words["contact_en"]),
    }
    return [finding for finding, either in wanted.items() if not any(word in text for word in either)]


def asks_for_money(text: str) -> bool:
    """Does a message ask for what the acquirer never asks for in a message? (product N7)"""
    return _MONEY.search(text) is not None


def carries_stop(text: str) -> bool:
    """Does a text speak of a stop and of a date? (product N5)"""
    return _STOPS.search(text) is not None and _DATE.search(text) is not None


def send_at(channel: Channel, sent: Sequence[int], figures: Notices, at: int) -> int:
    """When a notice may go out on a channel, after those that were sent on it at these instants (product N3)."""
    moment = at
    if len(sent) >= figures.most and (free_at := sorted(sent)[-figures.most] + figures.window_s) > moment:
        moment = free_at
    return _after_quiet(moment, figures) if channel.disturbs else moment


def _after_quiet(at: int, figures: Notices) -> int:
    begins, ends = figures.quiet_begins_s, figures.quiet_ends_s
    local = datetime.fromtimestamp(at, CHINA_TIME)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    past_s = at - int(midnight.timestamp())
    if begins <= ends:
        return int(midnight.timestamp()) + ends if begins <= past_s < ends else at
    if past_s >= begins:
        return int((midnight + timedelta(days=1)).timestamp()) + ends
    return int(midnight.timestamp()) + ends if past_s < ends else at


def _signed(text: str, number: int) -> bytes:
    return f"{number}\n{text}".encode()
