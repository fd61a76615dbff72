"""Bytes out of text as people paste it: hex, ``xxd``, ``hexdump -C``, a Wireshark copy, an array or literal, a log.

Rules owned here: the shapes that a line may have, when lines belong together, and that a text column is never taken for
hex. An offset counts as one only if it goes on where the last line ended.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pos_lab.doctor.symptom import Finding

LOG_BYTES_MIN: Final = 13
"""A shorter run of hex in a log line is a time, a number or a word."""

_OFFSET = re.compile(r"\s*(?:0x)?([0-9A-Fa-f]{4,8}):?\s+(\S.*)")
_GROUPS = re.compile(r"(?:[0-9A-Fa-f]{2}){1,4}(?:[ -](?:[0-9A-Fa-f]{2}){1,4})*")
_MARKS = re.compile(r"0[xX](?=[0-9A-Fa-f]{2}\b)|\\x(?=[0-9A-Fa-f]{2})|[,;:{}\"'\[\]]|<|>")
_ARRAY = re.compile(r"\{((?:\s*0[xX][0-9A-Fa-f]{1,2}\s*(?:,|(?=\}))){4,}\s*)\}")
_LITERAL = re.compile(r"""\b[bB](?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
_PLAIN = re.compile(r"[0-9A-Fa-f\s]+")
_RUN = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{2,}(?:[ :-]?[0-9A-Fa-f]{2,})*(?![0-9A-Za-z])")
_STAMP = re.compile(  # at the beginning of a line
    r"^[\s\[(]*(?:(?:[0-9]{2,4}[-/][0-9]{1,2}[-/][0-9]{1,2}[T ]+)?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:[.,][0-9]{1,9})?"
    r"(?![0-9:])|20[0-9]{6}[ T-][0-9]{6}(?:[.,][0-9]+)?(?=\s))"
)
_START = re.compile(
    r"(?:[0-9A-F]{4})?60[0-9]{8}6[0-3]|02[0-9]{4}60[0-9]{8}|(?:[0-9A-F]{4}|(?:3[0-9]){4})?303[1-8]3[0-5]3[0-5]"
)
_HEX_BYTES = re.compile(rb"(?:[0-9A-Fa-f]{2}){10,}\s*")
_LINE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that came together, and what was odd about how they were written."""

    data: bytes = field(repr=False)
    findings: tuple[Finding, ...] = ()


def chunks(text: str) -> Iterator[Chunk]:
    """Every run of bytes in ``text``, in order; none where there is no hex."""
    lines = text.splitlines()
    dumped = list(_dumped(lines))
    if dumped:
        yield from map(_chunk, dumped)
        return
    runs: list[str] = []
    for line in (_STAMP.sub("", each, count=1) for each in lines):
        written = _in_code(line)
        if written:
            runs += ["", *written, ""]
            continue
        cleaned = _MARKS.sub(" ", line)
        if _PLAIN.fullmatch(cleaned):
            digits = "".join(cleaned.split()).upper()
            if digits and runs and runs[-1] and not _START.match(digits):
                runs[-1] += digits
            else:
                runs.append(digits)
        else:
            found = [re.sub(r"[ :-]", "", run).upper() for run in _RUN.findall(line)]
            runs += ["", *(run for run in found if len(run) >= 2 * LOG_BYTES_MIN), ""]
    yield from (_chunk(run) for run in runs if run)


def _in_code(line: str) -> list[str]:
    """Digits of the arrays of C and the bytes of Python that are written out in a line."""
    arrays = [bytes(int(each, 16) for each in re.findall("0[xX]([0-9A-Fa-f]+)", row)) for row in _ARRAY.findall(line)]
    literals = [_literal(match["quoted"]) for match in _LITERAL.finditer(line) if "\\x" in match["quoted"]]
    return [raw.hex().upper() for raw in (*arrays, *literals) if raw]


def _literal(quoted: str) -> bytes:
    """What Python reads, nothing where it would not."""
    try:
        return bytes(ast.literal_eval(f"b{quoted}"))
    except (SyntaxError, ValueError):
        return b""


def unwrapped(data: bytes) -> Chunk:
    """Bytes as they are, or, where they are hex text themselves, the bytes that it writes."""
    if _HEX_BYTES.fullmatch(data):
        return Chunk(bytes.fromhex(data.decode("ascii")), (Finding("hex_twice"),))
    return Chunk(data)


def _chunk(digits: str) -> Chunk:
    findings = (Finding("odd_hex", len(digits) // 2),) if len(digits) % 2 else ()
    inner = unwrapped(bytes.fromhex(digits[: len(digits) // 2 * 2]))
    return Chunk(inner.data, (*findings, *inner.findings))


def _dumped(lines: list[str]) -> Iterator[str]:
    """Digits of lines with offsets; a dump ends where an offset begins at zero again, or at a line without one."""
    digits, due = "", -1
    for line in lines:
        match = _OFFSET.match(line)
        offset = int(match[1], 16) if match else -1
        if offset != due:
            if digits:
                yield digits
            digits, due = "", 0
        if match and offset == due:
            digits += _hex_column(match[2])
            due = len(digits) // 2
        else:
            due = 0
    if digits:
        yield digits


def _hex_column(rest: str) -> str:
    """The digits before the text column: groups of two to eight, two blanks in the middle at most."""
    digits = ""
    for part in re.split(r"\s{2,}", rest.partition("|")[0].strip()):
        groups = part.strip()
        size = len(re.sub(r"[ -]", "", groups))
        fits = _GROUPS.fullmatch(groups) and len(digits) + size <= 2 * _LINE_BYTES
        if not fits or (digits and len(digits) != _LINE_BYTES):
            break
        digits += re.sub(r"[ -]", "", groups)
    return digits
