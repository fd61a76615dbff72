"""``poslab terminal``: one emulated terminal as a process, in front of a host as a process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.shop import HostCommand, poslab, serving


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostCommand]:
    """A host that runs."""
    with serving(tmp_path_factory.mktemp("terminal")) as host:
        yield host


class Counter:
    """A counter with a key card in its drawer."""

    def __init__(self, host: HostCommand, place: Path, number: int) -> None:
        self.host, self.place = host, place
        self.serial_number = f"CMD{number:09d}"
        self.terminal_id = f"{30_000_000 + number}"
        host.admin("register", self.terminal_id, f"899{number:012d}", "--serial-number", self.serial_number)
        host.admin("key-card", self.serial_number, "--out", str(place / "card.json"))

    def terminal(self, *words: str) -> tuple[int, str, str]:
        """Switch the terminal on, do what is said, switch it off."""
        done = poslab("terminal", "--key-card", "card.json", "--connect", self.host.url, *words, cwd=self.place)
        return done.returncode, done.stdout, done.stderr

    def documents(self, *words: str) -> list[dict[str, Any]]:
        """The same for programs."""
        status, out, err = self.terminal(*words, "--json")
        assert (status, err) == (0, ""), out + err
        return [json.loads(line) for line in out.splitlines()]

    def captured(self) -> int:
        """What the host has for the open batch, in fen."""
        rows = self.host.admin("transactions", "--terminal-id", self.terminal_id)["transactions"]
        return sum(row["amount_fen"] for row in rows if row["kind"] == "sale" and row["state"] == "captured")


def test_a_sale_with_a_key_card(host: HostCommand, tmp_path: Path) -> None:
    """Whoever tests a host of their own could not even sell once."""
    counter = Counter(host, tmp_path, 1)
    status, out, err = counter.terminal("--do", "sale 60.00 debit")
    assert (status, err) == (0, "")
    assert "✓ 00 sale approved" in out
    assert "RMB 60.00" in out
    assert counter.captured() == 60_00
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["tmk"].lower() not in (out + host.log).lower()
    assert "6200000100000004" not in out + host.log


def test_the_device_remembers_in_its_folder(host: HostCommand, tmp_path: Path) -> None:
    """The batch would be empty after every call, and nothing could be voided or settled."""
    counter = Counter(host, tmp_path, 2)
    (sale,) = (told for told in counter.documents("--state", "till", "--do", "sale 60.00") if told["flow"] == "sale")
    counter.documents("--state", "till", "--do", "sale 40.00 credit")
    assert counter.captured() == 100_00
    told = counter.documents("--state", "till", "--do", f"void {sale['stan']}", "--do", "settle")
    assert [outcome["result"] for outcome in told if outcome["flow"] in ("void", "settle")] == ["approved", "done"]
    assert told[-1]["detail"]["balanced"] == "yes"
    assert counter.captured() == 40_00
    assert (tmp_path / "till").stat().st_mode & 0o077 == 0


WRONG = {
    "an unknown flow": (("--do", "sael 60.00"), "did you mean 'sale'?"),
    "no words": (("--do", ""), "unknown flow"),
    "too few words": (("--do", "void"), "void STAN"),
    "too many words": (("--do", "echo echo"), "echo"),
    "an unknown card": (("--do", "sale 60.00 debut"), "did you mean 'debit'?"),
    "no such option": (("--don", "echo"), "--do"),
    "an endpoint that is none": (("--connect", "tpc://127.0.0.1:1", "--do", "echo"), "tpc"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_words_are_a_wrong_call(tmp_path: Path, host: HostCommand, name: str) -> None:
    """A script would go on as if its sale had been made."""
    words, hint = WRONG[name]
    card = {"serial_number": "CMD1", "model": "PX-E90", "terminal_id": "30000001", "merchant_id": "899000000000001"}
    (tmp_path / "card.json").write_text(json.dumps({**card, "tmk": "11" * 16, "host_public_key": "22" * 32}))
    done = poslab("terminal", "--connect", host.url, "--key-card", "card.json", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert hint in done.stderr


def test_a_refusal_is_exit_status_1(host: HostCommand, tmp_path: Path) -> None:
    """A script could not tell a sale that was refused from one that was made."""
    counter = Counter(host, tmp_path, 3)
    host.admin("hold", counter.serial_number, "dispute")
    status, out, _ = counter.terminal("--do", "sale 60.00", "--lang", "zh")
    assert status == 1
    assert "✗ 58" in out
    assert counter.captured() == 0


def test_a_device_with_unsettled_sales_is_not_emptied_by_one_word(host: HostCommand, tmp_path: Path) -> None:
    """The merchant's day would be gone from the only memory that can settle it, without a question."""
    counter = Counter(host, tmp_path, 5)
    counter.documents("--do", "sale 60.00", "--do", "sale 40.00 credit")
    memory = tmp_path / f"till-{counter.serial_number}"
    before = (memory / "journal.chip").read_bytes()
    for _ in range(2):
        status, out, err = counter.terminal("--refurbish", "--do", "sign_in")
        assert (status, out) == (2, "")
        assert "2 transactions of 100.00 yuan" in " ".join(err.replace("│", " ").split())
        assert "--lose-unsettled" in err
    assert (memory / "journal.chip").read_bytes() == before
    assert counter.terminal("--lose-unsettled", "--do", "sign_in")[0] == 2
    counter.documents("--do", "settle")
    counter.documents("--refurbish", "--do", "sign_in")
    counter = Counter(host, tmp_path, 6)
    counter.documents("--do", "sale 5.00")
    status, _, err = counter.terminal("--refurbish", "--do", "sign_in")
    assert (status, "1 transaction of 5.00 yuan" in " ".join(err.replace("│", " ").split())) == (2, True)
    counter.documents("--refurbish", "--lose-unsettled", "--do", "sign_in")


