"""The fate of every merged pull of a repository whose history is at hand."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from pullrisk.pulls.outcomes.linker import Link, Linker
from pullrisk.pulls.record import Pull

LABEL_DEFINITION: Final = 1
"""Version of the rules that say what was reverted or hot-fixed; raise it when they change."""
MATURITY: Final = timedelta(days=90)
"""How long after its merge a pull is watched before it counts as clean."""


class Outcome(msgspec.Struct, kw_only=True):
    """What became of one merged pull; the first event of each kind, None where there was none.

    `mature` tells whether the history reaches at least the maturity window past its merge.
    `evidence` says how the revert was found: number, sha or title.
    """

    merged_at: datetime
    reverted_by: int | None = None
    reverted_at: datetime | None = None
    evidence: str | None = None
    partial: bool = False
    hotfixed_by: int | None = None
    hotfixed_at: datetime | None = None
    relanded_at: datetime | None = None
    mature: bool = False


def outcomes(
    events: Iterable[Pull],
    *,
    maturity: timedelta = MATURITY,
    observed_until: datetime | None = None,
) -> dict[int, Outcome]:
    """The outcome of each merged pull of ONE repository, by number.

    `events` come in event order; `observed_until` defaults to the last event.
    """
    linker, found = Linker(), dict[int, Outcome]()
    last = observed_until
    for pull in events:
        if observed_until is None and pull.event_at and (last is None or pull.event_at > last):
            last = pull.event_at
        if pull.merged_at is None:
            continue
        for link in linker.observe(pull):
            _note(found[link.number], link, pull)
        found[pull.number] = Outcome(merged_at=pull.merged_at)
    for outcome in found.values():
        outcome.mature = last is not None and last - outcome.merged_at >= maturity
    return found


def _note(outcome: Outcome, link: Link, by: Pull) -> None:
    if link.kind == "revert" and outcome.reverted_by is None:
        outcome.reverted_by, outcome.reverted_at = by.number, by.merged_at
        outcome.evidence = link.evidence
    elif link.kind == "partial_revert":
        outcome.partial = True
    elif link.kind == "hotfix" and outcome.hotfixed_by is None:
        outcome.hotfixed_by, outcome.hotfixed_at = by.number, by.merged_at
    elif link.kind == "reland" and outcome.relanded_at is None:
        outcome.relanded_at = by.merged_at
