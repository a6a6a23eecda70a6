"""Branches of a clone that are not merged: what else is under way."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from pullrisk.fetch.git.program import Git

MOST_BRANCHES: Final = 300
"""Branches that are looked at: those with the latest commits."""
_FORMAT: Final = "%(objectname) %(committerdate:unix) %(symref) %(refname)"
_KEPT: Final = re.compile(
    r"(.*/)?(v?\d+([._-](\d+|x))*|(release|stable|maint|maintenance|lts|backport|cherry-?pick)s?\b.*)"
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


def unmerged_branches(
    git: Git, base: str, *, since: datetime, until: datetime, without: str | None = None
) -> Iterator[Branch]:
    """The branches that the commit `base` does not have, those with the latest commits first.

    Their last commits lie between the two moments. One that has commits of its own in common with
    the commit `without` is left out: it is the same work, or builds on it.
    """
    for head, at, name in _listed(git, base):
        if since <= at <= until:
            start = git.ask("merge-base", base, head)
            if start is None or (without is not None and _related(git, base, head, without)):
                continue
            yield Branch(name, head, at, start)


def _listed(git: Git, base: str) -> Iterator[tuple[str, datetime, str]]:
    """Commit, moment and name of each, once for each commit."""
    answer = git.ask(
        "for-each-ref", f"--no-merged={base}", "--sort=-committerdate",
        f"--count={MOST_BRANCHES}", f"--format={_FORMAT}", *_PREFIXES,
    )  # fmt: skip
    seen = set[str]()
    for line in (answer or "").splitlines():
        head, seconds, symbolic, name = line.split(" ", 3)
        name = _short(name)
        if head not in seen and not symbolic and seconds.isdigit() and not _KEPT.fullmatch(name):
            seen.add(head)
            yield head, datetime.fromtimestamp(int(seconds), UTC), name


def _short(name: str) -> str:
    """The name as a person says it: `fix`, and `fix` for origin's as well."""
    name = name.removeprefix("refs/heads/")
    return name.removeprefix("refs/remotes/origin/").removeprefix("refs/remotes/")


def _related(git: Git, base: str, head: str, other: str) -> bool:
    shared = git.ask("merge-base", head, other)
    return shared is not None and git.ask("merge-base", "--is-ancestor", shared, base) is None


def changed_paths(git: Git, branch: Branch) -> frozenset[str]:
    """The files that the branch changes from where it left the base."""
    options = ("-r", "-z", "--name-only", "--no-renames")
    names = git.ask("diff-tree", *options, branch.start, branch.head)
    return frozenset((names or "").split("\x00")) - {""}


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
