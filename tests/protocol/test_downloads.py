"""The table of downloads, and the payloads that its messages carry."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.downloads import DOWNLOAD_OF, DOWNLOADS, Form
from protocol.errors import DecodeError, EncodeError
from protocol.header import REQUIREMENTS
from protocol.kinds import KINDS
from protocol.private import (
    CONTACTLESS,
    pack_contactless,
    pack_parameters,
    pack_rates,
    unpack_contactless,
    unpack_rates,
    unpack_status,
)


@pytest.mark.parametrize("name", DOWNLOADS)
def test_a_download_goes_by_the_codes_of_its_requirement(name: str) -> None:
    """CUP 1.9: a terminal that is asked for one table would fetch another."""
    row = DOWNLOADS[name]
    networks = [network for kind in row.kinds for network in KINDS[kind].networks]
    assert sorted(networks) == sorted(REQUIREMENTS[row.requirement].networks)
    assert all(KINDS[kind].may_mac and not KINDS[kind].advances_stan for kind in row.kinds)
    assert bool(row.query) is (row.form is Form.LISTED)


def test_every_kind_of_a_download_belongs_to_one() -> None:
    """A message would be answered with the table of another."""
    assert len(DOWNLOAD_OF) == sum(len(row.kinds) for row in DOWNLOADS.values())


def test_parameters_are_read_as_they_were_written() -> None:
    """A merchant's name in Chinese would shift all that follows; code 26 takes all that is left."""
    values = {"26": "11000", "22": "街角便利店", "12": "60", "17": "95000"}
    raw = pack_parameters(values)
    assert raw.startswith(b"126017")
    assert raw.endswith(b"2611000")
    states, read = unpack_status(raw)
    assert not states
    assert {code: value.rstrip() for code, value in read.items()} == values


def test_the_example_of_contactless_parameters() -> None:
    """CUP 3.7 gives one; a host that writes otherwise is understood by no terminal."""
    raw = (
        b"FF805D0010FF803A003010FF803C003060FF8058012000000030000FF80540011FF80550010FF80560011"
        b"FF80570011FF8059012000000030000FF805A0011"
    )
    values = unpack_contactless(raw)
    assert values == {tag: row.default for tag, row in CONTACTLESS.items()}
    assert pack_contactless(values) == raw


def test_rates() -> None:
    """A foreign card would be charged at the rate of another currency."""
    rates = {"344": "79200000", "840": "67200000"}
    assert pack_rates(rates) == b"3447920000084067200000"
    assert unpack_rates(pack_rates(rates)) == rates
    with pytest.raises(DecodeError):
        unpack_rates(b"840672000x0")


@pytest.mark.parametrize(
    ("pack", "values"),
    [
        (pack_parameters, {"99": "1"}),
        (pack_parameters, {"12": ""}),
        (pack_parameters, {"22": "店" * 21}),
        (pack_contactless, {"ff8054": "1"}),
        (pack_contactless, {"FF8054": ""}),
        (pack_contactless, {"FF8054": "一"}),
        (pack_rates, {"84": "672000000"}),
        (pack_rates, {"840": "6720000"}),
    ],
)
def test_what_does_not_fit_is_not_written(pack: Any, values: dict[str, str]) -> None:
    """One value too long would be read as the beginning of the next."""
    with pytest.raises(EncodeError):
        pack(values)


def test_a_list_names_what_there_is() -> None:
    """A terminal would ask for keys that nobody has."""
    row = DOWNLOADS["ca_keys"]
    raw = bytes.fromhex("9F0605A0000003339F220101DF05083230333531323331" * 2)
    assert ["".join(node.octets.hex() for node in name) for name in row.names_in(raw)] == ["a00000033301"] * 2
    assert list(row.names_in(b"")) == []
    for odd in ("9F220101", "9F0605A000000333"):
        with pytest.raises(DecodeError):
            list(row.names_in(bytes.fromhex(odd)))
