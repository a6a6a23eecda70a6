"""Link the claims of pulls to the earlier pulls that they mean, one merge at a time."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Final

import msgspec
from msgspec.structs import replace

from pullrisk.pulls.outcomes.claims import Claim, claims, declares
from pullrisk.pulls.outcomes.merged_pulls import (
    MergedPullIndex,
    Row,
    short_key,
    tags_key,
    undone_share,
)
from pullrisk.pulls.record import Pull

LABEL_DEFINITION: Final = 1
"""Version of the rules that say what was reverted or hot-fixed; raise it when they change."""
_STRENGTH: Final = {"number": 0, "sha": 1, "title": 2}
_KINDS: Final = {"partial_revert": 0, "revert": 1, "reland": 2, "hotfix": 3}

_NAMESAKES: Final = 100
"""The most pulls with the same title ("Update README") that are looked through."""


class Link(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A merged pull's effect on the earlier pull `number`.

    `kind` is revert, partial_revert, hotfix or reland; `evidence` is number, sha or title. `at`
    is the time of a direct push, None if a merged pull says it.
    """

    kind: str
    number: int
    evidence: str
    at: datetime | None = None


class LinkerState(msgspec.Struct, frozen=True, array_like=True):
    """The state of a `Linker`, for saving; `rows` has 45 bytes for each merged pull or push."""

    rows: bytes = b""
    reverted: list[int] = []
    undone_by: dict[int, list[int]] = {}


class Linker:
    """Links the merged pulls of ONE repository, which it observes in event order."""

    def __init__(self) -> None:
        self._index = MergedPullIndex()
        self._reverted: set[int] = set()
        self._undone_by: dict[int, list[int]] = {}

    @classmethod
    def restore(cls, state: LinkerState) -> "Linker":
        """A linker with the state of an earlier one. Raises ValueError if the state is damaged."""
        linker = cls()
        linker._index = MergedPullIndex(state.rows)
        linker._reverted = set(state.reverted)
        linker._undone_by = {number: list(found) for number, found in state.undone_by.items()}
        return linker

    def state(self) -> LinkerState:
        """A copy of the state."""
        undone_by = {number: list(found) for number, found in sorted(self._undone_by.items())}
        return LinkerState(bytes(self._index), sorted(self._reverted), undone_by)

    def observe(self, pull: Pull) -> tuple[Link, ...]:
        """Add a merged pull or a push; which earlier pulls it reverts, relands or hot-fixes.

        Call it in event order, once for each. A pull that is not merged has no links, and none
        is to a push.
        """
        if pull.merged_at is None:
            return ()
        made = claims(pull)
        links = self._resolve(made, pull) if made else ()
        self._index.append(pull)
        return links

    def _resolve(self, made: tuple[Claim, ...], pull: Pull) -> tuple[Link, ...]:
        links, sure = dict[int, Link](), set[tuple[bool, int]]()
        for claim in sorted(made, key=lambda claim: claim.title is not None):
            for row, evidence in self._find(claim, pull):
                same = (claim.kind == "reland", row.title)
                if row.number == pull.number or (evidence == "title" and same in sure):
                    continue
                if evidence != "title":
                    sure.add(same)
                link = Link(_kind(claim, row, pull), row.number, evidence)
                if link.number not in links or _rank(link) < _rank(links[link.number]):
                    links[link.number] = link
        self._update_standing(links, pull.number)
        at = pull.merged_at if pull.is_push else None
        return tuple(replace(link, at=at) for link in links.values() if link.number > 0)

    def _find(self, claim: Claim, pull: Pull) -> Iterator[tuple[Row, str]]:
        """The pulls that a claim means, with the evidence; to reland a revert is to reland what it
        reverted.
        """
        if claim.title is not None:
            row = self._titled(claim, pull)
        elif claim.sha is not None:
            row = self._index.by_commit(claim.sha)
        else:
            row = self._index.by_number(claim.number or 0)
        evidence = "title" if claim.title is not None else "sha" if claim.sha else "number"
        if row is None:
            return
        if claim.kind != "reland" or evidence == "title" or row.number not in self._undone_by:
            yield row, evidence
            return
        originals = map(self._index.by_number, self._undone_by[row.number])
        yield from ((original, evidence) for original in originals if original is not None)

    def _titled(self, claim: Claim, pull: Pull) -> Row | None:
        """The latest pull with that title that is not reverted, preferably with the same tags and
        base branch.
        """
        rows = list(islice(self._index.by_title(claim.title or ""), _NAMESAKES))
        if claim.kind != "reland":
            rows = [row for row in rows if row.number not in self._reverted]
        tags, base = tags_key(claim.title or ""), short_key(pull.base_ref)
        return max(rows, key=lambda row: (row.tags == tags, row.base == base), default=None)

    def _update_standing(self, links: dict[int, Link], number: int) -> None:
        """Update what is reverted: to revert a revert is to reland what it reverted."""
        targets = [link.number for link in links.values() if link.kind == "revert"]
        for target in targets:
            evidence = links[target].evidence
            for original in self._undone_by.get(target, ()):
                links.setdefault(original, Link("reland", original, evidence))
            self._set_standing(target, stands=False)
        for link in links.values():
            if link.kind == "reland":
                self._reverted.discard(link.number)
        if targets:
            self._undone_by[number] = targets

    def _set_standing(self, number: int, *, stands: bool) -> None:
        todo = [(number, stands)]
        while todo:
            current, standing = todo.pop()
            (self._reverted.discard if standing else self._reverted.add)(current)
            todo += ((below, not standing) for below in self._undone_by.get(current, ()))


def _rank(link: Link) -> tuple[int, int]:
    return _STRENGTH[link.evidence], _KINDS[link.kind]


def _kind(claim: Claim, row: Row, pull: Pull) -> str:
    """The kind of the link: a revert is partial if it names one of several commits, or takes
    back less than a share of the lines and files.

    A pull whose title does not say that it reverts something has to take back more. The shares
    were set on labelled reverts (benchmarks/outcomes.py); the results hardly depend on them.
    """
    if claim.kind != "revert":
        return claim.kind
    lines, files = undone_share(row, pull)
    declared = declares(pull)
    if row.commits == 1:
        whole = _above(lines, 0.25 if declared else 0.5)
    elif row.commits and claim.sha is not None and int(claim.sha[:7], 16) != row.merge >> 4:
        whole = False
    elif declared:
        whole = _above(lines, 0.5) and _above(files, 0.5)
    else:
        whole = (
            (lines is not None or not row.commits) and _above(lines, 0.9) and _above(files, 0.75)
        )
    return "revert" if whole else "partial_revert"


def _above(share: float | None, least: float) -> bool:
    return share is None or share > least
