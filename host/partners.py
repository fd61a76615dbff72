"""TABLE PARTNERS: who stands behind the acquirer, and which kinds of request need whom (product P, R9).

A partner is up, slow, down or wrong, as an administrator switches it. What needs one that is down or wrong is refused
and can be repeated; one that is slow is waited for, and a terminal whose patience ends meanwhile reverses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from host.case import Case
from host.lifecycle import ALL_KINDS, NEW_BUSINESS
from host.refusals import Refused
from protocol.downloads import DOWNLOAD_OF

SLOW_S: Final = 20.0
"""How long a slow partner takes."""


class PartnerState(StrEnum):
    """How a partner is taken to be."""

    UP = "up"
    SLOW = "slow"
    DOWN = "down"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Partner:
    """A row of PARTNERS: ``kinds`` are the requests that need it."""

    name: str
    chinese: str
    english: str
    kinds: frozenset[str] = frozenset()


_BY_CODE: Final = frozenset({"qr_sale"})
_FIRMWARE: Final = frozenset({"firmware_query", "firmware_chunk"})
PARTNERS: Final[Mapping[str, Partner]] = MappingProxyType(
    {
        row.name: row
        for row in (
            Partner("network", "银联网络", "the card network", NEW_BUSINESS - _BY_CODE),
            Partner("qr", "扫码机构", "the partners behind customers' codes", _BY_CODE),
            Partner("tms", "终端管理系统", "the terminal management system", _FIRMWARE | DOWNLOAD_OF.keys()),
            Partner("bank", "清算银行", "the bank that pays merchants"),
            Partner("sms", "短信通道", "the channel of text messages"),
        )
    }
)
PARTNER_OF: Final[Mapping[str, str]] = MappingProxyType(
    {kind: row.name for row in PARTNERS.values() for kind in row.kinds & ALL_KINDS}
)


def partner_refusal(case: Case) -> Refused | None:
    """The refusal of what needs a partner that is down (91) or answers nonsense (96)."""
    row = PARTNERS[PARTNER_OF[case.request.kind.name]]
    state = case.snapshot.partner
    if state not in (PartnerState.DOWN, PartnerState.WRONG):
        return None
    return Refused(f"partner.{state}", {"partner": row.english, "partner_zh": row.chinese})


def delay_s(case: Case) -> float:
    """How long the answer of a request takes beyond our own time."""
    return SLOW_S if case.snapshot.partner == PartnerState.SLOW else 0.0
