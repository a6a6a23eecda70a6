"""One repository's replay: its rows as Arrow batches, then its history saved."""

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import msgspec
import pyarrow as pa

from pullrisk.errors import LakeError
from pullrisk.features import RepositoryHistory
from pullrisk.features.replay import replay
from pullrisk.lake import AddedFile, FeatureWriter
from pullrisk.lake.files import Files
from pullrisk.lake.objects import Objects
from pullrisk.lake.schema import batch
from pullrisk.preprocess.plan import Status, Work
from pullrisk.pulls.consumed import ConsumedPulls
from pullrisk.pulls.record import Pull, fingerprint
from pullrisk.pulls.store import PullStore


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


class ReplayedRepository(msgspec.Struct, frozen=True, kw_only=True):
    """A repository whose rows are written and whose history waits for the commit.

    `saved_as` is the number under which its history was saved.
    """

    work: Work
    saved_as: int
    pulls: int
    rows: int
    seconds: float

    @property
    def report(self) -> RepositoryReport:
        """The repository's line of the run's report."""
        return RepositoryReport(
            repository=self.work.repository,
            status=self.work.status,
            pulls=self.pulls,
            rows=self.rows,
            seconds=self.seconds,
            note=self.work.note,
        )


Notify = Callable[[int | ReplayedRepository], None]
"""Told the number of pulls just replayed, and each repository that is complete."""


class Replayer(msgspec.Struct, frozen=True):
    """Replays repositories of a store into a lake's files, under a run's number; picklable."""

    store: PullStore
    files: Files
    run: int

    def replay(
        self, works: Iterable[Work], notify: Notify, *, saved_as: int | None = None
    ) -> list[AddedFile]:
        """Replay one repository after the other into Parquet files that wait for the commit.

        `saved_as` is the histories' number if it is not the run's own. Deletes its files if it
        fails.
        """
        writer = FeatureWriter(self.files, run=self.run)
        objects = Objects(self.files)
        try:
            with _collector_off():
                for work in works:
                    writer.start_repository()
                    repository_replay = RepositoryReplay(
                        work, store=self.store, objects=objects, run=self.run
                    )
                    for rows in repository_replay.batches():
                        writer.write(rows)
                        notify(repository_replay.progressed())
                    replayed = repository_replay.save(saved_as or self.run)
                    notify(repository_replay.progressed())
                    notify(replayed)
            return writer.finish()
        except BaseException:
            writer.abort()
            raise


@contextmanager
def _collector_off() -> Iterator[None]:
    """Without the cycle collector: a replay makes no cycles, and it walks them in vain (8 %)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class RepositoryReplay:
    """The replay of one `Work`: iterate `batches` to the end, then `save`."""

    def __init__(self, work: Work, *, store: PullStore, objects: Objects, run: int) -> None:
        self._store, self._objects, self._run = store, objects, run
        self._started = time.perf_counter()
        self._consumed = ConsumedPulls({})
        self._history = RepositoryHistory(work.repository)
        self._work = self._restored(work)
        self._replayed: list[int] = []
        self._pushes = 0
        self._arrived: dict[int, int] = {}
        self._rows = 0
        self._notified = 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows of every merged pull, in event order."""
        for block in replay(self._history, self._events()):
            self._rows += len(block)
            yield batch(block, run=self._run)

    def progressed(self) -> int:
        """Pulls and pushes replayed since this was last asked."""
        before, self._notified = self._notified, len(self._replayed)
        return self._notified - before

    def save(self, number: int) -> ReplayedRepository:
        """Write the history, and what it has consumed, as objects of this number."""
        # Where a pull changed since the plan was made, its planned fingerprint is no longer the
        # store's, so that the next run replays it.
        planned = self._work.pulls | self._arrived
        self._consumed.pulls.update((number, planned[number]) for number in self._replayed)
        self._consumed.as_of = self._history.as_of
        self._objects.write(
            self._work.repository, run=number, history=self._history.save(), consumed=self._consumed
        )
        return ReplayedRepository(
            work=self._work,
            saved_as=number,
            pulls=len(self._replayed) - self._pushes,
            rows=self._rows,
            seconds=time.perf_counter() - self._started,
        )

    def _restored(self, work: Work) -> Work:
        """Load what the work appends to; where that cannot be used, the work of a rebuild."""
        if not work.append or work.base is None:
            return work
        try:
            history = self._objects.history(work.repository, work.base)
            self._history = RepositoryHistory.load(history)
            self._consumed = self._objects.consumed(work.repository, work.base)
        except (LakeError, ValueError) as error:
            self._history, self._consumed = RepositoryHistory(work.repository), ConsumedPulls({})
            return msgspec.structs.replace(
                work,
                pulls=self._store.fingerprints(work.repository),
                append=False,
                note=str(error.args[0]),
            )
        return work

    def _events(self) -> Iterator[Pull]:
        planned, work = self._work.pulls, self._work
        numbers = planned if work.append else None
        for pull in self._store.events(work.repository, numbers=numbers):
            self._replayed.append(pull.number)
            self._pushes += pull.is_push
            if pull.number not in planned:  # fetched since the plan was made
                self._arrived[pull.number] = fingerprint(pull)
            yield pull
