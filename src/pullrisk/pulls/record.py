"""The record of a pull request, and the parser of GitHub's REST object.

`Pull` is the only form of a pull request in pullrisk: all sources parse into it, all stores keep
it, all features read it. The parser accepts what GitHub really sends (null author = a deleted
account, unknown enum values, missing counts) and requires what nothing works without:
repository, number, created_at, updated_at.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from re import ASCII
from re import compile as pattern
from typing import Final

import msgspec

from pullrisk.pulls import half_surrogates
from pullrisk.pulls.bug_labels import labelled_as_bug
from pullrisk.pulls.lines import ChangedLines, Count
from pullrisk.pulls.patch_text import CodeLines, count_patches
from pullrisk.pulls.people import NO_NAMES, ROBOTIC, Account, BotNames, agent_of, is_bot, is_robotic
from pullrisk.pulls.rest_shapes import RestBranch, RestFile, RestPull, RestUser

MAX_FILES: Final = 3_000
"""Files of a pull request that are kept; GitHub lists no more."""
MAX_BODY: Final = 65_536
"""Characters of a body that are kept; GitHub's own limit."""
MAX_TITLE: Final = 1_024
"""Characters of a title that are kept."""


class ChangedFile(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One file of a pull request. Line counts are None if the source does not know them.

    `code_added` and `code_removed` are the lines that are neither blank nor comment, None where
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


# --- GitHub's REST object ---------------------------------------------------------------------


_rest_decoder: Final = msgspec.json.Decoder(RestPull)
_rest_list_decoder: Final = msgspec.json.Decoder(list[RestPull])
_NO_USER: Final = RestUser()
_UNDESCRIBED: Final = ("description",)
_NO_BRANCH: Final = RestBranch()


def parse_rest(
    data: bytes | str, *, repository: str | None = None, names: BotNames = NO_NAMES
) -> Pull:
    """Parse one REST pull-request object from JSON.

    `repository` is used if the object does not name its own (`base.repo.full_name`), `names` are
    the accounts that the settings call bots or persons. Raises ValueError (msgspec's errors are
    ValueErrors), which names the field that is wrong.
    """
    try:
        return from_rest(half_surrogates.decode(_rest_decoder, data), repository, names)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None


def parse_rest_list(data: bytes, *, most: int, names: BotNames = NO_NAMES) -> list[Pull] | None:
    """Parse a JSON list of REST pull-request objects, in a third less time than one by one.

    Returns None if there are more than `most`. Raises ValueError, which does not say which one
    is wrong.
    """
    objects = half_surrogates.decode(_rest_list_decoder, data)
    return None if len(objects) > most else [from_rest(rest, None, names) for rest in objects]


def from_rest(rest: RestPull, repository: str | None, names: BotNames = NO_NAMES) -> Pull:
    """The record of a REST object, of `repository` if it names none. Raises ValueError."""
    base, head, user = rest.base or _NO_BRANCH, rest.head or _NO_BRANCH, rest.user or _NO_USER
    account = Account(login=user.login or "", type=user.type)
    bot = is_bot(account, names)
    name = (base.repo.full_name if base.repo else None) or repository
    files, lines = _files(rest)
    return Pull(
        repository=repository_name(name),
        repository_id=base.repo.id if base.repo else None,
        number=rest.number,
        created_at=utc(rest.created_at),
        updated_at=utc(rest.updated_at),
        merged_at=utc(rest.merged_at) if rest.merged_at else None,
        closed_at=utc(rest.closed_at) if rest.closed_at else None,
        title=(rest.title or "")[:MAX_TITLE],
        body=(rest.body or "")[:MAX_BODY],
        author=user.login or None,
        author_association=rest.author_association,
        author_names=(ROBOTIC,) if is_robotic(account, names) else (),
        bot=bot,
        agent=agent_of(account, bot=bot, head_ref=head.ref, text=rest.body or ""),
        draft=bool(rest.draft),
        head_ref=head.ref,
        head_sha=head.sha,
        head_repository=_head_repository(head, base),
        base_ref=base.ref,
        merge_sha=rest.merge_commit_sha if rest.merged_at else None,
        labels=tuple(label.name for label in rest.labels or () if label and label.name),
        assignees=_logins(rest.assignees),
        reviewers=_logins(rest.requested_reviewers),
        commits=rest.commits,
        additions=rest.additions,
        deletions=rest.deletions,
        # A list cut below would otherwise lose how many there were.
        changed_files=len(rest.files)
        if rest.changed_files is None and rest.files
        else rest.changed_files,
        files=files,
        lines=lines,
        unknown=_UNDESCRIBED if rest.body is None else (),
    )


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


def _head_repository(head: RestBranch, base: RestBranch) -> str | None:
    """The repository of the branch; its own under one name, since a rename keeps the id."""
    if head.repo is None:
        return None
    same = base.repo is not None and head.repo.id is not None and head.repo.id == base.repo.id
    return base.repo.full_name if base.repo and same else head.repo.full_name


def _logins(users: Sequence[RestUser | None] | None) -> tuple[str, ...]:
    return tuple(user.login for user in users or () if user and user.login)


def _files(rest: RestPull) -> tuple[tuple[ChangedFile, ...] | None, ChangedLines | None]:
    """The files and what their patches say, both None if there is no list."""
    if rest.files is None:
        return None, None
    complete = rest.changed_files in (None, len(rest.files)) and len(rest.files) <= MAX_FILES
    files = rest.files[:MAX_FILES]
    code_lines, counts = count_patches(files, complete=complete)
    return tuple(map(_file, files, code_lines)), counts


def _file(file: RestFile, code_lines: CodeLines) -> ChangedFile:
    return ChangedFile(
        file.filename,
        file.status or "modified",
        file.additions,
        file.deletions,
        file.previous_filename,
        *code_lines,
    )
