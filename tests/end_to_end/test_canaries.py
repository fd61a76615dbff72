"""No card, track, PIN or key in anything that a whole life leaves behind (invariants P1 and P2)."""

from __future__ import annotations

import json
import logging
import shutil
import socketserver
import struct
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from socket import SHUT_WR, SO_LINGER, SOL_SOCKET, create_connection, create_server
from threading import Thread
from typing import Any, Final

import pytest

from firmware_sim.cards import TEST_CARDS, numbered
from firmware_sim.chip import Chip
from firmware_sim.chips import FUSE_FILE, SIZES
from firmware_sim.fuse import Fuse
from firmware_sim.key_slots import KeyRing, Slot
from firmware_sim.key_store import KeyStore
from firmware_sim.models import MODELS
from firmware_sim.power import Power
from host.admin.acts import perform
from host.policy import Policy
from host.store.database import open_store
from pos_lab.scenario import runner
from pos_lab.scenario.files import FIRST_LIFE, shipped
from pos_lab.scenario.loader import load_scenario
from pos_lab.scenario.report.document import run_document
from pos_lab.scenario.report.html import html_report
from pos_lab.scenario.report.junit import junit_xml
from pos_lab.scenario.runner import Runner
from pos_lab.scenario.steps import STEPS
from pos_lab.scenario.story import RunResult
from pos_lab.wall_clock import fresh_bytes, wall_clock
from pos_lab.world import Over, World, world
from protocol.codec import unseal
from protocol.crypto.keys import unpack_working_keys
from protocol.crypto.tmk_download import unpack_master_key
from protocol.crypto.vault import KEY_BYTES
from protocol.errors import KeyLoadError
from protocol.fields import F
from protocol.kinds import identify
from tests.end_to_end.canaries import SPELLINGS, Canary, Leak, Search
from tests.end_to_end.shop import WAIT_S, HostCommand, poslab, serving

MODEL: Final = "PX-E90"
PIN: Final = "918273645091"
TYPED_PIN: Final = "750864213579"
KEYED_PAN: Final = numbered("620000029876543")
PAYMENT_CODE: Final = "6200987654321098765"
FORM: Final = "街角便利店 王小明 13000000000 实验路一号院"

# file, and what of which kind may be in it -> why
ALLOWED: Final = {
    ("card-*.json", "TMK"): "the key card is how the key gets into the device, and nobody else's to read",
    ("host.db.key", "host master key"): "it seals the database, and lies beside it",
    ("live/host.db.key", "host master key"): "the same file, copied while the host ran",
    ("host.db", "wrapped keys"): "the reply to a sign-on, kept for whoever asks again, under the master key",
    ("live/host.db*", "wrapped keys"): "the same",
    (f"till-*/{FUSE_FILE}", "fuse key"): "the fuse is the battery-backed memory of the secure module",
}


def is_at(leak: Leak, file: str, kind: str) -> bool:
    """Is it what a row of ALLOWED is about?"""
    return fnmatch(leak.place, file) and leak.kind == kind


def forbidden(leaks: set[Leak]) -> set[Leak]:
    """Those that ALLOWED does not excuse."""
    return {leak for leak in leaks if not any(is_at(leak, *row) for row in ALLOWED)}


# the search itself

PLANTED: Final = (
    Canary("PAN", KEYED_PAN),
    Canary("PIN", PIN),
    Canary("TMK", key=bytes.fromhex("9D1F72C4E05B38A66E13F8C92B47D07A")),
)


@pytest.mark.parametrize("canary", PLANTED, ids=lambda canary: canary.kind)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_planted_canary_is_found(spelling: str, canary: Canary, tmp_path: Path) -> None:
    """A search that finds nothing would prove nothing."""
    search = Search(PLANTED)
    assert search.look("noise", bytes(range(256)) * 8 + b"620000******5439 1234") == set()
    for number, form in enumerate(SPELLINGS[spelling](canary)):
        for before in (b"", b"\0", b"x" * 300):
            assert search.look("here", before + form + b"\xff" * 500) == {Leak("here", canary.kind)}
        (tmp_path / f"{number}.bin").write_bytes(b"..." + form)
        assert Leak(f"{number}.bin", canary.kind) in search.walk(tmp_path)


