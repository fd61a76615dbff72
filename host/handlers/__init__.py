"""TABLE HANDLERS: who answers which kind. One asks in ``terminal.flows``, the other answers here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from host.case import Case
from host.decision import Decision
from host.handlers import (
    balance,
    commands,
    downloads,
    firmware,
    keys,
    link,
    offline,
    pause,
    preauth,
    purchase,
    qr,
    registration,
    script_result,
    settle,
    sign_in,
    signature,
    swap,
    undo,
)
from protocol.downloads import DOWNLOADS

HANDLERS: Final[Mapping[str, Callable[[Case], Decision]]] = MappingProxyType(
    {
        "sign_in": sign_in.sign_in,
        "sign_off": sign_in.sign_off,
        "echo": link.echo,
        "status_upload": link.status_upload,
        "cashier_sign_in": link.cashier_sign_in,
        **{row.query: downloads.query for row in DOWNLOADS.values() if row.query},
        **{row.fetch: downloads.fetch for row in DOWNLOADS.values()},
        **{row.end: downloads.end for row in DOWNLOADS.values()},
        "sale": purchase.sale,
        "sale_void": undo.void,
        "refund": undo.refund,
        "sale_reversal": undo.reversal,
        "sale_void_reversal": undo.reversal,
        "balance": balance.balance,
        "qr_sale": qr.qr_sale,
        "qr_sale_reversal": undo.reversal,
        "moto_sale": purchase.sale,
        "moto_sale_reversal": undo.reversal,
        "moto_sale_void": undo.void,
        "moto_sale_void_reversal": undo.reversal,
        "preauth": purchase.sale,
        "preauth_reversal": undo.reversal,
        "additional_preauth": preauth.additional,
        "additional_preauth_reversal": undo.reversal,
        "preauth_void": preauth.void,
        "preauth_void_reversal": undo.reversal,
        "completion": preauth.completion,
        "completion_reversal": undo.reversal,
        "completion_advice": preauth.completion,
        "completion_void": undo.void,
        "completion_void_reversal": undo.reversal,
        "offline_sale": purchase.sale,
        "offline_adjustment": offline.adjust,
        "tip_adjustment": offline.adjust,
        "script_result": script_result.script_result,
        "signature_upload": signature.signature_upload,
        "settlement": settle.settlement,
        "batch_upload": settle.batch_upload,
        "batch_end": settle.batch_end,
        "registration": registration.registration,
        "pause": pause.pause,
        "why": commands.why,
        "command_fetch": commands.fetch,
        "command_ack": commands.acknowledge,
        "firmware_query": firmware.query,
        "firmware_chunk": firmware.chunk,
        "firmware_report": firmware.report,
        "swap_query": swap.query,
        "swap_report": swap.report,
        "rsa_key": keys.rsa_key,
        "master_key": keys.master_key,
    }
)
