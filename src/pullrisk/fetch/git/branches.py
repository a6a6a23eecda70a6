"""Branches of a clone that are not merged: what else is under way."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import Final

import msgspec

from pullrisk.fetch.git.program import Git

MOST_BRANCHES: Final = 200
"""Branches that are looked at: those with the latest commits."""
_FORMAT: Final = "%(objectname) %(committerdate:unix) %(symref) %(refname)"
_LONG_LIVED: Final = re.compile(
    r"(.*/)?(v?\d+([._-](\d+|[xyz]))*|(release|stable|maint|maintenance|lts|backport|cherry-?pick)s?\b.*)"
    r"|gh-(pages|readonly-queue)\b.*",
    re.IGNORECASE,
)
"""Branches that stand beside the base for good, or hold what the base has already."""
_PREFIXES: Final = ("refs/heads/", "refs/remotes/")


class Branch(msgspec.Struct, frozen=True):
    """A branch, its last commit, when that was made, and where it left the base."""

    name: str
    head: str
    at: datetime
    start: str


class UnmergedBranches:
    """The branches that the commit `base` does not have; each is read once."""

    def __init__(self, git: Git, base: str) -> None:
        self._git, self._base = git, base
        self._starts: dict[str, str | None] = {}
        self._paths: dict[str, frozenset[str]] = {}
        self._long_lived: list[str] = []
        """The last commits of the long-lived branches."""

    def between(self, since: datetime, until: datetime) -> Iterator[Branch]:
        """Those whose last commits lie between the moments, the latest MOST_BRANCHES first."""
        recent = ((head, at, name) for head, at, name in self._listed if since <= at <= until)
        for head, at, name in islice(recent, MOST_BRANCHES):
            if head not in self._starts:
                self._starts[head] = self._git.ask("merge-base", self._base, head)
            start = self._starts[head]
            if start is not None:
                yield Branch(name, head, at, start)

    @cached_property
    def _listed(self) -> list[tuple[str, datetime, str]]:
        """Commit, moment and name of each, once for each commit, the latest first."""
        answer = self._git.ask(
            "for-each-ref", f"--no-merged={self._base}", "--sort=-committerdate",
            f"--format={_FORMAT}", *_PREFIXES,
        )  # fmt: skip
        listed = dict[str, tuple[str, datetime, str]]()
        for line in (answer or "").splitlines():
            head, seconds, symbolic, ref = line.split(" ", 3)
            name = _short(ref, self._git.remote)
            if _LONG_LIVED.fullmatch(name):
                self._long_lived.append(head)
            elif not symbolic and seconds.isdigit():
                at = datetime.fromtimestamp(int(seconds), UTC)
                listed.setdefault(head, (head, at, name))
        return list(listed.values())

    def is_of_long_lived(self, branch: Branch) -> bool:
        """Whether it began from a long-lived branch, into which it goes, not into the base."""
        own = self._git.ask("rev-list", branch.head, "--not", self._base, "--") or ""
        return not self._on_long_lived.isdisjoint(own.split())

    @cached_property
    def _on_long_lived(self) -> frozenset[str]:
        """The commits of long-lived branches that the base does not have."""
        if not self._listed or not self._long_lived:
            return frozenset()
        commits = self._git.ask("rev-list", *self._long_lived, "--not", self._base, "--") or ""
        return frozenset(commits.split())

    def paths(self, branch: Branch) -> frozenset[str]:
        """The files that the branch changes from where it left the base."""
        if branch.head not in self._paths:
            options = ("-r", "-z", "--name-only", "--no-renames")
            names = self._git.ask("diff-tree", *options, branch.start, branch.head) or ""
            self._paths[branch.head] = frozenset(names.split("\x00")) - {""}
        return self._paths[branch.head]


def _short(name: str, remote: str) -> str:
    """The name as a person says it: `fix`, and `fix` for the remote's as well."""
    name = name.removeprefix("refs/heads/")
    return name.removeprefix(f"refs/remotes/{remote}/").removeprefix("refs/remotes/")


def is_related(git: Git, base: str, branch: Branch, other: str) -> bool:
    """Whether the branch and the commit `other` have commits in common that the base lacks.

    Then it is the same work, or one builds on the other.
    """
    shared = git.ask("merge-base", branch.head, other)
    return shared is not None and git.ask("merge-base", "--is-ancestor", shared, base) is None


def has_landed(git: Git, branch: Branch, base: str, paths: frozenset[str]) -> bool:
    """Whether the base had these files just as the branch has them since it was left.

    That is what a squash leaves of a branch, which is never an ancestor of the base then.
    """
    landed = git.ask(
        *("log", "--first-parent", "-m", "--no-color", "--format=", "--raw", "--no-abbrev"),
        *("--no-renames", f"{branch.start}..{base}", "--", *_literal(paths)),
    )
    ours = git.ask(
        "diff-tree", "-r", "--no-abbrev", "--no-renames", branch.start, branch.head, "--",
        *_literal(paths),
    )  # fmt: skip
    return _contents(ours) <= _contents(landed)


def _literal(paths: frozenset[str]) -> list[str]:
    return [f":(top,literal){path}" for path in sorted(paths)]


def _contents(raw: str | None) -> set[tuple[str, str]]:
    """(contents, path) of each changed file after it, from git's raw lines."""
    lines = [line for line in (raw or "").splitlines() if line.startswith(":")]
    return {(line.split(" ", 4)[3], line.partition("\t")[2]) for line in lines}
