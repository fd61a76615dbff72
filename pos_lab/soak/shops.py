"""Shops with real processes: hosts on one database, terminals on lines through this process, cashiers, a witness.

Rules owned here: the order of a life: set up in peace, work, heal, resolve, settle, pay, examine; that nothing is left
behind: no process, no connection, and nothing in a server's database.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from glob import escape
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import quote

from firmware_sim.cards import TEST_CARDS
from firmware_sim.models import MODELS
from host.admin.acts import perform
from host.errors import AdminError, StoreError
from host.store.database import Store, backend_of, open_store, telling
from pos_lab.certificates import make_certificates
from pos_lab.host_service import enter_catalogue
from pos_lab.soak.cashier import CARDS, RETRY_S, TRIES, Cashier
from pos_lab.soak.change_table import ChangeTable
from pos_lab.soak.chip_file import DeviceFiles
from pos_lab.soak.hosts import Hosts
from pos_lab.soak.line import TappedLine
from pos_lab.soak.noise import Cable
from pos_lab.soak.till import TillProcess
from pos_lab.soak.witness import Witness
from pos_lab.wall_clock import fresh_bytes, wall_clock

SHOP_MODELS: Final = ("PX-E90", "PX-S60", "PX-A920")
REPLY_TIMEOUT_S: Final = 3.0
SERIAL_TIMEOUT_S: Final = 6.0
SERIAL: Final = "?baud=115200"
PATIENCE_S: Final = 15.0
"""How long is waited for what shops do until life goes on without it."""
NOISE_RATE: Final = 0.04
_WITH_KEYS: Final = frozenset({"card.json"})


@dataclass(frozen=True, slots=True)
class Setting:
    """``place`` is an empty folder, ``database`` a file to be made; ``db`` is the URL of one to be used instead."""

    place: Path
    kills: int
    seed: int
    database: Path
    db: str = ""
    hosts: int = 1
    terminals: int = 3
    tls: bool = False
    serial: bool = False


class Shops:
    """Built for one setting; ``open`` it once. ``chance`` decides what is not the machine's to decide."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.chance = Random(setting.seed)  # noqa: S311
        self.url = setting.db or str(setting.database)
        self.table = ChangeTable(self.url)
        self.witness = Witness(self.table)
        self.lines: list[TappedLine] = []
        self.cashiers: list[Cashier] = []
        self.cables: list[Cable] = []
        self.hosts: Hosts
        self._key_file = setting.database.with_name(setting.database.name + ".key")
        self._merchants: list[str] = []
        self._secrets = {f"the number of card {name}": TEST_CARDS[name].pan.encode() for name in _card_names()}
        self._folder = setting.place / "tls"
        self._news = asyncio.Event()
        self._working: list[asyncio.Task[None]] = []
        self._tasks: asyncio.TaskGroup

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Hosts run and lines are open inside the block. Raises StoreError and TransportError where they cannot."""
        self._refuse_what_is_used()
        try:
            self._set_up()
            async with asyncio.TaskGroup() as self._tasks:
                try:
                    await self._start()
                    yield
                finally:
                    await self._stop()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            if self.setting.db:
                self.table.empty()
            self.table.close()

    def work(self) -> None:
        """Every cashier begins."""
        self._working = [self._tasks.create_task(cashier.work()) for cashier in self.cashiers]

    def attach(self, number: int, url: str) -> None:
        """Let the terminal of cashier ``number``, counted from 1, connect to ``url`` from its next start on."""
        terminal_id, cashier = _terminal_id(number), self.cashiers[number - 1]

        async def hear(outcome: Mapping[str, Any]) -> None:
            await self.witness.hear(terminal_id, outcome)
            cashier.keep(outcome)

        cashier.till = TillProcess(
            self._place(number),
            url=url,
            timeout_s=SERIAL_TIMEOUT_S if self.setting.serial else REPLY_TIMEOUT_S,
            hear=hear,
            dark=partial(self.witness.dark, terminal_id),
            booted=partial(self.witness.booted, terminal_id),
        )

    def door(self, certificate: str = "host", port: int = 0) -> str:
        """Where to listen, with this certificate where lines are encrypted."""
        if not self.setting.tls:
            return f"tcp://127.0.0.1:{port}"
        return f"tls://127.0.0.1:{port}{self.shown(certificate)}&client_certificate=yes"

    def shown(self, certificate: str = "terminal") -> str:
        """What whoever connects adds to a URL: nothing where lines are not encrypted."""
        if not self.setting.tls:
            return ""
        at = quote(str(self._folder))
        own = f"&cert={at}/{certificate}.pem&key={at}/{certificate}.key" if certificate else ""
        return f"?ca={at}/ca.pem&crl={at}/crl.pem{own}"

    async def trade(self, flows: int) -> None:
        """Let the shops do so much."""
        due = sum(cashier.done for cashier in self.cashiers) + flows
        await self.until(lambda: sum(cashier.done for cashier in self.cashiers) >= due)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that cashiers do, or until patience ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not condition():
                    self._news.clear()
                    await self._news.wait()

    async def finish(self) -> None:
        """Nothing fails from here on, and everything must come to an end; then it is examined."""
        for cable in self.cables:
            cable.rate = 0.0
        for cashier in self.cashiers:
            cashier.closing = True
        await asyncio.gather(*self._working)
        self.witness.healed()
        for flow in ("reverse", "settle"):
            done = await asyncio.gather(*(cashier.insist(flow) for cashier in self.cashiers))
            for cashier, is_done in zip(self.cashiers, done, strict=True):
                if not is_done:
                    self.witness.find("D3", "every terminal comes to an end", f"{cashier.name} can never {flow}")
        await asyncio.gather(*(cashier.play("why") for cashier in self.cashiers))
        await self.act(*(("payout", {"merchant_id": merchant_id}) for merchant_id in self._merchants))
        await self.witness.quiet(frozenset(name for line in self.lines for name in line.open))
        await self._stop()
        self.witness.search(self._places(), self._secrets)

    async def act(self, *acts: tuple[str, dict[str, Any]]) -> None:
        """What an administrator does; an act that the state of things forbids is not done. Raises StoreError."""
        for left in reversed(range(TRIES)):
            try:
                await asyncio.to_thread(self._perform, acts)
            except StoreError:
                if not left:
                    raise
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def hold_up(self) -> None:
        """The acquirer does something in between: pays a merchant, or holds a terminal for a moment."""
        if self.chance.random() < 0.5:
            await self.act(("payout", {"merchant_id": self.chance.choice(self._merchants)}))
            return
        held = {"serial_number": _serial_number(self.chance.randint(1, self.setting.terminals)), "reason": "arrears"}
        await self.act(("hold", held))
        await self.trade(2)
        await self.act(("release", held))

    @property
    def noises(self) -> Counter[str]:
        """What befell the bytes of all cables."""
        return sum((cable.fired for cable in self.cables), Counter())

    def _refuse_what_is_used(self) -> None:
        """A server's database is emptied in the end. Raises StoreError, also where there is none."""
        if not self.setting.db:
            return
        with telling(backend_of(self.setting.db)):
            if self.table.is_empty():
                return
            self.table.close()
            raise StoreError("a soak needs an empty database", hint="createdb soak, then --db postgresql://…/soak")

    def _set_up(self) -> None:
        store = open_store(self.url, fresh_bytes, key_file=self._key_file)
        try:
            self.table.install()
            enter_catalogue(store)
            for number in range(1, self.setting.terminals + 1):
                self._register(store, number)
        finally:
            store.close()

    def _register(self, store: Store, number: int) -> None:
        place = self._place(number)
        place.mkdir()
        model = MODELS[SHOP_MODELS[number % len(SHOP_MODELS)]]
        serial_number, terminal_id, merchant_id = _serial_number(number), _terminal_id(number), f"896{number:012d}"
        perform(
            store,
            "register",
            wall_clock(),
            serial_number=serial_number,
            model=model.id,
            terminal_id=terminal_id,
            merchant_id=merchant_id,
        )
        card = perform(store, "key_card", wall_clock(), serial_number=serial_number)
        (place / "card.json").write_text(json.dumps(card), encoding="utf-8")
        self._secrets[f"the master key of t{number}"] = bytes.fromhex(str(card["tmk"]))
        self._merchants.append(merchant_id)
        self.witness.watch(terminal_id, DeviceFiles(place / "till", serial_number, model))

    async def _start(self) -> None:
        setting = self.setting
        if setting.tls:
            self._make_certificates()
        for number in range(1, setting.terminals + 1):
            cable = Cable(Random(self.chance.random()), NOISE_RATE if setting.serial else 0.0)  # noqa: S311
            self.cables.append(cable)
            self.lines.append(TappedLine(_terminal_id(number), self.witness, self._tasks, self._where, cable))
        listen = [await line.join() + SERIAL for line in self.lines] if setting.serial else [self.door()]
        self.hosts = Hosts(
            setting.hosts, setting.database, listen, db=setting.db, shown=self.shown(), chance=self.chance
        )
        await self.hosts.start()
        for number, line in enumerate(self.lines, 1):
            if not setting.serial:
                await line.listen(self.door())
            self.cashiers.append(Cashier(f"t{number}", Random(self.chance.random()), self._news))  # noqa: S311
            self.attach(number, line.url + (SERIAL if setting.serial else self.shown()))

    def _where(self) -> tuple[int, str] | None:
        return self.hosts.find()

    def _make_certificates(self) -> None:
        """Of both ends, and bad ones by which to see that they are refused."""
        self._folder.mkdir()
        made = make_certificates(["127.0.0.1"], now=wall_clock(), days=2, fresh=fresh_bytes, bad=True)
        for name, content in made.items():
            (self._folder / name).write_bytes(content)

    async def _stop(self) -> None:
        """End every process and every line; once more does no harm."""
        for task in self._working:
            task.cancel()
        for cashier in self.cashiers:
            await cashier.till.kill()
        for line in self.lines:
            await line.close()
        if hasattr(self, "hosts"):
            await self.hosts.stop()

    def _perform(self, acts: tuple[tuple[str, dict[str, Any]], ...]) -> None:
        store = open_store(self.url, fresh_bytes, create=False, key_file=self._key_file)
        try:
            for act, arguments in acts:
                with suppress(AdminError):
                    perform(store, act, wall_clock(), actor="soak", **arguments)
        finally:
            store.close()

    def _place(self, number: int) -> Path:
        return self.setting.place / f"t{number}"

    def _places(self) -> dict[str, bytes]:
        """Everything that is left, but for the key cards and what passed on the wire."""
        place = self.setting.place
        files = {path for path in (*place.rglob("*"), *files_of(self.setting.database)) if path.is_file()}
        places = {str(path): path.read_bytes() for path in sorted(files) if path.name not in _WITH_KEYS}
        for name, content in places.items():
            if name.endswith(".log") and b"Traceback" in content:
                self.witness.find("D4", "every error is explained", f"{name} shows a traceback")
        for cashier in self.cashiers:
            places[f"the console of {cashier.name}"] = b"".join(cashier.till.transcript)
        if self.setting.db:
            places["the database"] = "\n".join(self.table.texts()).encode()
        return places


def files_of(database: Path) -> list[Path]:
    """What is there of a database file and of the host on it: log, key, marks."""
    beside = [*database.parent.glob(f"{escape(database.name)}*"), database.with_suffix(".log")]
    return [path for path in beside if path.exists()]


def _serial_number(number: int) -> str:
    return f"SOAK{number:08d}"


def _terminal_id(number: int) -> str:
    return f"{30_000_000 + number}"


def _card_names() -> list[str]:
    return [card.partition(":")[0] for card in CARDS]
