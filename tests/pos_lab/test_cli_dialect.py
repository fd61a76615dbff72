"""``--dialect`` of ``poslab decode`` and ``poslab encode``."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from pos_lab.commands.decode import app as decode_app
from pos_lab.commands.encode import app as encode_app
from protocol.codec import pack, seal
from protocol.dialects import DIALECTS
from protocol.framing import FRAMINGS
from tests.protocol.samples import SALE
from tests.protocol.test_dialects import ISO_ECHO, ISO_SALE, PB_SALE

SAMPLES = {
    "cup": SALE, "cj": SALE, "payby": PB_SALE, "iso87-ascii": ISO_SALE, "iso87-bcd": ISO_ECHO,
}  # fmt: skip


@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("name", DIALECTS)
def test_there_and_back(name: str, bare: bool, framed: bool) -> None:
    """A message of a foreign host could be read and not be sent again."""
    dialect = DIALECTS[name]
    payload = (pack if bare else seal)(SAMPLES[name], dialect=dialect)
    given = FRAMINGS["len2"]().wrap(payload) if framed else payload
    args = [given.hex(), "--dialect", name, "--json", "--unmask", "--lang", "en"]
    told = CliRunner().invoke(decode_app, args)
    assert told.exit_code == 0, told.output
    assert (json.loads(told.stdout)["tpdu"] is None) == bare
    back = CliRunner().invoke(encode_app, ["-", "--dialect", name], input=told.stdout)
    assert back.stdout.strip() == given.hex().upper()
    dump = CliRunner().invoke(decode_app, [*args[:3], "--lang", "zh"])
    assert dump.exit_code == 0


def test_an_unknown_dialect_is_a_wrong_call() -> None:
    """A typing mistake would be read as another dialect."""
    for app, first in ((decode_app, "0800"), (encode_app, "-")):
        told = CliRunner().invoke(app, [first, "--dialect", "iso93"], input="{}")
        assert told.exit_code == 2
        assert "iso87-ascii" in told.output


def test_the_wrong_dialect_is_an_error() -> None:
    """Nonsense would be shown as a message."""
    told = CliRunner().invoke(decode_app, [pack(ISO_SALE, DIALECTS["iso87-ascii"]).hex(), "--json", "--lang", "en"])
    assert told.exit_code == 2
    assert json.loads(told.stdout)["ok"] is False
