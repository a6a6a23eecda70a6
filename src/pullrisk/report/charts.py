"""What the report shows of a model: plots of its evaluation, and what drives its risk."""

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from pullrisk.arrays import Float32, Float64, Int8, Int32
from pullrisk.model.bundle import Bundle
from pullrisk.model.occlusion import Unit, occlude, occlusion_units
from pullrisk.monitor.outcomes import wilson
from pullrisk.svg import Axis, Plot, Point, percent, round_marks
from pullrisk.train.evaluation import OURS, Evaluation

BASELINES: Final = {
    "gradient boosting": "other-a",
    "logistic regression": "other-b",
    "code lines added": "other-e",
    "lines added": "other-c",
    "IsolationForest": "other-d",
}
"""Baselines in the order of the legend, and the CSS class that draws each."""
_SHARES: Final = (0.05, 0.10, 0.30)
_BINS: Final = 28


def capture(evaluation: Evaluation) -> str | None:
    """Share of the positives caught when each repository reviews its riskiest share."""
    if evaluation.capture is None:
        return None
    curve = dict(zip(evaluation.capture.x, evaluation.capture.y, strict=True))
    curve |= dict(_caught(evaluation, OURS))  # the curve's steps miss some of the shares
    ours = [point for point in sorted(curve.items()) if point[0] <= _SHARES[-1]]
    others = {name: _caught(evaluation, name) for name in BASELINES if name in evaluation.models}
    top = max(y for points in (ours, *others.values()) for _, y in points)
    marks = round_marks(top)
    plot = Plot(
        "Capture curve",
        f"Share of those {evaluation.outcome} caught by reviewing the riskiest share of each "
        "repository.",
        Axis(0, _SHARES[-1], (0, *_SHARES[:2], 0.2, 0.3), "share of pull requests reviewed"),
        Axis(0, marks[-1], marks, f"share of those {evaluation.outcome}"),
    )
    plot.line([(0, 0), (_SHARES[-1], _SHARES[-1])], "chance")
    for name, points in others.items():
        plot.line(points, BASELINES[name])
    plot.line(ours, "ours")
    _capture_dots(plot, evaluation)
    return plot.svg()


def _capture_dots(plot: Plot, evaluation: Evaluation) -> None:
    for share in _SHARES:
        figure = evaluation.models[OURS].ranking[f"top_{round(100 * share)}"]
        if figure.value is None:
            continue
        ends = (figure.low, figure.high)
        interval = (ends[0], ends[1]) if ends[0] is not None and ends[1] is not None else None
        tip = f"riskiest {percent(share)}: {percent(figure.value)} of those {evaluation.outcome}"
        plot.dot((share, figure.value), "ours", tip=tip, interval=interval)


def _caught(evaluation: Evaluation, name: str) -> list[Point]:
    ranking = evaluation.models[name].ranking
    points = [(share, ranking[f"top_{round(100 * share)}"].value) for share in _SHARES]
    return [(0.0, 0.0), *((share, value) for share, value in points if value is not None)]


def calibration(evaluation: Evaluation) -> str | None:
    """Predicted risk against the share of positives, in ten bins of equal size."""
    if evaluation.probability is None:
        return None
    curve = evaluation.probability.calibration
    pulls = evaluation.pulls / max(len(curve.x), 1)
    ranges = [wilson(observed, pulls) for observed in curve.y]
    marks = round_marks(max(max(curve.x), max(high for _, high in ranges)))
    plot = Plot(
        "Calibration",
        f"Predicted risk against the share of pull requests that was really {evaluation.outcome}.",
        Axis(0, marks[-1], marks, "predicted risk"),
        Axis(0, marks[-1], marks, f"share that was {evaluation.outcome}"),
    )
    plot.line([(0, 0), (marks[-1], marks[-1])], "chance")
    for predicted, observed, interval in zip(curve.x, curve.y, ranges, strict=True):
        tip = f"predicted {percent(predicted)}, happened {percent(observed)} of {pulls:,.0f}"
        plot.dot((predicted, observed), "ours", tip=tip, interval=interval)
    return plot.svg()


