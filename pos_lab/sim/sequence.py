"""The events of a run as a sequence diagram: lanes of cashier, terminal, line, host and store, drawn as inline SVG.

Rules owned here: TABLE DRAWN, where each kind of event stands; a message goes to the line and comes from the line, for
that is what the log knows; a fault is marked where it strikes, and from a power cut to the next boot the lanes of that
shop are dark. Every event has one row, whatever time lies between; times stand at the left, pauses are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from markupsafe import Markup, escape

from pos_lab.scenario.model import Text
from pos_lab.sim.log import Event
from pos_lab.sim.story import Named, facts_of, is_named, spelt_out

LANES: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "cashier": Text(zh="收银员", en="cashier"),
        "terminal": Text(zh="终端", en="terminal"),
        "line": Text(zh="线路", en="line"),
        "host": Text(zh="主机", en="host"),
        "store": Text(zh="账库", en="store"),
    }
)
DRAWN: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "intent": ("cashier", "terminal"),
        "told": ("terminal", "cashier"),
        "sent": ("terminal", "line"),
        "received": ("line", "terminal"),
        "replied": ("host", "line"),
        "commit": ("host", "store"),
        "errand": ("host", "host"),
    }
)
"""Kind of event -> where its arrow begins and ends; the others are notes."""
STRIKES: Final[Mapping[str, str]] = MappingProxyType(
    {"net": "line", "uart": "line", "adversary": "line", "power": "terminal", "host": "host", "disk": "store"}
)
"""First word of a fault's name -> the lane where it strikes; others strike the terminal."""
WIDTH: Final = 1120
_TIME, _GAP = 104, 218
_ROW, _HEAD = 30, 44
_PAUSE_S: Final = 10.0
_WORDS_MAX: Final = 44
_NO_SHOPS: Final = frozenset({"host", "world", "office"})


@dataclass(frozen=True, slots=True)
class _Row:
    event: Event
    y: int
    pause_s: float


def drawable(events: Sequence[Event]) -> list[Event]:
    """The events that a diagram shows: acknowledgements of one byte on serial lines are left out."""
    return [event for event in events if len(event.payload) != 1 or facts_of(event)]


def diagram(events: Sequence[Event], keys: Named, title: str = "") -> Markup:
    """The diagram; what is about one of the transactions ``keys`` stands out."""
    rows = list(_placed(events))
    height = (rows[-1].y if rows else _HEAD) + _ROW
    parts = [*_bands(rows, height), *_lanes(height)]
    shops = {event.who for event in events} - _NO_SHOPS
    for row in rows:
        parts.append(_drawn(row, is_named(row.event, keys), of_many=len(shops) > 1))
    return Markup(  # noqa: S704  # every text in it was escaped
        f'<svg class="sequence" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="11" markerHeight="11" '
        'markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" class="tip"/></marker></defs>'
        f"{''.join(parts)}</svg>"
    )


def _placed(events: Sequence[Event]) -> Iterator[_Row]:
    y, before = _HEAD + 6, None
    for event in events:
        pause_s = event.at_s - before.at_s if before else 0.0
        y += _ROW + (16 if pause_s >= _PAUSE_S else 0)
        yield _Row(event, y, pause_s if pause_s >= _PAUSE_S else 0.0)
        before = event


def _x(lane: str) -> int:
    return _TIME + _GAP // 2 - 20 + list(LANES).index(lane) * (_GAP - 8)


def _lanes(height: int) -> Iterator[str]:
    for lane, text in LANES.items():
        x = _x(lane)
        yield f'<line class="lane" x1="{x}" x2="{x}" y1="{_HEAD}" y2="{height}"/>'
        yield f'<rect class="actor-box" x="{x - 62}" y="10" width="124" height="26" rx="7"/>'
        for language in ("zh", "en"):
            told = escape(text.told(language).capitalize())
            yield f'<text class="actor-name {language}" x="{x}" y="28" text-anchor="middle">{told}</text>'


def _bands(rows: Sequence[_Row], height: int) -> Iterator[str]:
    """From each dark event to the boot of the same shop, or to the end."""
    dark: dict[str, int] = {}
    for row in rows:
        who = row.event.who
        if row.event.what == "dark":
            dark.setdefault(who, row.y)
        elif row.event.what == "boot" and who in dark:
            yield _band(dark.pop(who), row.y)
    for y in dark.values():
        yield _band(y, height)


def _band(top: int, bottom: int) -> str:
    left, right = _x("cashier") - 78, _x("terminal") + 78
    return f'<rect class="dark" x="{left}" y="{top - 12}" width="{right - left}" height="{bottom - top + 8}" rx="6"/>'


def _drawn(row: _Row, stands_out: bool, *, of_many: bool) -> str:
    event, y = row.event, row.y
    parts = [f'<text class="time" x="{_TIME - 34}" y="{y + 4}" text-anchor="end">{event.at_s:.3f}</text>']
    if row.pause_s:
        parts.append(f'<text class="pause" x="{_TIME - 34}" y="{y - 18}" text-anchor="end">+{row.pause_s:.0f} s</text>')
    if of_many and event.who not in _NO_SHOPS:
        parts.append(f'<text class="who" x="{_TIME - 24}" y="{y + 4}">{escape(event.who)}</text>')
    words = spelt_out(event)
    if event.what in DRAWN:
        begin, end = (_x(lane) for lane in DRAWN[event.what])
        if begin == end:
            parts.append(f'<circle class="spot" cx="{begin}" cy="{y}" r="4"/>')
            parts.append(_words(begin + 10, y + 4, f"{event.what} {words}", "start"))
        else:
            parts.append(f'<line class="arrow-line" x1="{begin}" x2="{end}" y1="{y}" y2="{y}" marker-end="url(#tip)"/>')
            parts.append(_words((begin + end) // 2, y - 5, words, "middle"))
    else:
        lane = _lane_of(event)
        x = _x(lane)
        mark = "fault-mark" if event.what in ("fault", "dark", "broken") else "spot"
        parts.append(f'<path class="{mark}" d="M{x - 6},{y} L{x},{y - 6} L{x + 6},{y} L{x},{y + 6} z"/>')
        parts.append(_words(x + 12, y + 4, words if event.what == "fault" else f"{event.what} {words}", "start"))
    css = " ".join(("happening", event.what.replace(" ", "-"), *(["out"] if stands_out else [])))
    told = escape(f"{event.at_s:.6f} s {event.who} {event.what} {words}".rstrip())
    return f'<g class="{css}"><title>{told}</title>{"".join(parts)}</g>'


def _lane_of(event: Event) -> str:
    if event.what == "fault":
        return STRIKES.get(event.words.partition(".")[0], "terminal")
    return "host" if event.who in _NO_SHOPS else "terminal"


def _words(x: int, y: int, text: str, anchor: str) -> str:
    clipped = text if len(text) <= _WORDS_MAX else f"{text[: _WORDS_MAX - 1]}…"
    return f'<text class="words" x="{x}" y="{y}" text-anchor="{anchor}">{escape(clipped)}</text>'
