"""The answer to a balance inquiry: what the issuer says is on the card, in field 54 (CUP 2.4, 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from host.case import Case
from host.decision import Decision
from host.gates import RENMINBI
from host.handlers.purchase import consult
from host.refusals import Refused
from protocol.fields import F
from protocol.private import Balance

ACCOUNTS: Final[Mapping[str, str]] = MappingProxyType({"debit": "10", "credit": "30"})
"""Card type to the account type in field 54."""
AVAILABLE: Final = "02"


def balance(case: Case) -> Decision:
    """Approved with the balance, or what the issuer has against the card; nothing is written but wrong PINs.

    Raises DecodeError where field 55 is no chip data.
    """
    issuer = case.request.issuer
    if issuer is None:
        return Decision(Refused("card.unknown"))
    consulted = consult(case, replace(issuer, script=b""))  # a script needs a transaction that its result can name
    answer = consulted.answer
    if answer.refused:
        return Decision(answer.refused, consulted.fields, consulted.writes)
    told = Balance(ACCOUNTS[issuer.card_type], AVAILABLE, RENMINBI, max(issuer.limit_fen - case.snapshot.spent_fen, 0))
    return Decision(
        fields={**consulted.fields, F.ADDITIONAL_AMOUNT: str(told), F.TEXT: issuer.organisation},
        writes=consulted.writes,
        approval=answer.code,
    )
