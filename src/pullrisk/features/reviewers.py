"""Who reviewed the merged pulls, as GitHub's reviews or trailers of the commits tell.

A trailer (`Reviewed-by: Mara Bell <address>`) names a person by display name, and a review by
login. Addresses are never kept.
"""

from __future__ import annotations

import re
from array import array
from typing import Final

from pullrisk.features.identity import names_of
from pullrisk.pulls.people import Account, is_bot
from pullrisk.pulls.record import Pull

NAMED: Final = "named:"
"""How the name of a reviewer begins who is known by display name alone."""
_REVIEWED: Final = frozenset(("approved", "changes_requested", "commented"))
_MOST: Final = 20
"""Reviewers of one pull that are remembered."""
_TRAILER: Final = re.compile(
    r"^[ \t]*(?:reviewers?|reviewed-by|acked-by|approved-by)[ \t]*:[ \t]*([^\n]{2,1000})",
    re.IGNORECASE | re.MULTILINE,
)
_BETWEEN: Final = re.compile(r"<[^>]*>+|\([^)]*\)|[,;&]|\band\b")
_LOGIN: Final = re.compile(r"@([a-z\d](?:[a-z\d-]{0,38}))", re.IGNORECASE | re.ASCII)
_NAME: Final = re.compile(r"[^\W\d_][\w.'\u2019-]*(?: [\w.'\u2019-]+){1,4}")

Saved = tuple[list[str], bytes, bytes]


class Reviewers:
    """Reviewers of merged pulls: `rows[i]`, a row of the history's log, was read by `people[i]`.

    `names[n]` is the person numbered n here: `login:mara` or `named:Mara Bell`.
    """

    def __init__(self, saved: Saved | None = None) -> None:
        self.names, rows, people = saved or ([], b"", b"")
        self.rows = array("I", rows)
        self.people = array("I", people)
        self._numbers = {name: number for number, name in enumerate(self.names)}

    def save(self) -> Saved:
        """The state, as the constructor takes it back."""
        return self.names, self.rows.tobytes(), self.people.tobytes()

    def observe(self, pull: Pull, row: int) -> None:
        """A pull was merged, and gets this row of the log."""
        for name in reviewers_of(pull):
            number = self._numbers.get(name, -1)
            if number < 0:
                number = self._numbers[name] = len(self.names)
                self.names.append(name)
            self.rows.append(row)
            self.people.append(number)


def reviewers_of(pull: Pull) -> list[str]:
    """Who reviewed the pull before its merge: persons other than its author, each once."""
    if not pull.reviews and ":" not in pull.body:
        return []  # true of many pulls, and cheap
    body = pull.body
    names = [*_by_review(pull)] if pull.reviews else []
    if "eview" in body or "cked-by" in body or "pproved-by" in body:
        for line in _TRAILER.findall(body):
            names += _in_trailer(line)
    return list(dict.fromkeys(names))[:_MOST]


def _by_review(pull: Pull) -> list[str]:
    authors, merged = names_of(pull), pull.merged_at
    names = []
    for review in pull.reviews or ():
        late = merged and review.submitted_at and review.submitted_at > merged
        if review.author is None or late or review.state not in _REVIEWED:
            continue
        name = f"login:{review.author.lower()}"
        if name not in authors and not is_bot(Account(login=review.author)):
            names.append(name)
    return names


def _in_trailer(line: str) -> list[str]:
    """The people that a trailer's value names: logins after @, else names of several words."""
    names = []
    for part in _BETWEEN.split(line):
        name = " ".join(part.split()).strip(" .:")
        login = _LOGIN.fullmatch(name)
        if login is not None:
            names.append(f"login:{login[1].lower()}")
        elif _is_name(name):
            names.append(NAMED + name)
    return names


def _is_name(text: str) -> bool:
    """Whether it is a person's name: several words, of which the outer ones are capitalised."""
    last = text.rpartition(" ")[2]
    capital = not (text[:1].islower() or last[:1].islower())
    return (
        capital
        and len(text) <= 60
        and _NAME.fullmatch(text) is not None
        and not is_bot(Account(name=text))
    )
