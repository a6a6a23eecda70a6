"""What a pull's own title and body claim: that it reverts, relands or repairs earlier work.

Pure text analysis; `linker.py` decides which claims hold. The patterns cover what GitHub writes
("Reverts owner/name#12"), what git writes ("This reverts commit 1a2b3c4", `Revert "title"`), the
kernel's `Fixes: 1a2b3c4`, and the common ways in which people put the same.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from pullrisk.pulls.outcomes.text import (
    COMMIT,
    COMMITS,
    QUOTES,
    REFERENCE,
    REFERENCES,
    commits,
    own_words,
    references,
)
from pullrisk.pulls.record import Pull


class Claim(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One statement: `kind` as in `Link`, and what it is about: a number, a sha or a title."""

    kind: str
    number: int | None = None
    sha: str | None = None
    title: str | None = None


_CUES: Final = ("evert", "EVERT", "eland", "e-land", "eapply", "e-apply", "acked out", "ack out")
_BLAMES: Final = ("egress", "aused", "roke", "ntroduced", "ixes:", "isect", " since ", "otfix")
_OPEN = "[" + QUOTES + "]"

_TAG = re.compile(
    rf"\s*(?:\[[^\]]{{0,60}}\]|\([^)]{{0,60}}\)|:\w{{1,30}}:|[^\w\s{QUOTES}\[(#]{{1,4}}"
    r"|(?!revert|reland|re-land|reapply|re-apply|rollback|back)"
    r"[\w./+-]{1,40}(?:\([^)]{0,60}\))?!?:(?=\s))\s*"
)
_UNDO = re.compile(
    r"(?P<part>partial(?:ly)?\s+|parts?\s+of\s+)?"
    r"(?:revert(?:s|ed|ing)?|back(?:s|ed|ing)?[ -]?out|roll(?:s|ed|ing)?[ -]?back|undo(?:es|ing)?)"
    r"(?:\([^)]{0,60}\))?!?(?=$|[\W_])[\s:]*(?:this\b|of\b|the\b)?\s*",
    re.IGNORECASE,
)
_FEATURE = re.compile(
    r"(?:button|option|command|support|feature|action|flag|method|api|icon|modal|dialog|menu)s?\b",
    re.IGNORECASE,
)
_REDO = re.compile(
    r"(?:re-?land|re-?appl(?:y|ies|ied)|re-?introduce|re-?merge)(?:s|ed|ing)?\b[\s:]*",
    re.IGNORECASE,
)
_PART = re.compile(r"\bpartial(?:ly)?\b|\bparts? of\b", re.IGNORECASE)
_TRAILING = re.compile(r"\s*\(#(\d{1,9})\)\s*$")
_MERGE = re.compile(r"merge (?:pull request|pr) #(\d{1,9})\b", re.IGNORECASE)
_NAMED = (
    r"(?:(?:the|an?|my|our|all|changes?|parts?|merged?|commits?|merge|of|from|in|by|made|done|introduced"
    r"|prs?|pull|pulls|requests?|revert|it|this)\b[ \t]*:?[ \t]*){0,6}"
)
_TITLE_NUMBERS = re.compile(rf"(?:pr\s+)?(?:{_NAMED})({REFERENCES})", re.IGNORECASE)

