"""A score in the words of a check run."""

from collections.abc import Iterator
from typing import Final

from pullrisk.app.checks import Annotation, Verdict
from pullrisk.brief.markdown import as_markdown
from pullrisk.brief.result import Brief
from pullrisk.serve.shapes import Score

MERGE_GROUP: Final = Verdict(
    title="Scored before it was queued",
    summary="Each pull request is scored while it is open; the merge queue waits for nothing.",
)
"""What a merge group is answered with."""
_MOST_TITLE: Final = 255
"""Characters of a title that GitHub takes."""


def verdict_of(score: Score) -> Verdict:
    """The brief of a pull: its verdict in one line, and all of it in Markdown.

    Raises ValueError for a score without a brief.
    """
    if score.brief is None:
        raise ValueError(f"{score.repository}#{score.number} was scored without a brief")
    return Verdict(
        title=score.brief.verdict[:_MOST_TITLE],
        summary=as_markdown(score.brief),
        annotations=tuple(_annotations(score.brief)),
    )


def _annotations(brief: Brief) -> Iterator[Annotation]:
    """A note at each range of lines to look at, the most important place first."""
    for place in brief.places:
        for lines in place.ranges:
            yield Annotation(
                path=place.path, start_line=lines.first, end_line=lines.last, message=lines.text
            )
