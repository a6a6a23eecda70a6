"""Find what a pull's title and body claim: that it reverts, relands or fixes earlier work.

This is text analysis only; `linker.py` decides which claims hold. The patterns cover what GitHub
writes ("Reverts owner/name#12"), what git writes ("This reverts commit 1a2b3c4",
`Revert "title"`), the kernel's `Fixes: 1a2b3c4`, and the common ways in which people say it.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from pullrisk.pulls.outcomes.merged_pulls import title_key
from pullrisk.pulls.outcomes.prefilters import body_may_claim, title_may_blame, title_may_undo
from pullrisk.pulls.outcomes.text import (
    COMMIT,
    COMMITS,
    QUOTES,
    REFERENCE,
    REFERENCES,
    commits,
    lists_many,
    own_words,
    references,
)
from pullrisk.pulls.outcomes.titles import (
    FILLER,
    Heading,
    heading,
    points,
    split_number,
    targets,
    unquoted,
)
from pullrisk.pulls.record import Pull


class Claim(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A claim of the given kind (see `Link`) about a pull, by its number, a sha or its title.

    `name` and `inner` are those of `Target`.
    """

    kind: str
    number: int | None = None
    sha: str | None = None
    title: str | None = None
    name: str | None = None
    inner: bool = False


_MANY: Final = 20
"""A body that names more pulls than this is a changelog, unless the title says otherwise."""

