"""A treemap of files by directory: area is churn, colour is how often a fix was needed."""

from collections.abc import Callable, Sequence
from html import escape
from math import sqrt
from typing import Final, TypeVar

import msgspec
from markupsafe import Markup

from pullrisk.brief.wording import counted, share
from pullrisk.dashboard.hot import HotDirectory, HotFile

T = TypeVar("T")
WIDTH, HEIGHT = 1_000, 520
LEVELS: Final = 5
"""Steps of the colour."""
_HEAD: Final = 19
_LETTER: Final = 6.6
"""Width of a letter of a label."""
_FEWEST: Final = 5
"""Letters that a label needs room for."""


class Box(msgspec.Struct, frozen=True):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    def inner(self, gap: float, head: float = 0.0) -> "Box":
        """The rectangle inside a gap on every side and a head above."""
        width, height = self.width - 2 * gap, self.height - 2 * gap - head
        return Box(self.x + gap, self.y + gap + head, max(width, 0.0), max(height, 0.0))


def treemap(directories: Sequence[HotDirectory], *, name: str) -> Markup | None:
    """The picture; None without files. `name` is of whom, for screen readers."""
    if not directories:
        return None
    shares = sorted(file.share for directory in directories for file in directory.files)
    low, high = shares[0], shares[-1]
    parts = []
    for directory, box in squarified(directories, Box(0, 0, WIDTH, HEIGHT), _changes):
        inside = box.inner(2)
        head = _HEAD if inside.height > 2 * _HEAD and inside.width > 40 else 0
        parts.append(_rectangle("folder", inside, f"{directory.path or '/'}"))
        if head:
            parts.append(
                _label(directory.path or "/", inside, "folder-name", _HEAD - 6, letter=7.4)
            )
        for file, file_box in squarified(directory.files, inside.inner(1, head), _changes):
            parts.append(_file(file, file_box.inner(0.75), _level(file.share, low, high)))
    words = (
        f"Treemap of the busiest files of {name}: larger is changed more often, "
        "darker needed a fix more often. The table below has the same."
    )
    return Markup(  # noqa: S704  (every word in it is escaped)
        f'<svg class="treemap" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(words)}">{"".join(parts)}</svg>'
    )


def squarified(items: Sequence[T], box: Box, weight: Callable[[T], float]) -> list[tuple[T, Box]]:
    """The items, largest first, each with a box of its share of the area, nearly square.

    Bruls, Huizing and van Wijk (2000).
    """
    rest = sorted(items, key=weight, reverse=True)
    total = sum(map(weight, rest))
    if not total or box.width <= 0 or box.height <= 0:
        return []
    scale = box.width * box.height / total
    placed: list[tuple[T, Box]] = []
    while rest:
        side = min(box.width, box.height)
        count = 1
        while count < len(rest) and _worst(rest[: count + 1], scale, side, weight) <= _worst(
            rest[:count], scale, side, weight
        ):
            count += 1
        row, rest = rest[:count], rest[count:]
        boxes, box = _row(row, box, scale, weight)
        placed += zip(row, boxes, strict=True)
    return placed


def _worst(row: Sequence[T], scale: float, side: float, weight: Callable[[T], float]) -> float:
    """The largest ratio of sides in a row along a side."""
    areas = [weight(item) * scale for item in row]
    total = sum(areas)
    if not side or not total:
        return float("inf")
    return max(max(side**2 * area / total**2, total**2 / (side**2 * area)) for area in areas)


def _row(
    row: Sequence[T], box: Box, scale: float, weight: Callable[[T], float]
) -> tuple[list[Box], Box]:
    """The boxes of a row along the shorter side, and what is left of the box."""
    areas = [weight(item) * scale for item in row]
    upright = box.width >= box.height
    side = box.height if upright else box.width
    depth = sum(areas) / side if side else 0.0
    boxes, at = [], 0.0
    for area in areas:
        length = area / depth if depth else 0.0
        boxes.append(
            Box(box.x, box.y + at, depth, length)
            if upright
            else Box(box.x + at, box.y, length, depth)
        )
        at += length
    if upright:
        return boxes, Box(box.x + depth, box.y, max(box.width - depth, 0.0), box.height)
    return boxes, Box(box.x, box.y + depth, box.width, max(box.height - depth, 0.0))


def _changes(item: HotDirectory | HotFile) -> float:
    return float(item.changes)


def _level(value: float, low: float, high: float) -> int:
    if high <= low:
        return 1
    return 1 + min(LEVELS - 1, int(LEVELS * sqrt((value - low) / (high - low))))


def _file(file: HotFile, box: Box, level: int) -> str:
    changes = counted(file.changes, "change")
    tip = f"{file.path}: {changes} in a year, {file.fixed} fixed later ({share(file.share)})"
    name = file.path.rpartition("/")[2]
    label = ""
    if box.height > 15 and box.width > 34:
        label = _label(name, box, f"file-name on-{level}", min(13.0, box.height - 3))
    return _rectangle(f"level-{level}", box, tip) + label


def _rectangle(css: str, box: Box, tip: str) -> str:
    return (
        f'<rect class="{css}" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="2"><title>{escape(tip)}</title></rect>'
    )


def _label(words: str, box: Box, css: str, down: float, *, letter: float = _LETTER) -> str:
    """The words, as much as fits: of a directory its end, of a file its begin."""
    most = int((box.width - 8) / letter)
    if most < _FEWEST:
        return ""
    cut = f"…{words[1 - most :]}" if css == "folder-name" else f"{words[: most - 1]}…"
    label = words if len(words) <= most else cut
    return f'<text class="{css}" x="{box.x + 4:.1f}" y="{box.y + down:.1f}">{escape(label)}</text>'
