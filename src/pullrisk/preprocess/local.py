"""`preprocess`: the engine of this machine. One run is one commit, whatever happens in it."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from pullrisk.features import SCHEMA_HASH
from pullrisk.lake import AddedFile, Change, Lake
from pullrisk.preprocess.plan import Plan, plan
from pullrisk.preprocess.pool import replay_in_processes
from pullrisk.preprocess.replay import Replayed, replay_all
from pullrisk.preprocess.report import PreprocessReport, RepositoryReport
from pullrisk.progress import Progress, Silent
from pullrisk.pulls.store import PullStore

PULLS_PER_WORKER: Final = 5_000
"""A worker process takes half a second to start: fewer pulls than this are not worth one."""
_READERS_GRACE: Final = timedelta(hours=1)
"""How long a superseded history stays for readers of an earlier version."""


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
    started = time.perf_counter()
    lake.check()
    todo = plan(store, lake, repositories=repositories, full=full)
    run, replayed = None, list[Replayed]()
    if todo.works or todo.gone:
        run = _new_run(todo)
        try:
            files, replayed = _replay(
                todo,
                store=store,
                lake=lake,
                run=run,
                workers=workers or 1,
                progress=progress or Silent(),
            )
            lake.commit(_change(todo, files, replayed, run=run))
        except BaseException:
            lake.discard(run, _touched(todo))
            raise
        lake.vacuum_objects(_touched(todo), older_than=_READERS_GRACE)
    return PreprocessReport(
        run=run,
        version=lake.version,
        repositories=_lines(todo, replayed),
        seconds=time.perf_counter() - started,
    )


def _replay(
    todo: Plan, *, store: PullStore, lake: Lake, run: int, workers: int, progress: Progress
) -> tuple[list[AddedFile], list[Replayed]]:
    works = sorted(todo.works, key=lambda work: len(work.pulls), reverse=True)
    total = sum(len(work.pulls) for work in works)
    workers = min(workers, len(works), 1 + total // PULLS_PER_WORKER)
    replayed: list[Replayed] = []
    with progress.task("Replaying pull requests", total=total, unit="pulls") as task:

        def say(news: int | Replayed) -> None:
            if isinstance(news, Replayed):
                replayed.append(news)
            else:
                task.advance(news)

        if workers > 1:
            files = replay_in_processes(
                works, store=store, files=lake.files, run=run, workers=workers, say=say
            )
        else:
            files = replay_all(works, store=store, files=lake.files, run=run, say=say)
    return files, replayed


def _change(todo: Plan, files: list[AddedFile], replayed: list[Replayed], *, run: int) -> Change:
    works = [one.work for one in replayed]
    return Change(
        run=run,
        base={work.repository: work.base for work in works} | todo.gone,
        base_version=todo.base_version,
        files=files,
        replaced=frozenset(w.repository for w in works if w.base is not None and not w.append),
        gone=frozenset(todo.gone),
        facts={
            "schema_hash": SCHEMA_HASH,
            "pulls": sum(one.pulls for one in replayed),
            "rows": sum(one.rows for one in replayed),
            "repositories": {one.work.repository: one.work.status for one in replayed},
        },
    )


def _new_run(todo: Plan) -> int:
    """A number greater than every run before it, even where the clock went back."""
    earlier = [work.base or 0 for work in todo.works] + list(todo.gone.values())
    return max(time.time_ns(), 1 + max(earlier))


def _touched(todo: Plan) -> list[str]:
    return [*(work.repository for work in todo.works), *todo.gone]


def _lines(todo: Plan, replayed: list[Replayed]) -> list[RepositoryReport]:
    lines = [one.report for one in replayed]
    lines += [RepositoryReport(repository=name, status="unchanged") for name in todo.unchanged]
    lines += [RepositoryReport(repository=name, status="removed") for name in todo.gone]
    return sorted(lines, key=lambda line: line.repository)
