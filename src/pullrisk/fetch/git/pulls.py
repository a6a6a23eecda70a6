"""Make the record of a pull request from the commit that merged it."""

import re
from datetime import datetime
from typing import Final

from pullrisk.fetch.git.log import Commit, OwnCommits
from pullrisk.fetch.git.messages import Merge
from pullrisk.fetch.git.people import Source, Writers, authorship
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import MAX_BODY, MAX_FILES, MAX_TITLE, Pull

_EMAIL: Final = re.compile(r"[\w.+%-]{1,64}(?:\[bot\])?@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_UNKNOWN: Final = ("opening", "description")


def pull_of(  # noqa: PLR0913 (what the record is made of)
    merge: Merge,
    commit: Commit,
    own: OwnCommits | None,
    *,
    merged_at: datetime,
    repository: str,
    salt: bytes,
    names: BotNames = NO_NAMES,
) -> Pull:
    """The record of the pull; `own` are the commits that the merge brought in, None if squashed.

    `names` are the accounts that the settings call bots or persons. Git does not know when the
    pull was opened or how it was described: `created_at` is the first author date of its commits,
    and `body` what its commits say.
    """
    own = own if own is not None and own.count else None
    source = _source(merge, own, repository.partition("/")[0])
    who = authorship(_writers(commit, own), source, salt=salt, names=names)
    files = commit.files
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
        author=who.author,
        author_names=who.author_names,
        bot=who.bot,
        agent=who.agent,
        head_ref=merge.head_ref,
        head_sha=commit.parents[1] if len(commit.parents) > 1 else None,
        head_repository=_head_repository(merge, repository),
        merge_sha=commit.sha,
        commits=own.count if own else None,
        own_commits=tuple(own.shas) if own and own.count > 1 else (),
        additions=None if files is None else sum_of_known([file.additions for file in files]),
        deletions=None if files is None else sum_of_known([file.deletions for file in files]),
        changed_files=None if files is None else len(files),
        files=None if files is None else files[:MAX_FILES],
        unknown=_UNKNOWN,
    )


def _writers(commit: Commit, own: OwnCommits | None) -> Writers:
    """Who wrote the pull's commits; if they are unknown, who wrote the commit itself."""
    if own and own.writers.by_email:
        return own.writers
    writers = Writers()
    writers.add(commit.author, commit.email, commit.address)
    return writers


def _source(merge: Merge, own: OwnCommits | None, owner: str) -> Source:
    fork = None if merge.head_owner in (None, owner) else merge.head_owner
    text = "\n\n".join([merge.body, *(own.messages if own else ())])
    return Source(fork=fork, head_ref=merge.head_ref, text=text)


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


def sum_of_known(counts: list[int | None]) -> int | None:
    """The sum of the known counts; None if there are counts and none is known."""
    known = [count for count in counts if count is not None]
    return sum(known) if known or not counts else None
