"""Strips: where a pull lies beside what is usual in its repository, one for each reason."""

from collections.abc import Sequence
from html import escape
from math import isnan, log1p
from typing import Final

import msgspec
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from pullrisk.brief.facts import FACTS
from pullrisk.brief.result import Reason
from pullrisk.brief.wording import counted, duration, share
from pullrisk.features.schema import Feature
from pullrisk.model.metadata import Metadata

_WIDTH, _HEIGHT, _PAD = 320, 26, 8
_USUAL: Final = (0.1, 0.5, 0.9)
_CLEAREST: Final = {"code_added": 0, "changed_files": 1, "code_removed": 2}
"""Features that are shown for their fact before others, in this order: sentences name them."""


class Strip(msgspec.Struct, frozen=True):
    """The feature that shows a reason: what it measures, the pull's value the usual, a picture."""

    reason: Reason
    label: str
    value: str
    usual: str
    svg: Markup


def strips(
    metadata: Metadata, repository: str, reasons: Sequence[Reason], row: NDArray[np.float32]
) -> list[Strip]:
    """The strips of the reasons, each of its first feature that is outside of the usual range, else
    of its leading one; `row` is [d].

    Empty without the model's reference of what its training pulls looked like.
    """
    if metadata.reference is None:
        return []
    places = {feature.name: place for place, feature in enumerate(metadata.features)}
    expected = metadata.reference.expected(repository)
    usual = {
        place: quantiles(metadata.reference.bins[place], expected[place])
        for reason in reasons
        for place in _places_of(reason, places, row)
    }
    result = []
    for reason in reasons:
        known_places = [
            place for place in _places_of(reason, places, row) if usual[place] is not None
        ]
        unusual = [place for place in known_places if not _within(float(row[place]), usual[place])]
        for place in (*unusual, *known_places)[:1]:
            range_here = usual[place] or []
            result.append(_strip(reason, metadata.features[place], float(row[place]), range_here))
    return result


def _within(value: float, usual: list[float] | None) -> bool:
    return usual is None or usual[0] <= value <= usual[2]


def quantiles(edges: NDArray[np.float32], counts: NDArray[np.float64]) -> list[float] | None:
    """The values below which 10, 50 and 90 % lie, from counts in bins [n + 1] that end at edges
    [n]; None without any pull.

    The last bin has no end: a quantile in it is told as its begin.
    """
    total = counts.sum()
    if not total:
        return None
    reached = np.cumsum(counts) / total
    ends = np.append(edges, edges[-1])
    starts = np.concatenate([edges[:1], edges])
    values = []
    for level in _USUAL:
        place = int(np.searchsorted(reached, level))
        before = reached[place - 1] if place else 0.0
        part = (level - before) / max(reached[place] - before, 1e-9)
        values.append(float(starts[place] + part * (ends[place] - starts[place])))
    return values


def _places_of(reason: Reason, places: dict[str, int], row: NDArray[np.float32]) -> list[int]:
    """The places of the reason's features whose values are known, the leading one first."""
    facts = sorted(FACTS.get(reason.kind, ()), key=lambda name: _CLEAREST.get(name, len(_CLEAREST)))
    names = [name for name in facts if name in reason.features]
    return [places[name] for name in names if name in places and not isnan(row[places[name]])]


def _strip(reason: Reason, feature: Feature, value: float, usual: list[float]) -> Strip:
    low, middle, high = usual
    words = between(low, high, feature.unit)
    if feature.scale == "flag":
        words = "yes" if middle >= 0.5 else "no"
    shown_value = (
        amount(value, feature.unit) if feature.scale != "flag" else ("yes" if value else "no")
    )
    return Strip(reason, feature.sentence, shown_value, words, _picture(feature, value, usual))


def amount(value: float, unit: str) -> str:
    """A value in its unit as people say it: `34 %`, `9 days`, `1,200 lines`."""
    if unit == "share":
        return share(max(value, 0.0))
    if unit == "days":
        return duration(value)
    if not unit or unit in {"yes/no", "flag"}:
        return f"{value:,.3g}"
    if value != round(value) and value < 10:
        return f"{value:.1f} {unit}"
    singular = unit.removesuffix("s")
    return counted(value, singular, unit)


def between(low: float, high: float, unit: str) -> str:
    """A range in its unit: `0 to 70 lines`."""
    first, last = amount(low, unit), amount(high, unit)
    number, _, noun = first.partition(" ")
    return f"{number if noun and last.endswith(noun) else first} to {last}"


def _picture(feature: Feature, value: float, usual: list[float]) -> Markup:
    """The usual range as a band with the median in it, the pull as a dot."""
    scale = log1p if feature.scale == "log" else float
    ends = [scale(max(each, 0.0)) for each in (0.0, value, *usual)]
    first, last = min(ends), max(ends)
    span = (last - first) or 1.0

    def x(number: float) -> str:
        along = (scale(max(number, 0.0)) - first) / span
        return f"{_PAD + along * (_WIDTH - 2 * _PAD):.1f}"

    low, middle, high = usual
    width = max(float(x(high)) - float(x(low)), 3.0)
    y = _HEIGHT / 2
    outside = " outside" if not low <= value <= high else ""
    words = f"this pull {value:.3g}, usually {low:.3g} to {high:.3g}, median {middle:.3g}"
    return Markup(  # noqa: S704  (numbers and escaped words alone)
        f'<svg class="strip" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(words)}">'
        f'<line class="track" x1="{_PAD}" x2="{_WIDTH - _PAD}" y1="{y}" y2="{y}"/>'
        f'<rect class="usual" x="{x(low)}" y="{y - 5}" width="{width:.1f}" height="10" rx="3"/>'
        f'<line class="middle" x1="{x(middle)}" x2="{x(middle)}" y1="{y - 8}" y2="{y + 8}"/>'
        f'<circle class="dot{outside}" cx="{x(value)}" cy="{y}" r="5.5"/></svg>'
    )
