"""What an evaluation says, as plain structures that become JSON."""

from collections.abc import Mapping

import msgspec


class Interval(msgspec.Struct, frozen=True):
    """A figure and its bootstrap 95 % interval; None where it cannot be told."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Operating(msgspec.Struct, frozen=True):
    """How flagging at an operating point does; `flagged` is the share of pulls it flags."""

    flagged: float
    precision: float | None
    recall: float | None
    f1: float | None


class Figures(msgspec.Struct, frozen=True):
    """One model's figures: ranking with intervals, and F1 at each repository's own top shares."""

    ranking: dict[str, Interval]
    top: dict[str, Operating]


class Curve(msgspec.Struct, frozen=True):
    """A curve of the report: calibration (predicted, observed) or capture (flagged, caught)."""

    x: list[float]
    y: list[float]


class Probability(msgspec.Struct, frozen=True):
    """How good the risk is as a probability, and the same for always saying the base rate."""

    brier: float
    brier_of_base_rate: float
    expected_calibration_error: float
    mean_predicted: float
    base_rate: float
    calibration: Curve


class Reconstruction(msgspec.Struct, frozen=True):
    """Novelty error on the rows seen in training and on the test rows."""

    train_mean: float
    train_median: float
    test_mean: float
    test_median: float


class Alarm(msgspec.Struct, frozen=True):
    """Alarms by novelty: `rate` is the share of false alarms that was asked for, `flagged` the
    share of test pulls beyond their repository's threshold (`threshold` is that of all).

    The `blueprint` is the mean training error and two deviations, the same for all.
    """

    rate: float
    threshold: float
    flagged: float
    blueprint_threshold: float
    blueprint_flagged: float


class Novelty(msgspec.Struct, frozen=True):
    """AUC of injected anomalies against ordinary pulls, by kind: ours and IsolationForest."""

    ours: dict[str, Interval]
    isolation_forest: dict[str, Interval]
    difference: dict[str, Interval]


class CategoryFigures(msgspec.Struct, frozen=True):
    """How well one category is told: `pulls` that state it, F1 of the model and of the rules."""

    category: str
    pulls: int
    f1: Interval
    rules_f1: Interval


class Categories(msgspec.Struct, frozen=True):
    """How well categories are told, on `pulls` that state one; `difference` is paired."""

    pulls: int
    macro_f1: Interval
    rules_macro_f1: Interval
    difference: Interval
    accuracy: float
    rules_accuracy: float
    expected_calibration_error: float
    each: list[CategoryFigures]


class RepositoryFigures(msgspec.Struct, frozen=True):
    """One repository's test window; AUC is None where all its pulls are of one class."""

    repository: str
    pulls: int
    positives: int
    auc: float | None
    top_10: float | None


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one kind of pulls, such as first pulls of their authors.

    `auc` is the one within repositories, `flagged` the share of these pulls among their
    repositories' riskiest tenth, `caught` the share of the positives among those; `predicted`
    and `observed` are the mean risk and the share of positives.
    """

    kind: str
    name: str
    pulls: int
    positives: int
    auc: Interval
    flagged: float
    caught: Interval
    predicted: float
    observed: Interval
    calibration_error: float


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What it costs when each repository reviews the riskiest `share` of its pulls."""

    share: float
    reviews: int
    caught: int
    caught_share: Interval
    reviews_per_catch: Interval
    reviews_per_catch_at_random: float | None


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """A model judged on later pulls than it was trained on, beside the plain baselines.

    `differences` are ours minus the baseline's, on the same resamples. Risk figures are
    missing where the model has no risk or the window has no positives; `notes` say so.
    """

    target: str
    pulls: int
    positives: int
    immature: int
    since: str
    until: str
    models: dict[str, Figures]
    differences: dict[str, dict[str, Interval]]
    bands: dict[str, Operating]
    probability: Probability | None
    capture: Curve | None
    reconstruction: Reconstruction
    novelty: Novelty | None
    alarm: Alarm | None = None
    repositories: list[RepositoryFigures]
    segments: list[Segment] = []
    costs: list[Cost] = []
    notes: list[str]
    categories: Categories | None = None

    def flat(self) -> dict[str, float]:
        """Our own figures as `name → value`, for a tracking server."""
        ours = self.models.get(OURS)
        found = {name: figure.value for name, figure in ours.ranking.items()} if ours else {}
        if self.probability:
            found["brier"] = self.probability.brier
            found["expected_calibration_error"] = self.probability.expected_calibration_error
        found |= {
            f"{band}_{name}": value
            for band, point in self.bands.items()
            for name, value in msgspec.structs.asdict(point).items()
        }
        found |= {
            f"reconstruction_error_{name}": value
            for name, value in msgspec.structs.asdict(self.reconstruction).items()
        }
        found |= _novelty_figures(self.novelty)
        alarm = msgspec.structs.asdict(self.alarm) if self.alarm else {}
        found |= {f"novelty_alarm_{name}": value for name, value in alarm.items()}
        if self.categories:
            found["category_macro_f1"] = self.categories.macro_f1.value
            found["category_macro_f1_of_rules"] = self.categories.rules_macro_f1.value
        return {name: value for name, value in found.items() if value is not None}


OURS = "pullrisk"
"""Our model's name among the others."""


def _novelty_figures(novelty: Novelty | None) -> Mapping[str, float | None]:
    kinds = novelty.ours if novelty else {}
    return {f"novelty_auc_{kind.replace(' ', '_')}": kinds[kind].value for kind in kinds}
