"""Link the claims of pulls to the earlier pulls that they mean, one merge at a time."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Final
from zlib import crc32

import msgspec
from msgspec.structs import replace

from pullrisk.pulls.outcomes.claims import Claim, claims, declares
from pullrisk.pulls.outcomes.fixes import is_bulk, repaired_by
from pullrisk.pulls.outcomes.merged_pulls import (
    MergedPullIndex,
    Row,
    mirrors,
    short_key,
    tags_key,
    title_key,
    undone_share,
)
from pullrisk.pulls.record import Pull

LABEL_DEFINITION: Final = 4
"""Version of the rules that say what became of a pull; raise it when they change.

3: repairs. 4: a pull that closes an issue labelled as a bug says that it fixes something."""
_STRENGTH: Final = {"sha": 0, "number": 1, "title": 2}
_KINDS: Final = {"partial_revert": 0, "revert": 1, "reland": 2, "hotfix": 3}
_REVERTS: Final = ("revert", "partial_revert")

_NAMESAKES: Final = 100
"""The most pulls with the same title ("Update README") that are looked through."""


class Link(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A merged pull's effect on the earlier pull `number`.

    `kind` is revert, partial_revert, hotfix, reland or repair; `evidence` is number, sha or title,
    and lines for a repair, which removes `lines` code lines of the earlier pull. `at` is the time
    of a direct push, None if a merged pull says it.
    """

    kind: str
    number: int
    evidence: str
    at: datetime | None = None
    lines: int = 0


class LinkerState(msgspec.Struct, frozen=True, array_like=True):
    """The state of a `Linker`, for saving; `rows` has 45 bytes for each merged pull or push."""

    rows: bytes = b""
    reverted: list[int] = []
    undone_by: dict[int, list[int]] = {}
    own_commits: bytes = b""
    names: list[str] = []
    bulk: list[int] = []


class Linker:
    """Links the merged pulls of ONE repository, which it observes in event order."""

    def __init__(self) -> None:
        self._index = MergedPullIndex()
        self._reverted: set[int] = set()
        self._undone_by: dict[int, list[int]] = {}
        self._names: set[str] = set()
        """Other names that the repository has, or had, in lower case."""
        self._bulk: set[int] = set()
        """Changes that no fix repairs, since they are too large."""

    @classmethod
    def restore(cls, state: LinkerState) -> "Linker":
        """A linker with the state of an earlier one. Raises ValueError if the state is damaged."""
        linker = cls()
        linker._index = MergedPullIndex(state.rows, state.own_commits)
        linker._reverted = set(state.reverted)
        linker._undone_by = {number: list(targets) for number, targets in state.undone_by.items()}
        linker._names = set(state.names)
        linker._bulk = set(state.bulk)
        return linker

    def state(self) -> LinkerState:
        """A copy of the state."""
        undone_by = {number: list(targets) for number, targets in sorted(self._undone_by.items())}
        index = self._index
        return LinkerState(
            index.rows, sorted(self._reverted), undone_by, index.own_commits, sorted(self._names),
            sorted(self._bulk),
        )  # fmt: skip

    def observe(self, pull: Pull) -> tuple[Link, ...]:
        """Add a merged pull or a push; which earlier pulls it reverts, relands, hot-fixes, repairs.

        Call it in event order, once for each. A pull that is not merged has no links. Only
        repairs name pushes too: whose lines are repaired is known without a claim.
        """
        if pull.merged_at is None:
            return ()
        if pull.repository_names:
            self._names.update(map(str.lower, pull.repository_names))
        made = claims(pull)
        links = self._resolve(made, pull) if made else ()
        self._index.append(pull)
        if is_bulk(pull):
            self._bulk.add(pull.number)
        return (*links, *self._repairs(pull))

    def _repairs(self, pull: Pull) -> Iterator[Link]:
        at = pull.merged_at if pull.is_push else None
        for number, lines in repaired_by(pull):
            if number not in self._bulk:
                yield Link("repair", number, "lines", at, lines)

    def _resolve(self, made: tuple[Claim, ...], pull: Pull) -> tuple[Link, ...]:
        links, sure = dict[int, Link](), set[tuple[bool, int]]()
        commits = self._named_commits(made)
        quoted = {crc32(title_key(claim.title)) for claim in made if claim.title is not None}
        for claim in sorted(made, key=_certainty):
            for row, evidence in self._find(claim, pull):
                same = (claim.kind == "reland", row.title)
                if row.number == pull.number or (evidence == "title" and same in sure):
                    continue
                if claim.inner and _is_ruled_out(claim, links, row.number):
                    continue
                if evidence != "title" and claim.kind != "hotfix":
                    sure.add(same)
                kind = _kind(
                    *(claim, row, pull), commits=commits[row.number], quoted=row.title in quoted
                )
                link = Link(kind, row.number, evidence)
                if link.number not in links or _rank(link) < _rank(links[link.number]):
                    links[link.number] = link
        if declares(pull) and any(link.kind in _REVERTS for link in links.values()):
            # What it says of faults explains why it reverts: no repair is in it.
            links = {n: link for n, link in links.items() if link.kind != "hotfix"}
        self._update_standing(links, pull.number)
        at = pull.merged_at if pull.is_push else None
        return tuple(replace(link, at=at) for link in links.values() if link.number > 0)

    def _named_commits(self, made: tuple[Claim, ...]) -> Counter[int]:
        """How many commits of each pull the claims name."""
        shas = {claim.sha[:7]: claim.sha for claim in made if claim.sha is not None}
        rows = map(self._index.by_commit, shas.values())
        return Counter(row.number for row in rows if row is not None)

    def _find(self, claim: Claim, pull: Pull) -> Iterator[tuple[Row, str]]:
        """The pulls that a claim means, with the evidence; to reland a revert is to reland what it
        reverted.
        """
        if claim.title is not None:
            row = self._titled(claim, pull)
        elif claim.sha is not None:
            row = self._index.by_commit(claim.sha)
        else:
            row = self._numbered(claim, pull)
        evidence = "title" if claim.title is not None else "sha" if claim.sha else "number"
        if row is None:
            return
        if claim.kind != "reland" or evidence == "title" or row.number not in self._undone_by:
            yield row, evidence
            return
        originals = map(self._index.by_number, self._undone_by[row.number])
        yield from ((original, evidence) for original in originals if original is not None)

    def _numbered(self, claim: Claim, pull: Pull) -> Row | None:
        """The pull with that number, unless the number is that of another repository.

        Another name is taken for one that this repository had where a revert proves it: it quotes
        the title of the pull with that number, or takes back exactly its lines.
        """
        row = self._index.by_number(claim.number or 0)
        if row is None or claim.name is None or claim.name in self._names:
            return row
        if claim.kind not in _REVERTS:
            return None
        same = claim.name.partition("/")[2] == pull.repository.lower().partition("/")[2]
        if not (_quotes(pull, row) or mirrors(row, pull, least=1 if same else 10)):
            return None
        self._names.add(claim.name)
        return row

    def _titled(self, claim: Claim, pull: Pull) -> Row | None:
        """The latest pull with that title that is not reverted, preferably with the same tags and
        base branch.
        """
        rows = list(islice(self._index.by_title(claim.title or ""), _NAMESAKES))
        if claim.kind != "reland":
            rows = [row for row in rows if row.number not in self._reverted]
        tags = tags_key(claim.title or "") or tags_key(pull.title)
        base = short_key(pull.base_ref)
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


