"""A score in the words of a check run."""

import re
from collections.abc import Iterator
from typing import Final

from pullrisk.app.checks import Verdict
from pullrisk.score.result import UNKNOWN_AUTHOR, WARNINGS
from pullrisk.serve.shapes import Score

MERGE_GROUP: Final = Verdict(
    title="Scored before it was queued",
    summary="Each pull request is scored while it is open; the merge queue waits for nothing.",
)
"""What a merge group is answered with."""
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~@])")


def verdict_of(score: Score) -> Verdict:
    """The score in one line, and with its reasons in Markdown."""
    return Verdict(title=_title(score), summary="\n\n".join(_paragraphs(score)))


def _title(score: Score) -> str:
    if score.risk is None:
        return f"More unusual than {score.novelty:.0f} % of the pull requests here"
    share = f"{score.risk:.1%}".replace("%", " %")
    band = f"{score.band or 'unknown'} risk".capitalize()
    if score.percentile is None:
        return f"{band}: {share}"
    return f"{band}: {share}, more than {score.percentile:.0f} % of the pull requests here"


def _paragraphs(score: Score) -> Iterator[str]:
    for heading, reasons in (
        ("What drives the risk", score.risk_reasons),
        ("What is unusual", score.novelty_reasons),
    ):
        if reasons:
            yield "\n".join([f"**{heading}**", "", *(f"- {_plain(each.text)}" for each in reasons)])
    if score.counterfactual is not None:
        yield _plain(f"{score.counterfactual.text}: the band would be {score.counterfactual.band}.")
    yield f"Novelty: {score.novelty:.0f} of 100."
    notes = [WARNINGS.get(score.basis), None if score.author_known else UNKNOWN_AUTHOR]
    yield from (f"> {note}" for note in notes if note)


def _plain(text: str) -> str:
    """The text as it is: names in it may hold signs of Markdown, and mentions."""
    return _MARKDOWN.sub(r"\\\1", text)
