"""Columns as revisions spell them: the same types as ``host.store.schema``, which may change after a revision.

``filled`` is for a column that is added to a table with rows: these get what a row without a value has.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String, false, text

TEXT: Final = String().with_variant(String(collation="C"), "postgresql")
NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")


def words(name: str, *, key: bool = False, filled: bool = False) -> Column[str]:
    """Text."""
    return Column(name, TEXT, primary_key=key, nullable=False, server_default="" if filled else None)


def number(name: str, *, key: bool = False, may_lack: bool = False, filled: bool = False) -> Column[int]:
    """A whole number."""
    given = "0" if filled and not may_lack else None
    return Column(name, NUMBER, primary_key=key, nullable=may_lack, server_default=given)


def flag(name: str, *, filled: bool = False) -> Column[bool]:
    """Yes or no."""
    return Column(name, Boolean, nullable=False, server_default=false() if filled else None)


def octets(name: str, *, filled: bool = False) -> Column[bytes]:
    """Bytes."""
    return Column(name, LargeBinary, nullable=False, server_default=text("''") if filled else None)


def where(condition: str) -> dict[str, Any]:
    """Only these rows are in an index."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}
