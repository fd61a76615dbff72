"""The parts of a master key, carried by different people and entered one after the other (dual control).

Rules owned here: a master key is the XOR of two or three components; each has a check value of its own, none comes
twice, and no component alone says anything about the key. All are overwritten when they were combined or given up.
"""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import Final

from cryptography.hazmat.primitives.constant_time import bytes_eq

from firmware_sim.errors import SecureModuleError
from firmware_sim.key_slots import TMK_BYTES
from firmware_sim.keypad import wipe
from protocol.crypto.keys import check_value

COMPONENTS: Final = (2, 3)


class Components:
    """The components that were entered so far."""

    def __init__(self) -> None:
        self._entered: list[bytearray] = []

    def enter(self, component: bytes, stated: str) -> int:
        """Take the next component, 16 bytes, with its check value in hex; returns how many there are.

        Raises SecureModuleError "key_length", "component_check_value", "component_repeated" and "component_count".
        """
        if len(component) != TMK_BYTES:
            raise SecureModuleError(f"a component has {TMK_BYTES} bytes", code="key_length")
        if not agrees(component, stated):
            raise SecureModuleError("the check value of the component differs", code="component_check_value")
        if component in self._entered:
            raise SecureModuleError("this component was entered already", code="component_repeated")
        if len(self._entered) == COMPONENTS[-1]:
            raise _wrong_count()
        self._entered.append(bytearray(component))
        return len(self._entered)

    def combined(self) -> bytes:
        """Return the key; its components are overwritten in any case. Raises SecureModuleError "component_count"."""
        try:
            if len(self._entered) not in COMPONENTS:
                raise _wrong_count()
            key = reduce(xor, (int.from_bytes(component, "big") for component in self._entered))
            return key.to_bytes(TMK_BYTES, "big")
        finally:
            self.wipe()

    def wipe(self) -> None:
        """Overwrite what was entered."""
        for component in self._entered:
            wipe(component)
        self._entered.clear()


def agrees(key: bytes, stated: str) -> bool:
    """Whether ``stated`` is the check value of ``key``, 8 hex digits (CUP 5.2)."""
    return bytes_eq(check_value(key).hex().upper().encode(), stated.upper().encode())


def _wrong_count() -> SecureModuleError:
    few, many = COMPONENTS
    return SecureModuleError(f"a master key has {few} or {many} components", code="component_count")
