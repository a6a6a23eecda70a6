"""The plots of a training run as PNG files; drawn on Agg, so no display is needed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pullrisk.errors import MissingExtraError
from pullrisk.train.fit import Epoch
from pullrisk.train.report import Curve, Evaluation, Histogram, Probability

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_all(evaluation: Evaluation, epochs: Sequence[Epoch]) -> dict[str, "Figure"]:
    """Every plot that the evaluation has data for, by file name."""
    plots = {"loss.png": loss(epochs)}
    if evaluation.capture is not None:
        plots["capture.png"] = capture(evaluation.capture)
    if evaluation.probability is not None:
        plots["calibration.png"] = calibration(evaluation.probability)
    if evaluation.scores is not None:
        plots["scores.png"] = score_distributions(evaluation.scores)
    return plots


def loss(epochs: Sequence[Epoch]) -> "Figure":
    """Risk loss of training and validation by epoch."""
    figure, axes = _canvas("Risk loss", "epoch", "cross-entropy")
    number = [epoch.epoch for epoch in epochs]
    axes.plot(number, [epoch.training_risk_loss for epoch in epochs], label="training (noisy)")
    known = [epoch for epoch in epochs if epoch.validation_risk_loss is not None]
    if known:
        axes.plot(
            [epoch.epoch for epoch in known],
            [epoch.validation_risk_loss for epoch in known],
            label="validation",
        )
    axes.legend()
    return figure


def capture(curve: Curve) -> "Figure":
    """Share of the reverts caught against the share of pulls that each repository flags."""
    figure, axes = _canvas("Capture", "share of each repository's pulls", "share of reverts caught")
    axes.plot(curve.x, curve.y, label="pullrisk")
    axes.plot([0, 1], [0, 1], "--", color="grey", label="chance")
    axes.legend()
    return figure


def calibration(probability: Probability) -> "Figure":
    """Observed share of reverts against predicted risk, in ten bins of equal size."""
    curve = probability.calibration
    figure, axes = _canvas("Calibration", "predicted risk", "observed share of reverts")
    axes.plot(curve.x, curve.y, "o-")
    most = max([*curve.x, *curve.y])
    axes.plot([0, most], [0, most], "--", color="grey")
    return figure


def score_distributions(histogram: Histogram) -> "Figure":
    """Distribution of the risk's log-odds, of clean pulls and of those in trouble."""
    figure, axes = _canvas("Scores", "log-odds of risk", "share of pulls")
    for name, counts in (("clean", histogram.clean), ("in trouble", histogram.trouble)):
        total = max(1, sum(counts))
        axes.stairs([count / total for count in counts], histogram.edges, label=name)
    axes.legend()
    return figure


def _canvas(title: str, x: str, y: str) -> "tuple[Figure, Any]":
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError.of("matplotlib", "train") from error
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes
