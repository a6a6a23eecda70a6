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
    one_form,
    references,
)
from pullrisk.pulls.record import Pull

_UNDO: Final = (
    r"(?:re-?)?revert(?:s|ed|ing)?|back(?:s|ed|ing)?[ -]?out|roll(?:s|ed|ing)?[ -]?back"
    r"|undo(?:es)?"
)
_REDO: Final = (
    r"un-?revert(?:s|ed|ing)?|re-?land(?:s|ed|ing)?|re-?appl(?:y|ies|ied|ying)|re-?merge[sd]?"
)
_REDO_OR_FEATURE: Final = (
    r"br(?:ing(?:s|ing)?|ought)[ ]back|re-?instat(?:es?|ed|ing)|re-?introduc(?:es?|ed|ing)"
    r"|restor(?:es?|ed|ing)"
)
_VERB = re.compile(
    rf"(?:^|[:;,>|/\])(\[][ {QUOTES}]?[ ]?|(?P<dash>[ ][-\u2013\u2014][ ])|^[{QUOTES}]"
    r"|^(?:hot-?fix|git|please|to [a-z ]{1,30})[ ])"
    r"(?:(?!part|most|large|select)[a-z]{2,12}ly[ ])?"
    r"(?P<part>(?:partial(?:ly)?|partly|mostly|largely|selectively|part|parts?[ ]of)[ ])?"
    rf"(?:(?P<undo>{_UNDO})|(?P<redo>{_REDO})|(?P<weak>{_REDO_OR_FEATURE}))"
    r"(?:\([^)]{0,60}\))?!?(?=$|[\W_])[ :]{0,3}(?:(?:this|of|the)\b )?",
    re.IGNORECASE,
)
_BARE: Final = r"\b(?!19\d\d\b|20\d\d\b)\d{4,9}\b(?![.\w])"
_PLAIN = re.compile(r"(?:re-?)?revert|back", re.IGNORECASE)
_POINTED = re.compile(rf"[{QUOTES}]|{REFERENCE}|{COMMIT}|(?:pr|pull|commit)s?\b", re.IGNORECASE)
_ANYWHERE = re.compile(rf"{REFERENCE}|{COMMIT}|{_BARE}", re.IGNORECASE)
_POINTED_CLEARLY = re.compile(
    r"(?:(?:the )?(?:changes? (?:of|from|in) )?(?:prs?|pull requests?|commits?):? )?"
    r"(?:[\"\u201c\u00ab].{8,}[\"\u201d\u00bb]\W{0,2}(?:\(.*\))?$"
    rf"|{REFERENCE}|{COMMIT})",
    re.IGNORECASE,
)
_FEATURE = re.compile(
    r"(?:button|option|command|support|feature|action|flag|method|api|icon|modal|dialog|menu)s?\b",
    re.IGNORECASE,
)
_PART = re.compile(
    r"\bpartial(?:ly)?\b|\bpartly\b|\bin part\b|\b(?:parts?|some|half|most|bits?) of\b|^part\b",
    re.IGNORECASE,
)
_PART_AT_EDGE = re.compile(
    r"^\W{0,2}(?:(?:parts?|some|half|most|bits?) of|part|partial(?:ly)?|partly|in part)\b"
    r"|\b(?:partial(?:ly)?|partly|in part)\W{0,2}$",
    re.IGNORECASE,
)
_EMOJI = re.compile("[\u2190-\u21ff\u2300-\u2bff\u3030\ufe0f\u200d\U0001f000-\U0001faff]+ ?")
_MERGE = re.compile(
    r"(?:merge (?:pull request|pr)|auto merge of|rollup merge of) #(\d{1,9})\b", re.IGNORECASE
)
FILLER: Final = (
    r"(?:(?:the|a|an|all|my|our|changes?|parts?|merged?|commits?|of|from|in|by|made|done|introduced"
    r"|pulls?|requests?|revert|it|this)\b ?:? ?){0,6}+"
)
_FIRST = re.compile(
    rf"(?P<filler>{FILLER})(?P<what>{REFERENCES}|{_BARE}(?:{JOIN}{_BARE}){{0,50}})", re.IGNORECASE
)
_FROM = re.compile(rf"\b(?:from|in|of|by) (?:pull request )?({REFERENCES})", re.IGNORECASE)
_LEAD = re.compile(
    rf"(?:(?:the|this|my|our|all|changes?|merged?|commits?|of|from|in|made|by|pulls?|requests?|prs?"
    rf"|titled|called|parts?|some|half|most|bits?)\b[ :]*){{1,6}}(?:{REFERENCE}[ :,-]*)?"
    rf"(?=[{QUOTES}])",
    re.IGNORECASE,
)
_BEHIND = re.compile(
    rf"\W{{0,2}}(?:\b(?:from|in|of|by|via)\b )?(?P<what>{REFERENCES})", re.IGNORECASE
)
_IN_PARENTHESES = re.compile(rf"\((?P<what>{REFERENCES})\)", re.IGNORECASE)
_CLOSING: Final = {"\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb", "\u201e": "\u201c"}
_BETWEEN = re.compile(rf"[{QUOTES}] ?(?:,|and|&|\+)(?: and)? ?[{QUOTES}]", re.IGNORECASE)


