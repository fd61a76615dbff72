"""TABLE DIALECTS: every dialect by name. A dialect is data: a patch over that of UnionPay, or a table of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from protocol.dialect import CUP, Dialect
from protocol.dialects.cj import CJ
from protocol.dialects.iso87 import ISO87_ASCII, ISO87_BCD
from protocol.dialects.payby import PAYBY

__all__ = ["CJ", "DIALECTS", "ISO87_ASCII", "ISO87_BCD", "PAYBY"]

DIALECTS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {dialect.name: dialect for dialect in (CUP, CJ, ISO87_ASCII, ISO87_BCD, PAYBY)}
)
"""By the name that ``--dialect`` takes."""
