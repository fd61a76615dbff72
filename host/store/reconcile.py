"""A database that is older than its terminals: restored from a backup, or put in place of a newer one.

While the counter RECONCILE is not zero its hosts take no new business: they do not know what they have forgotten, until
somebody has compared the books and accepts them (invariants J4, S2).
"""

from __future__ import annotations

from typing import Final

RECONCILE: Final = "reconcile"
