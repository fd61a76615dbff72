"""Plots as inline SVG: stacked bars and lines over days or hours, with ticks at round numbers.

Rules owned here: no number in a plot that was not passed in, but for those of the scale; colours are classes ``c0`` to
``c9`` of the page's style, so that a page in the dark has its own; every bar says its figures when it is pointed at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

WIDTH, HEIGHT = 960, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 8, 12, 26
_PLOT_WIDTH, _PLOT_HEIGHT = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
_TICKS: Final = 4
_LABELS: Final = 8
_GAP_FROM: Final = 6.0
"""Bars of so many units have a gap between them."""


@dataclass(frozen=True, slots=True)
class Series:
    """One colour: its class, its name when it is pointed at, its values."""

    colour: str
    name: str
    values: Sequence[int]


def bars(
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    limit: Sequence[int] = (),
    shown: Callable[[int], str] = str,
    title: str = "",
) -> Markup:
    """Bars over ``labels``, the series on top of each other, ``limit`` a line over them; ``shown`` spells a value."""
    sums = [sum(each.values[place] for each in series) for place in range(len(labels))]
    scale = _Scale(max([*sums, *limit, 0]))
    parts = [_axes(labels, scale, shown)]
    wide = _PLOT_WIDTH / max(1, len(labels))
    gap = wide * 0.18 if wide >= _GAP_FROM else 0.0
    for place, label in enumerate(labels):
        if not sums[place]:
            continue
        told, below = [label], 0
        rects = []
        for each in series:
            value = each.values[place]
            if value:
                x, y = _LEFT + place * wide + gap / 2, scale.y(below + value)
                high = scale.y(below) - y
                rects.append(
                    f'<rect class="{each.colour}" x="{x:.1f}" y="{y:.1f}" '
                    f'width="{wide - gap:.2f}" height="{high:.1f}"/>'
                )
                told.append(f"{each.name}: {shown(value)}")
            below += value
        parts.append(f"<g>{''.join(rects)}<title>{escape(' · '.join(told))}</title></g>")
    if limit:
        parts.append(_path("limit", [scale.y(value) for value in limit], wide))
    return _svg(parts, title)


def _path(css: str, heights: Sequence[float], wide: float) -> str:
    """A line of steps, one over each bar."""
    points = []
    for place, y in enumerate(heights):
        points += [f"{_LEFT + place * wide:.1f},{y:.1f}", f"{_LEFT + (place + 1) * wide:.1f},{y:.1f}"]
    return f'<polyline class="{css}" points="{" ".join(points)}"/>'


class _Scale:
    """From nothing to the least round number above the most."""

    def __init__(self, most: int) -> None:
        self.step = _round_step(most)
        self.most = max(self.step, -(-most // self.step) * self.step)

    def y(self, value: int) -> float:
        """How far from the top."""
        return _TOP + _PLOT_HEIGHT * (1 - value / self.most)

    def ticks(self) -> Iterator[int]:
        """Round numbers, from nothing on."""
        return iter(range(0, self.most + 1, self.step))


def _round_step(most: int) -> int:
    """1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power * _TICKS >= most:
                return digit * power
        power *= 10


def _axes(labels: Sequence[str], scale: _Scale, shown: Callable[[int], str]) -> str:
    parts = []
    for value in scale.ticks():
        y = scale.y(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(shown(value))}</text>'
        )
    apart = max(1, -(-len(labels) // _LABELS))
    wide = _PLOT_WIDTH / max(1, len(labels))
    for place in range(0, len(labels), apart):
        x = _LEFT + (place + 0.5) * wide
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(labels[place][5:])}</text>'
        )
    return "".join(parts)


def _svg(parts: Sequence[str], title: str) -> Markup:
    told = escape(title)
    return Markup(  # noqa: S704  # every text in it was escaped
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}">{"".join(parts)}</svg>'
    )