def distribution(risk: Float64, labels: Int8, outcome: str) -> str | None:
    """Where the risks of positives and of all others lie; risk [n], labels [n] 0 or 1."""
    if not (labels == 1).any() or not (labels == 0).any():
        return None
    logs = np.log10(np.clip(risk, 1e-5, 1.0))
    low, high = np.floor(logs.min() * 4) / 4, np.ceil(logs.max() * 4) / 4
    edges = np.linspace(low, high, _BINS + 1)
    shares = {kind: _shares(logs[labels == kind], edges) for kind in (0, 1)}
    marks = round_marks(float(max(part.max() for part in shares.values())), count=4)
    plot = Plot(
        "Distribution of risk",
        f"Histogram of the predicted risk of pull requests that were {outcome} and of all others.",
        Axis(float(low), float(high), _decades(low, high), "predicted risk", _power),
        Axis(0, marks[-1], marks, "share of pull requests"),
    )
    for start, end, share in zip(edges, edges[1:], shares[0], strict=False):
        tip = f"{percent(float(share))} of the others"
        plot.column(float(start), float(end), float(share), css="clean", tip=tip)
    plot.line(_steps(edges, shares[1]), "reverted")
    words = {0: "median of the others", 1: f"median of those {outcome}"}
    medians = sorted((float(np.median(logs[labels == kind])), kind) for kind in words)
    for (at, kind), side in zip(medians, ("end", "start"), strict=True):
        plot.upright(at, words[kind], css=f"kind-{kind}", anchor=side)
    return plot.svg()


def _shares(values: Float64, edges: Float64) -> Float64:
    counts = np.histogram(values, edges)[0]
    return np.asarray(counts / max(len(values), 1), np.float64)


def _steps(edges: Float64, heights: Float64) -> list[Point]:
    """The outline of a histogram."""
    xs = np.repeat(edges, 2)
    ys = np.concatenate([[0.0], np.repeat(heights, 2), [0.0]])
    return list(zip(xs.tolist(), ys.tolist(), strict=True))


def _decades(low: float, high: float) -> Sequence[float]:
    """Marks at 1, 3 and 10 of each decade inside the range."""
    candidates = [step + shift for step in range(-5, 1) for shift in (0.0, math.log10(3))]
    return [mark for mark in candidates if low <= mark <= high]


def _power(value: float) -> str:
    return percent(float(f"{10**value:.1g}"))


ROWS_A_REPOSITORY = 200


class Driver(msgspec.Struct, frozen=True):
    """A feature, a topic (under its first feature) or a family, and how much it matters.

    `effect` is the mean size of its effect on the log-odds of risk.
    """

    label: str
    family: str
    effect: float


def drivers(
    bundle: Bundle, x: Float32, codes: Int32, repositories: Sequence[str]
) -> tuple[list[Driver], list[Driver]]:
    """Features and families, strongest first, over each repository's latest rows.

    `x` is [n, d] raw, in event order within each repository; `codes` [n] index `repositories`.
    The effect is that of occlusion (Zeiler and Fergus 2014), as in the reasons for a score.
    """
    units = occlusion_units(bundle.metadata.features)
    effects = [
        _effects(bundle, x[codes == code][-ROWS_A_REPOSITORY:], name, units)
        for code, name in enumerate(repositories)
        if (codes == code).any()
    ]
    if not effects or not bundle.metadata.risk_available:
        return [], []
    mean = np.abs(np.concatenate(effects)).mean(axis=0)
    if not mean.any():  # a single pull is its own median
        return [], []
    pairs = [
        (unit.family is not None, _driver(bundle, unit, float(effect)))
        for unit, effect in zip(units, mean, strict=True)
    ]
    pairs.sort(key=lambda pair: -pair[1].effect)
    return [each for whole, each in pairs if not whole], [each for whole, each in pairs if whole]


def _effects(bundle: Bundle, x: Float32, repository: str, units: Sequence[Unit]) -> Float64:
    """Change of the log-odds for every row and unit, [n, units]."""
    risk, _ = occlude(bundle, x, usual=bundle.metadata.typical.row(repository), units=units)
    odds = np.log(np.clip(risk, 1e-9, 1 - 1e-7)) - np.log1p(-np.clip(risk, 1e-9, 1 - 1e-7))
    return np.asarray(odds[:, :1] - odds[:, 1:], np.float64)


def _driver(bundle: Bundle, unit: Unit, effect: float) -> Driver:
    first = bundle.metadata.features[unit.columns[0]]
    return Driver(unit.family or first.sentence, first.family, effect)
