"""The one result of scoring: what the command line, the report and the service tell of a pull."""

from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from pullrisk.model.bundle import Band
from pullrisk.model.categories import Category

GITHUB: Final = "https://github.com"
"""Below which repositories lie, unless the settings name a server of GitHub Enterprise."""
Basis: TypeAlias = Literal["row", "history", "later history", "no history", "history unreachable"]
"""What the features came from: the lake's row of a merged pull; the repository's history; a
history that already knows what followed the pull's merge; none, as for a new repository; none,
because the lake cannot be reached."""

State: TypeAlias = Literal["open", "closed", "merged"]
Share: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1)]
Percent: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=100)]

WARNINGS: Final[dict[Basis, str]] = {
    "later history": "the history is later than the merge: run `pullrisk preprocess`",
    "no history": "unknown repository: scored without any history of it",
}
UNKNOWN_AUTHOR: Final = (
    "nothing ties the author to the history: scored without the author's record here"
)


class ScoreSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A pull with what a list shows of its score; `risk` and `band` are None without a risk.

    `repair` is the probability that a fix rewrites lines of it within 90 days, `revert` that it is
    reverted, `risk` that of either; each is None if the model has no such answer. `novelty` is the
    percentile of the reconstruction error among the repository's pulls.
    """

    repository: str
    number: int
    title: str
    author: str | None
    state: State
    url: str
    risk: Share | None
    repair: Share | None
    revert: Share | None
    band: Band | None
    novelty: Percent


class ScoreDetails(ScoreSummary, frozen=True, kw_only=True):
    """All answers of a model.

    `percentile` is the per cent of the repository's pulls with a lower risk (None without a
    risk), `as_of` the moment whose knowledge the features hold. `category` and `pattern` are
    None if the model tells none. `author_known` is False if nothing ties the author to the history,
    so that all features of the author's record are unknown: not even whether the author is new.
    """

    percentile: Percent | None
    novelty_error: float
    as_of: datetime
    basis: Basis
    author_known: bool = True
    category: Category | None = None
    pattern: str | None = None


class Score(ScoreDetails, frozen=True, kw_only=True):
    """One pull with its answers; what explains them is a `brief.result.Brief`."""

    updated_at: datetime
