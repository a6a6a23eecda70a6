"""Scored pull requests as a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.text import Text

from pullrisk.cli.display.console import is_terminal
from pullrisk.cli.display.tables import print_table

if TYPE_CHECKING:
    from pullrisk.score.result import Score

_BAND_STYLE: Final = {"high": "bold red", "elevated": "yellow", "low": "green"}


def print_scores(scored: Sequence["Score"]) -> None:
    """Scored pulls in the order given, each with its reasons."""
    if is_terminal():
        columns: tuple[str, ...] = ("risk", "band", "novelty", "pull request", "why")
        rows = [[*_answers(one), _described(one), _why(one)] for one in scored]
    else:
        columns = ("pull request", "risk", "band", "novelty", "category", "title", "why")
        rows = [
            [_name(one), *_answers(one), _category(one), one.title, _why(one)] for one in scored
        ]
    print_table(columns, rows, right=("risk", "novelty"))


def _name(one: "Score") -> str:
    return f"{one.repository}#{one.number}"


def _category(one: "Score") -> str:
    """`fix`; with its probability where the network, not the pull itself, says so."""
    if one.category is None:
        return ""
    sure = "" if one.category.source != "network" else f" {100 * one.category.probability:.0f} %"
    return f"{one.category.name}{sure}"


def _described(one: "Score") -> Text:
    """Number, title, and in dim letters the kind of work."""
    title, kind = " ".join(one.title.split()), _category(one)
    text = Text(f"{_name(one)}\n{title}")
    return text.append(f"\n{kind}", "dim") if kind else text


def _answers(one: "Score") -> list[str | Text]:
    return [
        "" if one.risk is None else f"{100 * one.risk:.1f} %",
        Text(one.band or "", style=_BAND_STYLE.get(one.band or "", "")),
        f"{one.novelty:.0f}",
    ]


def _why(one: "Score") -> str:
    """The reasons, a line each."""
    if one.explanation is None:
        return ""
    reasons = [reason.text for reason in one.explanation.risk or one.explanation.novelty]
    if one.explanation.counterfactual:
        reasons.append(f"({one.explanation.counterfactual.text})")
    return "\n".join(reasons)
