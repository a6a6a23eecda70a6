"""The latest score of each pull as it was published: what lists and pages show without a model.

Adapters: `scores_sqlite.SqliteScores` and `scores_mongo.MongoScores`, beside the pulls in the same
store. Both pass tests/contract/test_scores.py. The App puts in what it publishes, the service what
its store has that is not scored yet, or by another model.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from pullrisk.pulls.record import Pull

Sort: TypeAlias = Literal["risk", "updated", "created", "size"]
Key: TypeAlias = tuple[str, int]
"""A repository and a pull's number."""

MOST_STEPS: Final = 50
"""Scores of earlier pushes that are kept with a pull."""
MOST_PATHS: Final = 300
"""Paths of a pull that can be searched."""
MOST_OFFSET: Final = 100_000
"""How far into a list a page may begin."""


class Step(msgspec.Struct, frozen=True, array_like=True):
    """What was said of a pull at one of its pushes by one model."""

    at: datetime
    head_sha: str | None
    model: str
    risk: float | None
    band: str | None


class PublishedScore(msgspec.Struct, frozen=True, kw_only=True):
    """What was last said of a pull; `steps` is how that moved, the earliest first.

    `event_at` is when it was merged or closed, None while it is open. `lines` are lines added and
    removed, None if unknown. `reason` is the first of the brief, empty if there is none. `risk`
    and `band` are None if nothing is known. `model` is the version that answered.
    """

    repository: str
    number: int
    title: str
    author: str | None
    state: str
    created_at: datetime
    updated_at: datetime
    event_at: datetime | None
    verdict: str
    reason: str
    model: str
    scored_at: datetime
    risk: float | None = None
    band: str | None = None
    percentile: float | None = None
    novelty: float | None = None
    lines: int | None = None
    files: int | None = None
    checks: str | None = None
    draft: bool = False
    labels: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    head_sha: str | None = None
    steps: tuple[Step, ...] = ()

    @property
    def key(self) -> Key:
        """The repository and the number."""
        return self.repository, self.number

    @property
    def at(self) -> datetime:
        """When something last happened to it that counts: its end, or its last update."""
        return self.event_at or self.updated_at

    @property
    def step(self) -> Step:
        """This score as a step."""
        return Step(self.scored_at, self.head_sha, self.model, self.risk, self.band)


class ScoreQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which scores, in which order, and which page of them; None asks for any.

    `repositories` are those that may be seen. With `since`, closed and merged pulls are left out
    whose end is earlier. `label` is a whole label, `path` a part of a path, `text` of title or
    author, both in any case.
    """

    repositories: frozenset[str] | None = None
    repository: str | None = None
    state: str | None = None
    band: str | None = None
    author: str | None = None
    label: str | None = None
    path: str | None = None
    text: str | None = None
    since: datetime | None = None
    sort: Sort = "risk"
    limit: int = 50
    offset: int = 0


class ScorePage(msgspec.Struct, frozen=True):
    """The scores of one page, and how many there are in all."""

    scores: list[PublishedScore]
    total: int


class ScoreTable(Protocol):
    """Published scores by repository and number. All methods raise StoreError."""

    def put(self, scores: Iterable[PublishedScore]) -> None:
        """Keep them; one never replaces that of a later version of the pull."""

    def get(self, repository: str, number: int) -> PublishedScore | None:
        """What was last said of one pull, or None."""

    def page(self, query: ScoreQuery) -> ScorePage:
        """One page of a list."""

    def versions(self, keys: Sequence[Key]) -> dict[Key, tuple[datetime, str]]:
        """Of those that are kept: when the pull was last updated, and the model that scored it."""

    def counts(self) -> dict[str, dict[str, int]]:
        """How many open pulls each repository has by band, "" for none; a repository without any
        open pull has an empty dict."""

    def newest(self) -> datetime | None:
        """The latest `at` of all, None if there is none."""

    def close(self) -> None:
        """Close files and connections. Safe to call twice."""


encode: Final = msgspec.msgpack.Encoder().encode
"""A score as MessagePack."""
decode: Final = msgspec.msgpack.Decoder(PublishedScore).decode
"""The score that `encode` wrote. Raises msgspec.MsgspecError."""


def next_score(stored: PublishedScore | None, score: PublishedScore) -> PublishedScore | None:
    """What to keep in place of `stored`; None if that is later.

    Of scores at the same push by the same model only the last is a step.
    """
    if stored is None:
        return msgspec.structs.replace(score, steps=(score.step,))
    if (stored.updated_at, stored.scored_at) > (score.updated_at, score.scored_at):
        return None
    steps = stored.steps
    if steps and (steps[-1].head_sha, steps[-1].model) == (score.head_sha, score.model):
        steps = steps[:-1]
    return msgspec.structs.replace(score, steps=(*steps, score.step)[-MOST_STEPS:])


def changed_lines(pull: Pull) -> int | None:
    """Lines that a pull adds and removes, None if its source does not tell."""
    if pull.additions is None and pull.deletions is None:
        return None
    return (pull.additions or 0) + (pull.deletions or 0)
