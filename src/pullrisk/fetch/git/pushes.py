"""Commits of a branch that are no pull: direct pushes, as records that only a history reads."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from pullrisk.fetch.git.changes import Changes, read_changes, without_excluded
from pullrisk.fetch.git.history import History
from pullrisk.fetch.git.log import Commit
from pullrisk.fetch.git.messages import Merge
from pullrisk.fetch.git.patches import read_patches
from pullrisk.fetch.git.program import Git
from pullrisk.fetch.git.pulls import pull_of, sizes_of
from pullrisk.pulls.outcomes import makes_claims
from pullrisk.pulls.people import BotNames
from pullrisk.pulls.record import ChangedFile, Pull, push_number

MAX_BODY: Final = 4_096
"""Characters of a message that are kept, if it claims something about a pull."""
MAX_FILES: Final = 300
"""A push over more files than this is a sweep or an import: its files are not kept."""

_TICK: Final = timedelta(milliseconds=1)
_FOXTROT: Final = re.compile(
    r"Merge (?:remote-tracking )?branch '(?:[\w.-]+/)?(?:main|master|trunk|dev|devel|develop)'"
)


def pushed_commits(history: History, *, but: Iterable[str]) -> list[str]:
    """The commits that no pull brought into the branch, oldest first, without merges.

    A merge by hand brings in pushes too, unless there are pulls in what it brought: then it
    merged a branch that has a history of its own, and its reverts are about that branch. Only a
    merge of the branch itself into somebody's copy ("foxtrot") brings in both.
    `but` are left out: commits that another source knows to be a pull's; so is a copy of a pull's
    commit, with its number, that came back from another branch.
    """
    merge_ups = _merge_ups(history)
    left_out = {*but, *history.choice.pulls, *history.graph.foreign}
    inside: set[str] = set()
    for sha, merge in reversed(history.graph.brought_by.items()):
        if merge in inside or merge in history.choice.pulls or merge in merge_ups:
            inside.add(sha)
    subjects = {history.commits[sha].subject for sha in history.choice.pulls}
    left_out |= {sha for sha in history.choice.named if history.commits[sha].subject in subjects}
    return [
        sha
        for sha in history.graph.brought_by
        if sha not in inside and sha not in left_out and len(history.commits[sha].parents) < 2
    ]


def _merge_ups(history: History) -> set[str]:
    """The merges that brought in pulls, without those of the branch itself."""
    brought_by, merge_ups = history.graph.brought_by, set[str]()
    for pull in history.choice.pulls:
        merge = brought_by.get(pull)
        while merge is not None and merge not in merge_ups:
            merge_ups.add(merge)
            merge = brought_by[merge]
    return {sha for sha in merge_ups if _FOXTROT.match(history.commits[sha].subject) is None}


def read_pushes(
    git: Git,
    history: History,
    shas: Sequence[str],
    *,
    repository: str,
    salt: bytes,
    names: BotNames,
) -> Iterator[Pull]:
    """The records of the pushes, in their order.

    Lines are counted only of those that claim something about a pull, since counting takes most
    of the time; nor do others keep their bodies.
    """
    pushes = {
        sha: _record(history.commits[sha], moment, repository=repository, salt=salt, names=names)
        for sha, moment in _moments(history, shas)
    }
    claiming = {sha for sha, push in pushes.items() if makes_claims(push)}
    counted = _counted_changes(git, [sha for sha in shas if sha in claiming])
    listed = read_changes(git, [sha for sha in shas if sha not in claiming])
    for sha, push in pushes.items():
        if sha in claiming:
            yield _with_lines(push, next(counted))
        else:
            yield replace(push, body="", files=_unless_many(next(listed).files))


def _counted_changes(git: Git, shas: Sequence[str]) -> Iterator[Changes]:
    """The changes of the commits with line counts, as far as the clone has contents of files."""
    if git.is_partial():
        return read_changes(git, shas)
    return (without_excluded(git, patch.changes()) for patch in read_patches(git, shas))


def _moments(history: History, shas: Sequence[str]) -> Iterator[tuple[str, datetime]]:
    """When each was pushed: some milliseconds later than its commit.

    Events of one second would come by number, and so pushes before the pulls that they revert.
    """
    same: Counter[datetime] = Counter()
    for sha in shas:
        moment = history.times[sha]
        same[moment] += 1
        yield sha, moment + same[moment] * _TICK


def _record(
    commit: Commit, moment: datetime, *, repository: str, salt: bytes, names: BotNames
) -> Pull:
    merge = Merge(push_number(commit.sha), commit.subject, commit.text[:MAX_BODY])
    push = pull_of(
        merge, commit, None, merged_at=moment, repository=repository, salt=salt, names=names
    )
    return replace(push, commits=1)


def _with_lines(push: Pull, change: Changes) -> Pull:
    files = change.files or ()
    return replace(push, files=_unless_many(files), **sizes_of(files))


def _unless_many(files: tuple[ChangedFile, ...] | None) -> tuple[ChangedFile, ...] | None:
    return None if files is None or len(files) > MAX_FILES else files
