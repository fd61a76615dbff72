"""Which terminals an act is about: TABLE SCOPES, by serial number, model, brand, family, merchant or region."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from host.admin.desk import Desk
from host.errors import AdminError
from host.records import DeviceModel, Merchant, Terminal

SCOPES: Final[Mapping[str, Callable[[Terminal, DeviceModel | None, Merchant | None], str]]] = MappingProxyType(
    {
        "serial_number": lambda terminal, model, merchant: terminal.serial_number,
        "model": lambda terminal, model, merchant: terminal.model,
        "brand": lambda terminal, model, merchant: model.brand if model else "",
        "family": lambda terminal, model, merchant: model.family if model else "",
        "merchant_id": lambda terminal, model, merchant: terminal.merchant_id,
        "region": lambda terminal, model, merchant: merchant.region if merchant else "",
    }
)
"""What a terminal has to say to each word of a scope; a region is met by all within it."""


def in_scope(desk: Desk, **words: str) -> list[Terminal]:
    """The terminals that meet every word that is not empty. Raises AdminError without a word, and for no terminal."""
    wanted = {name: word for name, word in words.items() if word}
    if not wanted:
        raise AdminError("about which terminals?", hint=f"give one of {', '.join(SCOPES)}", code="no_scope")
    if model := wanted.get("model"):
        desk.model(model)
    by_column = {name: wanted[name] for name in ("serial_number", "model", "merchant_id") if name in wanted}
    found = []
    for row in desk.books.rows("terminals", **by_column):
        terminal = desk.terminal(str(row["serial_number"]))
        parties = desk.books.model(terminal.model), desk.books.merchant(terminal.merchant_id)
        if all(_meets(name, word, SCOPES[name](terminal, *parties)) for name, word in wanted.items()):
            found.append(terminal)
    if not found:
        told = ", ".join(f"{name} {word}" for name, word in wanted.items())
        raise AdminError(f"no terminal is of {told}", hint="poslab admin terminals lists them", code="empty_scope")
    return found


def _meets(name: str, word: str, has: str) -> bool:
    return has.startswith(word) if name == "region" else has == word