def _certainty(claim: Claim) -> int:
    """Commits before numbers, before numbers in quoted titles, before titles."""
    if claim.title is not None:
        return 3
    return 0 if claim.sha is not None else 1 + claim.inner


def _is_ruled_out(claim: Claim, links: dict[int, Link], number: int) -> bool:
    """Whether stronger evidence has told what the title means, and that it is another pull."""
    kinds = ("reland",) if claim.kind == "reland" else _REVERTS
    return number not in links and any(link.kind in kinds for link in links.values())


def _quotes(pull: Pull, row: Row) -> bool:
    """Whether the pull's title says that it reverts a pull with the title of `row`."""
    return any(
        claim.title is not None and crc32(title_key(claim.title)) == row.title
        for claim in claims(pull)
    )


def _rank(link: Link) -> tuple[bool, int, int]:
    return link.kind == "hotfix", _STRENGTH[link.evidence], _KINDS[link.kind]


def _kind(claim: Claim, row: Row, pull: Pull, *, commits: int, quoted: bool) -> str:
    """The kind of the link: a revert is partial if it names some of several commits (`commits`
    of them), or takes back less than a share of the lines and files.

    The share is less for a pull that quotes the title of the other, and more for one whose title
    does not say that it reverts something. The shares were set on labelled reverts
    (benchmarks/outcomes.py); the results hardly depend on them.
    """
    if claim.kind != "revert":
        return claim.kind
    lines, files = undone_share(row, pull)
    declared = declares(pull)
    if row.commits == 1:
        whole = _above(lines, 0.25 if declared else 0.5)
    elif row.commits and claim.sha is not None and int(claim.sha[:7], 16) != row.merge >> 4:
        least = 0.5 if commits >= row.commits else 0.9
        whole = _above(lines, least) and (commits >= row.commits or lines is not None)
    elif declared and quoted:
        whole = _above(lines, 0.4)
    elif declared:
        whole = _above(lines, 0.5) and _above(files, 0.5)
    else:
        whole = (
            (lines is not None or not row.commits) and _above(lines, 0.9) and _above(files, 0.75)
        )
    return "revert" if whole else "partial_revert"


def _above(share: float | None, least: float) -> bool:
    return share is None or share > least
