"""Evaluations, comparisons of two models, the gate's decision and registered versions, as text."""

from typing import TYPE_CHECKING, Final

from pullrisk.cli.display.console import say, warn
from pullrisk.cli.display.tables import print_table
from pullrisk.model.general import GENERAL

if TYPE_CHECKING:
    from pullrisk.train.comparison import PairedComparison
    from pullrisk.train.evaluation import Evaluation, Interval
    from pullrisk.train.gate import Decision
    from pullrisk.train.registry import Event, Version

VERSION_COLUMNS: Final = (
    "version", "aliases", "registered (UTC)", "gate", "data", "schema", "labels", "code",
)  # fmt: skip
_FIGURES: Final = {
    "within_auc_weighted": "AUC within",
    "pooled_auc": "AUC pooled",
    "average_precision": "avg. precision",
    "top_5": "top 5 %",
    "top_10": "top 10 %",
    "top_30": "top 30 %",
    "brier": "Brier score (less is better)",
}
"""Figures of an evaluation or a comparison, and their headings."""


def print_evaluation(evaluation: "Evaluation") -> None:
    """An evaluation beside its baselines, and what else it found."""
    say(
        f"{evaluation.pulls:,} pull requests merged {evaluation.since} to {evaluation.until}, "
        f"{evaluation.positives:,} {evaluation.target}; {evaluation.immature:,} are too young "
        "to count"
    )
    if evaluation.models:
        keys = [key for key in _FIGURES if key != "brier"]
        rows = [
            [name, *(interval(model.ranking[key]) for key in keys)]
            for name, model in evaluation.models.items()
        ]
        headings = [_FIGURES[key] for key in keys]
        print_table(("model", *headings), rows, right=headings)
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
            f"category: macro-F1 {interval(told.macro_f1)} on {told.pulls:,} pull requests that "
            f"state one, prefix hidden; rules {interval(told.rules_macro_f1)}"
        )
    for note in evaluation.notes:
        warn(f"note: {note}")


def _print_novelty(evaluation: "Evaluation") -> None:
    assert evaluation.novelty is not None  # noqa: S101  (the caller looked)
    forest = evaluation.novelty.isolation_forest
    rows = [
        [kind, interval(figure), interval(forest[kind]) if kind in forest else ""]
        for kind, figure in evaluation.novelty.ours.items()
    ]
    columns = ("injected anomaly", "AUC of novelty", "AUC of IsolationForest")
    print_table(columns, rows, right=columns[1:])


def print_decision(decision: "Decision") -> None:
    """What the gate looked at, a line each, and what it says."""
    rows = [
        [
            "passed" if check.passed else "failed",
            check.name,
            _number(check.challenger),
            _number(check.opponent),
            _signed(check.difference) if check.difference else "",
        ]
        for check in decision.checks
    ]
    columns = ("gate", "against", "challenger", "opponent", "difference")
    print_table(columns, rows, right=columns[2:])
    for reason in decision.reasons:
        say(f"  {reason}")


def outcome(decision: "Decision") -> str:
    """The gate's decision in a few words."""
    if decision.promote:
        return f"the gate lets version {decision.challenger} become champion"
    general = decision.champion == GENERAL
    stays = "the general model stays" if general else f"version {decision.champion} stays champion"
    return f"the gate keeps version {decision.challenger} out: {stays}"


def print_comparison(comparison: "PairedComparison", first: str, second: str) -> None:
    """Two models side by side on the pulls that neither saw."""
    if not comparison.pulls:
        say("no matured pull request is left to judge both: they saw it, or they give no risk")
        return
    say(
        f"{comparison.pulls:,} matured pull requests of {comparison.repositories} repositories "
        f"that neither saw, merged {comparison.since or '-'} to {comparison.until or '-'}, "
        f"{comparison.positives:,} {comparison.target}"
    )
    rows = [
        [
            text,
            interval(comparison.first[name], ".4f"),
            interval(comparison.second[name], ".4f"),
            _signed(comparison.difference[name]),
        ]
        for name, text in _FIGURES.items()
        if name in comparison.difference
    ]
    if rows:
        columns = ("figure", first, second, f"{first} minus {second}")
        print_table(columns, rows, right=columns[1:])
    else:
        say("they are of one class only: there is nothing to rank")


def interval(figure: "Interval", form: str = ".3f") -> str:
    """A figure with its interval."""
    if figure.value is None:
        return ""
    if figure.low is None or figure.high is None:
        return f"{figure.value:{form}}"
    return f"{figure.value:{form}} [{figure.low:{form}}, {figure.high:{form}}]"


def _signed(figure: "Interval") -> str:
    return interval(figure, "+.4f")


def version_row(version: "Version") -> list[str]:
    """One registered version under VERSION_COLUMNS."""
    tags = version.tags
    return [
        version.version,
        ", ".join(version.aliases),
        f"{version.created_at:%Y-%m-%d %H:%M}",
        "rolled back" if "rolled_back" in tags else tags.get("gate", ""),
        f"version {tags['dataset_version']}" if "dataset_version" in tags else "",
        tags.get("schema_hash", ""),
        tags.get("label_definition", ""),
        tags.get("git_commit", "")[:9],
    ]


def event_text(event: "Event") -> str:
    """One change of champion, as a sentence."""
    instead = f" instead of {event.replaced}" if event.replaced else ""
    verb = "was promoted" if event.action == "promote" else "was rolled back to"
    return (
        f"{event.at:%Y-%m-%d %H:%M} version {event.version} {verb}{instead} by {event.by}: "
        f"{event.reason}"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
