"""TABLE HYPOTHESES: frame x envelope x head x body x dialect, scored by how far each reading decodes.

Rules owned here: the score. 1 is a message that every byte agrees with; each symptom that has to be assumed costs what
its row says; bytes that are left over, or never reached, cost more. A clean reading is believed at once, and one that
is whole but for its symptoms, or followed by the next message, is not repaired any further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from pos_lab.doctor.alteration import ALTERATIONS
from pos_lab.doctor.repair import repairs
from pos_lab.doctor.symptom import Finding, Gravity
from pos_lab.doctor.walk import Reading, Walk, walk
from pos_lab.doctor.wrapping import ENVELOPES, Cut, Envelope, cuts
from protocol.dialect import CUP, Dialect
from protocol.dialects import DIALECTS, ISO87_BCD
from protocol.elements import ASCII_DIGITS, DIGITS, LAST_FIELD, Bitmap, Fixed
from protocol.header import Header, Tpdu
from protocol.message import Message

REPAIRED_MAX: Final = 6
"""Readings that single changes are tried on, the farthest first."""

REPAIRED_BYTES_MAX: Final = 2048
"""A body that is longer is several, or noise: changing one field makes it whole by accident only."""

DUMP: Final = "dump"
WIRE: Final = "wire"
_KNOWN_KIND: Final = 0.03
_SHORT_BUT_NOT_CUT: Final = 0.2
_STRANGE_ENVELOPE: Final = 0.05
"""TPDU and header stand before UnionPay's messages, seldom before others."""
_WHOLE, _PADDED, _LEFT_OVER, _BROKEN = 1.0, 0.93, 0.72, 0.55

Head = Callable[[Reading], Reading]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One reading of the first message in some bytes, and what it takes to believe it."""

    cut: Cut
    envelope: Envelope
    reading: Reading
    walk: Walk
    body_at: int
    findings: tuple[Finding, ...]
    score: float
    tpdu: Tpdu | None = None
    header: Header | None = None
    body: bytes = field(default=b"", repr=False)

    @property
    def end(self) -> int:
        """Where the next message would begin."""
        if self.is_whole or self.walk.stop:
            return self.cut.frame_end
        return self.body_at + self.walk.end

    @property
    def is_whole(self) -> bool:
        """Is every byte of the payload read?"""
        return self.walk.stop is None and self.body_at + self.walk.end == self.cut.end

    @property
    def is_clean(self) -> bool:
        """Nothing has to be assumed?"""
        return self.is_whole and not any(each.symptom.gravity is Gravity.FAULT for each in self.findings)

    @property
    def message(self) -> Message:
        """What was read."""
        return Message(self.walk.mti, self.walk.values, self.tpdu, self.header)


def _ascii_mti(reading: Reading) -> Reading:
    return replace(reading, mti=Fixed(ASCII_DIGITS, 4), codes=(*reading.codes, "ascii_mti"))


def _bcd_mti(reading: Reading) -> Reading:
    return replace(reading, mti=Fixed(DIGITS, 4), codes=(*reading.codes, "bcd_mti"))


def _ascii_bitmap(reading: Reading) -> Reading:
    return replace(reading, bitmap=Bitmap.HEX, codes=(*reading.codes, "ascii_bitmap"))


def _binary_bitmap(reading: Reading) -> Reading:
    return replace(reading, bitmap=Bitmap.BINARY, codes=(*reading.codes, "binary_bitmap"))


def _second_bitmap(reading: Reading) -> Reading:
    above = {number: row.element for number, row in ISO87_BCD.fields.items() if number > LAST_FIELD}
    elements = {**reading.elements, **above}
    return replace(reading, elements=elements, second=True, codes=(*reading.codes, "second_bitmap"))


@lru_cache(16)
def readings(dialect: Dialect) -> tuple[Reading, ...]:
    """The dialect as it is due, then with every combination of head and body that somebody may have got wrong."""
    due = Reading.of(dialect)
    mti = (_bcd_mti,) if dialect.mti.coding == ASCII_DIGITS else (_ascii_mti,)
    bitmap = (_binary_bitmap,) if dialect.bitmap is Bitmap.HEX else (_ascii_bitmap,)
    second: tuple[Head, ...] = () if due.second else (_second_bitmap,)
    heads = [due]
    for alter in (*mti, *bitmap, *second):
        heads += [alter(reading) for reading in heads]
    return tuple(body for head in heads for body in _bodies(head))


def _bodies(head: Reading) -> Iterator[Reading]:
    yield head
    for code, alter in ALTERATIONS.items():
        changed = {number: alter(element) for number, element in head.elements.items()}
        elements = {number: element for number, element in changed.items() if element is not None}
        if elements:
            yield replace(head, elements={**head.elements, **elements}, codes=(*head.codes, code))


def best(data: bytes, dialects: tuple[Dialect, ...], source: str = DUMP) -> Hypothesis | None:
    """The likeliest reading of the first message in ``data``, None where none reads even an MTI and a field."""
    if len(set(data)) <= 1:  # a line that is stuck, whatever its bytes could be read as
        return None
    found: list[Hypothesis] = []
    for hypothesis in hypotheses(data, dialects, source):
        if hypothesis.is_clean and hypothesis.score >= _WHOLE:
            return hypothesis
        found.append(hypothesis)
    found.sort(key=lambda each: -each.score)
    if found and not found[0].is_whole and not _goes_on(found[0], dialects):
        found += [fixed for each in found[:REPAIRED_MAX] for fixed in _repaired(each, data)]
    return max(found, key=lambda each: each.score, default=None)


def _goes_on(hypothesis: Hypothesis, dialects: tuple[Dialect, ...]) -> bool:
    """Does the next message begin where this one ends? Then nothing is to be repaired."""
    if hypothesis.walk.stop or hypothesis.reading.codes:
        return False
    return begins_message(hypothesis.body[hypothesis.walk.end :], dialects)


def begins_message(data: bytes, dialects: tuple[Dialect, ...]) -> bool:
    """Does a message begin here that needs no excuse?"""
    return any(
        each.walk.stop is None and each.walk.places and not each.reading.codes
        for each in hypotheses(data, dialects, DUMP, plain=True)
    )


def hypotheses(data: bytes, dialects: tuple[Dialect, ...], source: str, *, plain: bool = False) -> Iterator[Hypothesis]:
    """Every reading whose MTI is known and that reads a field or is cut short before, likely ones first.

    ``plain`` is without alterations.
    """
    for cut in cuts(data):
        payload = data[cut.start : cut.end]
        for envelope in ENVELOPES:
            match = envelope.pattern.match(payload)
            if match is None:
                continue
            body_at, body = cut.start + match.end(), payload[match.end() :]
            parts = {name: bytes(part) for name, part in match.groupdict().items() if part}
            for dialect in dialects:
                rows = readings(dialect)
                for reading in rows[:1] if plain else rows:
                    walked = walk(body, reading)
                    if walked.places or (envelope.is_whole and reading is rows[0] and _is_begun(cut, walked)):
                        yield _judged(cut, envelope, reading, walked, body_at, body, parts, source)


def _is_begun(cut: Cut, walked: Walk) -> bool:
    """Does a frame end inside the bitmap, or inside its first field, where its length says that more is to come?"""
    is_cut_short = walked.stop is not None and walked.stop.code == "truncated"
    return (
        is_cut_short
        and cut.missing > 0
        and bool(walked.mti)
        and not any(each.symptom.gravity is Gravity.FAULT for each in cut.findings)
    )


def _judged(
    cut: Cut,
    envelope: Envelope,
    reading: Reading,
    walked: Walk,
    body_at: int,
    body: bytes,
    parts: Mapping[str, bytes],
    source: str,
) -> Hypothesis:
    findings = list(cut.findings)
    framed = cut.kind != "none"
    if not framed and not (source == DUMP and envelope.symptom == "no_envelope"):
        findings.append(Finding("missing_length", 0))
    if envelope.symptom == "no_envelope" and framed and reading.dialect.bitmap is CUP.bitmap and _is_patch(reading):
        findings.append(Finding("tpdu_and_header_missing", cut.start))
    elif envelope.symptom:
        findings.append(Finding(envelope.symptom, cut.start))
    if reading.dialect is not CUP:
        findings.append(Finding("dialect", body_at, name=reading.dialect.name))
    findings += [Finding(code, body_at) for code in reading.codes]
    tpdu, header = _envelope(parts)
    made = Hypothesis(cut, envelope, reading, walked, body_at, tuple(findings), 0.0, tpdu, header, body)
    return replace(made, score=score(made))


def _is_patch(reading: Reading) -> bool:
    """Is it a dialect that has TPDU and header: CUP or a patch of it?"""
    return reading.dialect.fields.keys() == CUP.fields.keys()


def _envelope(parts: Mapping[str, bytes]) -> tuple[Tpdu | None, Header | None]:
    """What an envelope's pattern has matched begins as TPDU and header do, and so can be parsed."""
    tpdu = Tpdu.parse(parts["tpdu"]) if "tpdu" in parts else None
    return tpdu, Header.parse(parts["header"]) if "header" in parts else None


