"""Who knows this code: people who wrote or reviewed what the pull touches, and are still about.

Reviewing counts most: who read the last changes of these files, or the author's own, is the
likeliest to read this one too. A trailer names people by display name, which nothing ties to the
logins and addresses of authors; where reviewers are known so, only they are named.
"""

import re
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import log1p
from typing import Final

from pullrisk.brief.links import person_url
from pullrisk.brief.past import Past
from pullrisk.brief.result import Reviewer
from pullrisk.brief.wording import age, counted, removing_verb
from pullrisk.features.decay import faded
from pullrisk.features.identity import BOT, names_of
from pullrisk.features.reviewers import NAMED
from pullrisk.features.schema import DAY
from pullrisk.pulls.file_kinds import DEPENDENCY, VENDORED
from pullrisk.pulls.people import Account, is_bot

_SHOWN: Final = 3
_ACTIVE: Final = 90 * DAY
"""Seconds within which somebody has to have merged or reviewed something."""
_LATELY: Final = 365 * DAY
"""Seconds within which somebody has to have worked on these files, or read the author's pulls."""
_ONCE: Final = 90 * DAY
"""And within which a single change of them is enough."""
_MANY_LINES: Final = 0.2
"""Share of the rewritten lines with which somebody is named however long ago they were written."""
_HALF_LIFE: Final = 180 * DAY
_WINDOW: Final = 60
"""Changes of a file that are looked at: the latest."""
_MOST_ROWS: Final = 600
"""And changes of all files together."""
_MOST_FILES: Final = 50
"""Files of a pull that are looked at: the first."""
_AUTHORS_PULLS: Final = 1_500
"""Merged pulls among which the author's own are looked for: the latest."""
_WROTE, _REVIEWED, _LINES, _READ_AUTHOR, _READ_ANY = 0.5, 1.0, 1.0, 0.3, 0.01
"""Weights of a change of a file (its author, its reviewer), of all rewritten lines, of a review
of the author's, of any recent review. Chosen on the third quarter of kafka (`make bench-brief`)."""
_FAMILIAR: Final = 5
"""Pulls of the author after which a reviewer by display name who read none may be the author."""
_SLIPS: Final = 0.05
"""Share of the author's pulls that may name the author as reviewer, by mistake."""
_LOGIN: Final = "login:"


@dataclass(slots=True)
class _Candidate:
    """What somebody has to do with the pull's code."""

    weight: float = 0.0
    lines: int = 0
    wrote: int = 0
    read: int = 0
    read_author: int = 0
    last: float = 0.0


_Person = int | str
"""An author of the history by number, or a reviewer who is none by name."""


def reviewers(past: Past) -> tuple[Reviewer, ...]:
    """Up to three people who know the pull's code, most likely first; never its author or a bot."""
    search = _Search(past)
    named = search.names()
    chosen = sorted(
        (person for person in search.candidates if person in named),
        key=lambda person: (-search.candidates[person].weight, named[person]),
    )
    return tuple(_reviewer(search, person, named[person]) for person in chosen[:_SHOWN])


