"""Decide which of the commits that name a pull request merged it, and why the others did not."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Final

import msgspec

from pullrisk.fetch.git.clocks import longest_rising
from pullrisk.fetch.git.graph import BranchGraph
from pullrisk.fetch.git.log import Commit
from pullrisk.fetch.git.messages import Merge, merges_of

AGAIN: Final = "the same number again"
FOREIGN: Final = "of another repository's history"
INSIDE: Final = "inside another pull"
NO_PULL: Final = "of numbers that are no pull's"
IMPLAUSIBLE: Final = "of numbers out of the order of pulls"

_LONG_LIVED: Final = re.compile(
    r"(?:.*/)?(?:main|master|trunk|devel(?:op(?:ment)?)?|dev(?:[-_]?\d+)?|next|staging|integration)"
    r"|(?:.*/)?(?:releases?|rel|stable|maint(?:enance)?|support)(?:[-_/].+)?"
    r"|.*(?<![\w.])v?\d+\.(?:\d+|x)(?![^-_/.]).*|.*_v?\d+\.(?:\d+|x).*|v?\d+\.x"
    r"|.*(?:^|[-_/])merge[-_].+[-_](?:to|into)[-_].+",
    re.IGNORECASE,
)
"""Branches that gather pulls: merging one into another branch is a merge-up."""
_COMPLETE: Final = 0.75
_STRETCH: Final = 200
_HOME_SHARE: Final = 0.2
_HOME_LEAST: Final = 5
_HOME_AUTHORS: Final = 5
_LOOKAHEAD: Final = 20
_GROWTH: Final = 1.25
_SLACK: Final = 50


class Choice(msgspec.Struct, frozen=True):
    """`pulls`: sha of a commit → the pulls that it merged.

    `named` are all commits that name a pull; `passed` counts those that merged none, by reason.
    `owners` are the owner of the repository and those whom it had before a transfer.
    """

    pulls: dict[str, tuple[Merge, ...]]
    named: frozenset[str]
    passed: Counter[str]
    owners: frozenset[str] = frozenset()


class _Claim(msgspec.Struct, frozen=True):
    sha: str
    merge: Merge
    place: int
    on_branch: bool
    head: str | None
    parents: tuple[str, ...]

    @property
    def is_head(self) -> bool:
        """Whether the commit merged the very head of the pull."""
        return self.head in self.parents[1:]

    @property
    def is_denied(self) -> bool:
        """Whether the commit merged another commit than the pull's head."""
        return self.head is not None and len(self.parents) > 1 and not self.is_head

    @property
    def is_trusted(self) -> bool:
        """Whether only a tool writes this for a pull of the repository."""
        return self.is_head or (self.merge.form != "squash" and not self.is_denied)

    def rank(self, in_order: Set[int]) -> tuple[bool, bool, bool, bool, int]:
        """The best claim to a number is the greatest; `in_order` are the places that rise."""
        rises = self.place in in_order
        return self.is_head, self.is_trusted, rises, self.on_branch, -self.place


def choose(
    commits: Mapping[str, Commit],
    graph: BranchGraph,
    *,
    owner: str,
    heads: Mapping[int, str],
    stored: Iterable[int] = (),
) -> Choice:
    """Choose the pulls of the branch.

    `owner` owns the repository. `heads` are its `refs/pull/N/head`, empty if the clone has none:
    a number without one is no pull's, and a merge of one is a pull wherever it lies. Without
    them a commit inside another pull's own commits is none, unless that pull merged a long-lived
    branch. `stored` are the numbers that are known already.
    """
    return _Choosing(commits, graph, owner, heads, max(stored, default=0)).choose()


