"""``poslab crypto certificates``: files that serve, keys that nobody else reads, and nothing written over."""

from __future__ import annotations

import json
import stat
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from cryptography import x509
from typer.testing import CliRunner

from pos_lab import cli
from pos_lab.certificates import BAD, make_certificates
from pos_lab.wall_clock import wall_clock
from protocol.transport import Endpoint, check
from protocol.transport.tls_trust import server_context


def poslab(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.app, ["crypto", "certificates", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_what_a_lab_needs(tmp_path: Path) -> None:
    """A laboratory without openssl could not encrypt a line."""
    out = tmp_path / "new" / "lab"
    status, told, err = poslab("--out", out, "--name", "pos.example", "--name", "192.0.2.1", "--json")
    assert (status, err) == (0, "")
    files = ["ca.pem", "host.key", "host.pem", "terminal.key", "terminal.pem"]
    assert json.loads(told) == {"folder": str(out), "files": files}
    assert sorted(file.name for file in out.iterdir()) == files
    server_context(Endpoint.parse(f"tls://0.0.0.0:0?cert={out}/host.pem&key={out}/host.key"))
    check(f"tls://pos.example:1?ca={out}/ca.pem&cert={out}/terminal.pem&key={out}/terminal.key")
    host = x509.load_pem_x509_certificate((out / "host.pem").read_bytes())
    names = host.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["pos.example"]
    assert list(map(str, names.get_values_for_type(x509.IPAddress))) == ["192.0.2.1"]
    assert {stat.S_IMODE((out / file).stat().st_mode) for file in files if file.endswith(".key")} == {0o600}


def test_bad_ones_are_added_on_request(tmp_path: Path) -> None:
    """Nobody could see that an expired certificate is refused before it happens in a shop."""
    status, told, err = poslab("--out", tmp_path / "lab", "--bad")
    assert (status, err) == (0, "")
    made = {file.name for file in (tmp_path / "lab").iterdir()}
    assert {f"bad-{name}.{kind}" for name in BAD for kind in ("pem", "key")} | {"crl.pem"} <= made
    assert all(row.what in told for row in BAD.values())


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A second call would make every certificate in the shops worthless."""
    assert poslab("--out", tmp_path)[0] == 0
    before = (tmp_path / "ca.pem").read_bytes()
    status, _, err = poslab("--out", tmp_path)
    assert (status, "ca.pem is there already" in err) == (2, True)
    assert (tmp_path / "ca.pem").read_bytes() == before


@pytest.mark.parametrize("name", ["", "a b", "-", "pos..example", "*", "pos.example:8583", "收单", "a" * 64])
def test_a_name_that_is_none(name: str, tmp_path: Path) -> None:
    """A certificate would be made for a host that nobody can reach."""
    status, _, err = poslab("--out", tmp_path / "lab", "--name", name)
    assert (status, "neither a DNS name nor an address" in err) == (2, True)
    assert not (tmp_path / "lab").exists()


def test_a_name_that_no_cn_holds(tmp_path: Path) -> None:
    """Who names its host by a long name would get a traceback instead of bad certificates."""
    name = f"{'a' * 40}.{'b' * 40}"
    assert poslab("--out", tmp_path / "good", "--name", name)[0] == 0
    status, _, err = poslab("--out", tmp_path / "lab", "--name", name, "--bad")
    assert (status, "is too long for a CN" in err) == (2, True)
    assert not (tmp_path / "lab").exists()


def test_the_same_randomness_makes_the_same_certificates() -> None:
    """A run could not be repeated byte by byte."""
    now = wall_clock()
    one, other = (
        make_certificates(["localhost"], now=now, days=1, fresh=Random(5).randbytes, bad=True) for _ in range(2)
    )
    assert one == other
    later = make_certificates(["localhost"], now=now + timedelta(days=1), days=1, fresh=Random(6).randbytes)
    assert not set(later.values()) & set(one.values())
