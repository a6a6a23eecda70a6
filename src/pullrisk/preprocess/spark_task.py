"""What one Spark task does, on whichever machine: replay its repositories into invisible files."""

import msgspec
from pyspark import TaskContext

from pullrisk.errors import StoreError
from pullrisk.lake import AddedFile
from pullrisk.lake.commit import HISTORY_NUMBERS
from pullrisk.lake.files import Files
from pullrisk.preprocess.plan import Work
from pullrisk.preprocess.replay import Replayed, replay_all
from pullrisk.pulls.store import PullStore


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """The repositories of one task, and where their pulls come from and their rows go."""

    works: list[Work]
    store: PullStore
    files: Files
    run: int


def replay_share(share: Share) -> tuple[list[AddedFile], list[Replayed]]:
    """Replay the share in this task; what it wrote is seen only if the driver commits it.

    A failed attempt deletes its files; one that is killed leaves orphans. Attempts at the same
    task share no file: rows are in uuid-named ones, histories carry the attempt's number.
    """
    replayed: list[Replayed] = []

    def say(news: int | Replayed) -> None:
        if isinstance(news, Replayed):
            _refuse_missing(news)
            # The driver knows the plan's fingerprints already.
            replayed.append(
                msgspec.structs.replace(news, work=msgspec.structs.replace(news.work, pulls={}))
            )

    with share.store as store:
        added = replay_all(
            share.works,
            store=store,
            files=share.files,
            run=share.run,
            say=say,
            saved_as=share.run + 1 + _attempt() % (HISTORY_NUMBERS - 1),
        )
    return added, replayed


def _attempt() -> int:
    """The attempt's number, unique in the application."""
    context = TaskContext.get()
    return 0 if context is None else context.taskAttemptId()


def _refuse_missing(replayed: Replayed) -> None:
    """A worker that sees another store than the driver would silently lose pulls."""
    planned = len(replayed.work.pulls)
    if replayed.pulls < planned:
        raise StoreError(
            f"a Spark task found {replayed.pulls} of the {planned} planned pulls of "
            f"{replayed.work.repository}",
            hint="every worker has to reach the store that the driver reads: use mongodb://, or "
            "an SQLite file on a path that all of them share",
        )
