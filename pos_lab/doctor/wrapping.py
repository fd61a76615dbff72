"""What may stand around a body: TABLE FRAMES and TABLE ENVELOPES.

Rules owned here: how each kind of frame states its length, right or in one of the ways that are common mistakes, and
what may stand between the frame and the MTI. Nothing here looks into a body.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pos_lab.doctor.symptom import Finding
from protocol.framing import ETX, FRAMINGS, MAX_PAYLOAD, STX, lrc

_TAIL_BYTES: Final = 2
"""ETX and LRC."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A payload in some bytes: from ``start`` to ``end``; the frame ends at ``frame_end``, past all bytes if cut short.

    ``missing`` is how many bytes the length states that are not there.
    """

    kind: str
    start: int
    end: int
    frame_end: int
    findings: tuple[Finding, ...] = ()
    missing: int = 0


@dataclass(frozen=True, slots=True)
class FrameShape:
    """A row of FRAMES: the bytes before the payload, and the payload's length that they state, None for no length."""

    kind: str
    head_bytes: int
    stated: Callable[[bytes], int | None]
    symptom: str = ""
    n: int = 0
    tail_bytes: int = 0


def _binary(order: str, less: int = 0, size: int = 2, before: bytes = b"") -> Callable[[bytes], int | None]:
    def stated(data: bytes) -> int | None:
        if len(data) < len(before) + size or not data.startswith(before):
            return None
        raw = data[len(before) : len(before) + size]
        return (int.from_bytes(raw, "big") if order == "big" else int.from_bytes(raw, "little")) - less

    return stated


def _digits(size: int, *, is_ascii: bool, before: bytes = b"") -> Callable[[bytes], int | None]:
    def stated(data: bytes) -> int | None:
        if not data.startswith(before):
            return None
        raw = data[len(before) : len(before) + size]
        text = raw.decode("latin-1") if is_ascii else raw.hex()
        return int(text) if len(raw) == size and re.fullmatch("[0-9]+", text) else None

    return stated


def _twice(data: bytes) -> int | None:
    outer, inner = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
    return inner if len(data) > 4 and outer in (inner + 2, inner) else None


_STX: Final = bytes([STX])
FRAMES: Final = (
    FrameShape("len2", 2, _binary("big")),
    FrameShape("stx", 3, _digits(2, is_ascii=False, before=_STX), tail_bytes=_TAIL_BYTES),
    FrameShape("ascii4", 4, _digits(4, is_ascii=True), "length_ascii4"),
    FrameShape("bcd2", 2, _digits(2, is_ascii=False), "length_bcd2"),
    FrameShape("len2", 2, _binary("little"), "length_byte_order"),
    FrameShape("len2", 2, _binary("big", 2), "length_includes_itself", 2),
    FrameShape("ascii4", 4, lambda data: (_digits(4, is_ascii=True)(data) or 4) - 4, "length_includes_itself", 4),
    FrameShape("len2", 4, _binary("big", size=4), "length_four_bytes"),
    FrameShape("len2", 4, _twice, "length_twice"),
    FrameShape("stx", 3, _binary("big", before=_STX), "stx_binary_length", tail_bytes=_TAIL_BYTES),
)
"""Likelier rows first: of two that fit alike, the first is believed."""


def setting_of(kind: str) -> str:
    """How a user asks for a framing, or does without it."""
    if kind in FRAMINGS:
        return f"?framing={kind}, decode --frame {kind}"
    return f"decode --frame none, without the {kind} length"


def cuts(data: bytes) -> Iterator[Cut]:
    """Every way to cut the first payload out of ``data``, whole ones before those that contradict their length."""
    doubtful: list[Cut] = []
    for row in FRAMES:
        stated = row.stated(data)
        if stated is None or not 0 < stated <= MAX_PAYLOAD:
            continue
        found: tuple[Finding, ...] = ()
        if row.symptom:
            found = (Finding(row.symptom, 0, n=row.n, name=setting_of(row.kind)),)
        start, end = row.head_bytes, row.head_bytes + stated
        if end + row.tail_bytes <= len(data):
            found += _tail_findings(data, end) if row.tail_bytes else ()
            yield Cut(row.kind, start, end, end + row.tail_bytes, found)
        if end + row.tail_bytes != len(data) and not row.symptom:
            available = len(data) - row.tail_bytes
            wrong = Finding("length_wrong", 1 if row.tail_bytes else 0, n=stated - (available - start))
            doubtful.append(Cut(row.kind, start, available, len(data), (*found, wrong)))
        if end + row.tail_bytes > len(data):
            doubtful.append(
                Cut(row.kind, start, len(data), end + row.tail_bytes, found, end + row.tail_bytes - len(data))
            )
    yield Cut("none", 0, len(data), len(data), ())
    yield from doubtful


def _tail_findings(data: bytes, end: int) -> tuple[Finding, ...]:
    if data[end] != ETX:
        return (Finding("etx_missing", end),)
    return () if data[end + 1] == lrc(data[1 : end + 1]) else (Finding("lrc_wrong", end + 1),)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A row of ENVELOPES: what stands before the MTI; groups ``tpdu`` and ``header`` are those that are due."""

    pattern: re.Pattern[bytes]
    symptom: str = ""
    is_whole: bool = False


_TPDU: Final = rb"\x60[\x00-\xFF]{4}"
_HEADER: Final = rb"[\x60-\x63][\x00-\xFF]{5}"


def _envelope(pattern: bytes, symptom: str = "", *, is_whole: bool = False) -> Envelope:
    return Envelope(re.compile(pattern, re.DOTALL), symptom, is_whole)


ENVELOPES: Final = (
    _envelope(rb"(?P<tpdu>%b)(?P<header>%b)" % (_TPDU, _HEADER), is_whole=True),
    _envelope(rb"", "no_envelope"),
    _envelope(rb"(?P<tpdu>%b)" % _TPDU, "header_missing"),
    _envelope(rb"(?P<header>%b)" % _HEADER, "tpdu_missing"),
    _envelope(rb"%b(?P<tpdu>%b)(?P<header>%b)" % (_TPDU, _TPDU, _HEADER), "tpdu_twice"),
    _envelope(rb"(?P<tpdu>%b)%b(?P<header>%b)" % (_TPDU, _HEADER, _HEADER), "header_twice"),
    _envelope(rb"(?P<tpdu>%b)LRI.{30}(?P<header>%b)" % (_TPDU, _HEADER), "lri_block"),
    _envelope(rb"(?P<tpdu>%b)6[0-3][0-9A-Fa-f]{10}" % _TPDU, "header_ascii"),
    _envelope(rb"[^\x60].{4}(?P<header>%b)" % _HEADER, "tpdu_id"),
)
