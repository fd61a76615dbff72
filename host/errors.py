"""What can go wrong at the host besides bytes, one tree.

    HostError                code, message, hint
    ├── AdminError           field: an administrative act that the rules do not allow, or that names nobody
    └── StoreError           the database cannot be opened, read or written
        └── CommitUnknown    it failed at the commit: what was asked may have happened or not

A refusal to a terminal is no error: see ``host.refusals``.
"""

from __future__ import annotations

from protocol.errors import ToldError


class HostError(ToldError):
    """Base of the tree."""

    code = "host"


class AdminError(HostError):
    """The act is refused and nothing changed; ``field`` is the argument that is wrong, if one is."""

    code = "admin"

    def __init__(self, message: str, *, hint: str = "", code: str = "", field: str = "") -> None:
        super().__init__(message, hint=hint, code=code)
        self.field = field


class StoreError(HostError):
    """The database failed; what was asked did not happen."""

    code = "store"


class CommitUnknown(StoreError):
    """The database failed at the commit; whether it happened is known when it is read again (invariant J6)."""

    code = "unknown"
