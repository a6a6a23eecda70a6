"""What a training and its evaluation say, as plain structures that become JSON."""

from collections.abc import Mapping

import msgspec


class Epoch(msgspec.Struct, frozen=True):
    """What one pass over the training rows came to; validation figures are None without one.

    Those of the risk are means over the questions; `validation_risk_loss` counts each as a share
    of what always saying its base rate would lose, or repairs would drown reverts.
    """

    epoch: int
    training_loss: float
    training_risk_loss: float
    training_reconstruction_error: float
    validation_risk_loss: float | None = None
    validation_reconstruction_error: float | None = None
    validation_auc: float | None = None
    validation_within_auc: float | None = None


class Interval(msgspec.Struct, frozen=True):
    """A figure and its bootstrap 95 % interval; None if it cannot be told."""

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


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Every model's figures on some pulls; `differences` are ours minus the baseline's, on the
    same resamples. Both are empty if the pulls are all of one class. `code_pulls` are the same
    figures on those of the pulls that change code, None if that is unknown.
    """

    pulls: int
    positives: int
    models: dict[str, Figures]
    differences: dict[str, dict[str, Interval]]
    code_pulls: "Part | None" = None


class RiskiestShare(msgspec.Struct, frozen=True):
    """What a reader of each repository's riskiest `share` of pulls gets.

    `precision` is the share of positives among them, `base_rate` that over all pulls, `lift` the
    first divided by the second, `caught` the share of all positives that is among them.
    """

    share: float
    precision: Interval
    base_rate: float
    lift: Interval
    caught: Interval


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
    """One repository's test window; AUC is None if all its pulls are of one class."""

    repository: str
    pulls: int
    positives: int
    auc: float | None
    top_10: float | None


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one kind of pulls, such as first pulls of their authors.

    `auc` is the one within repositories, `like_size_auc` that among pulls of like size;
    `flagged` is the share of these pulls among their repositories' riskiest tenth, `caught` the
    share of the positives that is there, `precision` the share of positives there; `predicted`
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
    like_size_auc: Interval = Interval(None)
    precision: Interval = Interval(None)


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
    `code_pulls` are the same figures on the pulls that change code, None if that is unknown.
    `target` names the outcome that counts as positive; `questions` has, for each outcome that the
    model has an answer of its own for, the figures of that answer beside baselines of the same
    outcome.
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
    code_pulls: Part | None = None
    questions: dict[str, Part] = {}

    @property
    def outcome(self) -> str:
        """What became of the positives, in words."""
        return OUTCOMES.get(self.target, self.target)

    def riskiest(self, share: float = 0.10) -> RiskiestShare | None:
        """What our riskiest pulls hold; None without a risk. An evaluation from before these
        figures has them without intervals.
        """
        ours = self.models.get(OURS)
        cost = next((cost for cost in self.costs if cost.share == share), None)
        if ours is None or cost is None or not self.positives or not cost.reviews:
            return None
        base, precision = self.positives / self.pulls, cost.caught / cost.reviews
        percent = round(100 * share)
        return RiskiestShare(
            share=share,
            precision=ours.ranking.get(f"precision_{percent}", Interval(precision)),
            base_rate=base,
            lift=ours.ranking.get(f"lift_{percent}", Interval(precision / base)),
            caught=cost.caught_share,
        )

    def flat(self) -> dict[str, float]:
        """Our own figures as `name → value`, for a tracking server."""
        ours = self.models.get(OURS)
        figures = _values(ours)
        parts = {"code_pulls": self.code_pulls, **self.questions}
        parts |= {f"{name}_code_pulls": part.code_pulls for name, part in self.questions.items()}
        for words, part in parts.items():
            own = _values(part.models.get(OURS)) if part else {}
            figures |= {f"{words}_{name}": value for name, value in own.items()}
        if self.probability:
            figures["brier"] = self.probability.brier
            figures["expected_calibration_error"] = self.probability.expected_calibration_error
        figures |= {
            f"{band}_{name}": value
            for band, point in self.bands.items()
            for name, value in msgspec.structs.asdict(point).items()
        }
        figures |= {
            f"reconstruction_error_{name}": value
            for name, value in msgspec.structs.asdict(self.reconstruction).items()
        }
        figures |= _novelty_figures(self.novelty)
        alarm = msgspec.structs.asdict(self.alarm) if self.alarm else {}
        figures |= {f"novelty_alarm_{name}": value for name, value in alarm.items()}
        if self.categories:
            figures["category_macro_f1"] = self.categories.macro_f1.value
            figures["category_macro_f1_of_rules"] = self.categories.rules_macro_f1.value
        return {name: value for name, value in figures.items() if value is not None}


OURS = "pullrisk"
"""Our model's name among the others."""
OUTCOMES = {"risk": "repaired or reverted"}
"""What became of the positives, in words, where the target's name does not say it."""


def _values(figures: Figures | None) -> dict[str, float | None]:
    return {name: each.value for name, each in figures.ranking.items()} if figures else {}


def _novelty_figures(novelty: Novelty | None) -> Mapping[str, float | None]:
    kinds = novelty.ours if novelty else {}
    return {f"novelty_auc_{kind.replace(' ', '_')}": kinds[kind].value for kind in kinds}
