"""Plots as inline SVG: no script, no font, no colour of their own; the page's CSS styles them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

Point = tuple[float, float]

_LEFT: Final = 66
_RIGHT: Final = 14
_TOP: Final = 10
_BOTTOM: Final = 42


def percent(value: float) -> str:
    """0.05 → `5 %`, 0.005 → `0.5 %`."""
    return f"{100 * value:.3g}\N{NO-BREAK SPACE}%"


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its range, where it is marked, what it measures, how a mark is written."""

    low: float
    high: float
    marks: Sequence[float]
    label: str
    write: Callable[[float], str] = percent

    def share(self, value: float) -> float:
        """How far along the axis a value is, 0..1; values outside are moved to the end."""
        span = self.high - self.low or 1.0
        return min(max((value - self.low) / span, 0.0), 1.0)


@dataclass(slots=True)
class Plot:
    """A plot under construction; `title` and `description` are for screen readers."""

    title: str
    description: str
    x: Axis
    y: Axis
    width: int = 560
    height: int = 330
    _shapes: list[str] = field(default_factory=list)

    def line(self, points: Sequence[Point], css: str) -> None:
        """A line through points, in the axes' own values."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(self._place, points))
        self._shapes.append(f'<polyline class="line {css}" points="{path}"/>')

    def dot(self, point: Point, css: str, *, tip: str, interval: Point | None = None) -> None:
        """A point with a tooltip, and the interval of its y where there is one."""
        x, y = self._place(point)
        if interval is not None:
            ends = [self._place((point[0], end))[1] for end in interval]
            self._shapes.append(
                f'<line class="whisker {css}" x1="{x:.1f}" x2="{x:.1f}" '
                f'y1="{ends[0]:.1f}" y2="{ends[1]:.1f}"/>'
            )
        self._shapes.append(
            f'<circle class="dot {css}" cx="{x:.1f}" cy="{y:.1f}" r="4.5">'
            f"<title>{escape(tip)}</title></circle>"
        )

    def column(self, start: float, end: float, top: float, *, css: str, tip: str) -> None:
        """A bar from the x axis up to `top`, between two x values."""
        left, y = self._place((start, top))
        right, ground = self._place((end, self.y.low))
        self._shapes.append(
            f'<rect class="column {css}" x="{left + 0.5:.1f}" y="{y:.1f}" '
            f'width="{max(right - left - 1, 0.5):.1f}" height="{ground - y:.1f}">'
            f"<title>{escape(tip)}</title></rect>"
        )

    def upright(self, at: float, label: str, *, css: str, anchor: str = "start") -> None:
        """A vertical line at x with words that start or end beside it."""
        x, top = self._place((at, self.y.high))
        ground = self._place((at, self.y.low))[1]
        self._shapes.append(
            f'<line class="upright {css}" x1="{x:.1f}" x2="{x:.1f}" '
            f'y1="{top:.1f}" y2="{ground:.1f}"/>'
            f'<text class="note {css}" x="{x + (5 if anchor == "start" else -5):.1f}" '
            f'y="{top + 10:.1f}" text-anchor="{anchor}">{escape(label)}</text>'
        )

    def svg(self) -> str:
        """The whole plot, grid and axes first."""
        return (
            f'<svg class="plot" viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{escape(self.title)}. {escape(self.description)}">'
            f"{self._grid()}{''.join(self._shapes)}{self._labels()}</svg>"
        )

    def _place(self, point: Point) -> Point:
        across = self.width - _LEFT - _RIGHT
        up = self.height - _TOP - _BOTTOM
        return (
            _LEFT + across * self.x.share(point[0]),
            _TOP + up * (1 - self.y.share(point[1])),
        )

    def _grid(self) -> str:
        ground, right = self.height - _BOTTOM, self.width - _RIGHT
        parts = []
        for mark in self.y.marks:
            y = self._place((self.x.low, mark))[1]
            parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
                f'<text class="mark" x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">'
                f"{escape(self.y.write(mark))}</text>"
            )
        for mark in self.x.marks:
            x = self._place((mark, self.y.low))[0]
            parts.append(
                f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{ground}" y2="{ground + 4}"/>'
                f'<text class="mark" x="{x:.1f}" y="{ground + 17}" text-anchor="middle">'
                f"{escape(self.x.write(mark))}</text>"
            )
        base = f'<line class="base" x1="{_LEFT}" x2="{right}" y1="{ground}" y2="{ground}"/>'
        return "".join(parts) + base

    def _labels(self) -> str:
        middle = (self.height - _BOTTOM + _TOP) / 2
        return (
            f'<text class="axis" x="{(self.width + _LEFT) / 2:.0f}" y="{self.height - 6}" '
            f'text-anchor="middle">{escape(self.x.label)}</text>'
            f'<text class="axis" transform="translate(12 {middle:.0f}) rotate(-90)" '
            f'text-anchor="middle">{escape(self.y.label)}</text>'
        )


def round_marks(high: float, *, count: int = 5) -> list[float]:
    """About `count` round marks from 0 up to at least `high` (Heckbert 1990)."""
    if high <= 0:
        return [0.0, 1.0]
    rough = high / count
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * magnitude for nice in (1, 2, 2.5, 5, 10) if nice * magnitude >= rough)
    marks = [0.0]
    while marks[-1] < high:
        marks.append(round(len(marks) * step, 12))
    return marks
