"""TABLE HANDLERS: who answers which kind. One asks in ``terminal.flows``, the other answers here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from host.case import Case
from host.decision import Decision
from host.handlers import commands, firmware, link, purchase, settle, sign_in, undo

HANDLERS: Final[Mapping[str, Callable[[Case], Decision]]] = MappingProxyType(
    {
        "sign_in": sign_in.sign_in,
        "sign_off": sign_in.sign_off,
        "echo": link.echo,
        "status_upload": link.status_upload,
        "sale": purchase.sale,
        "sale_void": undo.sale_void,
        "refund": undo.refund,
        "sale_reversal": undo.reversal,
        "sale_void_reversal": undo.reversal,
        "settlement": settle.settlement,
        "batch_upload": settle.batch_upload,
        "batch_end": settle.batch_end,
        "why": commands.why,
        "command_fetch": commands.fetch,
        "command_ack": commands.acknowledge,
        "firmware_query": firmware.query,
        "firmware_chunk": firmware.chunk,
        "firmware_report": firmware.report,
    }
)
