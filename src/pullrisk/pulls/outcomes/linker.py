"""Ties what pulls claim to the earlier pulls that they mean, one merge at a time."""

import re
import sys
from array import array
from typing import Final
from zlib import crc32

import msgspec

from pullrisk.pulls.outcomes.claims import Claim, claims, is_undo
from pullrisk.pulls.outcomes.text import CURLY
from pullrisk.pulls.record import Pull

_TAG = re.compile(r"^(?:\s*\[[^\]]{0,60}\])+\s*")
_NUMBER = re.compile(r"(?:\s*\(#\d{1,9}\))+\s*$")
_IGNORED: Final = b" \t\r\n\"'`.,:;-_!*()[]<>"
_CURLY = str.maketrans("", "", CURLY + "…")
_STRENGTH: Final = {"number": 0, "sha": 1, "title": 2}
_KINDS: Final = {"revert": 0, "partial_revert": 1, "reland": 2, "hotfix": 3}


class Link(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A merged pull's effect on the earlier pull `number`.

    `kind` is revert, partial_revert, hotfix or reland; `evidence` is number, sha or title.
    """

    kind: str
    number: int
    evidence: str


class LinkerState(msgspec.Struct, frozen=True, array_like=True):
    """All that a `Linker` knows, to be packed: little-endian columns, one row a merged pull."""

    numbers: bytes = b""
    titles: bytes = b""
    merges: bytes = b""
    heads: bytes = b""
    reverted: list[int] = []
    undone_by: dict[int, list[int]] = {}


class Linker:
    """Resolves claims against the merged pulls of one repository seen so far.

    Rows are appended on every merge; the look-up tables catch up with them only when a claim
    has to be resolved, which few pulls need.
    """

    def __init__(self) -> None:
        self._numbers, self._titles = array("q"), array("I")
        self._merges, self._heads = array("I"), array("I")
        self._reverted: set[int] = set()
        self._undone_by: dict[int, list[int]] = {}
        self._row_of: dict[int, int] = {}
        self._by_title: dict[int, list[int]] = {}
        self._by_sha: dict[int, int] = {}

    @classmethod
    def restore(cls, state: LinkerState) -> "Linker":
        """The linker that `state` was taken from."""
        linker = cls()
        linker._numbers = _unpack("q", state.numbers)
        linker._titles = _unpack("I", state.titles)
        linker._merges = _unpack("I", state.merges)
        linker._heads = _unpack("I", state.heads)
        linker._reverted = set(state.reverted)
        linker._undone_by = {number: list(found) for number, found in state.undone_by.items()}
        return linker

    def state(self) -> LinkerState:
        """A copy of what it knows; about 20 bytes a pull."""
        return LinkerState(
            _pack(self._numbers),
            _pack(self._titles),
            _pack(self._merges),
            _pack(self._heads),
            sorted(self._reverted),
            {number: list(found) for number, found in sorted(self._undone_by.items())},
        )

    def observe(self, pull: Pull) -> tuple[Link, ...]:
        """Which earlier merged pulls this merged one reverts, relands or hot-fixes.

        Call in event order, once for each merged pull; others are ignored.
        """
        if pull.merged_at is None:
            return ()
        made = claims(pull)
        links = self._resolve(made, pull) if made else ()
        self._numbers.append(pull.number)
        self._titles.append(title_key(pull.title))
        self._merges.append(_sha_key(pull.merge_sha))
        self._heads.append(_sha_key(pull.head_sha))
        return links

    def is_undo(self, pull: Pull) -> bool:
        """Whether the pull is a revert or a reland, and so no example to learn from."""
        return is_undo(pull)

    def _resolve(self, made: tuple[Claim, ...], pull: Pull) -> tuple[Link, ...]:
        self._catch_up()
        links: dict[int, Link] = {}
        for link in filter(None, (self._find(claim) for claim in made)):
            known = links.get(link.number)
            if link.number != pull.number and (known is None or _rank(link) < _rank(known)):
                links[link.number] = link
        links = self._titles_last(links)
        self._follow(links, pull.number)
        return tuple(links.values())

    def _titles_last(self, links: dict[int, Link]) -> dict[int, Link]:
        """A title may be that of several pulls: it counts only where nothing names one."""
        sure = {link.kind for link in links.values() if link.evidence != "title"}
        if "partial_revert" in sure:
            sure.add("revert")
        return {n: k for n, k in links.items() if k.evidence != "title" or k.kind not in sure}

    def _follow(self, links: dict[int, Link], number: int) -> None:
        """Note what is reverted now; undoing a revert lands its targets again."""
        for link in list(links.values()):
            if link.kind == "revert":
                self._reverted.add(link.number)
                for target in self._undone_by.get(link.number, ()):
                    links.setdefault(target, Link("reland", target, link.evidence))
        targets = [link.number for link in links.values() if link.kind == "revert"]
        if targets:
            self._undone_by[number] = targets
        self._reverted -= {link.number for link in links.values() if link.kind == "reland"}

    def _find(self, claim: Claim) -> Link | None:
        if claim.number is not None:
            row, evidence = self._row_of.get(claim.number), "number"
        elif claim.sha is not None:
            row, evidence = self._commit_row(claim.sha), "sha"
        else:
            row, evidence = self._title_row(claim), "title"
        if row is None:
            return None
        number = self._numbers[row]
        if claim.kind == "reland" and (targets := self._undone_by.get(number)):
            number = targets[0]
        return Link(claim.kind, number, evidence)

    def _commit_row(self, sha: str) -> int | None:
        row = self._by_sha.get(int(sha[:7], 16))
        if row is None:
            return None
        keys = (self._merges[row], self._heads[row])
        return row if len(sha) < 8 or int(sha[:8], 16) in keys else None

    def _title_row(self, claim: Claim) -> int | None:
        rows = self._by_title.get(title_key(claim.title or ""), [])
        standing = (row for row in reversed(rows) if self._numbers[row] not in self._reverted)
        return rows[-1] if claim.kind == "reland" and rows else next(standing, None)

    def _catch_up(self) -> None:
        for row in range(len(self._row_of), len(self._numbers)):
            self._row_of[self._numbers[row]] = row
            if title := self._titles[row]:
                self._by_title.setdefault(title, []).append(row)
            if head := self._heads[row]:
                self._by_sha[head >> 4] = row
            if merge := self._merges[row]:
                self._by_sha[merge >> 4] = row


def title_key(title: str) -> int:
    """A 32-bit key under which spellings of one title agree; 0 for an empty one."""
    if title.startswith("["):
        title = _TAG.sub("", title)
    if "(#" in title:
        title = _NUMBER.sub("", title)
    if not title.isascii():
        title = title.translate(_CURLY)
    return crc32(title.lower().encode("utf-8", "replace").translate(None, _IGNORED))


def _sha_key(sha: str | None) -> int:
    try:
        return int(sha[:8], 16) if sha else 0
    except ValueError:
        return 0


def _rank(link: Link) -> tuple[int, int]:
    return _STRENGTH[link.evidence], _KINDS[link.kind]


def _pack(column: "array[int]") -> bytes:
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column.tobytes()


def _unpack(code: str, data: bytes) -> "array[int]":
    column = array(code)
    column.frombytes(data)
    if sys.byteorder == "big":
        column.byteswap()
    return column
