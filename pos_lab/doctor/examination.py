"""Some bytes examined: every message in them, how it is best read, and all that contradicts it.

Rules owned here: how one message ends and the next begins, when bytes before a frame are foreign, and what counts as
understood. Pure: bytes and keys in, a diagnosis out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from pos_lab.doctor.hypothesis import ALL_DIALECTS, DUMP, Hypothesis, begins_message, best
from pos_lab.doctor.key_check import check_keys
from pos_lab.doctor.mac_check import check_mac
from pos_lab.doctor.symptom import Finding, Gravity
from pos_lab.doctor.tag_check import check_tags
from pos_lab.doctor.wrapping import Cut
from protocol.dialect import Dialect
from protocol.framing import ACK, EOT, MAX_PAYLOAD, NAK

WINDOW_BYTES: Final = 3 * MAX_PAYLOAD
"""What is looked at for one message: itself, what may stand before it, and enough to see the next one."""

LEADING_MAX: Final = 96
"""Ethernet, IPv6 and TCP with options are not longer."""

_PLAUSIBLE: Final = 0.4
FLOOR: Final = 0.2
"""A reading that is less likely is none: noise has an MTI and a field in it often enough."""

_STRANGERS: Final = (
    (re.compile(rb"HTTP/|[A-Z]{3,7} /"), "HTTP"),
    (re.compile(rb"[\x14-\x17]\x03[\x00-\x04]"), "TLS"),
    (re.compile(rb"SSH-"), "SSH"),
)
"""First bytes of other protocols, and their names."""


class Verdict(Enum):
    """What became of one input; the value is the exit status."""

    UNDERSTOOD = 0
    FINDINGS = 1
    UNKNOWN = 2


@dataclass(frozen=True, slots=True)
class Keys:
    """Clear keys to check MACs and sign-on replies with; empty for none."""

    mak: bytes = field(default=b"", repr=False)
    tmk: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Case:
    """One message of an input. ``at`` is its first byte; without ``hypothesis`` the bytes from there are unknown."""

    at: int
    data: bytes = field(repr=False)
    hypothesis: Hypothesis | None
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """Of this message alone."""
        if self.hypothesis is None:
            return Verdict.UNKNOWN
        has_fault = any(each.symptom.gravity is Gravity.FAULT for each in self.findings)
        return Verdict.FINDINGS if has_fault else Verdict.UNDERSTOOD

    @property
    def confidence(self) -> float:
        """0 to 1."""
        return round(min(max(self.hypothesis.score, 0.0), 1.0), 2) if self.hypothesis else 0.0


def worst(verdicts: list[Verdict]) -> Verdict:
    """Of several messages: unknown only where nothing at all was understood."""
    if not verdicts or all(each is Verdict.UNKNOWN for each in verdicts):
        return Verdict.UNKNOWN
    return Verdict.FINDINGS if set(verdicts) != {Verdict.UNDERSTOOD} else Verdict.UNDERSTOOD


_NO_KEYS: Final = Keys()


def examine(
    data: bytes, *, keys: Keys = _NO_KEYS, dialects: tuple[Dialect, ...] = ALL_DIALECTS, source: str = DUMP
) -> list[Case]:
    """Every message in ``data``. Raises KeyLoadError where a key has no length that a key has."""
    cases: list[Case] = []
    at = 0
    while at < len(data):
        case, at = _next_case(data, at, keys, dialects, source)
        if case is None:
            break
        cases.append(case)
        if case.hypothesis is None:
            break
    return cases


def _next_case(data: bytes, at: int, keys: Keys, dialects: tuple[Dialect, ...], source: str) -> tuple[Case | None, int]:
    """The message at ``at``, None where only answers of a serial line are left; and where the next begins."""
    start = at
    while start < len(data) and data[start] in (ACK, NAK, EOT):
        start += 1
    if start == len(data):
        return None, start
    rest = data[start : start + WINDOW_BYTES]
    found = best(rest, dialects, source)
    stranger = _stranger(rest)
    if stranger.code == "foreign" and not (found and found.is_whole):
        return Case(start, rest, None, (replace(stranger, at=start),)), len(data)
    if found is None or found.score < _PLAUSIBLE:
        skipped, later = _after_leading(rest, dialects, source)
        if later is not None:
            start, rest, found = start + skipped, rest[skipped:], later
        elif found is None or found.score < FLOOR:
            return Case(start, rest, None, (replace(stranger, at=start),)), len(data)
    findings = _placed(found.findings, start)
    if start > at and data[at] not in (ACK, NAK, EOT):
        findings.append(Finding("leading_bytes", start, n=start - at))
    findings += _placed(_charset_findings(found), start)
    findings += _placed(_body_findings(rest, found, dialects), start)
    findings += _placed(check_tags(found), start)
    findings += _placed(_key_findings(rest, found, keys), start)
    end = min(len(data), start + found.end)
    if any(each.code == "trailing_bytes" for each in findings):
        end = len(data)
    return Case(start, data[start:end], found, tuple(findings)), end


def _placed(findings: list[Finding] | tuple[Finding, ...], start: int) -> list[Finding]:
    return [replace(each, at=each.at + start) for each in findings]


def _after_leading(data: bytes, dialects: tuple[Dialect, ...], source: str) -> tuple[int, Hypothesis | None]:
    """The first clean message that begins a few bytes later."""
    for skipped in range(1, min(LEADING_MAX, len(data))):
        if begins_message(data[skipped:], dialects):
            found = best(data[skipped:], dialects, source)
            if found and found.is_clean:
                return skipped, found
    return 0, None


def _stranger(data: bytes) -> Finding:
    name = next((name for pattern, name in _STRANGERS if pattern.match(data)), "")
    return Finding("foreign", name=name) if name else Finding("not_understood")


def _body_findings(data: bytes, found: Hypothesis, dialects: tuple[Dialect, ...]) -> list[Finding]:
    walked, cut = found.walk, found.cut
    at = found.body_at + walked.end
    if walked.stop and walked.stop.code == "truncated":
        return [_truncated(cut, cut.missing or walked.stop.due, walked.stop.number)]
    if walked.stop:
        return [Finding(walked.stop.code, at, walked.stop.number, name=walked.stop.message)]
    if cut.missing and not found.is_whole:
        return [_truncated(cut, cut.missing)]
    if at >= cut.end:
        return []
    if begins_message(data[at : cut.end], dialects):
        return [Finding("merged", at)]
    return [Finding("trailing_bytes", at, n=cut.end - at)]


def _truncated(cut: Cut, missing: int, field: int = 0) -> Finding:
    return Finding("truncated", cut.end, field, missing, f"{cut.end}/{cut.end + missing}")


def _charset_findings(found: Hypothesis) -> list[Finding]:
    """Texts that are right in their charset and read like noise: they are right in UTF-8 too, which no accident is."""
    return [
        Finding("other_charset", found.body_at + place.value_at, place.number, name="utf-8")
        for place in found.walk.places
        if isinstance(place.value, str)
        and not place.value.isascii()
        and _is_utf8(found.body[place.value_at : place.end])
        and not any(each.code == "other_charset" for each in found.findings)
    ]


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _key_findings(data: bytes, found: Hypothesis, keys: Keys) -> list[Finding]:
    findings: list[Finding] = []
    if keys.mak:
        findings.append(check_mac(data, found, keys.mak))
    about_keys = check_keys(found, keys.tmk) if keys.tmk else None
    return [*findings, about_keys] if about_keys else findings
