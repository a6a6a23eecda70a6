"""The report as one HTML file that loads nothing from anywhere."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pullrisk import atomic
from pullrisk.errors import InputError, MissingExtraError
from pullrisk.model.metadata import Facts
from pullrisk.report.charts import BASELINES, Driver
from pullrisk.report.patterns import PatternMap
from pullrisk.report.svg import percent
from pullrisk.score.result import Score
from pullrisk.train.evaluation import OURS, Evaluation, Interval

if TYPE_CHECKING:
    from jinja2 import Environment

SPACE = "\N{NO-BREAK SPACE}"
DASH = "\N{EN DASH}"
SHOWN_DRIVERS = 14
COLUMNS = (
    ("within_auc_weighted", "AUC within repositories"),
    ("pooled_auc", "pooled AUC"),
    ("average_precision", "average precision"),
    ("top_5", "caught in top 5 %"),
    ("top_10", "caught in top 10 %"),
    ("top_30", "caught in top 30 %"),
)
"""Figures of the comparison: key in an evaluation, and its heading."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of a pull: `reverted`, `hotfixed`, `clean` or `immature`, in words."""

    kind: str
    text: str


class Riskiest(msgspec.Struct, frozen=True):
    """A pull of the table of the riskiest, with what became of it."""

    pull: Score
    outcome: Outcome


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that stands on the page; the charts are SVG or None if there is no data."""

    generated_at: datetime
    model: str
    facts: Facts
    evaluation: Evaluation
    capture: str | None
    calibration: str | None
    distribution: str | None
    drivers: Sequence[Driver]
    families: Sequence[Driver]
    patterns: PatternMap | None
    riskiest: Sequence[Riskiest]


def render(contents: Contents) -> str:
    """The page as text. Raises MissingExtraError without jinja2."""
    made = environment()
    made.filters |= {
        "risk": lambda value: f"{100 * value:.1f}{SPACE}%",
        "percent": lambda value: DASH if value is None else percent(value),
        "figure": lambda value: DASH if value is None else f"{value:.3f}",
        "day": lambda moment: moment.strftime("%Y-%m-%d"),
    }
    strongest = contents.drivers[0].effect if contents.drivers else 1.0
    return made.get_template("page.html.j2").render(
        {name: getattr(contents, name) for name in contents.__struct_fields__},
        columns=COLUMNS,
        models=[name for name in (OURS, *BASELINES) if name in contents.evaluation.models],
        best=_best(contents.evaluation),
        css_of=BASELINES,
        ours=OURS,
        cards=list(_cards(contents.evaluation)),
        drivers=contents.drivers[:SHOWN_DRIVERS],
        strongest=strongest or 1.0,
    )


def write(page: str, path: Path) -> None:
    """Write the page whole or not at all. Raises InputError if the path does not work."""
    try:
        atomic.replace(path, page.encode())
    except OSError as error:
        raise InputError(
            f"report {path} cannot be written: {error.strerror}",
            hint="name another place with --output",
        ) from error


def environment() -> "Environment":
    """Jinja2 over the templates beside this module. Raises MissingExtraError without jinja2."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtraError.of("jinja2", "train") from error
    return Environment(
        loader=PackageLoader("pullrisk.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _best(evaluation: Evaluation) -> dict[str, float]:
    """The best value of each column."""
    best: dict[str, float] = {}
    for key, _ in COLUMNS:
        values = [model.ranking[key].value for model in evaluation.models.values()]
        best[key] = max((value for value in values if value is not None), default=0.0)
    return best


def _cards(evaluation: Evaluation) -> Any:  # noqa: ANN401  # rows of text for the template
    """The headline figures: heading, value, its interval, what to hold it against."""
    ours = evaluation.models.get(OURS)
    if ours is not None:
        yield _capture_card(evaluation, ours.ranking["top_10"])
        yield _auc_card(evaluation, ours.ranking["within_auc_weighted"])
    if evaluation.novelty is not None:
        figure = next(reversed(evaluation.novelty.ours.values()))
        forest = list(evaluation.novelty.isolation_forest.values())[-1:]
        beside = f"IsolationForest {forest[0].value:.2f}" if forest and forest[0].value else ""
        yield "novelty AUC on injected anomalies", _two(figure.value), _range(figure), beside
    if evaluation.probability is not None:
        probability = evaluation.probability
        told, real = percent(probability.mean_predicted), percent(probability.base_rate)
        error = f"{100 * probability.expected_calibration_error:.2f} pp"
        yield "expected calibration error", error, "", f"predicted {told}, happened {real}"


def _capture_card(evaluation: Evaluation, figure: Interval) -> tuple[str, ...]:
    value = DASH if figure.value is None else f"{100 * figure.value:.0f}{SPACE}%"
    low, high = figure.low, figure.high
    interval = (
        "" if low is None or high is None else f"{100 * low:.0f}{DASH}{100 * high:.0f}{SPACE}%"
    )
    total = f"of {evaluation.positives:,} reverts; chance catches 10{SPACE}%"
    return f"reverts caught in each repository's riskiest 10{SPACE}%", value, interval, total


def _auc_card(evaluation: Evaluation, figure: Interval) -> tuple[str, ...]:
    others = {
        name: model.ranking["within_auc_weighted"].value
        for name, model in evaluation.models.items()
        if name != OURS
    }
    known = {name: value for name, value in others.items() if value is not None}
    name = max(known, key=lambda key: known[key], default=None)
    beside = f"{name} {known[name]:.2f}" if name else ""
    return "AUC within repositories", _two(figure.value), _range(figure), beside


def _two(value: float | None) -> str:
    return DASH if value is None else f"{value:.2f}"


def _range(figure: Interval) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"{figure.low:.2f}{DASH}{figure.high:.2f}"
