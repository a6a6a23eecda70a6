"""What a preprocess run did."""

from typing import Literal

import msgspec

Status = Literal["new", "appended", "rebuilt", "unchanged", "removed"]


class RepositoryReport(msgspec.Struct, frozen=True, kw_only=True):
    """One repository: `pulls` replayed, `rows` written, and in `note` why it was rebuilt.

    `removed` is a repository that left the store, and so leaves the lake.
    """

    repository: str
    status: Status
    pulls: int = 0
    rows: int = 0
    seconds: float = 0.0
    note: str | None = None


class PreprocessReport(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `run` is None if there was nothing to do and nothing was committed.

    `version` is the feature table's; None if there is still no table.
    """

    run: int | None
    version: int | None
    repositories: list[RepositoryReport]
    seconds: float

    @property
    def pulls(self) -> int:
        """Pulls replayed."""
        return sum(repository.pulls for repository in self.repositories)

    @property
    def rows(self) -> int:
        """Rows written."""
        return sum(repository.rows for repository in self.repositories)