def score(hypothesis: Hypothesis) -> float:
    """How likely the reading is, about 0 to 1."""
    walked, cut = hypothesis.walk, hypothesis.cut
    size = max(1, cut.end - hypothesis.body_at)
    reached = walked.end / size
    if hypothesis.is_whole:
        value = _WHOLE
    elif walked.stop is None and len(set(hypothesis.body[walked.end :])) == 1:
        value = _PADDED
    elif walked.stop is None:
        value = _LEFT_OVER + 0.15 * reached
    elif walked.stop.code == "truncated" and cut.missing:
        value = _LEFT_OVER + 0.15 * len(walked.places) / max(1, len(walked.numbers))
    else:
        value = _BROKEN * reached
    if cut.missing and (walked.stop is None or walked.stop.code != "truncated"):
        value -= _SHORT_BUT_NOT_CUT
    if hypothesis.envelope.is_whole and not _is_patch(hypothesis.reading):
        value -= _STRANGE_ENVELOPE
    value -= sum(each.symptom.cost for each in hypothesis.findings)
    known = hypothesis.reading.dialect.kinds.identify(hypothesis.message) if hypothesis.is_whole else None
    return value + (_KNOWN_KIND if known else 0.0)


def _repaired(hypothesis: Hypothesis, data: bytes) -> Iterator[Hypothesis]:
    cut = hypothesis.cut
    if cut.missing or len(hypothesis.body) > REPAIRED_BYTES_MAX:
        return
    for repair in repairs(hypothesis.body, hypothesis.reading, hypothesis.walk):
        finding = replace(repair.finding, at=repair.finding.at + hypothesis.body_at)
        made = replace(
            hypothesis,
            walk=repair.walk,
            reading=repair.reading,
            findings=(*hypothesis.findings, finding),
        )
        # of two slips the smaller one is the likelier
        yield replace(made, score=score(made) - abs(finding.n) / 1000)


ALL_DIALECTS: Final = tuple(DIALECTS.values())
