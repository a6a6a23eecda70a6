"""References to pulls and commits in running text, and the parts of a body that are quoted."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

CURLY: Final = "\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
QUOTES: Final = "\"'`" + CURLY

REFERENCE: Final = (
    r"(?:[\[(<]*(?:https?://(?:www\.)?github\.com/(?:[\w.-]{1,100}/){2}pull/\d{1,9}\b"
    r"|(?:[\w.-]{1,100}/[\w.-]{1,100})?\#\d{1,9}\b|gh-\d{1,9}\b)"
    r"(?:\]\([^)\s]{0,200}\))?[\])>]*)"
)
"""A pull by number, in any of GitHub's spellings, perhaps as a Markdown link."""
COMMIT: Final = r"(?:[\[(<]?\b[0-9a-f]{7,40}\b(?:\]\([^)\s]{0,200}\))?[\])>]?)"
JOIN: Final = r"(?:\s*(?:,|;|&|\+|\band\b)\s*){1,2}"
REFERENCES: Final = rf"{REFERENCE}(?:{JOIN}{REFERENCE}){{0,50}}"
COMMITS: Final = rf"{COMMIT}(?:{JOIN}{COMMIT}){{0,50}}"

_REFERENCE = re.compile(
    r"github\.com/(?P<slug>[\w.-]{1,100}/[\w.-]{1,100})/pull/(?P<url>\d{1,9})\b"
    r"|(?:(?P<repository>[\w.-]{1,100}/[\w.-]{1,100}))?\#(?P<hash>\d{1,9})\b"
    r"|\bgh-(?P<gh>\d{1,9})\b",
    re.IGNORECASE,
)
_COMMIT = re.compile(r"\b[0-9a-f]{7,40}\b", re.IGNORECASE)
_QUOTED_LINES = re.compile(r"^[ \t]{0,3}>.*$", re.MULTILINE)
_EMPHASIS = str.maketrans("", "", "`*")


class Reference(NamedTuple):
    """A pull that text names: its number, and whether it belongs to the text's own repository."""

    number: int
    local: bool


def references(text: str, repository: str) -> Iterator[Reference]:
    """Every pull that `text` names by number, in order."""
    for match in _REFERENCE.finditer(text):
        owner = match["slug"] or match["repository"]
        number = int(match["url"] or match["hash"] or match["gh"])
        yield Reference(number, owner is None or owner.lower() == repository.lower())


def commits(text: str) -> list[str]:
    """Every commit that `text` names, lower case; plain numbers and words are no commits."""
    found = (match[0].lower() for match in _COMMIT.finditer(text))
    return [sha for sha in found if len(sha) == 40 or not (sha.isdigit() or sha.isalpha())]


def own_words(body: str) -> str:
    """The body without quotations, code blocks, comments and folded sections."""
    text = body.replace("\r\n", "\n")
    for opening, closing in (("<!--", "-->"), ("```", "```"), ("<details", "</details>")):
        if opening in text:
            text = _cut(text, opening, closing)
    if ">" in text:
        text = _QUOTED_LINES.sub("", text)
    return text.translate(_EMPHASIS)


def _cut(text: str, opening: str, closing: str) -> str:
    kept, at = [], 0
    while (start := text.find(opening, at)) >= 0:
        end = text.find(closing, start + len(opening))
        if end < 0:
            break
        kept.append(text[at:start])
        at = end + len(closing)
    kept.append(text[at:])
    return "\n".join(kept)
