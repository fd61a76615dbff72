"""Canary scan: no PAN, track, PIN, PIN block or key lies where people or files can find it (invariants P1, P2)."""

from __future__ import annotations

import logging

import pytest

from protocol.codec import unseal
from protocol.fields import F
from protocol.message import Message
from tests.host.wire import CREDIT, DEBIT, EXPIRED, STOLEN, STRANGER, Lab, Wire

CARDS = (DEBIT, CREDIT, STOLEN, EXPIRED, STRANGER)


def needles(secret: bytes | str) -> set[bytes]:
    """A secret as text, as bytes, as hex of either case, as BCD and reversed."""
    raw = secret if isinstance(secret, bytes) else secret.encode()
    found = {raw, raw.hex().encode(), raw.hex().upper().encode(), raw[::-1]}
    if isinstance(secret, str) and len(secret) % 2 == 0 and secret.isdigit():
        found.add(bytes.fromhex(secret))
    return found


def test_nothing_secret_is_left_anywhere(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever copies the database or reads a log could copy every card of the town."""
    caplog.set_level(logging.DEBUG)
    wire = Wire(lab).activated()
    secrets: list[bytes | str] = [wire.tmk, *CARDS, *(f"{pan}D3012" for pan in CARDS)]
    lines = []
    for pan in CARDS:
        for pin in ("", "123456", "998877"):
            payload = wire.sale(1_234, pan, pin=pin)
            secrets.append(unseal(payload).message.octets(F.PIN_BLOCK))
            lines.append(lab.answer(payload).line)
            lines.append(lab.answer(payload[:-3]).line)
            lines.append(lab.acquirer.failure(payload, ValueError("x")).line)  # type: ignore[arg-type]
    sold = wire.sell(5_000)
    wire.send(wire.refund(sold, 100))
    wire.send(wire.void(wire.sell(70)))
    wire.send(wire.reversal(60, wire.sell(60).stan))
    for _ in range(2):
        assert wire.keys
        secrets += [wire.keys.pik, wire.keys.mak]
        wire.sign_on("004")
    assert wire.keys
    secrets += [wire.keys.pik, wire.keys.mak, wire.keys.tdk or b""]
    for act in ("terminals", "transactions", "batches", "audit", "accounts"):
        lines.append(str(lab.act(act)))
    files = [lab.path, lab.path.with_name(lab.path.name + "-wal")]
    places = {file.name: file.read_bytes() for file in files}
    places["log"] = "\n".join([*lines, caplog.text]).encode()
    leaks = [
        (place, len(needle))
        for secret in secrets
        for needle in (needles(secret) if secret else ())
        for place, content in places.items()
        if needle in content
    ]
    assert leaks == []
    assert b"620000******0004" in places["host.db"] + places["host.db-wal"]


def test_a_repr_shows_no_card(active: Wire) -> None:
    """A traceback would print the card that was in the message."""
    message: Message = unseal(active.sale(1_234, DEBIT, pin="123456")).message
    shown = repr(message) + repr(active.lab.store.run(lambda books: books.terminal(active.serial_number)))
    assert DEBIT not in shown
    assert "tmk" not in shown