@pytest.mark.parametrize("before", range(6))
def test_a_canary_inside_a_base64_text_is_found(before: int) -> None:
    """A key in the middle of a coded record would pass for noise."""
    for canary in PLANTED:
        for inner in (*canary.raw, *(text.encode() for text in canary.texts)):
            coded = b64encode(bytes(before) + inner + b"behind")
            assert Search([canary]).look("here", coded) == {Leak("here", canary.kind)}


def test_a_canary_in_a_dump_is_found() -> None:
    """A dump of bytes writes gaps between them."""
    key = PLANTED[2].key
    for dump in (key.hex(" "), key.hex(":").upper(), "6200 0002 9876 5439", "6200-0002-9876-5439\n"):
        assert Search(PLANTED).look("here", dump.encode()) != set()


# a whole life, as its users play it


class Tap:
    """Stands between terminals and the host and keeps the payloads that pass."""

    def __init__(self, port: int) -> None:
        self.payloads: list[bytes] = []
        tap = self

        class Passing(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with create_connection(("127.0.0.1", port)) as host:
                    back = Thread(target=tap._pump, args=(host, self.request))
                    back.start()
                    tap._pump(self.request, host)
                    back.join()

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Passing)
        self.url = f"tcp://127.0.0.1:{self.server.server_address[1]}"

    def _pump(self, source: Any, target: Any) -> None:
        stream = b""
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
                stream += data
                while len(stream) >= 2 and len(stream) >= 2 + (size := int.from_bytes(stream[:2], "big")):
                    self.payloads.append(stream[2 : 2 + size])
                    stream = stream[2 + size :]
        with suppress(OSError):  # a line that was reset ends as well: the other end would wait for ever
            target.shutdown(SHUT_WR)


@contextmanager
def tapped(port: int) -> Iterator[Tap]:
    """A tap in front of the host at ``port``."""
    tap = Tap(port)
    passing = Thread(target=tap.server.serve_forever, kwargs={"poll_interval": 0.02})
    passing.start()
    try:
        yield tap
    finally:
        tap.server.shutdown()
        passing.join()
        tap.server.server_close()


def test_a_line_that_is_reset_ends_behind_the_tap() -> None:
    """A tap that waits for a host that waits for the tap would hold up every other test."""
    with create_server(("127.0.0.1", 0)) as host, tapped(host.getsockname()[1]) as tap:
        with create_connection(("127.0.0.1", tap.server.server_address[1])) as till:
            till.sendall(b"\0\1.")
            served, _ = host.accept()
            served.settimeout(WAIT_S)
            assert served.recv(9) == b"\0\1."
            till.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        with served:
            assert served.recv(9) == b""
    assert tap.payloads == [b"."]


@dataclass
class Life:
    """What was done in ``place``, what was ``said`` on standard output and error, what passed on the lines."""

    place: Path
    host: HostCommand
    tap: Tap
    said: list[tuple[str, str]] = field(default_factory=list)
    keys: list[Canary] = field(default_factory=list)

    def poslab(self, *words: str, given: str = "", status: int | None = 0) -> str:
        """Run the program as a user; what it says is searched in the end."""
        done = poslab(*words, cwd=self.place, given=given)
        assert status is None or done.returncode == status, (words, done.stdout, done.stderr)
        self.said.append((" ".join(words[:3]), done.stdout + done.stderr))
        return done.stdout

    def admin(self, *words: str, status: int | None = 0) -> str:
        return self.poslab("admin", *words, "--db", "host.db", status=status)

    def terminal(self, number: int, *flows: str, status: int | None = 0) -> list[dict[str, Any]]:
        """Flows of a till, told for programs; an empty list of flows takes a script."""
        words = [word for flow in flows for word in ("--do", flow)]
        out = self.poslab(*self._till(number), *words, "--json", status=status)
        return [json.loads(line) for line in out.splitlines()]

    def shell(self, number: int, *lines: str) -> None:
        """The same as somebody types it at the prompt."""
        self.poslab(*self._till(number), "--timeout", "1", given="\n".join((*lines, "quit", "")), status=None)

    def _till(self, number: int) -> tuple[str, ...]:
        return "terminal", "--key-card", f"card-{number}.json", "--connect", self.tap.url, "--state", f"till-{number}"


def serial(number: int) -> str:
    """The serial number of a till."""
    return f"CANARY{number:04d}"


