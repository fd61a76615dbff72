"""What the engine answers: a code, the reply's own fields, and the rows to write in the same commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from host.refusals import Refused
from host.value import value
from protocol.elements import Value


@value
class Insert:
    """A new row of a table. With ``replace``, a row of the same key gives way."""

    table: str
    row: Mapping[str, object] = field(repr=False)
    replace: bool = False


@value
class Update:
    """Changes to the rows of a table whose columns equal ``key``."""

    table: str
    key: Mapping[str, object]
    changes: Mapping[str, object] = field(repr=False)


@value
class Delete:
    """The rows of a table whose columns equal ``key`` go."""

    table: str
    key: Mapping[str, object]


Write = Insert | Update | Delete


@value
class Decision:
    """The answer to one request.

    ``refused`` gives code and texts; without it the code is that of the ``approval``. ``fields`` are put into the reply
    over what every reply of the kind carries. ``remember`` stores the reply under the request's key. ``turnover_fen``
    is what the decision adds to the net captured turnover. The reply leaves ``delay_s`` after the commit.
    """

    refused: Refused | None = None
    fields: Mapping[int, Value] = field(default_factory=dict, repr=False)
    writes: tuple[Write, ...] = ()
    turnover_fen: int = 0
    remember: bool = True
    approval: str = "00"
    delay_s: float = 0.0

    @property
    def code(self) -> str:
        """Field 39."""
        return self.refused.code if self.refused else self.approval


def refuse(reason: str, **words: str) -> Decision:
    """A refusal that changes nothing but is remembered under the request's key."""
    return Decision(Refused(reason, words))
