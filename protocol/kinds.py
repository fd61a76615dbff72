"""TABLE KINDS: every kind of message that the two sides speak (CUP 3).

A row says how the kind is recognised (MTI, processing code, 60.1, 60.3), which fields its request and reply must and
may carry (CUP 3.5), whether a MAC protects it and which kind undoes it. Rows marked as extension are ours (product
decisions 10 and 12); a peer that does not know them never meets them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from protocol.fields import F, Mask
from protocol.message import Message

_MANAGEMENT: Final = (F.TERMINAL_ID, F.MERCHANT_ID, F.CONTROL)
_STAMP: Final = (F.LOCAL_TIME, F.LOCAL_DATE)
_SALE: Final = (
    F.PROCESSING_CODE, F.AMOUNT, F.STAN, F.ENTRY_MODE, F.CONDITION_CODE, F.TERMINAL_ID, F.MERCHANT_ID, F.CURRENCY,
    F.CONTROL, F.MAC,
)  # fmt: skip
_CARD: Final = (F.PAN, F.EXPIRY, F.PAN_SEQUENCE, F.PIN_CAPTURE, F.TRACK2, F.TRACK3, F.PIN_BLOCK, F.SECURITY)
_SALE_REPLY: Final = (
    F.PROCESSING_CODE,
    F.AMOUNT,
    F.STAN,
    *_STAMP,
    F.RRN,
    F.TERMINAL_ID,
    F.MERCHANT_ID,
    F.CURRENCY,
    F.CONTROL,
)
_SALE_REPLY_MAY: Final = (
    F.PAN, F.EXPIRY, F.SETTLEMENT_DATE, F.PAN_SEQUENCE, F.CONDITION_CODE, F.ACQUIRER, F.AUTH_ID, F.ADDITIONAL_RESPONSE,
    F.SECURITY, F.ADDITIONAL_AMOUNT, F.ICC, F.TEXT, F.MAC,
)  # fmt: skip
_REPLY_MAY: Final = (F.STAN, *_STAMP, F.ACQUIRER, F.RRN, F.PAYLOAD, F.TEXT)


@dataclass(frozen=True, slots=True)
class Presence:
    """The fields that must and may be there, field 39 of a reply aside."""

    must: tuple[int, ...]
    may: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of KINDS. ``type_code`` is 60.1, ``networks`` the possible 60.3, ``reversal`` the kind that undoes it.

    ``has_mac`` says that the dialect protects the kind; ``may_mac`` that it does not and that devices of ours do, since
    whoever reaches the port could else settle a batch or end a session (an extension).
    """

    name: str
    chinese: str
    english: str
    mti: str
    type_code: str
    networks: tuple[str, ...]
    request: Presence
    reply: Presence
    processing_code: str = ""
    has_mac: bool = False
    may_mac: bool = False
    reversal: str = ""
    undoes: str = ""
    advances_stan: bool = True
    masks: tuple[tuple[int, Mask], ...] = ()
    extension: bool = False
    clause: str = "CUP 3.2"

    @property
    def reply_mti(self) -> str:
        """The request's MTI plus ten (CUP 7.7)."""
        return f"{int(self.mti) + 10:04d}"

    @property
    def moves_money(self) -> bool:
        """Sales, voids, refunds and what undoes them carry an amount under a MAC."""
        return self.has_mac and F.AMOUNT in self.request.must


