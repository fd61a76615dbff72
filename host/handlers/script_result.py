"""The answer to a script result: how a card took what its issuer told it (CUP 7.22)."""

from __future__ import annotations

from host.case import Case
from host.decision import Decision, refuse
from host.retirement import audit
from protocol.emv import decode_chip_data
from protocol.fields import F
from protocol.tlv import value_of


def script_result(case: Case) -> Decision:
    """Writes the result, tag DF31, down for the transaction that field 61 names. Raises DecodeError without one."""
    original = case.snapshot.original
    if original is None or original.terminal_id != case.request.terminal_id:
        return refuse("original.not_found")
    result = value_of(decode_chip_data(case.request.message.octets(F.ICC)), 0xDF31)
    told = f"{original.batch}/{original.stan}: {result.hex().upper()}"
    return Decision(writes=(audit("issuer", case.terminal.serial_number, "script result", told, case.at),))
