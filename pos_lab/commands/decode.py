"""``poslab decode``: a frame, payload or body in hex, explained.

Rules owned here: how ``auto`` tells framings and headers apart, and that every message of an input is told in order,
also those before a mistake. Where a mistake is, counts from the first byte of the input, for people and programs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

import typer

from pos_lab.commands.output import (
    DialectOption,
    JsonOption,
    LangOption,
    Status,
    UnmaskOption,
    new_app,
    print_error,
    print_json,
)
from protocol.codec import unpack, unseal
from protocol.describe import Frame, describe, document
from protocol.dialect import CUP, Dialect
from protocol.dialects import DIALECTS
from protocol.errors import DecodeError, FrameError, ProtocolError
from protocol.framing import ETX, FRAMINGS, STX, StxFramer, lrc
from protocol.header import ENVELOPE_BYTES, TPDU_BYTES
from protocol.message import Message

_TPDU_ID: Final = 0x60
_CLASSES: Final = range(0x60, 0x64)
_LENGTH_BYTES: Final = {"len2": 2, "ascii4": 4, "bcd2": 2}
_STX_HEAD_BYTES: Final = 3
_STX_FRAME_BYTES: Final = 5


class Framing(StrEnum):
    """What ``--frame`` may say."""

    AUTO = "auto"
    NONE = "none"
    LEN2 = "len2"
    STX = "stx"
    ASCII4 = "ascii4"
    BCD2 = "bcd2"


class Envelope(StrEnum):
    """What ``--header`` may say."""

    AUTO = "auto"
    NONE = "none"
    CUP = "cup"


@dataclass(frozen=True, slots=True)
class Found:
    """A message of an input and the frame that it came in."""

    message: Message
    frame: Frame | None


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why an input, or the rest of it, is no message; ``at`` is the byte of the input."""

    error: ProtocolError
    at: int

    def __str__(self) -> str:
        number = getattr(self.error, "field", None)
        field = f", field {number}" if number else ""
        return f"byte {self.at} of the input{field}: {ProtocolError.__str__(self.error)}"


def read_hex(text: str) -> bytes:
    """Bytes of hex digits with any blanks between them. Raises DecodeError, which repeats no digit."""
    digits = "".join(text.split())
    strange = re.search(r"[^0-9A-Fa-f]", digits)
    if strange:
        raise DecodeError(
            f"character {strange.start() + 1} is no hex digit", code="hex", hint="hex digits and blanks only"
        )
    if not digits or len(digits) % 2:
        raise DecodeError(
            f"{len(digits)} hex digits are no whole bytes",
            offset=len(digits) // 2,
            code="hex",
            hint="two digits a byte",
        )
    return bytes.fromhex(digits)


def read_input(text: str, framing: Framing, envelope: Envelope, dialect: Dialect = CUP) -> Iterator[Found | Mistake]:
    """Every message in one input of hex, in order; a mistake ends the input."""
    try:
        data = read_hex(text)
    except DecodeError as error:
        yield Mistake(error, error.offset)
        return
    framing = _guess(data) if framing is Framing.AUTO else framing
    try:
        for at, payload in _payloads(data, framing):
            frame = None if framing is Framing.NONE else Frame(framing.value, len(payload))
            has_header = _has_header(payload, frame, dialect) if envelope is Envelope.AUTO else envelope is Envelope.CUP
            try:
                message = unseal(payload, dialect).message if has_header else unpack(payload, dialect)
                yield Found(message, frame)
            except DecodeError as error:
                yield Mistake(error, at + (ENVELOPE_BYTES if has_header else 0) + error.offset)
                return
    except FrameError as error:
        yield Mistake(error, error.offset)


def _guess(data: bytes) -> Framing:
    """A TPDU wins, then a frame whose length fits or before which a TPDU and header would stand, then no frame."""
    if data[0] == _TPDU_ID and data[TPDU_BYTES : TPDU_BYTES + 1] and data[TPDU_BYTES] in _CLASSES:
        return Framing.NONE
    if data[0] == STX and (StxFramer(ack=False).feed(data) or _stx_length(data) == len(data) - _STX_FRAME_BYTES):
        return Framing.STX
    if data[:4].isdigit() and _is_enveloped(data[4:]):
        return Framing.ASCII4
    after = data[2:]
    if _is_enveloped(after):
        return Framing.BCD2 if _fills(data, Framing.BCD2) and not _fills(data, Framing.LEN2) else Framing.LEN2
    return Framing.LEN2 if int.from_bytes(data[:2], "big") == len(after) else Framing.NONE