def commission(life: Life) -> str:
    """A till whose key comes on a key card; returns its serial number."""
    serial_number = serial(1)
    life.admin("register", "50000001", f"896{1:012d}", "--serial-number", serial_number, "--model", MODEL)
    life.admin("key-card", serial_number, "--out", "card-1.json")
    return serial_number


def sell_in_every_way(life: Life) -> None:
    """Every way to give a card, a PIN, a code, a signature; what is refused; what takes money back."""
    (life.place / "parameters.json").write_text(json.dumps({"20": "1", "11": "60"}))
    life.admin("publish-parameters", "parameters", "parameters.json")
    told = life.terminal(
        1,
        *("sign_in", "download all", "echo", "status", "configuration", "cashier_sign_in"),
        "sale 160.00 debit_stripe 123456 wave",
        "sale 60.00 credit_second:swipe 123456",
        "sale 60.00 credit:insert 123456 cross",
        "sale 60.00 debit:tap 123456",
        f"qr_sale 60.00 {PAYMENT_CODE}",
        f"moto_sale 60.00 {KEYED_PAN} 3012",
        "balance debit 123456",
        "preauth 60.00 credit 123456",
        "offline_sale 50.00 credit",
        *(f"sale 60.00 debit_stripe {PIN}", "sale 1.00 stolen 123456", "sale 1.00 expired"),
        status=1,
    )
    sold = [outcome for outcome in told if outcome["result"] == "approved" and outcome["flow"].endswith("sale")]
    assert {outcome["flow"] for outcome in sold} == {"sale", "qr_sale", "moto_sale", "offline_sale"}
    assert len(sold) == 7
    refund = f"refund 10.00 debit_stripe {sold[0]['rrn']} {wall_clock():%m%d}"
    life.terminal(1, f"void {sold[1]['stan']}", "reprint", "reverse", "settle", refund, status=None)
    life.shell(
        1,
        *("fault line.drop_reply", "sale 7.00 debit:tap", f"pin {TYPED_PIN}", "told", "state"),
        *("sale", "enter 8.00", "present debit_stripe", f"pin {TYPED_PIN}", "screen", "told", "printed"),
        *("cut", "on", "reverse", "training on", f"sale 1.00 debit_stripe {PIN}", "training off", "settle"),
    )


def command_and_update(life: Life, serial_number: str) -> None:
    """What the acquirer orders from afar, and new firmware."""
    life.poslab("image", "build", MODEL, "2.2.0", "--out", "new.plf")
    life.admin("announce", "公告", "News", "换纸", "Change the paper.", "--serial-number", serial_number)
    life.admin("diagnose", serial_number)
    life.admin("publish-firmware", MODEL, "2.2.0", "new.plf")
    life.terminal(1, "commands", "notices", "acknowledge", "update", "sign_in", "why", "sale 1.00 credit", status=None)
    life.terminal(1, "reverse", "settle", status=None)


def open_the_case(life: Life) -> None:
    """A second device, ordered and reviewed, gets its key over the line, sells, and is opened in the next sale."""
    serial_number = serial(2)
    life.admin("order", serial_number, MODEL, "--terminal-id", "50000002", "--merchant-id", f"896{2:012d}")
    life.admin("allow-download", serial_number, "--out", "card-2.json")
    life.admin("ship", serial_number)
    life.admin("deliver", serial_number)
    life.terminal(2, f"register {FORM}")
    life.admin("review", serial_number)
    life.terminal(2, "download_master_key", "sign_in", "sale 60.00 debit_stripe 123456 wave")
    note_keys(life, "till-2")
    life.shell(2, "fault secure_module.tamper", f"sale 60.00 debit_stripe {PIN}", "told", "state", "audit", "echo")


def examine(life: Life) -> None:
    """What the tools say of messages, whole, damaged and with keys at hand."""
    sale = next(payload for payload in life.tap.payloads if unseal(payload).message.has(F.PIN_BLOCK))
    mak = next(canary.key for canary in keys_on_the_wire(life) if canary.kind == "MAK")
    whole, cut_off = f"{sale.hex()}\n", f"{sale[:-20].hex()}\n"
    life.poslab("decode", "-", "--lang", "zh", given=whole + cut_off, status=None)
    life.poslab("doctor", "-", "--mak", mak.hex(), given=whole, status=None)
    life.poslab("doctor", "-", "--json", given=cut_off, status=None)
    life.poslab("doctor", "-", "--pcap", "messages.pcapng", given=whole, status=2)
    assert not (life.place / "messages.pcapng").exists(), "a capture holds what came, so it takes --unmask"
    masked = life.poslab("decode", "-", "--json", given=whole)
    life.poslab("encode", "-", given=masked, status=2)