_BODY_NUMBERS = re.compile(
    rf"\b(?P<verb>revert(?:s|ed|ing)?|back(?:s|ed|ing)?[ -]?out)\b:?[ \t]*"
    rf"(?P<filler>{_NAMED})(?P<what>{REFERENCES})",
    re.IGNORECASE,
)
_BODY_COMMITS = re.compile(
    rf"\b(?P<verb>revert(?:s|ed|ing)?|back(?:s|ed|ing)?[ -]?out)\b:?\s+"
    rf"(?P<filler>(?:(?:the|merge|commits?|hash|sha|changes?|from|in|of|git)\b:?\s*){{0,4}})"
    rf"(?P<what>{COMMITS})",
    re.IGNORECASE,
)
_BODY_TITLE = re.compile(
    rf"^[ \t]*(?:[-•+][ \t]+)?(?:this[ \t]+)?"
    rf"(?P<verb>revert(?:s|ed|ing)?|re-?apply|re-?land)[ \t:]+"
    rf"(?P<what>{_OPEN}.{{3,300}})$",
    re.IGNORECASE | re.MULTILINE,
)
_BODY_REDO = re.compile(
    rf"\b(?:re-?land(?:s|ed|ing)?|re-?appl(?:y|ies|ied|ying))\b:?[ \t]*(?:{_NAMED})"
    rf"(?P<what>{REFERENCES})"
    rf"|\breverted[ \t]+(?:in|by|with|via)[ \t]+(?:{_NAMED})(?P<undone>{REFERENCES})",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"(?:n't|\bnot|\bnever|\bno need to|\binstead of|\bwithout|\brather than|\bcould|\bmight|\bmay"
    r"|\bif|\bwhether|\bcan|\bshould|\bgit|\bunless|\bavoid|\bconsider(?:ed)?|\bwould)"
    r"\W{1,3}(?:\w{1,12}\W{1,3}){0,2}$",
    re.IGNORECASE,
)
_WRONG = (
    r"(?:regress(?:ions?|ed|es)|breakages?|bugs?|issues?|problems?|errors?|crash(?:es)?|failures?"
    r"|mistakes?|typos?|leaks?|panics?|deadlocks?|races?|flak(?:es?|iness))"
)
_TARGET = rf"(?P<what>{REFERENCES}|(?:commit\s+)?{COMMIT})"
_BLAME = re.compile(
    rf"\b(?:{_WRONG}\b[^.\n#]{{0,40}}?\b(?:introduced|caused|created|added)\s+(?:\w{{1,12}}\s+)?(?:in|by|with|from|via|after|since)"
    rf"|regress(?:ions?|ed)\s+(?:from|in|since|of|after|due\s+to|with|by)"
    rf"|fix(?:es|ed|ing)?\s+(?:an?\s+|the\s+)?(?:\w{{1,20}}\s+)?{_WRONG}\s+(?:from|since|after)"
    rf"|caused\s+by|brok(?:en|e)\s+(?:by|in|since|after|with|from|due\s+to)"
    rf"|(?:fail(?:s|ing|ed|ures?)?|crash(?:es|ing)?|work(?:s|ing)?)\s+(?:since|after|because\s+of|due\s+to)"
    rf"|bisect(?:s|ed|ing)?\s+(?:\w{{1,12}}\s+)?to|hot-?fix(?:es)?\s+(?:for|of)"
    rf"|^fixes:(?=\s+[0-9a-f]{{7}}))"
    rf"\s*:?\s+(?:{_NAMED}){_TARGET}",
    re.IGNORECASE | re.MULTILINE,
)
_BLAMED_FIRST = re.compile(
    rf"(?P<what>{REFERENCE})\s+(?:\w{{1,12}}\s+)?(?:broke\b|regressed\b"
    rf"|(?:introduced|caused|added)\s+(?:an?|the|this|some)\s+(?:\w{{1,20}}\s+)?{_WRONG}\b)",
    re.IGNORECASE,
)


def claims(pull: Pull) -> tuple[Claim, ...]:
    """Everything the pull claims about earlier pulls, each once, title before body."""
    found: dict[Claim, None] = {}
    title, body = pull.title, pull.body
    undoing = _mentions(title.lower(), _CUES) or "undo" in title.lower() or "roll" in title.lower()
    if undoing:
        found.update(dict.fromkeys(_title_claims(pull)))
    if body and (not pull.bot or undoing) and (_mentions(body, _CUES) or _mentions(body, _BLAMES)):
        found.update(dict.fromkeys(_body_claims(pull, own_words(body))))
    if _mentions(title, _BLAMES):
        found.update(dict.fromkeys(_blames(title, pull.repository)))
    return tuple(claim for claim in found if claim.number != pull.number)


def is_revert(pull: Pull) -> bool:
    """Whether the pull calls itself a revert, or is a small one whose body reverts another."""
    head = _head(pull.title)
    if _UNDO.match(head):
        return not _FEATURE.match(head, _UNDO.match(head).end())  # type: ignore[union-attr]
    small = pull.commits is not None and pull.commits <= 2
    return small and any(claim.kind == "revert" for claim in claims(pull))


def is_reland(pull: Pull) -> bool:
    """Whether the pull's title says that it lands reverted work again."""
    head = _head(pull.title)
    undo = _UNDO.match(head)
    return bool(_REDO.match(head) or (undo and _UNDO.match(_unquoted(head[undo.end() :]))))


