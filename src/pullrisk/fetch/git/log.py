"""Commits from `git log`: what they say of themselves, and the files that they change."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NoReturn

import msgspec

from pullrisk.errors import InputError
from pullrisk.fetch.git.people import Writers
from pullrisk.fetch.git.program import Git
from pullrisk.pulls.record import ChangedFile

MESSAGES: Final = 16_384
"""Characters kept of all messages of a pull's commits together, the newest first."""
MESSAGE: Final = 4_096
"""Characters kept of one such message."""
LISTED: Final = 250
"""The most commits of a pull whose shas are kept; GitHub lists as many."""
_HEADER: Final = "%x01%H%x00%P%x00%aN%x00%aE%x00%ae%x00%at%x00%ct%x00%B"
STATUS: Final = {
    "A": "added",
    "C": "copied",
    "D": "removed",
    "M": "modified",
    "R": "renamed",
    "T": "changed",
}
"""What GitHub's API calls a change that git names by a letter."""
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999


class Commit(msgspec.Struct, frozen=True):
    """A commit; `files` is the change from its first parent, None if it was not asked for.

    `author` and `email` are as the branch's .mailmap has them, `address` as the commit has it.
    """

    sha: str
    parents: tuple[str, ...]
    author: str
    email: str
    authored_at: datetime
    committed_at: datetime
    message: str
    files: tuple[ChangedFile, ...] | None = None
    address: str = ""

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0].strip()

    @property
    def text(self) -> str:
        """The message after its subject."""
        return self.message.partition("\n")[2].strip()


class OwnCommits(msgspec.Struct):
    """A summary of the commits that a merge brought in."""

    count: int = 0
    first_authored_at: datetime | None = None
    writers: Writers = msgspec.field(default_factory=Writers)
    messages: list[str] = []
    characters: int = 0
    shas: list[str] = []
    """The first eight digits of each, of the newest LISTED."""

    def add(self, commit: Commit) -> None:
        """Add a commit; call it from the newest to the oldest."""
        self.count += 1
        first = self.first_authored_at
        if first is None or commit.authored_at < first:
            self.first_authored_at = commit.authored_at
        if len(commit.parents) > 1:
            return  # a merge that updates the branch: no work or words of its author
        if len(self.shas) < LISTED:
            self.shas.append(commit.sha[:8])
        self.writers.add(commit.author, commit.email, commit.address)
        if self.characters < MESSAGES and commit.message:
            self.messages.append(commit.message[:MESSAGE])
            self.characters += len(self.messages[-1])


def read_commits(git: Git, revisions: str) -> Iterator[Commit]:
    """All commits of the revisions, children before parents, without files. Raises InputError."""
    tokens = git.log("--topo-order", "--no-patch", f"--format={_HEADER}", revisions, "--")
    reader = TokenReader(git, tokens)
    while reader.token is not None:
        if reader.token.startswith(b"\x01"):
            yield _commit(reader)
        elif reader.token:
            reader.fail()
        else:
            reader.advance()


def _commit(reader: "TokenReader") -> Commit:
    header = [reader.advance() for _ in range(8)]
    sha, parents, author, email, address, authored, committed, message = (
        field.decode(errors="replace") for field in header
    )
    return Commit(
        sha=sha[1:],
        parents=tuple(parents.split()),
        author=author,
        email=email,
        address=address,
        authored_at=_moment(authored),
        committed_at=_moment(committed),
        message=message.strip(),
    )


class TokenReader:
    """Reads the tokens of `git log -z` one by one, with a look at the next: `token`."""

    def __init__(self, git: Git, tokens: Iterable[bytes]) -> None:
        self._git, self._tokens = git, iter(tokens)
        self.token: bytes | None = next(self._tokens, None)

    def advance(self) -> bytes:
        """The next token. Raises InputError at the end."""
        token = self.token
        if token is None:
            self.fail()
        self.token = next(self._tokens, None)
        return token

    def files(self) -> tuple[ChangedFile, ...]:
        """The raw entries and the numstat entries of one commit."""
        changes = list(self._raw())
        lines = dict(self._numstat())
        return tuple(
            ChangedFile(_path(path), status, *lines.get(path, (None, None)), _path_or_none(old))
            for status, path, old in changes
        )

    def _raw(self) -> Iterator[tuple[str, bytes, bytes | None]]:
        while self.token is not None and self.token.lstrip(b"\n").startswith(b":"):
            letter = self.advance().rpartition(b" ")[2][:1].decode()
            old = self.advance() if letter in "RC" else None
            yield STATUS.get(letter, "changed"), self.advance(), old

    def _numstat(self) -> Iterator[tuple[bytes, tuple[int | None, int | None]]]:
        while self.token is not None and self.token[:1] in b"-0123456789" and self.token:
            added, removed, path = self.advance().split(b"\t", 2)
            if not path:
                self.advance()
                path = self.advance()
            yield path, (None, None) if added == b"-" else (int(added), int(removed))

    def fail(self) -> NoReturn:
        """Raise InputError: the output is not understood."""
        raise InputError(
            f"{self._git.path}: git log's output cannot be understood at {self.token!r:.80}",
            hint="please report this, with the output of: git --version",
        )


def _moment(seconds: str) -> datetime:
    """The moment; times of broken clocks are limited to the years 1970 to 9999."""
    return datetime.fromtimestamp(min(max(int(seconds or 0), 0), _LAST_SECOND), UTC)


def _path(path: bytes) -> str:
    return path.decode(errors="backslashreplace")


def _path_or_none(path: bytes | None) -> str | None:
    return None if path is None else _path(path)
