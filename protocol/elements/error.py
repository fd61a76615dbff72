"""What is wrong with a value or with the bytes of an element; the field set adds which field and where."""

from __future__ import annotations


class ElementError(Exception):
    """A value that does not fit its element."""

    code = "value"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.text = message
        self.hint = hint


class CutShort(ElementError):
    """The bytes end inside the element."""

    code = "truncated"
