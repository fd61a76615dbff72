"""What ``serve`` returns for every scheme."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from protocol.errors import TransportError

Refused = Callable[[TransportError], None]
"""Is told of a peer that was not let in, where a scheme can refuse one."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A served endpoint: ``url`` is what a peer connects to, ``name`` its address without scheme and options."""

    url: str
    name: str
    _close: Callable[[], Awaitable[None]] = field(repr=False)

    async def close(self) -> None:
        """Serve nobody new. TCP and memory connections live on; a serial line, which is its connection, is closed."""
        await self._close()
