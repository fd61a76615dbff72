"""A shop on the bench: the program as its users start it, and tills whose cashiers remember what they were told."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from asyncio import sleep
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from random import Random
from time import sleep as pause
from typing import IO, Any, Final

from firmware_sim.models import MODELS
from firmware_sim.power import Phase, Power, PowerLost
from host.store.books import Books
from host.store.database import open_store
from pos_lab.books import compare_books
from pos_lab.scenario.model import CastMember
from pos_lab.world import Device, World
from protocol.money import yuan
from terminal.outcome import Outcome
from tests.end_to_end.warm import GIVEN_MAX_BYTES, IS_COLD, warm

ROOT: Final = Path(__file__).parents[2]
POSLAB: Final = (sys.executable, "-m", "pos_lab")
WAIT_S: Final = 30.0
LOOK_S: Final = 0.02
TRIES: Final = 100
SHORTER_MAX: Final = 4
"""By how many points of its memory two runs of the same flow differ, at most."""


# processes


def environment(**extra: str) -> dict[str, str]:
    """The environment of a user with an English locale; what is said waits in a buffer, as it does there."""
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**usual, "LC_ALL": "C.UTF-8", **extra}


def poslab(*words: str, cwd: Path, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end; nobody ever sees a traceback."""
    if IS_COLD or variables or len(given) > GIVEN_MAX_BYTES:
        done = subprocess.run(
            [*POSLAB, *words],
            cwd=cwd,
            env=environment(**variables),
            input=given,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
    else:
        done = warm(ROOT).call(words, cwd, environment(), given, WAIT_S)
    assert "Traceback" not in done.stderr + done.stdout, done.stderr + done.stdout
    return done


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something that another process does."""
    for _ in range(int(WAIT_S / LOOK_S)):
        if condition():
            return
        pause(LOOK_S)
    raise AssertionError(f"in vain: {what}")


def port_of(url: str) -> int:
    """The port of a tcp:// URL."""
    return int(url.partition("?")[0].rpartition(":")[2])


def free_port(chance: Random) -> int:
    """A port below those that outgoing connections get, so that nobody takes it while a host is down."""
    for port in chance.sample(range(20_000, 30_000), 1000):
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


def is_closed(port: int) -> bool:
    """Does nobody listen there?"""
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) != 0


def terminal_id_of(number: int) -> str:
    """The terminal number of a commissioned terminal."""
    return f"{40_000_000 + number}"


