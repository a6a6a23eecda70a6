"""`preprocess`: the engine of this machine, in this process or in several."""

from collections.abc import Sequence
from typing import Final

from pullrisk.lake import AddedFile, Lake
from pullrisk.lake.files import Files
from pullrisk.preprocess.plan import Plan
from pullrisk.preprocess.pool import replay_in_processes
from pullrisk.preprocess.replay import Replayed, replay_all
from pullrisk.preprocess.report import PreprocessReport
from pullrisk.preprocess.run import run_once
from pullrisk.progress import Progress, Silent
from pullrisk.pulls.store import PullStore

PULLS_PER_WORKER: Final = 5_000
"""A worker process takes half a second to start: fewer pulls than this are not worth one."""


def preprocess(
    store: PullStore,
    lake: Lake,
    *,
    workers: int | None = None,
    repositories: Sequence[str] | None = None,
    full: bool = False,
    progress: Progress | None = None,
) -> PreprocessReport:
    """Replay what is new in the store into the lake, in one atomic commit.

    `workers` processes share the repositories (None = one, in this process); each opens a
    pickled copy of the store. `repositories` limits the run to those named, `full` rebuilds
    them. Raises LakeError, StoreError and InputError; then the lake is as it was.
    """
    engine = _LocalEngine(store, lake.files, workers or 1, progress or Silent())
    return run_once(store, lake, replay=engine.replay, repositories=repositories, full=full)


class _LocalEngine:
    def __init__(self, store: PullStore, files: Files, workers: int, progress: Progress) -> None:
        self._store, self._files = store, files
        self._workers, self._progress = workers, progress

    def replay(self, todo: Plan, run: int) -> tuple[list[AddedFile], list[Replayed]]:
        """Every work of the plan, the largest first."""
        works = sorted(todo.works, key=lambda work: len(work.pulls), reverse=True)
        total = sum(len(work.pulls) for work in works)
        workers = min(self._workers, len(works), 1 + total // PULLS_PER_WORKER)
        store, files = self._store, self._files
        replayed: list[Replayed] = []
        with self._progress.task("Replaying pull requests", total=total, unit="pulls") as task:

            def notify(news: int | Replayed) -> None:
                if isinstance(news, Replayed):
                    replayed.append(news)
                else:
                    task.advance(news)

            if workers > 1:
                added = replay_in_processes(
                    works, store=store, files=files, run=run, workers=workers, notify=notify
                )
            else:
                added = replay_all(works, store=store, files=files, run=run, notify=notify)
        return added, replayed
