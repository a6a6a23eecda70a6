"""Make the record of a pull request: from the commit that merged it, or of the branch in hand."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, TypedDict

from msgspec.structs import replace

from pullrisk.errors import InputError
from pullrisk.fetch.git.log import Commit, OwnCommits, read_commits
from pullrisk.fetch.git.messages import Merge
from pullrisk.fetch.git.people import Writers, authorship
from pullrisk.fetch.git.program import Git
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import MAX_BODY, MAX_FILES, MAX_TITLE, ChangedFile, Pull

NOT_OPENED: Final = 0
"""The number of a branch of which no pull was opened yet."""
_EMAIL: Final = re.compile(r"[\w.+%-]{1,64}(?:\[bot\])?@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_UNKNOWN: Final = ("opening", "description")


def pull_of(  # noqa: PLR0913 (what the record is made of)
    merge: Merge,
    commit: Commit,
    own: OwnCommits | None,
    *,
    files: tuple[ChangedFile, ...] | None = None,
    merged_at: datetime,
    repository: str,
    salt: bytes,
    names: BotNames = NO_NAMES,
) -> Pull:
    """The record of the pull; `own` are the commits that the merge brought in, None if squashed.

    `files` are what the commit changes from its first parent, None if that is not known.
    `names` are the accounts that the settings call bots or persons. Git does not know when the
    pull was opened or how it was described: `created_at` is the first author date of its commits,
    and `body` what its commits say.
    """
    own = own if own is not None and own.count else None
    owner = repository.partition("/")[0]
    created_at = (own and own.first_authored_at) or commit.authored_at
    return Pull(
        repository=repository,
        number=merge.number,
        created_at=min(created_at, merged_at),
        updated_at=merged_at,
        merged_at=merged_at,
        closed_at=merged_at,
        title=_without_addresses(merge.title or _first_subject(own) or commit.subject)[:MAX_TITLE],
        body=_body(merge, own),
        **authorship(
            _writers(commit, own),
            fork=None if merge.head_owner == owner else merge.head_owner,
            head_ref=merge.head_ref,
            text="\n\n".join([merge.body, *(own.messages if own else ())]),
            salt=salt,
            names=names,
        ),
        head_ref=merge.head_ref,
        head_sha=commit.parents[1] if len(commit.parents) > 1 else None,
        head_repository=_head_repository(merge, repository),
        merge_sha=commit.sha,
        commits=own.count if own else None,
        own_commits=tuple(own.shas) if own and own.count > 1 else (),
        **sizes_of(files),
        files=None if files is None else files[:MAX_FILES],
        unknown=_UNKNOWN,
    )


def branch_pull(
    git: Git,
    *,
    base: str,
    repository: str,
    salt: bytes,
    names: BotNames,
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
    merge = Merge(NOT_OPENED, title, "", head_ref=branch)
    pull = pull_of(
        merge, commits[0], own, merged_at=now, repository=repository, salt=salt, names=names
    )
    return replace(
        pull,
        created_at=now,
        merged_at=None,
        closed_at=None,
        merge_sha=None,
        head_sha=head,
        base_ref=base.removeprefix(f"{git.remote}/"),
    )


def _writers(commit: Commit, own: OwnCommits | None) -> Writers:
    """Who wrote the pull's commits; if they are unknown, who wrote the commit itself."""
    if own and own.writers.by_email:
        return own.writers
    writers = Writers()
    writers.add(commit.author, commit.email, commit.address)
    return writers


def _first_subject(own: OwnCommits | None) -> str:
    return own.messages[-1].partition("\n")[0] if own and own.messages else ""


def _body(merge: Merge, own: OwnCommits | None) -> str:
    """The text of the merge, then the messages of its commits, which name reverts."""
    messages = reversed(own.messages) if own else ()
    parts = [part for part in (merge.body, *messages) if part]
    return _without_addresses("\n\n".join(parts))[:MAX_BODY]


def _head_repository(merge: Merge, repository: str) -> str | None:
    """The fork, assumed to have the repository's name: messages name its owner only."""
    if merge.head_owner is None:
        return None
    return f"{merge.head_owner}/{repository.partition('/')[2]}"


def _without_addresses(text: str) -> str:
    return _EMAIL.sub("<email>", text) if "@" in text else text


class Sizes(TypedDict):
    """The sizes of a pull, by the names of the record's fields."""

    additions: int | None
    deletions: int | None
    changed_files: int | None


def sizes_of(files: tuple[ChangedFile, ...] | None) -> Sizes:
    """The lines that the files gain and lose, as far as they are known, and their number."""
    return {
        "additions": None if files is None else _sum_of_known(file.additions for file in files),
        "deletions": None if files is None else _sum_of_known(file.deletions for file in files),
        "changed_files": None if files is None else len(files),
    }


def _sum_of_known(counts: Iterable[int | None]) -> int | None:
    """The sum of the known counts; None if there are counts and none is known."""
    counts = list(counts)
    known = [count for count in counts if count is not None]
    return sum(known) if known or not counts else None
