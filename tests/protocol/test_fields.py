"""TABLE FIELDS."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.elements import LAST_FIELD
from protocol.fields import FIELDS, F, Form, Mask

DIGITS = {2, 3, 4, 11, 12, 13, 14, 15, 22, 23, 25, 26, 32, 48, 53, 60, 61}
TRACKS = {35, 36}
TEXT = {37, 38, 39, 41, 42, 44, 49, 54, 63}
HEX = {47, 52, 55, 57, 58, 59, 62, 64}


@pytest.mark.parametrize(
    ("form", "numbers"), [(Form.DIGITS, DIGITS), (Form.TRACK, TRACKS), (Form.TEXT, TEXT), (Form.HEX, HEX)]
)
def test_the_form_of_a_field_in_json_is_fixed(form: Form, numbers: set[int]) -> None:
    """Scripts that read decoded messages would have to guess whether 3132 is a number or two letters."""
    assert {number for number, row in FIELDS.items() if row.form is form} == numbers


def test_names_and_rows_are_the_same_fields() -> None:
    """A field with a name and no row could be written by code and read by nobody."""
    assert set(FIELDS) == {number for name, number in vars(F).items() if name.isupper()} - {F.MTI}
    assert all(2 <= number <= LAST_FIELD and row.number == number for number, row in FIELDS.items())
    assert all(row.name and row.chinese and row.clause for row in FIELDS.values())


@pytest.mark.parametrize(
    "number", [F.TRACK2, F.TRACK3, F.PIN_BLOCK, F.ICC, F.EXPIRY, F.PAYLOAD, F.PRIVATE57, F.ISSUER_DATA, F.DEVICE]
)
def test_what_may_hold_secrets_is_hidden_by_default(number: int) -> None:
    """A cardholder's track or a merchant's keys would stand in a test report."""
    assert FIELDS[number].mask is Mask.HIDDEN


@pytest.mark.feature("K")
def test_the_pan_is_masked_wherever_it_stands() -> None:
    """Card numbers would stand in a test report."""
    assert FIELDS[F.PAN].mask is Mask.PAN
    assert FIELDS[F.TOTALS].mask is Mask.UPLOAD_ITEMS


@pytest.mark.parametrize("number", [row.number for row in FIELDS.values() if row.parts])
def test_the_parts_of_a_field_fill_it(number: int) -> None:
    """A sub-field would be read from the place of another."""
    row = FIELDS[number]
    longest = row.element.bounds()[1]
    reserved = {F.SECURITY: 13, F.ADDITIONAL_RESPONSE: longest - 11}
    assert sum(part.length for part in row.parts) + reserved.get(number, 0) == longest
    for part in row.parts:
        assert part.key.isidentifier()
        assert not part.chinese.isascii()
        assert part.clause
        for code, (chinese, english) in (part.codes or {}).items():
            assert len(code) == part.length
            assert chinese
            assert english.isascii()
    assert [part.length == 0 for part in row.parts].count(True) <= 1


@pytest.mark.parametrize("number", [F.ENTRY_MODE, F.CONDITION_CODE, F.SECURITY, F.CONTROL, F.ORIGINAL])
def test_the_coded_fields_have_parts(number: int) -> None:
    """The tester would have to look codes up in the specification."""
    assert FIELDS[number].parts


def test_a_row_of_another_dialect_may_mean_the_same() -> None:
    """Chip data of a foreign host would be shown as bytes, or its private field as ours."""
    wider = replace(FIELDS[F.ICC], clause="another")
    assert wider.means(FIELDS[F.ICC])
    assert not wider.means(FIELDS[F.PAYLOAD])
    assert not wider.means(None)


@pytest.mark.parametrize(
    ("number", "bounds"),
    [(F.PAN, (0, 19)), (F.AMOUNT, (12, 12)), (F.TRACK2, (0, 37)), (F.TOTALS, (0, 322)), (F.PAYLOAD, (0, 999))],
)
def test_the_lengths_are_those_of_the_specification(number: int, bounds: tuple[int, int]) -> None:
    """A host of the specification would refuse what a terminal sends."""
    assert FIELDS[number].element.bounds() == bounds