class _Search:
    """Collects the candidates of one pull."""

    def __init__(self, past: Past) -> None:
        self.past = past
        self.candidates: dict[_Person, _Candidate] = {}
        self._people: dict[int, _Person] = {}
        self._own_pulls = self._rewritten = 0
        since = bisect_left(past.log.merged_at, past.now - _ACTIVE)
        self._recent = Counter(self._readers(since, past.rows))
        self._active = self._writers_since(since) | set(self._recent)
        self._add_files()
        self._add_lines()
        self._add_author()
        for person, count in self._recent.items():
            if person in self.candidates:
                shared = 1.0 + log1p(len(past.files))
                self.candidates[person].weight += _READ_ANY * count / shared

    def names(self) -> dict[_Person, str]:
        """Those who can be named, are active, persons, and surely not the author."""
        own = {*names_of(self.past.pull)}
        by_name = any(isinstance(each, str) and each.startswith(NAMED) for each in self._recent)
        numbers = {each for each in self.candidates if isinstance(each, int)} & self._active
        logins = {} if by_name else self._logins(numbers)
        named: dict[_Person, str] = {}
        for person in self.candidates.keys() & self._active:
            name = logins.get(person) if isinstance(person, int) else person
            if name is None or name in own or by_name != name.startswith(NAMED):
                continue
            if self._knows(self.candidates[person]) and not self._may_be_author(person, name):
                named[person] = name
        return named

    def _knows(self, candidate: _Candidate) -> bool:
        """Whether enough of the code is known, and lately: one change long ago is forgotten."""
        since = self.past.now - candidate.last
        if candidate.lines > _MANY_LINES * self._rewritten:
            return True
        often = candidate.wrote + candidate.read + candidate.read_author > 1 or candidate.lines > 0
        return since <= (_LATELY if often else _ONCE)

    def _may_be_author(self, person: _Person, name: str) -> bool:
        """Whether nothing rules out that somebody known by display name is the pull's author."""
        if not name.startswith(NAMED):
            return False
        if self.past.author >= 0 and self._own_pulls >= _FAMILIAR:
            return self.candidates[person].read_author <= _SLIPS * self._own_pulls
        return resembles(self.past.pull.author or "", name.removeprefix(NAMED))

    def _logins(self, numbers: set[int]) -> dict[_Person, str]:
        authors = self.past.history.authors
        logins: dict[_Person, str] = {}
        for name, number in authors.identities.numbers.items():
            if number in numbers and number not in logins and name.startswith(_LOGIN):
                record = authors.by_id[number]
                bot = record.kinds & BOT or record.robot
                if number != self.past.author and not bot and not _is_bot(name):
                    logins[number] = name
        return logins

    def _add_files(self) -> None:
        """Who wrote and who read the last changes of the files."""
        past, log = self.past, self.past.log
        for row, weight in self._rows().items():
            weight = faded(weight, past.now - log.merged_at[row], _HALF_LIFE)
            if log.authors[row] >= 0:
                self._add(log.authors[row], row, _WROTE * weight).wrote += 1
            for person in self._readers(row, row + 1):
                self._add(person, row, _REVIEWED * weight).read += 1

    def _rows(self) -> dict[int, float]:
        """The last pulls that changed the files, by row: rare files weigh more."""
        rows = dict[int, float]()
        for own in self._rows_of_files:
            rarity = 1.0 / log1p(1.0 + len(own))
            for row in own:
                rows[row] = rows.get(row, 0.0) + rarity
        return rows

    @cached_property
    def _rows_of_files(self) -> "list[array[int]]":
        """Of each file the last pulls that changed it; fewer of each if there are many files.

        Who changes lock files knows little of the rest.
        """
        touched = [file for file in self.past.files if file >= 0]
        kinds = {file: self.past.index.record(file).facts.kind for file in touched}
        own = [file for file in touched if kinds[file] not in (DEPENDENCY, VENDORED)]
        files = (own or touched)[:_MOST_FILES]
        most = min(_WINDOW, _MOST_ROWS // max(1, len(files)))
        return [self.past.rows_of(file, most=most) for file in files]

    def files_of(self, person: _Person) -> int:
        """How many of the files the person changed, in their last changes."""
        authors = self.past.log.authors
        return sum(any(authors[row] == person for row in own) for own in self._rows_of_files)

    def _add_lines(self) -> None:
        lines = self.past.pull.lines
        origins = (lines and lines.rewrites) or ()
        total = self._rewritten = sum(origin.lines for origin in origins)
        for origin in origins:
            writer = self.past.written_in(origin.number)
            if writer is not None and (author := writer[0].authors[writer[1]]) >= 0:
                candidate = self.candidates.setdefault(author, _Candidate())
                candidate.lines += origin.lines
                candidate.weight += _LINES * origin.lines / total
                candidate.last = max(candidate.last, writer[0].merged_at[writer[1]])

    def _add_author(self) -> None:
        """Who read the author's own pulls."""
        past, log = self.past, self.past.log
        if past.author < 0:
            return
        start = max(0, past.rows - _AUTHORS_PULLS)
        for row, author in enumerate(log.authors[start : past.rows], start):
            if author == past.author:
                self._own_pulls += 1
                weight = faded(_READ_AUTHOR, past.now - log.merged_at[row], _HALF_LIFE)
                for person in self._readers(row, row + 1):
                    self._add(person, row, weight).read_author += 1

    def _add(self, person: _Person, row: int, weight: float) -> _Candidate:
        candidate = self.candidates.setdefault(person, _Candidate())
        candidate.weight += weight
        candidate.last = max(candidate.last, self.past.log.merged_at[row])
        return candidate

    def _readers(self, start: int, stop: int) -> Iterator[_Person]:
        """Who reviewed the pulls of these rows of the log."""
        reviews = self.past.history.reviewers
        first, last = (bisect_left(reviews.rows, row) for row in (start, stop))
        for place in range(first, last):
            yield self._person(reviews.people[place])

    def _person(self, number: int) -> _Person:
        if number not in self._people:
            name = self.past.history.reviewers.names[number]
            authors = self.past.history.authors.identities.known([name])
            self._people[number] = authors[0] if authors else name
        return self._people[number]

    def _writers_since(self, since: int) -> set[_Person]:
        past, pushes = self.past, self.past.history.pushes
        pushed = bisect_left(pushes.merged_at, past.now - _ACTIVE)
        return {*past.log.authors[since : past.rows], *pushes.authors[pushed : past.push_rows]}


def resembles(login: str, name: str) -> bool:
    """Whether a login could be of somebody with this display name: `mbell` of Mara Bell."""
    return any(
        word[:3] in login.lower() for word in re.findall(r"[^\W\d_]{3,}", name.lower())
    )  # fmt: skip


def _is_bot(name: str) -> bool:
    return is_bot(Account(login=name.removeprefix(_LOGIN)))


def _reviewer(search: _Search, person: _Person, name: str) -> Reviewer:
    past, is_login, candidate = search.past, name.startswith(_LOGIN), search.candidates[person]
    shown = name.removeprefix(_LOGIN).removeprefix(NAMED)
    files = search.files_of(person)
    days = max(0.0, (past.now - candidate.last) / DAY)
    facts = []
    if candidate.lines:
        verb = removing_verb(past.pull.lines.code_added if past.pull.lines else 1)
        facts.append(f"wrote {counted(candidate.lines, 'line')} that it {verb}")
    if candidate.wrote:
        facts.append(f"changed {counted(files, 'file')} of it before")
    if candidate.read:
        facts.append(f"reviewed {counted(candidate.read, 'change')} of its files")
    elif candidate.read_author:
        facts.append(f"reviewed {counted(candidate.read_author, 'pull')} of this author")
    return Reviewer(
        name=shown,
        text=f"{shown} {' and '.join(facts)}, last {age(days)}",
        is_login=is_login,
        lines=candidate.lines,
        files=files,
        changes=candidate.wrote + candidate.read,
        days=days,
        url=person_url(past.pull.repository, shown) if is_login else None,
    )
