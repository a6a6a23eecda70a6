"""Evaluations, comparisons of two models, the gate's decision and registered versions, as text."""

from typing import TYPE_CHECKING, Final

from pullrisk.cli.display.console import say, warn
from pullrisk.cli.display.tables import print_table
from pullrisk.model.general import GENERAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pullrisk.model.metadata import Facts
    from pullrisk.train.comparison import PairedComparison
    from pullrisk.train.evaluation import Evaluation, Figures, Interval, RiskiestShare
    from pullrisk.train.gate import Decision
    from pullrisk.train.registry import Event, Version

VERSION_COLUMNS: Final = (
    "version", "aliases", "registered (UTC)", "gate", "data", "schema", "labels", "code",
)  # fmt: skip
_FIGURES: Final = {
    "within_auc_weighted": "AUC within",
    "like_size_auc": "of like size",
    "pooled_auc": "AUC pooled",
    "average_precision": "avg. precision",
    "top_5": "top 5 %",
    "top_10": "top 10 %",
    "top_30": "top 30 %",
    "precision_10": "precision in top 10 %",
    "lift_10": "lift in top 10 %",
    "brier": "Brier score (less is better)",
}
"""Figures of an evaluation or a comparison, and their headings."""


_RANKING: Final = (
    "within_auc_weighted",
    "like_size_auc",
    "pooled_auc",
    "average_precision",
    "top_10",
)
"""The figures that stand beside each other for every model."""


def print_evaluation(evaluation: "Evaluation") -> None:
    """What a reader of the riskiest gets, an evaluation beside its baselines, and what else."""
    riskiest = evaluation.riskiest()
    if riskiest:
        say(_lead(riskiest, evaluation.outcome))
    say(
        f"{evaluation.pulls:,} pull requests merged {evaluation.since} to {evaluation.until}, "
        f"{evaluation.positives:,} {evaluation.outcome}; {evaluation.immature:,} are too young "
        "to count"
    )
    if riskiest:
        _print_shares(evaluation)
    if evaluation.models:
        _print_models(evaluation.models)
        say(
            f"top 10 %: share of those {evaluation.outcome} among each repository's own riskiest "
            "10 %; of like size: AUC within, among pull requests of less than twice the lines"
        )
        _print_code_pulls(evaluation)
    _print_questions(evaluation)
    if evaluation.probability:
        probability = evaluation.probability
        say(
            f"calibration: error {probability.expected_calibration_error:.4f}, Brier "
            f"{probability.brier:.5f} (base rate {probability.brier_of_base_rate:.5f})"
        )
    if evaluation.novelty:
        _print_novelty(evaluation)
    if evaluation.categories:
        figures = evaluation.categories
        say(
            f"category: macro-F1 {interval(figures.macro_f1)} on {figures.pulls:,} pull requests "
            f"that state one, prefix hidden; rules {interval(figures.rules_macro_f1)}"
        )
    for note in evaluation.notes:
        warn(f"note: {note}")


def _lead(riskiest: "RiskiestShare", outcome: str) -> str:
    """The sentence that a reader can act on."""
    return (
        f"of the riskiest tenth of each repository {_percents(riskiest.precision)} are {outcome}, "
        f"of all {_percent(riskiest.base_rate)}: {interval(riskiest.lift, '.1f')} times as many; "
        f"that tenth holds {_percents(riskiest.caught)} of all that are"
    )


def _print_shares(evaluation: "Evaluation") -> None:
    """What each share of the riskiest holds."""
    rows = []
    for cost in evaluation.costs:
        riskiest = evaluation.riskiest(cost.share)
        if riskiest:
            figures = (_percents(riskiest.precision), interval(riskiest.lift, ".1f"))
            caught = _percents(riskiest.caught)
            share = f"riskiest {100 * cost.share:.0f} %"
            rows.append([share, f"{cost.reviews:,}", f"{cost.caught:,}", *figures, caught])
    columns = ("of each repository", "pull requests", evaluation.outcome, "share of them",
               "times that of all", "share of all caught")  # fmt: skip
    print_table(columns, rows, right=columns[1:])


def _print_models(models: "Mapping[str, Figures]") -> None:
    """Every model's ranking figures; one that none has is left out."""
    keys = [key for key in _RANKING if any(key in model.ranking for model in models.values())]
    rows = [
        [name, *(interval(model.ranking[key]) if key in model.ranking else "" for key in keys)]
        for name, model in models.items()
    ]
    headings = [_FIGURES[key] for key in keys]
    print_table(("model", *headings), rows, right=headings)


def _print_code_pulls(evaluation: "Evaluation") -> None:
    code = evaluation.code_pulls
    if code is None:
        say("code lines are not known here: no baseline of them, no figures of code pulls alone")
        return
    say(
        f"of them {code.pulls:,} change at least three lines of code, "
        f"{code.positives:,} {evaluation.outcome}"
    )
    if code.models:
        _print_models(code.models)


def _print_questions(evaluation: "Evaluation") -> None:
    """How well each answer does on its own outcome."""
    for outcome, part in evaluation.questions.items():
        say(
            f"of {part.pulls:,} pull requests {part.positives:,} were {outcome}; that answer alone:"
        )
        _print_models(part.models)


def outcomes_learnt(facts: "Facts") -> str:
    """How many of the examples that a model learnt from were repaired or reverted."""
    if not facts.repairs_known:
        return f"{facts.reverted:,} of them reverted; what was repaired is not known"
    return f"{facts.repaired:,} of them repaired, {facts.reverted:,} reverted"


def outcome_words(target: str) -> str:
    """What became of the positives."""
    from pullrisk.train.evaluation import OUTCOMES

    return OUTCOMES.get(target, target)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _percents(figure: "Interval") -> str:
    """A share and its interval, as percentages."""
    if figure.value is None:
        return ""
    if figure.low is None or figure.high is None:
        return _percent(figure.value)
    return f"{_percent(figure.value)} [{100 * figure.low:.3g}, {100 * figure.high:.3g}]"


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
        f"{comparison.positives:,} {outcome_words(comparison.target)}"
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