_PURCHASE: Final = Presence(_SALE, (*_CARD, F.ICC, F.PRIVATE57, F.DEVICE, F.ISSUER_DATA, F.TEXT, *_STAMP))
_UNDO: Final = Presence((*_SALE, F.RRN, F.ORIGINAL), (*_CARD, F.AUTH_ID, F.DEVICE, F.TEXT))
_REVERSAL: Final = Presence(
    (*_SALE, F.RESPONSE_CODE),
    (F.PAN, F.EXPIRY, F.PAN_SEQUENCE, F.AUTH_ID, F.RRN, F.SECURITY, F.ICC, F.DEVICE, F.ORIGINAL, F.PAYLOAD, F.TEXT),
)
_FINANCIAL_REPLY: Final = Presence(_SALE_REPLY, _SALE_REPLY_MAY)
_REVERSAL_REPLY: Final = Presence(_SALE_REPLY, _SALE_REPLY_MAY)
_NETWORK_REPLY: Final = Presence(_MANAGEMENT, _REPLY_MAY)
_BATCH_REPLY: Final = Presence((F.STAN, *_STAMP, *_MANAGEMENT), (F.ACQUIRER, F.RRN, F.TOTALS, F.TEXT, F.MAC))


def _extension(name: str, chinese: str, english: str, network: str, *, has_mac: bool = True) -> Kind:
    must, may = ((F.MAC,), ()) if has_mac else ((), (F.MAC,))
    return Kind(
        name, chinese, english, "0800", "00", (network,), Presence((*_MANAGEMENT, *must), (F.DEVICE, F.PAYLOAD, *may)),
        Presence(_MANAGEMENT, (*_REPLY_MAY, F.MAC)), has_mac=has_mac, may_mac=not has_mac, advances_stan=False,
        masks=((F.PAYLOAD, Mask.OPEN),), extension=True, clause="extension",
    )  # fmt: skip


_ROWS: Final = (
    Kind(
        "sign_in", "签到", "sign-on", "0800", "00", ("001", "003", "004"),
        Presence((F.STAN, *_MANAGEMENT, F.TEXT), (*_STAMP, F.DEVICE, F.PAYLOAD)),
        Presence((F.STAN, *_STAMP, *_MANAGEMENT), (F.ACQUIRER, F.RRN, F.PAYLOAD, F.TEXT)),
    ),
    Kind(
        "sign_off", "签退", "sign-off", "0820", "00", ("002",),
        Presence((F.STAN, *_MANAGEMENT), (F.DEVICE, F.MAC)),
        Presence((F.STAN, *_STAMP, *_MANAGEMENT), (F.RRN, F.TEXT, F.MAC)), may_mac=True,
    ),
    Kind(
        "echo", "回响测试", "echo", "0820", "00", ("301",),
        Presence(_MANAGEMENT, (F.DEVICE,)), Presence((*_STAMP, *_MANAGEMENT), (F.RRN, F.TEXT)), advances_stan=False,
    ),
    Kind(
        "status_upload", "状态上送", "status upload", "0820", "00", ("362",),
        Presence((*_MANAGEMENT, F.PAYLOAD), (F.DEVICE,)), _NETWORK_REPLY, advances_stan=False,
        masks=((F.PAYLOAD, Mask.OPEN),),
    ),
    Kind(
        "sale", "消费", "sale", "0200", "22", ("000", ""), _PURCHASE, _FINANCIAL_REPLY,
        processing_code="000000", has_mac=True, reversal="sale_reversal", clause="CUP 3.1",
    ),
    Kind(
        "sale_void", "消费撤销", "sale void", "0200", "23", ("000", ""), _UNDO, _FINANCIAL_REPLY,
        processing_code="200000", has_mac=True, reversal="sale_void_reversal", clause="CUP 3.1",
    ),
    Kind(
        "refund", "退货", "refund", "0220", "25", ("000", ""), _UNDO, _FINANCIAL_REPLY,
        processing_code="200000", has_mac=True, clause="CUP 3.1",
    ),
    Kind(
        "sale_reversal", "消费冲正", "reversal of a sale", "0400", "22", ("000", ""), _REVERSAL, _REVERSAL_REPLY,
        processing_code="000000", has_mac=True, undoes="sale", advances_stan=False, clause="CUP 7.3",
    ),
    Kind(
        "sale_void_reversal", "消费撤销冲正", "reversal of a void", "0400", "23", ("000", ""),
        _REVERSAL, _REVERSAL_REPLY, processing_code="200000", has_mac=True, undoes="sale_void", advances_stan=False,
        clause="CUP 7.3",
    ),
    Kind(
        "settlement", "批结算", "batch settlement", "0500", "00", ("201",),
        Presence((F.STAN, *_MANAGEMENT, F.TOTALS, F.CURRENCY, F.TEXT), (F.DEVICE, F.PAYLOAD, F.MAC)),
        Presence(
            (F.STAN, *_STAMP, *_MANAGEMENT, F.TOTALS),
            (F.SETTLEMENT_DATE, F.ACQUIRER, F.RRN, F.CURRENCY, F.TEXT, F.MAC),
        ),
        may_mac=True,
        masks=((F.PAYLOAD, Mask.OPEN),),
    ),
    Kind(
        "batch_upload", "批上送", "batch upload", "0320", "00", ("201",),
        Presence((F.STAN, *_MANAGEMENT, F.TOTALS), (F.DEVICE, F.MAC)), _BATCH_REPLY, may_mac=True,
    ),
    Kind(
        "batch_end", "批上送结束", "end of batch upload", "0320", "00", ("202", "207"),
        Presence((F.STAN, *_MANAGEMENT, F.TOTALS), (F.DEVICE, F.MAC)), _BATCH_REPLY, may_mac=True,
    ),
    _extension("why", "查询拒绝原因", "why query", "902", has_mac=False),
    _extension("command_fetch", "取远程指令", "fetch commands", "910"),
    _extension("command_ack", "指令回执", "acknowledge a command", "911"),
    _extension("firmware_query", "固件查询", "firmware query", "930"),
    _extension("firmware_chunk", "固件下载", "firmware chunk", "931"),
    _extension("firmware_report", "固件结果上报", "firmware report", "932"),
)  # fmt: skip

