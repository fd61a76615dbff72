"""Everything that can be wrong with bytes, one tree.

    ProtocolError                       code, message, hint
    ├── FrameError                      offset: where in the stream the frame went wrong
    ├── DecodeError                     field, offset, raw
    ├── EncodeError                     field
    ├── KeyLoadError                    working keys of the wrong length or check value
    ├── SignatureError                  a command or an image that its maker did not sign
    └── TransportError                  url: an endpoint that cannot be opened
        ├── EndpointInUse               somebody else listens there
        ├── EndpointWrong               a URL that names no endpoint
        └── TlsFailed                   a peer that did not prove itself, or did not believe us; code says why

A refusal by the host is not an error: it is a response code with a reason (``protocol.responses``, ``host.gates``).
"""

from __future__ import annotations


class ToldError(Exception):
    """Base of every package's tree: ``code`` is for machines, ``message`` and ``hint`` for people."""

    code = "error"

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ProtocolError(ToldError):
    """Base of this tree."""

    code = "protocol"


class FrameError(ProtocolError):
    """A frame that cannot be delimited; ``offset`` counts bytes from the start of the frame."""

    code = "frame"

    def __init__(self, message: str, *, offset: int = 0, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint, code=code)
        self.offset = offset


class DecodeError(ProtocolError):
    """Bytes that are not a message; ``offset`` counts bytes from the MTI, ``field`` is 0 for MTI and bitmap.

    TPDU and header stand before the MTI: their offsets are negative.

    ``raw`` holds the offending bytes and is never printed: they may be card data.
    """

    code = "decode"

    def __init__(
        self,
        message: str,
        *,
        field: int | None = None,
        offset: int = 0,
        raw: bytes = b"",
        hint: str = "",
        code: str = "",
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.field = field
        self.offset = offset
        self.raw = raw

    def __str__(self) -> str:
        if self.offset < 0:
            return f"before the MTI: {super().__str__()}"
        where = f"field {self.field} at offset {self.offset}" if self.field else f"offset {self.offset}"
        return f"{where}: {super().__str__()}"


class EncodeError(ProtocolError):
    """A value that its field cannot carry."""

    code = "encode"

    def __init__(self, message: str, *, field: int | None = None, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint, code=code)
        self.field = field

    def __str__(self) -> str:
        return f"field {self.field}: {super().__str__()}" if self.field else super().__str__()


class KeyLoadError(ProtocolError):
    """Working keys that must not be loaded: wrong length or wrong check value."""

    code = "key"


class SignatureError(ProtocolError):
    """A signed document that its signer did not sign, or not for us."""

    code = "signature"


class TransportError(ProtocolError):
    """An endpoint that cannot be opened; ``url`` names it."""

    code = "transport"

    def __init__(self, message: str, *, url: str = "", hint: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint, code=code)
        self.url = url


class EndpointInUse(TransportError):
    """Somebody else listens on the endpoint."""

    code = "endpoint_in_use"


class EndpointWrong(TransportError):
    """A URL that is not written as its scheme wants it: the caller's mistake, not the environment's."""

    code = "endpoint"


class TlsFailed(TransportError):
    """A TLS connection that does not come about or is cut; ``code`` is one of ``protocol.transport.tls_fault``."""

    code = "tls"
