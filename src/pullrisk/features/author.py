"""Features of the author's record in this repository.

GitHub's `author_association` is left out on purpose: it tells the standing on the day of the
fetch, not on the day of the merge, so for old pulls it knows the future.
"""

from dataclasses import dataclass, field
from typing import Final

from pullrisk.features.decay import Spread, days, faded, smoothed
from pullrisk.features.pull_context import PullContext
from pullrisk.features.schema import DAY, NEVER, family

FEATURES: Final = family(
    "author",
    ("author_merged", "pulls", "log", "pulls of this author merged here before"),
    ("author_unmerged", "pulls", "log", "pulls of this author closed here without a merge"),
    ("author_failures", "pulls", "log", "pulls of this author that failed here"),
    ("author_failure_rate", "share", "linear",
     "estimated share of this author's pulls that fail"),
    ("days_since_author_failure", "days", "log",
     "days since a pull of this author last failed"),
    ("author_tenure", "days", "log", "days since the author's first pull here"),
    ("days_since_author_seen", "days", "log", "days since the author's last pull here"),
    ("author_recent", "pulls", "log", "pulls of this author merged here in about a month"),
    ("author_share", "share", "linear", "share of all pulls merged here that are this author's"),
    ("author_churn_score", "standard deviations", "linear",
     "size of the change against this author's usual size (on a log scale)"),
    ("author_new", "flag", "flag", "the author's first pull here"),
    ("author_ghost", "flag", "flag", "the author's account is deleted or unknown"),
    ("author_bot", "flag", "flag", "the author is a bot"),
    ("from_fork", "flag", "flag", "the branch is in a fork"),
)  # fmt: skip

_MONTH: Final = 30 * DAY


@dataclass(slots=True)
class AuthorRecord:
    """One author; times are epoch seconds, 0 = never."""

    id: int
    merged: int = 0
    unmerged: int = 0
    failures: int = 0
    first: float = 0.0
    last: float = 0.0
    last_failure: float = 0.0
    month: float = 0.0
    month_at: float = 0.0
    churn: Spread = field(default_factory=Spread)


_UNKNOWN: Final = AuthorRecord(-1)


class Authors:
    """Every author seen, by login; `by_id[n]` is the record numbered n."""

    def __init__(self, records: dict[str, AuthorRecord] | None = None) -> None:
        self.records = records or {}
        self.by_id = list(self.records.values())

    def id(self, login: str | None) -> int:
        """The author's number in this history, or -1 where never seen."""
        record = self.records.get(login) if login is not None else None
        return -1 if record is None else record.id

    def features(self, context: PullContext) -> tuple[float, ...]:
        """The values of FEATURES, in their order."""
        record = self.records.get(context.pull.author or "", _UNKNOWN)
        now, pull = context.now, context.pull
        return (
            record.merged,
            record.unmerged,
            record.failures,
            smoothed(record.failures, record.merged, context.prior, 20.0),
            days(now - record.last_failure, NEVER),
            days(now - record.first, NEVER) if record.first else 0.0,
            days(now - record.last, NEVER),
            faded(record.month, now - record.month_at, _MONTH),
            record.merged / context.merged if context.merged else 0.0,
            record.churn.score(context.log_churn),
            float(record.merged + record.unmerged == 0),
            float(pull.author is None),
            float(pull.bot),
            float(pull.head_repository not in (None, pull.repository)),
        )

    def observe(self, context: PullContext, *, merged: bool) -> None:
        """A pull was merged or closed; sets `context.author` to the author's number."""
        record, now = self._seen(context), context.now
        if record is None:
            return
        if not merged:
            record.unmerged += 1
            return
        record.merged += 1
        record.month = faded(record.month, now - record.month_at, _MONTH) + 1.0
        record.month_at = now
        record.churn.add(context.log_churn, memory=50)

    def observe_push(self, context: PullContext) -> None:
        """The author pushed without a pull: seen, but with no pull more."""
        self._seen(context)

    def _seen(self, context: PullContext) -> AuthorRecord | None:
        """The record of the author, who is seen now; sets `context.author` to its number."""
        login, now = context.pull.author, context.now
        if not login:
            return None
        record = self.records.get(login)
        if record is None:
            record = self.records[login] = AuthorRecord(len(self.records), first=now)
            self.by_id.append(record)
        context.author = record.id
        record.last = now
        return record

    def fail(self, author: int, now: float) -> None:
        """An earlier pull of the author numbered `author` (-1 = unknown) was trouble."""
        if author >= 0:
            record = self.by_id[author]
            record.failures += 1
            record.last_failure = now
