"""Features of the repository at the moment, and of the change relative to its usual size.

The repository's age and number of pulls are left out on purpose: they tell a model the date,
which helps it on the past and misleads it on the future (measured on a later window).
"""

from dataclasses import dataclass, field
from math import log
from typing import Final

from pullrisk.features.decay import Spread, days, faded, smoothed
from pullrisk.features.pull_context import PullContext
from pullrisk.features.schema import DAY, NEVER, UNKNOWN, family

FEATURES: Final = family(
    "repository",
    ("repository_failure_rate", "share", "linear",
     "share of all merged pulls here that failed"),
    ("repository_recent_failure_rate", "share", "linear",
     "share of the pulls merged here in about half a year that failed"),
    ("days_since_repository_failure", "days", "log",
     "days since a pull here last failed"),
    ("repository_unmerged_share", "share", "linear",
     "share of the closed pulls here that were not merged"),
    ("merges_this_week", "pulls", "log", "pulls merged here in about a week"),
    ("tempo", "ratio", "linear", "pulls merged here this week, relative to the usual week"),
    ("hours_since_last_merge", "hours", "log", "hours since the last merge here"),
) + family(
    "relative size",
    ("churn_score", "standard deviations", "linear",
     "size of the change against the usual size here (on a log scale)"),
    ("files_score", "standard deviations", "linear",
     "number of files against the usual number here (on a log scale)"),
    ("directories_score", "standard deviations", "linear",
     "number of directories against the usual number here (on a log scale)"),
    ("churn_percentile", "share", "linear",
     "share of the pulls here that are smaller than this one"),
)  # fmt: skip

_WEEK: Final = 7 * DAY
_QUARTER: Final = 90 * DAY
_HALF_YEAR: Final = 180 * DAY
_BUCKETS: Final = 48
_STEPS: Final = 3.0 / log(2.0)


@dataclass(slots=True)
class RepositoryState:
    """What the repository as a whole knew; times are epoch seconds, 0 = never.

    `sized` merged pulls had line counts; `unmerged` stays 0 where the source lists merges only.
    `written` merged pulls added code, as far as their lines are known, and `repaired` of them
    needed a fix within 90 days.
    """

    merged: int = 0
    unmerged: int = 0
    sized: int = 0
    failures: int = 0
    last_merge: float = 0.0
    last_failure: float = 0.0
    week: float = 0.0
    quarter: float = 0.0
    recent_merged: float = 0.0
    recent_failures: float = 0.0
    failures_at: float = 0.0
    churn: Spread = field(default_factory=Spread)
    files: Spread = field(default_factory=Spread)
    directories: Spread = field(default_factory=Spread)
    histogram: list[int] = field(default_factory=lambda: [0] * _BUCKETS)
    written: int = 0
    repaired: int = 0
    recent_written: float = 0.0
    recent_repaired: float = 0.0
    repaired_at: float = 0.0

    @property
    def prior(self) -> float:
        """The failure rate, shrunk towards 1 %."""
        return smoothed(self.failures, self.merged, 0.01, 200.0)

    @property
    def repair_prior(self) -> float:
        """The share of pulls with code that needed a fix, shrunk towards 12 %."""
        return smoothed(self.repaired, self.written, 0.12, 50.0)

    def recent_repair_rate(self, now: float) -> float:
        """The same of about the last half year, shrunk towards that of all time."""
        written = faded(self.recent_written, now - self.last_merge, _HALF_YEAR)
        repaired = faded(self.recent_repaired, now - self.repaired_at, _HALF_YEAR)
        return min(1.0, smoothed(repaired, written, self.repair_prior, 50.0))

    def features(self, context: PullContext) -> tuple[float, ...]:
        """The values of FEATURES, in their order."""
        now, prior = context.now, context.prior
        idle = now - self.last_merge
        week = faded(self.week, idle, _WEEK)
        usual = faded(self.quarter, idle, _QUARTER) * (_WEEK / _QUARTER)
        recent = faded(self.recent_merged, idle, _HALF_YEAR)
        recent_failures = faded(self.recent_failures, now - self.failures_at, _HALF_YEAR)
        closed = self.merged + self.unmerged
        return (
            prior,
            smoothed(recent_failures, recent, prior, 100.0),
            days(now - self.last_failure, NEVER),
            self.unmerged / closed if self.unmerged else UNKNOWN,
            week,
            (week + 1.0) / (usual + 1.0),
            24.0 * days(idle, 365.0),
            self.churn.score(context.log_churn),
            self.files.score(context.log_files),
            self.directories.score(context.log_directories),
            self._percentile(context),
        )

    def observe(self, context: PullContext, *, merged: bool) -> None:
        """A pull was merged or closed at `context.now`."""
        if not merged:
            self.unmerged += 1
            return
        idle = context.now - self.last_merge
        self.merged += 1
        self.week = faded(self.week, idle, _WEEK) + 1.0
        self.quarter = faded(self.quarter, idle, _QUARTER) + 1.0
        self.recent_merged = faded(self.recent_merged, idle, _HALF_YEAR) + 1.0
        self.written += context.repairable
        self.recent_written = faded(self.recent_written, idle, _HALF_YEAR) + context.repairable
        self.last_merge = context.now
        self.churn.add(context.log_churn)
        self.files.add(context.log_files)
        self.directories.add(context.log_directories)
        if context.lines_known:
            self.histogram[_bucket(context)] += 1
            self.sized += 1

    def fail(self, now: float) -> None:
        """An earlier pull turned out to be trouble."""
        self.failures += 1
        self.recent_failures = faded(self.recent_failures, now - self.failures_at, _HALF_YEAR) + 1.0
        self.failures_at = self.last_failure = now

    def repair(self, now: float) -> None:
        """An earlier pull needed a fix."""
        self.repaired += 1
        waited = now - self.repaired_at
        self.recent_repaired = faded(self.recent_repaired, waited, _HALF_YEAR) + 1.0
        self.repaired_at = now

    def _percentile(self, context: PullContext) -> float:
        if not context.lines_known:
            return UNKNOWN
        if not self.sized:
            return 0.5
        bucket = _bucket(context)
        return (sum(self.histogram[:bucket]) + 0.5 * self.histogram[bucket]) / self.sized


def _bucket(context: PullContext) -> int:
    """Sizes in steps of a third of an octave."""
    bucket = int(_STEPS * context.log_churn)
    return bucket if bucket < _BUCKETS else _BUCKETS - 1
