"""The merchant's form and papers: TABLE FIELD_RULES, TABLE MERCHANT_TYPES, TABLE PAPERS (product R2 to R5).

Rules owned here: what each entry of the form must look like, which papers each type of merchant hands in, what the
reference of each paper looks like. References are numbers of papers, never the papers themselves.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
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
    FieldRule("region", r"|[0-9]{6}", "地区代码须为6位数字", "a region code has 6 digits"),
)


@dataclass(frozen=True, slots=True)
class Paper:
    """A row of PAPERS: its names, and the shape of its reference."""

    kind: str
    chinese: str
    english: str
    shape: str


PAPERS: Final[Mapping[str, Paper]] = MappingProxyType(
    {
        row.kind: row
        for row in (
            Paper("identity", "负责人身份证明", "proof of the owner's identity", r"[0-9A-Z-]{4,32}"),
            Paper("licence", "营业执照", "business licence", r"[0-9A-HJ-NPQRTUWXY]{18}"),
            Paper("account", "结算账户证明", "proof of the settlement account", r"[0-9A-Z-]{4,32}"),
            Paper("premises", "经营场所证明", "proof of the premises", r"[0-9A-Z-]{4,32}"),
            Paper("certificate", "事业单位法人证书", "certificate of the institution", r"[0-9A-HJ-NPQRTUWXY]{18}"),
        )
    }
)


@dataclass(frozen=True, slots=True)
class MerchantType:
    """A row of MERCHANT_TYPES: the papers of a type."""

    chinese: str
    english: str
    papers: tuple[str, ...]


MERCHANT_TYPES: Final[Mapping[str, MerchantType]] = MappingProxyType(
    {
        "lab": MerchantType("实验商户", "a merchant of the laboratory", ()),
        "micro": MerchantType("小微商户", "a person who trades", ("identity", "premises")),
        "individual": MerchantType("个体工商户", "a business of one person", ("identity", "licence", "premises")),
        "company": MerchantType("企业", "a company", ("identity", "licence", "account", "premises")),
        "institution": MerchantType("事业单位", "a public institution", ("identity", "certificate", "account")),
    }
)


def broken_rules(form: Mapping[str, str]) -> list[FieldRule]:
    """The rules that a form does not keep."""
    return [rule for rule in FIELD_RULES if not re.fullmatch(rule.shape, form[rule.field])]


def missing_papers(merchant_type: str, filed: Collection[str]) -> list[Paper]:
    """The papers of a type that were not handed in."""
    return [PAPERS[kind] for kind in MERCHANT_TYPES[merchant_type].papers if kind not in filed]
