"""What a pull says of itself in words, kept beside its features for those who learn from text.

Nothing here is a feature: what the words are turned into is the model's own affair.
"""

import re
from operator import attrgetter
from typing import Final, NamedTuple

from pullrisk.pulls.record import Pull

MOST_PATHS: Final = 8
"""Paths that are kept: more told nothing more of a pull's category (docs/categories.md)."""
_PATH: Final = attrgetter("path")
_REVERTS: Final = re.compile(
    r"^revert(?:s|ed|ing)?:? \S{0,200}#\d|^this reverts commit\b", re.IGNORECASE | re.MULTILINE
)


class PullText(NamedTuple):
    """A pull's title and labels, its first paths, and whether its body names what it reverts."""

    title: str
    labels: tuple[str, ...]
    paths: tuple[str, ...]
    says_reverts: bool


def text_of(pull: Pull) -> PullText:
    """What a pull says; empty if the store knows no title, labels or files."""
    files = pull.files or ()
    return PullText(
        pull.title,
        pull.labels,
        tuple(map(_PATH, files[:MOST_PATHS])),
        names_reverted(pull.body),
    )


def names_reverted(body: str) -> bool:
    """Whether a body says what the pull reverts, as GitHub's button and `git revert` write it."""
    # The cheap test first: it runs on every pull.
    return "evert" in body and _REVERTS.search(body) is not None
