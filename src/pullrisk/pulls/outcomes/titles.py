"""Find out whether a title says that its pull undoes or redoes earlier work, and which."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from pullrisk.pulls.outcomes.text import (
    COMMIT,
    JOIN,
    QUOTES,
    REFERENCE,
    REFERENCES,
    commits,
    references,
)
from pullrisk.pulls.record import Pull

_UNDO: Final = (
    r"revert(?:s|ed|ing)?|back(?:s|ed|ing)?[ -]?out|roll(?:s|ed|ing)?[ -]?back|undo(?:es)?"
)
_REDO: Final = (
    r"un-?revert(?:s|ed|ing)?|re-?land(?:s|ed|ing)?|re-?appl(?:y|ies|ied|ying)|re-?merge[sd]?"
)
_VERB = re.compile(
    rf"(?:^|[:;,>|/\])(\[][ {QUOTES}]?[ ]?|^[{QUOTES}]"
    r"|^(?:hot-?fix|to [a-z ]{1,30})[ ])"
    r"(?:(?!part)[a-z]{2,12}ly[ ])?(?P<part>partial(?:ly)?[ ]|parts?[ ]of[ ])?"
    rf"(?:(?P<undo>{_UNDO})|(?P<redo>{_REDO}))"
    r"(?:\([^)]{0,60}\))?!?(?=$|[\W_])[ :]{0,3}(?:(?:this|of|the)\b )?",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"revert|back", re.IGNORECASE)
_POINTED = re.compile(rf"[{QUOTES}]|{REFERENCE}|{COMMIT}|(?:pr|pull|commit)s?\b", re.IGNORECASE)
_FEATURE = re.compile(
    r"(?:button|option|command|support|feature|action|flag|method|api|icon|modal|dialog|menu)s?\b",
    re.IGNORECASE,
)
_PART = re.compile(r"\bpartial(?:ly)?\b|\bparts? of\b|^part\b", re.IGNORECASE)
_MERGE = re.compile(
    r"(?:merge (?:pull request|pr)|auto merge of|rollup merge of) #(\d{1,9})\b", re.IGNORECASE
)
FILLER: Final = (
    r"(?:(?:the|a|an|all|my|our|changes?|parts?|merged?|commits?|of|from|in|by|made|done|introduced"
    r"|pulls?|requests?|revert|it|this)\b ?:? ?){0,6}+"
)
_BARE: Final = r"\b(?!19\d\d\b|20\d\d\b)\d{4,9}\b(?![.\w])"
_FIRST = re.compile(
    rf"(?P<filler>{FILLER})(?P<what>{REFERENCES}|{_BARE}(?:{JOIN}{_BARE}){{0,50}})", re.IGNORECASE
)
_FROM = re.compile(rf"\b(?:from|in|of|by) (?:pull request )?({REFERENCES})", re.IGNORECASE)
_BETWEEN = re.compile(rf"[{QUOTES}] ?(?:,|and|&|\+)(?: and)? ?[{QUOTES}]", re.IGNORECASE)


class Heading(NamedTuple):
    """A title, split at the verb that undoes or redoes something."""

    redo: bool
    partial: bool
    rest: str
    before: str


class Target(NamedTuple):
    """What a title refers to: the number of a pull, a commit, or another title."""

    number: int | None = None
    sha: str | None = None
    title: str | None = None


def heading(title: str) -> Heading | None:
    """The title, split at its verb, or None if it neither undoes nor redoes anything."""
    title = " ".join(title.split())
    match = _VERB.search(title)
    if match is None:
        return None
    before, rest = title[: match.start()], title[match.end() :].lstrip("]: ")
    verb = match["undo"] or match["redo"]
    if match["undo"] and not _names_something(verb, rest):
        return None
    partial = bool(match["part"] or _PART.search(_outside_quotes(rest)))
    return Heading(match["redo"] is not None, partial, rest, before)


def _names_something(verb: str, rest: str) -> bool:
    """Whether the verb has an object; that of undo and rollback has to be a pull or a commit,
    since these words also name features.
    """
    if not _PLAIN.match(verb):
        return bool(_POINTED.match(rest))
    return bool(rest.strip(" ]:.")) and rest[0] != ")" and not _FEATURE.match(rest)


def _outside_quotes(rest: str) -> str:
    return rest[max(map(rest.rfind, QUOTES)) + 1 :]


def unquoted(text: str) -> str:
    """The text without the quotation marks around it."""
    return text.strip().strip(QUOTES).strip()


def targets(rest: str, pull: Pull) -> Iterator[Target]:
    """All that the words after the verb may refer to, the most certain first.

    `Revert "title (#1)" (#2)` refers to 2 as the title of pull 3, and to 1 as that of pull 2.
    """
    rest, outer = split_number(rest)
    named = outer is not None and outer != pull.number
    if named:
        yield Target(number=outer)
    quoted = rest[:1] != "" and rest[0] in QUOTES
    if not quoted:
        yield from _pointed(rest, pull.repository)
    inner = unquoted(rest)
    for text in (inner, *_several(rest)):
        if merge := _MERGE.match(text):
            yield Target(number=int(merge[1]))
        text, number = split_number(text)
        if number is not None and not named:
            yield Target(number=number)
        if len(text) >= 4:
            yield Target(title=text)


def _pointed(rest: str, repository: str) -> Iterator[Target]:
    for match in filter(None, (_FIRST.match(rest), _FROM.search(rest))):
        what = match[match.lastindex or 0]
        if what[0].isdigit():
            yield from (Target(number=int(number)) for number in re.findall(_BARE, what))
        else:
            yield from (Target(number=number) for number in references(what, repository))
    yield from (Target(sha=sha) for sha in commits(rest))


def _several(rest: str) -> list[str]:
    parts = _BETWEEN.split(rest)
    return [unquoted(part) for part in parts] if len(parts) > 1 else []


def split_number(text: str) -> tuple[str, int | None]:
    """The text without its last "(#12)", and that number or None; a shortened "(#1…" is removed
    too.
    """
    start = text.rfind("(#")
    if start < 0:
        return text, None
    tail = text[start + 2 :]
    digits = tail.strip().removesuffix(")")
    if digits.isascii() and digits.isdigit() and len(digits) < 10:
        return text[:start].rstrip(), int(digits)
    cut_off = digits.rstrip(".…")
    if digits != cut_off and (not cut_off or cut_off.isdigit()):
        return text[:start].rstrip() + "…", None
    return text, None
