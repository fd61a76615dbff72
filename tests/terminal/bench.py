"""A terminal on the bench, in front of a fake host."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

from firmware_sim.board import Hardware
from firmware_sim.models import MODELS
from firmware_sim.power import PowerLost
from protocol.crypto import signing
from protocol.fields import F
from protocol.image import build_image
from protocol.transport import serve
from terminal.app import Terminal
from terminal.outcome import Outcome
from terminal.settings import Settings
from terminal.transaction import Key, State
from tests.terminal.fake_host import HOST_PUBLIC_KEY, TMK, Answer, Connection, FakeHost

VENDOR_KEY = hashlib.sha256(b"vendor").digest()
SERIAL_NUMBER = "PXE9000000001"
_names = count()


def make_image(
    version: str,
    payload: bytes = b"program" * 300,
    security_counter: int = 1,
    model: str = "PX-E90",
    **stated: Any,
) -> bytes:
    """Firmware that the vendor signed; ``stated`` are further fields of its manifest."""
    return build_image(
        model=model,
        version=version,
        security_counter=security_counter,
        payload=payload,
        private_key=VENDOR_KEY,
        **stated,
    )


class Bench:
    """``host`` and ``hardware`` outlive power cuts; ``terminal`` is the application of this epoch."""

    def __init__(
        self,
        host: FakeHost,
        url: str,
        model: str = "PX-E90",
        profile: str = "current",
        *,
        with_keys: bool = True,
        **settings: Any,
    ) -> None:
        numbers = count()
        self.host = host
        self.now = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
        self.hardware = Hardware.make(
            MODELS[model],
            SERIAL_NUMBER,
            factory_image=make_image("2.1.0", model=model, profile=profile),
            vendor_public_key=signing.public_key(VENDOR_KEY),
            url=url,
            now=lambda: self.now,
            fresh=lambda size: hashlib.shake_256(str(next(numbers)).encode()).digest(size),
        )
        bench: dict[str, Any] = {
            "terminal_id": "10000001",
            "merchant_id": "898100000000001",
            "reply_timeout_s": 20,
            "entry_timeout_s": 0.02,
        }
        self.settings = Settings(**(bench | settings))
        self.terminal = Terminal(self.hardware, self.settings)
        if with_keys:
            self.terminal.board.secure_module.inject_tmk(TMK, HOST_PUBLIC_KEY)

    async def do(self, name: str, *words: str) -> Outcome:
        return await self.terminal.do(name, *words)

    async def sell(self, amount: str = "60.00", card: str = "debit", pin: str = "123456") -> Outcome:
        return await self.terminal.do("sale", amount, card, pin)

    def restart(self) -> Terminal:
        """The power goes and comes back."""
        if self.hardware.power.is_on:
            self.hardware.cut_power()
        self.terminal = Terminal(self.hardware, self.settings)
        return self.terminal

    async def do_or_die(self, name: str, *words: str) -> Outcome | None:
        """The outcome, or None and a fresh start where the power went."""
        try:
            return await self.terminal.do(name, *words)
        except PowerLost:
            self.restart()
            return None

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """A short timeout, for what is never answered."""
        patient = self.terminal.session.settings
        self.terminal.session.settings = patient.model_copy(update={"reply_timeout_s": 0.02})
        yield
        self.terminal.session.settings = patient

    def states(self) -> dict[str, str]:
        """STAN to state."""
        return {row.stan: str(row.state) for row in self.terminal.book.rows.values()}

    def captured(self) -> set[tuple[Key, int]]:
        """What the terminal's open batch claims."""
        return {(row.key, row.amount_fen) for row in self.terminal.book.money}

    @property
    def screens(self) -> list[str]:
        """Everything shown in English."""
        return [screen.en for screen in self.hardware.shown]

    def is_resolved(self) -> bool:
        return all(row.state not in (State.PENDING, State.MUST_REVERSE) for row in self.terminal.book.rows.values())


@asynccontextmanager
async def bench_at(host: FakeHost, **settings: Any) -> AsyncIterator[Bench]:
    """A bench whose host is served in memory."""
    listener = await serve(f"memory:bench-{next(_names)}", lambda: Connection(host))
    bench = Bench(host, listener.url, **settings)
    try:
        yield bench
    finally:
        bench.hardware.close()
        await listener.close()


def once(kind: str, change: Callable[[Answer], None]) -> Callable[[Answer], None]:
    """A rule for the next answer of a kind only."""
    left = [1]

    def rule(answer: Answer) -> None:
        if answer.kind == kind and left:
            left.pop()
            change(answer)

    return rule


def swallow(answer: Answer) -> None:
    """The reply is lost, and the connection with it."""
    answer.swallow = True


def without_mac(answer: Answer) -> None:
    """The reply comes without field 64."""
    answer.mak = b""


def wrong_mac(answer: Answer) -> None:
    """The reply comes with a MAC that nobody made."""
    without_mac(answer)
    answer.fields[F.MAC] = b"00000000"