KINDS: Final[Mapping[str, Kind]] = MappingProxyType({row.name: row for row in _ROWS})

OTHER_MTIS: Final = frozenset(("0100", "0110", "0620", "0630"))
"""MTIs of the dialect whose kinds this table does not hold yet: they decode, and the host answers 40."""

REQUEST_MTIS: Final = frozenset(row.mti for row in _ROWS) | {"0100", "0620"}
MTIS: Final = frozenset(row.reply_mti for row in _ROWS) | REQUEST_MTIS | OTHER_MTIS

_BY_CODES: Final = {
    (row.mti, row.type_code, row.processing_code, network): row for row in _ROWS for network in row.networks
}
_REQUEST_OF: Final = {row.reply_mti: row.mti for row in _ROWS}


@dataclass(frozen=True, slots=True)
class Identity:
    """What a message is: a kind and a direction. ``str`` gives ``sale.request``."""

    kind: Kind
    is_request: bool

    def __str__(self) -> str:
        return f"{self.kind.name}.{'request' if self.is_request else 'reply'}"

    @property
    def presence(self) -> Presence:
        """The fields due in this direction."""
        return self.kind.request if self.is_request else self.kind.reply


def identify(message: Message) -> Identity | None:
    """The row that a message is, or None for a kind that the table does not hold."""
    mti = _REQUEST_OF.get(message.mti, message.mti)
    control = message.text(F.CONTROL)
    row = _BY_CODES.get((mti, control[:2], message.text(F.PROCESSING_CODE), control[8:11]))
    return Identity(row, mti == message.mti) if row else None


def missing_fields(identity: Identity, message: Message) -> list[int]:
    """The fields that must be there and are not, in order."""
    must = {*identity.presence.must, *_answer(identity)}
    return [number for number in sorted(must) if not message.has(number)]


def foreign_fields(identity: Identity, message: Message) -> list[int]:
    """The fields that are there and that the kind does not name, in order."""
    known = {*identity.presence.must, *identity.presence.may, *_answer(identity)}
    return [number for number in sorted(message.fields) if number not in known]


def _answer(identity: Identity) -> tuple[int, ...]:
    """Every reply answers with field 39, no request does unless its row says so."""
    return () if identity.is_request else (F.RESPONSE_CODE,)
