"""Recognise the pull request that a commit of the branch merged, and make its record."""

import re
from typing import Final

import msgspec

from pullrisk.fetch.git.log import Commit, OwnCommits
from pullrisk.fetch.git.people import Authorship, Writers, authorship
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import MAX_BODY, MAX_FILES, MAX_TITLE, Pull

_GITHUB: Final = re.compile(
    r"Merge pull request #(?P<number>\d{1,9})(?: from (?:(?P<owner>[\w.-]+)/)?(?P<branch>\S+))?"
)
_HOMU: Final = re.compile(
    r"Auto merge of #(?P<number>\d{1,9})(?: - (?P<owner>[\w.-]+):(?P<branch>[^\s,]+))?"
)
_BORS: Final = re.compile(r"Merge #(?P<number>\d{1,9})$")
_BORS_TITLE: Final = re.compile(r"^\d+: (?P<title>.*?)(?: r=\S.*)?$")
# The last number is the pull's own: Revert "Add a thing (#12)" (#34) is pull 34.
_SQUASH: Final = re.compile(r"\(#(?P<number>\d{1,9})\)$")
_SQUASH_LENGTH: Final = len("(#123456789)")
_EMAIL: Final = re.compile(r"[\w.+%-]{1,64}(?:\[bot\])?@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")


class Merge(msgspec.Struct, frozen=True):
    """What the message of a merge says about its pull request."""

    number: int
    title: str
    body: str
    head_owner: str | None = None
    head_ref: str | None = None


def merge_of(commit: Commit) -> Merge | None:
    """The pull request that the commit merged, or None.

    Knows the merge messages of GitHub, Homu and bors, and the subjects of squash merges.
    """
    subject = commit.subject
    if found := _GITHUB.match(subject) or _HOMU.match(subject):
        title, _, body = commit.text.partition("\n")
        merge = Merge(
            int(found["number"]), title.strip(), body.strip(), found["owner"], found["branch"]
        )
    elif found := _BORS.match(subject):
        first, _, body = commit.text.partition("\n")
        titled = _BORS_TITLE.match(first)
        title = titled["title"] if titled else first
        merge = Merge(int(found["number"]), title.strip(), body.strip())
    elif found := _SQUASH.search(subject, max(0, len(subject) - _SQUASH_LENGTH)):
        title = subject[: found.start()].rstrip()
        merge = Merge(int(found["number"]), title, commit.text)
    else:
        return None
    return merge if merge.number > 0 else None


def pull_of(
    merge: Merge,
    commit: Commit,
    own: OwnCommits | None,
    *,
    repository: str,
    salt: bytes,
    names: BotNames = NO_NAMES,
) -> Pull:
    """The record of the pull; `own` are the commits that the merge brought in, None if squashed.

    `names` are the accounts that the settings call bots or persons. Git does not know when the
    pull was opened: `created_at` is the first author date of its commits.
    """
    own = own if own is not None and own.count else None
    who = _authorship(merge, commit, own, salt=salt, names=names)
    files = commit.files or ()
    merged_at = commit.committed_at
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
        additions=_sum([file.additions for file in files]),
        deletions=_sum([file.deletions for file in files]),
        changed_files=len(files),
        files=files[:MAX_FILES],
    )


def _authorship(
    merge: Merge, commit: Commit, own: OwnCommits | None, *, salt: bytes, names: BotNames
) -> Authorship:
    """Who wrote most of the pull's commits; if they are unknown, who wrote the commit itself."""
    writers = own.writers if own else Writers()
    if not writers.by_email:
        writers.add(commit.author, commit.email, commit.address)
    text = "\n\n".join([merge.body, *(own.messages if own else ())])
    return authorship(writers, salt=salt, head_ref=merge.head_ref, text=text, names=names)


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


def _sum(counts: list[int | None]) -> int | None:
    """The sum of the known counts; None if there are counts and none is known."""
    known = [count for count in counts if count is not None]
    return sum(known) if known or not counts else None