class HostCommand:
    """A ``poslab host`` that listens, and what it says on standard error."""

    def __init__(self, process: subprocess.Popen[str], log: Path, database: Path) -> None:
        self._process = process
        self._log = log
        self.database = database
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, self.log
        self.told: dict[str, Any] = json.loads(line)
        self.urls: list[str] = self.told["listening"]

    @property
    def url(self) -> str:
        """Its first endpoint."""
        return self.urls[0]

    @property
    def port(self) -> int:
        """The port of its first endpoint."""
        return port_of(self.url)

    @property
    def log(self) -> str:
        """Everything that it said so far."""
        return self._log.read_text(encoding="utf-8")

    @property
    def is_alive(self) -> bool:
        """Does it still run?"""
        return self._process.poll() is None

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal and return its exit status."""
        if self.is_alive:
            self._process.send_signal(number)
        return self._process.wait(WAIT_S)

    def commission(self, place: Path, number: int, model: str = "PX-E90") -> str:
        """Put the key card of a newly registered terminal into ``place``; returns its serial number."""
        serial_number = f"SHP{number:09d}"
        words = ("--serial-number", serial_number, "--model", model)
        self.admin("register", terminal_id_of(number), f"897{number:012d}", *words)
        self.admin("key-card", serial_number, "--out", str(place / "card.json"))
        return serial_number

    def captured(self, number: int) -> list[int]:
        """What it took of a commissioned terminal, in fen."""
        rows = self.admin("transactions", "--terminal-id", terminal_id_of(number))["transactions"]
        return [row["amount_fen"] for row in rows if row["kind"] == "sale" and row["state"] == "captured"]

    def admin(self, *words: str) -> dict[str, Any]:
        """An administrative act by the command line, while the host runs."""
        done = poslab("admin", *words, "--db", str(self.database), "--json", cwd=self.database.parent)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


@contextmanager
def struck(power: Power, number: int, phase: Phase, *, lost: int = 0) -> Iterator[None]:
    """The power goes at the point ``number`` inside; a device that is booting is switched on again without a word.

    No cut comes where all is over a few points sooner than in the run that was watched: no two signatures, and no two
    backups, have the same length.
    """
    power.cut_at(number, phase, lost=lost)
    with power.watched() as passed, suppress(PowerLost):
        yield
    assert not power.spare() or number - SHORTER_MAX <= len(passed) < number, "the cut never came"


@contextmanager
def serving(directory: Path, *options: str, listen: str = "tcp://127.0.0.1:0", db: str = "") -> Iterator[HostCommand]:
    """A host in ``directory``, which ends with the block and has shown no traceback."""
    database, log = directory / "host.db", directory / "host.log"
    words = [*POSLAB, "host", "--json", "--listen", listen, "--db", db or str(database), *options]
    with log.open("ab") as said:
        process = _start(words, directory, said)
    try:
        host = HostCommand(process, log, database)
        yield host
        assert "Traceback" not in host.log, host.log
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=WAIT_S)


def _start(words: list[str], cwd: Path, said: IO[bytes]) -> subprocess.Popen[str]:
    return subprocess.Popen(words, cwd=cwd, env=environment(), stdout=subprocess.PIPE, stderr=said, text=True)


# frames on a socket


def call(port: int, payload: bytes) -> bytes:
    """Send one payload over a connection of its own, return the payload that comes back."""
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as line:
        line.sendall(len(payload).to_bytes(2, "big") + payload)
        return _read(line, int.from_bytes(_read(line, 2), "big"))


def _read(line: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = line.recv(size - len(data))
        assert more, f"the host hung up after {data.hex()}"
        data += more
    return data


# worlds


@asynccontextmanager
async def joined(url: str, database: Path, seed: int = 1, *, db: str = "") -> AsyncIterator[World]:
    """A world in front of a host that runs already on the file ``database``, or on ``db`` with the key beside it."""
    fresh = Random(seed).randbytes
    key_file = database.with_name(database.name + ".key")
    store = open_store(db or str(database), fresh, create=False, key_file=key_file)
    built = World(lambda: store, url, fresh)
    try:
        yield built
    finally:
        built.close()
        store.close()


def member(number: int, model: str = "PX-E90") -> CastMember:
    """One of many terminals, each of a merchant of its own."""
    return CastMember(
        serial_number=f"E2E{number:09d}",
        model=model,
        firmware=MODELS[model].factory_firmware,
        terminal_id=f"{20_000_000 + number}",
        merchant_id=f"898{number:012d}",
    )


MONEY: Final = frozenset(
    {
        "sale", "refund", "qr_sale", "moto_sale", "completion", "completion_advice", "offline_sale",
        "offline_adjustment", "tip_adjustment",
    }
)  # fmt: skip
"""Kinds, and flows of the same names, that move money."""
UNDOES: Final = frozenset({"void", "completion_void", "offline_adjustment", "tip_adjustment"})
"""Flows whose first word is the STAN of what they take back."""


class Till:
    """A terminal in service, and what its cashier was told: ``sold`` by STAN in fen, ``undone`` STANs.

    ``in_doubt`` holds the STAN of a sale whose void was asked for and never answered.
    """

    def __init__(self, world: World, device: Device) -> None:
        self.world = world
        self.device = device
        self.sold: dict[str, int] = {}
        self.undone: set[str] = set()
        self.in_doubt: set[str] = set()

    @classmethod
    async def open(cls, world: World, number: int, model: str = "PX-E90") -> Till:
        """Registered, with its keys loaded; the first sale signs on."""
        device = world.add(f"till_{number}", who := member(number, model))
        await world.act(
            "register",
            terminal_id=who.terminal_id,
            merchant_id=who.merchant_id,
            serial_number=who.serial_number,
            model=who.model,
        )
        await world.load_keys(device.name)
        return cls(world, device)

    async def do(self, flow: str, *words: str) -> Outcome:
        """Play a flow; the cashier hears all that is told, also before a power cut."""
        told = self.device.terminal.told
        seen = len(told)
        if flow in UNDOES:
            self.in_doubt.add(words[0])
        try:
            return await self.device.terminal.do(flow, *words)
        finally:
            for outcome in told[seen:]:
                self._hear(outcome, words)

    async def sell(self, amount_fen: int, card: str = "debit", pin: str = "123456") -> Outcome:
        """A sale."""
        return await self.do("sale", yuan(amount_fen), card, pin)

    @contextmanager
    def impatient(self, reply_timeout_s: float = 0.1) -> Iterator[None]:
        """A short timeout, for what is never answered; a reply that comes later still is not taken for the next."""
        session = self.device.terminal.session
        patient = session.settings
        session.settings = patient.model_copy(update={"reply_timeout_s": reply_timeout_s})
        try:
            yield
        finally:
            session.settings = patient
            self.device.hardware.faults.disarm("line.drop_reply")

    async def resolve(self) -> None:
        """Reverse until nothing is pending."""
        for _ in range(TRIES):
            outcome = await self.do("reverse")
            if outcome.is_good:
                return
            await sleep(LOOK_S)
        raise AssertionError(f"{self.device.name} is never resolved: {outcome}")

    async def differences(self) -> tuple[str, ...]:
        """Where the two books differ."""
        book, who = self.device.terminal.book, self.device.member
        found: tuple[str, ...] = await self.world.read(lambda books: compare_books(book, who, books).differences)
        return found

    async def captured(self) -> Mapping[str, int]:
        """The host's captured rows that count, fen by STAN, over all batches."""
        terminal_id = self.device.member.terminal_id

        def look(books: Books) -> dict[str, int]:
            rows = books.rows("transactions", terminal_id=terminal_id, state="captured")
            return {row["stan"]: row["amount_fen"] for row in rows if row["kind"] in MONEY}

        found: dict[str, int] = await self.world.read(look)
        return found

    async def broken_promises(self) -> list[str]:
        """What the cashier was told and the host's ledger does not hold."""
        captured = await self.captured()
        sure = {stan: fen for stan, fen in self.sold.items() if stan not in self.in_doubt}
        lost = [f"{stan} was told as approved" for stan, fen in sure.items() if captured.get(stan) != fen]
        return lost + [f"{stan} was told as undone" for stan in self.undone if stan in captured]

    async def assert_sound(self) -> None:
        """Both books agree, and what the cashier was told is so."""
        assert await self.differences() == ()
        assert await self.broken_promises() == []

    def _hear(self, outcome: Outcome, words: tuple[str, ...]) -> None:
        if outcome.flow in UNDOES:
            original = self._original(outcome) or words[0]
            if outcome.result != "unknown":
                self.in_doubt.discard(original)
            if outcome.result == "approved":
                del self.sold[original]
                self.undone.add(original)
        if outcome.flow == "upload":
            if not outcome.is_good:
                del self.sold[outcome.stan]
                self.undone.add(outcome.stan)
        elif outcome.flow in MONEY and outcome.result == "approved":
            self.sold[outcome.stan] = outcome.amount_fen
        elif outcome.stan and outcome.result in ("refused", "done"):
            self.undone.add(outcome.stan)

    def _original(self, outcome: Outcome) -> str:
        """What an outcome is about, which may be told while another flow runs."""
        row = self.device.terminal.book.find(outcome.stan)
        return row.original_stan if row else ""
