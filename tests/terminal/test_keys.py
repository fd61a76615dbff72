"""Keys of the terminal: which it asks for, and a master key over the line (CUP 5.1, 5.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from firmware_sim.power import PowerLost, cuts
from firmware_sim.secure_module import KeyState
from protocol.crypto.key import MacKey, MasterKey, PinKey
from protocol.crypto.keys import WorkingKeys, check_value, pack_working_keys
from protocol.crypto.tmk_download import transport_key, unpack_master_key
from protocol.crypto.tmk_exchange import pack_answer, pack_signed_key
from protocol.fields import F
from protocol.private import Control
from terminal.flows.sign_in import ALGORITHMS
from terminal.settings import Settings
from terminal.transaction import Key
from tests.terminal.bench import Bench, bench_at, once, swallow
from tests.terminal.fake_host import HOST_PUBLIC_KEY, SIGNING_KEY, TMK, Answer, FakeHost

PRIVATE = rsa.generate_private_key(65537, 1024)
OFFERED = transport_key(PRIVATE, bytes.fromhex("A000000333"), b"\x01")
NEW_TMK = bytes(range(100, 116))


@dataclass
class KeyHost(FakeHost):
    """A host that gives its master key over the line."""

    tmk: bytes = TMK

    def _rsa_key(self, reply: Answer, key: Key) -> None:
        reply.fields[F.PAYLOAD] = pack_signed_key(OFFERED, SIGNING_KEY)

    def _master_key(self, reply: Answer, key: Key) -> None:
        transport = unpack_master_key(PRIVATE, reply.request.octets(F.PAYLOAD))
        reply.fields[F.PAYLOAD] = pack_answer(transport, self.tmk)


@pytest.fixture
def host() -> KeyHost:
    return KeyHost()


@pytest.fixture
async def bench(host: KeyHost) -> AsyncIterator[Bench]:
    async with bench_at(host) as built:
        yield built


def tmk_of(bench: Bench) -> str:
    """The check value of the master key in the device."""
    return bench.terminal.board.secure_module.check_values()["TMK"]


def shown(key: bytes) -> str:
    return check_value(key).hex().upper()


def single(answer: Answer) -> None:
    """Keys of single length, whatever was asked for."""
    keys = WorkingKeys(PinKey(b"p" * 8), MacKey(b"m" * 8))
    answer.fields[F.PAYLOAD] = pack_working_keys(TMK, keys)


# which keys


@pytest.mark.parametrize(
    ("model", "network", "reason"),
    [
        ("PX-E90", "006", ""),
        ("PX-E90", "005", ""),
        ("LK-E12", "006", "terminal.no_algorithm"),
        ("LK-E12", "005", "terminal.no_algorithm"),
        ("LK-E12", "004", ""),
        ("LK-E12", "001", ""),
    ],
)
async def test_a_terminal_asks_for_keys_that_its_model_can_use(model: str, network: str, reason: str) -> None:
    """The host would issue keys that the device cannot load, and take the old ones away."""
    async with bench_at(KeyHost(), model=model, network=network) as bench:
        outcome = await bench.do("sign_in")
        asked = [Control.parse(request.text(F.CONTROL)).network for request in bench.host.asked("sign_in")]
        if reason:
            assert (outcome.reason, asked) == (reason, [])
        else:
            assert asked == [network]


async def test_what_the_model_cannot_use_is_not_loaded() -> None:
    """A host that answers another layout than it was asked for would leave a device that makes no MAC."""
    async with bench_at(KeyHost(), network="003") as bench:
        module = bench.terminal.board.secure_module
        module._algorithms = frozenset({"3des"})
        bench.host.after.append(once("sign_in", single))
        assert (await bench.do("sign_in")).reason == "terminal.no_algorithm"
        assert module.key_state is KeyState.TMK
        assert (await bench.do("sign_in")).is_good


def test_every_network_code_of_the_settings_has_an_algorithm() -> None:
    """A setting would stop the program."""
    for network in ALGORITHMS:
        Settings(terminal_id="10000001", merchant_id="898100000000001", network=network)  # type: ignore[arg-type]


# a master key over the line


async def test_a_master_key_over_the_line(bench: Bench, host: KeyHost) -> None:
    """A terminal in a village would travel to the depot for a new key."""
    await bench.sell()
    host.tmk = NEW_TMK
    outcome = await bench.do("download_master_key")
    assert (outcome.result, outcome.detail["check_value"]) == ("done", shown(NEW_TMK))
    assert [request.has(F.MAC) for request in bench.host.asked("master_key")] == [True]
    assert (tmk_of(bench), bench.terminal.board.secure_module.key_state) == (shown(NEW_TMK), KeyState.TMK)
    bench.restart()
    assert tmk_of(bench) == shown(NEW_TMK)


async def test_a_fresh_device_needs_nothing_but_the_hosts_key(bench: Bench, host: KeyHost) -> None:
    """A clear master key would have to travel with every new terminal."""
    fresh = Bench(host, bench.hardware.url, with_keys=False)
    module = fresh.terminal.board.secure_module
    module.loader.load_host_key(HOST_PUBLIC_KEY)
    assert module.key_state is KeyState.NONE
    assert (await fresh.do("sign_in")).reason == "terminal.no_master_key"
    assert (await fresh.do("download_master_key")).is_good
    assert (await fresh.sell()).result == "approved"
    fresh.hardware.close()


async def test_without_the_hosts_key_nothing_is_asked(bench: Bench, host: KeyHost) -> None:
    """A device would take the key of whoever answers first."""
    fresh = Bench(host, bench.hardware.url, with_keys=False)
    outcome = await fresh.do("download_master_key")
    assert (outcome.reason, host.requests) == ("terminal.no_host_key", [])
    fresh.hardware.close()


def forge(answer: Answer) -> None:
    """Somebody offers an RSA key of his own."""
    answer.fields[F.PAYLOAD] = pack_signed_key(OFFERED, b"X" * 32)


def empty(answer: Answer) -> None:
    """Field 62 is missing."""
    answer.fields.pop(F.PAYLOAD, None)


def other(answer: Answer) -> None:
    """An answer for another transport key."""
    answer.fields[F.PAYLOAD] = pack_answer(MasterKey(b"o" * 16), NEW_TMK)


@pytest.mark.parametrize(
    ("kind", "change", "reason", "counter"),
    [
        ("rsa_key", forge, "terminal.bad_host_key", "bad_signature"),
        ("rsa_key", empty, "terminal.bad_host_key", ""),
        ("rsa_key", swallow, "terminal.no_answer", ""),
        ("master_key", empty, "terminal.bad_keys", ""),
        ("master_key", other, "terminal.bad_keys", "bad_key_load"),
        ("master_key", swallow, "terminal.no_answer", ""),
    ],
)
async def test_a_download_that_fails_changes_nothing_and_works_the_next_time(
    bench: Bench, host: KeyHost, kind: str, change: Callable[[Answer], None], reason: str, counter: str
) -> None:
    """A forged or lost answer would leave the terminal without a key (A08, A14)."""
    await bench.sell()
    host.tmk = NEW_TMK
    bench.host.after.append(once(kind, change))
    module = bench.terminal.board.secure_module
    before = module.check_values()
    assert (await bench.do("download_master_key")).reason == reason
    assert module.check_values() == before
    assert {name for name, count in module.counters.items() if count} == (
        {counter, "bad_key_loads_in_a_row"} if counter == "bad_key_load" else {counter} - {""}
    )
    assert (await bench.sell()).result == "approved"
    assert (await bench.do("download_master_key")).is_good
    assert tmk_of(bench) == shown(NEW_TMK)


async def test_a_refusal_of_the_host_is_told(bench: Bench) -> None:
    """The cashier would try again for ever, without knowing whom to call."""
    bench.host.before.append(
        lambda answer: answer.refuse("58", "key.download_closed") if answer.kind == "master_key" else None
    )
    outcome = await bench.do("download_master_key")
    assert (outcome.result, outcome.code, outcome.reason) == ("refused", "58", "key.download_closed")


async def test_a_cut_anywhere_in_a_download_leaves_a_terminal_that_sells(bench: Bench) -> None:
    """A14: a plug pulled between the master key and the working keys would end the terminal's life."""
    await bench.do("sign_in")
    with bench.hardware.power.watched() as points:
        await bench.do("download_master_key")
        await bench.do("sign_in")
    assert len(points) > 20
    for number, phase in list(cuts(points))[:: max(1, len(points) // 40)]:
        bench.hardware.power.cut_at(number, phase)
        try:
            await bench.do("download_master_key")
            await bench.do("sign_in")
        except PowerLost:
            bench.restart()
        bench.hardware.power.spare()
        assert (await bench.sell()).result == "approved", (number, phase)
