"""What passes on the wire, as plain facts: who asks what under which key, and what is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Final

from protocol.codec import Unsealed, unseal
from protocol.errors import ProtocolError
from protocol.fields import F

STX, ETX = b"\x02", b"\x03"
FINANCIAL: Final = frozenset({"0100", "0200", "0220"})
APPROVED: Final = "00"
APPROVALS: Final = frozenset({APPROVED, "11", "16", "A2", "A4", "A5", "A6"})
"""What a terminal takes for an approval; a sign-on has no MAC, and its 00 may become another on the way."""
NOT_CONTENT: Final = frozenset({F.PIN_BLOCK, F.PRIVATE57, F.RESPONSE_CODE, F.DEVICE, F.TEXT, F.MAC})
"""What differs when the same is asked again: keys, firmware or operator of the day, why something is reversed."""
FACTS_KEPT: Final = 64
"""The same bytes pass both ends: they are read once."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One message; ``card`` stands for a PAN and is not one, ``amount`` is field 4 as it stands, ``unsealed`` all."""

    mti: str
    terminal_id: str
    batch: str
    stan: str
    processing: str
    type_code: str
    amount_fen: int
    code: str
    rrn: str
    auth_id: str
    amount: str
    totals: str
    card: str = field(repr=False)
    unsealed: Unsealed = field(repr=False, compare=False)

    @property
    def key(self) -> tuple[str, str, str]:
        """Terminal id, batch and STAN."""
        return self.terminal_id, self.batch, self.stan

    @property
    def body(self) -> tuple[str, str, str, str]:
        """What is asked, by which a question can be told from another under the same key."""
        return self.processing, self.type_code, self.amount, self.card

    @property
    def content(self) -> str:
        """A digest of all that makes it this question, whenever it is asked."""
        message = self.unsealed.message
        fields = [(number, message.fields[number]) for number in message.numbers if number not in NOT_CONTENT]
        return sha256(repr((self.mti, fields)).encode()).hexdigest()

    @property
    def reply_mti(self) -> str:
        """The type of its reply, "" where it wants none."""
        return f"{self.mti[:2]}{int(self.mti[2]) + 1}0" if self.mti[2:3] in set("02468") else ""

    @property
    def request_mti(self) -> str:
        """The type of what it answers, "" where it is no reply."""
        return f"{self.mti[:2]}{int(self.mti[2]) - 1}0" if self.mti[2:3] in set("13579") else ""


@lru_cache(maxsize=FACTS_KEPT)
def fact_of(payload: bytes) -> Fact | None:
    """The facts of a payload, None where it is no message."""
    try:
        unsealed = unseal(payload)
    except ProtocolError:
        return None
    message = unsealed.message
    control, amount, pan = message.text(F.CONTROL), message.text(F.AMOUNT), message.text(F.PAN)
    return Fact(
        mti=message.mti,
        terminal_id=message.text(F.TERMINAL_ID),
        batch=control[2:8],
        stan=message.text(F.STAN),
        processing=message.text(F.PROCESSING_CODE),
        type_code=control[:2],
        amount_fen=int(amount) if amount.isascii() and amount.isdigit() else 0,
        code=message.text(F.RESPONSE_CODE),
        rrn=message.text(F.RRN),
        auth_id=message.text(F.AUTH_ID),
        amount=amount,
        totals=message.text(F.TOTALS),
        card=sha256(pan.encode()).hexdigest()[:8] if pan else "",
        unsealed=unsealed,
    )


def frames_of(data: bytes) -> list[bytes]:
    """The payloads of whole frames, of two bytes of length or on a serial line; none where the bytes are no frames."""
    if data[:1] == STX and data[1:3].hex() == f"{len(data) - 5:04d}" and data[-2:-1] == ETX:
        return [data[3:-2]]
    payloads = []
    while len(data) >= 2:
        size = int.from_bytes(data[:2], "big")
        if len(data) < 2 + size:
            return []
        payloads.append(data[2 : 2 + size])
        data = data[2 + size :]
    return payloads
