"""Transparent rules for a pull's category: the kinds of its files and the words of its title.

They are the baseline of the category head, one of its inputs, and its teacher where pulls of a
rare category have no prefix.
"""

import re
from collections.abc import Sequence, Set
from typing import Final

from pullrisk.features.pull_text import PullText
from pullrisk.model.categories import stated
from pullrisk.pulls.file_kinds import KINDS, path_facts
from pullrisk.pulls.text_cache import cache_texts

KEYWORDS: Final = {
    "release": frozenset("release releases".split()),
    "dependency update": frozenset(
        """bump bumps bumped upgrade upgrades dependency dependencies deps renovate vendor
        lockfile pin""".split()
    ),
    "performance": frozenset(
        """perf performance faster fast slow speed speedup optimize optimise optimized
        optimization allocation allocations allocating cache caching memory overhead lazily
        redundant unnecessary""".split()
    ),
    "documentation": frozenset(
        """doc docs documentation document documented readme typo typos changelog comment
        comments guide guides grammar wording docstring docstrings spelling link links""".split()
    ),
    "tests": frozenset(
        "test tests testing flaky flake coverage spec specs assert asserts benchmark".split()
    ),
    "CI and build": frozenset(
        """ci workflow workflows pipeline github actions action build builds travis appveyor
        jenkins circleci lint linter dockerfile makefile runner runners""".split()
    ),
    "fix": frozenset(
        """fix fixes fixed fixing bug bugfix crash crashes correct correctly regression error
        errors broken prevent handle wrong missing leak race issue ensure properly when
        incorrect invalid""".split()
    ),
    "refactor": frozenset(
        """refactor refactoring cleanup clean simplify move rename extract rework reorganize
        restructure split consolidate remove unused convert replace modernize migrate""".split()
    ),
    "feature": frozenset(
        "add adds added adding implement introduce support new feature allow enable expose".split()
    ),
}
"""Words that speak of a category."""

_SPOKEN_OF: Final = {
    word: tuple(category for category, words in KEYWORDS.items() if word in words)
    for word in frozenset().union(*KEYWORDS.values())
}
_WORD: Final = re.compile(r"[a-z][a-z0-9]+")
_FIRST: Final = ("dependency update", "fix", "performance", "refactor", "feature", "tests")
_ANYWHERE: Final = (
    "fix", "feature", "documentation", "tests", "CI and build", "performance", "refactor",
    "dependency update",
)  # fmt: skip
_MOST_WORDS: Final = 24


def title_words(title: str) -> list[str]:
    """The lower-case words of a title, in order, at most 24 of them."""
    return _WORD.findall(title.lower())[:_MOST_WORDS]


def spoken_of(word: str) -> tuple[str, ...]:
    """The categories that a word speaks of."""
    return _SPOKEN_OF.get(word, ())


def says_anything(words: Sequence[str]) -> bool:
    """Whether a title has any word that is not a version such as v1."""
    return any(map(str.isalpha, words))


def kinds_of(paths: Sequence[str]) -> list[str]:
    """What kind each path is of, one of file_kinds.KINDS."""
    return [*map(_kind_of, paths)]


@cache_texts(1 << 17)
def _kind_of(path: str) -> str:
    return KINDS[path_facts(path).kind]  # remembered: pulls keep coming back to the same files


def category_by_rules(text: PullText) -> str:
    """The rules' category of a pull, its title without the prefix."""
    words, kinds = title_words(stated(text.title).title), set(kinds_of(text.paths))
    return rule(words, kinds, reverts=text.says_reverts)


def rule(words: Sequence[str], kinds: Set[str], *, reverts: bool) -> str:
    """The category by the first rule that applies.

    `words` are those of a title without its prefix, `kinds` those of the files; `reverts` says
    that the body names what is reverted.
    """
    if reverts or "revert" in words:
        return "revert"
    if not says_anything(words) or not KEYWORDS["release"].isdisjoint(words):
        return "release"
    return _by_files(kinds, words[0]) or _by_words(words) or _by_default(kinds)


def _by_files(kinds: Set[str], first: str) -> str | None:
    """What files that are all of one kind say."""
    if kinds and kinds <= {"dependency", "vendored"}:
        return "dependency update"
    if first in KEYWORDS["dependency update"]:
        return "dependency update"
    if kinds == {"docs"}:
        return "documentation"
    if kinds == {"test"}:
        return "tests"
    return "CI and build" if kinds and kinds <= {"ci"} else None


def _by_words(words: Sequence[str]) -> str | None:
    """What the first word says, or else any word."""
    for category in _FIRST:
        if words[0] in KEYWORDS[category]:
            return category
    for category in _ANYWHERE:
        if not KEYWORDS[category].isdisjoint(words):
            return category
    return None


def _by_default(kinds: Set[str]) -> str:
    if kinds and kinds <= {"ci", "config"}:
        return "CI and build"
    return "fix" if "source" in kinds else "other"