def _is_enveloped(data: bytes) -> bool:
    return len(data) > TPDU_BYTES and data[0] == _TPDU_ID and data[TPDU_BYTES] in _CLASSES


def _fills(data: bytes, framing: Framing) -> bool:
    """Is every byte in whole frames of this framing?"""
    framer = FRAMINGS[framing]()
    try:
        return bool(framer.feed(data)) and not framer.waiting
    except FrameError:
        return False


def _has_header(payload: bytes, frame: Frame | None, dialect: Dialect) -> bool:
    """Inside a frame a TPDU is due unless an MTI stands in its place; without one the first byte decides."""
    if frame:
        return not payload.startswith(tuple(map(dialect.mti.coding.encode, dialect.mtis)))
    return payload[0] == _TPDU_ID


def _payloads(data: bytes, framing: Framing) -> Iterator[tuple[int, bytes]]:
    """Where in the input each payload begins, and the payload. Raises FrameError with the byte of the input."""
    if framing is Framing.NONE:
        yield 0, data
    elif framing is Framing.STX:
        yield from _stx_payloads(data)
    else:
        yield from _prefixed_payloads(data, framing)


def _prefixed_payloads(data: bytes, framing: Framing) -> Iterator[tuple[int, bytes]]:
    framer, size, at = FRAMINGS[framing](), _LENGTH_BYTES[framing], 0
    for payload in framer.feed(data):
        yield at + size, payload
        at += size + len(payload)
    if framer.waiting:
        try:
            framer.feed(b"")
            framer.expire()
        except FrameError as error:
            raise FrameError(error.message, offset=at + error.offset, hint=error.hint, code=error.code) from None


def _stx_payloads(data: bytes) -> Iterator[tuple[int, bytes]]:
    framer, at = StxFramer(ack=False), 0
    for payload in framer.feed(data):
        at = data.find(payload, at)
        yield at, payload
        at += len(payload)
    if framer.garbled or framer.skipped or framer.waiting:
        raise _stx_fault(data)


def _stx_fault(data: bytes) -> FrameError:
    length, end = _stx_length(data), len(data) - 2
    if data[0] != STX or length != len(data) - _STX_FRAME_BYTES:
        return FrameError(
            "not STX frames from the first byte to the last",
            hint="STX, two bytes of BCD length, the message, ETX, LRC",
        )
    if data[end] != ETX:
        return FrameError("no ETX after the message", offset=end)
    return FrameError(f"the LRC is {data[-1]:02X} and should be {lrc(data[1:-1]):02X}", offset=end + 1)


def _stx_length(data: bytes) -> int:
    digits = data[1:_STX_HEAD_BYTES].hex()
    return int(digits) if digits.isdecimal() else -1


app = new_app()


@app.command()
def decode(
    inputs: Annotated[list[str], typer.Argument(metavar="HEX...", help="Messages in hex; - reads one a line.")],
    *,
    frame: Annotated[Framing, typer.Option(help="What stands around the message.")] = Framing.AUTO,
    header: Annotated[Envelope, typer.Option(help="Whether TPDU and header stand before the MTI.")] = Envelope.AUTO,
    dialect: DialectOption = CUP.name,
    unmask: UnmaskOption = False,
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Explain a frame or message: frame, TPDU, header, every field and what is in it.

    \b
    Example, an echo request:
      poslab decode "0034 6000030000 603200000000 0820 0000000000C00010 3632303030303031 \\
        313030303030303030303030303031 0011000000013010"
    """
    wrong, empty = False, True
    spoken = DIALECTS[dialect]
    texts = (line for text in inputs for line in (filter(str.strip, sys.stdin) if text == "-" else [text]))
    for text in texts:
        empty = False
        for result in read_input(text, frame, header, spoken):
            if isinstance(result, Mistake):
                wrong = True
                print_error(result.error, as_json=as_json, text=str(result), offset=result.at)
            elif as_json:
                told = document(result.message, frame=result.frame, unmask=unmask, lang=lang.code, dialect=spoken)
                print_json(told)
            else:
                lines = describe(result.message, frame=result.frame, unmask=unmask, lang=lang.code, dialect=spoken)
                typer.echo("\n".join(lines))
                typer.echo()
    if empty:
        raise DecodeError("no message", code="hex", hint="- reads hex from standard input, one message a line")
    if wrong:
        raise typer.Exit(Status.WRONG)
