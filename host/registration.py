"""The merchant's form: TABLE FIELD_RULES says what it must look like (product R2, R4, R5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FieldRule:
    """A row of FIELD_RULES: the shape that a field of the form must have, and what the merchant is told."""

    field: str
    shape: str
    chinese: str
    english: str


FIELD_RULES: Final = (
    FieldRule("name", r".{2,40}", "商户名称须为2至40字", "the merchant's name has 2 to 40 characters"),
    FieldRule("contact", r".{2,20}", "联系人须为2至20字", "the contact's name has 2 to 20 characters"),
    FieldRule(
        "telephone",
        r"1[0-9]{10}|0[0-9]{2,3}-[0-9]{7,8}",
        "联系电话格式不正确",
        "a telephone number has 11 digits beginning with 1, or area code-number",
    ),
    FieldRule("address", r".{6,80}", "地址须为6至80字", "the address has 6 to 80 characters"),
)


def broken_rules(form: Mapping[str, str]) -> list[FieldRule]:
    """The rules that a form does not keep."""
    return [rule for rule in FIELD_RULES if not re.fullmatch(rule.shape, form[rule.field])]
