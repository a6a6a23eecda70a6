"""The record of a pull request.

`Pull` is the only form of a pull request in pullrisk: all sources parse into it, all stores keep
it, all features read it.
"""

from datetime import UTC, datetime
from hashlib import blake2b
from re import ASCII
from re import compile as pattern
from typing import Annotated, Final, TypeAlias

import msgspec

from pullrisk.errors import InputError
from pullrisk.pulls.bug_labels import labelled_as_bug
from pullrisk.pulls.lines import ChangedLines, Count

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone, in what sources send; see `utc`."""
MAX_FILES: Final = 3_000
"""Files of a pull request that are kept; GitHub lists no more."""
MAX_BODY: Final = 65_536
"""Characters of a body that are kept; GitHub's own limit."""
MAX_TITLE: Final = 1_024
"""Characters of a title that are kept."""


class ChangedFile(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One file of a pull request. Line counts are None if the source does not know them.

    `code_added` and `code_removed` are the lines that are neither blank nor comment, None if
    nobody looked or the language is not known.
    """

    path: str
    status: str = "modified"
    additions: Count | None = None
    deletions: Count | None = None
    previous_path: str | None = None
    code_added: Count | None = None
    code_removed: Count | None = None


class Review(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One review: `state` is `approved`, `changes_requested`, `commented` or `dismissed`."""

    author: str | None
    state: str
    submitted_at: datetime | None = None


class Pull(msgspec.Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A pull request as its source described it at `updated_at`. Times are aware, in UTC.

    `author` is None for a deleted account. `files` and `reviews` are None if the source does not
    list them; `changed_files` is the number of all files, even if `files` was cut.
    `review_decision` and `checks` (the state of all check runs of the head commit) are GitHub's
    words in lower case; `closes` are the issues that it closes, as `owner/name#number`,
    and `closed_bugs` those of them that are labelled as bugs; None if the source does not tell
    the labels, or not of all and none of the others is one.
    `own_commits` are the first eight digits of the commits that a merge brought into the branch;
    `repository_names` are other names of the repository, which the source used after a rename.
    `author_names` are further names that the source ties to the author: `login:mara`,
    `email:` with a salted hash, `name:robot`. `agent` is the program that wrote the pull,
    alone or with its author (`people.agent_of`).
    `unknown` are the facts that the source does not know although a field holds something:
    `opening` if `created_at` is only a guess, `description` if `body` is not the author's own.
    `lines` is what the change did to lines of code, None if the source does not tell.

    A direct push has the same form, with the number that `push_number` makes of its commit: the
    history learns from it, but it is never listed, counted or scored.
    """

    repository: str
    number: int
    created_at: datetime
    updated_at: datetime
    merged_at: datetime | None = None
    closed_at: datetime | None = None
    title: str = ""
    body: str = ""
    author: str | None = None
    author_association: str | None = None
    bot: bool = False
    draft: bool = False
    head_ref: str | None = None
    head_sha: str | None = None
    head_repository: str | None = None
    base_ref: str | None = None
    merge_sha: str | None = None
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    commits: int | None = None
    additions: int | None = None
    deletions: int | None = None
    changed_files: int | None = None
    files: tuple[ChangedFile, ...] | None = None
    repository_id: int | None = None
    reviews: tuple[Review, ...] | None = None
    review_decision: str | None = None
    checks: str | None = None
    closes: tuple[str, ...] = ()
    own_commits: tuple[str, ...] = ()
    repository_names: tuple[str, ...] = ()
    author_names: tuple[str, ...] = ()
    agent: str | None = None
    unknown: tuple[str, ...] = ()
    lines: ChangedLines | None = None
    closed_bugs: tuple[str, ...] | None = None

    @property
    def is_push(self) -> bool:
        """Whether this is a direct push: a commit of the default branch that is no pull."""
        return self.number < 0

    @property
    def state(self) -> str:
        """`open`, `closed` (without a merge), `merged`, or `push` for a direct push."""
        if self.number < 0:
            return "push"
        if self.merged_at is not None:
            return "merged"
        return "open" if self.closed_at is None else "closed"

    @property
    def event_at(self) -> datetime | None:
        """When it was merged, or closed without a merge; None while it is open."""
        return self.merged_at or self.closed_at


def push_number(sha: str) -> int:
    """The number of a direct push: negative, and the same each time its commit is read."""
    return -(int(sha[:12], 16) or 1)


# Names become parts of paths in the lake, so "." and ".." must not pass.
_NAME: Final = pattern(r"(?!\.{1,2}/)[\w.-]{1,100}/(?!\.{1,2}$)[\w.-]{1,100}", ASCII)
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Pull)


def encode(pull: Pull) -> bytes:
    """The record as MessagePack; its fields are positional, and new ones are only appended."""
    return _encoder.encode(pull)


def decode(payload: bytes) -> Pull:
    """The record that this or an earlier version encoded. Raises msgspec.MsgspecError."""
    return _decoder.decode(payload)


_up_to_merge: Final = msgspec.msgpack.Decoder(
    msgspec.defstruct(
        "Merge",
        [
            (name, str | None if name == "merge_sha" else msgspec.Raw)
            for name in Pull.__struct_fields__[: Pull.__struct_fields__.index("merge_sha") + 1]
        ],
        array_like=True,
    )
)


def decode_merge(payload: bytes) -> str | None:
    """The record's `merge_sha` alone, in a tenth of the time. Raises msgspec.MsgspecError."""
    sha: str | None = getattr(_up_to_merge.decode(payload), "merge_sha")  # noqa: B009  (no type)
    return sha


def fingerprint(pull: Pull) -> int:
    """A 63-bit digest of all that a repository's history learns from the pull.

    Two versions of a pull with equal fingerprints are the same event: a comment, an assignment or
    a label (other than that of a bug, which makes it a fix) after the merge changes `updated_at`,
    but not the fingerprint. A closed bug counts only where there is one, so that records of
    earlier versions, which knew none, keep their fingerprints.
    """
    fixes = pull.lines is not None and labelled_as_bug(pull.labels)
    closes = (True,) if pull.lines is not None and pull.closed_bugs else ()
    known = (
        pull.repository, pull.number, pull.created_at, pull.merged_at, pull.closed_at,
        pull.title, pull.body, pull.author, pull.author_association, pull.bot,
        pull.head_repository, pull.base_ref, pull.head_ref, pull.merge_sha, pull.commits,
        pull.additions, pull.deletions, pull.changed_files, pull.files, pull.own_commits,
        pull.repository_names, pull.author_names, pull.agent, pull.unknown, pull.lines,
        fixes, *closes,
    )  # fmt: skip
    digest = blake2b(_encoder.encode(known), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError for a time without a zone."""
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise ValueError(f"time {moment.isoformat()} has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"time {moment.isoformat()} is outside the years 1 to 9999") from None


def repository_name(name: str | None) -> str:
    """The name, if it has the form `owner/name`. Raises ValueError."""
    if name is None or not _NAME.fullmatch(name):
        raise ValueError(f"repository is {name!r}, expected 'owner/name' at base.repo.full_name")
    return name


def checked_name(name: str) -> str:
    """The name, if it has the form `owner/name`. Raises InputError."""
    try:
        return repository_name(name)
    except ValueError as error:
        raise InputError(
            f"{name!r} is no repository name", hint="expected owner/name, as on GitHub"
        ) from error
