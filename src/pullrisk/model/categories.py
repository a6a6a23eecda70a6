"""The kinds of work: what a title's prefix or a pull's labels say, or else the network.

A prefix is that of Conventional Commits 1.0 (`fix(api)!: …`), of gitmoji (`:bug: …`), a tag in
brackets (`[docs] …`), or what tools write: `Revert "…"`, `Release 1.2`. What stays when it is
taken away is all that the network may see of a title, or it would learn to read prefixes.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, Literal, NamedTuple

import msgspec

from pullrisk.arrays import Float32
from pullrisk.features.pull_text import PullText

CATEGORIES: Final = (
    "feature", "fix", "refactor", "performance", "documentation", "tests", "CI and build",
    "dependency update", "release", "revert", "other",
)  # fmt: skip
"""Every category, in the order of the network's answers."""

_WORDS: Final = {
    "feature": "feat feature feats features enhancement enhance improvement new-feature",
    "fix": "fix fixes fixed bugfix bug hotfix security regression",
    "refactor": "refactor ref refactoring cleanup clean-up refac refact tidy",
    "performance": "perf performance optimization",
    "documentation": "docs doc documentation docsite readme website changelog guides",
    "tests": "test tests testing spec specs testsuite",
    "CI and build": "ci build gha workflow workflows jenkinsfile build-system",
    "dependency update": "deps dep dependencies vendor vendoring dependency renovate dependabot",
    "release": "release",
    "revert": "revert",
    "other": "chore misc other style lint",
}
_SIGNS: Final = {
    "feature": "sparkles ✨",
    "fix": "bug 🐛 ambulance 🚑 lock 🔒 adhesive_bandage 🩹 pencil2 ✏",
    "refactor": "recycle ♻ art 🎨 truck 🚚 fire 🔥 coffin ⚰",
    "performance": "zap ⚡ racehorse 🐎",
    "documentation": "memo 📝 books 📚 bulb 💡",
    "tests": "white_check_mark ✅ test_tube 🧪 rotating_light 🚨",
    "CI and build": "construction_worker 👷 green_heart 💚 hammer 🔨",
    "dependency update": "arrow_up ⬆ arrow_down ⬇ pushpin 📌 heavy_plus_sign heavy_minus_sign",
    "release": "bookmark 🔖",
    "revert": "rewind ⏪",
    "other": "wrench 🔧 see_no_evil 🙈",
}
_LABELS: Final = {
    "feature": "feature enhancement new-feature improvement",
    "fix": "bug fix bugfix regression",
    "refactor": "refactor refactoring cleanup tech-debt technical-debt internal",
    "performance": "performance perf",
    "documentation": "documentation docs doc",
    "tests": "test tests testing",
    "CI and build": "ci build ci-cd github-actions build-system",
    "dependency update": "dependencies dependency deps",
    "release": "release releases version-bump",
    "revert": "revert reverts",
    "other": "chore maintenance",
}
# What these types are about is left open: their scope may say it.
_OPEN: Final = frozenset(("other", "CI and build"))


def _by_word(table: dict[str, str]) -> dict[str, str]:
    return {word: name for name, words in table.items() for word in words.split()}


_OF_WORD: Final = _by_word(_WORDS)
_OF_SIGN: Final = _by_word(_SIGNS)
_OF_LABEL: Final = _by_word(_LABELS)

_REVERT: Final = re.compile(r"\s*revert(?:\s*:\s*|\s+(?=[\"'“`#]))", re.IGNORECASE)
_RELEASE: Final = re.compile(
    r"\s*(?:(?:cut|prepare|prep)\s+(?:for\s+)?(?:the\s+)?)?"
    r"(?:(?:bump|update|set)\s+(?:the\s+)?version\s+(?:to|number)\b"
    r"|(?:new\s+)?release\b:?(?=\s+\S*\d)|version(?=\s+v?\d))\s*",
    re.IGNORECASE,
)
_TAG: Final = re.compile(r"\s*\[([^\]]{1,40})\]:?\s*")
_TYPE: Final = re.compile(r"\s*([A-Za-z][\w -]{0,24}?)\s*(?:\(([^)]{0,60})\))?\s*!?:(?:\s+|$)")
_SIGN: Final = re.compile(r"\s*(?::(\w{2,30}):|([\u2190-\u2bff\U0001f300-\U0001faff]))\ufe0f?\s*")
_SCOPE: Final = re.compile(r"[a-z]+")
# A catch-all type over a dependency or a release is a habit, not a statement about the work.
_ELSE: Final = re.compile(
    r"\b(?:bump|roll|upgrade|downgrade|pin|release|renovate)\b|\bupdate\b.*(?:\bto\b|\bdep|\d\.\d)",
    re.IGNORECASE,
)
_MOST_TAGS: Final = 3
_MAY_SAY: Final = frozenset("rRcCpPbBuUsSnNvV")
"""First letters of titles that _REVERT and _RELEASE match."""
_MARKS: Final = frozenset(":[")
"""One of these stands in every prefix that is not a sign of its own."""


