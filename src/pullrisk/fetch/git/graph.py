"""The shape of a branch's history: which merge brought which commit in, and in what order."""

from collections.abc import Mapping

import msgspec


class BranchGraph(msgspec.Struct, frozen=True):
    """The commits of a branch, oldest first: each comes after all that it descends from.

    `brought_by` is, by sha and in that order, the merge whose line of history the commit lies
    on; None on the branch's own first-parent line. `foreign` are the commits of histories that
    share no root with the branch: imports of other repositories.
    """

    brought_by: dict[str, str | None]
    foreign: frozenset[str]


def arrange_commits(parents: Mapping[str, tuple[str, ...]], head: str) -> BranchGraph:
    """Lay out the commits that `head` reaches within `parents`.

    A commit belongs to the oldest commit of the first-parent line that reaches it, and behind
    that to the oldest on the line that the merge brought in, and so on.
    """
    return _Arrangement(parents).graph(head)


class _Arrangement:
    def __init__(self, parents: Mapping[str, tuple[str, ...]]) -> None:
        self._parents = parents
        self._claimed: set[str] = set()
        self._foreign: set[str] = set()
        self._brought_by: dict[str, str | None] = {}

    def graph(self, head: str) -> BranchGraph:
        # A stack of (merge, the line that it brought, newest first, the sides of its last commit).
        first = self._line(head, may_be_foreign=False)
        stack: list[tuple[str | None, list[str], list[str]]] = [(None, first, self._sides(first))]
        while stack:
            merge, line, sides = stack[-1]
            if sides:
                side = self._line(sides.pop(), may_be_foreign=True)
                if side:
                    stack.append((line[-1], side, self._sides(side)))
            elif line:
                commit = line.pop()
                self._brought_by[commit] = merge
                sides.extend(self._sides(line))
            else:
                stack.pop()
        return BranchGraph(self._brought_by, frozenset(self._foreign))

    def _line(self, tip: str, *, may_be_foreign: bool) -> list[str]:
        """The unclaimed first-parent line of `tip`, newest first."""
        line: list[str] = []
        commit: str | None = tip
        while commit is not None and commit in self._parents and commit not in self._claimed:
            line.append(commit)
            self._claimed.add(commit)
            commit = next(iter(self._parents[commit]), None)
        if line and may_be_foreign and (commit is None or commit in self._foreign):
            self._foreign.update(line)
        return line

    def _sides(self, line: list[str]) -> list[str]:
        """The parents but the first of the line's oldest commit, last first."""
        return list(self._parents[line[-1]][:0:-1]) if line else []
