"""Features of the title and body, and of what became of pulls with similar titles."""

import re
from array import array
from math import log
from typing import Final
from zlib import crc32

from pullrisk.features.schema import family
from pullrisk.features.view import View

_KEYWORDS: Final = (
    ("fix", ("fix", "fixes", "fixed", "fixing", "bug", "bugfix", "hotfix", "correct", "regression")),
    ("add", ("add", "adds", "added", "adding", "implement", "introduce", "support", "new", "feat")),
    ("remove", ("remove", "removes", "removed", "removing", "drop", "delete", "deprecate", "unused")),
    ("refactor", ("refactor", "refactoring", "cleanup", "clean", "simplify", "move", "rename",
                  "extract", "rework")),
    ("performance", ("perf", "performance", "faster", "speed", "optimize", "optimise", "cache",
                     "improve", "reduce", "avoid")),
    ("documentation", ("doc", "docs", "documentation", "document", "readme", "typo", "typos",
                       "changelog", "comment", "guide", "spelling")),
    ("test", ("test", "tests", "testing", "flaky", "coverage", "spec", "ci")),
    ("dependency", ("bump", "upgrade", "update", "dependency", "dependencies", "deps", "pin",
                    "version", "renovate")),
    ("switch-over", ("enable", "default", "use", "switch", "migrate", "change", "allow", "replace",
                     "require", "disable")),
    ("undo", ("revert", "reverts", "reverted", "reland", "reapply", "backout", "rollback", "undo")),
    ("release", ("release", "prepare", "backport", "merge", "cherry", "stable")),
)  # fmt: skip
_HASHED: Final = 12

FEATURES: Final = family(
    "title",
    ("title_length", "characters", "log", "length of the title"),
    ("title_words", "words", "log", "words in the title"),
    ("body_length", "characters", "log", "length of the description"),
    ("issue_references", "references", "log", "issues or pulls named in title and description"),
    ("title_prefix", "flag", "flag", "the title starts with a scope or type, as in `feat(api):`"),
    ("title_code", "flag", "flag", "the title names code in back-ticks"),
    ("title_new_words", "share", "linear", "share of the title's words that are new here"),
    ("title_failure_odds", "log odds", "linear",
     "how much more often pulls with these title words failed here (mean)"),
    ("title_failure_odds_max", "log odds", "linear",
     "the same, for the word that speaks most for failure"),
    ("title_like_failed", "share", "linear",
     "likeness of the title to the nearest of recently failed pulls"),
    *((f"title_says_{name.replace('-', '_')}", "flag", "flag", f"the title speaks of: {name}")
      for name, _ in _KEYWORDS),
) + family(
    "title words",
    *((f"title_word_{bucket}", "words", "log", f"title words of hash group {bucket}")
      for bucket in range(_HASHED)),
)  # fmt: skip

_BUCKETS: Final = 4_096
_WORD: Final = re.compile(r"[a-z][a-z0-9]+")
_REFERENCE: Final = re.compile(r"(?<![\w#])#\d+")
_PREFIX: Final = re.compile(r"\s*(\[[^\]]{1,40}\]|[\w./ -]{1,40}(\([^)]{1,40}\))?!?:\s)")
_KEYWORD_OF: Final = {word: index for index, (_, words) in enumerate(_KEYWORDS) for word in words}
_RECENT_FAILURES: Final = 64
_WEIGHT: Final = 20.0
_ZEROS: Final = bytes(4 * _BUCKETS)

Saved = tuple[bytes, bytes, list[list[int]]]


def title_words(title: str) -> dict[str, int]:
    """The distinct words of a title with their hash buckets (0 … 4095), in order."""
    return {word: crc32(word.encode()) % _BUCKETS for word in _WORD.findall(title.lower())[:64]}


class TitleWords:
    """How often each (hashed) title word was merged, and how often such a pull failed."""

    def __init__(self, saved: Saved | None = None) -> None:
        merged, failed, self.recent_failures = saved or (_ZEROS, _ZEROS, [])
        self.merged = array("I", merged)
        self.failed = array("I", failed)

    def save(self) -> Saved:
        """The state, as the constructor takes it back."""
        return self.merged.tobytes(), self.failed.tobytes(), self.recent_failures

    def features(self, view: View) -> tuple[float, ...]:
        """The values of FEATURES, in their order."""
        pull = view.pull
        words = title_words(pull.title)
        keywords = [0.0] * len(_KEYWORDS)
        hashed = [0.0] * _HASHED
        for word, bucket in words.items():
            hashed[bucket % _HASHED] += 1.0
            keyword = _KEYWORD_OF.get(word)
            if keyword is not None:
                keywords[keyword] = 1.0
        return (
            len(pull.title),
            len(words),
            len(pull.body),
            _references(pull.title) + _references(pull.body),
            float(_PREFIX.match(pull.title) is not None),
            float("`" in pull.title),
            *self._record(list(words.values()), view.prior),
            *keywords,
            *hashed,
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

    def _record(self, buckets: list[int], prior: float) -> tuple[float, ...]:
        """Share of new words, mean and highest log odds of failure, likeness to failed titles."""
        if not buckets:
            return 0.0, 0.0, 0.0, 0.0
        new, total, highest = 0, 0.0, 0.0
        merged, failed = self.merged, self.failed
        for bucket in buckets:
            seen = merged[bucket]
            if not seen:
                new += 1
                continue
            odds = log((failed[bucket] / prior + _WEIGHT) / (seen + _WEIGHT))
            total += odds
            if odds > highest:
                highest = odds
        count = len(buckets)
        return new / count, total / count, highest, self._likeness(set(buckets))

    def _likeness(self, buckets: set[int]) -> float:
        """Highest Jaccard index with the title words of recently failed pulls."""
        best = 0.0
        for other in self.recent_failures:
            shared = len(buckets.intersection(other))
            if shared:
                best = max(best, shared / (len(buckets) + len(other) - shared))
        return best


def _references(text: str) -> int:
    return len(_REFERENCE.findall(text)) if "#" in text else 0
