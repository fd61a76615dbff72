"""TABLE HOLDS: why a terminal may not sell for a while, how grave that is, how it ends and who may end it.

Rules owned here: which holds stand at an instant. Stored ones stand from ``since`` until they are released or their
time is up; others follow from dates alone, so that nobody has to put them on and no restart can lose them: papers that
were not renewed after their warning (product R15), a deadline for activation that passed (A6), and a plan whose day of
suspension has come (T1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Final

from host.policy import Policy
from host.records import Hold, Merchant, Plan, Terminal
from host.rollout import is_below


class Release(Enum):
    """How a hold ends."""

    BY_HAND = "somebody who may lifts it"
    UPDATE = "the firmware that mends it runs"
    EVIDENCE = "evidence is filed, then somebody who may lifts it"
    PAYMENT = "what is owed is paid"
    PAPERS = "the merchant's data are renewed"
    FORM = "a new form is approved"
    SWAP = "the replacement takes over"
    EXTENSION = "the deadline is extended"
    REPAIR = "the device reports itself well, or the service lifts it"
    RETURN = "the device is back from its repair"
    RESUME = "the merchant resumes"
    BOOKS = "somebody has compared the books and accepts them"


class Keeper(StrEnum):
    """Who may release a hold once its rule lets it go; a supervisor may release every one."""

    SUPERVISOR = "supervisor"
    OPERATOR = "operator"
    MERCHANT = "merchant"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class HoldReason:
    """A row of HOLDS; the gravest hold (lowest ``rank``) is the one that a refusal names.

    ``release`` is the rule by which it ends, ``keepers`` are those who may end it. A hold that
    ``follows_till`` is about the merchant, not the device: a replacement does not shake it off.
    """

    reason: str
    rank: int
    chinese: str
    english: str
    remedy_chinese: str
    remedy_english: str
    release: Release
    keepers: tuple[Keeper, ...]
    follows_till: bool = False


SECURITY: Final = "security"
ARREARS: Final = "arrears"
REGISTRATION: Final = "registration"
FAULT: Final = "fault"
REPAIR: Final = "repair"
BOOKS: Final = "books"
_K: Final = Keeper
HOLDS: Final[Mapping[str, HoldReason]] = MappingProxyType(
    {
        row.reason: row
        for row in (
            HoldReason("fraud", 1, "涉嫌欺诈", "suspected fraud", "请配合收单机构调查", "help with the inquiry",
                       Release.EVIDENCE, (_K.SUPERVISOR,), True),
            HoldReason("books", 14, "账目早于终端", "our books are older than the terminal's",
                       "请等待收单机构对账", "wait until the acquirer has compared the books",
                       Release.BOOKS, (_K.SUPERVISOR,), True),
            HoldReason("security", 2, "安全漏洞", "a security defect", "请完成固件更新", "complete the firmware update",
                       Release.UPDATE, (_K.HOST, _K.OPERATOR)),
            HoldReason("abnormal", 3, "交易异常", "abnormal trading", "请提交交易凭证", "hand in evidence of the sales",
                       Release.EVIDENCE, (_K.SUPERVISOR,), True),
            HoldReason("dispute", 4, "交易争议", "a dispute", "请提交争议材料", "hand in the papers of the dispute",
                       Release.BY_HAND, (_K.SUPERVISOR,), True),
            HoldReason("arrears", 5, "欠费", "arrears", "请缴清欠费", "pay what is owed",
                       Release.PAYMENT, (_K.HOST, _K.OPERATOR), True),
            HoldReason("documents", 6, "资料过期", "papers out of date", "请更新商户资料", "renew the papers",
                       Release.PAPERS, (_K.HOST, _K.OPERATOR), True),
            HoldReason("registration", 7, "须重新登记", "a new registration is due", "请重新提交注册资料",
                       "hand in the form again", Release.FORM, (_K.HOST, _K.OPERATOR), True),
            HoldReason("policy", 8, "政策要求", "a rule of the acquirer", "请联系收单机构", "call the acquirer",
                       Release.BY_HAND, (_K.SUPERVISOR,)),
            HoldReason("retirement", 9, "机型退役", "the model retires", "请办理换机", "arrange the replacement",
                       Release.SWAP, (_K.HOST, _K.OPERATOR)),
            HoldReason("activation", 10, "逾期未激活", "not activated in time", "请申请延期", "ask for more time",
                       Release.EXTENSION, (_K.OPERATOR,)),
            HoldReason("fault", 11, "设备故障", "a device fault", "请报修", "report the fault",
                       Release.REPAIR, (_K.HOST, _K.OPERATOR)),
            HoldReason("repair", 12, "设备维修", "the device is being repaired", "请等待设备修复或借用备机",
                       "wait for the device, or borrow a spare one", Release.RETURN, (_K.HOST, _K.OPERATOR)),
            HoldReason("merchant", 13, "商户自行暂停", "the merchant's own pause", "请自行恢复", "resume it yourself",
                       Release.RESUME, (_K.MERCHANT, _K.OPERATOR), True),
        )
    }
)  # fmt: skip


def in_force(
    stored: Iterable[Hold],
    terminal: Terminal,
    merchant: Merchant | None,
    policy: Policy,
    at: int,
    plan: Plan | None = None,
) -> tuple[Hold, ...]:
    """Every hold that stands at an instant, the gravest first."""
    found = [hold for hold in stored if hold.stands(at) and not is_mended(hold, terminal.firmware)]
    if merchant and (stale := stale_at(merchant, policy)) and at >= stale + policy.registration.stale_grace_s:
        found.append(_of_date("documents", terminal, stale + policy.registration.stale_grace_s))
    if terminal.activate_by is not None and terminal.activated_at is None and at >= terminal.activate_by:
        found.append(_of_date("activation", terminal, terminal.activate_by))
    if plan and plan.suspend_at is not None and plan.done_at is None and at >= plan.suspend_at:
        found.append(_of_date("retirement", terminal, plan.suspend_at))
    return tuple(sorted(found, key=lambda hold: HOLDS[hold.reason].rank)) if found else ()


def none_can_stand(
    stored: tuple[Hold, ...], terminal: Terminal, merchant: Merchant | None, policy: Policy, plan: Plan | None = None
) -> bool:
    """Is nothing there from which ``in_force`` could ever make a hold, whatever the day?"""
    may_lapse = terminal.activate_by is not None and terminal.activated_at is None
    may_end = plan is not None and plan.suspend_at is not None and plan.done_at is None
    return not (stored or may_lapse or may_end or (merchant and stale_at(merchant, policy)))


def is_mended(hold: Hold, firmware: str) -> bool:
    """Does firmware run that clears a security hold?"""
    return bool(hold.version) and not is_below(firmware, hold.version)


def stale_at(merchant: Merchant, policy: Policy) -> int:
    """When a merchant's data are to be renewed: a while after their approval, or when a paper runs out; 0 for never."""
    after_s = policy.registration.stale_after_s
    dates = [merchant.renewed_at + after_s] if merchant.renewed_at and after_s else []
    dates += [merchant.papers_until] if merchant.papers_until is not None else []
    return min(dates, default=0)


def _of_date(reason: str, terminal: Terminal, since: int) -> Hold:
    return Hold(0, terminal.serial_number, reason, "", "policy", since)
