"""What an acquirer sees of signatures: which are there, which are missing, and one as a picture."""

from __future__ import annotations

import struct
import zlib

import pytest

from host.errors import AdminError
from protocol.jbig.bitmap import read_pbm
from protocol.jbig.decoder import decode
from tests.host.handlers.test_signature import PICTURE, signed
from tests.host.wire import DEBIT, Wire

pytestmark = pytest.mark.feature("E")


def unfiltered(png: bytes) -> bytes:
    """The rows of a PNG file, each behind its filter byte."""
    at = png.index(b"IDAT")
    (size,) = struct.unpack(">I", png[at - 4 : at])
    return zlib.decompress(png[at + 4 : at + 4 + size])


def test_what_is_missing_is_listed(active: Wire) -> None:
    """An approval without signature would be found out in the dispute only (G1)."""
    sold = [active.sell(fen) for fen in (100, 30_000, 30_001, 40_000)]
    assert active.code(signed(active, sold[2])) == "00"
    missing = active.lab.act("missing_signatures", terminal_id=active.terminal_id, batch=active.batch)["missing"]
    assert [(row["stan"], row["amount_fen"]) for row in missing] == [(sold[3].stan, 40_000)]
    assert active.lab.act("missing_signatures", terminal_id="99999999")["missing"] == []
    assert DEBIT not in str(missing)
    assert [row["stan"] for row in active.lab.act("signatures")["signatures"]] == [sold[2].stan]


@pytest.mark.parametrize("form", ["pbm", "png"])
def test_a_signature_as_a_picture(active: Wire, form: str) -> None:
    """Whoever decides the dispute could not look at it."""
    sold = active.sell(100)
    assert active.code(signed(active, sold)) == "00"
    key = {"terminal_id": active.terminal_id, "batch": sold.batch, "stan": sold.stan}
    told = active.lab.act("signature", **key, form=form)
    assert (told["width"], told["height"], told["state"], told["amount_fen"]) == (240, 80, "captured", 100)
    bitmap = decode(PICTURE)
    if form == "pbm":
        assert read_pbm(told["picture"]) == bitmap
    else:
        rows = unfiltered(told["picture"])
        assert told["picture"].startswith(b"\x89PNG\r\n\x1a\n")
        assert (
            b"".join(rows[at + 1 : at + 31] for at in range(0, len(rows), 31)).translate(
                bytes(byte ^ 0xFF for byte in range(256))
            )
            == bitmap.rows
        )


def test_there_is_no_such_signature(active: Wire) -> None:
    """A typing error would show an empty picture as evidence."""
    for key, code in (({"form": "gif"}, "unknown_form"), ({}, "unknown_signature")):
        with pytest.raises(AdminError) as raised:
            active.lab.act("signature", terminal_id=active.terminal_id, batch="000001", stan="000999", **key)
        assert raised.value.code == code
