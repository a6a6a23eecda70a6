"""The bodies of the API's answers, from which the OpenAPI document is made too."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from pullrisk.brief.result import Brief, Reason
from pullrisk.score.result import ScoreDetails, ScoreSummary, Share

RepositoryName = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$")
]


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pull request of the store."""

    repository: RepositoryName
    number: Annotated[int, msgspec.Meta(gt=0, lt=2**53)]


class ModelName(msgspec.Struct, frozen=True):
    """Which model answered: its file's digest, and the hash of the features that it reads.

    `registered` is its version in the registry, null where it came from a file.
    """

    version: str
    schema_hash: str
    registered: str | None = None


class History(msgspec.Struct, frozen=True):
    """What is known of the repository: `as_of` is its latest event, `stale` = it may be old.

    A history is stale while the lake cannot be reached to look for a newer one.
    """

    known: bool
    as_of: datetime | None
    age_days: float | None
    pulls: int
    stale: bool


class Score(ScoreDetails, frozen=True, kw_only=True):
    """One pull request with its answers; risk, band and percentile are null without a risk.

    `repair` and `revert` are the probabilities that a fix rewrites lines of it and that it is
    reverted, `risk` that of either; null where the model has no such answer.

    `percentile` is the share of the repository's pull requests with a lower risk, `novelty`
    that with a lower reconstruction error, both in per cent. `as_of` is the moment whose
    knowledge the features hold, `basis` where they came from. `category` is the kind of work,
    `pattern` the named cluster of like pull requests; null where the model tells none. `reasons`
    are what drives the risk, null if they were not asked for, as is `brief`.
    """

    history: History
    reasons: tuple[Reason, ...] | None = None
    brief: Brief | None = None


class Scores(msgspec.Struct, frozen=True):
    """Scores in the order asked."""

    model: ModelName
    scores: list[Score]


class RawScore(msgspec.Struct, frozen=True):
    """The answers for one row of features; `risk`, `repair` and `revert` as in a `Score`."""

    risk: Share | None
    repair: Share | None
    revert: Share | None
    novelty_error: float


class RawScores(msgspec.Struct, frozen=True):
    """The answers for rows of features, in the order asked."""

    model: ModelName
    scores: list[RawScore]


class ListedPull(ScoreSummary, frozen=True, kw_only=True):
    """A stored pull request in the list."""

    updated_at: datetime


class PullPage(msgspec.Struct, frozen=True):
    """A page of the list; `next` is the offset of the following one, `as_of` when it was read."""

    pulls: list[ListedPull]
    total: int
    next: int | None
    as_of: datetime
    stale: bool


class Repository(msgspec.Struct, frozen=True):
    """A stored repository; `replayed_at` is when a run last wrote its history, null = never."""

    repository: str
    pulls: int
    merged: int
    open: int
    last_updated_at: datetime
    replayed_at: datetime | None


class Repositories(msgspec.Struct, frozen=True):
    """Every stored repository, by name."""

    repositories: list[Repository]
    as_of: datetime
    stale: bool


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The model that answers, and how it was trained."""

    version: str
    registered: str | None
    source: str
    schema_hash: str
    loaded_at: datetime
    risk_available: bool
    repair_available: bool
    revert_available: bool
    maturity_days: float
    examples: int
    repaired: int
    reverted: int
    dataset_version: str | None
    high: float
    elevated: float
    features: list[str]


class Reloaded(msgspec.Struct, frozen=True):
    """The model that answers now, and the version of the one that did before."""

    model: ModelName
    before: str


class Check(msgspec.Struct, frozen=True):
    """One thing that the service needs: whether it is there, and what is missing."""

    what: str
    ok: bool
    found: str


class Health(msgspec.Struct, frozen=True):
    """Whether traffic should come, and why not."""

    ready: bool
    checks: list[Check]


class Alive(msgspec.Struct, frozen=True):
    """The process lives."""

    status: Literal["ok"] = "ok"
