"""The one record of a pull request, and the parser of GitHub's REST object.

`Pull` is the only shape in which a pull request exists in pullrisk. Every source parses into
it, every store keeps it, every feature reads it. Parsing is tolerant of what GitHub really
sends (null author = a deleted account, unknown enum values, missing counts) and strict about
what nothing works without: repository, number, created_at, updated_at.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

import msgspec

MAX_FILES: Final = 3_000
"""GitHub lists at most this many files of one pull request; more are cut."""
MAX_BODY: Final = 65_536
"""Characters of a body that are kept; GitHub's own limit."""
MAX_TITLE: Final = 1_024
"""Characters of a title that are kept."""


class ChangedFile(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One file of a pull request. Line counts are None where the source does not know them."""

    path: str
    status: str = "modified"
    additions: int | None = None
    deletions: int | None = None
    previous_path: str | None = None


class Pull(msgspec.Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A pull request as its source described it at `updated_at`. Times are aware, in UTC.

    `author` is None for a deleted account. `files` is None where the source does not list
    them; `changed_files` is the true number of files even where the list was cut.
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

    @property
    def state(self) -> str:
        """`open`, `closed` (without a merge) or `merged`."""
        if self.merged_at is not None:
            return "merged"
        return "open" if self.closed_at is None else "closed"

    @property
    def event_at(self) -> datetime | None:
        """The moment its fate became known: merged, or closed unmerged; None while open."""
        return self.merged_at or self.closed_at


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Pull)


def encode(pull: Pull) -> bytes:
    """The record as MessagePack; fields are positional and only ever appended."""
    return _encoder.encode(pull)


def decode(payload: bytes) -> Pull:
    """The record that `encode` wrote, by this version or an earlier one."""
    return _decoder.decode(payload)


def fingerprint(pull: Pull) -> int:
    """A 63-bit digest of everything that a repository's history can learn from the pull.

    Two versions of a pull with equal fingerprints are the same event; a comment, a label or
    an assignment after the merge changes `updated_at` but not this.
    """
    known = (
        pull.repository, pull.number, pull.created_at, pull.merged_at, pull.closed_at,
        pull.title, pull.body, pull.author, pull.author_association, pull.bot,
        pull.head_repository, pull.base_ref, pull.head_ref, pull.merge_sha, pull.commits,
        pull.additions, pull.deletions, pull.changed_files, pull.files,
    )  # fmt: skip
    digest = blake2b(_encoder.encode(known), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


# --- GitHub's REST object ---------------------------------------------------------------------


class _User(msgspec.Struct, gc=False):
    login: str | None = None
    type: str | None = None


class _Named(msgspec.Struct, gc=False):
    name: str | None = None


class _Repository(msgspec.Struct, gc=False):
    full_name: str | None = None
    id: int | None = None


class _Branch(msgspec.Struct, gc=False):
    ref: str | None = None
    sha: str | None = None
    repo: _Repository | None = None


class _File(msgspec.Struct, gc=False):
    filename: str
    status: str | None = None
    additions: int | None = None
    deletions: int | None = None
    previous_filename: str | None = None


class _RestPull(msgspec.Struct, gc=False):
    number: int
    created_at: datetime
    updated_at: datetime
    merged_at: datetime | None = None
    closed_at: datetime | None = None
    title: str | None = None
    body: str | None = None
    user: _User | None = None
    author_association: str | None = None
    draft: bool | None = None
    head: _Branch | None = None
    base: _Branch | None = None
    merge_commit_sha: str | None = None
    labels: list[_Named | None] | None = None
    assignees: list[_User | None] | None = None
    requested_reviewers: list[_User | None] | None = None
    commits: int | None = None
    additions: int | None = None
    deletions: int | None = None
    changed_files: int | None = None
    files: list[_File] | None = None


_rest_decoder: Final = msgspec.json.Decoder(_RestPull)
_NO_USER: Final = _User()
_NO_BRANCH: Final = _Branch()


def parse_rest(data: bytes | str, *, repository: str | None = None) -> Pull:
    """Parse one REST pull-request object from JSON.

    `repository` is used where the object does not name its own (`base.repo.full_name`).
    Raises ValueError (msgspec's errors are ValueErrors) that names the field at fault.
    """
    return _from_rest(_rest_decoder.decode(data), repository)


def pull_from_rest(value: object, *, repository: str | None = None) -> Pull:
    """Like `parse_rest`, for an object already decoded from JSON (a webhook's payload)."""
    return _from_rest(msgspec.convert(value, _RestPull), repository)


def _from_rest(rest: _RestPull, repository: str | None) -> Pull:
    base, head, user = rest.base or _NO_BRANCH, rest.head or _NO_BRANCH, rest.user or _NO_USER
    name = (base.repo.full_name if base.repo else None) or repository
    return Pull(
        repository=_repository_name(name),
        repository_id=base.repo.id if base.repo else None,
        number=_number(rest.number),
        created_at=utc(rest.created_at),
        updated_at=utc(rest.updated_at),
        merged_at=utc(rest.merged_at) if rest.merged_at else None,
        closed_at=utc(rest.closed_at) if rest.closed_at else None,
        title=(rest.title or "")[:MAX_TITLE],
        body=(rest.body or "")[:MAX_BODY],
        author=user.login or None,
        author_association=rest.author_association,
        bot=is_bot(user.login, user.type),
        draft=bool(rest.draft),
        head_ref=head.ref,
        head_sha=head.sha,
        head_repository=head.repo.full_name if head.repo else None,
        base_ref=base.ref,
        merge_sha=rest.merge_commit_sha if rest.merged_at else None,
        labels=tuple(label.name for label in rest.labels or () if label and label.name),
        assignees=_logins(rest.assignees),
        reviewers=_logins(rest.requested_reviewers),
        commits=_count("commits", rest.commits),
        additions=_count("additions", rest.additions),
        deletions=_count("deletions", rest.deletions),
        changed_files=_count("changed_files", rest.changed_files),
        files=None if rest.files is None else tuple(map(_file, rest.files[:MAX_FILES])),
    )


def utc(moment: datetime) -> datetime:
    """The same moment in UTC; a time without a zone is refused (ValueError)."""
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise ValueError(f"time {moment.isoformat()} has no time zone")
    return moment.astimezone(UTC)


def is_bot(login: str | None, kind: str | None = None) -> bool:
    """Whether GitHub says so (`type: Bot`) or the login's own convention does."""
    return kind == "Bot" or (login is not None and login.lower().endswith(("[bot]", "-bot")))


def _repository_name(name: str | None) -> str:
    owner, slash, rest = (name or "").partition("/")
    if not (owner and slash and rest) or "/" in rest or len(owner) + len(rest) > 255:
        raise ValueError(f"repository is {name!r}, expected 'owner/name' at base.repo.full_name")
    return f"{owner}/{rest}"


def _number(number: int) -> int:
    if not 0 < number < 2**53:
        raise ValueError(f"number is {number}, expected a positive integer")
    return number


def _count(field: str, value: int | None) -> int | None:
    if value is not None and not 0 <= value < 2**53:
        raise ValueError(f"{field} is {value}, expected zero or more")
    return value


def _logins(users: Sequence[_User | None] | None) -> tuple[str, ...]:
    return tuple(user.login for user in users or () if user and user.login)


def _file(file: _File) -> ChangedFile:
    return ChangedFile(
        file.filename,
        file.status or "modified",
        _count("files[].additions", file.additions),
        _count("files[].deletions", file.deletions),
        file.previous_filename,
    )
