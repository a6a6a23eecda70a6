"""The tables that several commands print: an evaluation beside its baselines, scored pulls."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.text import Text

from pullrisk.cli.output import is_terminal, print_table, say, warn

if TYPE_CHECKING:
    from pullrisk.score.scorer import Scored
    from pullrisk.train.evaluation import Evaluation, Interval

_FIGURES: Final = {
    "within_auc_weighted": "AUC within",
    "pooled_auc": "AUC pooled",
    "average_precision": "avg. precision",
    "top_5": "top 5 %",
    "top_10": "top 10 %",
    "top_30": "top 30 %",
}
_BAND_STYLE: Final = {"high": "bold red", "elevated": "yellow", "low": "green"}


def print_evaluation(evaluation: "Evaluation") -> None:
    """An evaluation beside its baselines, and what else it found."""
    say(
        f"{evaluation.pulls:,} pull requests merged {evaluation.since} to {evaluation.until}, "
        f"{evaluation.positives:,} {evaluation.target}; {evaluation.immature:,} are too young "
        "to count"
    )
    if evaluation.models:
        rows = [
            [name, *(_interval(model.ranking[key]) for key in _FIGURES)]
            for name, model in evaluation.models.items()
        ]
        print_table(("model", *_FIGURES.values()), rows, right=tuple(_FIGURES.values()))
        say("top n %: share of the reverts among each repository's own riskiest n %")
    if evaluation.probability:
        probability = evaluation.probability
        say(
            f"calibration: error {probability.expected_calibration_error:.4f}, Brier "
            f"{probability.brier:.5f} (base rate {probability.brier_of_base_rate:.5f})"
        )
    if evaluation.novelty:
        _print_novelty(evaluation)
    if evaluation.categories:
        told = evaluation.categories
        say(
            f"category: macro-F1 {_interval(told.macro_f1)} on {told.pulls:,} pull requests that "
            f"state one, prefix hidden; rules {_interval(told.rules_macro_f1)}"
        )
    for note in evaluation.notes:
        warn(f"note: {note}")


def _print_novelty(evaluation: "Evaluation") -> None:
    assert evaluation.novelty is not None  # noqa: S101  (the caller looked)
    forest = evaluation.novelty.isolation_forest
    rows = [
        [kind, _interval(figure), _interval(forest[kind]) if kind in forest else ""]
        for kind, figure in evaluation.novelty.ours.items()
    ]
    columns = ("injected anomaly", "AUC of novelty", "AUC of IsolationForest")
    print_table(columns, rows, right=columns[1:])


def print_scores(scored: Sequence["Scored"]) -> None:
    """Scored pulls in the order given, each with its reasons."""
    if is_terminal():
        columns: tuple[str, ...] = ("risk", "band", "novelty", "pull request", "why")
        rows = [[*_answers(one), _described(one), _why(one)] for one in scored]
    else:
        columns = ("pull request", "risk", "band", "novelty", "category", "pattern", "title", "why")
        rows = [
            [_name(one), *_answers(one), _category(one), one.pattern or "", one.title, _why(one)]
            for one in scored
        ]
    print_table(columns, rows, right=("risk", "novelty"))


def _name(one: "Scored") -> str:
    return f"{one.repository}#{one.number}"


def _category(one: "Scored") -> str:
    """`fix`; with its probability where the network, not the pull itself, says so."""
    if one.category is None:
        return ""
    sure = "" if one.category.source != "network" else f" {100 * one.category.probability:.0f} %"
    return f"{one.category.name}{sure}"


def _described(one: "Scored") -> Text:
    """Number, title, and in dim letters the kind of work."""
    kind = " · ".join(filter(None, (_category(one), one.pattern)))
    text = Text(f"{_name(one)}\n{one.title}")
    return text.append(f"\n{kind}", "dim") if kind else text


def _answers(one: "Scored") -> list[str | Text]:
    return [
        "" if one.risk is None else f"{100 * one.risk:.1f} %",
        Text(one.band or "", style=_BAND_STYLE.get(one.band or "", "")),
        f"{one.novelty:.0f}",
    ]


def _why(one: "Scored") -> str:
    """The reasons, a line each."""
    if one.explanation is None:
        return ""
    reasons = [reason.text for reason in one.explanation.risk or one.explanation.novelty]
    if one.explanation.counterfactual:
        reasons.append(f"({one.explanation.counterfactual.text})")
    return "\n".join(reasons)


def _interval(figure: "Interval") -> str:
    if figure.value is None:
        return ""
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"
