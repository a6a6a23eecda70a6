"""The pull request that the branch in hand would be: its commits, from the clone itself."""

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from pullrisk.errors import InputError
from pullrisk.fetch.git.log import OwnCommits, read_commits
from pullrisk.fetch.git.messages import Merge
from pullrisk.fetch.git.program import Git
from pullrisk.fetch.git.pulls import pull_of
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import Pull

NOT_OPENED: Final = 0
"""The number of a branch of which no pull was opened yet."""


def branch_pull(
    git: Git,
    *,
    base: str,
    repository: str,
    salt: bytes,
    names: BotNames = NO_NAMES,
    now: datetime,
) -> Pull:
    """The pull that the current branch would be, opened now against the branch `base`.

    It begins where the two have parted. Its title is the subject of its only commit, else the
    branch's name; its files are not read. Raises InputError if they have no common commit, or
    the branch has nothing that `base` lacks.
    """
    head = git.head("HEAD")
    start = git.ask("merge-base", git.head(base), head)
    if start is None:
        raise InputError(
            f"{git.path}: the branch has no commit in common with {base}",
            hint="name the branch that it goes into with --base",
        )
    commits = list(read_commits(git, f"{start}..{head}"))
    if not commits:
        raise InputError(f"{git.path}: the branch has no commit that {base} lacks")
    own = OwnCommits()
    for commit in commits:
        own.add(commit)
    branch = git.ask("symbolic-ref", "--quiet", "--short", "HEAD")
    title = commits[-1].subject if len(commits) == 1 or branch is None else branch
    said = Merge(NOT_OPENED, title, "", head_ref=branch)
    pull = pull_of(
        said, commits[0], own, merged_at=now, repository=repository, salt=salt, names=names
    )
    return replace(
        pull,
        created_at=now,
        merged_at=None,
        closed_at=None,
        merge_sha=None,
        head_sha=head,
        base_ref=base.removeprefix("origin/"),
    )
