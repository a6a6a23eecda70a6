"""The report as one HTML file that loads nothing from anywhere."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pullrisk import atomic
from pullrisk.brief.result import ScoredPull
from pullrisk.errors import InputError, needs_extra
from pullrisk.model.metadata import Facts
from pullrisk.report.charts import BASELINES, Driver
from pullrisk.report.patterns import PatternMap
from pullrisk.svg import percent
from pullrisk.train.evaluation import OURS, Evaluation, Figures, Interval, RiskiestShare

if TYPE_CHECKING:
    from jinja2 import Environment

SPACE = "\N{NO-BREAK SPACE}"
DASH = "\N{EN DASH}"
SHOWN_DRIVERS = 14
COLUMNS = (
    ("within_auc_weighted", "AUC within repositories"),
    ("like_size_auc", "AUC among pull requests of like size"),
    ("pooled_auc", "pooled AUC"),
    ("average_precision", "average precision"),
    ("top_5", "caught in top 5 %"),
    ("top_10", "caught in top 10 %"),
    ("top_30", "caught in top 30 %"),
    ("precision_10", "precision in top 10 %"),
    ("lift_10", "times the share of all"),
)
"""Figures of the comparison: key in an evaluation, and its heading."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of a pull: `reverted`, `repaired`, `clean` or `immature`, in words."""

    kind: str
    text: str


class Riskiest(msgspec.Struct, frozen=True):
    """A pull of the table of the riskiest, with what became of it."""

    pull: ScoredPull
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
    templates = environment()
    templates.filters |= {
        "risk": lambda value: f"{100 * value:.1f}{SPACE}%",
        "percent": lambda value: DASH if value is None else percent(value),
        "figure": lambda value: DASH if value is None else f"{value:.3f}",
        "day": lambda moment: moment.strftime("%Y-%m-%d"),
    }
    strongest = contents.drivers[0].effect if contents.drivers else 1.0
    return templates.get_template("page.html.j2").render(
        {name: getattr(contents, name) for name in contents.__struct_fields__},
        tables=list(_tables(contents.evaluation)),
        models=[name for name in (OURS, *BASELINES) if name in contents.evaluation.models],
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
    with needs_extra("train"):
        from jinja2 import Environment, PackageLoader, StrictUndefined
    return Environment(
        loader=PackageLoader("pullrisk.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _tables(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    """Every model beside the others, on all pulls and on those that change code: for each table
    a heading, the models, the columns that they have, and the best value of each column.
    """
    yield _table("", evaluation.models)
    code = evaluation.code_pulls
    if code is not None:
        heading = f"Only the {code.pulls:,} that change at least three lines of code"
        yield _table(f"{heading}, {code.positives:,} of them {evaluation.outcome}", code.models)


def _table(heading: str, models: Mapping[str, Figures]) -> dict[str, Any]:
    columns = [column for column in COLUMNS if all(column[0] in m.ranking for m in models.values())]
    best: dict[str, float] = {}
    for key, _ in columns:
        values = [model.ranking[key].value for model in models.values()]
        best[key] = max((value for value in values if value is not None), default=0.0)
    return {"heading": heading, "models": models, "columns": columns, "best": best}


def _cards(evaluation: Evaluation) -> Any:  # noqa: ANN401  # rows of text for the template
    """The headline figures: heading, value, its interval, what to hold it against."""
    ours = evaluation.models.get(OURS)
    riskiest = evaluation.riskiest()
    if riskiest is not None:
        yield _precision_card(riskiest, evaluation.outcome)
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
        predicted, happened = percent(probability.mean_predicted), percent(probability.base_rate)
        error = f"{100 * probability.expected_calibration_error:.2f} pp"
        yield "expected calibration error", error, "", f"predicted {predicted}, happened {happened}"


def _precision_card(riskiest: RiskiestShare, outcome: str) -> tuple[str, ...]:
    heading = f"of each repository's riskiest 10{SPACE}% {outcome}"
    lift = "" if riskiest.lift.value is None else f": {riskiest.lift.value:.1f} times as many"
    beside = f"of all {percent(riskiest.base_rate)}{lift}"
    return heading, *_share(riskiest.precision), beside


def _capture_card(evaluation: Evaluation, figure: Interval) -> tuple[str, ...]:
    total = f"of {evaluation.positives:,} {evaluation.outcome}; chance catches 10{SPACE}%"
    heading = f"of those {evaluation.outcome} are in each repository's riskiest 10{SPACE}%"
    return heading, *_share(figure), total


def _share(figure: Interval) -> tuple[str, str]:
    """A share and its interval, in percent."""
    value = DASH if figure.value is None else percent(figure.value)
    if figure.low is None or figure.high is None:
        return value, ""
    return value, f"{percent(figure.low)} {DASH} {percent(figure.high)}"


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
