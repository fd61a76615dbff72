"""TABLE ARGUMENTS: what each argument of an act means, with an example; the help, the API and the pages say it so.

TABLE FIELDS: which argument an error is about. TABLE PROBLEMS: how an act that did not happen is told to a program from
afar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Argument:
    """A row of ARGUMENTS."""

    about: str
    example: str | int | bool


ARGUMENTS: Final[Mapping[str, Argument]] = MappingProxyType(
    {
        "serial_number": Argument("serial number of the device", "PXE90-0001"),
        "successor": Argument("serial number of the device that takes over", "PXE90-0002"),
        "terminal_id": Argument("terminal id, field 41: 8 characters", "10000001"),
        "merchant_id": Argument("merchant id, field 42: 15 characters", "898100000000001"),
        "model": Argument("device model of the catalogue", "PX-E90"),
        "brand": Argument("maker of the model", "百富"),
        "family": Argument("traditional, mpos, e_sign or smart", "e_sign"),
        "version": Argument("firmware version: three dotted numbers", "2.1.0"),
        "image": Argument("signed firmware image", "…"),
        "tmk": Argument("terminal master key as hex; random where none is given", ""),
        "hours": Argument("for how many hours", 24),
        "days": Argument("for how many days", 90),
        "grace_days": Argument("days until the grace ends", 90),
        "stop_days": Argument("days until the stop", 97),
        "name": Argument("name: of the merchant, the download, the list or the token", "street corner shop"),
        "contact": Argument("who answers for the merchant", "王小明"),
        "telephone": Argument("eleven digits", "10000000000"),
        "address": Argument("where the shop is", "实验路一号院"),
        "credit_bp": Argument("rate for credit cards in basis points", 60),
        "debit_bp": Argument("rate for debit cards in basis points", 50),
        "debit_cap_fen": Argument("most that a debit sale costs, in fen", 2500),
        "reason": Argument("why, by its name in the tables", "fault"),
        "why": Argument("why, one line that the terminal and the audit show", "contract ended"),
        "note": Argument("one line for colleagues", "case 7"),
        "batch": Argument("batch number, six digits", "000001"),
        "stan": Argument("trace number, six digits", "000001"),
        "form": Argument("pbm or png", "png"),
        "title_zh": Argument("title in Chinese", "公告"),
        "title_en": Argument("title in English", "Announcement"),
        "text_zh": Argument("text in Chinese", "系统维护"),
        "text_en": Argument("text in English", "Maintenance tonight"),
        "content": Argument("JSON of the download", "…"),
        "seconds": Argument("how far, in seconds", 3600),
        "person": Argument("who holds the token", "li"),
        "role": Argument("viewer, operator, supervisor or auditor", "operator"),
        "act": Argument("act that needs a second person", "stop"),
        "arguments": Argument("its arguments as a JSON object", '{"serial_number": "PXE90-0001"}'),
        "number": Argument("its number", 7),
        "card_type": Argument("credit or debit", "credit"),
        "rate_bp": Argument("rate in basis points", 60),
        "signed_by": Argument("who signed for the merchant", "王小明"),
        "cap_fen": Argument("most that a debit sale costs, in fen", 2500),
        "category": Argument("merchant category code", "5411"),
        "term": Argument("T+0, D+0 or T+1", "T+1"),
        "since": Argument("instant in epoch seconds", 0),
        "standing": Argument("only what stands still", True),
        "evidence": Argument("what explains it", "slip 17"),
        "rrn": Argument("retrieval reference number, field 37", "260301000042"),
        "answer": Argument("what the merchant says", "delivered"),
        "search": Argument("text to look for", "PXE90"),
        "sort": Argument("column to sort by", "serial_number"),
        "descending": Argument("the last first", False),
        "limit": Argument("rows of a page", 50),
        "offset": Argument("rows to leave out first", 0),
        "until": Argument("last valid day, such as 2028-06-30", "2028-06-30"),
        "certificate_until": Argument("last valid day of the certificate, or none", "2028-06-30"),
        "certificate": Argument("number of the certificate", "CT-2025-0001"),
        "security_level": Argument("security level, 0 to 9", 4),
        "capabilities": Argument("what it can do, names between blanks", "magnetic chip"),
        "required_days": Argument("days until the version is required", 30),
        "forced_days": Argument("days until it is forced", 60),
        "reference": Argument("number of the paper or slip", "A-0001"),
        "kinds": Argument("kinds of new business between blanks; all where empty", "refund"),
        "owed_fen": Argument("what is owed, in fen", 10000),
        "in_days": Argument("days until it begins", 0),
        "amount_fen": Argument("how much, in fen", 10000),
        "region": Argument("region code or its leading digits", "440300"),
        "merchant_type": Argument("lab, micro, individual, company or institution", "company"),
        "reason_zh": Argument("why, in Chinese", "照片不清晰"),
        "reason_en": Argument("why, in English", "the picture is not clear"),
        "kind": Argument("kind of paper", "licence"),
        "valid_days": Argument("days that it is valid; 0 for always", 365),
        "pan": Argument("card number", "6200000100000004"),
        "single_fen": Argument("largest single sale, in fen", 500000),
        "daily_fen": Argument("sales of a day, in fen", 5000000),
        "daily_count": Argument("sales of a day, how many", 100),
        "state": Argument("up, slow, down or wrong", "down"),
        "title": Argument("what the campaign is called", "old models of 2027"),
        "waves": Argument("parts that stop one after the other", 4),
        "capacity": Argument("devices that are swapped a day; 0 for no appointments", 50),
        "suspend_days": Argument("days before the stop from which the terminal is suspended; 0 for none", 3),
        "dry_run": Argument("change nothing, tell everything", True),
        "rule": Argument("rule of use: moved, lent, cash, split_code or surcharge", "moved"),
        "granted": Argument("whether the appeal is granted", False),
        "price_fen": Argument("price in fen; 0 for not offered", 39900),
        "channel": Argument("terminal, sms, app or email", "sms"),
        "message": Argument("the whole message, as it was received", "您的终端即将停用"),
        "mark": Argument("read or acknowledged", "read"),
        "about": Argument("what the merchant complains of", "three calls a day"),
        "outcome": Argument("what came of it", "apologised"),
        "begins_at": Argument("instant in epoch seconds", 1798732800),
        "spare": Argument("serial number of the spare device", "PXE90-0003"),
        "cause": Argument("defect, wear, drop, liquid or misuse", "defect"),
        "cost_fen": Argument("what the repair costs, in fen; 0 where the warranty covers it", 0),
        "code": Argument("the code that the shop has put up", "FQ0011223344556677"),
        "payment_code": Argument("what the customer's wallet shows: 16 to 24 digits", "2800123456789012"),
        "day": Argument("day of the appointment, such as 2028-06-30", "2028-06-30"),
        "quoted_fen": Argument("the fee that was quoted, in fen; -1 to take today's", 0),
        "minutes": Argument("for how many minutes", 60),
    }
)


def argument(name: str) -> Argument:
    """The row of an argument; one without a row is its own name."""
    return ARGUMENTS.get(name) or Argument(name.replace("_", " "), "")


@dataclass(frozen=True, slots=True)
class Problem:
    """A row of PROBLEMS: the HTTP status and the title in both languages; ``code`` may end in ``*``."""

    code: str
    status: int
    chinese: str
    english: str


_ROWS: Final = (
    Problem("unauthenticated", 401, "未登录或令牌无效", "no good token"),
    Problem("forbidden", 403, "权限不足", "the role may not do this"),
    Problem("foreign", 403, "来源不受信任", "the request comes from a foreign page"),
    Problem("unknown_*", 404, "未找到", "there is no such thing"),
    Problem("path", 404, "路径不存在", "there is no such path"),
    Problem("method", 405, "不支持该方法", "the path does not take this method"),
    Problem("too_large", 413, "请求过大", "the request is too large"),
    Problem("invalid", 422, "参数错误", "an argument is wrong"),
    Problem("store", 503, "数据库暂不可用", "the database is not available"),
    Problem("internal", 500, "系统异常", "a defect of the host"),
    Problem("*", 409, "操作被拒绝", "the rules do not allow this"),
)
PROBLEMS: Final[Mapping[str, Problem]] = MappingProxyType({row.code: row for row in _ROWS})


def problem(code: str) -> Problem:
    """The row of an error's code."""
    family = "unknown_*" if code.startswith("unknown_") else "*"
    return PROBLEMS.get(code) or PROBLEMS[family]


FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "unknown_terminal": ("serial_number", "successor", "spare"),
        "unknown_merchant": ("merchant_id",),
        "unknown_partner": ("name",),
        "unknown_download": ("name",),
        "unknown_list": ("name",),
        "unknown_token": ("name",),
        "unknown_paper": ("kind",),
        "unknown_kind": ("kinds", "kind"),
        "unknown_capability": ("capabilities",),
        "unknown_transaction": ("rrn",),
        "unknown_signature": ("stan",),
        "terminal_id_taken": ("terminal_id",),
        "serial_number_taken": ("serial_number",),
        "not_held": ("reason",),
        "already_held": ("reason",),
        "not_keeper": ("reason",),
        "one_person": ("act",),
        "amount": ("amount_fen", "owed_fen"),
        "cost": ("cost_fen",),
        "price": ("price_fen",),
        "limits": ("daily_fen", "single_fen", "daily_count"),
        "rates": ("rate_bp", "credit_bp", "debit_bp"),
        "days": ("days", "forced_days", "required_days", "valid_days", "in_days", "stop_days", "grace_days"),
        "plan_dates": ("stop_days", "grace_days", "suspend_days"),
        "clock_step": ("seconds",),
        "evidence": ("evidence", "reference"),
        "blocklist": ("content",),
        "policy": ("content",),
        "version_taken": ("version",),
        "not_published": ("version",),
        "blocked": ("version",),
        "required": ("version",),
        "type": ("merchant_type", "card_type"),
        "not_open": ("number",),
    }
)
"""Code of an error to the arguments that it may be about; else it is about the one of the same name, or the number."""


def field_of(code: str, message: str, arguments: Mapping[str, object]) -> str:
    """The argument that an error of an act is about: of several the one whose value the message names; "" for none."""
    subject = code.removeprefix("unknown_")
    wanted = FIELDS.get(code) or ((subject, "number") if subject != code else (code,))
    given = [name for name in wanted if name in arguments]
    told = [name for name in given if str(arguments[name]) and str(arguments[name]) in message]
    return next(iter((*told, *given)), "")