def blunder(life: Life) -> None:
    """Wrong words and damaged files: what is told of them repeats no secret."""
    card = json.loads((life.place / "card-1.json").read_text())
    (life.place / "card-9.json").write_text(json.dumps({**card, "check_value": "00000000"}))
    wrong_digit = f"{KEYED_PAN[:-1]}{(int(KEYED_PAN[-1]) + 1) % 10}"
    life.terminal(1, f"moto_sale 60.00 {wrong_digit} 3012", f"void {PIN}", f"log_on 00 {PIN} {PIN} {PIN}", status=None)
    life.terminal(1, "sale 60.00 debit_stripe 12", status=2)
    life.poslab(*life._till(9), "--do", "echo", status=None)
    life.shell(1, f"pin {PIN}", f"pni {PIN}", f"sale 60.00 debit {PIN} nobody")


def report(life: Life, serial_number: str) -> None:
    """Everything that an administrator can look at, and every report of a scenario."""
    for words in (
        ("show", serial_number), ("transactions",), ("batches",), ("audit", "list"), ("accounts",),
        ("verify",), ("parameters", "--json"), ("audit", "verify"), ("page", "transactions"), ("impact",),
        ("reconcile",),
    ):  # fmt: skip
        life.admin(*words)
    [signature, *_] = json.loads(life.admin("signatures", "--json"))["signatures"]
    place = (signature["terminal_id"], signature["batch"], signature["stan"])
    life.admin("signature", *place, "--out", "signature.json")
    money = str(shipped(FIRST_LIFE).parents[1] / "money" / "refund_and_void.yaml")
    life.poslab("run", money, "--over", "process", "--html", "money.html", "--junit", "money.xml")


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    place = tmp_path_factory.mktemp("life")
    with serving(place, "--lab-clock") as host, tapped(host.port) as tap:
        life = Life(place, host, tap)
        serial_number = commission(life)
        sell_in_every_way(life)
        command_and_update(life, serial_number)
        open_the_case(life)
        note_keys(life, "till-1")
        examine(life)
        blunder(life)
        report(life, serial_number)
        (place / "live").mkdir()
        for path in place.glob("host.db*"):
            shutil.copy(path, place / "live")
    life.said.append(("host", host.log))
    return life


def _ring(till: Path) -> KeyRing:
    fuse = Fuse((till / FUSE_FILE).read_bytes()[:KEY_BYTES])
    image = (till / "keys.chip").read_bytes()[: SIZES["keys"](MODELS[MODEL])]
    power = Power()
    power.switch_on()
    serial_number = serial(int(till.name.rpartition("-")[2]))
    return KeyStore(power, Chip.holding(image, name="keys"), fuse, serial_number=serial_number, fresh=bytes).load().ring


def note_keys(life: Life, till: str) -> None:
    """Write down the keys of a device as they are now."""
    ring, fuse = _ring(life.place / till), (life.place / till / FUSE_FILE).read_bytes()[:KEY_BYTES]
    secret = [slot for slot in ring.keys if slot is not Slot.HOST_PUBLIC]
    life.keys += [Canary("fuse key", key=fuse), *(Canary(slot.upper(), key=ring.keys[slot]) for slot in secret)]


def keys_on_the_wire(life: Life) -> list[Canary]:
    """The working keys and transport keys that went over the lines, in the clear, and what wrapped them."""
    store = open_store(str(life.place / "host.db"), fresh_bytes, create=False)
    cards = [perform(store, "key_card", wall_clock(), serial_number=serial(number)) for number in (1, 2)]
    signing = store.run(lambda books: store.keys.signing_key(books.secret("signing")))
    transport_key, data_key = store.keys._rsa, store.keys.data_key
    store.close()
    master = (life.place / "host.db.key").read_bytes()
    tmks = [bytes.fromhex(str(card["tmk"])) for card in cards]
    found = [
        Canary("host master key", key=master),
        Canary("data key", key=data_key),
        Canary("signing key", key=signing),
    ]
    found += [Canary("TMK", key=tmk) for tmk in tmks]
    for payload in life.tap.payloads:
        message = unseal(payload).message
        kind, field62 = str(identify(message)), message.octets(F.PAYLOAD)
        if kind == "master_key.request":
            found.append(Canary("transport key", key=unpack_master_key(transport_key, field62)))
        if kind == "sign_in.reply" and field62:
            found += [Canary("wrapped keys", key=field62), *opened(field62, tmks)]
    return found


