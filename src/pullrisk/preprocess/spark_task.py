"""What one Spark task does, on whichever machine: plan and replay its share of repositories."""

from collections.abc import Iterator

import msgspec
from pyspark import TaskContext

from pullrisk.lake import AddedFile
from pullrisk.lake.delta import HISTORY_NUMBERS
from pullrisk.lake.files import Files
from pullrisk.lake.objects import Objects
from pullrisk.preprocess.plan import Work, compared
from pullrisk.preprocess.replay import Replayed, replay_all
from pullrisk.pulls.store import PullStore


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """The sketched repositories of one task, and where their pulls come from and their rows go."""

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

    def notify(news: int | Replayed) -> None:
        if isinstance(news, Replayed):
            # The driver has no use for the fingerprints of millions of pulls.
            work = msgspec.structs.replace(news.work, pulls={})
            replayed.append(msgspec.structs.replace(news, work=work))

    with share.store as store:
        added = replay_all(
            _compared(share, store),
            store=store,
            files=share.files,
            run=share.run,
            notify=notify,
            saved_as=share.run + 1 + _attempt() % (HISTORY_NUMBERS - 1),
        )
    return added, replayed


def _compared(share: Share, store: PullStore) -> Iterator[Work]:
    """Each repository's work when its turn comes; those without are passed over."""
    objects = Objects(share.files)
    for sketched in share.works:
        work = compared(store, objects, sketched)
        if work is not None:
            yield work


def _attempt() -> int:
    """The attempt's number, unique in the application."""
    context = TaskContext.get()
    return 0 if context is None else context.taskAttemptId()
