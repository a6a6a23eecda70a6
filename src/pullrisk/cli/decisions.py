"""Registered versions, the gate's decision and a comparison of two models, as text."""

from typing import TYPE_CHECKING, Final

from pullrisk.cli.output import print_table, say

if TYPE_CHECKING:
    from pullrisk.train.comparison import PairedComparison
    from pullrisk.train.evaluation import Interval
    from pullrisk.train.gate import Decision
    from pullrisk.train.registry import Event, Version

VERSION_COLUMNS: Final = (
    "version", "aliases", "registered (UTC)", "gate", "data", "schema", "labels", "code",
)  # fmt: skip
_FIGURES: Final = {
    "within_auc_weighted": "AUC within repositories",
    "pooled_auc": "AUC pooled",
    "average_precision": "average precision",
    "top_5": "reverts in the top 5 %",
    "top_10": "reverts in the top 10 %",
    "top_30": "reverts in the top 30 %",
    "brier": "Brier score (less is better)",
}


def print_decision(decision: "Decision") -> None:
    """What the gate looked at, a line each, and what it says."""
    rows = [
        [
            "passed" if check.passed else "failed",
            check.name,
            _number(check.challenger),
            _number(check.opponent),
            difference(check.difference) if check.difference else "",
        ]
        for check in decision.checks
    ]
    columns = ("gate", "against", "challenger", "opponent", "difference")
    print_table(columns, rows, right=columns[2:])
    for reason in decision.reasons:
        say(f"  {reason}")


def outcome(decision: "Decision") -> str:
    """The gate's word, in a few words."""
    if decision.promote:
        return f"the gate lets version {decision.challenger} become champion"
    stays = f"version {decision.champion} stays champion" if decision.champion else "no champion"
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
            difference(comparison.first[name], signed=False),
            difference(comparison.second[name], signed=False),
            difference(comparison.difference[name]),
        ]
        for name, text in _FIGURES.items()
        if name in comparison.difference
    ]
    if rows:
        columns = ("figure", first, second, f"{first} minus {second}")
        print_table(columns, rows, right=columns[1:])
    else:
        say("they are of one class only: there is nothing to rank")


def difference(found: "Interval", *, signed: bool = True) -> str:
    """A figure with its interval."""
    if found.value is None:
        return ""
    form = "+.4f" if signed else ".4f"
    if found.low is None or found.high is None:
        return f"{found.value:{form}}"
    return f"{found.value:{form}} [{found.low:{form}}, {found.high:{form}}]"


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


def told(event: "Event") -> str:
    """One change of champion, as a sentence."""
    instead = f" instead of {event.replaced}" if event.replaced else ""
    verb = "was promoted" if event.action == "promote" else "was rolled back to"
    return (
        f"{event.at:%Y-%m-%d %H:%M} version {event.version} {verb}{instead} by {event.by}: "
        f"{event.reason}"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
