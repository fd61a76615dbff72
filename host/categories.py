"""TABLE CATEGORIES: what a merchant may trade as, and the credit rate that goes with it (product M, no 跳码).

A category is an MCC of four digits. A contract below the rate of its category is how a cheaper category is abused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from host.records import Merchant


@dataclass(frozen=True, slots=True)
class Category:
    """A row of CATEGORIES; ``credit_bp`` is the least that its merchants pay for credit cards."""

    code: str
    chinese: str
    english: str
    credit_bp: int


CATEGORIES: Final[Mapping[str, Category]] = MappingProxyType(
    {
        row.code: row
        for row in (
            Category("5311", "百货商店", "department store", 55),
            Category("5411", "超市", "supermarket", 38),
            Category("5541", "加油站", "service station", 38),
            Category("5812", "餐饮", "restaurant", 55),
            Category("5912", "药店", "pharmacy", 55),
            Category("5944", "珠宝", "jeweller", 55),
            Category("7011", "酒店", "hotel", 55),
            Category("8062", "医院", "hospital", 0),
            Category("8211", "学校", "school", 0),
            Category("8398", "公益", "charity", 0),
        )
    }
)


def inconsistencies(merchant: Merchant, band_bp: tuple[int, int]) -> list[str]:
    """What in a merchant's contract does not fit its category, or the band of credit rates."""
    category = CATEGORIES.get(merchant.category)
    low, high = band_bp
    found = []
    if merchant.category and category is None:
        found.append(f"category {merchant.category} is not in the catalogue")
    if category and merchant.credit_bp < category.credit_bp:
        found.append(f"{merchant.credit_bp} bp is less than a {category.english} pays ({category.credit_bp} bp)")
    if not low <= merchant.credit_bp <= high and not (category and category.credit_bp < low):
        found.append(f"credit rate {merchant.credit_bp} bp is outside {low} to {high}")
    return found