class Stated(NamedTuple):
    """What a pull says of itself: a category or None, and the title without saying it."""

    category: str | None
    title: str


@lru_cache(maxsize=256)
def stated(title: str) -> Stated:
    """Read the prefix of a title and take it away; other tags before it (`[5.x]`) stay."""
    # Most titles begin with none of this: one letter tells, at a tenth of the patterns' time.
    if title.lstrip()[:1] in _MAY_SAY:
        for pattern, name in ((_REVERT, "revert"), (_RELEASE, "release")):
            if match := pattern.match(title):
                return Stated(name, title[match.end() :].strip("\"'“”` "))
    if title.isascii() and _MARKS.isdisjoint(title):
        return Stated(None, title)
    before, rest = "", title
    for _ in range(_MOST_TAGS):
        prefix = _prefix(rest)
        if prefix is None:
            break
        category, end = prefix
        if category:
            return _unless_open(category, title, f"{before}{rest[end:]}")
        before, rest = before + rest[:end], rest[end:]
    return Stated(None, title)


def labelled(labels: Iterable[str]) -> str | None:
    """The category that the labels name (`bug`, `type: docs`), None if none or several do."""
    categories = {_OF_LABEL.get(_label_word(label)) for label in labels} - {None}
    return categories.pop() if len(categories) == 1 else None


def _prefix(text: str) -> tuple[str | None, int] | None:
    """The category of the first tag, type or sign of a title (None for a tag of another sort)
    and where it ends; None if the title begins with words."""
    if match := _TAG.match(text):
        return _OF_WORD.get(_word(match[1])), match.end()
    if match := _SIGN.match(text):
        return _OF_SIGN.get(match[1] or match[2]), match.end()
    if match := _TYPE.match(text):
        category = _OF_WORD.get(_word(match[1]))
        return (_scoped(category, match[2]), match.end()) if category else None
    return None


def _scoped(category: str, scope: str | None) -> str:
    """`chore(deps)` is about dependencies, `chore(ci)` about CI; `fix(docs)` stays a fix."""
    for word in _SCOPE.findall((scope or "").lower()):
        named = _OF_WORD.get(word)
        if named == "dependency update" or (named and category in _OPEN):
            return named
    return category


def _unless_open(category: str, title: str, rest: str) -> Stated:
    return (
        Stated(None, title)
        if category == "other" and _ELSE.search(rest)
        else Stated(category, rest)
    )


def _word(text: str) -> str:
    return text.strip(" `").lower().replace(" ", "-").replace("_", "-")


def _label_word(label: str) -> str:
    """`kind/bug`, `type: bug` and `C-bug` all say bug."""
    word = re.split(r"[:/]", label.lower())[-1].strip()
    word = re.sub(r"^(?:[a-z]|type|kind|area|topic)-", "", word)
    return word.replace(" ", "-").replace("_", "-")


Source = Literal["title", "labels", "network"]


class Category(msgspec.Struct, frozen=True):
    """What kind of work a pull is, and the probability that the network gives it.

    `source` is what says so: the title's prefix, the labels, or the network, which sees neither.
    A low probability of a category from the title is a title that does not fit the change.
    """

    name: str
    probability: float
    source: Source


def answers(
    names: Sequence[str], probabilities: Float32, texts: Sequence[PullText]
) -> list[Category]:
    """Every pull's category, from probabilities [n, k] of the categories `names` [k]."""
    rows = zip(probabilities.tolist(), texts, strict=True)
    return [_answer(names, row, text) for row, text in rows]


def _answer(names: Sequence[str], row: list[float], text: PullText) -> Category:
    source: Source = "title"
    name = stated(text.title).category
    if name is None:
        source, name = "labels", labelled(text.labels) if text.labels else None
    if name is None or name not in names:
        highest = max(row)
        return Category(names[row.index(highest)], highest, "network")
    return Category(name, row[names.index(name)], source)