class Heading(NamedTuple):
    """A title, split at the verb that undoes or redoes something."""

    redo: bool
    partial: bool
    rest: str
    before: str


class Target(NamedTuple):
    """What a title refers to: the number of a pull, a commit, or another title.

    `name` is the other repository, or earlier name of this one, to which the number belongs.
    `inner` marks the one title that is meant and a number in it, which may be that of an issue.
    """

    number: int | None = None
    sha: str | None = None
    title: str | None = None
    name: str | None = None
    inner: bool = False


def heading(title: str) -> Heading | None:
    """The title, split at its verb, or None if it neither undoes nor redoes anything."""
    title = one_form(" ".join(title.split()))
    if not title.isascii():
        title = without_emoji(title)
    match = _VERB.search(title)
    if match is None:
        return None
    before, rest = title[: match.start()], title[match.end() :].lstrip("]: ")
    undo = match["undo"]
    if (match["weak"] or match["dash"]) and not _POINTED_CLEARLY.match(rest):
        return None
    if undo and not _names_something(undo, rest):
        return None
    partial = bool(match["part"]) or _says_partial(rest)
    return Heading(undo is None, partial, rest, before)


def points(head: Heading) -> bool:
    """Whether the title itself names or quotes what it is about."""
    rest = head.rest
    return any(letter in QUOTES for letter in rest) or _ANYWHERE.search(rest) is not None


def without_emoji(title: str) -> str:
    """The title without pictures and arrows, such as "⏪ "."""
    return _EMOJI.sub("", title)


def _names_something(verb: str, rest: str) -> bool:
    """Whether the verb has an object; that of undo and rollback has to be a pull or a commit,
    since these words also name features.
    """
    if not _PLAIN.match(verb):
        return bool(_POINTED.match(rest))
    return bool(rest.strip(" ]:.")) and rest[0] != ")" and not _FEATURE.match(rest)


def _says_partial(rest: str) -> bool:
    """Whether the words around the quoted title say that only a part is undone; without a
    quoted title those at either end, because the others may belong to the title.
    """
    start = next((at for at, letter in enumerate(rest) if letter in QUOTES), None)
    if start is None:
        return _PART_AT_EDGE.search(rest) is not None
    end = max(map(rest.rfind, QUOTES)) + 1
    return any(_PART.search(part) for part in (rest[:start], rest[end:]))


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
    if lead := _LEAD.match(rest):
        yield from _numbers(lead[0], pull.repository)
        rest = rest[lead.end() :]
    if rest[:1] != "" and rest[0] in QUOTES:
        texts = list(_quoted(rest))
        if behind := _BEHIND.match(rest, _end_of_quote(rest)):
            yield from _numbers(behind["what"], pull.repository)
    else:
        yield from _pointed(rest, pull.repository)
        texts = []
    several = _several(rest)
    for text in dict.fromkeys((*texts, unquoted(rest), *several)):
        if merge := _MERGE.match(text):
            yield Target(number=int(merge[1]))
        title, number = split_number(text)
        if number is not None and not named:
            yield Target(number=number, inner=True)
        if len(title) >= 4:
            yield Target(title=title, inner=not several)


def _pointed(rest: str, repository: str) -> Iterator[Target]:
    patterns = (_FIRST.match(rest), _FROM.search(rest), _IN_PARENTHESES.search(rest))
    for match in filter(None, patterns):
        what = match[match.lastindex or 0]
        if what[0].isdigit():
            yield from (Target(number=int(number)) for number in re.findall(_BARE, what))
        else:
            yield from _numbers(what, repository)
    yield from (Target(sha=sha) for sha in commits(rest))


def _numbers(text: str, repository: str) -> Iterator[Target]:
    for number, name in references(text, repository):
        yield Target(number=number, name=name)


def _quoted(rest: str) -> Iterator[str]:
    """The title that the text begins with in quotation marks, if words follow it."""
    end = _end_of_quote(rest)
    if end < len(rest.rstrip()):
        yield unquoted(rest[:end])


def _end_of_quote(rest: str) -> int:
    """Where the quotation that the text begins with has ended: titles may have quotes too."""
    end = rest.rfind(_CLOSING.get(rest[0], rest[0]))
    return end + 1 if end > 0 else len(rest)


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
