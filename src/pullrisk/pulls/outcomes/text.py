"""Find references to pulls and commits in a text, and remove what a body quotes."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

CURLY: Final = "\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
QUOTES: Final = "\"'`" + CURLY

REFERENCE: Final = (
    r"(?:[\[(<]{0,2}(?:https?://[\w.-]{1,100}(?::\d{1,5})?/(?:[\w.-]{1,100}/){2}pull/\d{1,9}\b"
    r"|(?:[\w.-]{1,100}/[\w.-]{1,100}|prs?:? ?)?\#\d{1,9}\b"
    r"|\bgh-\d{1,9}\b|\bprs? \d{1,9}\b(?!\.\d| of \d|/))"
    r"(?:\]\([^)\s]{0,200}\))?[\])>]{0,2})"
)
"""A pull by its number, in any form that GitHub knows, also as a Markdown link."""
COMMIT: Final = (
    r"(?:[\[(<]?(?:https?://\S{1,250}/commits?/)?\b[0-9a-f]{7,40}\b"
    r"(?:\]\([^)\s]{0,200}\))?[\])>]?)"
)
JOIN: Final = r"\s?(?:,|;|&|\+|\band\b)(?:\s?and\b)?\s?"
REFERENCES: Final = rf"{REFERENCE}(?:{JOIN}(?:{REFERENCE}|\d{{2,9}}\b)){{0,50}}"
COMMITS: Final = rf"{COMMIT}(?:{JOIN}{COMMIT}){{0,50}}"

_REFERENCE = re.compile(
    r"://[\w.:-]{1,106}/(?P<slug>[\w.-]{1,100}/[\w.-]{1,100})/pull/(?P<url>\d{1,9})\b"
    r"|(?P<repository>\b[\w.-]{1,100}/[\w.-]{1,100})?\#(?P<hash>\d{1,9})\b"
    r"|(?:\bgh-|\bprs? |\band |, ?)(?P<plain>\d{1,9})\b",
    re.IGNORECASE,
)
_COMMIT = re.compile(r"\b[0-9a-f]{7,40}\b", re.IGNORECASE)
_LISTED = re.compile(r"#\d|/pull/\d")
_QUOTED_LINES = re.compile(r"^ {0,3}>.*$", re.MULTILINE)
_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\n ?\n\s*")
_EMPHASIS = str.maketrans("", "", "`*")
_BULLETS = re.compile(r"^ {0,8}\* ", re.MULTILINE)
_PULL_REQUEST = re.compile(r"\bpull[ -]requests? (?=\d{1,9}\b)", re.IGNORECASE)


class Reference(NamedTuple):
    """A pull by its number; `name` is that of another repository, or an earlier name of this."""

    number: int
    name: str | None = None


def references(text: str, repository: str) -> Iterator[Reference]:
    """All pulls that the text names, in order."""
    for match in _REFERENCE.finditer(text):
        name = (match["slug"] or match["repository"] or "").lower()
        number = int(match["url"] or match["hash"] or match["plain"])
        yield Reference(number, name if name not in ("", repository.lower()) else None)


def commits(text: str) -> Iterator[str]:
    """All commits that the text names, in lower case, without plain numbers and words."""
    for match in _COMMIT.finditer(text):
        sha = match[0].lower()
        if len(sha) == 40 or not (sha.isdigit() or sha.isalpha()):
            yield sha


def lists_many(text: str, *, more_than: int) -> bool:
    """Whether the text names more than so many pulls, and so is a list of changes."""
    return sum(1 for _ in _LISTED.finditer(text)) > more_than


def own_words(body: str) -> str:
    """The body without quotations, code blocks, comments, folded sections and double blanks."""
    text = body.replace("\r\n", "\n")
    for opening, closing in (("<!--", "-->"), ("```", "```"), ("<details", "</details>")):
        if opening in text:
            text = _cut(text, opening, closing)
    if ">" in text:
        text = _QUOTED_LINES.sub("", text)
    if "* " in text:
        text = _BULLETS.sub("- ", text)
    text = one_form(text)
    text = _SPACES.sub(" ", text.translate(_EMPHASIS))
    return _BLANK_LINES.sub("\n\n", text)


def one_form(text: str) -> str:
    """The text with "pull request 12" as "PR 12"."""
    return _PULL_REQUEST.sub("PR ", text)


def _cut(text: str, opening: str, closing: str) -> str:
    parts, at = [], 0
    while (start := text.find(opening, at)) >= 0:
        end = text.find(closing, start + len(opening))
        if end < 0:
            break
        parts.append(text[at:start])
        at = end + len(closing)
    parts.append(text[at:])
    return "\n".join(parts)
