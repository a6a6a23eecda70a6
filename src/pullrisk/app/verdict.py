"""A score in the words of a check run."""

from typing import Final

from pullrisk.app.checks import Verdict
from pullrisk.brief.markdown import as_markdown
from pullrisk.serve.shapes import Score

MERGE_GROUP: Final = Verdict(
    title="Scored before it was queued",
    summary="Each pull request is scored while it is open; the merge queue waits for nothing.",
)
"""What a merge group is answered with."""


def verdict_of(score: Score) -> Verdict:
    """The brief of a pull: its verdict in one line, and all of it in Markdown.

    Raises ValueError for a score without a brief.
    """
    if score.brief is None:
        raise ValueError(f"{score.repository}#{score.number} was scored without a brief")
    return Verdict(title=score.brief.verdict, summary=as_markdown(score.brief))
