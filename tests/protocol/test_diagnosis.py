"""What a device tells of itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.diagnosis import SECTIONS, pack_diagnosis, read_diagnosis
from protocol.errors import DecodeError, EncodeError
from protocol.private import pack_tags, unpack_tags

FIELD_62_BYTES_MAX = 999
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789_.", min_size=1, max_size=30)
VALUES = st.text("abcXYZ0123456789_.:+-", min_size=1, max_size=20)
SECTION_NAMES = [section.name for section in SECTIONS.values()]


@given(st.dictionaries(st.sampled_from(SECTION_NAMES), st.dictionaries(NAMES, VALUES, max_size=40)))
def test_a_diagnosis_comes_back_as_far_as_it_fits(diagnosis: dict[str, dict[str, str]]) -> None:
    """The desk would look at the wrong part, or the whole answer be lost for one item too many."""
    tags = pack_diagnosis(diagnosis)
    packed = pack_tags([("CN", b"4294967295"), ("RS", b"done"), *tags])
    assert len(packed) <= FIELD_62_BYTES_MAX
    read = read_diagnosis(unpack_tags(packed, field=62))
    for name, items in read.items():
        told = list(diagnosis[name].items())
        assert list(items.items()) == told[: len(items)]
    for section in SECTIONS.values():
        items = diagnosis.get(section.name, {})
        if sum(len(name) + len(value) + 2 for name, value in items.items()) < section.bytes_max:
            assert read.get(section.name, {}) == items


@pytest.mark.parametrize(
    "item", [("", "x"), ("a", ""), ("a b", "c"), ("a", "b c"), ("A", "b"), ("a", "正常"), ("a=b", "c")]
)
def test_what_is_no_item(item: tuple[str, str]) -> None:
    """One strange value would make the whole diagnosis unreadable."""
    with pytest.raises(EncodeError):
        pack_diagnosis({"power": dict([item])})


@pytest.mark.parametrize("raw", [b"", b"x", b"a=", b"=b", b"a=b  c=d", b"a=b ", b"a=\xff", b"a=b;drop"])
def test_what_is_no_section(raw: bytes) -> None:
    """A terminal could write what it likes into the books of the desk."""
    with pytest.raises(DecodeError) as refused:
        read_diagnosis({"PW": raw})
    assert (refused.value.field, refused.value.code) == (62, "tags")


def test_other_tags_are_left_alone() -> None:
    """An acknowledgement without a diagnosis would be refused."""
    assert read_diagnosis({"CN": b"1", "RS": b"done"}) == {}
