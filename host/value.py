"""The decorator ``value``: a dataclass that nobody changes, which costs no more to make than any other.

A frozen dataclass writes each field through ``object.__setattr__``. A request makes some twenty objects of three
hundred fields, for which that takes longer than deciding. Here the type checker refuses every assignment, and the
machine makes an ordinary object with slots.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Make a class a value: compared, hashed and shown by its fields."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