@pytest.mark.parametrize(("number", "chip"), [(7, "journal"), (8, "keys")])
def test_a_device_whose_memory_is_damaged_is_emptied_when_asked_twice(
    host: HostCommand, tmp_path: Path, number: int, chip: str
) -> None:
    """The depot could do nothing with a device that does not start, or would not know what the device has lost."""
    counter = Counter(host, tmp_path, number)
    counter.documents("--do", "sale 5.00")
    memory = tmp_path / f"till-{counter.serial_number}" / f"{chip}.chip"
    content = memory.read_bytes()
    memory.write_bytes(b"\x5a" * 64 + content[64:])
    status, out, err = counter.terminal("--refurbish", "--do", "sign_in")
    assert (status, out, "--lose-unsettled" in err) == (2, "", True)
    counter.documents("--refurbish", "--lose-unsettled", "--do", "sign_in")


def test_nobody_at_the_other_end(tmp_path: Path, host: HostCommand) -> None:
    """The cashier would wait, or be told that a sale that never left is in doubt."""
    counter = Counter(host, tmp_path, 4)
    done = poslab(
        "terminal", "--key-card", "card.json", "--connect", "tcp://127.0.0.1:1", "--do", "sale 60.00", cwd=tmp_path
    )
    assert done.returncode == 3
    assert "the host cannot be reached" in done.stdout
    assert counter.captured() == 0


def test_a_network_and_a_profile_are_chosen(host: HostCommand, tmp_path: Path) -> None:
    """Nobody could see by hand how an old till or one in the cellar behaves."""
    counter = Counter(host, tmp_path, 90)
    status, out, _ = counter.terminal("--network", "no_signal", "--do", "sign_in")
    assert (status, "there is no signal" in out) == (3, True)
    (told, *_) = counter.documents("--network", "wifi", "--state", "old", "--profile", "no_commands", "--do", "sign_in")
    assert told["result"] == "done"
    status, _, err = counter.terminal("--profile", "no_commands", "--forgetful", "--do", "why")
    assert status == 1, err


@pytest.mark.parametrize(("option", "said"), [("--network", "unknown network"), ("--profile", "unknown profile")])
def test_what_there_is_not_is_told_with_what_there_is(
    option: str, said: str, host: HostCommand, tmp_path: Path
) -> None:
    """A slip would run another test than the one that was meant."""
    status, _, err = Counter(host, tmp_path, 91 + (option == "--profile")).terminal(option, "gprz", "--do", "echo")
    assert (status, said in err, len(err.splitlines())) == (2, True, 1)
