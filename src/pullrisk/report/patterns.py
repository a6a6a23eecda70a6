"""The map of patterns: where pulls lie in the network's code, and the risk of each cluster."""

from html import escape
from typing import Final

import msgspec
import numpy as np

from pullrisk.arrays import Bools, Float32, Float64, Int8
from pullrisk.model.bundle import Bundle
from pullrisk.model.metadata import Patterns
from pullrisk.svg import percent
from pullrisk.train.dataset import UNKNOWN, Dataset
from pullrisk.train.evaluate import main_target

_WIDTH: Final = 1_100
_HEIGHT: Final = 520
_MARGIN: Final = 46
_MOST_ROWS: Final = 50_000
_MOST_DOTS: Final = 1_500
_LEAST_RADIUS: Final = 11.0
_LARGEST_RADIUS: Final = 44.0


class PatternFigures(msgspec.Struct, frozen=True):
    """A pattern in the report; `number` is its mark on the map.

    `share` is that of all pulls, `risk` the mean predicted one (None without a risk), `reverted`
    the share of its `matured` pulls that really were (None if there is no such pull).
    """

    number: int
    name: str
    share: float
    risk: float | None
    matured: int
    reverted: float | None


class PatternMap(msgspec.Struct, frozen=True):
    """The map as SVG, and every pattern's figures, the riskiest first."""

    picture: str
    each: list[PatternFigures]


def pattern_map(bundle: Bundle, dataset: Dataset) -> PatternMap | None:
    """Measure the patterns on the dataset's pulls (some, evenly chosen, where there are many).

    None for a model without patterns.
    """
    patterns = bundle.metadata.patterns
    if patterns is None:
        return None
    part = dataset.take(np.arange(0, len(dataset), -(-len(dataset) // _MOST_ROWS)))
    risk, _, code = bundle.raw(part.x)
    of, labels = patterns.of(code), part.labels(main_target(bundle, part))
    each = [
        _figures(number, pattern.name, of == number - 1, labels, _known(bundle, risk))
        for number, pattern in enumerate(patterns.each, 1)
    ]
    picture = _picture(patterns, each, patterns.on_map(code), labels)
    return PatternMap(picture, sorted(each, key=lambda figures: -_weight(figures)))


def _known(bundle: Bundle, risk: Float64) -> Float64 | None:
    return risk if bundle.metadata.risk_available else None


def _figures(
    number: int, name: str, rows: Bools, labels: Int8, risk: Float64 | None
) -> PatternFigures:
    known = rows & (labels != UNKNOWN)
    return PatternFigures(
        number=number,
        name=name,
        share=float(rows.mean()),
        risk=float(risk[rows].mean()) if risk is not None and rows.any() else None,
        matured=int(known.sum()),
        reverted=float((labels[known] == 1).mean()) if known.any() else None,
    )


def _weight(pattern: PatternFigures) -> float:
    return pattern.risk if pattern.risk is not None else pattern.reverted or 0.0


def _picture(patterns: Patterns, each: list[PatternFigures], places: Float32, labels: Int8) -> str:
    centres = np.array([pattern.centre for pattern in patterns.each], np.float32)
    low, high = np.quantile(places, (0.005, 0.995), axis=0)
    scale = np.array([_WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN]) / np.maximum(high - low, 1e-9)

    def drawn(points: Float32) -> list[list[float]]:
        inside = np.clip(points, low, high)
        scaled: list[list[float]] = (_MARGIN + (inside - low) * scale).tolist()
        return scaled

    step = max(1, len(places) // _MOST_DOTS)
    dots = zip(drawn(places[::step]), labels[::step].tolist(), strict=True)
    most = max((_weight(pattern) for pattern in each), default=0.0) or 1.0
    middles = zip(drawn(patterns.on_map(centres)), each, strict=True)
    return (
        f'<svg class="plot map" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        'aria-label="Map of patterns. Each circle is a pattern; the table below gives the risk '
        f'of each.">{"".join(_dot(x, y, label) for (x, y), label in dots)}'
        f"{''.join(_circle(x, y, pattern, most) for (x, y), pattern in middles)}</svg>"
    )


def _dot(x: float, y: float, label: int) -> str:
    kind = "reverted" if label == 1 else "clean"
    radius = 2.6 if label == 1 else 1.6
    return f'<circle class="pull {kind}" cx="{x:.0f}" cy="{y:.0f}" r="{radius}"/>'


def _circle(x: float, y: float, pattern: PatternFigures, most: float) -> str:
    """A pattern's circle: its area is the share of pulls, its colour the risk."""
    radius = _LEAST_RADIUS + (_LARGEST_RADIUS - _LEAST_RADIUS) * min(3 * pattern.share, 1.0) ** 0.5
    tip = f"{pattern.name}: {percent(pattern.share)} of the pull requests"
    if pattern.risk is not None:
        tip += f", risk {percent(pattern.risk)}"
    if pattern.reverted is not None:
        tip += f", happened {percent(pattern.reverted)}"
    return (
        f'<g class="pattern"><circle cx="{x:.0f}" cy="{y:.0f}" r="{radius:.0f}" '
        f'fill-opacity="{0.08 + 0.62 * _weight(pattern) / most:.2f}"><title>{escape(tip)}</title>'
        f'</circle><text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle">{pattern.number}</text>'
        "</g>"
    )
