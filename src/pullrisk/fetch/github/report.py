"""What a fetch from GitHub did."""

import msgspec

from pullrisk.pulls.store import Written


class RepositoryReport(msgspec.Struct, frozen=True, kw_only=True):
    """One repository: pulls read and written, what that cost, and why it stopped if it did.

    `notes` tell what GitHub kept back, and renames.
    """

    repository: str
    read: int = 0
    written: Written = Written()
    requests: int = 0
    points: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    error: str | None = None

    def with_pulls(self, read: int, written: Written) -> "RepositoryReport":
        """The same with what was read and written."""
        return msgspec.structs.replace(self, read=read, written=written)


class GitHubReport(msgspec.Struct, frozen=True, kw_only=True):
    """All repositories of a fetch; `left` is how many points remain in the budgets."""

    repositories: tuple[RepositoryReport, ...] = ()
    left: int | None = None

    @property
    def read(self) -> int:
        """Pulls read."""
        return sum(each.read for each in self.repositories)

    @property
    def written(self) -> Written:
        """What the store did with them."""
        return sum((each.written for each in self.repositories), Written())

    @property
    def requests(self) -> int:
        """Calls made for the repositories, failed ones too."""
        return sum(each.requests for each in self.repositories)

    @property
    def failed(self) -> tuple[RepositoryReport, ...]:
        """Repositories that could not be brought up to date."""
        return tuple(each for each in self.repositories if each.error)