class _Choosing:
    def __init__(
        self,
        commits: Mapping[str, Commit],
        graph: BranchGraph,
        owner: str,
        heads: Mapping[int, str],
        known: int,
    ) -> None:
        self._commits, self._graph, self._heads, self._known = commits, graph, heads, known
        self._claims = {
            sha: merges for sha in graph.brought_by if (merges := merges_of(commits[sha]))
        }
        self._newest = self._newest_known()
        self._owners = self._home_owners(owner)
        self._inside = self._opaque()

    def choose(self) -> Choice:
        passed: Counter[str] = Counter()
        likely: list[_Claim] = []
        for claim in self._all_claims():
            reason = self._refusal(claim)
            if reason:
                passed[reason] += 1
            else:
                likely.append(claim)
        best: dict[int, _Claim] = {}
        in_order = _in_order(likely)
        for claim, bounds in zip(likely, _bounds(likely, self._known), strict=True):
            if not _is_plausible(claim, *bounds):
                passed[IMPLAUSIBLE] += 1
                continue
            number = claim.merge.number
            before = best.get(number)
            passed[AGAIN] += before is not None
            if before is None or claim.rank(in_order) > before.rank(in_order):
                best[number] = claim
        return Choice(
            _by_commit(best.values()),
            frozenset(self._claims),
            +passed,
            frozenset(owner for owner in self._owners if self._has_many_authors(owner)),
        )

    def _all_claims(self) -> Iterator[_Claim]:
        for place, (sha, merges) in enumerate(self._claims.items()):
            for merge in merges:
                yield _Claim(
                    sha,
                    merge,
                    place,
                    on_branch=self._graph.brought_by[sha] is None,
                    head=self._heads.get(merge.number),
                    parents=self._commits[sha].parents,
                )

    def _refusal(self, claim: _Claim) -> str | None:
        if claim.is_head:
            return None
        sha = claim.sha
        if claim.head is None and claim.merge.number <= self._newest:
            return NO_PULL
        if sha in self._graph.foreign:
            return FOREIGN
        if claim.on_branch or claim.merge.form == "rollup":
            return None
        if sha in self._inside:
            return INSIDE
        # Another repository's line, merged by hand: its pulls have other heads.
        return NO_PULL if claim.is_denied else None

    def _opaque(self) -> set[str]:
        """The commits that are the own work of a pull."""
        inside: set[str] = set()
        for sha, merge in reversed(self._graph.brought_by.items()):
            if merge is not None and (merge in inside or self._hides(merge)):
                inside.add(sha)
        return inside

    def _hides(self, merge: str) -> bool:
        """Whether what a merge brought in is the work of one pull."""
        claims = self._claims.get(merge, ())
        return bool(claims) and not any(self._is_merge_up(claim) for claim in claims)

    def _is_merge_up(self, merge: Merge) -> bool:
        """Whether the pull merged a long-lived branch of the repository itself."""
        owner = (merge.head_owner or "").lower()
        return (
            merge.head_ref is not None
            and (not owner or owner in self._owners)
            and _LONG_LIVED.fullmatch(merge.head_ref) is not None
        )

    def _newest_known(self) -> int:
        """The number up to which every pull has a head here; 0 if only some were fetched."""
        newest = max(self._heads, default=0)
        numbers = [
            merge.number
            for sha, merges in self._claims.items()
            for merge in merges
            if merge.number <= newest and self._graph.brought_by[sha] is None
        ]
        known = sum(number in self._heads for number in numbers)
        return newest if known >= _COMPLETE * len(numbers) else 0

    def _has_many_authors(self, owner: str) -> bool:
        """Whether the owner's branches are the work of many: those of a person's fork are not."""
        authors: set[str] = set()
        for sha, merges in self._claims.items():
            if any((merge.head_owner or "").lower() == owner for merge in merges):
                head = self._commits.get(self._commits[sha].parents[-1])
                authors.add(head.email if head else "")
        return len(authors) >= _HOME_AUTHORS

    def _home_owners(self, owner: str) -> set[str]:
        """The owner, and names it had before: who owns many pulls of a stretch of the branch."""
        heads = [
            merge.head_owner.lower()
            for sha, merges in self._claims.items()
            for merge in merges
            if merge.head_owner and self._graph.brought_by[sha] is None
        ]
        owners = {owner.lower()}
        for start in range(0, len(heads), _STRETCH):
            stretch = heads[start : start + _STRETCH]
            least = max(_HOME_LEAST, _HOME_SHARE * len(stretch))
            owners.update(name for name, count in Counter(stretch).items() if count >= least)
        return owners


def _is_plausible(claim: _Claim, low: int, high: float) -> bool:
    """Whether the number can be a pull's of this repository that was merged at that place.

    A number greater than all that were given out by then is a ticket of an older tracker. One
    far below, off the branch, is of the tracker of a fork whose branch was merged by hand.
    """
    number = claim.merge.number
    if claim.is_head:
        return True
    if not claim.on_branch and number < low / 2 - _SLACK:
        return False
    return claim.is_trusted or number <= high * _GROWTH + _SLACK


def _in_order(claims: list[_Claim]) -> Set[int]:
    """The places on the branch whose numbers rise with it, as those of pulls mostly do."""
    on_branch = [claim for claim in claims if claim.on_branch]
    rising = longest_rising([claim.merge.number for claim in on_branch])
    return {on_branch[place].place for place in rising}


def _bounds(claims: list[_Claim], known: int) -> Iterator[tuple[int, float]]:
    """For each claim the greatest number that was given out before it, and at most until then.

    Taken from the trusted claims on the branch, those before it and the next ones after it; the
    second is infinite if none comes after it.
    """
    after: list[float] = []
    coming: list[int] = []
    for claim in reversed(claims):
        after.append(max(coming) if coming else float("inf"))
        if claim.is_trusted and claim.on_branch:
            coming = [claim.merge.number, *coming[: _LOOKAHEAD - 1]]
    top = known
    for claim, high in zip(claims, reversed(after), strict=True):
        yield top, max(high, top)
        if claim.is_trusted and claim.on_branch:
            top = max(top, claim.merge.number)


def _by_commit(claims: Iterable[_Claim]) -> dict[str, tuple[Merge, ...]]:
    pulls: dict[str, tuple[Merge, ...]] = {}
    for claim in sorted(claims, key=lambda claim: claim.place):
        pulls[claim.sha] = (*pulls.get(claim.sha, ()), claim.merge)
    return pulls
