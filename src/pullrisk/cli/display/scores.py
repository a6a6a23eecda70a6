"""Scored pull requests as a table, and whole briefs, in each form."""

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.text import Text

from pullrisk.cli.display.console import is_terminal, say, write_bytes
from pullrisk.cli.display.plain import plain
from pullrisk.cli.display.tables import print_json, print_table

if TYPE_CHECKING:
    from pullrisk.brief.result import Brief, ScoredPull
    from pullrisk.cli.options import TableForm

_BAND_STYLE: Final = {"high": "bold red", "elevated": "yellow", "low": "green"}
_WIDTH: Final = 100
"""Columns that a line of the table takes at most where no terminal says how many there are."""
_BAR: Final = 8
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_LONGEST_NAME: Final = 40
_CSV: Final = (
    "repository", "number", "title", "author", "state", "risk", "band", "percentile", "novelty",
    "category", "verdict", "reasons", "url",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def show_scores(scored: Sequence["ScoredPull"], form: "TableForm") -> None:
    """Scored pulls in the order given."""
    if form == "json":
        print_json(scored)
    elif form == "csv":
        _print_csv(scored)
    elif form == "markdown":
        show_briefs([each.brief for each in scored if each.brief is not None], form)
    else:
        print_scores(scored)


def show_briefs(briefs: Sequence["Brief"], form: "TableForm") -> None:
    """Whole briefs in the order given."""
    from pullrisk.brief.markdown import as_markdown, heading
    from pullrisk.brief.text import as_text

    if form == "json":
        print_json(briefs)
    elif form == "markdown":
        documents = [f"{heading(brief)}\n\n{as_markdown(brief)}" for brief in briefs]
        write_bytes("\n".join(documents).encode())
    else:
        for place, brief in enumerate(briefs):
            if place:
                say("")
            say(as_text(brief), style="")


def print_scores(scored: Sequence["ScoredPull"]) -> None:
    """Scored pulls in the order given, a line each: the risk, and what drives it most."""
    rows = [[_name(pull), *_risk(pull), _why(pull)] for pull in scored]
    if not is_terminal():
        left = _WIDTH - sum(max(map(len, column)) + 2 for column in _texts(rows))
        rows = [[*row[:3], _cut(str(row[3]), max(20, left))] for row in rows]
    print_table(("pull request", "risk", "band", "why"), rows)


def _texts(rows: list[list[str | Text]]) -> list[list[str]]:
    """The first three columns as plain text, with their headings."""
    headings = ("pull request", "risk", "band")
    return [[name, *(str(row[place]) for row in rows)] for place, name in enumerate(headings)]


def _name(pull: "ScoredPull") -> str | Text:
    """The reference; on a terminal with the title in dim letters under it."""
    name = f"{pull.repository}#{pull.number}"
    if not is_terminal():
        return name
    title = _cut(" ".join(plain(pull.title).split()), _LONGEST_NAME)
    return Text(name).append(f"\n{title}", "dim")


def _risk(pull: "ScoredPull") -> list[str | Text]:
    """The risk with a bar, and its band; empty if the brief says that nobody knows."""
    answers = pull.brief or pull
    if answers.risk is None:
        return ["", ""]
    risk, band = answers.risk, answers.band or ""
    style = _BAND_STYLE.get(band, "")
    return [Text(f"{100 * risk:5.1f} % ").append(_bar(risk), style), Text(band, style)]


def _bar(risk: float) -> str:
    full, part = divmod(round(8 * _BAR * risk), 8)
    return f"{'█' * full}{_EIGHTHS[part] if part else ''}".ljust(_BAR)


def _why(pull: "ScoredPull") -> str:
    """The first reason; what is not known, if that is what is to be said."""
    from pullrisk.brief.sections import NO_REASON

    brief = pull.brief
    if brief is None:
        return ""
    if brief.risk is None:
        return brief.verdict.rstrip(".")
    if brief.raising:
        return brief.raising[0].text
    if brief.lowering:
        return f"speaks for it: {brief.lowering[0].text}"
    return "" if brief.band == "low" else NO_REASON


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


def _print_csv(scored: Sequence["ScoredPull"]) -> None:
    """One line a pull; the reasons in one cell. No cell can be taken for a formula."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(_CSV)
    for pull in scored:
        brief = pull.brief
        reasons = [reason.text for reason in brief.reasons] if brief else []
        answers = brief or pull
        writer.writerow(
            _harmless(value)
            for value in (
                pull.repository, pull.number, pull.title, pull.author, pull.state,
                answers.risk, answers.band, answers.percentile, answers.novelty,
                pull.category and pull.category.name,
                brief and brief.verdict, "; ".join(reasons), pull.url,
            )
        )  # fmt: skip
    write_bytes(written.getvalue().encode(errors="replace"))


def _harmless(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = plain(" ".join(value.split()))
    return f"'{text}" if text.startswith(_FORMULA) else text
