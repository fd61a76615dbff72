"""Transports: the only sockets and serial ports, opened by URL."""

from __future__ import annotations

from protocol.transport.endpoint import Endpoint
from protocol.transport.listener import Listener
from protocol.transport.schemes import SCHEMES, check, connect, serve

__all__ = ["SCHEMES", "Endpoint", "Listener", "check", "connect", "serve"]
