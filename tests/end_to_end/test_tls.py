"""A till and its host as processes over TLS, and what both of them say where they do not believe each other."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.policy import Policy
from pos_lab.scenario.loader import load_scenario
from pos_lab.scenario.runner import Runner
from pos_lab.scenario.steps import STEPS
from pos_lab.world import Over
from protocol.transport.tls_fault import FAULTS
from terminal.line_faults import LINE_FAULTS
from tests.certificates import certificates, connecting, listening
from tests.end_to_end.shop import HostCommand, poslab, serving, until

SCENARIOS = Path(__file__).parents[2] / "scenarios"
AT_THE_HOST_ONLY = {"no_certificate", "crowded"}
BAD_HOSTS = {"bad-expired": "peer_expired", "bad-name_in_ou": "peer_wrong_name"}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostCommand]:
    """A host with a door for each: certificates of terminals wanted, those of BAD_HOSTS shown, nothing encrypted."""
    doors = [listening(shown) for shown in BAD_HOSTS] + ["tcp://127.0.0.1:0"]
    more = [word for door in doors for word in ("--listen", door)]
    with serving(tmp_path_factory.mktemp("tls"), *more, listen=listening(mutual=True)) as host:
        yield host


def a_card(host: HostCommand, place: Path, number: int) -> None:
    """Register a terminal and put its key card into ``place``."""
    serial_number = f"TLS{number:09d}"
    host.admin("register", f"{40_000_000 + number}", f"898{number:012d}", "--serial-number", serial_number)
    host.admin("key-card", serial_number, "--out", str(place / "card.json"))


def terminal(url: str, place: Path, *words: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the terminal at ``url``; its exit status and what it told."""
    options = ("--key-card", "card.json", "--state", "till", "--timeout", "5", "--json")
    done = poslab("terminal", "--connect", url, *options, *words, cwd=place)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_till_sells_over_tls(host: HostCommand, tmp_path: Path) -> None:
    """Whoever must encrypt the line could not work with the laboratory at all."""
    a_card(host, tmp_path, 1)
    status, told = terminal(connecting(host.url, "terminal"), tmp_path, "--do", "sale 60.00 debit", "--do", "settle")
    assert status == 0, told
    assert [each["result"] for each in told if each["flow"] in ("sale", "settle")] == ["approved", "done"]
    assert "?" not in host.url
    key = (certificates() / "host.key").read_text().splitlines()[1]
    assert key not in host.log


def test_a_sale_whose_certificate_is_refused_late_is_reversed(host: HostCommand, tmp_path: Path) -> None:
    """In TLS 1.3 the sale leaves before the host says no; the cashier would be promised what nobody knows (N27)."""
    a_card(host, tmp_path, 2)
    assert terminal(connecting(host.url, "terminal"), tmp_path, "--do", "sign_in")[0] == 0
    status, told = terminal(connecting(host.url), tmp_path, "--do", "sale 60.00 debit")
    assert status == 1
    assert next((each["result"], each["reason"], each["detail"].get("line")) for each in told) == (
        "unknown",
        "terminal.no_answer",
        "ours_missing",
    )
    assert "主机要求终端证书" in told[0]["text_zh"]
    status, told = terminal(connecting(host.url, "terminal"), tmp_path, "--do", "sale 70.00 debit", "--do", "settle")
    assert status == 0, told
    assert told[-1]["detail"]["balanced"] == "yes"
    until(lambda: "the terminal shows no certificate" in host.log, "a line of the log")


def test_a_bad_host_is_named_on_the_screen_and_in_the_log(host: HostCommand, tmp_path: Path) -> None:
    """The shop would ring support with nothing but: no line (N26)."""
    a_card(host, tmp_path, 3)
    for (shown, code), url in zip(BAD_HOSTS.items(), host.urls[1:-1], strict=True):
        known = len(host.log)
        status, (told,) = terminal(connecting(url), tmp_path, "--do", "sign_in")
        assert (status, told["reason"], told["detail"]["line"]) == (3, "terminal.no_line", code), shown
        assert LINE_FAULTS[code].chinese in told["text_zh"]
        assert LINE_FAULTS[code].english in told["text_en"]
        until(lambda at=known: "WARNING refused" in host.log[at:], "a line of the log")
        lines = [line for line in host.log[known:].splitlines() if "refused" in line]
        assert all(len(line) < 200 for line in lines)


def test_strangers_at_the_door_are_told_sparingly(host: HostCommand, tmp_path: Path) -> None:
    """A port scanner would fill the log and the host's places (N30)."""
    where, known = ("127.0.0.1", host.port), len(host.log)
    for said in (b"GET / HTTP/1.1\r\n\r\n", b"\x00\x4a\x60\x00", b"\x16\x03\x01\x00\x05hello", b"") * 20:
        with socket.create_connection(where, 5) as line:
            line.sendall(said)
            if said:
                line.settimeout(5)
                try:
                    line.recv(100)
                except ConnectionResetError:
                    continue
    for reason in ("does not speak TLS", "ended the connection in the handshake"):
        until(lambda said=reason: said in host.log[known:], reason)
    assert host.log[known:].count("refused") < 60
    a_card(host, tmp_path, 4)
    assert terminal(connecting(host.url, "terminal"), tmp_path, "--do", "echo")[0] == 0


def test_a_tls_terminal_at_a_plain_port(host: HostCommand, tmp_path: Path) -> None:
    """A wrong scheme in the settings would look like a host that is down (N30)."""
    a_card(host, tmp_path, 5)
    status, told = terminal(connecting(host.urls[-1].replace("tcp:", "tls:")), tmp_path, "--do", "sign_in")
    assert (status, told[0]["detail"]["line"]) == (3, "ended")
    assert "TLS ClientHello" in host.log


def test_a_wrong_file_is_told_before_anything_runs(tmp_path: Path) -> None:
    """A host that cannot show its certificate would start and refuse everybody."""
    for words in (("host", "--listen"), ("terminal", "--serial-number", "X", "--connect")):
        done = poslab(*words, "tls://127.0.0.1:0?cert=none.pem", cwd=tmp_path)
        assert done.returncode == 2
        assert "none.pem cannot be read" in done.stderr
        assert len(done.stderr.splitlines()) == 1


async def test_a_scenario_over_tls() -> None:
    """What the scenarios prove would be proved without encryption only."""
    scenario = load_scenario(str(SCENARIOS / "lifecycle/first_life.yaml"), STEPS, Policy)
    result = await Runner(STEPS, Over.TLS, seed=11).run(scenario, lambda told: None)
    assert result.verdict == "passed"


def test_every_fault_of_tls_can_be_told_to_the_cashier() -> None:
    """A terminal would say no more than that there is no line (N26)."""
    assert set(FAULTS) - AT_THE_HOST_ONLY <= set(LINE_FAULTS)