def is_undo(pull: Pull) -> bool:
    """Whether the pull is a revert or a reland, and so no example to learn from."""
    return is_revert(pull) or is_reland(pull)


def _mentions(text: str, cues: tuple[str, ...]) -> bool:
    return any(cue in text for cue in cues)


def _head(title: str) -> str:
    """The title without leading tags: "[2.x] fix(ci): Revert …" → "Revert …"."""
    at = 0
    while (tag := _TAG.match(title, at)) and tag.end() > at:
        at = tag.end()
    return title[at:].lstrip()


def _unquoted(text: str) -> str:
    return text.strip().strip(QUOTES).strip()


def _title_claims(pull: Pull) -> Iterator[Claim]:
    head = _head(pull.title)
    if redo := _REDO.match(head):
        yield from _about("reland", head[redo.end() :], pull)
        return
    undo = _UNDO.match(head)
    if not undo:
        return
    rest = head[undo.end() :]
    kind = "partial_revert" if undo["part"] or _PART.search(_outside(rest)) else "revert"
    yield from _about(kind, rest, pull)
    inner = _head(_unquoted(rest))
    if again := _UNDO.match(inner):
        yield from _about("reland", inner[again.end() :], pull)


def _outside(rest: str) -> str:
    """What follows the last quotation mark, or everything where nothing is quoted."""
    last = max(map(rest.rfind, QUOTES))
    return rest[last + 1 :]


def _about(kind: str, rest: str, pull: Pull) -> Iterator[Claim]:
    """Claims from what follows the verb: numbers, commits, a title in quotation marks or not."""
    while (trailing := _TRAILING.search(rest)) is not None:
        yield Claim(kind, number=int(trailing[1]))
        rest = rest[: trailing.start()]
    quoted = rest[:1] in QUOTES
    inner = _unquoted(rest)
    if merge := _MERGE.match(inner):
        yield Claim(kind, number=int(merge[1]))
    if (trailing := _TRAILING.search(inner)) is not None:
        yield Claim(kind, number=int(trailing[1]))
    if not quoted and (numbers := _TITLE_NUMBERS.match(rest)):
        for number, local in references(numbers[1], pull.repository):
            if local:
                yield Claim(kind, number=number)
    if not quoted:
        yield from (Claim(kind, sha=sha) for sha in commits(rest))
    if len(inner) >= 4:
        yield Claim(kind, title=inner)


def _body_claims(pull: Pull, text: str) -> Iterator[Claim]:
    if _mentions(text, _CUES):
        yield from _reverts(text, pull.repository)
        for match in _BODY_TITLE.finditer(text):
            kind = "reland" if match["verb"].lower().startswith("re-") else "revert"
            kind = "reland" if match["verb"].lower().startswith(("rea", "rel")) else kind
            yield Claim(kind, title=_unquoted(match["what"]))
        for match in _BODY_REDO.finditer(text):
            for number, local in references(match["what"] or match["undone"], pull.repository):
                if local:
                    yield Claim("reland", number=number)
    yield from _blames(text, pull.repository)


def _reverts(text: str, repository: str) -> Iterator[Claim]:
    for match in _BODY_NUMBERS.finditer(text):
        if (kind := _kind(match, text)) is not None:
            for number, local in references(match["what"], repository):
                if local:
                    yield Claim(kind, number=number)
    for match in _BODY_COMMITS.finditer(text):
        if (kind := _kind(match, text)) is not None:
            yield from (Claim(kind, sha=sha) for sha in commits(match["what"]))


def _kind(match: re.Match[str], text: str) -> str | None:
    """The kind of a revert found in running text; None where it is denied or told of others."""
    before = text[max(0, match.start() - 40) : match.start()].rpartition("\n")[2]
    filler = match["filler"].lower()
    if _DENIED.search(before):
        return None
    if match["verb"].lower() in {"reverted", "backed out"} and re.match(
        r"(?:in|by|from)\b", filler
    ):
        return None
    if "revert" in filler:
        return "reland"
    return "partial_revert" if _PART.search(before[-20:] + filler) else "revert"


def _blames(text: str, repository: str) -> Iterator[Claim]:
    for pattern in (_BLAME, _BLAMED_FIRST):
        for match in pattern.finditer(text):
            for number, local in references(match["what"], repository):
                if local:
                    yield Claim("hotfix", number=number)
            if "#" not in match["what"]:
                yield from (Claim("hotfix", sha=sha) for sha in commits(match["what"]))
