"""Features of title and description, and of what became of pulls with similar titles."""

import re
from array import array
from math import log
from typing import Final

from librt.vecs import vec
from mypy_extensions import i64

from pullrisk.features.pull_context import WORD_BUCKETS, PullContext
from pullrisk.features.schema import UNKNOWN, family

_KEYWORDS: Final = (
    ("fix", "a fix", "fix fixes fixed fixing bug bugfix hotfix correct regression"),
    ("add", "something new", "add adds added adding implement introduce support new feat"),
    ("remove", "a removal", "remove removes removed removing drop delete deprecate unused"),
    ("refactor", "refactoring",
     "refactor refactoring cleanup clean simplify move rename extract rework"),
    ("performance", "performance",
     "perf performance faster speed optimize cache improve reduce avoid"),
    ("documentation", "documentation",
     "doc docs documentation document readme typo changelog comment guide"),
    ("test", "tests or CI", "test tests testing flaky coverage spec ci"),
    ("dependency", "an update",
     "bump upgrade update dependency dependencies deps pin version renovate"),
    ("switch", "changing, enabling or allowing something",
     "enable disable default use switch migrate change allow replace require"),
    ("undo", "an undo", "revert reverts reverted reland reapply backout rollback undo"),
    ("release", "a release or backport", "release prepare backport merge cherry stable"),
)  # fmt: skip

FEATURES: Final = family(
    "title",
    ("title_length", "characters", "log", "length of the title"),
    ("body_length", "characters", "log", "length of the description"),
    ("issue_references", "references", "log", "issues or pulls named in the title"),
    ("title_prefix", "flag", "flag", "the title starts with a scope or type, as in `feat(api):`"),
    ("title_code", "flag", "flag", "the title names code in back-ticks"),
    ("title_bump", "flag", "flag", "the title tells a change of version, as in `from 1.2 to 1.3`"),
    ("title_bump_major", "flag", "flag", "the title tells a change of major version"),
    ("title_new_words", "share", "linear", "share of the title's words that no earlier title had"),
    ("title_failure_odds", "log odds", "linear",
     "how much more often than others pulls with these title words failed here"),
    ("title_failure_odds_max", "log odds", "linear",
     "how much more often pulls with the worst of these title words failed here"),
    ("title_like_failed", "share", "linear",
     "likeness of the title to that of a pull that failed lately"),
    *((f"title_says_{name}", "flag", "flag", f"the title speaks of {what}")
      for name, what, _ in _KEYWORDS),
)  # fmt: skip

_REFERENCE: Final = re.compile(r"(?<![\w#])#\d+")
_PREFIX: Final = re.compile(r"\s*(\[[^\]]{1,40}\]|[\w./ -]{1,40}(\([^)]{1,40}\))?!?:\s)")
_KEYWORD_OF: Final = {
    word.encode(): place
    for place, (_, _, words) in enumerate(_KEYWORDS, start=1)
    for word in words.split()
}
_BUMP: Final = re.compile(r"\bfrom v?(\d+)(?:\.\S*)? to v?(\d+)")
_RECENT_FAILURES: Final = 32
_WEIGHT: Final = 20.0
_NONE: Final[list[int]] = []
_ZEROS: Final = bytes(4 * WORD_BUCKETS)

Saved = tuple[bytes, bytes, list[list[int]]]


class TitleWords:
    """How often each (hashed) title word was merged, and how often such a pull failed."""

    def __init__(self, saved: Saved | None = None) -> None:
        merged, failed, self.recent_failures = saved or (_ZEROS, _ZEROS, [])
        self.merged = array("I", merged)
        self.failed = array("I", failed)
        self._failures_with: dict[int, list[int]] = {}
        self._index()

    def save(self) -> Saved:
        """The state, as the constructor takes it back."""
        return self.merged.tobytes(), self.failed.tobytes(), self.recent_failures

    def features(self, context: PullContext) -> tuple[float, ...]:
        """The values of FEATURES, in their order."""
        title = context.pull.title
        keywords = [0.0] * len(_KEYWORDS)
        for keyword in filter(None, map(_KEYWORD_OF.get, context.words)):
            keywords[keyword - 1] = 1.0
        return (
            len(title),
            UNKNOWN if "description" in context.pull.unknown else len(context.pull.body),
            _references(title),
            float(_has_prefix(title)),
            float("`" in title),
            *_bump(title),
            *self._record(context.buckets, context.prior),
            *keywords,
        )

    def observe(self, buckets: list[int]) -> None:
        """A pull whose title has these words was merged."""
        for bucket in buckets:
            self.merged[bucket] += 1

    def fail(self, buckets: list[int]) -> None:
        """A merged pull whose title has these words turned out to be trouble."""
        for bucket in buckets:
            self.failed[bucket] += 1
        if buckets:
            self.recent_failures = [*self.recent_failures[1 - _RECENT_FAILURES :], buckets]
            self._index()

    def _record(self, buckets: list[int], prior: float) -> tuple[float, ...]:
        """Share of new words, mean and highest log odds of failure, likeness to failed titles."""
        if not buckets:
            return 0.0, 0.0, 0.0, 0.0
        new, total, highest = 0, 0.0, 0.0
        merged, failed = self.merged, self.failed
        for bucket in buckets:
            seen, failures = merged[bucket], failed[bucket]
            if not seen:
                new += 1
                continue
            odds = log((failures / prior + _WEIGHT) / (seen + _WEIGHT))
            total += odds
            if odds > highest:
                highest = odds
        count = len(buckets)
        return new / count, total / count, highest, self._likeness(buckets)

    def _likeness(self, buckets: list[int]) -> float:
        """Highest Jaccard index with the title words of recently failed pulls."""
        shared = vec[i64]([0] * _RECENT_FAILURES)
        for bucket in buckets:
            for failure in self._failures_with.get(bucket, _NONE):
                shared[failure] += 1
        most, count = 0.0, len(buckets)
        for failure, failed in enumerate(self.recent_failures):
            same = shared[failure]
            if same:
                likeness = float(same) / float(count + len(failed) - same)
                if likeness > most:
                    most = likeness
        return most

    def _index(self) -> None:
        """Index the recent failures by word: failures are rare, look-ups are not."""
        self._failures_with = {}
        for failure, buckets in enumerate(self.recent_failures):
            for bucket in buckets:
                self._failures_with.setdefault(bucket, []).append(failure)


def _has_prefix(title: str) -> bool:
    # The cheap test first: the pattern retreats letter by letter where there is no colon.
    return (":" in title or "[" in title) and _PREFIX.match(title) is not None


def _bump(title: str) -> tuple[float, float]:
    """Whether the title tells a change of version, and of the major one."""
    # The cheap test first: few titles have a "to".
    match = _BUMP.search(title) if " to " in title else None
    return (0.0, 0.0) if match is None else (1.0, float(match[1] != match[2]))


def _references(text: str) -> int:
    return len(_REFERENCE.findall(text)) if "#" in text else 0