def opened(field62: bytes, tmks: list[bytes]) -> list[Canary]:
    """The working keys of a sign-on reply."""
    for tmk in tmks:
        with suppress(KeyLoadError):
            keys = unpack_working_keys(tmk, field62)
            named = {"PIK": keys.pik, "MAK": keys.mak, "TDK": keys.tdk}
            return [Canary(kind, key=key) for kind, key in named.items() if key]
    raise AssertionError("working keys that no master key opens")


def cards_and_pins(payloads: list[bytes]) -> list[Canary]:
    """What cardholders have: the cards that went over the lines, and what was typed."""
    found = {Canary("PIN", PIN), Canary("PIN", TYPED_PIN), Canary("payment code", PAYMENT_CODE)}
    messages = [unseal(payload).message for payload in payloads]
    pans = {message.text(F.PAN) for message in messages if message.has(F.PAN)}
    for card in (card for card in TEST_CARDS.values() if card.pan in pans):
        found |= {Canary("chip key", key=bytes(card.chip_key)), Canary("track", card.track2)}
        found.add(Canary("track", card.track2.replace("D", "=")))
    for message in messages:
        found |= {Canary("track", message.text(number)) for number in (F.TRACK2, F.TRACK3) if message.has(number)}
        if block := message.octets(F.PIN_BLOCK):
            found.add(Canary("PIN block", key=block))
    return [*found, *(Canary("PAN", pan) for pan in pans)]


@pytest.mark.timeout(300)
def test_nothing_secret_is_left_of_a_life(life: Life) -> None:
    """Whoever finds a log, a backup or an old terminal could pay with the customers' cards."""
    canaries = cards_and_pins(life.tap.payloads) + keys_on_the_wire(life) + life.keys
    kinds = {canary.kind for canary in canaries}
    assert kinds >= {"PAN", "track", "PIN", "PIN block", "TMK", "PIK", "MAK", "TDK", "STORAGE", "transport key"}
    search = Search(canaries)
    found = search.walk(life.place)
    for what, said in life.said:
        found |= search.look(f"said by {what}", said.encode())
    assert forbidden(found) == set()
    for file, kind in ALLOWED:
        assert any(is_at(leak, file, kind) for leak in found), f"nothing needs {file}: {kind}"


# the same in one process, where everything can be heard


async def test_nothing_secret_is_said_at_debug_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engineer who turns up the log would write down the customers' cards."""
    built: list[World] = []

    @asynccontextmanager
    async def listening(*arguments: Any) -> AsyncIterator[World]:
        async with world(*arguments) as made:
            built.append(made)
            yield made

    monkeypatch.setattr(runner, "world", listening)
    root, handler = logging.getLogger(), logging.FileHandler(tmp_path / "debug.log")
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        scenario = load_scenario(str(shipped(FIRST_LIFE)), STEPS, Policy)
        result = await Runner(STEPS, Over.MEMORY, 7).run(scenario, lambda step: None, tmp_path)
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()
    assert result.verdict == "passed"
    run = RunResult((result,), 7, result.duration_s, result.virtual_s)
    for name, text in (
        ("report.json", json.dumps(run_document(run), ensure_ascii=False)),
        ("report.html", html_report(run, "zh")),
        ("report.xml", junit_xml(run)),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    for device in built[0].devices.values():
        for name in SIZES:
            (tmp_path / f"{device.name}.{name}").write_bytes(getattr(device.hardware.chips, name).image)
        told = "\n".join(map(repr, (device, device.hardware, device.terminal.told, device.terminal.book)))
        (tmp_path / f"{device.name}.told").write_text(told, encoding="utf-8")
    assert (tmp_path / "debug.log").stat().st_size > 1000
    payloads = [passed.payload for passed in built[0].passed]
    assert forbidden(Search(cards_and_pins(payloads)).walk(tmp_path)) == set()