_VERB: Final = r"\b(?P<verb>revert(?:s|ed|ing)?|back(?:s|ed|ing)?[ -]?out)\b:?"
_NUMBERS = re.compile(rf"{_VERB} ?(?P<filler>{FILLER})(?P<what>{REFERENCES})", re.IGNORECASE)
_COMMITS = re.compile(
    rf"{_VERB}\s(?P<filler>(?:(?:the|merge|commits?|hash|sha|changes?|from|in|of)\b:?\s?){{0,4}})"
    rf"(?P<what>{COMMITS})",
    re.IGNORECASE,
)
_TITLE = re.compile(
    rf"^ ?(?:[-+\u2022] )?(?:this )?(?P<verb>(?:(?:partial(?:ly)?|partly) )?revert(?:s|ed|ing)?"
    rf"|re-?apply|re-?land|bring back):? (?P<what>[{QUOTES}].{{3,300}})$",
    re.IGNORECASE | re.MULTILINE,
)
_LIST = re.compile(
    rf"{_VERB} ?(?P<filler>{FILLER}(?:(?:following|these|those|prs?)\b ?){{0,3}}):?"
    r"(?P<what>(?:\s{1,4}(?:[-+\u2022]|\d{1,2}[.)]) ?[^\n]{1,300}){1,50})",
    re.IGNORECASE,
)
_ITEM = re.compile(
    r"(?:^|\s)(?:[-+\u2022]|\d{1,2}[.)]) ?"
    rf"(?:(?P<number>{REFERENCE})|(?:commit )?(?P<sha>{COMMIT}))",
    re.IGNORECASE,
)
_PARTS = re.compile(r"\n\n|\n(?= ?[-+\u2022] )")
_SUBJECT = re.compile(
    rf"^ ?(?:[-+\u2022] )?(?P<verb>revert|re-?apply|re-?land):? [{QUOTES}](?P<what>.{{3,300}})"
    rf"[{QUOTES}]\W*(?:\(\#\d+\))?$",
    re.IGNORECASE,
)
_RELANDS = re.compile(
    rf"\b(?:re-?land(?:s|ed|ing)?|re-?appl(?:y|ies|ied|ying)):? ?{FILLER}(?P<what>{REFERENCES})",
    re.IGNORECASE,
)
_REVERTED_BY = re.compile(rf"\breverted (?:in|by|with|via) {FILLER}(?P<what>{REFERENCES})", re.I)
_AGAIN = re.compile(
    r"\bre-?(?:land|appl|introduc|submit|instat|enabl|add|merg|do\b|try)|\bagain\b|\btake (?:2|two)"
    r"|\bsecond (?:attempt|try)|\bbring(?:s|ing)? back|\brestor(?:e|es|ing)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"(?:n't|\bnot|\bnever|\bno need to|\binstead of|\bwithout|\brather than|\bcould|\bmight"
    r"|\bmay|\b(?:do|shall) (?:we|you|i)\b"
    r"|\bif|\bwhether|\bcan|\bshould|\bgit|\bunless|\bavoid|\bconsider(?:ed)?|\bwould)"
    r"\W{1,3}(?:(?!this\b)\w{1,12}\W{1,3}){0,2}$",
    re.IGNORECASE,
)
_TOLD = re.compile(
    r"\b(?:the|after|before|since|until|previous)\W{1,3}(?:(?!this\b)\w{1,12}\W{1,3}){0,2}$",
    re.IGNORECASE,
)
_PART = re.compile(
    r"\bpartial(?:ly)?\b|\bpartly\b|\b(?:parts?|some|half|most|bits?) of\b", re.IGNORECASE
)
_WRONG: Final = (
    r"(?:regress(?:ions?|ed|es)|breakages?|bugs?|issues?|problems?|errors?|crash(?:es)?|failures?"
    r"|mistakes?|typos?|leaks?|panics?|deadlocks?|races?|flak(?:es?|iness))"
)
_BLAME = re.compile(
    rf"(?:\b{_WRONG}\b[^.\n#]{{0,40}}?\b(?:introduced|caused|created|added) (?:\w{{1,12}} )?"
    rf"(?:in|by|with|from|via|after|since)\b"
    rf"|\bregress(?:ions?|ed) (?:from|in|since|of|after|due to|with|by)\b"
    rf"|\bfix(?:es|ed|ing)? (?:an? |the )?(?:\w{{1,20}} )?{_WRONG} (?:from|since|after|in)\b"
    rf"|\bcaused by\b|\bbroken? (?:by|in|since|after|with|from|due to)\b"
    rf"|\b(?:fail(?:s|ing|ed|ures?)?|crash(?:es|ing)?|work(?:s|ing)?) (?:since|because of|due to)\b"
    rf"|\bbisect(?:s|ed|ing)? (?:\w{{1,12}} )?to\b|\bhot-?fix(?:es)? (?:for|of)\b"
    rf"|^ ?fixes:(?= [0-9a-f]{{7}}))"
    rf":? {FILLER}(?P<what>{REFERENCES}|(?:commit )?{COMMIT})",
    re.IGNORECASE | re.MULTILINE,
)
_BLAMED_FIRST = re.compile(
    rf"(?P<what>(?:\bpr ?)?\#\d{{1,9}}\b) (?:\w{{1,12}} )?(?:broke\b|regressed\b"
    rf"|(?:introduced|caused|added) (?:an?|the|this|some) (?:\w{{1,20}} )?{_WRONG}\b)",
    re.IGNORECASE,
)


def claims(pull: Pull) -> tuple[Claim, ...]:
    """All claims of the pull about earlier pulls, without repetitions; title before body."""
    title, body = pull.title.lower(), pull.body
    undoes, blames = title_may_undo(title), title_may_blame(title)
    speaks = bool(body) and body_may_claim(body)
    if not (undoes or blames or speaks):
        return ()
    head = heading(pull.title) if undoes else None
    every = list(_of_title(head, pull)) if head is not None else []
    if blames:
        every += _blames(" ".join(pull.title.split()), pull.repository)
    if speaks or (head is not None and body):
        every += _of_body(pull, head)
    return tuple(dict.fromkeys(claim for claim in every if claim.number != pull.number))


def makes_claims(pull: Pull) -> bool:
    """Whether the pull claims anything about earlier ones."""
    return bool(claims(pull))


def is_revert(pull: Pull) -> bool:
    """Whether the title says that it is a revert, or it is small and its body reverts a pull."""
    head = _heading(pull)
    if head is not None and not head.redo:
        return True
    if pull.commits is None or pull.commits > 2 or "evert" not in pull.body:
        return False
    return any(claim.kind == "revert" and claim.name is None for claim in _of_body(pull, head))


def declares(pull: Pull) -> bool:
    """Whether the pull's title says that it undoes or redoes something."""
    return _heading(pull) is not None


def is_reland(pull: Pull) -> bool:
    """Whether the title says that the pull merges reverted work again."""
    head = _heading(pull)
    if head is None or head.redo:
        return head is not None
    inner = heading(unquoted(head.rest))
    return inner is not None and not inner.redo and not inner.before


def is_undo(pull: Pull) -> bool:
    """Whether the pull is a revert or a reland; a model does not learn from those."""
    if "evert" not in pull.body and not title_may_undo(pull.title.lower()):
        return False  # true of nearly every pull, and cheap
    return is_revert(pull) or is_reland(pull)


def _heading(pull: Pull) -> Heading | None:
    return heading(pull.title) if title_may_undo(pull.title.lower()) else None


def _of_title(head: Heading, pull: Pull) -> Iterator[Claim]:
    kind = "reland" if head.redo else "partial_revert" if head.partial else "revert"
    inner = None if head.redo else heading(unquoted(head.rest))
    if inner is None or head.rest[0] in QUOTES:
        yield from (Claim(kind, *target) for target in targets(head.rest, pull))
    if head.redo and head.before:
        yield Claim(
            kind, title=f"{head.before.rstrip(' (')}: {head.rest.lstrip(' ):')}".rstrip(": ")
        )
    if inner is not None and not inner.redo and heading(unquoted(inner.rest)) is None:
        for target in targets(split_number(inner.rest)[0], pull):
            yield Claim("reland", *target)


def _of_body(pull: Pull, head: Heading | None) -> Iterator[Claim]:
    """The claims of the body; a bot's body is ignored (it quotes release notes) unless its title
    says that it reverts something.
    """
    if head is None and pull.bot:
        return
    text = own_words(pull.body)
    if head is None and lists_many(text, more_than=_MANY):
        return
    if "evert " in text:
        text = _without_reverted_commits(text)
    yield from _reverts(text, pull.repository)
    if head is not None and not head.redo and not points(head):
        yield from _items("partial_revert" if head.partial else "revert", text, pull.repository)
    yield from _quoted_titles(text)
    yield from _relands(text, pull)
    yield from _blames(text, pull.repository)


def _without_reverted_commits(text: str) -> str:
    """The text without the messages of commits that a later commit of the same pull takes back:
    a revert, and the revert of that revert.
    """
    parts = _PARTS.split(text)
    subjects = [_SUBJECT.match(part.partition("\n")[0]) for part in parts]
    standing, dropped = dict[bytes, int](), set[int]()
    for at, match in enumerate(subjects):
        if match is None:
            continue
        title = match["what"]
        undone = title if match["verb"].lower() == "revert" else f'revert "{title}"'
        before = standing.pop(title_key(undone), None)
        if before is None:
            standing[title_key(f'revert "{title}"')] = at
        else:
            dropped |= {before, at}
    if not dropped:
        return text
    return "\n\n".join(_standing_parts(parts, subjects, dropped))


def _standing_parts(
    parts: list[str], subjects: list[re.Match[str] | None], dropped: set[int]
) -> Iterator[str]:
    """The parts but for those dropped and what each of these says of itself in the next."""
    dropping = False
    for at, (part, subject) in enumerate(zip(parts, subjects, strict=True)):
        start = part.lstrip().lower()
        if subject is not None or not start.startswith("this re"):
            dropping = at in dropped
        if not dropping:
            yield part


def _reverts(text: str, repository: str) -> Iterator[Claim]:
    for match in _NUMBERS.finditer(text):
        if (kind := _kind(match, text)) is not None:
            yield from _numbered(kind, match["what"], repository)
    for match in _COMMITS.finditer(text):
        if (kind := _kind(match, text)) is not None:
            yield from (Claim(kind, sha=sha) for sha in commits(match["what"]))
    for match in _LIST.finditer(text):
        if (kind := _kind(match, text)) is not None:
            yield from _items(kind, match["what"], repository)


def _numbered(kind: str, text: str, repository: str) -> Iterator[Claim]:
    for number, name in references(text, repository):
        yield Claim(kind, number=number, name=name)


def _items(kind: str, text: str, repository: str) -> Iterator[Claim]:
    """The pulls and commits that the items of a list begin with."""
    for item in _ITEM.finditer(text):
        if item["number"]:
            yield from islice(_numbered(kind, item["number"], repository), 1)
        else:
            yield from (Claim(kind, sha=sha) for sha in commits(item["sha"]))


def _kind(match: re.Match[str], text: str) -> str | None:
    """The kind of the claim, or None if the text denies it or speaks of other pulls."""
    before, filler = _before(match, text), match["filler"].lower()
    if _DENIED.search(before) or _TOLD.search(before):
        return None
    if match["verb"].lower().rstrip(":") in {"reverted", "backed out"} and filler[:3] in {
        "in ",
        "by ",
    }:
        return None
    if "revert" in filler:
        return "reland"
    return "partial_revert" if _PART.search(before[-20:] + filler) else "revert"


def _before(match: re.Match[str], text: str) -> str:
    return text[max(0, match.start() - 40) : match.start()].rpartition("\n")[2]


def _quoted_titles(text: str) -> Iterator[Claim]:
    """Claims by a quoted title; a title that is a line of the same body is ignored, since that is
    a commit of the pull itself.
    """
    lines = {line.strip(" -+\u2022") for line in text.split("\n")}
    for match in _TITLE.finditer(text):
        verb, title = match["verb"].lower(), unquoted(match["what"])
        kind = "partial_revert" if verb.startswith("part") else "revert"
        if title not in lines:
            again = verb.startswith(("rea", "rel", "re-", "bring"))
            yield Claim("reland" if again else kind, title=title)


def _relands(text: str, pull: Pull) -> Iterator[Claim]:
    for match in _RELANDS.finditer(text):
        yield from _numbered("reland", match["what"], pull.repository)
    if _AGAIN.search(pull.title) or _AGAIN.search(text):
        for match in _REVERTED_BY.finditer(text):
            yield from _numbered("reland", match["what"], pull.repository)


def _blames(text: str, repository: str) -> Iterator[Claim]:
    for pattern in (_BLAME, _BLAMED_FIRST):
        for match in pattern.finditer(text):
            if _DENIED.search(_before(match, text)):
                continue
            named = list(_numbered("hotfix", match["what"], repository))
            yield from named or (Claim("hotfix", sha=sha) for sha in commits(match["what"]))
