"""A brief as it is kept in the table of published scores."""

from datetime import datetime
from typing import Final

from pullrisk.brief.result import Brief
from pullrisk.pulls.record import Pull
from pullrisk.pulls.scores import MOST_PATHS, PublishedScore, changed_lines

_MOST_WORDS: Final = 500
"""Characters of a verdict or a reason that are kept."""


def published_score(pull: Pull, brief: Brief, *, model: str, now: datetime) -> PublishedScore:
    """What a list shows of the pull's brief, told at `now` by a version of the model."""
    return PublishedScore(
        repository=pull.repository,
        number=pull.number,
        title=pull.title,
        author=pull.author,
        state=pull.state,
        created_at=pull.created_at,
        updated_at=pull.updated_at,
        event_at=pull.event_at,
        verdict=brief.verdict[:_MOST_WORDS],
        reason=next((each.text[:_MOST_WORDS] for each in brief.raising), ""),
        model=model,
        scored_at=now,
        risk=brief.risk,
        band=brief.band,
        percentile=brief.percentile,
        novelty=brief.novelty,
        lines=changed_lines(pull),
        files=pull.changed_files if pull.files is None else len(pull.files),
        checks=pull.checks,
        draft=pull.draft,
        labels=pull.labels,
        paths=tuple(file.path for file in (pull.files or ())[:MOST_PATHS]),
        head_sha=pull.head_sha,
    )
