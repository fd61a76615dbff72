"""What can go wrong at the host besides bytes, one tree.

    HostError                code, message, hint
    ├── AdminError           an administrative act that the rules do not allow, or that names nobody
    └── StoreError           the database cannot be opened, read or written

A refusal to a terminal is no error: see ``host.refusals``.
"""

from __future__ import annotations


class HostError(Exception):
    """Base of the tree. ``code`` is for machines, ``message`` and ``hint`` for people."""

    code = "host"

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class AdminError(HostError):
    """The act is refused and nothing changed."""

    code = "admin"


class StoreError(HostError):
    """The database failed; what was asked did not happen unless the message says that it is unknown."""

    code = "store"
