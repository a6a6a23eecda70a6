"""The port through which everything reads and writes pull requests.

Adapters: `sqlite.SqliteStore` (the embedded default) and `mongo.MongoStore`. Any adapter
passes tests/contract/test_pull_store.py.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, Self, TypeVar

import msgspec

from pullrisk.pulls.record import Pull

T_co = TypeVar("T_co", covariant=True)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Written(msgspec.Struct, frozen=True):
    """What one `upsert` did: how many pulls were inserted, updated and left unchanged.

    `unchanged` counts the pulls that the store has in the same or a newer version.
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0

    @property
    def total(self) -> int:
        """How many pulls were given to it."""
        return self.inserted + self.updated + self.unchanged

    def __add__(self, other: "Written") -> "Written":
        return Written(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
        )


class RepositorySummary(msgspec.Struct, frozen=True):
    """Counts of one repository; `files` is the sum over its pulls, `pushes` counts direct pushes.

    The times are those of pulls; of events they are None if no pull is closed yet.
    """

    repository: str
    pulls: int
    merged: int
    open: int
    files: int
    first_event_at: datetime | None
    last_event_at: datetime | None
    last_updated_at: datetime
    pushes: int = 0

    @property
    def events(self) -> int:
        """Pulls and pushes that a history is made of."""
        return self.pulls - self.open + self.pushes


class Rotating(Protocol[T_co]):
    """A value that may be rotated while it is used: a URI with a password, credentials."""

    @property
    def now(self) -> T_co:
        """The current value: the same object until it changes. Returns at once."""

    def refresh(self) -> bool:
        """Read it again, because a server refused it; may wait. Returns whether it changed."""


class PullStore(Protocol):
    """Pull requests by (repository, number), and the checkpoints of those who fetch them, by key.

    Direct pushes (`Pull.is_push`) are kept beside them: they are events, and nothing else lists
    or counts them.

    A context manager that closes itself. All methods raise StoreError: disk full, newer version,
    not reachable, closed.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def upsert(
        self, pulls: Iterable[Pull], *, checkpoint: tuple[str, Mapping[str, object]] | None = None
    ) -> Written:
        """Write pulls, then the checkpoint: its key, and a value that JSON can hold.

        Idempotent. A pull never replaces one with a later `updated_at`; at the same
        `updated_at` the one written last stays. If this raises (also because `pulls` did), the
        checkpoint is not written and some of the pulls may be; with SQLite none is. Write
        batches of a few thousand, since one call may hold the store's only write lock.
        """

    def get(self, repository: str, number: int) -> Pull | None:
        """One pull, or None."""

    def repositories(self) -> list[RepositorySummary]:
        """A summary of every repository that has a pull, by name."""

    def fingerprints(self, repository: str) -> dict[int, int]:
        """Number → `record.fingerprint` of all events. Reads no payload."""

    def events(self, repository: str, *, numbers: Iterable[int] | None = None) -> Iterator[Pull]:
        """Closed and merged pulls, and pushes, in event order: (`event_at`, number). A stream.

        `numbers` restricts it to those. A write meanwhile does not disturb it: no pull
        comes twice, and none is skipped.
        """

    def events_since(self, repository: str, moment: datetime) -> list[Pull]:
        """The events later than the moment, in event order."""

    def merges(self, repository: str) -> dict[str, int]:
        """The commit that merged it → number, of pulls and pushes. Decodes nothing else."""

    def pulls(self, repository: str) -> Iterator[Pull]:
        """All pulls of the repository by number, open ones too. A stream, like `events`."""

    def pushes(self, repository: str) -> Iterator[Pull]:
        """All direct pushes to the repository, by number. A stream, like `events`."""

    def recent(
        self, *, repository: str | None = None, state: str | None = None, limit: int = 100
    ) -> list[Pull]:
        """Pulls by last update, newest first; equal times by repository and number.

        `state` is `open`, `closed` or `merged`.
        """

    def checkpoint(self, key: str) -> dict[str, object] | None:
        """The value last saved under the key, or None."""

    def checkpoints(self) -> dict[str, dict[str, object]]:
        """Every checkpoint by its key."""

    def close(self) -> None:
        """Close files and connections. Safe to call twice."""


def microseconds(moment: datetime) -> int:
    """Microseconds from 1970 to the moment, negative before: exact, and the same in all stores."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """The moment this many microseconds after 1970, in UTC; the inverse of `microseconds`."""
    return _EPOCH + timedelta(microseconds=microseconds)


def day_of(microseconds: int) -> str:
    """The day of that moment, in UTC, as in `2026-01-31`."""
    return moment(microseconds).date().isoformat()
