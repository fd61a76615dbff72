"""What can go wrong at the host besides bytes, one tree.

    HostError                code, message, hint
    ├── AdminError           an administrative act that the rules do not allow, or that names nobody
    └── StoreError           the database cannot be opened, read or written

A refusal to a terminal is no error: see ``host.refusals``.
"""

from __future__ import annotations

from protocol.errors import ToldError


class HostError(ToldError):
    """Base of the tree."""

    code = "host"


class AdminError(HostError):
    """The act is refused and nothing changed."""

    code = "admin"


class StoreError(HostError):
    """The database failed; what was asked did not happen unless the message says that it is unknown."""

    code = "store"
