"""Commits from `git log`: what they say of themselves."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Final

import msgspec

from pullrisk.errors import InputError
from pullrisk.fetch.git.people import Writers
from pullrisk.fetch.git.program import Git

MAX_MESSAGES: Final = 16_384
"""Characters kept of all messages of a pull's commits together, the newest first."""
MAX_MESSAGE: Final = 4_096
"""Characters kept of one such message."""
MAX_OWN_COMMITS: Final = 250
"""The most commits of a pull whose shas are kept; GitHub lists as many."""
_HEADER: Final = "%x01%H%x00%P%x00%aN%x00%aE%x00%ae%x00%at%x00%ct%x00%B"
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999


class Commit(msgspec.Struct, frozen=True):
    """A commit.

    `author` and `email` are as the branch's .mailmap has them, `address` as the commit has it.
    """

    sha: str
    parents: tuple[str, ...]
    author: str
    email: str
    authored_at: datetime
    committed_at: datetime
    message: str
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
    """The first eight digits of each, of the newest MAX_OWN_COMMITS."""

    def add(self, commit: Commit) -> None:
        """Add a commit; call it from the newest to the oldest."""
        self.count += 1
        first = self.first_authored_at
        if first is None or commit.authored_at < first:
            self.first_authored_at = commit.authored_at
        if len(commit.parents) > 1:
            return  # a merge that updates the branch: no work or words of its author
        if len(self.shas) < MAX_OWN_COMMITS:
            self.shas.append(commit.sha[:8])
        self.writers.add(commit.author, commit.email, commit.address)
        if self.characters < MAX_MESSAGES and commit.message:
            self.messages.append(commit.message[:MAX_MESSAGE])
            self.characters += len(self.messages[-1])


def read_commits(git: Git, revisions: str) -> Iterator[Commit]:
    """All commits of the revisions, children before parents, without files. Raises InputError."""
    tokens = git.log("--topo-order", "--no-patch", f"--format={_HEADER}", revisions, "--")
    while header := [field.decode(errors="replace") for field in islice(tokens, 8)]:
        if len(header) < 8 or not header[0].startswith("\x01"):
            raise InputError(
                f"{git.path}: git log's output cannot be understood at {header[0]!r:.80}",
                hint="please report this, with the output of: git --version",
            )
        yield _commit(header)


def _commit(header: list[str]) -> Commit:
    sha, parents, author, email, address, authored, committed, message = header
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


def _moment(seconds: str) -> datetime:
    """The moment; times of broken clocks are limited to the years 1970 to 9999."""
    return datetime.fromtimestamp(min(max(int(seconds or 0), 0), _LAST_SECOND), UTC)
